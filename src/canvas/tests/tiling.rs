//! Tiles: sparse, shared, and the same as a plain array of pixels.

use crate::base::IntRect;
use crate::canvas::{ColourTiles, MaskTiles, TileIndex};
use proptest::prelude::*;
use std::collections::HashSet;

fn rects() -> impl Strategy<Value = IntRect> {
    (-150i32..150, -150i32..150, 0u32..170, 0u32..170).prop_map(|(x, y, w, h)| IntRect::new(x, y, w, h))
}

const WHOLE: IntRect = IntRect::new(-400, -400, 800, 800);

fn at(x: i32, y: i32) -> usize {
    ((y - WHOLE.y) * WHOLE.width as i32 + x - WHOLE.x) as usize
}

#[test]
fn a_clone_shares_all_but_what_is_written() {
    let mut tiles = ColourTiles::new();
    tiles.fill(IntRect::new(0, 0, 8192, 8192), [1, 2, 3, 255]);
    assert_eq!(tiles.len(), 128 * 128);
    assert_eq!(tiles.bytes(&mut HashSet::new()), 64 * 64 * 4, "one tile serves for all");
    let before = tiles.clone();
    tiles.set_pixel(-1, 70, [9; 4]);
    tiles.set_pixel(5000, 70, [9; 4]);
    assert_eq!(tiles.differences(&before), [TileIndex::new(-1, 1), TileIndex::new(78, 1)]);
    assert_eq!((before.pixel(5000, 70), tiles.pixel(5000, 70)), ([1, 2, 3, 255], [9; 4]));
    tiles.set_pixel(-1, 70, [9, 9, 9, 0]);
    tiles.drop_empty();
    assert_eq!(tiles.differences(&before), [TileIndex::new(78, 1)]);
}

#[test]
fn writing_what_is_there_keeps_the_tile() {
    let mut tiles = MaskTiles::new();
    tiles.fill(IntRect::new(-9, -9, 300, 20), [77]);
    let before = tiles.clone();
    let rect = IntRect::new(-30, -30, 90, 90);
    tiles.write(rect, &before.read(rect));
    tiles.fill(IntRect::new(0, 0, 200, 5), [77]);
    tiles.fill(IntRect::new(640, 640, 200, 100), [0]);
    assert!(tiles.differences(&before).is_empty());
}

#[test]
fn beyond_all_canvases_nothing_is_kept_and_nothing_breaks() {
    let mut tiles = MaskTiles::new();
    tiles.set_pixel(i32::MAX, i32::MIN, [1]);
    tiles.set_pixel(4_194_303, -4_194_304, [1]);
    assert_eq!(tiles.len(), 1);
    assert_eq!(tiles.bounds(), Some(IntRect::new(4_194_303, -4_194_304, 1, 1)));
    assert!(tiles.moved(i32::MAX, 1).is_empty());
    assert!(tiles.moved(64, 0).is_empty());
    assert_eq!(tiles.moved(0, 0), tiles);
    assert_eq!(TileIndex::covering(IntRect::new(0, 0, 0, 9)).count(), 0);
}

proptest! {
    #[test]
    fn as_a_plain_array(writes in proptest::collection::vec((rects(), any::<u8>(), any::<bool>()), 1..5), read in rects()) {
        let mut tiles = MaskTiles::new();
        let mut plain = vec![[0u8]; WHOLE.extent().area() as usize];
        for (rect, value, uniform) in writes {
            let pixels: Vec<[u8; 1]> = (0..rect.extent().area())
                .map(|i| [if uniform { value } else { value.wrapping_mul((i / 7) as u8) }]).collect();
            if uniform { tiles.fill(rect, [value]) } else { tiles.write(rect, &pixels) }
            for (i, pixel) in pixels.iter().enumerate() {
                let (x, y) = ((i as u32 % rect.width) as i32, (i as u32 / rect.width) as i32);
                plain[at(rect.x + x, rect.y + y)] = *pixel;
            }
        }
        prop_assert!(tiles.read(WHOLE) == plain);
        let seen = |i: &usize| plain[*i] != [0];
        let xs = (0..plain.len()).filter(seen).map(|i| i as i32 % 800 - 400);
        let ys = (0..plain.len()).filter(seen).map(|i| i as i32 / 800 - 400);
        let bounds = tiles.bounds();
        prop_assert_eq!(bounds.map(|b| (b.x, b.right() as i32 - 1)), xs.clone().min().zip(xs.max()));
        prop_assert_eq!(bounds.map(|b| (b.y, b.bottom() as i32 - 1)), ys.clone().min().zip(ys.max()));
        for (i, [value]) in tiles.read(read).into_iter().enumerate() {
            let (x, y) = (read.x + (i as u32 % read.width) as i32, read.y + (i as u32 / read.width) as i32);
            prop_assert_eq!(plain[at(x, y)], [value]);
        }
        let kept = tiles.cropped(read);
        prop_assert_eq!(kept.read(read), tiles.read(read));
        prop_assert!(kept.bounds().is_none_or(|b| b.intersect(read) == Some(b)));
    }

    #[test]
    fn moving_moves_each_pixel_and_back(rect in rects(), dx in -200i32..200, dy in -200i32..200, whole: bool) {
        let (dx, dy) = if whole { (dx / 64 * 64, dy / 64 * 64) } else { (dx, dy) };
        let mut tiles = ColourTiles::new();
        let pixels: Vec<[u8; 4]> = (0..rect.extent().area() as u32).map(|i| (i | 1 << 31).to_le_bytes()).collect();
        tiles.write(rect, &pixels);
        let moved = tiles.moved(dx, dy);
        let there = IntRect::new(rect.x + dx, rect.y + dy, rect.width, rect.height);
        prop_assert!(moved.read(there) == pixels);
        prop_assert!(moved.moved(-dx, -dy) == tiles);
        prop_assert!(moved.iter().all(|(_, tile)| !tile.is_empty()));
    }
}

#[test]
fn pieces_are_written_as_one_by_one() {
    let canvas = IntRect::new(-64, -64, 64 * 12, 64 * 12);
    let mut old = ColourTiles::new();
    old.fill(IntRect::new(0, 0, 300, 300), [9, 8, 7, 255]);
    // Of each tile a part: some new, some as it was, some that leaves nothing.
    let pieces: Vec<(IntRect, Vec<[u8; 4]>)> = TileIndex::covering(canvas)
        .enumerate()
        .map(|(k, index)| {
            let (rect, inner) = (index.rect(), (k % 5) as i32);
            let part = IntRect::new(rect.x + inner, rect.y, 64 - 2 * inner as u32, 64 - inner as u32);
            let pixel = [[9, 8, 7, 255], [0; 4], [k as u8, 2, 3, 4]][k % 3];
            (part, vec![pixel; part.extent().area() as usize])
        })
        .collect();
    let mut expected = old.clone();
    pieces.iter().for_each(|(rect, pixels)| expected.write(*rect, pixels));
    for few in [1, pieces.len()] {
        let mut found = old.clone();
        for group in pieces.chunks(few) {
            found.write_pieces(group.iter().map(|(rect, pixels)| (*rect, pixels.as_slice())).collect());
        }
        assert!(found == expected && found.len() == expected.len());
        assert_eq!(found.differences(&old).len(), expected.differences(&old).len(), "what is the same stays shared");
    }
}
