//! The list of layers and their properties.

use crate::base::{LayerId, Problem, ProblemKind};
use crate::canvas::layer::Layer;
use crate::canvas::surface;
use crate::canvas::tiles::{ColourTiles, TileIndex};
use crate::canvas::transaction::Transaction;
use crate::imaging::BlendMode;
use rayon::prelude::*;
use std::collections::BTreeSet;

impl Transaction<'_> {
    /// Puts a layer above the active one (on top if that is gone) and makes it active. If its id is in the document
    /// already, it gets a new one. Gives the id.
    pub fn add_layer(&mut self, mut layer: Layer) -> LayerId {
        if self.document.layer(layer.id).is_some() {
            layer.id = LayerId::fresh();
        }
        let id = layer.id;
        let above = self.document.position(self.document.active).map_or(self.document.layers.len(), |at| at + 1);
        self.document.layers.insert(above, layer);
        self.document.active = id;
        id
    }

    /// A copy under another name right above; it becomes active.
    ///
    /// # Errors
    /// [`ProblemKind::LayerMissing`].
    pub fn duplicate_layer(&mut self, id: LayerId, name: impl Into<String>) -> Result<LayerId, Problem> {
        let copy = Layer { id: LayerId::fresh(), name: name.into(), ..self.layer_mut(id)?.clone() };
        self.document.active = id;
        Ok(self.add_layer(copy))
    }

    /// Takes a layer away. If it was active, the one below is (the new lowest if there is none).
    ///
    /// # Errors
    /// [`ProblemKind::LayerMissing`], [`ProblemKind::LayerLocked`], [`ProblemKind::LayerLast`].
    pub fn delete_layer(&mut self, id: LayerId) -> Result<(), Problem> {
        self.pixels_mut(id)?;
        if self.document.layers.len() < 2 {
            return Err(Problem::new(ProblemKind::LayerLast));
        }
        let at = self.document.position(id).unwrap_or_default();
        self.document.layers.retain(|layer| layer.id != id);
        let next = self.document.layers.get(at.saturating_sub(1)).map(|layer| layer.id);
        if let (true, Some(next)) = (self.document.active == id, next) {
            self.document.active = next;
        }
        Ok(())
    }

    /// Moves a layer to a place from the bottom, counted without it; places above the top are the top.
    ///
    /// # Errors
    /// [`ProblemKind::LayerMissing`].
    pub fn reorder_layer(&mut self, id: LayerId, place: usize) -> Result<(), Problem> {
        let missing = || Problem::new(ProblemKind::LayerMissing);
        let at = self.document.position(id).ok_or_else(missing)?;
        let layer = self.document.layers.remove(at);
        let place = place.min(self.document.layers.len());
        self.document.layers.insert(place, layer);
        Ok(())
    }

    /// # Errors
    /// [`ProblemKind::LayerMissing`], as in the other setters.
    pub fn rename_layer(&mut self, id: LayerId, name: impl Into<String>) -> Result<(), Problem> {
        self.layer_mut(id)?.name = name.into();
        Ok(())
    }

    /// Clipped to 0..=1; what is not a number changes nothing.
    ///
    /// # Errors
    /// [`ProblemKind::LayerMissing`].
    pub fn set_opacity(&mut self, id: LayerId, opacity: f32) -> Result<(), Problem> {
        let layer = self.layer_mut(id)?;
        if !opacity.is_nan() {
            layer.opacity = opacity.clamp(0.0, 1.0);
        }
        Ok(())
    }

    /// # Errors
    /// [`ProblemKind::LayerMissing`].
    pub fn set_blend(&mut self, id: LayerId, blend: BlendMode) -> Result<(), Problem> {
        self.layer_mut(id)?.blend = blend;
        Ok(())
    }

    /// # Errors
    /// [`ProblemKind::LayerMissing`].
    pub fn set_visible(&mut self, id: LayerId, visible: bool) -> Result<(), Problem> {
        self.layer_mut(id)?.visible = visible;
        Ok(())
    }

    /// # Errors
    /// [`ProblemKind::LayerMissing`].
    pub fn set_locked(&mut self, id: LayerId, locked: bool) -> Result<(), Problem> {
        self.layer_mut(id)?.locked = locked;
        Ok(())
    }

    /// # Errors
    /// [`ProblemKind::LayerMissing`].
    pub fn set_alpha_locked(&mut self, id: LayerId, locked: bool) -> Result<(), Problem> {
        self.layer_mut(id)?.alpha_locked = locked;
        Ok(())
    }

    /// Puts what is seen of a layer into the one below, which keeps its name and blend mode and becomes active. The
    /// opacities of both go into the pixels; if the lower one is [`BlendMode::Normal`], the picture looks the same, but
    /// for rounding where it is translucent.
    ///
    /// # Errors
    /// [`ProblemKind::LayerMissing`], [`ProblemKind::LayerLowest`]; [`ProblemKind::LayerLocked`] and
    /// [`ProblemKind::LayerHidden`] for either of the two.
    pub fn merge_down(&mut self, id: LayerId) -> Result<(), Problem> {
        self.pixels_mut(id)?;
        let at = self.document.position(id).unwrap_or_default();
        let below = at.checked_sub(1).and_then(|below| self.document.layers.get(below)).map(|layer| layer.id);
        let below = below.ok_or_else(|| Problem::new(ProblemKind::LayerLowest))?;
        self.pixels_mut(below)?;
        let pair = self.document.layers.get(at - 1..=at).unwrap_or_default();
        if let Some(hidden) = pair.iter().find(|layer| !layer.visible) {
            return Err(Problem::new(ProblemKind::LayerHidden).with("layer", &hidden.name));
        }
        let merged = merge(pair);
        let layer = self.layer_mut(below)?;
        layer.pixels = merged;
        layer.opacity = 1.0;
        self.document.layers.retain(|layer| layer.id != id);
        self.document.active = below;
        Ok(())
    }

    /// One layer that looks as all of them do; hidden ones are lost. It takes the place and name of the lowest visible
    /// one. If nothing is visible, nothing happens.
    ///
    /// # Errors
    /// [`ProblemKind::LayerLocked`] for a visible locked layer.
    pub fn flatten(&mut self) -> Result<(), Problem> {
        let visible = self.document.layers.iter().filter(|layer| layer.visible);
        if let Some(locked) = visible.clone().find(|layer| layer.locked) {
            return Err(Problem::new(ProblemKind::LayerLocked).with("layer", &locked.name));
        }
        let Some(mut flat) = visible.clone().next().cloned() else {
            return Ok(());
        };
        let alone = self.document.layers.len() == 1 && flat.blend == BlendMode::Normal && flat.opacity_byte() == 255;
        if alone {
            return Ok(());
        }
        flat.pixels = merge(&self.document.layers);
        flat.opacity = 1.0;
        flat.blend = BlendMode::Normal;
        self.document.active = flat.id;
        self.document.layers = vec![flat];
        Ok(())
    }
}

/// The picture of layers, on and off the canvas.
fn merge(layers: &[Layer]) -> ColourTiles {
    let shown = layers.iter().filter(|layer| layer.shows());
    let indices: BTreeSet<TileIndex> = shown.flat_map(|layer| layer.pixels.iter().map(|(index, _)| index)).collect();
    let indices: Vec<_> = indices.into_iter().collect();
    let composed: Vec<_> = indices.par_iter().map(|index| surface::straight(layers, *index)).collect();
    let mut merged = ColourTiles::new();
    indices.into_iter().zip(composed).for_each(|(index, tile)| merged.set_tile(index, tile));
    merged
}
