//! Coverage of figures by pixels, with soft edges: rectangle, ellipse, polygon.

use super::mask::Mask;
use crate::base::{Extent, IntRect};

/// A figure as pixels: where its box lies, and the coverage of each pixel in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    pub bounds: IntRect,
    pub coverage: Mask,
}

/// How a polygon that crosses itself is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FillRule {
    EvenOdd,
    NonZero,
}

/// Rows into which a pixel of an ellipse is cut.
const CUTS: u32 = 16;

/// A rectangle between two opposite corners, in canvas pixels, cut to `limits`; `None` if nothing is left. Every
/// pixel's coverage is exact.
pub fn rectangle(from: (f64, f64), to: (f64, f64), limits: IntRect) -> Option<Figure> {
    let (left, right) = sorted(from.0, to.0)?;
    let (top, bottom) = sorted(from.1, to.1)?;
    let columns = |bounds: IntRect| (bounds.x..).take(bounds.width as usize).map(|x| overlap(x, left, right));
    let bounds = boxed((left, top), (right, bottom), limits)?;
    let columns: Vec<f64> = columns(bounds).collect();
    let row = |y: i32, values: &mut [f64]| {
        let share = overlap(y, top, bottom);
        values.iter_mut().zip(&columns).for_each(|(value, column)| *value = share * column);
    };
    Some(figure(bounds, row))
}

/// The ellipse that touches the sides of the rectangle between two corners, cut to `limits`; `None` if nothing is
/// left. Each row is cut into 16, and each of them is exact.
pub fn ellipse(from: (f64, f64), to: (f64, f64), limits: IntRect) -> Option<Figure> {
    let (left, right) = sorted(from.0, to.0)?;
    let (top, bottom) = sorted(from.1, to.1)?;
    let bounds = boxed((left, top), (right, bottom), limits)?;
    let (centre, middle) = ((left + right) / 2.0, (top + bottom) / 2.0);
    let (half_width, half_height) = ((right - left) / 2.0, (bottom - top) / 2.0);
    let row = |y: i32, values: &mut [f64]| {
        for cut in 0..CUTS {
            let down = f64::from(y) + (f64::from(cut) + 0.5) / f64::from(CUTS) - middle;
            let reach = 1.0 - (down / half_height).powi(2);
            if reach > 0.0 {
                let half = half_width * reach.sqrt();
                add_span(values, centre - half - f64::from(bounds.x), centre + half - f64::from(bounds.x));
            }
        }
        values.iter_mut().for_each(|value| *value /= f64::from(CUTS));
    };
    Some(figure(bounds, row))
}

/// The polygon through `points` (closed by itself), cut to `limits`; `None` if nothing is left or a coordinate is not
/// a number. Areas are exact where edges do not cross within a pixel.
pub fn polygon(points: &[(f64, f64)], rule: FillRule, limits: IntRect) -> Option<Figure> {
    let fold = |pick: fn(&(f64, f64)) -> f64| {
        let values = points.iter().map(pick);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let (left, right) = fold(|p| p.0);
    let (top, bottom) = fold(|p| p.1);
    if points.len() < 3 || points.iter().any(|p| !p.0.is_finite() || !p.1.is_finite()) {
        return None;
    }
    let bounds = boxed((left, top), (right, bottom), limits)?;
    // For each pixel, the signed area to the right of the edges within its row, as differences along the row: their
    // running sum is the winding number, in part where an edge passes through.
    let stride = bounds.width as usize + 2;
    let mut steps = vec![0.0; stride * bounds.height as usize];
    let shifted = |p: &(f64, f64)| (p.0 - f64::from(bounds.x), p.1 - f64::from(bounds.y));
    for (from, to) in points.iter().zip(points.iter().cycle().skip(1)) {
        add_edge(&mut steps, stride, f64::from(bounds.width), shifted(from), shifted(to));
    }
    let mut rows = steps.chunks_exact(stride);
    let row = |_: i32, values: &mut [f64]| {
        let mut winding = 0.0;
        for (value, step) in values.iter_mut().zip(rows.next().unwrap_or_default()) {
            winding += step;
            *value = match rule {
                FillRule::NonZero => f64::abs(winding).min(1.0),
                FillRule::EvenOdd => f64::abs(winding - 2.0 * (winding / 2.0).round()),
            };
        }
    };
    Some(figure(bounds, row))
}

fn figure(bounds: IntRect, mut row: impl FnMut(i32, &mut [f64])) -> Figure {
    let mut coverage = Mask::new(bounds.extent());
    let mut values = vec![0.0; bounds.width as usize];
    for (y, bytes) in (bounds.y..).zip(coverage.bytes_mut().chunks_exact_mut((bounds.width as usize).max(1))) {
        values.fill(0.0);
        row(y, &mut values);
        for (byte, value) in bytes.iter_mut().zip(&values) {
            *byte = (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        }
    }
    Figure { bounds, coverage }
}

fn sorted(a: f64, b: f64) -> Option<(f64, f64)> {
    (a.is_finite() && b.is_finite() && a != b).then(|| (a.min(b), a.max(b)))
}

/// The pixels that the box touches, within the limits.
fn boxed(low: (f64, f64), high: (f64, f64), limits: IntRect) -> Option<IntRect> {
    let first = |v: f64, least: i32| v.floor().max(f64::from(least)) as i64;
    let end = |v: f64, most: i64| v.ceil().min(most as f64) as i64;
    let (x, y) = (first(low.0, limits.x), first(low.1, limits.y));
    let extent = Extent {
        width: u32::try_from(end(high.0, limits.right()) - x).ok()?,
        height: u32::try_from(end(high.1, limits.bottom()) - y).ok()?,
    };
    let found = IntRect::new(i32::try_from(x).ok()?, i32::try_from(y).ok()?, extent.width, extent.height);
    (!extent.is_empty()).then_some(found)
}

/// How much of the pixel at `at` lies between two coordinates.
fn overlap(at: i32, from: f64, to: f64) -> f64 {
    let at = f64::from(at);
    (to.min(at + 1.0) - from.max(at)).max(0.0)
}

/// Adds the coverage of a span to a row.
fn add_span(values: &mut [f64], from: f64, to: f64) {
    let (from, to) = (from.max(0.0), to.min(values.len() as f64));
    if from >= to {
        return;
    }
    let (first, end) = (from.floor() as usize, to.ceil() as usize);
    for (x, value) in (first..end).zip(values.get_mut(first..end).unwrap_or_default()) {
        *value += overlap(x as i32, from, to);
    }
}

/// Adds an edge, row by row. Left of the box it counts as at its left side, right of it as nothing.
fn add_edge(steps: &mut [f64], stride: usize, width: f64, from: (f64, f64), to: (f64, f64)) {
    if from.1 == to.1 {
        return;
    }
    let (sign, top, bottom) = if from.1 < to.1 { (1.0, from, to) } else { (-1.0, to, from) };
    let slope = (bottom.0 - top.0) / (bottom.1 - top.1);
    let rows = (steps.len() / stride) as f64;
    let (first, end) = (top.1.floor().clamp(0.0, rows) as usize, bottom.1.ceil().clamp(0.0, rows) as usize);
    for (y, row) in (first..end).zip(steps.chunks_exact_mut(stride).skip(first)) {
        let (high, low) = (top.1.max(y as f64), bottom.1.min(y as f64 + 1.0));
        let at = |y: f64| (top.0 + (y - top.1) * slope).clamp(top.0.min(bottom.0), top.0.max(bottom.0));
        add_slanted(row, width, sign * (low - high), at(high), at(low));
    }
}

/// Adds one edge within one row: `height` (signed) of it, from column `start` to column `end`.
fn add_slanted(row: &mut [f64], width: f64, height: f64, start: f64, end: f64) {
    let (left, right) = (start.min(end), start.max(end));
    let mut put = |x: f64, height: f64| {
        // An upright piece at `x` within one pixel: what lies right of it there, and the whole from the next one on.
        let x = x.clamp(0.0, width);
        let (pixel, inside) = (x.floor() as usize, x - x.floor());
        if let Some([here, next]) = row.get_mut(pixel..pixel + 2) {
            *here += height * (1.0 - inside);
            *next += height * inside;
        }
    };
    if right - left < 1e-9 {
        return put(left, height);
    }
    // Cut where it passes from pixel to pixel, and at the sides of the box; a slanted piece within a pixel covers as
    // much as an upright one at its middle.
    let per_pixel = height / (right - left);
    let mut from = left;
    while from < right {
        let to = if from < 0.0 {
            right.min(0.0)
        } else if from >= width {
            right
        } else {
            right.min(from.floor() + 1.0)
        };
        put((from + to) / 2.0, per_pixel * (to - from));
        from = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: IntRect = IntRect::new(0, 0, 40, 30);

    fn at(figure: &Figure, x: i32, y: i32) -> u8 {
        let b = figure.bounds;
        if b.intersect(IntRect::new(x, y, 1, 1)).is_none() {
            return 0;
        }
        figure.coverage.bytes()[((y - b.y) as u32 * b.width + (x - b.x) as u32) as usize]
    }

    fn area(figure: &Figure) -> f64 {
        figure.coverage.bytes().iter().map(|v| f64::from(*v) / 255.0).sum()
    }

    #[test]
    fn a_rectangle_covers_its_share_of_every_pixel() {
        let found = rectangle((5.5, 9.0), (2.0, 3.25), LIMITS).unwrap();
        assert_eq!(found.bounds, IntRect::new(2, 3, 4, 6));
        assert_eq!([at(&found, 2, 5), at(&found, 5, 5), at(&found, 3, 3), at(&found, 5, 3)], [255, 128, 191, 96]);
    }

    #[test]
    fn figures_are_cut_to_the_limits_or_are_nothing() {
        let found = ellipse((-10.0, -10.0), (10.0, 10.0), LIMITS).unwrap();
        assert_eq!(found.bounds, IntRect::new(0, 0, 10, 10));
        assert!((area(&found) - std::f64::consts::PI * 25.0).abs() < 0.3);
        assert_eq!(rectangle((50.0, 3.0), (60.0, 8.0), LIMITS), None);
        assert_eq!(rectangle((3.0, 3.0), (3.0, 8.0), LIMITS), None);
        assert_eq!(ellipse((f64::NAN, 3.0), (3.0, 8.0), LIMITS), None);
        let odd = [(1.0, 1.0), (f64::INFINITY, 1.0), (1.0, 5.0)];
        assert_eq!(polygon(&odd, FillRule::NonZero, LIMITS), None);
        assert_eq!(polygon(&odd[..2], FillRule::NonZero, LIMITS), None);
    }

    #[test]
    fn a_star_has_a_hole_by_one_rule_and_none_by_the_other() {
        let star = [(20.0, 1.0), (28.0, 27.0), (5.0, 10.0), (35.0, 10.0), (12.0, 27.0)];
        let [hole, whole] = [FillRule::EvenOdd, FillRule::NonZero].map(|rule| polygon(&star, rule, LIMITS).unwrap());
        assert_eq!((at(&hole, 20, 14), at(&whole, 20, 14)), (0, 255));
        assert_eq!((at(&hole, 20, 5), at(&whole, 20, 5)), (255, 255));
    }

    proptest! {
        #[test]
        fn a_polygon_is_what_sampling_finds(
            points in proptest::collection::vec((-10f64..50.0, -10f64..40.0), 3..7), non_zero: bool,
        ) {
            let rule = if non_zero { FillRule::NonZero } else { FillRule::EvenOdd };
            let Some(found) = polygon(&points, rule, LIMITS) else { return Ok(()) };
            let inside = |x: f64, y: f64| {
                let mut winding = 0;
                for (a, b) in points.iter().zip(points.iter().cycle().skip(1)) {
                    let crosses = (a.1 <= y) != (b.1 <= y);
                    if crosses && a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0) < x {
                        winding += if a.1 < b.1 { 1 } else { -1 };
                    }
                }
                if non_zero { winding != 0 } else { winding % 2 != 0 }
            };
            for y in 0..30 {
                for x in 0..40 {
                    let cells = (0..64).map(|i| (f64::from(i % 8) / 8.0 + 0.0625, f64::from(i / 8) / 8.0 + 0.0625));
                    let hits: Vec<_> = cells.map(|(dx, dy)| inside(f64::from(x) + dx, f64::from(y) + dy)).collect();
                    let near_edge = points.iter().zip(points.iter().cycle().skip(1)).filter(|(a, b)| {
                        // Distance from the pixel's centre to the edge's segment.
                        let (px, py) = (f64::from(x) + 0.5 - a.0, f64::from(y) + 0.5 - a.1);
                        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
                        let t = ((px * dx + py * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
                        (px - t * dx).hypot(py - t * dy) < 0.75
                    }).count();
                    let share = hits.iter().filter(|h| **h).count() as f64 / 64.0;
                    let value = f64::from(at(&found, x, y)) / 255.0;
                    match near_edge {
                        0 => prop_assert_eq!(value, share),
                        1 => prop_assert!((value - share).abs() < 0.14, "{x} {y} {value} {share}"),
                        _ => {}
                    }
                }
            }
        }

        #[test]
        fn a_convex_polygon_has_its_area(x in 8f64..30.0, y in 8f64..20.0, w in 1f64..7.0, h in 1f64..7.0) {
            let diamond = [(x, y - h), (x + w, y), (x, y + h), (x - w, y)];
            let found = polygon(&diamond, FillRule::NonZero, LIMITS).unwrap();
            prop_assert!((area(&found) - 2.0 * w * h).abs() < 0.1);
            let round = ellipse((x - w, y - h), (x + w, y + h), LIMITS).unwrap();
            prop_assert!((area(&round) - std::f64::consts::PI * w * h).abs() < 0.5);
        }
    }
}
