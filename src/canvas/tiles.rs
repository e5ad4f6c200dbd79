//! [`Tiles`]: sparse pixels in tiles of 64×64 that are shared until somebody writes to them.
//!
//! Tiles lie in chunks of 16×16, chunks in a map, and all three are behind `Arc`s: a clone costs nothing, the first
//! write after it copies one tile, one chunk of pointers and the small map, and two clones are compared by looking only
//! where their pointers differ. So a snapshot of a document of 8192×8192 is free, however much is painted on it.

use super::hands;
use crate::base::IntRect;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Side of a tile in pixels.
pub const TILE: i32 = 64;
/// Pixels of a tile.
pub const TILE_PIXELS: usize = (TILE * TILE) as usize;
/// Tiles lie within ±this many tiles of the origin; what would lie farther is not kept.
const FARTHEST: i32 = 1 << 16;
/// Side of a chunk in tiles.
const CHUNK: i32 = 16;
/// From so many pieces on, writing them is shared among threads.
const MANY_PIECES: usize = 64;
const CHUNK_TILES: usize = (CHUNK * CHUNK) as usize;

/// Which tile: its column and row. Tile (0, 0) has the canvas origin at its top left corner; ordered by rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileIndex {
    pub x: i32,
    pub y: i32,
}

impl TileIndex {
    pub const fn new(x: i32, y: i32) -> Self {
        Self { x, y }
    }

    /// The tile that holds a pixel.
    pub const fn of(x: i32, y: i32) -> Self {
        Self { x: x.div_euclid(TILE), y: y.div_euclid(TILE) }
    }

    /// The pixels of the tile.
    pub const fn rect(self) -> IntRect {
        IntRect::new(self.x.saturating_mul(TILE), self.y.saturating_mul(TILE), TILE as u32, TILE as u32)
    }

    /// The tiles that a rectangle touches, row by row.
    pub fn covering(rect: IntRect) -> impl Iterator<Item = Self> + Clone {
        let (left, top) = (rect.x.div_euclid(TILE), rect.y.div_euclid(TILE));
        let last = |end: i64| (end - 1).div_euclid(TILE.into()) as i32;
        let (right, bottom) = match rect.extent().is_empty() {
            true => (left - 1, top - 1),
            false => (last(rect.right()), last(rect.bottom())),
        };
        (top..=bottom).flat_map(move |y| (left..=right).map(move |x| Self { x, y }))
    }

    const fn is_kept(self) -> bool {
        self.x >= -FARTHEST && self.x < FARTHEST && self.y >= -FARTHEST && self.y < FARTHEST
    }

    const fn chunk(self) -> (i32, i32) {
        (self.y.div_euclid(CHUNK), self.x.div_euclid(CHUNK))
    }

    const fn slot(self) -> usize {
        (self.y.rem_euclid(CHUNK) * CHUNK + self.x.rem_euclid(CHUNK)) as usize
    }

    const fn at((chunk_y, chunk_x): (i32, i32), slot: usize) -> Self {
        let slot = slot as i32;
        Self { x: chunk_x * CHUNK + slot % CHUNK, y: chunk_y * CHUNK + slot / CHUNK }
    }
}

impl PartialOrd for TileIndex {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TileIndex {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.y, self.x).cmp(&(other.y, other.x))
    }
}

/// 64×64 pixels of `C` channels, rows from the top. The last channel is the coverage: alpha, or the mask's value.
#[derive(Clone, PartialEq, Eq)]
pub struct Tile<const C: usize> {
    pub pixels: [[u8; C]; TILE_PIXELS],
}

impl<const C: usize> Tile<C> {
    pub const fn filled(value: [u8; C]) -> Self {
        Self { pixels: [value; TILE_PIXELS] }
    }

    /// True if nothing in it is seen.
    pub fn is_empty(&self) -> bool {
        self.pixels.iter().all(|pixel| coverage(pixel) == 0)
    }

    /// True if it hides what is below.
    pub fn is_opaque(&self) -> bool {
        self.pixels.iter().all(|pixel| coverage(pixel) == 255)
    }

    /// Row `y` of the tile, 0 at the top; empty below the last.
    pub fn row(&self, y: usize) -> &[[u8; C]] {
        self.pixels.get(y * TILE as usize..(y + 1) * TILE as usize).unwrap_or_default()
    }

    pub fn row_mut(&mut self, y: usize) -> &mut [[u8; C]] {
        self.pixels.get_mut(y * TILE as usize..(y + 1) * TILE as usize).unwrap_or_default()
    }
}

impl<const C: usize> std::fmt::Debug for Tile<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seen = self.pixels.iter().filter(|pixel| coverage(pixel) > 0).count();
        write!(f, "Tile({seen} seen)")
    }
}

fn coverage<const C: usize>(pixel: &[u8; C]) -> u8 {
    pixel.last().copied().unwrap_or_default()
}

#[derive(Clone)]
struct Chunk<const C: usize> {
    slots: [Option<Arc<Tile<C>>>; CHUNK_TILES],
    filled: usize,
}

impl<const C: usize> Chunk<C> {
    fn tiles(&self) -> impl Iterator<Item = (usize, &Arc<Tile<C>>)> {
        self.slots.iter().enumerate().filter_map(|(slot, tile)| Some((slot, tile.as_ref()?)))
    }
}

type Chunks<const C: usize> = BTreeMap<(i32, i32), Arc<Chunk<C>>>;

/// Pixels over the whole plane, most of them absent: a missing tile is transparent (all zero).
#[derive(Clone, Default)]
pub struct Tiles<const C: usize> {
    chunks: Arc<Chunks<C>>,
}

/// Straight RGBA.
pub type ColourTiles = Tiles<4>;
/// Coverage, 255 = inside.
pub type MaskTiles = Tiles<1>;

impl<const C: usize> Tiles<C> {
    pub fn new() -> Self {
        Self { chunks: Arc::default() }
    }

    /// True if no tile is stored.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// How many tiles are stored.
    pub fn len(&self) -> usize {
        self.chunks.values().map(|chunk| chunk.filled).sum()
    }

    pub fn tile(&self, index: TileIndex) -> Option<&Arc<Tile<C>>> {
        self.chunks.get(&index.chunk())?.slots.get(index.slot())?.as_ref()
    }

    /// The tile for writing, made where there is none; `None` far beyond any canvas (4 million pixels off).
    /// A writer that may have left nothing in it calls [`Self::drop_empty`] or leaves that to the end of the
    /// transaction.
    pub fn tile_mut(&mut self, index: TileIndex) -> Option<&mut Tile<C>> {
        let slot = self.slot_mut(index)?;
        Some(Arc::make_mut(slot.get_or_insert_with(|| Arc::new(Tile::filled([0; C])))))
    }

    /// Puts a tile in its place, or takes it away. Far beyond any canvas nothing happens.
    pub fn set_tile(&mut self, index: TileIndex, tile: Option<Arc<Tile<C>>>) {
        if tile.is_none() && self.tile(index).is_none() {
            return;
        }
        if tile.is_some() {
            if let Some(slot) = self.slot_mut(index) {
                *slot = tile;
            }
            return;
        }
        let chunks = Arc::make_mut(&mut self.chunks);
        if let Some(chunk) = chunks.get_mut(&index.chunk()).map(Arc::make_mut) {
            chunk.slots.get_mut(index.slot()).and_then(Option::take);
            chunk.filled -= 1;
            if chunk.filled == 0 {
                chunks.remove(&index.chunk());
            }
        }
    }

    /// The place of a tile, which the caller fills.
    fn slot_mut(&mut self, index: TileIndex) -> Option<&mut Option<Arc<Tile<C>>>> {
        if !index.is_kept() {
            return None;
        }
        let chunk = Arc::make_mut(&mut self.chunks)
            .entry(index.chunk())
            .or_insert_with(|| Arc::new(Chunk { slots: [const { None }; CHUNK_TILES], filled: 0 }));
        let chunk = Arc::make_mut(chunk);
        let slot = chunk.slots.get_mut(index.slot())?;
        chunk.filled += usize::from(slot.is_none());
        Some(slot)
    }

    /// The stored tiles, by rows within each chunk.
    pub fn iter(&self) -> impl Iterator<Item = (TileIndex, &Arc<Tile<C>>)> {
        self.chunks
            .iter()
            .flat_map(|(&at, chunk)| chunk.tiles().map(move |(slot, tile)| (TileIndex::at(at, slot), tile)))
    }

    pub fn pixel(&self, x: i32, y: i32) -> [u8; C] {
        let row = self.tile(TileIndex::of(x, y)).map(|tile| tile.row(y.rem_euclid(TILE) as usize));
        row.and_then(|row| row.get(x.rem_euclid(TILE) as usize)).copied().unwrap_or([0; C])
    }

    pub fn set_pixel(&mut self, x: i32, y: i32, value: [u8; C]) {
        if self.pixel(x, y) != value {
            let tile = self.tile_mut(TileIndex::of(x, y));
            let row = tile.map(|tile| tile.row_mut(y.rem_euclid(TILE) as usize));
            if let Some(pixel) = row.and_then(|row| row.get_mut(x.rem_euclid(TILE) as usize)) {
                *pixel = value;
            }
        }
    }

    /// Calls `each` with every stored part of the rectangle: a row's offset in the rectangle, in pixels, and its pixels.
    fn for_rows(&self, rect: IntRect, mut each: impl FnMut(usize, &[[u8; C]])) {
        for index in TileIndex::covering(rect) {
            let (Some(tile), Some(part)) = (self.tile(index), index.rect().intersect(rect)) else {
                continue;
            };
            for y in part.y..part.bottom() as i32 {
                let at = (y - rect.y) as usize * rect.width as usize + (part.x - rect.x) as usize;
                let from = part.x.rem_euclid(TILE) as usize;
                let row = tile.row(y.rem_euclid(TILE) as usize);
                each(at, row.get(from..from + part.width as usize).unwrap_or_default());
            }
        }
    }

    /// The pixels of a rectangle, row by row.
    pub fn read(&self, rect: IntRect) -> Vec<[u8; C]> {
        let mut pixels = vec![[0; C]; rect.extent().area() as usize];
        self.for_rows(rect, |at, row| {
            if let Some(to) = pixels.get_mut(at..at + row.len()) {
                to.copy_from_slice(row);
            }
        });
        pixels
    }

    /// Writes the pixels of a rectangle, row by row; tiles that stay as they were stay shared, and those that come out
    /// empty are dropped. Pixels beyond the end of the slice are left as they are.
    pub fn write(&mut self, rect: IntRect, pixels: &[[u8; C]]) {
        self.update(rect, |part, tile| {
            for y in part.y..part.bottom() as i32 {
                let at = (y - rect.y) as usize * rect.width as usize + (part.x - rect.x) as usize;
                let from = part.x.rem_euclid(TILE) as usize;
                let to = tile.row_mut(y.rem_euclid(TILE) as usize).get_mut(from..from + part.width as usize);
                if let (Some(to), Some(from)) = (to, pixels.get(at..at + part.width as usize)) {
                    to.copy_from_slice(from);
                }
            }
        });
    }

    /// Writes many pieces, each within one tile: as [`Self::write`] for each, shared among threads where there are many.
    pub fn write_pieces(&mut self, pieces: Vec<(IntRect, &[[u8; C]])>) {
        let made = hands::share(pieces, MANY_PIECES, |(rect, pixels)| {
            let index = TileIndex::of(rect.x, rect.y);
            let old = self.tile(index);
            let mut new = Arc::new(Tile { pixels: old.map_or([[0; C]; TILE_PIXELS], |old| old.pixels) });
            let tile = Arc::make_mut(&mut new);
            let (from, width) = (rect.x.rem_euclid(TILE) as usize, rect.width as usize);
            for (row, y) in pixels.chunks_exact(width.max(1)).zip(rect.y.rem_euclid(TILE) as usize..) {
                if let Some(to) = tile.row_mut(y).get_mut(from..from + width) {
                    to.copy_from_slice(row);
                }
            }
            let same = old.map_or_else(|| tile.is_empty(), |old| **old == *tile);
            let empty = tile.is_empty();
            (!same).then(|| (index, Some(new).filter(|_| !empty)))
        });
        for (index, tile) in made.into_iter().flatten() {
            self.set_tile(index, tile);
        }
    }

    /// Calls `each` for every tile that the rectangle touches, with the common part (in pixels of the plane) and the
    /// tile, and stores what comes out of it: nothing if it is empty, the old one if it is equal.
    pub fn update(&mut self, rect: IntRect, mut each: impl FnMut(IntRect, &mut Tile<C>)) {
        // Room for a tile, kept for the next one where it was not needed.
        let mut room: Option<Arc<Tile<C>>> = None;
        for index in TileIndex::covering(rect) {
            let Some(part) = index.rect().intersect(rect) else {
                continue;
            };
            let old = self.tile(index);
            let mut work = room.take().unwrap_or_else(|| Arc::new(Tile::filled([0; C])));
            // Nobody else has it, so nothing is copied.
            let tile = Arc::make_mut(&mut work);
            match old {
                Some(old) => tile.pixels = old.pixels,
                None => tile.pixels = [[0; C]; TILE_PIXELS],
            }
            each(part, tile);
            if old.map_or_else(|| tile.is_empty(), |old| **old == *tile) {
                room = Some(work);
            } else if tile.is_empty() {
                self.set_tile(index, None);
                room = Some(work);
            } else {
                self.set_tile(index, Some(work));
            }
        }
    }

    /// Every pixel of the rectangle becomes `value`; whole tiles share one piece of memory.
    pub fn fill(&mut self, rect: IntRect, value: [u8; C]) {
        let whole = (coverage(&value) > 0).then(|| Arc::new(Tile::filled(value)));
        let mut edges = Vec::new();
        for index in TileIndex::covering(rect) {
            match index.rect().intersect(rect) {
                Some(part) if part == index.rect() => {
                    let same = match (self.tile(index), &whole) {
                        (Some(old), Some(new)) => old == new,
                        (None, None) => true,
                        _ => false,
                    };
                    if !same {
                        self.set_tile(index, whole.clone());
                    }
                }
                Some(part) => edges.push(part),
                None => {}
            }
        }
        for part in edges {
            self.update(part, |part, tile| {
                for y in part.y..part.bottom() as i32 {
                    let from = part.x.rem_euclid(TILE) as usize;
                    let row = tile.row_mut(y.rem_euclid(TILE) as usize);
                    row.iter_mut().skip(from).take(part.width as usize).for_each(|pixel| *pixel = value);
                }
            });
        }
    }

    /// Only what lies in the rectangle.
    #[must_use]
    pub fn cropped(&self, rect: IntRect) -> Self {
        let mut kept = Self::new();
        for (index, tile) in self.iter() {
            match index.rect().intersect(rect) {
                Some(part) if part == index.rect() => kept.set_tile(index, Some(Arc::clone(tile))),
                Some(part) => kept.write(part, &self.read(part)),
                None => {}
            }
        }
        kept
    }

    /// All pixels `dx` to the right and `dy` down. By whole tiles nothing is copied. What would lie 4 million pixels
    /// off the origin is lost.
    #[must_use]
    pub fn moved(&self, dx: i32, dy: i32) -> Self {
        let mut result = Self::new();
        let (step_x, step_y) = (dx.div_euclid(TILE), dy.div_euclid(TILE));
        if dx % TILE == 0 && dy % TILE == 0 {
            for (index, tile) in self.iter() {
                let to = TileIndex::new(index.x.saturating_add(step_x), index.y.saturating_add(step_y));
                result.set_tile(to, Some(Arc::clone(tile)));
            }
            return result;
        }
        let (right, down) = (dx.rem_euclid(TILE) as usize, dy.rem_euclid(TILE) as usize);
        let side = TILE as usize;
        for (index, tile) in self.iter() {
            let x = index.x.saturating_add(step_x);
            let y = index.y.saturating_add(step_y);
            // The tile is cut into four (or two) that land in neighbours.
            for (to_y, from_rows, first) in [(y, 0..side - down, down), (y.saturating_add(1), side - down..side, 0)] {
                for (to_x, from, at) in [(x, 0..side - right, right), (x.saturating_add(1), side - right..side, 0)] {
                    if from.is_empty() || from_rows.is_empty() {
                        continue;
                    }
                    let Some(target) = result.tile_mut(TileIndex::new(to_x, to_y)) else {
                        continue;
                    };
                    for (i, row) in from_rows.clone().enumerate() {
                        let source = tile.row(row).get(from.clone());
                        let place = target.row_mut(first + i).get_mut(at..at + from.len());
                        if let (Some(source), Some(place)) = (source, place) {
                            place.copy_from_slice(source);
                        }
                    }
                }
            }
        }
        result.drop_empty();
        result
    }

    /// Drops tiles of which nothing is seen.
    pub fn drop_empty(&mut self) {
        let empty: Vec<_> = self.iter().filter(|(_, tile)| tile.is_empty()).map(|(index, _)| index).collect();
        empty.into_iter().for_each(|index| self.set_tile(index, None));
    }

    /// The smallest rectangle round all that is seen.
    pub fn bounds(&self) -> Option<IntRect> {
        let (mut left, mut top, mut right, mut bottom) = (i32::MAX, i32::MAX, i32::MIN, i32::MIN);
        for (index, tile) in self.iter() {
            let origin = index.rect();
            if origin.x >= left && origin.right() <= right.into() && origin.y >= top && origin.bottom() <= bottom.into()
            {
                continue;
            }
            for y in 0..TILE {
                let row = tile.row(y as usize);
                let seen = |pixel: &[u8; C]| coverage(pixel) > 0;
                if let (Some(first), Some(last)) = (row.iter().position(seen), row.iter().rposition(seen)) {
                    left = left.min(origin.x + first as i32);
                    right = right.max(origin.x + last as i32 + 1);
                    top = top.min(origin.y + y);
                    bottom = bottom.max(origin.y + y + 1);
                }
            }
        }
        let width = u32::try_from(i64::from(right) - i64::from(left)).ok()?;
        let height = u32::try_from(i64::from(bottom) - i64::from(top)).ok()?;
        Some(IntRect::new(left, top, width, height))
    }

    /// Bytes of the pixels that are not in `seen` yet (addresses of tiles), which are added to it.
    pub fn bytes(&self, seen: &mut HashSet<usize>) -> usize {
        self.iter().filter(|(_, tile)| seen.insert(Arc::as_ptr(tile) as usize)).count() * size_of::<Tile<C>>()
    }

    /// Calls `each` for every tile that is not one and the same in both: its index, here, there.
    pub fn for_differences(
        &self,
        other: &Self,
        mut each: impl FnMut(TileIndex, Option<&Arc<Tile<C>>>, Option<&Arc<Tile<C>>>),
    ) {
        if Arc::ptr_eq(&self.chunks, &other.chunks) {
            return;
        }
        for (&at, here) in self.chunks.iter() {
            let there = other.chunks.get(&at);
            if there.is_some_and(|there| Arc::ptr_eq(here, there)) {
                continue;
            }
            for (slot, tile) in here.slots.iter().enumerate() {
                let twin = there.and_then(|there| there.slots.get(slot)?.as_ref());
                match (tile, twin) {
                    (None, None) => {}
                    (Some(a), Some(b)) if Arc::ptr_eq(a, b) => {}
                    _ => each(TileIndex::at(at, slot), tile.as_ref(), twin),
                }
            }
        }
        for (&at, there) in other.chunks.iter().filter(|(at, _)| !self.chunks.contains_key(at)) {
            there.tiles().for_each(|(slot, tile)| each(TileIndex::at(at, slot), None, Some(tile)));
        }
    }

    /// The tiles that are not one and the same in both (equal bytes in two places count as different).
    pub fn differences(&self, other: &Self) -> Vec<TileIndex> {
        let mut found = Vec::new();
        self.for_differences(other, |index, _, _| found.push(index));
        found
    }

    /// Makes tiles that equal those of `before` the same again, and drops empty ones, among those that differ.
    pub(super) fn settle(&mut self, before: &Self) {
        let mut settled = Vec::new();
        self.for_differences(before, |index, new, old| match (new, old) {
            (Some(new), Some(old)) if new == old => settled.push((index, Some(Arc::clone(old)))),
            (Some(new), _) if new.is_empty() => settled.push((index, None)),
            _ => {}
        });
        settled.into_iter().for_each(|(index, tile)| self.set_tile(index, tile));
    }
}

impl<const C: usize> PartialEq for Tiles<C> {
    /// The same pixels, wherever they are stored.
    fn eq(&self, other: &Self) -> bool {
        let mut equal = true;
        self.for_differences(other, |_, a, b| {
            equal &= match (a, b) {
                (Some(a), Some(b)) => a == b,
                (Some(tile), None) | (None, Some(tile)) => tile.is_empty(),
                (None, None) => true,
            };
        });
        equal
    }
}

impl<const C: usize> std::fmt::Debug for Tiles<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tiles<{C}>({} tiles)", self.len())
    }
}
