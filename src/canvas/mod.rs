//! The document: pure data and edits. No window, no engine.
//!
//! A [`Document`] is a value that costs nothing to clone ([`tiles`]); an [`Editor`] holds the current one and its
//! [`History`]; pixels and layers change only through a [`Transaction`], whose methods are the edits ([`edit`]). What to
//! draw anew is found by comparing two documents ([`Change`]), and drawn by [`surface`] where [`View`] puts it.
//!
//! A [`Stroke`] turns pointer samples into [`Dab`]s, and [`Coverage`] adds them up.

pub mod change;
pub mod coverage;
pub mod dab;
pub mod document;
pub mod edit;
pub mod editor;
pub mod hands;
pub mod history;
pub mod layer;
pub mod openraster;
pub mod reshape;
pub mod stroke;
pub mod surface;
pub mod tiles;
pub mod transaction;
pub mod view;

#[cfg(test)]
mod tests;

pub use change::Change;
pub use coverage::Coverage;
pub use dab::Dab;
pub use document::{Document, SIDE_MOST};
pub use editor::Editor;
pub use history::History;
pub use layer::Layer;
pub use reshape::Reshape;
pub use stroke::{Brush, Sample, Stroke};
pub use tiles::{ColourTiles, MaskTiles, TILE, Tile, TileIndex, Tiles};
pub use transaction::Transaction;
pub use view::{View, Viewport};
