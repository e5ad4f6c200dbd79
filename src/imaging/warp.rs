//! A picture scaled, turned and mirrored into place.

use super::pixmap::Pixmap;
use crate::base::IntRect;

/// Sides longer than this, in pixels, are not made.
const LONGEST: f64 = 32768.0;
/// The most samples along one side of a pixel that is made of many.
const MOST_SAMPLES: f64 = 8.0;

/// Where a picture lies: its centre, half its width and height (negative: mirrored), and how far it is turned
/// clockwise about the centre. Canvas pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    pub centre: (f64, f64),
    pub half: (f64, f64),
    pub degrees: f64,
}

impl Placement {
    /// As it lies, unchanged.
    pub fn of(bounds: IntRect) -> Self {
        let half = (f64::from(bounds.width) / 2.0, f64::from(bounds.height) / 2.0);
        Self { centre: (f64::from(bounds.x) + half.0, f64::from(bounds.y) + half.1), half, degrees: 0.0 }
    }

    /// Sine and cosine; exact for quarter turns, so that these lose nothing.
    fn turn(&self) -> (f64, f64) {
        match self.degrees.rem_euclid(360.0) {
            0.0 => (0.0, 1.0),
            90.0 => (1.0, 0.0),
            180.0 => (0.0, -1.0),
            270.0 => (-1.0, 0.0),
            other => other.to_radians().sin_cos(),
        }
    }

    /// A canvas point as seen from the centre, with the turn undone.
    pub fn inward(&self, point: (f64, f64)) -> (f64, f64) {
        let (sin, cos) = self.turn();
        let (x, y) = (point.0 - self.centre.0, point.1 - self.centre.1);
        (x * cos + y * sin, y * cos - x * sin)
    }

    /// The canvas point that [`Self::inward`] brings to `point`.
    pub fn outward(&self, point: (f64, f64)) -> (f64, f64) {
        let (sin, cos) = self.turn();
        (self.centre.0 + point.0 * cos - point.1 * sin, self.centre.1 + point.0 * sin + point.1 * cos)
    }
}

/// The picture in its place: the corner of the box round it, and its pixels. Bilinear, colours weighted by alpha;
/// pixels made of many take the mean of up to 8 × 8 samples. Shifts by whole pixels, mirroring and quarter turns that
/// meet the pixel grid keep every byte of what is not wholly transparent. `None` if there would be no pixels, or too many.
pub fn placed(picture: &Pixmap, placement: &Placement) -> Option<(i32, i32, Pixmap)> {
    if picture.extent().is_empty() {
        return None;
    }
    let half = placement.half;
    let corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
    let places = corners.map(|(x, y)| placement.outward((half.0 * x, half.1 * y)));
    let fold = |pick: fn(&(f64, f64)) -> f64| {
        let values = places.iter().map(pick);
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        // What is off by a rounding is on the grid.
        ((low + 1e-6).floor(), (high - 1e-6).ceil())
    };
    let ((left, right), (top, bottom)) = (fold(|p| p.0), fold(|p| p.1));
    let sides = (right - left, bottom - top);
    if !(1.0..=LONGEST).contains(&sides.0) || !(1.0..=LONGEST).contains(&sides.1) {
        return None;
    }
    let (width, height) = (f64::from(picture.width()), f64::from(picture.extent().height));
    // Picture pixels per canvas pixel, with the sign of the mirroring.
    let scale = (width / (2.0 * half.0), height / (2.0 * half.1));
    let samples = scale.0.abs().max(scale.1.abs()).ceil().clamp(1.0, MOST_SAMPLES) as u32;
    let mut result = Pixmap::new(crate::base::Extent::new(sides.0 as u32, sides.1 as u32));
    let row_bytes = sides.0 as usize * 4;
    for (y, row) in (0u32..).zip(result.rgba_mut().chunks_exact_mut(row_bytes)) {
        for (x, pixel) in (0u32..).zip(row.chunks_exact_mut(4)) {
            let mut sum = [0.0; 4];
            for cut in 0..samples * samples {
                let within = |i: u32| (f64::from(i) + 0.5) / f64::from(samples);
                let at = (left + f64::from(x) + within(cut % samples), top + f64::from(y) + within(cut / samples));
                let inner = placement.inward(at);
                let there = (inner.0 * scale.0 + width / 2.0 - 0.5, inner.1 * scale.1 + height / 2.0 - 0.5);
                let found = sample(picture, there);
                sum.iter_mut().zip(found).for_each(|(sum, value)| *sum += value);
            }
            let alpha = sum[3] / f64::from(samples * samples);
            if alpha >= 0.5 {
                let colours = [sum[0], sum[1], sum[2]].map(|c| (c / sum[3] + 0.5) as u8);
                pixel.copy_from_slice(&[colours[0], colours[1], colours[2], (alpha + 0.5) as u8]);
            }
        }
    }
    Some((left as i32, top as i32, result))
}

/// The picture between its pixels, transparent beyond them: colour times alpha, and alpha, 0 to 255.
fn sample(picture: &Pixmap, (x, y): (f64, f64)) -> [f64; 4] {
    let (left, top) = ((x + 1e-9).floor(), (y + 1e-9).floor());
    let (right_share, lower_share) = ((x - left).max(0.0), (y - top).max(0.0));
    let mut sum = [0.0; 4];
    for (down, row_share) in [(0.0, 1.0 - lower_share), (1.0, lower_share)] {
        for (across, column_share) in [(0.0, 1.0 - right_share), (1.0, right_share)] {
            let (column, row, share) = (left + across, top + down, row_share * column_share);
            if share < 1e-9 || column < 0.0 || row < 0.0 {
                continue;
            }
            if let Some([r, g, b, a]) = picture.pixel(column as u32, row as u32) {
                let alpha = f64::from(a) * share;
                let parts = [f64::from(r) * alpha, f64::from(g) * alpha, f64::from(b) * alpha, alpha];
                sum.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Extent;
    use proptest::prelude::*;

    const BOUNDS: IntRect = IntRect::new(3, -2, 4, 2);

    fn picture() -> Pixmap {
        let bytes = (0..8u8).flat_map(|i| [i * 30, 255 - i * 30, i, 255 - i * 8]).collect();
        Pixmap::from_rgba(Extent::new(4, 2), bytes).unwrap()
    }

    #[test]
    fn in_its_own_place_it_is_itself() {
        assert_eq!(placed(&picture(), &Placement::of(BOUNDS)), Some((3, -2, picture())));
    }

    #[test]
    fn mirrors_and_quarter_turns_lose_nothing() {
        let own = Placement::of(BOUNDS);
        let (_, _, mirrored) = placed(&picture(), &Placement { half: (-2.0, 1.0), ..own }).unwrap();
        for x in 0..4 {
            assert_eq!(mirrored.pixel(x, 1), picture().pixel(3 - x, 1));
        }
        let (x, y, turned) = placed(&picture(), &Placement { degrees: 90.0, ..own }).unwrap();
        assert_eq!((x, y, turned.extent()), (4, -3, Extent::new(2, 4)));
        // Clockwise: the upper row becomes the right column.
        for x in 0..4 {
            assert_eq!(turned.pixel(1, x), picture().pixel(x, 0));
        }
        let upside = Placement { half: (-2.0, -1.0), ..own };
        assert_eq!(placed(&picture(), &upside), placed(&picture(), &Placement { degrees: 180.0, ..own }));
    }

    #[test]
    fn what_would_have_no_pixels_or_too_many_is_not_made() {
        let own = Placement::of(BOUNDS);
        for half in [(1e6, 1.0), (f64::NAN, 1.0)] {
            assert_eq!(placed(&picture(), &Placement { half, ..own }), None);
        }
        assert_eq!(placed(&Pixmap::new(Extent::new(0, 3)), &own), None);
    }

    proptest! {
        #[test]
        fn an_even_colour_stays_even(degrees in 0f64..360.0, wide in 2f64..20.0, high in 2f64..20.0) {
            let even = Pixmap::from_rgba(Extent::new(5, 5), [200, 100, 50, 255].repeat(25)).unwrap();
            let placement = Placement { centre: (10.0, 10.0), half: (wide, high), degrees };
            let (x, y, result) = placed(&even, &placement).unwrap();
            for pixel in result.rgba().chunks_exact(4).filter(|p| p[3] > 0) {
                prop_assert_eq!(&pixel[..3], &[200, 100, 50]);
            }
            prop_assert_eq!(result.pixel((10 - x) as u32, (10 - y) as u32).unwrap()[3], 255);
            let there = placement.outward(placement.inward((3.0, 4.0)));
            prop_assert!((there.0 - 3.0).abs() < 1e-9 && (there.1 - 4.0).abs() < 1e-9);
        }
    }
}
