//! Paints the mask: what is to be repainted. With Alt it takes away.

use super::painting::{Hand, Mark};
use super::{Context, Overlay, PointerEvent, Tool};

#[derive(Default)]
pub struct MaskBrush(Hand);

impl Tool for MaskBrush {
    fn press(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        let (name, goal) = if event.modifiers.alt { ("edit-erase-mask", 0) } else { ("edit-paint-mask", 255) };
        self.0.press(context, event, name, context.settings.mask_brush, Mark::Mask(goal));
    }

    fn drag(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.0.drag(context, event, &context.settings.mask_brush);
    }

    fn release(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.0.release(context, event);
    }

    fn cancel(&mut self, context: &mut Context<'_>) {
        self.0.cancel(context);
    }

    fn hover(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.0.hover(event, &context.settings.mask_brush);
    }

    fn overlay(&self) -> Overlay {
        self.0.overlay()
    }
}
