//! One mark of a brush: a round patch of coverage with a soft or a hard edge, placed to a fraction of a pixel.

use crate::base::IntRect;

/// Full coverage in a stroke's buffer.
pub const FULL: u16 = u16::MAX;

/// A round mark. `x`, `y` of its centre and `diameter` in canvas pixels, `hardness` and `flow` 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dab {
    pub x: f64,
    pub y: f64,
    pub diameter: f32,
    pub hardness: f32,
    pub flow: f32,
}

impl Dab {
    /// Radius to which anything is covered, and radius to which all is. The edge of a hard dab is one pixel wide, half
    /// of it on either side of the circle; a dab smaller than a pixel is drawn as one of a pixel with less coverage.
    fn radii(&self) -> (f32, f32) {
        let radius = (self.diameter / 2.0).max(0.5);
        (radius + 0.5, (radius * self.hardness).min(radius - 0.5))
    }

    /// Coverage at its centre, 0 to 1.
    fn peak(&self) -> f32 {
        (self.flow * self.diameter.min(1.0)).clamp(0.0, 1.0)
    }

    /// The pixels that it may touch; `None` if none.
    pub fn bounds(&self) -> Option<IntRect> {
        let outer = f64::from(self.radii().0);
        if self.peak() <= 0.0 || !self.x.is_finite() || !self.y.is_finite() || !outer.is_finite() {
            return None;
        }
        // A pixel's centre is half a pixel from its corner.
        let first = |centre: f64| (centre - outer - 0.5).floor() as i32 + 1;
        let end = |centre: f64| (centre + outer - 0.5).ceil() as i32;
        let side = |from: i32, to: i32| u32::try_from(i64::from(to) - i64::from(from)).ok().filter(|side| *side > 0);
        let (x, y) = (first(self.x), first(self.y));
        Some(IntRect::new(x, y, side(x, end(self.x))?, side(y, end(self.y))?))
    }

    /// Lays the dab over a row of coverage, whose first pixel is at column `x`, row `y`: each value goes up by the
    /// dab's share of what it lacks to [`FULL`].
    // Inlined, so that it is compiled for the processor that the caller has found.
    #[inline(always)]
    pub fn cover(&self, row: &mut [u16], x: i32, y: i32) {
        let (outer, inner) = self.radii();
        let down = (f64::from(y) + 0.5 - self.y) as f32;
        let reach = outer * outer - down * down;
        if reach <= 0.0 || self.peak() <= 0.0 {
            return;
        }
        let first = f64::from(x) + 0.5 - self.x;
        // The columns within `half` of the centre line, as indices into the row.
        let length = row.len() as f64;
        let span = |half: f64| {
            let from = (-half - first).ceil().clamp(0.0, length) as usize;
            let to = ((half - first).floor() + 1.0).clamp(0.0, length) as usize;
            (from, to.max(from))
        };
        let (from, to) = span(f64::from(reach.sqrt()));
        let whole = inner * inner - down * down;
        let (full_from, full_to) = if whole > 0.0 { span(f64::from(whole.sqrt())) } else { (to, to) };
        let peak = self.peak() * f32::from(FULL);
        let scale = 1.0 / (outer - inner);
        let mut soft = |from: usize, to: usize| {
            let begin = (first + from as f64) as f32;
            let values = row.get_mut(from..to).unwrap_or_default();
            fall_off(values, begin, down * down, inner, scale, peak);
        };
        soft(from, full_from);
        soft(full_to, to);
        let share = (peak + 0.5) as u32;
        row.get_mut(full_from..full_to).unwrap_or_default().iter_mut().for_each(|value| *value = added(*value, share));
    }
}

/// Adds to a row within the soft edge; `begin` is the first column's distance from the centre, `down` the square of the
/// row's. Without a branch and without checks of overflow (which there is none), so that many values are done at once.
#[inline(always)]
fn fall_off(values: &mut [u16], begin: f32, down: f32, inner: f32, scale: f32, peak: f32) {
    for (i, value) in (0..values.len() as i32).zip(values) {
        let across = begin + i as f32;
        let distance = (across * across + down).sqrt();
        let t = (1.0 - (distance - inner) * scale).clamp(0.0, 1.0);
        *value = added(*value, (peak * (t * t * (3.0 - 2.0 * t)) + 0.5) as i32 as u32);
    }
}

/// `value` and `share` / [`FULL`] of what it lacks, rounded.
#[inline(always)]
fn added(value: u16, share: u32) -> u16 {
    let lack = u32::from(!value);
    // The division by 65535, exact for all products of two 16-bit numbers.
    let product = lack.wrapping_mul(share).wrapping_add(0x8000);
    let more = product.wrapping_add(product >> 16) >> 16;
    value.wrapping_add(more as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dab(x: f64, y: f64, diameter: f32) -> Dab {
        Dab { x, y, diameter, hardness: 1.0, flow: 1.0 }
    }

    /// Coverage on a field of 40 × 40 pixels with its corner at `corner`.
    fn field(dab: &Dab, corner: (i32, i32)) -> Vec<u16> {
        let mut field = vec![0; 1600];
        for (y, row) in field.chunks_exact_mut(40).enumerate() {
            dab.cover(row, corner.0, corner.1 + y as i32);
        }
        field
    }

    fn sum(field: &[u16]) -> f64 {
        field.iter().map(|v| f64::from(*v) / f64::from(FULL)).sum()
    }

    #[test]
    fn a_pixel_brush_marks_one_pixel() {
        let marked = field(&dab(5.5, 7.5, 1.0), (0, 0));
        assert_eq!(marked.iter().filter(|v| **v > 0).count(), 1);
        assert_eq!(marked[7 * 40 + 5], FULL);
        // Between two pixels it is shared evenly.
        let shared = field(&dab(6.0, 7.5, 1.0), (0, 0));
        assert_eq!((shared[7 * 40 + 5], shared[7 * 40 + 6]), (0x8000, 0x8000));
        assert_eq!(shared.iter().filter(|v| **v > 0).count(), 2);
        assert!((sum(&field(&dab(5.5, 7.5, 0.25), (0, 0))) - 0.25).abs() < 1e-3);
    }

    #[test]
    fn a_hard_dab_has_the_area_of_its_circle() {
        for diameter in [3.0f32, 8.0, 21.5, 30.0] {
            for shift in [0.0, 0.3, 0.5] {
                let area = std::f64::consts::PI * f64::from(diameter / 2.0).powi(2);
                let covered = sum(&field(&dab(20.0 + shift, 20.0 - shift, diameter), (0, 0)));
                // The soft edge adds π / 12 to a wide circle.
                assert!((covered - area).abs() < 0.3 + 0.02 * area, "{diameter} {covered} {area}");
            }
        }
    }

    #[test]
    fn softness_falls_off_and_never_rises() {
        let soft = field(&Dab { hardness: 0.0, ..dab(0.5, 0.5, 60.0) }, (0, 0));
        let row: Vec<_> = soft[..40].to_vec();
        assert!(row.windows(2).all(|p| p[0] >= p[1]));
        assert!(row[0] == FULL && row[31] == 0 && row[15].abs_diff(FULL / 2) < 2500, "{row:?}");
    }

    #[test]
    fn nothing_comes_of_nothing() {
        for nothing in [Dab { flow: 0.0, ..dab(5.0, 5.0, 9.0) }, dab(5.0, 5.0, 0.0), dab(f64::NAN, 5.0, 9.0)] {
            assert_eq!(nothing.bounds(), None);
        }
    }

    #[test]
    fn dabs_build_up_and_stay_below_full() {
        let mut value = [0u16];
        for _ in 0..2000 {
            let before = value;
            Dab { flow: 0.01, ..dab(0.5, 0.5, 9.0) }.cover(&mut value, 0, 0);
            assert!(value >= before);
        }
        assert!(value[0] > FULL - 100);
    }

    proptest! {
        #[test]
        fn the_division_is_exact(value: u16, share: u16) {
            let sum = added(value, share.into());
            let exact = f64::from(value) + f64::from(FULL - value) * f64::from(share) / f64::from(FULL);
            prop_assert!((f64::from(sum) - exact).abs() <= 0.5 + 1e-9);
        }

        #[test]
        fn bounds_hold_every_pixel_and_rows_may_be_cut(
            x in -3f64..43.0, y in -3f64..43.0, diameter in 0.1f32..50.0, hardness in 0f32..=1.0, cut in 1usize..40,
        ) {
            let dab = Dab { hardness, flow: 0.7, ..dab(x, y, diameter) };
            let whole = field(&dab, (0, 0));
            let bounds = dab.bounds().unwrap();
            for (i, value) in whole.iter().enumerate() {
                let (px, py) = ((i % 40) as i32, (i / 40) as i32);
                if *value > 0 {
                    prop_assert!(bounds.intersect(IntRect::new(px, py, 1, 1)).is_some(), "{px} {py} {bounds:?}");
                }
                let distance = ((f64::from(px) + 0.5 - x).powi(2) + (f64::from(py) + 0.5 - y).powi(2)).sqrt();
                let radius = f64::from(diameter.max(1.0) / 2.0);
                prop_assert!(distance < radius + 0.5 + 1e-4 || *value == 0);
            }
            let mut parts = vec![0; 1600];
            for (py, row) in parts.chunks_exact_mut(40).enumerate() {
                let (left, right) = row.split_at_mut(cut);
                dab.cover(left, 0, py as i32);
                dab.cover(right, cut as i32, py as i32);
            }
            for (a, b) in whole.iter().zip(&parts) {
                prop_assert!(a.abs_diff(*b) <= 1);
            }
        }
    }
}
