//! [`Transaction`]: the only hand that changes a document.

use super::document::Document;
use super::layer::Layer;
use super::tiles::{ColourTiles, MaskTiles, Tiles};
use crate::base::{LayerId, Problem, ProblemKind};

/// A step being made, had from [`super::Editor::edit`] or [`super::Editor::transaction`]. Its other methods are in
/// [`super::edit`].
#[derive(Debug)]
pub struct Transaction<'a> {
    before: &'a Document,
    pub(super) document: &'a mut Document,
}

impl<'a> Transaction<'a> {
    pub(super) const fn new(before: &'a Document, document: &'a mut Document) -> Self {
        Self { before, document }
    }

    /// The document as it was when the step began.
    pub const fn before(&self) -> &'a Document {
        self.before
    }

    /// The document as it is by now.
    pub const fn document(&self) -> &Document {
        self.document
    }

    /// The pixels of a layer, for painting.
    ///
    /// # Errors
    /// [`ProblemKind::LayerMissing`], [`ProblemKind::LayerLocked`].
    pub fn pixels_mut(&mut self, id: LayerId) -> Result<&mut ColourTiles, Problem> {
        let layer = self.layer_mut(id)?;
        if layer.locked {
            return Err(Problem::new(ProblemKind::LayerLocked).with("layer", &layer.name));
        }
        Ok(&mut layer.pixels)
    }

    /// The repaint mask, for painting.
    pub const fn mask_mut(&mut self) -> &mut MaskTiles {
        &mut self.document.mask
    }

    /// What is selected; where nothing was (hence everything), it starts empty.
    pub fn selection_mut(&mut self) -> &mut MaskTiles {
        self.document.selection.get_or_insert_with(Tiles::new)
    }

    pub(super) fn layer_mut(&mut self, id: LayerId) -> Result<&mut Layer, Problem> {
        let found = self.document.layers.iter_mut().find(|layer| layer.id == id);
        found.ok_or_else(|| Problem::new(ProblemKind::LayerMissing))
    }
}

impl Document {
    /// At the end of a step: tiles that came out as they were are shared again, empty ones go, and so does a selection
    /// of nothing.
    pub(super) fn settle(&mut self, before: &Self) {
        for layer in &mut self.layers {
            match before.layer(layer.id) {
                Some(old) => layer.pixels.settle(&old.pixels),
                None => layer.pixels.drop_empty(),
            }
        }
        self.mask.settle(&before.mask);
        if let Some(selection) = &mut self.selection {
            selection.settle(before.selection.as_ref().unwrap_or(&Tiles::new()));
        }
        self.selection.take_if(|selection| selection.is_empty());
    }
}
