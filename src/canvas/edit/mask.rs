//! The repaint mask and the selection.

use crate::base::{LayerId, Problem, ProblemKind};
use crate::canvas::document::Document;
use crate::canvas::tiles::{ColourTiles, MaskTiles, TILE_PIXELS, Tile};
use crate::canvas::transaction::Transaction;
use crate::imaging::Mask;
use std::sync::Arc;

/// How a new selection meets the one that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Combine {
    #[default]
    Replace,
    Add,
    Subtract,
    Intersect,
}

impl Transaction<'_> {
    pub fn clear_mask(&mut self) {
        self.document.mask = MaskTiles::new();
    }

    /// All of the canvas, and nothing beyond it.
    pub fn fill_mask(&mut self) {
        self.document.mask = self.document.whole();
    }

    /// Turned round within the canvas; what lies beyond goes.
    pub fn invert_mask(&mut self) {
        self.document.mask = self.document.inverted(&self.document.mask);
    }

    /// The mask becomes this one, its top left corner at (x, y).
    pub fn set_mask(&mut self, mask: &Mask, x: i32, y: i32) {
        self.document.mask = MaskTiles::from_mask(x, y, mask).cropped(self.document.canvas());
    }

    /// The mask becomes the alpha of a layer, within the canvas.
    ///
    /// # Errors
    /// [`ProblemKind::LayerMissing`].
    pub fn mask_from_alpha(&mut self, id: LayerId) -> Result<(), Problem> {
        self.document.mask = self.document.alpha_of(id)?;
        Ok(())
    }

    /// The mask becomes what is selected; without a selection, the whole canvas.
    pub fn mask_from_selection(&mut self) {
        self.document.mask = self.document.selection.clone().unwrap_or_else(|| self.document.whole());
    }

    /// What is selected becomes the mask; nothing, if the mask is empty.
    pub fn select_mask(&mut self) {
        self.take_selection(self.document.mask.clone());
    }

    /// What is selected becomes the alpha of a layer.
    ///
    /// # Errors
    /// [`ProblemKind::LayerMissing`].
    pub fn select_alpha(&mut self, id: LayerId) -> Result<(), Problem> {
        let alpha = self.document.alpha_of(id)?;
        self.take_selection(alpha);
        Ok(())
    }

    /// Joins coverage, its top left corner at (x, y), with the selection. To nothing selected it is added, and from it
    /// subtracted, as if all or nothing had been there: adding starts a selection, subtracting starts from everything.
    pub fn select(&mut self, mask: &Mask, x: i32, y: i32, how: Combine) {
        let new = MaskTiles::from_mask(x, y, mask).cropped(self.document.canvas());
        let old = match (&self.document.selection, how) {
            (Some(selection), _) => selection.clone(),
            (None, Combine::Subtract | Combine::Intersect) => self.document.whole(),
            (None, _) => MaskTiles::new(),
        };
        self.take_selection(match how {
            Combine::Replace => new,
            Combine::Add => joined(&old, &new, u8::max),
            Combine::Subtract => joined(&old, &new, |a, b| a.min(255 - b)),
            Combine::Intersect => joined(&old, &new, u8::min),
        });
    }

    pub fn select_all(&mut self) {
        self.take_selection(self.document.whole());
    }

    pub fn deselect(&mut self) {
        self.document.selection = None;
    }

    /// Turned round within the canvas; with nothing selected, nothing happens (all of it is free already).
    pub fn invert_selection(&mut self) {
        if let Some(selection) = &self.document.selection {
            self.take_selection(self.document.inverted(selection));
        }
    }

    /// A selection of nothing is none.
    fn take_selection(&mut self, mut tiles: MaskTiles) {
        tiles.drop_empty();
        self.document.selection = (!tiles.is_empty()).then_some(tiles);
    }
}

impl Document {
    /// All of the canvas, and nothing beyond it.
    pub fn whole(&self) -> MaskTiles {
        let mut tiles = MaskTiles::new();
        tiles.fill(self.canvas(), [255]);
        tiles
    }

    /// Turned round within the canvas; what lies beyond goes.
    pub fn inverted(&self, tiles: &MaskTiles) -> MaskTiles {
        joined(&self.whole(), tiles, |all, here| all.saturating_sub(here))
    }

    /// The alpha of a layer, within the canvas.
    ///
    /// # Errors
    /// [`ProblemKind::LayerMissing`].
    pub fn alpha_of(&self, id: LayerId) -> Result<MaskTiles, Problem> {
        let layer = self.layer(id).ok_or_else(|| Problem::new(ProblemKind::LayerMissing))?;
        Ok(alpha(&layer.pixels).cropped(self.canvas()))
    }
}

fn alpha(pixels: &ColourTiles) -> MaskTiles {
    let mut result = MaskTiles::new();
    for (index, tile) in pixels.iter() {
        let mut alphas = Tile::filled([0]);
        for (to, [.., a]) in alphas.pixels.iter_mut().zip(&tile.pixels) {
            *to = [*a];
        }
        result.set_tile(index, Some(Arc::new(alphas)));
    }
    result
}

/// `join` of both, pixel by pixel, where at least one has something; `join(0, 0)` is taken to be 0.
fn joined(a: &MaskTiles, b: &MaskTiles, join: impl Fn(u8, u8) -> u8) -> MaskTiles {
    const NOTHING: Tile<1> = Tile { pixels: [[0]; TILE_PIXELS] };
    let mut result = MaskTiles::new();
    // Large parts are one and the same tile; its result is one, too.
    let mut last: Option<(usize, Option<Arc<Tile<1>>>)> = None;
    for (index, tile) in a.iter() {
        let Some(other) = b.tile(index) else {
            let address = Arc::as_ptr(tile) as usize;
            let known = last.take().filter(|(of, _)| *of == address);
            let new = known.map_or_else(|| made(tile, &NOTHING, &join), |(_, tile)| tile);
            result.set_tile(index, new.clone());
            last = Some((address, new));
            continue;
        };
        result.set_tile(index, made(tile, other, &join));
    }
    for (index, tile) in b.iter().filter(|(index, _)| a.tile(*index).is_none()) {
        result.set_tile(index, made(&NOTHING, tile, &join));
    }
    result
}

fn made(a: &Tile<1>, b: &Tile<1>, join: impl Fn(u8, u8) -> u8) -> Option<Arc<Tile<1>>> {
    let mut tile = Tile::filled([0]);
    for ((to, [a]), [b]) in tile.pixels.iter_mut().zip(&a.pixels).zip(&b.pixels) {
        *to = [join(*a, *b)];
    }
    (!tile.is_empty()).then(|| Arc::new(tile))
}
