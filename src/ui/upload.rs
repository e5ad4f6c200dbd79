//! What of the document must still go to the graphics card: what changed, what is seen first, a little each frame.

use super::viewport::{Affine, TILE, Viewport, Visible, tiles_of};
use crate::canvas::surface::compose_tiles;
use crate::canvas::{Change, Document, MaskTiles, TileIndex};
use egui::Rect;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long a frame may put tiles together.
const TIME: Duration = Duration::from_millis(2);
/// Tiles of a plane that are sent at once at first, and at most; after each group the clock is looked at.
const FIRST: usize = 8;
const MOST: usize = 64;

/// What a tile is of. Those that cost least go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plane {
    Mask,
    Selection,
    Picture,
}

impl Plane {
    const ALL: [Plane; 3] = [Plane::Mask, Plane::Selection, Plane::Picture];
}

/// Tiles that wait, by the viewport's numbers.
#[derive(Default)]
struct Waiting {
    planes: [BTreeSet<u32>; 3],
}

impl Waiting {
    fn of(&mut self, plane: Plane) -> &mut BTreeSet<u32> {
        match (plane, &mut self.planes) {
            (Plane::Mask, [mask, ..]) => mask,
            (Plane::Selection, [_, selection, _]) => selection,
            (Plane::Picture, [.., picture]) => picture,
        }
    }

    fn is_empty(&self) -> bool {
        self.planes.iter().all(BTreeSet::is_empty)
    }

    /// Hands groups of tiles to `send` while there are any, each as large as it answered before; 0 ends it. What `sees`
    /// says is seen, of all planes, goes before all else.
    fn drain(&mut self, sees: impl Fn(u32) -> bool, mut send: impl FnMut(Plane, &[u32]) -> usize) {
        for wanted in [true, false] {
            for plane in Plane::ALL {
                let tiles = self.of(plane);
                let chosen: Vec<u32> = tiles.iter().copied().filter(|tile| !wanted || sees(*tile)).collect();
                let (mut rest, mut size) = (&chosen[..], FIRST);
                while let (group, later) = rest.split_at(size.min(rest.len()))
                    && !group.is_empty()
                {
                    rest = later;
                    group.iter().for_each(|tile| {
                        tiles.remove(tile);
                    });
                    size = send(plane, group).min(MOST);
                    if size == 0 {
                        return;
                    }
                }
            }
        }
    }
}

/// How many tiles there is still time for, judged by how long the last ones took.
struct Pace {
    start: Instant,
    last: Instant,
}

impl Pace {
    fn begin() -> Self {
        let now = Instant::now();
        Self { start: now, last: now }
    }

    fn next(&mut self, done: usize) -> usize {
        let now = Instant::now();
        let took = (now - self.last).as_secs_f64();
        let left = (TIME.as_secs_f64() - (now - self.start).as_secs_f64()).max(0.0);
        self.last = now;
        (done as f64 * left / took.max(1e-9)) as usize
    }
}

/// See the module.
#[derive(Default)]
pub struct Uploads {
    waiting: Waiting,
    begun: bool,
}

impl Uploads {
    /// Takes note of a change and sends what there is time for; true if more waits.
    pub fn send(
        &mut self,
        viewport: &mut Viewport,
        document: &Document,
        change: &Change,
        map: &Affine,
        rect: Rect,
    ) -> bool {
        let (columns, rows) = tiles_of(document.extent());
        let begins = change.extent || !self.begun;
        if begins {
            self.begun = true;
            viewport.resize(document.extent());
            self.waiting = Waiting::default();
        }
        if !viewport.is_live() {
            return false;
        }
        let numbers = |index: TileIndex| number(index, columns, rows);
        if begins {
            let painted = document.layers().iter().flat_map(|layer| layer.pixels.iter());
            self.waiting.of(Plane::Picture).extend(painted.filter_map(|(index, _)| numbers(index)));
            self.waiting.of(Plane::Mask).extend(document.mask().iter().filter_map(|(index, _)| numbers(index)));
            let selected = document.selection().into_iter().flat_map(MaskTiles::iter);
            self.waiting.of(Plane::Selection).extend(selected.filter_map(|(index, _)| numbers(index)));
        } else {
            self.waiting.of(Plane::Picture).extend(change.composite.iter().copied().filter_map(numbers));
            self.waiting.of(Plane::Mask).extend(change.mask.iter().copied().filter_map(numbers));
            self.waiting.of(Plane::Selection).extend(change.selection_tiles.iter().copied().filter_map(numbers));
        }
        if self.waiting.is_empty() {
            return false;
        }
        let mut pace = Pace::begin();
        let visible = Visible::new(map, rect, document.extent());
        self.waiting.drain(
            |tile| visible.contains(tile),
            |plane, group| {
                hand_over(viewport, document, plane, group, columns);
                pace.next(group.len())
            },
        );
        !self.waiting.is_empty()
    }
}

fn hand_over(viewport: &mut Viewport, document: &Document, plane: Plane, group: &[u32], columns: u32) {
    let indices = group.iter().map(|tile| (*tile, index_of(*tile, columns)));
    match plane {
        Plane::Mask => {
            for (number, index) in indices {
                viewport.upload_mask_tile(number, document.mask().tile(index).map(|tile| tile.pixels.as_flattened()));
            }
        }
        Plane::Selection => {
            for (number, index) in indices {
                let tile = document.selection().and_then(|selection| selection.tile(index));
                viewport.upload_selection_tile(number, tile.map(|tile| tile.pixels.as_flattened()));
            }
        }
        Plane::Picture => {
            let indices: Vec<TileIndex> = indices.map(|(_, index)| index).collect();
            for ((_, tile), number) in compose_tiles(document, &indices).into_iter().zip(group) {
                viewport.upload_tile(*number, tile.as_ref().map(|tile| tile.pixels.as_flattened()));
            }
        }
    }
}

/// The viewport's number of a tile; `None` off the canvas.
fn number(index: TileIndex, columns: u32, rows: u32) -> Option<u32> {
    let (x, y) = (u32::try_from(index.x).ok()?, u32::try_from(index.y).ok()?);
    (x < columns && y < rows).then_some(y * columns + x)
}

fn index_of(number: u32, columns: u32) -> TileIndex {
    let columns = columns.max(1);
    TileIndex::new((number % columns) as i32, (number / columns) as i32)
}

const _: () = assert!(TILE as i32 == crate::canvas::TILE);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_goes_first_and_the_rest_waits_for_its_frame() {
        let mut waiting = Waiting::default();
        for plane in Plane::ALL {
            waiting.of(plane).extend(0..200);
        }
        let sees = |tile: u32| (100..110).contains(&tile);
        let mut sent: Vec<(Plane, u32)> = Vec::new();
        let mut frames = 0;
        while !waiting.is_empty() {
            frames += 1;
            let mut groups = 0;
            waiting.drain(sees, |plane, group| {
                assert!(!group.is_empty() && group.len() <= 32);
                sent.extend(group.iter().map(|tile| (plane, *tile)));
                groups += 1;
                if groups < 3 { 32 } else { 0 }
            });
        }
        assert!(frames > 5, "{frames}");
        let (first, rest) = sent.split_at(30);
        assert!(first.iter().all(|(_, tile)| sees(*tile)) && rest.iter().all(|(_, tile)| !sees(*tile)));
        assert_eq!(first.first().map(|(plane, _)| *plane), Some(Plane::Mask));
        for plane in Plane::ALL {
            let mut tiles: Vec<u32> = sent.iter().filter(|(of, _)| *of == plane).map(|(_, tile)| *tile).collect();
            tiles.sort_unstable();
            assert_eq!(tiles, (0..200).collect::<Vec<_>>());
        }
        waiting.drain(sees, |plane, _| panic!("{plane:?}: there is nothing left"));
    }
}
