//! Scales, turns, flips and moves the active layer by the handles of its box.
//!
//! Each drag is one step of the history, yet the layer is always made from the pixels that the first of them found:
//! ten drags blur no more than one. When the layer changes in any other way (undoing included), the box starts anew.

use super::easel::Stamp;
use super::handles::{HANDLES, Handle, REACH, hit};
use super::{Context, Ghost, Overlay, PointerEvent, Source, Tool};
use crate::base::IntRect;
use crate::imaging::Pixmap;
use crate::imaging::warp::{Placement, placed};

/// Beside a corner, this far outside the box, the pointer turns it; in screen pixels.
const TURN_REACH: f64 = 32.0;
/// Shift turns by steps of this, in degrees.
const TURN_STEP: f64 = 15.0;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Grip {
    Inside,
    Side(Handle),
    Turn,
}

#[derive(Default)]
pub struct Transform {
    session: Option<Session>,
    gesture: Option<Gesture>,
}

/// The layer as it was found.
struct Session {
    pixels: Pixmap,
    bounds: IntRect,
    placement: Placement,
    /// The layer's stamp when this tool last saw it.
    stamp: Stamp,
}

struct Gesture {
    grip: Grip,
    from: (f64, f64),
    before: Placement,
}

impl Transform {
    /// Finds the layer's box, unless it is still the one this tool left.
    fn look(&mut self, context: &Context<'_>) {
        let stamp = context.easel.layer_stamp();
        if self.session.as_ref().is_some_and(|session| session.stamp == stamp) {
            return;
        }
        let bounds = context.easel.layer().and_then(|_| context.easel.layer_bounds());
        self.session = bounds.map(|bounds| Session {
            pixels: context.easel.read(Source::Layer, bounds),
            bounds,
            placement: Placement::of(bounds),
            stamp,
        });
    }
}

/// Mirrors the active layer left and right, or top and bottom, as one step.
pub fn flip_layer(context: &mut Context<'_>, upside_down: bool) {
    let mut tool = Transform::default();
    if context.open_layer().is_none() {
        return;
    }
    tool.look(context);
    if let Some(session) = &mut tool.session {
        let half = &mut session.placement.half;
        if upside_down {
            half.1 = -half.1;
        } else {
            half.0 = -half.0;
        }
        session.apply(context);
    }
}

impl Session {
    /// Puts the layer where it is placed, as one step.
    fn apply(&mut self, context: &mut Context<'_>) {
        let Some((x, y, pixels)) = placed(&self.pixels, &self.placement) else {
            return;
        };
        context.easel.begin("edit-transform");
        context.easel.replace_layer(x, y, &pixels);
        context.easel.commit();
        self.stamp = context.easel.layer_stamp();
    }
}

impl Gesture {
    fn placement(&self, event: PointerEvent) -> Placement {
        let before = self.before;
        match self.grip {
            Grip::Inside => {
                let (mut across, mut down) = ((event.x - self.from.0).round(), (event.y - self.from.1).round());
                if event.modifiers.shift {
                    if across.abs() >= down.abs() { down = 0.0 } else { across = 0.0 }
                }
                Placement { centre: (before.centre.0 + across, before.centre.1 + down), ..before }
            }
            Grip::Turn => {
                let angle = |p: (f64, f64)| (p.1 - before.centre.1).atan2(p.0 - before.centre.0).to_degrees();
                let mut degrees = before.degrees + angle(event.at()) - angle(self.from);
                if event.modifiers.shift {
                    degrees = (degrees / TURN_STEP).round() * TURN_STEP;
                }
                Placement { degrees: degrees.rem_euclid(360.0), ..before }
            }
            Grip::Side(handle) => scaled(before, handle, self.from, event),
        }
    }
}

/// A handle is dragged: the opposite one stays (with Alt: the centre), a corner keeps the proportions with Shift.
fn scaled(before: Placement, handle: Handle, from: (f64, f64), event: PointerEvent) -> Placement {
    let (start, now) = (before.inward(from), before.inward(event.at()));
    let share = if event.modifiers.alt { 1.0 } else { 0.5 };
    let grown = |half: f64, sign: i8, by: f64| half + f64::from(sign) * by * share * half.signum();
    // Handles are named by the box as seen, which a flip does not turn round.
    let (wide, high) = (before.half.0.abs(), before.half.1.abs());
    let mut half = (grown(wide, handle.across, now.0 - start.0), grown(high, handle.down, now.1 - start.1));
    if event.modifiers.shift && handle.is_corner() {
        let factor = (half.0 / wide.max(0.5)).abs().max((half.1 / high.max(0.5)).abs());
        half = ((wide * factor).copysign(half.0), (high * factor).copysign(half.1));
    }
    // A side of at least a pixel; dragged through its opposite, it is mirrored.
    let at_least = |half: f64| half.abs().max(0.5).copysign(half);
    half = (at_least(half.0), at_least(half.1));
    let moved = if event.modifiers.alt {
        (0.0, 0.0)
    } else {
        (f64::from(handle.across) * (half.0 - wide), f64::from(handle.down) * (half.1 - high))
    };
    Placement {
        centre: before.outward(moved),
        half: (half.0 * before.half.0.signum(), half.1 * before.half.1.signum()),
        ..before
    }
}

impl Tool for Transform {
    fn press(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.cancel(context);
        self.look(context);
        if context.open_layer().is_none() {
            return;
        }
        let Some(session) = &self.session else {
            return;
        };
        let before = session.placement;
        let (point, half) = (before.inward(event.at()), (before.half.0.abs(), before.half.1.abs()));
        let grip = if let Some(handle) = hit(point, half, context.screen(REACH)) {
            Grip::Side(handle)
        } else if point.0.abs() <= half.0 && point.1.abs() <= half.1 {
            Grip::Inside
        } else if hit(point, half, context.screen(TURN_REACH)).is_some_and(Handle::is_corner) {
            Grip::Turn
        } else {
            return;
        };
        self.gesture = Some(Gesture { grip, from: event.at(), before });
    }

    fn drag(&mut self, _: &mut Context<'_>, event: PointerEvent) {
        if let (Some(gesture), Some(session)) = (&self.gesture, &mut self.session) {
            session.placement = gesture.placement(event);
        }
    }

    fn release(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        self.drag(context, event);
        if let (Some(gesture), Some(session)) = (self.gesture.take(), &mut self.session)
            && gesture.before != session.placement
        {
            session.apply(context);
        }
    }

    fn cancel(&mut self, _: &mut Context<'_>) {
        if let (Some(gesture), Some(session)) = (self.gesture.take(), &mut self.session) {
            session.placement = gesture.before;
        }
    }

    fn hover(&mut self, context: &mut Context<'_>, _: PointerEvent) {
        if self.gesture.is_none() {
            self.look(context);
        }
    }

    fn overlay(&self) -> Overlay {
        let Some(session) = &self.session else {
            return Overlay::default();
        };
        let placement = session.placement;
        let places = HANDLES.map(|handle| placement.outward(handle.place(placement.half)));
        let [a, b, c, d, ..] = places;
        let ghost = self.gesture.is_some().then(|| {
            let (low, high) = (session.bounds, (session.bounds.right() as f64, session.bounds.bottom() as f64));
            Ghost { from: [(f64::from(low.x), f64::from(low.y)), high], to: [a, b, c, d] }
        });
        Overlay { handles: places.to_vec(), ghost, ..Overlay::outline(vec![a, b, c, d], false) }
    }
}
