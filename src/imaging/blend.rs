//! Joining a repainted part with the picture around it.

use super::mask::Mask;
use super::pixmap::Pixmap;
use crate::base::{Problem, ProblemKind};

/// From this coverage on, a pixel counts as inside: the rounding that image models apply to masks.
const INSIDE: u8 = 128;
/// Wider feathers than any picture make no difference.
const WIDEST: f32 = 65536.0;

/// The mask with a soft edge that falls off outwards, over `radius` pixels.
///
/// What is inside (128 or more) is repainted whole: it becomes 255. Around it, with d the Euclidean distance to the
/// nearest inside pixel, coverage is smoothstep(1 − d / (radius + ½)), and exactly 0 at d > radius; where the given
/// mask covers more, its own value stays. So pixels farther than `radius` from the mask are untouched by [`paste`].
/// A radius of 0 (or negative, or NaN) gives the mask as it is.
pub fn feathered(mask: &Mask, radius: f32) -> Mask {
    if radius.is_nan() || radius <= 0.0 || mask.bytes().iter().all(|&v| v < INSIDE) {
        return mask.clone();
    }
    spread(mask, 0.0, radius)
}

/// The mask made wider: everything within `solid` pixels (Euclidean) of an inside pixel (128 or more) becomes 255, and
/// from there it falls off as in [`feathered`], over `fade` pixels, to exactly 0 at a distance of more than their sum.
/// Where the given mask covers more, its own value stays. Negative distances and NaN count as 0.
pub fn spread(mask: &Mask, solid: f32, fade: f32) -> Mask {
    if mask.bytes().iter().all(|&v| v < INSIDE) {
        return mask.clone();
    }
    let distance = |pixels: f32| if pixels > 0.0 { f64::from(pixels.min(WIDEST)) } else { 0.0 };
    let (solid, fade) = (distance(solid), distance(fade));
    let (near, farthest) = (solid * solid, (solid + fade) * (solid + fade));
    let mut result = mask.clone();
    for (value, squared) in result.bytes_mut().iter_mut().zip(squared_distances(mask)) {
        let squared = squared as f64;
        if squared <= near {
            *value = 255;
        } else if squared <= farthest {
            let t = 1.0 - (squared.sqrt() - solid) / (fade + 0.5);
            let coverage = t * t * (3.0 - 2.0 * t);
            *value = (*value).max((coverage * 255.0).round() as u8);
        }
    }
    result
}

/// Squared distance of each pixel to the nearest inside one, exact: the two passes of Meijster, Roerdink and
/// Hesselink (2000). At least one pixel is inside.
fn squared_distances(mask: &Mask) -> Vec<i64> {
    let width = mask.extent().width as usize;
    let mut distances = column_distances(mask);
    let mut columns = vec![0; width];
    // Parabolas of the lower envelope: the column of the lowest point, and where the parabola takes over.
    let mut envelope: Vec<(i64, i64)> = Vec::with_capacity(width);
    for row in distances.chunks_exact_mut(width.max(1)) {
        columns.copy_from_slice(row);
        let squared = |x: i64, site: i64| (x - site) * (x - site) + columns[site as usize] * columns[site as usize];
        envelope.clear();
        for site in 0..width as i64 {
            while envelope.last().is_some_and(|&(old, from)| squared(from, old) > squared(from, site)) {
                envelope.pop();
            }
            let from = match envelope.last() {
                None => 0,
                Some(&(old, _)) => 1 + (squared(0, site) - squared(0, old)).div_euclid(2 * (site - old)),
            };
            if from < width as i64 {
                envelope.push((site, from));
            }
        }
        for (x, value) in row.iter_mut().enumerate().rev() {
            let x = x as i64;
            if let Some(&(site, from)) = envelope.last() {
                *value = squared(x, site);
                if x == from {
                    envelope.pop();
                }
            }
        }
    }
    distances
}

/// Distance of each pixel to the nearest inside one of its column; width + height if there is none.
fn column_distances(mask: &Mask) -> Vec<i64> {
    let (width, height) = (mask.extent().width as usize, mask.extent().height as usize);
    let none = (width + height) as i64;
    let mut distances: Vec<i64> = mask.bytes().iter().map(|&v| if v >= INSIDE { 0 } else { none }).collect();
    for at in width..distances.len() {
        distances[at] = distances[at].min(distances[at - width] + 1);
    }
    for at in (0..distances.len().saturating_sub(width)).rev() {
        distances[at] = distances[at].min(distances[at + width] + 1);
    }
    distances
}

/// Lays `patch` over `base` through the mask: 0 keeps the base's bytes, 255 takes the patch's, and between them the
/// premultiplied colours are mixed (for equal alpha: each channel rounded to the nearest).
///
/// # Errors
/// [`ProblemKind::MaskSizeDiffers`] if the mask or the patch is not of the base's size.
pub fn paste(base: &Pixmap, patch: &Pixmap, mask: &Mask) -> Result<Pixmap, Problem> {
    let differs = |other, what: &str| {
        Problem::new(ProblemKind::MaskSizeDiffers)
            .with("mask", other)
            .with("picture", base.extent())
            .detail(format!("the {what} is {other}, the picture {}", base.extent()))
    };
    if mask.extent() != base.extent() {
        return Err(differs(mask.extent(), "mask"));
    }
    if patch.extent() != base.extent() {
        return Err(differs(patch.extent(), "patch"));
    }
    let mut result = base.clone();
    let pixels = result.rgba_mut().chunks_exact_mut(4).zip(patch.rgba().chunks_exact(4));
    for ((under, over), &share) in pixels.zip(mask.bytes()) {
        match share {
            0 => {}
            255 => under.copy_from_slice(over),
            _ => mix(under, over, u32::from(share)),
        }
    }
    Ok(result)
}

/// `under` becomes the mixture with `share` / 255 of `over`.
fn mix(under: &mut [u8], over: &[u8], share: u32) {
    let ([.., under_alpha], [.., over_alpha]) = (&*under, over) else {
        return;
    };
    let under_weight = u32::from(*under_alpha) * (255 - share);
    let over_weight = u32::from(*over_alpha) * share;
    let weight = under_weight + over_weight;
    if weight == 0 {
        return;
    }
    for (u, o) in under.iter_mut().zip(over).take(3) {
        *u = ((u32::from(*u) * under_weight + u32::from(*o) * over_weight + weight / 2) / weight) as u8;
    }
    if let Some(alpha) = under.last_mut() {
        *alpha = ((weight + 127) / 255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Extent;
    use proptest::prelude::*;

    /// Base colour, patch colour, coverage.
    type Joint = ([u8; 3], [u8; 3], u8);

    fn masks() -> impl Strategy<Value = Mask> {
        let value = prop_oneof![6 => Just(0u8), 1 => Just(255u8), 1 => any::<u8>()];
        (1u32..24, 1u32..24).prop_flat_map(move |(w, h)| {
            proptest::collection::vec(value.clone(), (w * h) as usize)
                .prop_map(move |bytes| Mask::from_bytes(Extent::new(w, h), bytes).unwrap())
        })
    }

    fn nearest_by_search(mask: &Mask, x: i64, y: i64, inside: impl Fn(u8) -> bool) -> Option<i64> {
        let width = i64::from(mask.extent().width);
        let sites = mask.bytes().iter().enumerate().filter(|(_, v)| inside(**v)).map(|(i, _)| i as i64);
        sites.map(|i| (i % width - x).pow(2) + (i / width - y).pow(2)).min()
    }

    #[test]
    fn a_wide_feather_is_smooth_and_round() {
        let extent = Extent::new(65, 65);
        let mut mask = Mask::new(extent);
        mask.bytes_mut()[32 * 65 + 32] = 255;
        let soft = feathered(&mask, 20.0);
        let at = |x: usize, y: usize| soft.bytes()[y * 65 + x];
        assert_eq!(at(32, 32), 255);
        for d in 1..=20 {
            assert!(at(32 + d, 32) < at(32 + d - 1, 32));
            assert!(at(32 + d - 1, 32) - at(32 + d, 32) < 25);
        }
        assert_eq!([at(53, 32), at(32, 53), at(32 + 15, 32 + 15)], [0, 0, 0]);
        assert_eq!(at(32 + 12, 32 + 16), at(32 + 20, 32));
    }

    #[test]
    fn odd_radii_and_empty_masks() {
        let mask = Mask::from_bytes(Extent::new(2, 1), vec![255, 0]).unwrap();
        for radius in [0.0, -3.0, f32::NAN, f32::NEG_INFINITY] {
            assert_eq!(feathered(&mask, radius), mask);
        }
        assert_eq!(feathered(&mask, f32::INFINITY).bytes(), [255, 255]);
        for extent in [Extent::new(0, 0), Extent::new(0, 4), Extent::new(5, 3)] {
            assert!(feathered(&Mask::new(extent), 8.0).is_empty());
        }
    }

    #[test]
    fn other_sizes_are_refused() {
        let base = Pixmap::new(Extent::new(4, 4));
        let problem = paste(&base, &base, &Mask::new(Extent::new(4, 3))).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::MaskSizeDiffers);
        assert_eq!((problem.arg("mask"), problem.arg("picture")), (Some("4×3"), Some("4×4")));
        let patch = Pixmap::new(Extent::new(5, 4));
        assert!(paste(&base, &patch, &Mask::new(base.extent())).is_err());
    }

    #[test]
    fn a_transparent_base_does_not_darken() {
        let extent = Extent::new(1, 1);
        let patch = Pixmap::from_rgba(extent, vec![200, 100, 50, 255]).unwrap();
        let mask = Mask::from_bytes(extent, vec![128]).unwrap();
        assert_eq!(paste(&Pixmap::new(extent), &patch, &mask).unwrap().rgba(), [200, 100, 50, 128]);
    }

    proptest! {
        #[test]
        fn distances_are_those_of_a_search(mask in masks()) {
            prop_assume!(mask.bytes().iter().any(|&v| v >= INSIDE));
            let width = mask.extent().width as usize;
            for (i, &distance) in squared_distances(&mask).iter().enumerate() {
                let (x, y) = ((i % width) as i64, (i / width) as i64);
                prop_assert_eq!(Some(distance), nearest_by_search(&mask, x, y, |v| v >= INSIDE));
            }
        }

        #[test]
        fn spreading_is_solid_then_fades_then_ends(mask in masks(), solid in 0.0f32..8.0, fade in 0.0f32..8.0) {
            let wide = spread(&mask, solid, fade);
            let width = mask.extent().width as usize;
            for (i, (&before, &after)) in mask.bytes().iter().zip(wide.bytes()).enumerate() {
                let nearest = nearest_by_search(&mask, (i % width) as i64, (i / width) as i64, |v| v >= INSIDE);
                let within = |reach: f64| nearest.is_some_and(|d| d as f64 <= reach * reach);
                prop_assert!(after >= before);
                if within(f64::from(solid)) {
                    prop_assert_eq!(after, 255);
                } else if !within(f64::from(solid) + f64::from(fade)) {
                    prop_assert_eq!(after, before);
                }
            }
        }

        #[test]
        fn a_feather_keeps_the_inside_and_ends_at_its_radius(mask in masks(), radius in 0.1f32..12.0) {
            let soft = feathered(&mask, radius);
            let width = mask.extent().width as usize;
            for (i, (&before, &after)) in mask.bytes().iter().zip(soft.bytes()).enumerate() {
                prop_assert!(after >= before);
                prop_assert!(before < INSIDE || after == 255);
                let nearest = nearest_by_search(&mask, (i % width) as i64, (i / width) as i64, |v| v > 0);
                if nearest.is_none_or(|d| d as f64 > f64::from(radius).powi(2)) {
                    prop_assert_eq!(after, 0);
                }
            }
        }

        #[test]
        fn pasting_keeps_takes_and_rounds(pixels: Vec<Joint>, alpha in 1u8..) {
            let extent = Extent::new(pixels.len() as u32, 1);
            let side = |take: fn(&Joint) -> [u8; 3]| {
                let rgba = pixels.iter().flat_map(|p| { let [r, g, b] = take(p); [r, g, b, alpha] }).collect();
                Pixmap::from_rgba(extent, rgba).unwrap()
            };
            let (base, patch) = (side(|p| p.0), side(|p| p.1));
            let mask = Mask::from_bytes(extent, pixels.iter().map(|p| p.2).collect()).unwrap();
            let pasted = paste(&base, &patch, &mask).unwrap();
            for (pixel, (from, to, share)) in pasted.rgba().chunks_exact(4).zip(&pixels) {
                prop_assert_eq!(pixel[3], alpha);
                for c in 0..3 {
                    let exact = (f64::from(from[c]) * f64::from(255 - share) + f64::from(to[c]) * f64::from(*share)) / 255.0;
                    prop_assert!((f64::from(pixel[c]) - exact).abs() <= 0.5 + 1e-9);
                }
            }
        }

        #[test]
        fn no_byte_changes_outside_the_feathered_mask(mask in masks(), radius in 0.0f32..6.0, seed: u8) {
            let length = mask.extent().area() as usize * 4;
            let bytes = |k: u8| (0..length).map(|i| (i as u8).wrapping_mul(k).wrapping_add(seed)).collect();
            let base = Pixmap::from_rgba(mask.extent(), bytes(37)).unwrap();
            let patch = Pixmap::from_rgba(mask.extent(), bytes(91)).unwrap();
            let soft = feathered(&mask, radius);
            let pasted = paste(&base, &patch, &soft).unwrap();
            for (i, share) in soft.bytes().iter().enumerate() {
                let pixel = i * 4..i * 4 + 4;
                match share {
                    0 => prop_assert_eq!(&pasted.rgba()[pixel.clone()], &base.rgba()[pixel]),
                    255 => prop_assert_eq!(&pasted.rgba()[pixel.clone()], &patch.rgba()[pixel]),
                    _ => {}
                }
            }
        }
    }
}
