//! [`Document`]: what is painted, as a value.

use super::layer::Layer;
use super::tiles::{ColourTiles, MaskTiles, Tiles};
use crate::base::{Extent, IntRect, LayerId, Problem, ProblemKind};
use crate::imaging::{Mask, Pixmap};
use std::collections::HashSet;

/// The longest side of a canvas, in pixels.
pub const SIDE_MOST: u32 = 16384;

/// Layers, the repaint mask, the selection and the frame, on a canvas from (0, 0) to its extent. Cloning is cheap.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub(super) extent: Extent,
    /// From the bottom; never empty.
    pub(super) layers: Vec<Layer>,
    pub(super) active: LayerId,
    pub(super) mask: MaskTiles,
    pub(super) selection: Option<MaskTiles>,
    pub(super) frame: IntRect,
}

impl Document {
    /// One transparent layer.
    ///
    /// # Errors
    /// [`ProblemKind::SizeInvalid`] if a side is 0 or longer than [`SIDE_MOST`].
    pub fn blank(extent: Extent, name: impl Into<String>) -> Result<Self, Problem> {
        Self::from_layers(extent, vec![Layer::new(name)])
    }

    /// One layer with the picture.
    ///
    /// # Errors
    /// As [`Self::blank`].
    pub fn from_pixmap(picture: &Pixmap, name: impl Into<String>) -> Result<Self, Problem> {
        let mut layer = Layer::new(name);
        layer.pixels.put(0, 0, picture);
        Self::from_layers(picture.extent(), vec![layer])
    }

    /// Of layers from the bottom, with the uppermost active, no mask, and the frame round the canvas. No layers give one
    /// empty layer; a layer whose id is there already gets a new one.
    ///
    /// # Errors
    /// As [`Self::blank`].
    pub fn from_layers(extent: Extent, mut layers: Vec<Layer>) -> Result<Self, Problem> {
        check_extent(extent)?;
        let mut ids = HashSet::new();
        for layer in &mut layers {
            if !ids.insert(layer.id) {
                layer.id = LayerId::fresh();
            }
            layer.pixels.drop_empty();
        }
        if layers.is_empty() {
            layers.push(Layer::new(String::new()));
        }
        let active = layers.last().map_or(LayerId(0), |layer| layer.id);
        let frame = IntRect::new(0, 0, extent.width, extent.height);
        Ok(Self { extent, layers, active, mask: Tiles::new(), selection: None, frame })
    }

    /// The same document with another mask, for what is read from files.
    #[must_use]
    pub fn with_mask(mut self, mut mask: MaskTiles) -> Self {
        mask.drop_empty();
        self.mask = mask;
        self
    }

    /// The same document with another selection, for what is read from files.
    #[must_use]
    pub fn with_selection(mut self, selection: Option<MaskTiles>) -> Self {
        self.selection = selection.filter(|tiles| tiles.iter().any(|(_, tile)| !tile.is_empty()));
        self
    }

    /// The same document with another frame; one that is empty or too large is not taken.
    #[must_use]
    pub fn with_frame(mut self, frame: IntRect) -> Self {
        if check_extent(frame.extent()).is_ok() {
            self.frame = frame;
        }
        self
    }

    /// The same document with another active layer, if it has it.
    #[must_use]
    pub fn with_active(mut self, id: LayerId) -> Self {
        if self.layer(id).is_some() {
            self.active = id;
        }
        self
    }

    /// The same document with other pixels in a layer, for what is shown and not done.
    #[must_use]
    pub fn with_pixels(mut self, id: LayerId, pixels: &ColourTiles) -> Self {
        if let Some(layer) = self.layers.iter_mut().find(|layer| layer.id == id) {
            layer.pixels = pixels.clone();
        }
        self
    }

    pub const fn extent(&self) -> Extent {
        self.extent
    }

    /// The canvas, at the origin.
    pub const fn canvas(&self) -> IntRect {
        IntRect::new(0, 0, self.extent.width, self.extent.height)
    }

    /// From the bottom; never empty.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    pub const fn active(&self) -> LayerId {
        self.active
    }

    pub fn active_layer(&self) -> Option<&Layer> {
        self.layer(self.active)
    }

    pub fn layer(&self, id: LayerId) -> Option<&Layer> {
        self.layers.iter().find(|layer| layer.id == id)
    }

    /// Its place from the bottom.
    pub fn position(&self, id: LayerId) -> Option<usize> {
        self.layers.iter().position(|layer| layer.id == id)
    }

    /// The repaint mask.
    pub const fn mask(&self) -> &MaskTiles {
        &self.mask
    }

    /// `None` means that everything is selected.
    pub const fn selection(&self) -> Option<&MaskTiles> {
        self.selection.as_ref()
    }

    /// The region that generation works on; may reach beyond the canvas.
    pub const fn frame(&self) -> IntRect {
        self.frame
    }

    /// Bytes of its tiles; those that several layers share count once.
    pub fn bytes(&self) -> usize {
        let mut seen = HashSet::new();
        let layers: usize = self.layers.iter().map(|layer| layer.pixels.bytes(&mut seen)).sum();
        layers + self.mask.bytes(&mut seen) + self.selection.as_ref().map_or(0, |tiles| tiles.bytes(&mut seen))
    }
}

/// # Errors
/// [`ProblemKind::SizeInvalid`] if a side is 0 or longer than [`SIDE_MOST`].
pub(crate) fn check_extent(extent: Extent) -> Result<(), Problem> {
    if extent.is_empty() || extent.width > SIDE_MOST || extent.height > SIDE_MOST {
        let problem = Problem::new(ProblemKind::SizeInvalid).with("size", extent);
        return Err(problem.with("least", Extent::new(1, 1)).with("most", Extent::new(SIDE_MOST, SIDE_MOST)));
    }
    Ok(())
}

impl ColourTiles {
    /// The pixels of a rectangle as a picture.
    pub fn pixmap(&self, rect: IntRect) -> Pixmap {
        let rgba = self.read(rect).into_flattened();
        Pixmap::from_rgba(rect.extent(), rgba).unwrap_or_else(|| Pixmap::new(rect.extent()))
    }

    /// Writes a picture with its top left corner at (x, y).
    pub fn put(&mut self, x: i32, y: i32, picture: &Pixmap) {
        let extent = picture.extent();
        self.write(IntRect::new(x, y, extent.width, extent.height), picture.rgba().as_chunks().0);
    }

    /// Only this picture, with its top left corner at (x, y).
    pub fn from_pixmap(x: i32, y: i32, picture: &Pixmap) -> Self {
        let mut tiles = Self::new();
        tiles.put(x, y, picture);
        tiles
    }
}

impl MaskTiles {
    /// The coverage of a rectangle.
    pub fn to_mask(&self, rect: IntRect) -> Mask {
        let bytes = self.read(rect).into_flattened();
        Mask::from_bytes(rect.extent(), bytes).unwrap_or_else(|| Mask::new(rect.extent()))
    }

    /// Writes coverage with its top left corner at (x, y).
    pub fn put(&mut self, x: i32, y: i32, mask: &Mask) {
        let extent = mask.extent();
        self.write(IntRect::new(x, y, extent.width, extent.height), mask.bytes().as_chunks().0);
    }

    /// Only this coverage, with its top left corner at (x, y).
    pub fn from_mask(x: i32, y: i32, mask: &Mask) -> Self {
        let mut tiles = Self::new();
        tiles.put(x, y, mask);
        tiles
    }
}
