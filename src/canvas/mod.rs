//! The document: pure data and edits; no window, no engine.

pub mod coverage;
pub mod dab;
pub mod stroke;

pub use coverage::Coverage;
pub use dab::Dab;
pub use stroke::{Brush, Sample, Stroke};
