//! [`Change`]: what must be drawn anew, found by comparing two documents.

use super::document::Document;
use super::layer::Layer;
use super::tiles::{TileIndex, Tiles};
use crate::base::LayerId;
use std::collections::BTreeSet;

/// The difference of two documents. Tiles are those that touch the canvas of the newer one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The picture of all layers may differ in these tiles, and nowhere else.
    pub composite: BTreeSet<TileIndex>,
    /// The repaint mask differs in these.
    pub mask: BTreeSet<TileIndex>,
    /// The selection differs in these (no selection counts as nothing selected here).
    pub selection_tiles: BTreeSet<TileIndex>,
    /// The list of layers, or a property of one, differs.
    pub layers: bool,
    /// Layers with other pixels, on or off the canvas: for the thumbnails.
    pub pixels: BTreeSet<LayerId>,
    /// The extent differs: every tile is in the sets above.
    pub extent: bool,
    pub frame: bool,
    pub selection: bool,
    pub active: bool,
    /// Anything of the mask differs, on or off the canvas.
    pub mask_changed: bool,
}

impl Change {
    /// Cheap where the documents share their tiles.
    pub fn between(before: &Document, after: &Document) -> Self {
        let mut change = Self {
            extent: before.extent != after.extent,
            frame: before.frame != after.frame,
            active: before.active != after.active,
            ..Self::default()
        };
        change.compare_layers(before, after);
        change.mask_changed = collect(&before.mask, &after.mask, &mut change.mask);
        let none = Tiles::new();
        let selected = |document: &Document| document.selection.clone().unwrap_or_else(|| none.clone());
        change.selection = before.selection.is_some() != after.selection.is_some();
        change.selection |= collect(&selected(before), &selected(after), &mut change.selection_tiles);
        if change.extent {
            let all: BTreeSet<_> = TileIndex::covering(after.canvas()).collect();
            change.composite = all.clone();
            change.mask = all.clone();
            change.selection_tiles = all;
        } else {
            let canvas = after.canvas();
            let on_canvas = |index: &TileIndex| index.rect().intersect(canvas).is_some();
            change.composite.retain(on_canvas);
            change.mask.retain(on_canvas);
            change.selection_tiles.retain(on_canvas);
        }
        change
    }

    /// True if nothing differs; which layer is active is no difference of the document.
    pub fn is_nothing(&self) -> bool {
        let pixels = self.pixels.is_empty() && !self.mask_changed && !self.selection;
        pixels && !self.layers && !self.extent && !self.frame
    }

    fn compare_layers(&mut self, before: &Document, after: &Document) {
        let lacks = |document: &Document, layer: &Layer| document.layer(layer.id).is_none();
        for layer in before.layers.iter().filter(|layer| lacks(after, layer)) {
            self.layers = true;
            self.all_of(layer);
        }
        for layer in after.layers.iter().filter(|layer| lacks(before, layer)) {
            self.layers = true;
            self.pixels.insert(layer.id);
            self.all_of(layer);
        }
        // Of the layers in both, those that stand elsewhere among them are drawn anew: wherever two have changed their
        // order, at least one of them stands elsewhere.
        let old = before.layers.iter().filter(|layer| !lacks(after, layer));
        let new = after.layers.iter().filter(|layer| !lacks(before, layer));
        for (a, b) in old.zip(new) {
            if a.id != b.id {
                self.layers = true;
                self.all_of(a);
                self.all_of(b);
            }
        }
        for new in &after.layers {
            let Some(old) = before.layer(new.id) else {
                continue;
            };
            let drawn = |layer: &Layer| (layer.visible, layer.opacity_byte(), layer.blend);
            if drawn(old) != drawn(new) {
                self.all_of(old);
                self.all_of(new);
            }
            let rest = |layer: &Layer| (layer.opacity.to_bits(), layer.locked, layer.alpha_locked);
            self.layers |= drawn(old) != drawn(new) || rest(old) != rest(new) || old.name != new.name;
            let mut differing = BTreeSet::new();
            if collect(&old.pixels, &new.pixels, &mut differing) {
                self.pixels.insert(new.id);
                if old.visible || new.visible {
                    self.composite.append(&mut differing);
                }
            }
        }
    }

    fn all_of(&mut self, layer: &Layer) {
        if layer.shows() {
            self.composite.extend(layer.pixels.iter().map(|(index, _)| index));
        }
    }
}

/// Adds the tiles that differ; true if there are any.
fn collect<const C: usize>(a: &Tiles<C>, b: &Tiles<C>, into: &mut BTreeSet<TileIndex>) -> bool {
    let mut any = false;
    a.for_differences(b, |index, _, _| {
        any = true;
        into.insert(index);
    });
    any
}
