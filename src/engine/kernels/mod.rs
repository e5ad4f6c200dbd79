//! CPU kernels: slices in, slices out, no candle. Activations are rows of channels, pixels in the order [batch, height,
//! width] (NHWC), in f32 or bf16. Each asks a [`Stop`] often enough that a job stops in well under a second, and says by
//! `false` that it stopped; the output is then unfinished.
//!
//! They run on rayon's one pool, by the instructions that [`Isa`] found at run time; [`Isa::Portable`] is always right,
//! and tests hold the others to it.

pub mod attention;
pub mod element;
pub mod isa;
pub mod layout;
pub mod math;
pub mod norm;
pub mod output;
pub mod packed;
pub mod pages;
pub mod pointwise;
#[cfg(test)]
mod testing;
pub mod vectorise;

pub use isa::Isa;

/// What tells a kernel to stop: true once somebody asked for it.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// Never stops.
#[cfg(test)]
pub const GO: Stop<'static> = &|| false;
