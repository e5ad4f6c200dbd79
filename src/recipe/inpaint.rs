//! Repainting a part of a picture.

use crate::imaging::Mask;
use std::sync::Arc;

/// What is repainted, and how the result joins the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Inpaint {
    /// Of the picture's size; 255 is repainted, 0 is kept.
    pub mask: Arc<Mask>,
    /// Width of the soft edge of the paste, in pixels, 0 to 256.
    pub feather: f32,
    /// Paste the result over the source, so that pixels outside the feathered mask stay as they were, bit for bit.
    /// False gives the network's own picture, as diffusers returns it.
    pub paste: bool,
}
