//! A click enlarges, with Alt it makes smaller; dragging to the right or left does so smoothly.

use super::selecting::CLICK;
use super::{Context, Effect, Overlay, PointerEvent, Tool};

/// Of one click.
const STEP: f64 = 1.5;
/// Screen pixels of dragging that do as much as a click.
const DRAG: f64 = 60.0;

#[derive(Default)]
pub struct Zoom {
    gesture: Option<Gesture>,
}

struct Gesture {
    at: (f64, f64),
    /// Screen pixels from `at` to the right, at the last event.
    gone: f64,
    dragged: bool,
}

impl Tool for Zoom {
    fn press(&mut self, _: &mut Context<'_>, event: PointerEvent) {
        self.gesture = Some(Gesture { at: event.at(), gone: 0.0, dragged: false });
    }

    fn drag(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        let Some(gesture) = &mut self.gesture else {
            return;
        };
        // The point stays where it is on the screen, so screen distances from it hold while the scale changes.
        let gone = (event.x - gesture.at.0) * context.scale;
        gesture.dragged |= gone.abs() >= CLICK;
        if gesture.dragged && gone != gesture.gone {
            let factor = STEP.powf((gone - gesture.gone) / DRAG);
            gesture.gone = gone;
            context.effects.push(Effect::Zoom { at: gesture.at, factor });
        }
    }

    fn release(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.drag(context, event);
        if let Some(gesture) = self.gesture.take().filter(|gesture| !gesture.dragged) {
            let factor = if event.modifiers.alt { 1.0 / STEP } else { STEP };
            context.effects.push(Effect::Zoom { at: gesture.at, factor });
        }
    }

    fn cancel(&mut self, _: &mut Context<'_>) {
        self.gesture = None;
    }

    fn hover(&mut self, _: &mut Context<'_>, _: PointerEvent) {}

    fn overlay(&self) -> Overlay {
        Overlay::default()
    }
}
