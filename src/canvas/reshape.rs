//! Masks made larger, smaller or softer, tile by tile: where a mask is all empty or all full far enough around, nothing
//! is computed, and the rest is shared among the processor's cores.

use super::tiles::{MaskTiles, TILE, TILE_PIXELS, Tile, TileIndex};
use crate::base::IntRect;
use crate::imaging::Mask;
use crate::imaging::morphology::{blur_reach, feather, grown, shrunk};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;

/// How far one pixel of the mask reaches at most, in pixels; larger radii are brought back to it.
const FARTHEST: f32 = 512.0;

/// What is done to the edge of a mask; a radius of 0 (or negative, or NaN) leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reshape {
    /// Larger by so many pixels.
    Grow(f32),
    Shrink(f32),
    /// Blurred over about so many pixels on either side.
    Feather(f32),
}

impl Reshape {
    /// How far away a pixel may be that has a say in another, in pixels.
    fn reach(self) -> i32 {
        match self {
            Reshape::Grow(radius) | Reshape::Shrink(radius) => sensible(radius).ceil() as i32 + 1,
            Reshape::Feather(radius) => blur_reach(sensible(radius)) as i32,
        }
    }

    fn of(self, mask: &Mask) -> Mask {
        match self {
            Reshape::Grow(radius) => grown(mask, sensible(radius)),
            Reshape::Shrink(radius) => shrunk(mask, sensible(radius)),
            Reshape::Feather(radius) => feather(mask, sensible(radius)),
        }
    }
}

fn sensible(radius: f32) -> f32 {
    // Not a number is nothing.
    if radius > 0.0 { radius.min(FARTHEST) } else { 0.0 }
}

/// A tile at a glance.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Empty,
    Full,
    Mixed,
}

impl MaskTiles {
    /// The mask with another edge, within the canvas. What lies beyond the canvas is as what lies at its edge: a mask
    /// that touches it neither shrinks away from it nor fades there. Takes up to a tenth of a second for a large mask:
    /// not for the window's thread.
    #[must_use]
    pub fn reshaped(&self, how: Reshape, canvas: IntRect) -> Self {
        let old = self.cropped(canvas);
        let reach = how.reach();
        let around = (reach + TILE - 1) / TILE;
        let kinds: HashMap<TileIndex, Kind> =
            old.iter().collect::<Vec<_>>().into_par_iter().map(|(index, tile)| (index, kind(tile))).collect();
        let is = |index: TileIndex| kinds.get(&index).copied().unwrap_or(Kind::Empty);
        let on_canvas = |index: &TileIndex| index.rect().intersect(canvas).is_some();
        let made = |index: TileIndex| {
            let near = (-around..=around).flat_map(|y| (-around..=around).map(move |x| (x, y)));
            let mut near = near.map(|(x, y)| TileIndex::new(index.x + x, index.y + y)).filter(on_canvas).map(is);
            let first = near.next().unwrap_or(Kind::Empty);
            if first != Kind::Mixed && near.all(|kind| kind == first) {
                // The old one, so that what is the same stays shared.
                return old.tile(index).filter(|_| first == Kind::Full).cloned();
            }
            let rect = index.rect();
            let wide = IntRect::new(
                rect.x - reach,
                rect.y - reach,
                rect.width + 2 * reach as u32,
                rect.height + 2 * reach as u32,
            );
            let wide = wide.intersect(canvas)?;
            let mask = how.of(&old.to_mask(wide));
            cut(&mask, wide, index)
        };
        // Nothing comes of what is farther than the reach from the mask.
        let mut touched: Vec<TileIndex> = kinds
            .keys()
            .flat_map(|index| {
                let (x, y) = (index.x, index.y);
                (-around..=around).flat_map(move |dy| (-around..=around).map(move |dx| TileIndex::new(x + dx, y + dy)))
            })
            .filter(on_canvas)
            .collect();
        touched.sort_unstable();
        touched.dedup();
        let tiles: Vec<_> = touched.into_par_iter().map(|index| (index, made(index))).collect();
        let mut result = Self::new();
        for (index, tile) in tiles {
            result.set_tile(index, tile);
        }
        result.settle(self);
        result
    }
}

fn kind(tile: &Tile<1>) -> Kind {
    match tile.pixels.as_flattened() {
        [0, ..] if tile.is_empty() => Kind::Empty,
        [255, ..] if tile.is_opaque() => Kind::Full,
        _ => Kind::Mixed,
    }
}

/// A tile out of coverage that lies at `wide`; `None` if it is empty.
fn cut(mask: &Mask, wide: IntRect, index: TileIndex) -> Option<Arc<Tile<1>>> {
    let part = index.rect().intersect(wide)?;
    let mut tile = Tile { pixels: [[0]; TILE_PIXELS] };
    for y in part.y..part.bottom() as i32 {
        let from = (y - wide.y) as usize * wide.width as usize + (part.x - wide.x) as usize;
        let at = part.x.rem_euclid(TILE) as usize;
        let row = tile.row_mut(y.rem_euclid(TILE) as usize).get_mut(at..at + part.width as usize);
        if let (Some(to), Some(from)) = (row, mask.bytes().get(from..from + part.width as usize)) {
            to.as_flattened_mut().copy_from_slice(from);
        }
    }
    (!tile.is_empty()).then(|| Arc::new(tile))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CANVAS: IntRect = IntRect::new(0, 0, 300, 200);

    /// In one piece.
    fn at_once(mask: &MaskTiles, how: Reshape) -> Mask {
        how.of(&mask.to_mask(CANVAS))
    }

    fn masks() -> impl Strategy<Value = MaskTiles> {
        let rect = (-20i32..290, -20i32..190, 1u32..220, 1u32..160, prop_oneof![3 => Just(255u8), 1 => any::<u8>()]);
        proptest::collection::vec(rect, 0..4).prop_map(|rects| {
            let mut tiles = MaskTiles::new();
            for (x, y, width, height, value) in rects {
                tiles.fill(IntRect::new(x, y, width, height), [value]);
            }
            tiles.cropped(CANVAS)
        })
    }

    fn ways() -> impl Strategy<Value = Reshape> {
        let radius = prop_oneof![4 => 0.5f32..30.0, 1 => 60f32..90.0, 1 => Just(0.0), 1 => Just(f32::NAN)];
        (0..3, radius).prop_map(|(which, radius)| match which {
            0 => Reshape::Grow(radius),
            1 => Reshape::Shrink(radius),
            _ => Reshape::Feather(radius),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn tile_by_tile_is_as_in_one_piece(mask in masks(), how in ways()) {
            let found = mask.reshaped(how, CANVAS);
            prop_assert!(found.bounds().is_none_or(|b| b.intersect(CANVAS) == Some(b)));
            // Sums of a blur may differ in the last bit.
            let most = if matches!(how, Reshape::Feather(_)) { 1 } else { 0 };
            let expected = at_once(&mask, how);
            for (i, (a, b)) in found.to_mask(CANVAS).bytes().iter().zip(expected.bytes()).enumerate() {
                prop_assert!(a.abs_diff(*b) <= most, "{} {}: {a} {b}", i % 300, i / 300);
            }
        }
    }

    #[test]
    fn what_is_all_full_or_far_away_is_not_computed() {
        let canvas = IntRect::new(0, 0, 4096, 4096);
        let mut mask = MaskTiles::new();
        mask.fill(canvas, [255]);
        for how in [Reshape::Grow(8.0), Reshape::Shrink(8.0), Reshape::Feather(8.0)] {
            assert!(mask.reshaped(how, canvas).differences(&mask).is_empty(), "{how:?}");
        }
        let mut dots = MaskTiles::new();
        dots.set_pixel(5, 5, [255]);
        dots.set_pixel(4000, 4000, [255]);
        let larger = dots.reshaped(Reshape::Grow(3.0), canvas);
        assert_eq!((larger.len(), larger.pixel(8, 5), larger.pixel(4000, 3996)), (2, [255], [0]));
        assert!(MaskTiles::new().reshaped(Reshape::Feather(9.0), canvas).is_empty());
    }

    #[test]
    fn an_edge_of_the_canvas_within_a_tile_is_no_edge_of_the_mask() {
        let canvas = IntRect::new(0, 0, 100, 70);
        let mut mask = MaskTiles::new();
        mask.fill(canvas, [255]);
        for how in [Reshape::Shrink(8.0), Reshape::Feather(8.0), Reshape::Grow(8.0)] {
            let same = mask.reshaped(how, canvas);
            assert_eq!(same.to_mask(IntRect::new(-9, -9, 130, 130)), mask.to_mask(IntRect::new(-9, -9, 130, 130)));
        }
    }
}
