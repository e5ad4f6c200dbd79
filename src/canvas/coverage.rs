//! What a stroke has covered so far: built up dab by dab beside the document, and laid over it as a whole. So a
//! stroke that crosses itself is nowhere stronger than its opacity.

use super::dab::{Dab, FULL};
use crate::base::IntRect;
use std::collections::BTreeMap;

/// Side of a tile, in pixels.
pub const SIDE: i32 = 64;

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
        for down in tiles(area.y, area.bottom()) {
            for across in tiles(area.x, area.right()) {
                let (left, top) = (across * SIDE, down * SIDE);
                let Some(part) = area.intersect(IntRect::new(left, top, SIDE as u32, SIDE as u32)) else {
                    continue;
                };
                let tile = self.tiles.entry((across, down)).or_insert_with(|| vec![0; (SIDE * SIDE) as usize].into());
                let rows = tile.chunks_exact_mut(SIDE as usize).zip(top..);
                for (row, y) in rows.skip((part.y - top) as usize).take(part.height as usize) {
                    let from = (part.x - left) as usize;
                    if let Some(row) = row.get_mut(from..from + part.width as usize) {
                        dab.cover(row, part.x, y);
                    }
                }
            }
        }
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

/// A share of one in 16 bits, from a share of one in floating point.
pub fn share(value: f32) -> u16 {
    (value.clamp(0.0, 1.0) * f32::from(FULL) + 0.5) as u16
}

/// The product of two shares, rounded.
pub fn times(a: u16, b: u16) -> u16 {
    let product = u32::from(a) * u32::from(b) + 0x8000;
    ((product + (product >> 16)) >> 16) as u16
}

/// `from` goes to `to` by `share`, rounded.
pub fn toward(from: u8, to: u8, share: u16) -> u8 {
    let (share, full) = (u32::from(share), u32::from(FULL));
    ((u32::from(from) * (full - share) + u32::from(to) * share + full / 2) / full) as u8
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
