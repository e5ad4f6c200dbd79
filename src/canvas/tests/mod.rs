//! The floor as a whole.

mod edits;
mod random;
mod tiling;

use crate::base::{Extent, IntRect};
use crate::canvas::{Document, Editor, Layer};
use crate::imaging::{Mask, Pixmap};

fn editor(width: u32, height: u32) -> Editor {
    Editor::new(Document::blank(Extent::new(width, height), "底").unwrap())
}

fn flat(width: u32, height: u32, colour: [u8; 4]) -> Pixmap {
    Pixmap::from_rgba(Extent::new(width, height), colour.repeat((width * height) as usize)).unwrap()
}

fn full(width: u32, height: u32) -> Mask {
    Mask::from_bytes(Extent::new(width, height), vec![255; (width * height) as usize]).unwrap()
}

fn layer(colour: [u8; 4], rect: IntRect) -> Layer {
    let mut layer = Layer::new("色");
    layer.pixels.fill(rect, colour);
    layer
}
