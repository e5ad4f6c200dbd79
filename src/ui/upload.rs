//! What of the document must still go to the graphics card: what changed, what is seen first, a little each frame.

use super::viewport::{Affine, TILE, Viewport, Visible, tiles_of};
use crate::canvas::surface::compose_tiles;
use crate::canvas::{Change, Document, MaskTiles, TileIndex};
use egui::Rect;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long a frame may put tiles together.
const TIME: Duration = Duration::from_millis(3);
/// Tiles that are put together at once; between two such groups the clock is looked at.
const GROUP: usize = 32;

/// Tiles that wait.
#[derive(Default)]
pub struct Uploads {
    picture: BTreeSet<u32>,
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
        if change.extent || !self.begun {
            self.begun = true;
            viewport.resize(document.extent());
            self.picture = document
                .layers()
                .iter()
                .flat_map(|layer| layer.pixels.iter())
                .filter_map(|(index, _)| number(index, columns, rows))
                .collect();
            for (index, _) in document.mask().iter() {
                self.send_mask(viewport, document, index, columns, rows);
            }
            for (index, _) in document.selection().into_iter().flat_map(MaskTiles::iter) {
                self.send_selection(viewport, document, index, columns, rows);
            }
        } else {
            self.picture.extend(change.composite.iter().filter_map(|index| number(*index, columns, rows)));
            for index in &change.mask {
                self.send_mask(viewport, document, *index, columns, rows);
            }
            for index in &change.selection_tiles {
                self.send_selection(viewport, document, *index, columns, rows);
            }
        }
        if self.picture.is_empty() || !viewport.is_live() {
            self.picture.clear();
            return false;
        }
        let start = Instant::now();
        let visible = Visible::new(map, rect, document.extent());
        while !self.picture.is_empty() && start.elapsed() < TIME {
            let seen = self.picture.iter().copied().filter(|tile| visible.contains(*tile)).take(GROUP);
            let mut group: Vec<u32> = seen.collect();
            if group.is_empty() {
                group = self.picture.iter().copied().take(GROUP).collect();
            }
            let indices: Vec<TileIndex> = group.iter().map(|tile| index_of(*tile, columns)).collect();
            for ((_, tile), number) in compose_tiles(document, &indices).into_iter().zip(&group) {
                viewport.upload_tile(*number, tile.as_ref().map(|tile| tile.pixels.as_flattened()));
            }
            for number in group {
                self.picture.remove(&number);
            }
        }
        !self.picture.is_empty()
    }

    fn send_mask(&self, viewport: &mut Viewport, document: &Document, index: TileIndex, columns: u32, rows: u32) {
        if let Some(number) = number(index, columns, rows) {
            viewport.upload_mask_tile(number, document.mask().tile(index).map(|tile| tile.pixels.as_flattened()));
        }
    }

    fn send_selection(&self, viewport: &mut Viewport, document: &Document, index: TileIndex, columns: u32, rows: u32) {
        if let Some(number) = number(index, columns, rows) {
            let tile = document.selection().and_then(|selection| selection.tile(index));
            viewport.upload_selection_tile(number, tile.map(|tile| tile.pixels.as_flattened()));
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
