//! Paints on the active layer in the colour chosen.

use super::painting::{Hand, Mark};
use super::{Context, Overlay, PointerEvent, Tool};

#[derive(Default)]
pub struct ColourBrush(Hand);

impl Tool for ColourBrush {
    fn press(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        if let Some(layer) = context.open_layer() {
            let mark = Mark::Colour { colour: context.settings.colour, alpha_lock: layer.alpha_locked };
            self.0.press(context, event, "edit-brush", context.settings.colour_brush, mark);
        }
    }

    fn drag(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.0.drag(context, event, &context.settings.colour_brush);
    }

    fn release(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.0.release(context, event);
    }

    fn cancel(&mut self, context: &mut Context<'_>) {
        self.0.cancel(context);
    }

    fn hover(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.0.hover(event, &context.settings.colour_brush);
    }

    fn overlay(&self) -> Overlay {
        self.0.overlay()
    }
}
