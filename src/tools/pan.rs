//! Moves the canvas under the window.

use super::{Context, Effect, Overlay, PointerEvent, Tool};

#[derive(Default)]
pub struct Pan {
    /// The canvas point that the hand holds; panning keeps it under the pointer.
    held: Option<(f64, f64)>,
}

impl Tool for Pan {
    fn press(&mut self, _: &mut Context<'_>, event: PointerEvent) {
        self.held = Some(event.at());
    }

    fn drag(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        if let Some(held) = self.held.filter(|held| *held != event.at()) {
            context.effects.push(Effect::Pan { by: (event.x - held.0, event.y - held.1) });
        }
    }

    fn release(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.drag(context, event);
        self.held = None;
    }

    fn cancel(&mut self, _: &mut Context<'_>) {
        self.held = None;
    }

    fn hover(&mut self, _: &mut Context<'_>, _: PointerEvent) {}

    fn overlay(&self) -> Overlay {
        Overlay::default()
    }
}
