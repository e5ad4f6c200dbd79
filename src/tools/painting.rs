//! A stroke on its way into the document: what brush and eraser have in common.

use super::easel::whole;
use super::{Circle, Context, Easel, Overlay, PointerEvent, Source};
use crate::base::{Extent, IntRect};
use crate::canvas::coverage::{MANY_TILES, SIDE, erased, over, over_row, share, times, toward};
use crate::canvas::hands::share as share_out;
use crate::canvas::{Brush, Coverage, Dab, Sample, Stroke};
use crate::imaging::{Mask, Pixmap};
use pulp::{Arch, NullaryFnOnce};
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
        for tile in changed.keys() {
            self.remember(easel, *tile);
        }
        let parts: Vec<_> = changed.into_iter().collect();
        let made = share_out(parts, MANY_TILES, |(tile, part)| self.renewed(tile, part));
        let mut pieces = Vec::new();
        for renewed in made.into_iter().flatten() {
            match renewed {
                Renewed::Pixels(part, pixels) => pieces.push((part, pixels)),
                Renewed::Mask(part, mask) => easel.write_mask(part.x, part.y, &mask),
            }
        }
        easel.write_pieces(pieces);
    }

    /// Takes down what a square is before the stroke changes it.
    fn remember(&mut self, easel: &dyn Easel, tile: (i32, i32)) {
        if let Entry::Vacant(entry) = self.before.entry(tile) {
            let square = square(tile);
            let selection = easel.read_selection(square);
            entry.insert(match self.mark {
                Mark::Mask(_) => Before::Mask(easel.read_mask(square), selection),
                _ => Before::Pixels(easel.read(Source::Layer, square), selection),
            });
        }
    }

    /// The document anew within `part` of a square.
    fn renewed(&self, tile: (i32, i32), part: IntRect) -> Option<Renewed> {
        let square = square(tile);
        let before = self.before.get(&tile)?;
        let opacity = share(self.stroke.brush().opacity);
        let (Before::Pixels(_, selection) | Before::Mask(_, selection)) = before;
        let shares = Shares { coverage: &self.coverage, selection: selection.as_ref(), square, part, opacity };
        match (before, self.mark) {
            (Before::Pixels(before, _), mark) => {
                let mut pixels = cut(before.rgba(), 4, square, part);
                let rows = pixels.as_chunks_mut().0;
                Arch::new().dispatch(Marked { shares, mark, rows });
                Some(Renewed::Pixels(part, Pixmap::from_rgba(part.extent(), pixels)?))
            }
            (Before::Mask(before, _), mark) => {
                let goal = if let Mark::Mask(goal) = mark { goal } else { 0 };
                let mut bytes = cut(before.bytes(), 1, square, part);
                Arch::new().dispatch(Masked { shares, goal, bytes: &mut bytes });
                Some(Renewed::Mask(part, Mask::from_bytes(part.extent(), bytes)?))
            }
        }
    }
}

/// Colour laid over rows of pixels, or taken away. A type of its own is compiled for the processor that is found; a closure
/// would not be.
struct Marked<'a> {
    shares: Shares<'a>,
    mark: Mark,
    rows: &'a mut [[u8; 4]],
}

impl NullaryFnOnce for Marked<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { shares, mark, rows } = self;
        for (row, y) in rows.chunks_exact_mut(shares.part.width as usize).zip(shares.part.y..) {
            let mut buffer = [0; SIDE as usize];
            let shares = shares.row(y, &mut buffer);
            match mark {
                Mark::Colour { colour, alpha_lock: false } => over_row(row, colour, shares),
                Mark::Colour { colour, alpha_lock: true } => {
                    row.iter_mut().zip(shares).for_each(|(pixel, share)| *pixel = over(*pixel, colour, *share, true));
                }
                Mark::Erase | Mark::Mask(_) => {
                    let covered = row.iter_mut().zip(shares).filter(|(_, share)| **share > 0);
                    covered.for_each(|(pixel, share)| *pixel = erased(*pixel, *share));
                }
            }
        }
    }
}

/// As [`Marked`], for the mask.
struct Masked<'a> {
    shares: Shares<'a>,
    goal: u8,
    bytes: &'a mut [u8],
}

impl NullaryFnOnce for Masked<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { shares, goal, bytes } = self;
        for (row, y) in bytes.chunks_exact_mut(shares.part.width as usize).zip(shares.part.y..) {
            let mut buffer = [0; SIDE as usize];
            let shares = shares.row(y, &mut buffer);
            row.iter_mut().zip(shares).for_each(|(value, share)| *value = toward(*value, goal, *share));
        }
    }
}

/// A part of a square as it is to be.
enum Renewed {
    Pixels(IntRect, Pixmap),
    Mask(IntRect, Mask),
}

fn square((across, down): (i32, i32)) -> IntRect {
    IntRect::new(across * SIDE, down * SIDE, SIDE as u32, SIDE as u32)
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
    /// The shares of a row of the part, from its left.
    #[inline(always)]
    fn row<'b>(&self, y: i32, buffer: &'b mut [u16; SIDE as usize]) -> &'b [u16] {
        let covered = self.coverage.row(self.part.x, y).unwrap_or_default();
        let shares = buffer.get_mut(..covered.len().min(self.part.width as usize)).unwrap_or_default();
        match self.selection {
            None => {
                for (share, coverage) in shares.iter_mut().zip(covered) {
                    *share = times(*coverage, self.opacity);
                }
            }
            Some(mask) => {
                let from = ((y - self.square.y) * SIDE + self.part.x - self.square.x) as usize;
                let selected = mask.bytes().get(from..).unwrap_or_default();
                for ((share, coverage), chosen) in shares.iter_mut().zip(covered).zip(selected) {
                    *share = times(times(*coverage, self.opacity), u16::from(*chosen) * 257);
                }
            }
        }
        shares
    }
}

/// The bytes of a part of a square.
fn cut(bytes: &[u8], channels: usize, square: IntRect, part: IntRect) -> Vec<u8> {
    let width = part.width as usize * channels;
    let mut result = Vec::with_capacity(width * part.height as usize);
    for y in (part.y - square.y..).take(part.height as usize) {
        let from = (y * SIDE + part.x - square.x) as usize * channels;
        result.extend_from_slice(bytes.get(from..from + width).unwrap_or_default());
    }
    result
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
