//! Bringing the colours of one picture to those of another, by mean and spread in Oklab (Ottosson 2020).

use super::mask::Mask;
use super::pixmap::Pixmap;

/// Fewer pixels than this tell nothing.
const LEAST_PIXELS: u32 = 64;
/// The spread of a channel changes at most by this factor, and its mean by this much: a network's drift is small, and
/// what differs more is not drift.
const MOST_STRETCH: f64 = 1.25;
const MOST_SHIFT: f64 = 0.1;
/// Below these, nobody sees a difference, and the bytes stay.
const UNSEEN_SHIFT: f64 = 0.002;
const UNSEEN_STRETCH: f64 = 0.01;
/// A channel with less spread than this keeps it: a ratio of nearly nothing to nearly nothing is noise.
const LEAST_SPREAD: f64 = 0.005;

/// `picture` with its colours moved so that, where the mask is 0, their mean and spread are those of `model`. Alpha stays.
/// It is returned as it is if the three are not of one size, if hardly anything lies outside the mask, or if the colours
/// agree already.
pub fn matched(picture: &Pixmap, model: &Pixmap, mask: &Mask) -> Pixmap {
    if picture.extent() != model.extent() || picture.extent() != mask.extent() {
        return picture.clone();
    }
    let curve: Vec<f64> = (0..=255u8).map(linear).collect();
    let outside = |picture: &Pixmap| Statistics::of(picture, mask, &curve);
    let (Some(from), Some(to)) = (outside(picture), outside(model)) else {
        return picture.clone();
    };
    let mut stretch = [1.0; 3];
    let mut shift = [0.0; 3];
    for channel in 0..3 {
        let (old, new) = (from.spread[channel], to.spread[channel]);
        if old > LEAST_SPREAD && new > LEAST_SPREAD {
            stretch[channel] = (new / old).clamp(1.0 / MOST_STRETCH, MOST_STRETCH);
        }
        shift[channel] = (to.mean[channel] - from.mean[channel]).clamp(-MOST_SHIFT, MOST_SHIFT);
    }
    let unseen = |(stretch, shift): (&f64, &f64)| (stretch - 1.0).abs() < UNSEEN_STRETCH && shift.abs() < UNSEEN_SHIFT;
    if stretch.iter().zip(&shift).all(unseen) {
        return picture.clone();
    }
    let mut result = picture.clone();
    for rgba in result.rgba_mut().chunks_exact_mut(4) {
        let lab = oklab(rgba, &curve);
        let moved = [0, 1, 2].map(|c| (lab[c] - from.mean[c]) * stretch[c] + from.mean[c] + shift[c]);
        rgba.iter_mut().zip(srgb(moved)).for_each(|(byte, new)| *byte = new);
    }
    result
}

/// Mean and standard deviation of each channel.
struct Statistics {
    mean: [f64; 3],
    spread: [f64; 3],
}

impl Statistics {
    /// Of what lies outside the mask and can be seen.
    fn of(picture: &Pixmap, mask: &Mask, curve: &[f64]) -> Option<Self> {
        let (mut count, mut sum, mut squares) = (0u32, [0.0; 3], [0.0; 3]);
        for (rgba, _) in picture.rgba().chunks_exact(4).zip(mask.bytes()).filter(|(p, m)| **m == 0 && p[3] == 255) {
            count += 1;
            for (c, value) in oklab(rgba, curve).into_iter().enumerate() {
                sum[c] += value;
                squares[c] += value * value;
            }
        }
        if count < LEAST_PIXELS {
            return None;
        }
        let mean = sum.map(|s| s / f64::from(count));
        let spread = [0, 1, 2].map(|c| (squares[c] / f64::from(count) - mean[c] * mean[c]).max(0.0).sqrt());
        Some(Self { mean, spread })
    }
}

fn linear(byte: u8) -> f64 {
    let v = f64::from(byte) / 255.0;
    if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

fn oklab(rgba: &[u8], curve: &[f64]) -> [f64; 3] {
    let at = |c: usize| rgba.get(c).and_then(|&byte| curve.get(usize::from(byte))).copied().unwrap_or_default();
    let (r, g, b) = (at(0), at(1), at(2));
    let l = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b).cbrt();
    let m = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b).cbrt();
    let s = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b).cbrt();
    [
        0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
        1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
        0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
    ]
}

fn srgb([lightness, a, b]: [f64; 3]) -> [u8; 3] {
    let l = (lightness + 0.3963377774 * a + 0.2158037573 * b).powi(3);
    let m = (lightness - 0.1055613458 * a - 0.0638541728 * b).powi(3);
    let s = (lightness - 0.0894841775 * a - 1.2914855480 * b).powi(3);
    let byte = |v: f64| {
        let v = if v <= 0.0031308 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (v * 255.0).round().clamp(0.0, 255.0) as u8
    };
    [
        byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
        byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
        byte(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Extent;

    const EXTENT: Extent = Extent::new(40, 30);

    fn painted(colour: impl Fn(u32) -> [u8; 3]) -> Pixmap {
        let pixel = |i| {
            let [r, g, b] = colour(i);
            [r, g, b, 255]
        };
        Pixmap::from_rgba(EXTENT, (0..EXTENT.area() as u32).flat_map(pixel).collect()).unwrap()
    }

    fn scene(i: u32) -> [u8; 3] {
        [60 + (i * 7 % 120) as u8, 80 + (i * 13 % 90) as u8, 50 + (i * 29 % 150) as u8]
    }

    fn left() -> Mask {
        let bytes = (0..EXTENT.area() as u32).map(|i| if i % 40 < 15 { 255 } else { 0 }).collect();
        Mask::from_bytes(EXTENT, bytes).unwrap()
    }

    fn distance(a: &Pixmap, b: &Pixmap) -> u64 {
        a.rgba().iter().zip(b.rgba()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
    }

    #[test]
    fn colours_survive_oklab() {
        let curve: Vec<f64> = (0..=255u8).map(linear).collect();
        for i in 0..4096u32 {
            let rgb = [(i * 37 % 256) as u8, (i * 91 % 256) as u8, (i * 151 % 256) as u8];
            assert_eq!(srgb(oklab(&rgb, &curve)), rgb);
        }
    }

    #[test]
    fn a_drift_is_taken_back_also_inside_the_mask() {
        let model = painted(scene);
        let drifted = painted(|i| scene(i).map(|c| (f64::from(c) * 0.93 + 14.0) as u8));
        let result = matched(&drifted, &model, &left());
        let (before, after) = (distance(&drifted, &model), distance(&result, &model));
        assert!(after * 4 < before, "{before} {after}");
        assert!(result.rgba().chunks_exact(4).all(|p| p[3] == 255));
    }

    #[test]
    fn what_agrees_or_cannot_be_told_stays_as_it_is() {
        let model = painted(scene);
        let inside_differs = painted(|i| if i % 40 < 15 { [250, 0, 0] } else { scene(i) });
        assert_eq!(matched(&inside_differs, &model, &left()), inside_differs);
        let dark = painted(|_| [9, 9, 9]);
        let whole = Mask::from_bytes(EXTENT, vec![255; EXTENT.area() as usize]).unwrap();
        assert_eq!(matched(&dark, &model, &whole), dark);
        assert_eq!(matched(&dark, &model, &Mask::new(Extent::new(3, 3))), dark);
        assert_eq!(matched(&dark, &Pixmap::new(EXTENT), &left()), dark, "nothing to be seen");
    }

    #[test]
    fn what_differs_greatly_is_not_followed_all_the_way() {
        let (dark, light) = (painted(|_| [10, 10, 10]), painted(|_| [240, 240, 240]));
        let result = matched(&dark, &light, &left());
        let pixel = result.pixel(20, 20).unwrap();
        assert!(pixel[0] > 10 && pixel[0] < 60, "{pixel:?}");
    }
}
