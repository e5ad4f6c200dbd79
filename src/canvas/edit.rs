//! The edits: methods of [`super::Transaction`], by what they touch.

mod canvas;
mod layers;
mod mask;
mod paint;
mod transform;

pub use mask::Combine;
pub use transform::{Sampling, Turn};
