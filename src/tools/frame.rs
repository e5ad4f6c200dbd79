//! The frame that generation works in: dragged by its inside, sized by its handles, drawn anew outside of it.

use super::handles::{HANDLES, Handle, REACH, hit};
use super::{Context, Overlay, PointerEvent, Tool};
use crate::base::IntRect;

/// Sides of the frame are multiples of this, in pixels: what image models work in.
pub const STEP: u32 = 8;
/// The shortest and the longest side.
pub const LEAST: u32 = 64;
pub const MOST: u32 = 2048;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Grip {
    Inside,
    Side(Handle),
    Outside,
}

#[derive(Default)]
pub struct FrameTool {
    gesture: Option<Gesture>,
    /// The frame as last seen, for the overlay.
    shown: Option<IntRect>,
}

struct Gesture {
    grip: Grip,
    from: (f64, f64),
    before: IntRect,
    open: bool,
}

/// A side within its bounds and a multiple of [`STEP`], the nearest to `length`.
fn side(length: f64) -> u32 {
    let steps = (length / f64::from(STEP)).round() * f64::from(STEP);
    steps.clamp(f64::from(LEAST), f64::from(MOST)) as u32
}

/// Where the low end lies, and the side, when one end of a stretch is dragged: `sign` 1 the high, -1 the low, 0 none.
fn stretched(low: i32, length: u32, sign: i8, by: f64) -> (i32, u32) {
    match sign {
        0 => (low, length),
        1.. => (low, side(f64::from(length) + by)),
        _ => {
            let longer = side(f64::from(length) - by);
            (low.saturating_add_unsigned(length).saturating_sub_unsigned(longer), longer)
        }
    }
}

impl Gesture {
    fn frame(&self, event: PointerEvent) -> IntRect {
        let by = (event.x - self.from.0, event.y - self.from.1);
        let before = self.before;
        match self.grip {
            Grip::Inside => {
                let moved = |at: i32, by: f64| at.saturating_add(by.round() as i32);
                IntRect { x: moved(before.x, by.0), y: moved(before.y, by.1), ..before }
            }
            Grip::Side(handle) => {
                let (x, width) = stretched(before.x, before.width, handle.across, by.0);
                let (y, height) = stretched(before.y, before.height, handle.down, by.1);
                if event.modifiers.shift && handle.is_corner() {
                    return squared(IntRect { x, y, width, height }, before, handle);
                }
                IntRect { x, y, width, height }
            }
            Grip::Outside => {
                let (mut width, mut height) = (side(by.0.abs()), side(by.1.abs()));
                if event.modifiers.shift {
                    (width, height) = (width.max(height), width.max(height));
                }
                let low = |from: f64, by: f64, length: u32| {
                    let from = from.round() as i32;
                    if by < 0.0 { from.saturating_sub_unsigned(length) } else { from }
                };
                IntRect::new(low(self.from.0, by.0, width), low(self.from.1, by.1, height), width, height)
            }
        }
    }
}

/// The frame made square, with the corner opposite to the handle where it was.
fn squared(frame: IntRect, before: IntRect, handle: Handle) -> IntRect {
    let side = frame.width.max(frame.height);
    let low = |low: i32, length: u32, sign: i8| {
        if sign < 0 { low.saturating_add_unsigned(length).saturating_sub_unsigned(side) } else { low }
    };
    let (x, y) = (low(before.x, before.width, handle.across), low(before.y, before.height, handle.down));
    IntRect::new(x, y, side, side)
}

fn halves(frame: IntRect) -> ((f64, f64), (f64, f64)) {
    let half = (f64::from(frame.width) / 2.0, f64::from(frame.height) / 2.0);
    ((f64::from(frame.x) + half.0, f64::from(frame.y) + half.1), half)
}

impl Tool for FrameTool {
    fn press(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.cancel(context);
        let before = context.easel.frame();
        let (centre, half) = halves(before);
        let point = (event.x - centre.0, event.y - centre.1);
        let grip = match hit(point, half, context.screen(REACH)) {
            Some(handle) => Grip::Side(handle),
            None if point.0.abs() < half.0 && point.1.abs() < half.1 => Grip::Inside,
            None => Grip::Outside,
        };
        self.gesture = Some(Gesture { grip, from: event.at(), before, open: false });
        self.shown = Some(before);
    }

    fn drag(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        let Some(gesture) = &mut self.gesture else {
            return;
        };
        // A new frame is begun only by a real drag, lest a stray click throw the old one away.
        if !gesture.open && super::selecting::is_click(context, gesture.from, event.at()) {
            return;
        }
        if !gesture.open {
            context.easel.begin("edit-frame");
            gesture.open = true;
        }
        let frame = gesture.frame(event);
        context.easel.set_frame(frame);
        self.shown = Some(frame);
    }

    fn release(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.drag(context, event);
        if self.gesture.take().is_some_and(|gesture| gesture.open) {
            context.easel.commit();
        }
    }

    fn cancel(&mut self, context: &mut Context<'_>) {
        if self.gesture.take().is_some_and(|gesture| gesture.open) {
            context.easel.rollback();
        }
        self.shown = Some(context.easel.frame());
    }

    fn hover(&mut self, context: &mut Context<'_>, _: PointerEvent) {
        self.shown = Some(context.easel.frame());
    }

    fn overlay(&self) -> Overlay {
        let Some(frame) = self.shown else {
            return Overlay::default();
        };
        let (centre, half) = halves(frame);
        let at = |handle: &Handle| {
            let place = handle.place(half);
            (centre.0 + place.0, centre.1 + place.1)
        };
        let (corners, _) = HANDLES.split_at(4);
        Overlay {
            handles: HANDLES.iter().map(at).collect(),
            ..Overlay::outline(corners.iter().map(at).collect(), false)
        }
    }
}
