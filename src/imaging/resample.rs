//! Other sizes for pictures and masks.

use super::mask::Mask;
use super::pixmap::Pixmap;
use crate::base::Extent;
use image::imageops::{self, FilterType};
use image::{ImageBuffer, Rgba};

/// How a new pixel is had from the old ones. Bilinear and Lanczos widen their reach when shrinking, so that fine
/// patterns turn grey and do not flicker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// The pixel whose centre is nearest; keeps bytes as they are.
    Nearest,
    Bilinear,
    /// Windowed sinc of three lobes: the sharpest, for photographs and paintings.
    Lanczos3,
}

/// The picture in another size. Colours are weighted by their alpha, so that the unseen colour of transparent pixels
/// does not bleed into the edges; fully transparent results are zero, except with [`Filter::Nearest`].
/// The filters work on the sRGB values, as other programs do. An empty picture gives a transparent one.
pub fn resize(picture: &Pixmap, to: Extent, filter: Filter) -> Pixmap {
    let from = picture.extent();
    if from == to {
        return picture.clone();
    }
    if from.is_empty() || to.is_empty() {
        return Pixmap::new(to);
    }
    let kernel = match filter {
        Filter::Nearest => {
            let mut rgba = Vec::with_capacity(to.area() as usize * 4);
            for_nearest(from, to, |at| rgba.extend_from_slice(&picture.rgba()[at * 4..at * 4 + 4]));
            return Pixmap::from_rgba(to, rgba).unwrap_or_else(|| Pixmap::new(to));
        }
        Filter::Bilinear => FilterType::Triangle,
        Filter::Lanczos3 => FilterType::Lanczos3,
    };
    let weighted: Vec<u16> = picture.rgba().chunks_exact(4).flat_map(weigh).collect();
    let resized = ImageBuffer::<Rgba<u16>, _>::from_raw(from.width, from.height, weighted)
        .map(|source| imageops::resize(&source, to.width, to.height, kernel));
    let rgba = resized.iter().flat_map(|r| r.pixels()).flat_map(|pixel| unweigh(pixel.0)).collect();
    Pixmap::from_rgba(to, rgba).unwrap_or_else(|| Pixmap::new(to))
}

/// The mask in another size, each pixel from the one nearest to its centre.
pub fn resize_mask_nearest(mask: &Mask, to: Extent) -> Mask {
    if mask.extent().is_empty() || to.is_empty() {
        return Mask::new(to);
    }
    let mut bytes = Vec::with_capacity(to.area() as usize);
    for_nearest(mask.extent(), to, |at| bytes.push(mask.bytes()[at]));
    Mask::from_bytes(to, bytes).unwrap_or_else(|| Mask::new(to))
}

/// The mask in another size, each pixel the largest of those it covers, so that thin lines survive the shrinking.
pub fn resize_mask_max(mask: &Mask, to: Extent) -> Mask {
    let from = mask.extent();
    if from == to {
        return mask.clone();
    }
    if from.is_empty() || to.is_empty() {
        return Mask::new(to);
    }
    let columns: Vec<_> = (0..to.width).map(|x| covered(x, from.width, to.width)).collect();
    let mut bytes = Vec::with_capacity(to.area() as usize);
    let mut highest = vec![0u8; from.width as usize];
    for y in 0..to.height {
        highest.fill(0);
        let rows = covered(y, from.height, to.height);
        for row in mask.bytes().chunks_exact(from.width as usize).take(rows.end).skip(rows.start) {
            highest.iter_mut().zip(row).for_each(|(high, value)| *high = (*high).max(*value));
        }
        bytes.extend(
            columns.iter().map(|c| highest.get(c.clone()).and_then(|part| part.iter().max()).copied().unwrap_or(0)),
        );
    }
    Mask::from_bytes(to, bytes).unwrap_or_else(|| Mask::new(to))
}

/// The mask in another size, each pixel the mean of those it touches. Quick: for what is looked at small.
pub fn resize_mask_mean(mask: &Mask, to: Extent) -> Mask {
    let from = mask.extent();
    if from == to {
        return mask.clone();
    }
    if from.is_empty() || to.is_empty() {
        return Mask::new(to);
    }
    let columns: Vec<_> = (0..to.width).map(|x| covered(x, from.width, to.width)).collect();
    let mut bytes = Vec::with_capacity(to.area() as usize);
    let mut sums = vec![0u32; from.width as usize];
    for y in 0..to.height {
        sums.fill(0);
        let rows = covered(y, from.height, to.height);
        let height = rows.len() as u64;
        for row in mask.bytes().chunks_exact(from.width as usize).take(rows.end).skip(rows.start) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += u32::from(*value));
        }
        bytes.extend(columns.iter().map(|column| {
            let part = sums.get(column.clone()).unwrap_or_default();
            let (sum, count) = (part.iter().map(|sum| u64::from(*sum)).sum::<u64>(), part.len() as u64 * height);
            ((sum + count / 2) / count.max(1)) as u8
        }));
    }
    Mask::from_bytes(to, bytes).unwrap_or_else(|| Mask::new(to))
}

/// The source pixels that pixel `i` of `to` touches: at least one, all below `from`.
fn covered(i: u32, from: u32, to: u32) -> std::ops::Range<usize> {
    let edge = |i: u64| i * u64::from(from);
    let start = edge(u64::from(i)) / u64::from(to);
    let end = edge(u64::from(i) + 1).div_ceil(u64::from(to));
    start as usize..end.max(start + 1) as usize
}

/// Calls `take` with the index of the nearest source pixel, for each pixel of `to`; neither extent is empty.
fn for_nearest(from: Extent, to: Extent, mut take: impl FnMut(usize)) {
    let columns: Vec<usize> = (0..to.width).map(|x| nearest(x, from.width, to.width)).collect();
    for y in 0..to.height {
        let row = nearest(y, from.height, to.height) * from.width as usize;
        columns.iter().for_each(|x| take(row + x));
    }
}

/// floor((i + 1/2) · from / to), which is below `from` for every i below `to`.
fn nearest(i: u32, from: u32, to: u32) -> usize {
    ((2 * u64::from(i) + 1) * u64::from(from) / (2 * u64::from(to))) as usize
}

/// What full alpha is while it is resampled. Lanczos overshoots at edges, by up to a fifth at corners; 16 bits leave a
/// quarter, so that colour and alpha overshoot together and their ratio, the colour seen, stays true.
const FULL: u32 = 255 * 204;

/// Premultiplied, in units of 1/[`FULL`]; exact enough to come back the same from an alpha of 2 on.
fn weigh(rgba: &[u8]) -> [u16; 4] {
    match *rgba {
        [r, g, b, a] => [r, g, b, 255].map(|c| ((u32::from(c) * u32::from(a) * FULL + 32512) / (255 * 255)) as u16),
        _ => [0; 4],
    }
}

/// Back to straight 8 bits, rounded and clipped.
fn unweigh([r, g, b, a]: [u16; 4]) -> [u8; 4] {
    let a = u32::from(a);
    let alpha = ((a * 255 + FULL / 2) / FULL).min(255);
    if alpha == 0 {
        return [0; 4];
    }
    let straight = |c: u16| ((u32::from(c) * 255 + a / 2) / a).min(255) as u8;
    [straight(r), straight(g), straight(b), alpha as u8]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flat(extent: Extent, rgba: [u8; 4]) -> Pixmap {
        Pixmap::from_rgba(extent, rgba.repeat(extent.area() as usize)).unwrap()
    }

    #[test]
    fn weighing_loses_nothing_but_what_is_nearly_unseen() {
        for a in 0..=255u8 {
            for c in 0..=255u8 {
                let back = unweigh(weigh(&[c, 0, 255, a]));
                match a {
                    0 => assert_eq!(back, [0; 4]),
                    1 => assert!(back[0].abs_diff(c) <= 1 && back[3] == 1),
                    _ => assert_eq!(back, [c, 0, 255, a]),
                }
            }
        }
    }

    #[test]
    fn a_transparent_side_does_not_darken_the_edge() {
        let mut picture = Pixmap::new(Extent::new(16, 16));
        for (i, pixel) in picture.rgba_mut().chunks_exact_mut(4).enumerate() {
            if i % 16 < 8 {
                pixel.copy_from_slice(&[250, 180, 40, 255]);
            }
        }
        for filter in [Filter::Bilinear, Filter::Lanczos3] {
            for to in [Extent::new(7, 7), Extent::new(40, 24)] {
                let resized = resize(&picture, to, filter);
                assert_eq!(resized.extent(), to);
                for pixel in resized.rgba().chunks_exact(4).filter(|p| p[3] > 8) {
                    for (a, b) in pixel.iter().zip([250u8, 180, 40]) {
                        assert!(a.abs_diff(b) <= 4, "{filter:?} {pixel:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn nearest_doubles_and_halves_exactly() {
        let picture = Pixmap::from_rgba(Extent::new(2, 1), vec![9, 8, 7, 0, 1, 2, 3, 4]).unwrap();
        let doubled = resize(&picture, Extent::new(4, 2), Filter::Nearest);
        assert_eq!(doubled.rgba()[..16], [9, 8, 7, 0, 9, 8, 7, 0, 1, 2, 3, 4, 1, 2, 3, 4]);
        assert_eq!(resize(&doubled, picture.extent(), Filter::Nearest), picture);
        let mask = Mask::from_bytes(Extent::new(2, 2), vec![0, 255, 7, 128]).unwrap();
        let doubled = resize_mask_nearest(&mask, Extent::new(6, 4));
        assert_eq!(doubled.bytes()[..6], [0, 0, 0, 255, 255, 255]);
        assert_eq!(resize_mask_nearest(&doubled, mask.extent()), mask);
    }

    #[test]
    fn empty_extents_are_no_trouble() {
        let none = Pixmap::new(Extent::new(0, 5));
        for filter in [Filter::Nearest, Filter::Bilinear, Filter::Lanczos3] {
            assert_eq!(resize(&none, Extent::new(2, 2), filter), Pixmap::new(Extent::new(2, 2)));
            assert!(resize(&flat(Extent::new(3, 3), [1; 4]), Extent::new(0, 9), filter).extent().is_empty());
        }
        assert!(resize_mask_nearest(&Mask::new(Extent::new(0, 0)), Extent::new(2, 1)).is_empty());
    }

    proptest! {
        #[test]
        fn no_pixel_of_a_mask_is_lost(w in 1u32..40, h in 1u32..40, to_w in 1u32..40, to_h in 1u32..40, at: u32) {
            let (from, to) = (Extent::new(w, h), Extent::new(to_w, to_h));
            let mut mask = Mask::new(from);
            let at = at % (w * h);
            mask.bytes_mut()[at as usize] = 200;
            let resized = resize_mask_max(&mask, to);
            prop_assert_eq!(resized.bytes().iter().max(), Some(&200));
            for (i, &value) in resized.bytes().iter().enumerate() {
                let (x, y) = (i as u32 % to_w, i as u32 / to_w);
                // The squares of both pixels in units of 1 / (from · to) overlap.
                let meets = |i: u32, j: u32, from: u32, to: u32| i * from < (j + 1) * to && j * to < (i + 1) * from;
                let covers = meets(x, at % w, w, to_w) && meets(y, at / w, h, to_h);
                prop_assert_eq!(value, if covers { 200 } else { 0 });
            }
        }

        #[test]
        fn a_flat_picture_stays_flat(
            w in 1u32..20, h in 1u32..20, to_w in 1u32..30, to_h in 1u32..30, colour: [u8; 3], alpha in 2u8..,
        ) {
            let rgba = [colour[0], colour[1], colour[2], alpha];
            for filter in [Filter::Nearest, Filter::Bilinear, Filter::Lanczos3] {
                let resized = resize(&flat(Extent::new(w, h), rgba), Extent::new(to_w, to_h), filter);
                prop_assert_eq!(resized, flat(Extent::new(to_w, to_h), rgba));
            }
        }
    }

    #[test]
    fn the_mean_of_a_mask_is_that_of_what_each_pixel_touches() {
        let mask =
            Mask::from_bytes(Extent::new(4, 3), vec![0, 100, 255, 255, 50, 50, 255, 255, 10, 20, 30, 41]).unwrap();
        let small = resize_mask_mean(&mask, Extent::new(2, 1));
        assert_eq!(small.bytes(), [38, 182], "whole columns of three rows");
        let large = resize_mask_mean(&small, Extent::new(3, 2));
        assert_eq!(large.bytes(), [38, 110, 182, 38, 110, 182], "the pixel in the middle touches both");
        assert!(resize_mask_mean(&Mask::new(Extent::new(0, 5)), Extent::new(2, 2)).bytes() == [0; 4]);
    }
}
