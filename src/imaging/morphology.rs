//! Masks made larger, smaller, softer, or only their edge.
//!
//! The canvas has no edge here: what lies beyond it is as what lies at it, so a mask that touches the border of the
//! picture neither shrinks away from it nor fades there.

use super::mask::Mask;

/// From this coverage on, a pixel counts as inside.
pub const INSIDE: u8 = 128;
/// Larger radii than any picture make no difference.
const WIDEST: f32 = 65536.0;
/// Larger than the square of any distance in a picture.
const FAR: i64 = 1 << 40;

/// The mask with everything within `radius` pixels of an inside pixel (centre to centre, a round brush) added; the
/// new edge is soft over the next pixel. A radius of 0 (or negative, or NaN) gives the mask as it is.
#[must_use]
pub fn grown(mask: &Mask, radius: f32) -> Mask {
    let mut result = mask.clone();
    let (Some(radius), Some(distances)) = (sensible(radius), squared_distances(mask, |v| v >= INSIDE)) else {
        return result;
    };
    for (value, squared) in result.bytes_mut().iter_mut().zip(distances) {
        *value = (*value).max(within(squared, radius));
    }
    result
}

/// The mask without everything within `radius` pixels of an outside pixel: the outside grown.
#[must_use]
pub fn shrunk(mask: &Mask, radius: f32) -> Mask {
    let mut result = mask.clone();
    let (Some(radius), Some(distances)) = (sensible(radius), squared_distances(mask, |v| v < INSIDE)) else {
        return result;
    };
    for (value, squared) in result.bytes_mut().iter_mut().zip(distances) {
        *value = (*value).min(255 - within(squared, radius));
    }
    result
}

/// A band along the edge of the mask, half of `width` pixels on either side of it; empty where there is no edge.
#[must_use]
pub fn border(mask: &Mask, width: f32) -> Mask {
    let mut outer = grown(mask, width / 2.0);
    let inner = shrunk(mask, width / 2.0);
    for (value, without) in outer.bytes_mut().iter_mut().zip(inner.bytes()) {
        *value = (*value).min(255 - without);
    }
    outer
}

/// 255 up to `radius`, 0 from one pixel beyond it.
fn within(squared: i64, radius: f64) -> u8 {
    ((radius + 1.0 - (squared as f64).sqrt()).clamp(0.0, 1.0) * 255.0).round() as u8
}

fn sensible(radius: f32) -> Option<f64> {
    (radius > 0.0).then(|| f64::from(radius.min(WIDEST)))
}

/// Squared distance of each pixel to the nearest one whose coverage is a site, exact; `None` if there is no site. The
/// lower envelope of parabolas, down the columns and then along the rows (Felzenszwalb and Huttenlocher, 2012).
fn squared_distances(mask: &Mask, site: impl Fn(u8) -> bool) -> Option<Vec<i64>> {
    let width = mask.extent().width as usize;
    let mut distances: Vec<i64> = mask.bytes().iter().map(|&v| if site(v) { 0 } else { FAR }).collect();
    if !distances.contains(&0) {
        return None;
    }
    // Down the columns the envelope is that of the distances themselves: two sweeps.
    let mut along = vec![FAR; width];
    let mut sweep = |row: &mut [i64]| {
        for (value, steps) in row.iter_mut().zip(&mut along) {
            *steps = if *value == 0 { 0 } else { (*steps + 1).min(FAR) };
            *value = (*value).min(*steps);
        }
    };
    distances.chunks_exact_mut(width).for_each(&mut sweep);
    // From below, and the first sweep's last row is where the second starts.
    let mut along = vec![FAR; width];
    for row in distances.chunks_exact_mut(width).rev() {
        for (value, steps) in row.iter_mut().zip(&mut along) {
            *steps = (*steps + 1).min(*value);
            *value = *steps;
        }
    }
    let mut envelope = Vec::with_capacity(width);
    for row in distances.chunks_exact_mut(width) {
        nearest_along(row, &mut envelope);
    }
    Some(distances)
}

/// `row` holds the distance to the nearest site of each column ([`FAR`] or more: none) and gets the squared distance
/// to the nearest of all. `envelope` is room to work in: where each parabola has its lowest point, its height there,
/// and the column from which it is the lowest.
fn nearest_along(row: &mut [i64], envelope: &mut Vec<(i64, i64, i64)>) {
    envelope.clear();
    for (x, &steps) in row.iter().enumerate().filter(|(_, steps)| **steps < FAR) {
        let (x, height) = (x as i64, steps * steps);
        let from = loop {
            let Some(&(old, old_height, old_from)) = envelope.last() else {
                break 0;
            };
            // The first column at which the new parabola is lower.
            let from = (height + x * x - old_height - old * old).div_euclid(2 * (x - old)) + 1;
            if from > old_from {
                break from;
            }
            envelope.pop();
        };
        envelope.push((x, height, from));
    }
    let mut parabolas = envelope.iter().peekable();
    let mut current = parabolas.next();
    for (x, value) in row.iter_mut().enumerate() {
        let x = x as i64;
        while parabolas.peek().is_some_and(|next| next.2 <= x) {
            current = parabolas.next();
        }
        if let Some(&(lowest, height, _)) = current {
            *value = (x - lowest) * (x - lowest) + height;
        }
    }
}

/// The mask blurred by a Gaussian with a standard deviation of half of `radius` pixels, so that an edge falls off
/// over about `radius` on either side of it. Three box blurs of fractional width stand for the Gaussian: the time
/// does not depend on the radius. A radius of 0 (or negative, or NaN) gives the mask as it is.
#[must_use]
pub fn feather(mask: &Mask, radius: f32) -> Mask {
    let Some(radius) = sensible(radius).filter(|_| !mask.extent().is_empty()) else {
        return mask.clone();
    };
    let deviation = radius / 2.0;
    let extent = mask.extent();
    let (width, height) = (extent.width as usize, extent.height as usize);
    let mut values: Vec<f32> = mask.bytes().iter().map(|&v| f32::from(v)).collect();
    let mut line = vec![0.0; width];
    for row in values.chunks_exact_mut(width) {
        for _ in 0..PASSES {
            line.copy_from_slice(row);
            blur_line(&line, row, &Box1::of(deviation, width));
        }
    }
    let mut copy = vec![0.0; values.len()];
    for _ in 0..PASSES {
        copy.copy_from_slice(&values);
        blur_columns(&copy, &mut values, width, &Box1::of(deviation, height));
    }
    let bytes = values.iter().map(|v| (v + 0.5) as u8).collect();
    Mask::from_bytes(extent, bytes).unwrap_or_else(|| mask.clone())
}

/// How far away a pixel may be, in pixels, that has a say in what [`feather`] makes of another.
pub fn blur_reach(radius: f32) -> usize {
    sensible(radius).map_or(0, |radius| PASSES * (Box1::of(radius / 2.0, usize::MAX / 8).reach + 1))
}

/// Box blurs that make a Gaussian.
const PASSES: usize = 3;

/// A box of 2·`reach` + 1 pixels of full weight and two of weight `rim` at its ends, all to be divided by `total`.
struct Box1 {
    reach: usize,
    rim: f64,
    total: f64,
}

impl Box1 {
    /// The box of which [`PASSES`] have the variance of a Gaussian, on a line of `length` pixels.
    fn of(deviation: f64, length: usize) -> Self {
        let variance = deviation * deviation / PASSES as f64;
        let reach = (((12.0 * variance + 1.0).sqrt() - 1.0) / 2.0).floor();
        // Σ k² for the full ones, and `rim` so that the variance comes out.
        let squares = reach * (reach + 1.0) * (2.0 * reach + 1.0) / 3.0;
        let full = 2.0 * reach + 1.0;
        let rim = (variance * full - squares) / (2.0 * ((reach + 1.0).powi(2) - variance));
        // A box longer than the line on either side sees little but its two ends.
        let reach = (reach as usize).min(4 * length);
        Self { reach, rim, total: (2 * reach + 1) as f64 + 2.0 * rim }
    }
}

/// The values of `from` averaged over the box, with its first and last value going on for ever.
fn blur_line(from: &[f32], to: &mut [f32], kernel: &Box1) {
    let last = from.len().saturating_sub(1) as i64;
    let at = |i: i64| from.get(i.clamp(0, last) as usize).copied().map_or(0.0, f64::from);
    let reach = kernel.reach as i64;
    let mut sum: f64 = (-reach..=reach).map(at).sum();
    for (x, value) in (0..).zip(to) {
        let ends = at(x - reach - 1) + at(x + reach + 1);
        *value = ((sum + ends * kernel.rim) / kernel.total) as f32;
        sum += at(x + reach + 1) - at(x - reach);
    }
}

/// As [`blur_line`] for every column, a row at a time.
fn blur_columns(from: &[f32], to: &mut [f32], width: usize, kernel: &Box1) {
    let last = (from.len() / width.max(1)).saturating_sub(1) as i64;
    let row = |y: i64| {
        let start = y.clamp(0, last) as usize * width;
        from.get(start..start + width).unwrap_or_default()
    };
    let reach = kernel.reach as i64;
    let mut sums = vec![0.0; width];
    for y in -reach..=reach {
        sums.iter_mut().zip(row(y)).for_each(|(sum, v)| *sum += f64::from(*v));
    }
    for (y, values) in (0..).zip(to.chunks_exact_mut(width)) {
        let (above, below, leaving) = (row(y - reach - 1), row(y + reach + 1), row(y - reach));
        let rows = above.iter().zip(below).zip(leaving);
        for ((value, sum), ((above, below), leaving)) in values.iter_mut().zip(&mut sums).zip(rows) {
            let (above, below) = (f64::from(*above), f64::from(*below));
            *value = ((*sum + (above + below) * kernel.rim) / kernel.total) as f32;
            *sum += below - f64::from(*leaving);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Extent;
    use proptest::prelude::*;

    fn masks() -> impl Strategy<Value = Mask> {
        let value = prop_oneof![4 => Just(0u8), 2 => Just(255u8), 1 => any::<u8>()];
        (1u32..20, 1u32..20).prop_flat_map(move |(w, h)| {
            proptest::collection::vec(value.clone(), (w * h) as usize)
                .prop_map(move |bytes| Mask::from_bytes(Extent::new(w, h), bytes).unwrap())
        })
    }

    /// By looking at all pixels.
    fn nearest(mask: &Mask, at: usize, site: impl Fn(u8) -> bool) -> Option<i64> {
        let width = mask.extent().width as usize;
        let place = |i: usize| ((i % width) as i64, (i / width) as i64);
        let (x, y) = place(at);
        let sites = mask.bytes().iter().enumerate().filter(|(_, v)| site(**v));
        sites.map(|(i, _)| (place(i).0 - x).pow(2) + (place(i).1 - y).pow(2)).min()
    }

    fn inverted(mask: &Mask) -> Mask {
        Mask::from_bytes(mask.extent(), mask.bytes().iter().map(|v| 255 - v).collect()).unwrap()
    }

    #[test]
    fn a_point_grows_to_a_disc_and_back() {
        let mut point = Mask::new(Extent::new(41, 41));
        point.bytes_mut()[20 * 41 + 20] = 255;
        let disc = grown(&point, 10.0);
        let at = |mask: &Mask, x: usize, y: usize| mask.bytes()[y * 41 + x];
        assert_eq!([at(&disc, 30, 20), at(&disc, 20, 10), at(&disc, 26, 28), at(&disc, 31, 20)], [255, 255, 255, 0]);
        assert_eq!(at(&disc, 28, 28), 0);
        assert_eq!(at(&disc, 27, 28), ((11.0 - 113f64.sqrt()) * 255.0).round() as u8);
        let back = shrunk(&disc, 10.0);
        assert!(at(&back, 20, 20) >= INSIDE);
        assert!(back.bytes().iter().filter(|v| **v >= INSIDE).count() <= 5);
    }

    #[test]
    fn a_border_lies_on_the_edge_alone() {
        let bytes = (0..40).map(|x| if x < 20 { 255 } else { 0 }).collect();
        let band = border(&Mask::from_bytes(Extent::new(40, 1), bytes).unwrap(), 6.0);
        let expected: Vec<u8> = (0..40).map(|x| if (17..23).contains(&x) { 255 } else { 0 }).collect();
        assert_eq!(band.bytes(), expected);
        assert!(border(&Mask::new(Extent::new(9, 9)), 4.0).is_empty());
    }

    #[test]
    fn odd_radii_and_empty_masks_are_as_they_were() {
        let mask = Mask::from_bytes(Extent::new(3, 1), vec![255, 0, 7]).unwrap();
        for radius in [0.0, -2.0, f32::NAN] {
            assert_eq!(
                [grown(&mask, radius), shrunk(&mask, radius), feather(&mask, radius)],
                [(); 3].map(|()| mask.clone())
            );
        }
        assert_eq!(grown(&mask, f32::INFINITY).bytes(), [255; 3]);
        assert_eq!(shrunk(&mask, f32::INFINITY).bytes(), [0; 3]);
        for empty in [Extent::new(0, 0), Extent::new(0, 3), Extent::new(3, 0)].map(Mask::new) {
            assert!(grown(&empty, 3.0).is_empty() && shrunk(&empty, 3.0).is_empty() && feather(&empty, 3.0).is_empty());
        }
    }

    #[test]
    fn a_feathered_edge_is_the_integral_of_a_gaussian() {
        for radius in [3.0f32, 8.0, 24.0] {
            let bytes = (0..200).map(|x| if x < 100 { 255 } else { 0 }).collect();
            let soft = feather(&Mask::from_bytes(Extent::new(200, 1), bytes).unwrap(), radius);
            // Φ(1) = 0.8413, Φ(2) = 0.9772; the edge is at 99.5.
            let at = |deviations: f32| {
                let x = 99.5 - deviations * radius / 2.0;
                let (low, share) = (x.floor() as usize, x - x.floor());
                f32::from(soft.bytes()[low]) * (1.0 - share) + f32::from(soft.bytes()[low + 1]) * share
            };
            for (deviations, share) in [(0.0, 0.5), (1.0, 0.8413), (-1.0, 0.1587), (2.0, 0.9772), (-2.0, 0.0228)] {
                assert!((at(deviations) / 255.0 - share).abs() < 0.02, "{radius} {deviations} {}", at(deviations));
            }
        }
    }

    proptest! {
        #[test]
        fn distances_are_those_of_a_search(mask in masks()) {
            let found = squared_distances(&mask, |v| v >= INSIDE);
            for at in 0..mask.bytes().len() {
                let exact = nearest(&mask, at, |v| v >= INSIDE);
                prop_assert_eq!(found.as_ref().map(|f| f[at]), exact);
            }
        }

        #[test]
        fn growing_is_a_round_dilation(mask in masks(), radius in 0.5f32..9.0) {
            let larger = grown(&mask, radius);
            for (at, (before, after)) in mask.bytes().iter().zip(larger.bytes()).enumerate() {
                let distance = nearest(&mask, at, |v| v >= INSIDE).map(|d| (d as f32).sqrt());
                match distance {
                    Some(d) if d <= radius => prop_assert_eq!(*after, 255),
                    Some(d) if d < radius + 1.0 => prop_assert!(after >= before),
                    _ => prop_assert_eq!(after, before),
                }
            }
        }

        #[test]
        fn shrinking_is_growing_the_outside(mask in masks(), radius in 0.5f32..9.0) {
            // 127 and 128 change sides when inverted; as a rule they are both inside or out.
            let clear = Mask::from_bytes(mask.extent(), mask.bytes().iter().map(|v| v & 0xf0).collect()).unwrap();
            prop_assert_eq!(shrunk(&clear, radius), inverted(&grown(&inverted(&clear), radius)));
        }

        #[test]
        fn a_feather_keeps_constants_and_order(value: u8, mask in masks(), radius in 0.1f32..30.0) {
            let even = Mask::from_bytes(mask.extent(), vec![value; mask.bytes().len()]).unwrap();
            prop_assert_eq!(&feather(&even, radius), &even);
            let soft = feather(&mask, radius);
            let (low, high) = (mask.bytes().iter().min().unwrap(), mask.bytes().iter().max().unwrap());
            prop_assert!(soft.bytes().iter().all(|v| v >= low && v <= high));
        }
    }
}
