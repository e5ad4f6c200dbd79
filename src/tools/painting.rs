//! A stroke on its way into the document: what brush and eraser have in common.

use super::easel::whole;
use super::{Circle, Context, Easel, Overlay, PointerEvent, Source};
use crate::base::{Extent, IntRect};
use crate::canvas::coverage::{SIDE, erased, over, share, times, toward};
use crate::canvas::dab::FULL;
use crate::canvas::{Brush, Coverage, Dab, Sample, Stroke};
use crate::imaging::{Mask, Pixmap};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What a stroke does to what it covers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mark {
    Colour {
        colour: [u8; 4],
        alpha_lock: bool,
    },
    Erase,
    /// The mask goes to this value.
    Mask(u8),
}

/// A square as it was before the stroke, and the selection there.
enum Before {
    Pixels(Pixmap, Option<Mask>),
    Mask(Mask, Option<Mask>),
}

/// One stroke: dabs go into a coverage of their own, and wherever it grows the document becomes what it was before
/// the stroke with the whole coverage laid over it.
pub struct Painting {
    stroke: Stroke,
    coverage: Coverage,
    mark: Mark,
    before: BTreeMap<(i32, i32), Before>,
    dabs: Vec<Dab>,
    last: Sample,
}

impl Painting {
    /// Opens a transaction of this name and makes the first dab.
    pub fn begin(easel: &mut dyn Easel, name: &'static str, brush: Brush, mark: Mark, first: Sample) -> Self {
        easel.begin(name);
        let mut painting = Self {
            stroke: Stroke::new(brush),
            coverage: Coverage::new(whole(easel)),
            mark,
            before: BTreeMap::new(),
            dabs: Vec::new(),
            last: first,
        };
        painting.go_on(easel, first);
        painting
    }

    pub fn go_on(&mut self, easel: &mut dyn Easel, sample: Sample) {
        self.last = sample;
        self.stroke.push(sample, &mut self.dabs);
        self.lay(easel);
    }

    /// Draws to the last sample and closes the transaction; gives where the stroke ended.
    pub fn finish(mut self, easel: &mut dyn Easel) -> Sample {
        self.stroke.finish(&mut self.dabs);
        self.lay(easel);
        easel.commit();
        self.last
    }

    /// Lays the waiting dabs.
    fn lay(&mut self, easel: &mut dyn Easel) {
        let mut changed: BTreeMap<(i32, i32), IntRect> = BTreeMap::new();
        for area in self.dabs.drain(..).filter_map(|dab| self.coverage.add(&dab)) {
            for (tile, part) in squares(area) {
                let whole = changed.entry(tile).or_insert(part);
                *whole = united(*whole, part);
            }
        }
        for (tile, part) in changed {
            self.renew(easel, tile, part);
        }
    }

    /// Makes the document anew within `part` of a square.
    fn renew(&mut self, easel: &mut dyn Easel, tile: (i32, i32), part: IntRect) {
        let square = IntRect::new(tile.0 * SIDE, tile.1 * SIDE, SIDE as u32, SIDE as u32);
        let before: &Before = match self.before.entry(tile) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let selection = easel.read_selection(square);
                entry.insert(match self.mark {
                    Mark::Mask(_) => Before::Mask(easel.read_mask(square), selection),
                    _ => Before::Pixels(easel.read(Source::Layer, square), selection),
                })
            }
        };
        let opacity = share(self.stroke.brush().opacity);
        let (Before::Pixels(_, selection) | Before::Mask(_, selection)) = before;
        let shares = Shares { coverage: &self.coverage, selection: selection.as_ref(), square, part, opacity };
        match (before, self.mark) {
            (Before::Pixels(before, _), mark) => {
                let mut pixels = cut(before.rgba(), 4, square, part);
                shares.each(|at, share| {
                    if let Some(pixel) = pixels.get_mut(at * 4..).and_then(|rest| rest.first_chunk_mut::<4>()) {
                        *pixel = match mark {
                            Mark::Colour { colour, alpha_lock } => over(*pixel, colour, share, alpha_lock),
                            Mark::Erase | Mark::Mask(_) => erased(*pixel, share),
                        };
                    }
                });
                if let Some(pixels) = Pixmap::from_rgba(part.extent(), pixels) {
                    easel.write(part.x, part.y, &pixels);
                }
            }
            (Before::Mask(before, _), mark) => {
                let goal = if let Mark::Mask(goal) = mark { goal } else { 0 };
                let mut bytes = cut(before.bytes(), 1, square, part);
                shares.each(|at, share| {
                    if let Some(value) = bytes.get_mut(at) {
                        *value = toward(*value, goal, share);
                    }
                });
                if let Some(mask) = Mask::from_bytes(part.extent(), bytes) {
                    easel.write_mask(part.x, part.y, &mask);
                }
            }
        }
    }
}

/// By how much each pixel of a part of a square changes.
struct Shares<'a> {
    coverage: &'a Coverage,
    selection: Option<&'a Mask>,
    square: IntRect,
    part: IntRect,
    opacity: u16,
}

impl Shares<'_> {
    /// Calls `change` with the index within the part and the share, where it is more than nothing.
    fn each(&self, mut change: impl FnMut(usize, u16)) {
        let (part, width) = (self.part, self.part.width as usize);
        for (down, y) in (part.y..).take(part.height as usize).enumerate() {
            let covered = self.coverage.row(part.x, y).unwrap_or_default();
            let from = ((y - self.square.y) * SIDE + part.x - self.square.x) as usize;
            let selected = self.selection.map(|mask| mask.bytes().get(from..).unwrap_or_default());
            for (across, &coverage) in covered.iter().take(width).enumerate().filter(|(_, value)| **value > 0) {
                let chosen = selected.map_or(FULL, |row| row.get(across).map_or(0, |v| u16::from(*v) * 257));
                let share = times(times(coverage, self.opacity), chosen);
                if share > 0 {
                    change(down * width + across, share);
                }
            }
        }
    }
}

/// The bytes of a part of a square.
fn cut(bytes: &[u8], channels: usize, square: IntRect, part: IntRect) -> Vec<u8> {
    let width = part.width as usize * channels;
    let rows = (part.y - square.y..).take(part.height as usize).flat_map(|y| {
        let from = (y * SIDE + part.x - square.x) as usize * channels;
        bytes.get(from..from + width).unwrap_or_default()
    });
    rows.copied().collect()
}

/// The squares that an area touches, with its part in each.
pub fn squares(area: IntRect) -> impl Iterator<Item = ((i32, i32), IntRect)> {
    let range = |from: i32, end: i64| from.div_euclid(SIDE)..=(end - 1).div_euclid(i64::from(SIDE)) as i32;
    let (across, down) = (range(area.x, area.right()), range(area.y, area.bottom()));
    down.flat_map(move |y| across.clone().map(move |x| (x, y))).filter_map(move |(x, y)| {
        let square = IntRect::new(x * SIDE, y * SIDE, SIDE as u32, SIDE as u32);
        Some(((x, y), area.intersect(square)?))
    })
}

/// The smallest rectangle round both.
pub fn united(a: IntRect, b: IntRect) -> IntRect {
    let (x, y) = (a.x.min(b.x), a.y.min(b.y));
    let extent = Extent {
        width: (a.right().max(b.right()) - i64::from(x)) as u32,
        height: (a.bottom().max(b.bottom()) - i64::from(y)) as u32,
    };
    IntRect::new(x, y, extent.width, extent.height)
}

/// What every tool that draws strokes remembers.
#[derive(Default)]
pub struct Hand {
    painting: Option<Painting>,
    /// Where the last stroke ended: Shift draws a straight line from there.
    last: Option<Sample>,
    circle: Option<Circle>,
}

impl Hand {
    /// Begins a stroke.
    pub fn press(
        &mut self,
        context: &mut Context<'_>,
        event: PointerEvent,
        name: &'static str,
        brush: Brush,
        mark: Mark,
    ) {
        self.cancel(context);
        self.hover(event, &brush);
        let from = self.last.filter(|_| event.modifiers.shift);
        let first = from.map_or(event.sample(), |last| Sample { pressure: event.pressure, time: event.time, ..last });
        let mut painting = Painting::begin(context.easel, name, brush, mark, first);
        if from.is_some() {
            painting.go_on(context.easel, event.sample());
        }
        self.painting = Some(painting);
    }

    pub fn drag(&mut self, context: &mut Context<'_>, event: PointerEvent, brush: &Brush) {
        self.hover(event, brush);
        if let Some(painting) = &mut self.painting {
            painting.go_on(context.easel, event.sample());
        }
    }

    pub fn release(&mut self, context: &mut Context<'_>, event: PointerEvent) {
        if let Some(mut painting) = self.painting.take() {
            // A pen that is lifted has no pressure: the place counts, the pressure is the last one.
            let sample = Sample { pressure: painting.last.pressure, ..event.sample() };
            if event.at() != (painting.last.x, painting.last.y) {
                painting.go_on(context.easel, sample);
            }
            self.last = Some(painting.finish(context.easel));
        }
    }

    pub fn cancel(&mut self, context: &mut Context<'_>) {
        if self.painting.take().is_some() {
            context.easel.rollback();
        }
    }

    pub fn hover(&mut self, event: PointerEvent, brush: &Brush) {
        let radius = f64::from(brush.clamped().diameter) / 2.0;
        self.circle = Some(Circle { x: event.x, y: event.y, radius });
    }

    pub fn overlay(&self) -> Overlay {
        Overlay { circle: self.circle, ..Overlay::default() }
    }
}
