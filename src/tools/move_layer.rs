//! Moves the active layer by whole pixels; with Shift along one axis.

use super::{Context, Overlay, PointerEvent, Tool};

#[derive(Default)]
pub struct MoveLayer {
    /// Where the gesture began, and how far the layer has gone.
    gesture: Option<((f64, f64), (i32, i32))>,
}

impl Tool for MoveLayer {
    fn press(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.cancel(context);
        if context.open_layer().is_some() {
            context.easel.begin("edit-move");
            self.gesture = Some((event.at(), (0, 0)));
        }
    }

    fn drag(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        let Some((from, gone)) = &mut self.gesture else {
            return;
        };
        let (mut across, mut down) = ((event.x - from.0).round(), (event.y - from.1).round());
        if event.modifiers.shift {
            if across.abs() >= down.abs() { down = 0.0 } else { across = 0.0 }
        }
        let by = (across as i32, down as i32);
        if by != *gone {
            *gone = by;
            context.easel.shift_layer(by);
        }
    }

    fn release(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.drag(context, event);
        if self.gesture.take().is_some() {
            context.easel.commit();
        }
    }

    fn cancel(&mut self, context: &mut Context<'_>) {
        if self.gesture.take().is_some() {
            context.easel.rollback();
        }
    }

    fn hover(&mut self, _: &mut Context<'_>, _: PointerEvent) {}

    fn overlay(&self) -> Overlay {
        Overlay::default()
    }
}
