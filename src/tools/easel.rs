//! What tools ask of the document. Tools see no more of it than this, so each of them can be tried on a sheet of its
//! own, and the document may keep its pixels as it likes.

use crate::base::{Extent, IntRect, LayerId};
use crate::canvas::ColourTiles;
use crate::imaging::{Mask, Pixmap};

/// Where pixels are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The active layer.
    Layer,
    /// All visible layers as they are seen.
    Composite,
}

/// What may be done with the active layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerState {
    pub visible: bool,
    pub locked: bool,
    /// Colours may change, transparency may not.
    pub alpha_locked: bool,
}

/// A layer as it was, to know it again.
pub type Stamp = Option<(LayerId, ColourTiles)>;

/// A document under a tool's hands. All rectangles are in canvas pixels and may reach beyond the canvas, where layers
/// may have pixels but mask and selection have none.
///
/// Changes are made between [`Easel::begin`] and [`Easel::commit`], which makes one named step of the history of them
/// (none if nothing changed), or [`Easel::rollback`], after which everything is as it was at the beginning.
pub trait Easel {
    fn extent(&self) -> Extent;

    /// `None` if no layer is active.
    fn layer(&self) -> Option<LayerState>;

    /// Where the active layer has pixels that are not transparent; it may reach beyond the canvas. `None` if nowhere.
    fn layer_bounds(&self) -> Option<IntRect>;

    /// Equal to an earlier one as long as the same layer is active with the same pixels.
    fn layer_stamp(&self) -> Stamp;

    fn read(&self, source: Source, area: IntRect) -> Pixmap;

    /// Coverage of the mask of the document.
    fn read_mask(&self, area: IntRect) -> Mask;

    /// The selection; `None` if nothing is selected, which leaves everything open to change.
    fn read_selection(&self, area: IntRect) -> Option<Mask>;

    /// The region that generation works on.
    fn frame(&self) -> IntRect;

    /// Opens a transaction; `name` is a message id. One that something else has left open is committed first.
    fn begin(&mut self, name: &'static str);

    fn commit(&mut self);

    fn rollback(&mut self);

    /// Puts pixels into the active layer with their corner at (`x`, `y`).
    fn write(&mut self, x: i32, y: i32, pixels: &Pixmap);

    /// As [`Easel::write`] for many pieces, none of which reaches from one square of 64×64 pixels into another.
    fn write_pieces(&mut self, pieces: Vec<(IntRect, Pixmap)>) {
        for (rect, pixels) in pieces {
            self.write(rect.x, rect.y, &pixels);
        }
    }

    fn write_mask(&mut self, x: i32, y: i32, mask: &Mask);

    /// Selects by a mask of the canvas's size, or nothing.
    fn select(&mut self, mask: Option<Mask>);

    /// Puts the active layer, as it was at [`Easel::begin`], so many pixels to the right and down.
    fn shift_layer(&mut self, by: (i32, i32));

    /// The active layer is these pixels with their corner at (`x`, `y`), and nothing else.
    fn replace_layer(&mut self, x: i32, y: i32, pixels: &Pixmap);

    fn set_frame(&mut self, frame: IntRect);
}

/// The whole canvas.
pub fn whole(easel: &dyn Easel) -> IntRect {
    let extent = easel.extent();
    IntRect::new(0, 0, extent.width, extent.height)
}
