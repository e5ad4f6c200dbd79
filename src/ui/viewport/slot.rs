//! A tile as it lies on the graphics card: 64×64 texels and below them its halves, down to one texel.
//!
//! A slot is 64 texels wide and 96 high. Level 0 fills the upper 64 rows; level 1 lies at (0, 64), level 2 at (32, 64),
//! level 3 at (48, 64) and so on: each one right of the last. Tiles begin at multiples of 64 of the canvas, so the levels
//! of neighbours fit together as if the whole canvas had been halved.

use super::TILE;

const SIDE: usize = TILE as usize;
/// Texels of a tile.
pub const TILE_TEXELS: usize = SIDE * SIDE;
/// Rows of a slot.
pub const SLOT_HEIGHT: u32 = 96;
/// Texels of a slot.
pub const SLOT_TEXELS: usize = SIDE * SLOT_HEIGHT as usize;
/// Levels below the tile itself.
pub const LEVELS: u32 = TILE.ilog2();

/// A texel that can be averaged.
pub trait Texel: Copy + PartialEq + Default {
    fn mean(of: [Self; 4]) -> Self;
}

impl Texel for u8 {
    fn mean(of: [Self; 4]) -> Self {
        let sum: u16 = of.into_iter().map(u16::from).sum();
        ((sum + 2) >> 2) as u8
    }
}

/// Four channels of 8 bits, in any order: two at a time in the halves of a word.
impl Texel for u32 {
    fn mean(of: [Self; 4]) -> Self {
        const EVEN: u32 = 0x00ff_00ff;
        const HALF: u32 = 0x0002_0002;
        let [a, b, c, d] = of;
        let even = (a & EVEN) + (b & EVEN) + (c & EVEN) + (d & EVEN) + HALF;
        let odd = ((a >> 8) & EVEN) + ((b >> 8) & EVEN) + ((c >> 8) & EVEN) + ((d >> 8) & EVEN) + HALF;
        ((even >> 2) & EVEN) | (((odd >> 2) & EVEN) << 8)
    }
}

/// Makes a slot of a tile that lies in its upper rows. `inside`: columns and rows of the tile that are on the canvas,
/// at least 1; its border is repeated beyond them, so that the canvas does not fade towards its edge from afar.
pub fn build<T: Texel>(slot: &mut [T], inside: (usize, usize)) {
    debug_assert_eq!(slot.len(), SLOT_TEXELS);
    let (columns, rows) = (inside.0.clamp(1, SIDE), inside.1.clamp(1, SIDE));
    let (tile, below) = slot.split_at_mut(TILE_TEXELS);
    if columns < SIDE {
        for row in tile.chunks_exact_mut(SIDE).take(rows) {
            let edge = row[columns - 1];
            row[columns..].fill(edge);
        }
    }
    for row in rows..SIDE {
        tile.copy_within((rows - 1) * SIDE..rows * SIDE, row * SIDE);
    }
    for (pair, out) in tile.chunks_exact(2 * SIDE).zip(below.chunks_exact_mut(SIDE)) {
        let (upper, lower) = pair.split_at(SIDE);
        for ((a, b), out) in upper.chunks_exact(2).zip(lower.chunks_exact(2)).zip(out) {
            *out = T::mean([a[0], a[1], b[0], b[1]]);
        }
    }
    for level in 2..=LEVELS {
        let (from, to) = (left(level - 1), left(level));
        for y in 0..SIDE >> level {
            for x in 0..SIDE >> level {
                let at = 2 * y * SIDE + from + 2 * x;
                below[y * SIDE + to + x] = T::mean([below[at], below[at + 1], below[at + SIDE], below[at + SIDE + 1]]);
            }
        }
    }
}

/// Column where a level from 1 on begins.
fn left(level: u32) -> usize {
    SIDE - ((2 * SIDE) >> level)
}

/// The one texel of the last level: the mean of the tile.
pub fn mean<T: Texel>(slot: &[T]) -> T {
    slot.get(TILE_TEXELS + left(LEVELS)).copied().unwrap_or_default()
}

/// The value of a tile that has only one on the canvas. `bytes`: a tile, `size` bytes a texel.
pub fn flat(bytes: &[u8], size: usize, inside: (usize, usize)) -> Option<&[u8]> {
    let first = bytes.get(..size)?;
    let mut rows = bytes.chunks_exact(SIDE * size).take(inside.1);
    let same = rows.all(|row| row.chunks_exact(size).take(inside.0).all(|texel| texel == first));
    same.then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn levels_are_means_of_squares() {
        let mut slot = vec![0u8; SLOT_TEXELS];
        for (k, texel) in slot.iter_mut().take(TILE_TEXELS).enumerate() {
            *texel = ((k % SIDE) * 2 + (k / SIDE)) as u8;
        }
        let source = slot.clone();
        build(&mut slot, (SIDE, SIDE));
        assert_eq!(slot[..TILE_TEXELS], source[..TILE_TEXELS]);
        for level in 1..=LEVELS {
            let side = 1 << level;
            for y in 0..SIDE >> level {
                for x in 0..SIDE >> level {
                    let found = slot[TILE_TEXELS + y * SIDE + left(level) + x];
                    let square = (0..side * side).map(|k| source[(y * side + k / side) * SIDE + x * side + k % side]);
                    let mean = square.map(f64::from).sum::<f64>() / (side * side) as f64;
                    assert!((f64::from(found) - mean).abs() <= 1.0, "level {level} at {x}, {y}: {found}, {mean}");
                }
            }
        }
        assert!((f64::from(mean(&slot)) - 94.5).abs() <= 1.0);
    }

    #[test]
    fn the_border_goes_on_beyond_the_canvas() {
        let mut slot = vec![0u8; SLOT_TEXELS];
        for row in 0..3 {
            slot[row * SIDE..row * SIDE + 5].fill(200);
        }
        build(&mut slot, (5, 3));
        assert!(slot[..TILE_TEXELS].iter().all(|&t| t == 200));
        assert_eq!(mean(&slot), 200);
    }

    #[test]
    fn flat_tiles_are_seen_through_what_is_off_the_canvas() {
        let mut tile = vec![0u8; TILE_TEXELS * 4];
        for row in 0..2 {
            tile[row * SIDE * 4..][..3 * 4].copy_from_slice(&[1, 2, 3, 4].repeat(3));
        }
        assert_eq!(flat(&tile, 4, (3, 2)), Some(&[1, 2, 3, 4][..]));
        assert_eq!(flat(&tile, 4, (4, 2)), None);
        assert_eq!(flat(&[], 4, (4, 2)), None);
    }

    proptest! {
        #[test]
        fn four_channels_are_four_means(of in prop::array::uniform4(prop::array::uniform4(any::<u8>()))) {
            let found = u32::mean(of.map(u32::from_ne_bytes)).to_ne_bytes();
            for channel in 0..4 {
                prop_assert_eq!(found[channel], u8::mean(of.map(|texel| texel[channel])));
            }
        }
    }
}
