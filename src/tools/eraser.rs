//! Takes pixels from the active layer, or from the mask.

use super::painting::{Hand, Mark};
use super::{Context, Effect, Overlay, PointerEvent, Target, Tool};

#[derive(Default)]
pub struct Eraser(Hand);

impl Tool for Eraser {
    fn press(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        let (name, mark) = match context.settings.eraser_target {
            Target::Mask => ("edit-erase-mask", Mark::Mask(0)),
            Target::Layer => match context.open_layer() {
                None => return,
                Some(layer) if layer.alpha_locked => {
                    return context.effects.push(Effect::Hint("tool-hint-alpha-locked"));
                }
                Some(_) => ("edit-erase", Mark::Erase),
            },
        };
        self.0.press(context, event, name, context.settings.eraser, mark);
    }

    fn drag(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.0.drag(context, event, &context.settings.eraser);
    }

    fn release(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.0.release(context, event);
    }

    fn cancel(&mut self, context: &mut Context<'_>) {
        self.0.cancel(context);
    }

    fn hover(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.0.hover(event, &context.settings.eraser);
    }

    fn overlay(&self) -> Overlay {
        self.0.overlay()
    }
}
