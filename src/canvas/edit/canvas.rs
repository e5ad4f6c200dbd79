//! The canvas itself and the frame.

use crate::base::{Extent, IntRect, Problem};
use crate::canvas::document::check_extent;
use crate::canvas::transaction::Transaction;

impl Transaction<'_> {
    /// Another extent, with everything moved by (dx, dy): to extend by 100 on the left, add 100 to the width and give
    /// dx = 100; to crop, give the negative corner. Layers keep what comes to lie off the canvas; the mask and the
    /// selection are cut.
    ///
    /// # Errors
    /// [`crate::base::ProblemKind::SizeInvalid`] if a side is 0 or longer than [`crate::canvas::SIDE_MOST`].
    pub fn resize_canvas(&mut self, extent: Extent, dx: i32, dy: i32) -> Result<(), Problem> {
        check_extent(extent)?;
        let document = &mut *self.document;
        let followed = document.frame == document.canvas();
        document.extent = extent;
        let canvas = document.canvas();
        if (dx, dy) != (0, 0) {
            for layer in &mut document.layers {
                layer.pixels = layer.pixels.moved(dx, dy);
            }
            document.mask = document.mask.moved(dx, dy);
            document.selection = document.selection.take().map(|selection| selection.moved(dx, dy));
            document.frame.x = document.frame.x.saturating_add(dx);
            document.frame.y = document.frame.y.saturating_add(dy);
        }
        document.mask = document.mask.cropped(canvas);
        document.selection = document.selection.take().map(|selection| selection.cropped(canvas));
        // A frame round the old canvas goes on being round it; one that has lost the canvas finds it again.
        if followed || document.frame.intersect(canvas).is_none() {
            document.frame = canvas;
        }
        Ok(())
    }

    /// The canvas becomes a rectangle of the old one's plane.
    ///
    /// # Errors
    /// As [`Self::resize_canvas`].
    pub fn crop(&mut self, rect: IntRect) -> Result<(), Problem> {
        self.resize_canvas(rect.extent(), rect.x.saturating_neg(), rect.y.saturating_neg())
    }

    /// The region that generation works on; may reach beyond the canvas.
    ///
    /// # Errors
    /// [`crate::base::ProblemKind::SizeInvalid`] if a side is 0 or longer than [`crate::canvas::SIDE_MOST`].
    pub fn set_frame(&mut self, frame: IntRect) -> Result<(), Problem> {
        check_extent(frame.extent())?;
        self.document.frame = frame;
        Ok(())
    }
}
