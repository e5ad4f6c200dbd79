//! What the selection tools have in common: how a new area joins the selection, and dragging a box.

use super::easel::whole;
use super::{Context, Modifiers, Overlay, PointerEvent, Tool};
use crate::base::IntRect;
use crate::imaging::Mask;
use crate::imaging::shapes::Figure;

/// A drag shorter than this, in screen pixels, is a click.
pub const CLICK: f64 = 3.0;

/// How an area joins the selection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    #[default]
    Replace,
    Add,
    Subtract,
    Intersect,
}

impl Join {
    /// By the keys held when a gesture begins.
    pub fn by(modifiers: Modifiers) -> Self {
        match (modifiers.shift, modifiers.alt) {
            (false, false) => Self::Replace,
            (true, false) => Self::Add,
            (false, true) => Self::Subtract,
            (true, true) => Self::Intersect,
        }
    }
}

/// Joins a mask of the canvas's size with the selection, as one step. Without a selection everything is selected
/// already: adding then replaces. If nothing remains, nothing is selected.
pub fn select(context: &mut Context<'_>, new: Mask, join: Join) {
    let area = whole(context.easel);
    let old = context.easel.read_selection(area);
    let (mut result, old) = match (join, old) {
        (Join::Replace, _) | (Join::Add | Join::Intersect, None) => (new, None),
        (Join::Subtract, None) => (new, Mask::from_bytes(area.extent(), vec![255; area.extent().area() as usize])),
        (_, old) => (new, old),
    };
    if let Some(old) = old {
        for (new, &old) in result.bytes_mut().iter_mut().zip(old.bytes()) {
            *new = match join {
                Join::Replace => *new,
                Join::Add => old.max(*new),
                Join::Subtract => old.min(255 - *new),
                Join::Intersect => old.min(*new),
            };
        }
    }
    context.easel.begin("edit-select");
    context.easel.select(Some(result).filter(|mask| !mask.is_empty()));
    context.easel.commit();
}

/// As [`select`], with a figure; none is an empty one.
pub fn select_figure(context: &mut Context<'_>, figure: Option<Figure>, join: Join) {
    let area = whole(context.easel);
    let mut mask = Mask::new(area.extent());
    if let Some(figure) = figure {
        let (stride, width) = (area.width as usize, figure.bounds.width as usize);
        let rows = figure.coverage.bytes().chunks_exact(width.max(1)).zip(figure.bounds.y..);
        for (row, y) in rows.filter(|(_, y)| *y >= 0) {
            let from = y as usize * stride + figure.bounds.x.max(0) as usize;
            if let Some(place) = mask.bytes_mut().get_mut(from..from + width) {
                place.copy_from_slice(row);
            }
        }
    }
    select(context, mask, join);
}

/// Selects nothing, as one step.
pub fn deselect(context: &mut Context<'_>) {
    context.easel.begin("edit-deselect");
    context.easel.select(None);
    context.easel.commit();
}

/// True if the pointer went nowhere.
pub fn is_click(context: &Context<'_>, from: (f64, f64), to: (f64, f64)) -> bool {
    let least = context.screen(CLICK);
    (to.0 - from.0).abs() < least && (to.1 - from.1).abs() < least
}

/// A figure in the box between two corners.
type Shape = fn((f64, f64), (f64, f64), IntRect) -> Option<Figure>;

/// The line round it that is shown meanwhile.
type Outline = fn((f64, f64), (f64, f64)) -> Vec<(f64, f64)>;

/// A tool that drags a box and selects a figure in it.
pub struct BoxSelect {
    shape: Shape,
    outline: Outline,
    gesture: Option<Gesture>,
}

struct Gesture {
    from: (f64, f64),
    to: (f64, f64),
    join: Join,
    /// Shift was up since the gesture began: pressed now, it makes a square.
    shift_free: bool,
}

impl BoxSelect {
    pub fn new(shape: Shape, outline: Outline) -> Self {
        Self { shape, outline, gesture: None }
    }
}

impl Gesture {
    fn go_on(&mut self, event: PointerEvent) {
        self.shift_free |= !event.modifiers.shift;
        self.to = event.at();
        if self.shift_free && event.modifiers.shift {
            let (across, down) = (self.to.0 - self.from.0, self.to.1 - self.from.1);
            let side = across.abs().max(down.abs());
            self.to = (self.from.0 + side.copysign(across), self.from.1 + side.copysign(down));
        }
    }

    /// Corners on whole pixels, as a box of pixels has.
    fn corners(&self) -> ((f64, f64), (f64, f64)) {
        let whole = |p: (f64, f64)| (p.0.round(), p.1.round());
        (whole(self.from), whole(self.to))
    }
}

impl Tool for BoxSelect {
    fn press(&mut self, _: &mut Context<'_>, event: PointerEvent) {
        let (at, join) = (event.at(), Join::by(event.modifiers));
        self.gesture = Some(Gesture { from: at, to: at, join, shift_free: !event.modifiers.shift });
    }

    fn drag(&mut self, _: &mut Context<'_>, event: PointerEvent) {
        if let Some(gesture) = &mut self.gesture {
            gesture.go_on(event);
        }
    }

    fn release(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        let Some(mut gesture) = self.gesture.take() else {
            return;
        };
        gesture.go_on(event);
        if is_click(context, gesture.from, event.at()) {
            if gesture.join == Join::Replace {
                deselect(context);
            }
            return;
        }
        let (from, to) = gesture.corners();
        let figure = (self.shape)(from, to, whole(context.easel));
        select_figure(context, figure, gesture.join);
    }

    fn cancel(&mut self, _: &mut Context<'_>) {
        self.gesture = None;
    }

    fn hover(&mut self, _: &mut Context<'_>, _: PointerEvent) {}

    fn overlay(&self) -> Overlay {
        let Some(gesture) = &self.gesture else {
            return Overlay::default();
        };
        let (from, to) = gesture.corners();
        Overlay::outline((self.outline)(from, to), true)
    }
}
