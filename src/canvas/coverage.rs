//! What a stroke has covered so far: built up dab by dab beside the document, and laid over it as a whole. So a
//! stroke that crosses itself is nowhere stronger than its opacity.

use super::dab::{Dab, FULL};
use super::hands::share as share_out;
use crate::base::IntRect;
use pulp::{Arch, NullaryFnOnce};
use std::collections::BTreeMap;

/// Side of a tile, in pixels.
pub const SIDE: i32 = 64;
/// From so many tiles on, work on them is shared among threads.
pub const MANY_TILES: usize = 64;

/// Coverage of one stroke in 64×64 tiles; [`FULL`] is all.
#[derive(Clone, Debug)]
pub struct Coverage {
    limits: IntRect,
    tiles: BTreeMap<(i32, i32), Box<[u16]>>,
}

impl Coverage {
    /// Nothing is covered; outside `limits` nothing ever will be.
    pub fn new(limits: IntRect) -> Self {
        Self { limits, tiles: BTreeMap::new() }
    }

    /// Lays a dab over what is there; gives the pixels that may have changed.
    pub fn add(&mut self, dab: &Dab) -> Option<IntRect> {
        let area = dab.bounds()?.intersect(self.limits)?;
        let tiles = |from: i32, to: i64| from.div_euclid(SIDE)..=((to - 1).div_euclid(i64::from(SIDE)) as i32);
        let (across, down) = (tiles(area.x, area.right()), tiles(area.y, area.bottom()));
        for place in across.clone().flat_map(|across| down.clone().map(move |down| (across, down))) {
            self.tiles.entry(place).or_insert_with(|| vec![0; (SIDE * SIDE) as usize].into());
        }
        let columns = self.tiles.range_mut((*across.start(), *down.start())..=(*across.end(), *down.end()));
        let touched: Vec<_> = columns.filter(|((_, y), _)| down.contains(y)).collect();
        share_out(touched, MANY_TILES, |(&(across, down), tile)| {
            let (left, top) = (across * SIDE, down * SIDE);
            let Some(part) = area.intersect(IntRect::new(left, top, SIDE as u32, SIDE as u32)) else {
                return;
            };
            Arch::new().dispatch(Rows { dab, tile, part, corner: (left, top) });
        });
        Some(area)
    }

    /// Coverage of a row of pixels of one tile, from column `x` to the tile's right edge; `None` where nothing is.
    pub fn row(&self, x: i32, y: i32) -> Option<&[u16]> {
        let tile = self.tiles.get(&(x.div_euclid(SIDE), y.div_euclid(SIDE)))?;
        let from = y.rem_euclid(SIDE) * SIDE;
        tile.get((from + x.rem_euclid(SIDE)) as usize..(from + SIDE) as usize)
    }

    /// Coverage of one pixel.
    pub fn at(&self, x: i32, y: i32) -> u16 {
        self.row(x, y).and_then(|row| row.first().copied()).unwrap_or(0)
    }
}

/// A dab over the part of a tile. A type of its own is compiled for the processor that is found; a closure would not be.
struct Rows<'a> {
    dab: &'a Dab,
    tile: &'a mut [u16],
    part: IntRect,
    /// Of the tile.
    corner: (i32, i32),
}

impl NullaryFnOnce for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { dab, tile, part, corner: (left, top) } = self;
        let rows = tile.chunks_exact_mut(SIDE as usize).zip(top..);
        for (row, y) in rows.skip((part.y - top) as usize).take(part.height as usize) {
            let from = (part.x - left) as usize;
            if let Some(row) = row.get_mut(from..from + part.width as usize) {
                dab.cover(row, part.x, y);
            }
        }
    }
}

/// A share of one in 16 bits, from a share of one in floating point.
pub fn share(value: f32) -> u16 {
    (value.clamp(0.0, 1.0) * f32::from(FULL) + 0.5) as u16
}

/// The product of two shares, rounded.
#[inline(always)]
pub fn times(a: u16, b: u16) -> u16 {
    // Nothing overflows; checks would keep it from being done for many at once.
    let product = u32::from(a).wrapping_mul(u32::from(b)).wrapping_add(0x8000);
    (product.wrapping_add(product >> 16) >> 16) as u16
}

/// `from` goes to `to` by `share`, rounded.
#[inline(always)]
pub fn toward(from: u8, to: u8, share: u16) -> u8 {
    let rest = u32::from(!share).wrapping_mul(u32::from(from));
    // The division by 65535, rounded.
    let sum = rest.wrapping_add(u32::from(share).wrapping_mul(u32::from(to))).wrapping_add(0x8000);
    (sum.wrapping_add(sum >> 16) >> 16) as u8
}

/// A colour laid over a pixel by `share`: straight alpha, 8 bits a channel. With `alpha_lock` the pixel's own alpha
/// stays and only its colour goes to the new one (what is transparent stays as it is).
pub fn over(pixel: [u8; 4], colour: [u8; 4], share: u16, alpha_lock: bool) -> [u8; 4] {
    let share = times(share, u16::from(colour[3]) * 257);
    if share == 0 || (alpha_lock && pixel[3] == 0) {
        return pixel;
    }
    if alpha_lock {
        let mix = |c: usize| toward(pixel[c], colour[c], share);
        return [mix(0), mix(1), mix(2), pixel[3]];
    }
    // In units of 1 / (255 · 65535), which 32 bits hold; one division for the colours, since a wide brush has a
    // million pixels a dab.
    let full = u32::from(FULL);
    let (top, under) = (u32::from(share) * 255, (full - u32::from(share)) * u32::from(pixel[3]));
    let weight = top + under;
    let part = top as f32 / weight as f32;
    let mix = |c: usize| {
        let from = f32::from(pixel[c]);
        (from + (f32::from(colour[c]) - from) * part + 0.5) as u8
    };
    [mix(0), mix(1), mix(2), ((weight + full / 2) / full) as u8]
}

/// As [`over`] without an alpha lock, for a row of at most [`SIDE`] pixels and as many shares: in arrays of fixed length
/// and without checks of overflow (which there is none), so that many pixels are done at once.
#[inline(always)]
pub fn over_row(pixels: &mut [[u8; 4]], colour: [u8; 4], shares: &[u16]) {
    const LENGTH: usize = SIDE as usize;
    let opaque = u16::from(colour[3]) * 257;
    let length = pixels.len().min(shares.len()).min(LENGTH);
    let (Some(pixels), Some(shares)) = (pixels.get_mut(..length), shares.get(..length)) else {
        return;
    };
    let (mut row, mut tops) = ([[0u8; 4]; LENGTH], [0u16; LENGTH]);
    row.iter_mut().zip(&*pixels).for_each(|(to, from)| *to = *from);
    tops.iter_mut().zip(shares).for_each(|(to, from)| *to = *from);
    // For each byte how far it goes to its goal; alphas are put in their places at the end.
    let (mut parts, mut alphas) = ([[0f32; 4]; LENGTH], [0u8; LENGTH]);
    for (((part, alpha), pixel), share) in parts.iter_mut().zip(&mut alphas).zip(&row).zip(&tops) {
        let share = times(*share, opaque);
        let top = u32::from(share).wrapping_mul(255);
        let weight = top.wrapping_add(u32::from(!share).wrapping_mul(u32::from_le_bytes(*pixel) >> 24));
        // Nothing over nothing stays what it is. Both numbers have 24 bits.
        let share = top as i32 as f32 / weight.max(1) as i32 as f32;
        *part = [share, share, share, 0.0];
        let rounded = weight.wrapping_add(0x8000);
        *alpha = (rounded.wrapping_add(rounded >> 16) >> 16) as u8;
    }
    let goals = [colour.map(f32::from); LENGTH];
    for ((byte, part), goal) in row.as_flattened_mut().iter_mut().zip(parts.as_flattened()).zip(goals.as_flattened()) {
        let was = f32::from(*byte);
        *byte = (was + (goal - was) * part + 0.5) as i32 as u8;
    }
    for ((pixel, new), alpha) in pixels.iter_mut().zip(&row).zip(alphas) {
        *pixel = *new;
        pixel[3] = alpha;
    }
}

/// A pixel made more transparent by `share`; what becomes wholly transparent loses its colour too.
pub fn erased(pixel: [u8; 4], share: u16) -> [u8; 4] {
    match toward(pixel[3], 0, share) {
        0 => [0; 4],
        alpha => [pixel[0], pixel[1], pixel[2], alpha],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dab(x: f64, y: f64, diameter: f32) -> Dab {
        Dab { x, y, diameter, hardness: 0.5, flow: 0.6 }
    }

    #[test]
    fn tiles_join_without_a_seam() {
        let mut coverage = Coverage::new(IntRect::new(-100, -100, 300, 300));
        let area = coverage.add(&dab(0.0, 64.0, 90.0)).unwrap();
        for y in area.y..area.bottom() as i32 {
            for x in area.x..0 {
                assert_eq!(coverage.at(x, y), coverage.at(-1 - x, y), "{x} {y}");
                assert_eq!(coverage.at(x, y), coverage.at(x, 127 - y), "{x} {y}");
            }
        }
        assert!(coverage.at(0, 64) > FULL / 2);
    }

    #[test]
    fn nothing_is_covered_outside_the_limits() {
        let limits = IntRect::new(10, 10, 20, 20);
        let mut coverage = Coverage::new(limits);
        assert_eq!(coverage.add(&dab(12.0, 12.0, 40.0)), Some(limits.intersect(IntRect::new(-9, -9, 42, 42)).unwrap()));
        assert_eq!((coverage.at(9, 12), coverage.at(12, 9), coverage.at(30, 12)), (0, 0, 0));
        assert!(coverage.at(10, 10) > 0);
        assert_eq!(coverage.add(&dab(900.0, 12.0, 40.0)), None);
    }

    proptest! {
        #[test]
        fn a_row_is_as_its_pixels(
            row in proptest::collection::vec((any::<[u8; 4]>(), prop_oneof![Just(0), Just(FULL), any::<u16>()]), 0..=64),
            colour: [u8; 4],
        ) {
            let (mut pixels, shares): (Vec<_>, Vec<_>) = row.into_iter().unzip();
            let expected: Vec<_> = pixels.iter().zip(&shares).map(|(p, s)| over(*p, colour, *s, false)).collect();
            over_row(&mut pixels, colour, &shares);
            prop_assert_eq!(pixels, expected);
        }

        #[test]
        fn laying_over_is_source_over(pixel: [u8; 4], colour: [u8; 4], share: u16) {
            let result = over(pixel, colour, share, false);
            let top = f64::from(share) / 65535.0 * f64::from(colour[3]) / 255.0;
            let under = (1.0 - top) * f64::from(pixel[3]) / 255.0;
            prop_assert!((f64::from(result[3]) - 255.0 * (top + under)).abs() <= 0.51);
            if top + under > 1e-3 && top > 1e-3 {
                for c in 0..3 {
                    let exact = (f64::from(colour[c]) * top + f64::from(pixel[c]) * under) / (top + under);
                    prop_assert!((f64::from(result[c]) - exact).abs() <= 1.6, "{result:?} {exact}");
                }
            }
            prop_assert_eq!(over(pixel, colour, share, true)[3], pixel[3]);
            prop_assert_eq!(over(pixel, colour, 0, false), pixel);
            prop_assert!(erased(pixel, share)[3] <= pixel[3]);
            prop_assert_eq!(erased(pixel, FULL), [0; 4]);
        }

        #[test]
        fn a_full_opaque_stroke_is_its_colour(pixel: [u8; 4], colour: [u8; 3]) {
            let [r, g, b] = colour;
            prop_assert_eq!(over(pixel, [r, g, b, 255], FULL, false), [r, g, b, 255]);
        }
    }
}
