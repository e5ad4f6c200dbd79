//! The caret blinks only while somebody writes: a window that nobody touches is not drawn again and again.

use egui::Context;
use std::time::Duration;

/// How long it blinks after the last event, in seconds.
const BLINKS: f64 = 5.0;

/// See the module.
#[derive(Debug, Default)]
pub struct Caret {
    /// When something came in last, in seconds of egui's clock.
    touched: f64,
    still: bool,
}

impl Caret {
    /// Call it in every frame.
    pub fn look(&mut self, ctx: &Context) {
        let (now, touched) = ctx.input(|input| (input.time, !input.raw.events.is_empty()));
        if touched {
            self.touched = now;
        }
        let rested = now - self.touched;
        let still = rested >= BLINKS;
        if still != self.still {
            self.still = still;
            ctx.all_styles_mut(|style| style.visuals.text_cursor.blink = !still);
        }
        if !still && ctx.text_edit_focused() {
            ctx.request_repaint_after(Duration::from_secs_f64(BLINKS - rested));
        }
    }
}
