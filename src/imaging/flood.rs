//! Pixels of like colour: the magic wand and the bucket.

use super::mask::Mask;
use super::morphology;
use crate::base::Extent;

/// What counts as alike, and what is made of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// The most that any channel may differ from the pixel chosen, 0 to 255; colours are weighted by their alpha, so
    /// that all transparent pixels are alike.
    pub tolerance: u8,
    /// Only what hangs together with the pixel chosen, by its sides; else all of the picture.
    pub contiguous: bool,
    /// A soft rim of one pixel round the hard edge.
    pub antialias: bool,
    /// Pixels by which the result is made larger; 0 or more.
    pub grow: f32,
}

impl Default for Likeness {
    fn default() -> Self {
        Self { tolerance: 32, contiguous: true, antialias: true, grow: 0.0 }
    }
}

/// The pixels of a picture of `extent` that are like the one at `seed` (column, row). `pixel` reads straight RGBA.
/// A seed outside gives an empty mask.
pub fn alike(
    extent: Extent,
    seed: (u32, u32),
    likeness: &Likeness,
    mut pixel: impl FnMut(u32, u32) -> [u8; 4],
) -> Mask {
    if seed.0 >= extent.width || seed.1 >= extent.height {
        return Mask::new(extent);
    }
    let chosen = weighted(pixel(seed.0, seed.1));
    let tolerance = likeness.tolerance;
    let like = |x: u32, y: u32| {
        let differs = |(a, b): (u8, u8)| a.abs_diff(b) > tolerance;
        !weighted(pixel(x, y)).into_iter().zip(chosen).any(differs)
    };
    let hard = if likeness.contiguous { connected(extent, seed, like) } else { everywhere(extent, like) };
    let grown = if likeness.grow > 0.0 { morphology::grown(&hard, likeness.grow) } else { hard };
    if likeness.antialias { softened(&grown) } else { grown }
}

fn weighted([r, g, b, a]: [u8; 4]) -> [u8; 4] {
    let by = |c: u8| ((u32::from(c) * u32::from(a) + 127) / 255) as u8;
    [by(r), by(g), by(b), a]
}

fn everywhere(extent: Extent, mut like: impl FnMut(u32, u32) -> bool) -> Mask {
    let mut mask = Mask::new(extent);
    let width = (extent.width as usize).max(1);
    for (y, row) in (0..).zip(mask.bytes_mut().chunks_exact_mut(width)) {
        for (x, value) in (0..).zip(row) {
            *value = if like(x, y) { 255 } else { 0 };
        }
    }
    mask
}

/// Fills run by run: each run of like pixels is marked whole, and the rows above and below it are searched for runs
/// that touch it.
fn connected(extent: Extent, seed: (u32, u32), mut like: impl FnMut(u32, u32) -> bool) -> Mask {
    let mut mask = Mask::new(extent);
    let width = extent.width as usize;
    let mut waiting = vec![seed];
    while let Some((x, y)) = waiting.pop() {
        let start = y as usize * width;
        let Some(row) = mask.bytes_mut().get_mut(start..start + width) else {
            continue;
        };
        let mut open = |row: &[u8], x: u32| row.get(x as usize) == Some(&0) && like(x, y);
        if !open(row, x) {
            continue;
        }
        let (mut left, mut right) = (x, x + 1);
        while left > 0 && open(row, left - 1) {
            left -= 1;
        }
        while right < extent.width && open(row, right) {
            right += 1;
        }
        row.get_mut(left as usize..right as usize).unwrap_or_default().fill(255);
        let neighbours = [y.checked_sub(1), Some(y + 1).filter(|below| *below < extent.height)];
        for y in neighbours.into_iter().flatten() {
            let mut inside = false;
            for x in left..right {
                let free = mask.bytes().get(y as usize * width + x as usize) == Some(&0) && like(x, y);
                if free && !inside {
                    waiting.push((x, y));
                }
                inside = free;
            }
        }
    }
    mask
}

/// Outside pixels at the edge get a share of what touches them: 2 parts of 12 for each side, 1 for each corner.
fn softened(mask: &Mask) -> Mask {
    let (width, height) = (mask.extent().width as i64, mask.extent().height as i64);
    let at = |x: i64, y: i64| {
        let inside = x >= 0 && y >= 0 && x < width && y < height;
        inside.then(|| mask.bytes().get((y * width + x) as usize).copied()).flatten().map_or(0, u32::from)
    };
    let mut result = mask.clone();
    for (y, row) in (0..).zip(result.bytes_mut().chunks_exact_mut((width as usize).max(1))) {
        for (x, value) in (0..).zip(row).filter(|(_, value)| **value < 255) {
            let sides = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
            let corners = at(x - 1, y - 1) + at(x + 1, y - 1) + at(x - 1, y + 1) + at(x + 1, y + 1);
            *value = (*value).max(((2 * sides + corners + 6) / 12) as u8);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(tolerance: u8, contiguous: bool) -> Likeness {
        Likeness { tolerance, contiguous, antialias: false, grow: 0.0 }
    }

    /// Grey levels in rows of `width`.
    fn select(width: u32, grey: &[u8], seed: (u32, u32), likeness: &Likeness) -> Vec<u8> {
        let extent = Extent::new(width, grey.len() as u32 / width);
        let read = |x: u32, y: u32| [grey[(y * width + x) as usize]; 3];
        let mask = alike(extent, seed, likeness, |x, y| {
            let [r, g, b] = read(x, y);
            [r, g, b, 255]
        });
        mask.bytes().to_vec()
    }

    #[test]
    fn corners_do_not_connect_and_tolerance_is_inclusive() {
        let grey = [10, 90, 20, 90, 10, 90, 10, 90, 31];
        assert_eq!(select(3, &grey, (1, 1), &plain(10, true)), [0, 0, 0, 0, 255, 0, 0, 0, 0]);
        assert_eq!(select(3, &grey, (1, 1), &plain(10, false)), [255, 0, 255, 0, 255, 0, 255, 0, 0]);
        assert_eq!(select(3, &grey, (1, 1), &plain(21, false)), [255, 0, 255, 0, 255, 0, 255, 0, 255]);
    }

    #[test]
    fn the_unseen_colour_does_not_matter() {
        let pixels = [[255, 0, 0, 0], [0, 255, 0, 0], [0, 255, 0, 40]];
        let mask = alike(Extent::new(3, 1), (0, 0), &plain(0, true), |x, _| pixels[x as usize]);
        assert_eq!(mask.bytes(), [255, 255, 0]);
    }

    #[test]
    fn a_seed_outside_finds_nothing() {
        assert_eq!(select(2, &[1, 1], (2, 0), &plain(255, false)), [0, 0]);
        assert!(alike(Extent::new(0, 0), (0, 0), &plain(0, true), |_, _| [0; 4]).is_empty());
    }

    #[test]
    fn the_rim_is_soft_and_growing_reaches_farther() {
        let mut grey = vec![200; 81];
        grey[40] = 0;
        let soft = Likeness { antialias: true, ..plain(0, true) };
        let point = select(9, &grey, (4, 4), &soft);
        assert_eq!((point[40], point[41], point[50], point[42]), (255, 43, 21, 0));
        let grown = select(9, &grey, (4, 4), &Likeness { grow: 2.0, ..plain(0, true) });
        assert_eq!((grown[42], grown[43], grown[49]), (255, 0, 255));
    }

    proptest! {
        #[test]
        fn filling_is_what_a_search_finds(
            width in 1u32..14, cells in proptest::collection::vec(0u8..4, 1..160), seed: prop::sample::Index, tolerance in 0u8..3,
        ) {
            let height = (cells.len() as u32 / width).max(1);
            let mut grey = cells;
            grey.resize((width * height) as usize, 0);
            let start = seed.index(grey.len());
            let like = |i: usize| grey[i].abs_diff(grey[start]) <= tolerance;
            // Spreads until nothing changes.
            let mut expected = vec![false; grey.len()];
            expected[start] = true;
            loop {
                let before = expected.clone();
                for i in 0..grey.len() {
                    let (x, y) = (i as u32 % width, i as u32 / width);
                    let w = width as usize;
                    let touches = (x > 0 && before[i - 1]) || (x + 1 < width && before[i + 1])
                        || (y > 0 && before[i - w]) || (y + 1 < height && before[i + w]);
                    expected[i] |= touches && like(i);
                }
                if before == expected {
                    break;
                }
            }
            let at = (start as u32 % width, start as u32 / width);
            let found = select(width, &grey, at, &plain(tolerance, true));
            prop_assert_eq!(found, expected.iter().map(|e| if *e { 255 } else { 0 }).collect::<Vec<u8>>());
            let all = select(width, &grey, at, &plain(tolerance, false));
            prop_assert_eq!(all, (0..grey.len()).map(|i| if like(i) { 255 } else { 0 }).collect::<Vec<u8>>());
        }
    }
}
