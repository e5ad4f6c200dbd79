//! Matrix products and convolutions over weights packed once: f32, bf16 and int8, chosen for the processor at run time.
//!
//! Activations are rows of channels, pixels in the order [batch, height, width] (NHWC), as they lie in memory: they are
//! neither repacked nor padded. A convolution is a product whose depth runs over taps and channels, with a table of
//! pointers to the pixels that each tap sees. Calls spread over rayon's pool and look at a stop flag within
//! milliseconds.

pub mod bytes;
pub mod conv;
pub mod epilogue;
#[cfg(target_arch = "aarch64")]
mod finish_neon;
#[cfg(target_arch = "x86_64")]
mod finish_x86;
#[cfg(target_arch = "aarch64")]
mod matrix_neon;
mod micro;
#[cfg(target_arch = "aarch64")]
mod neon;
mod prefetch;
pub mod product;
pub mod quantise;
#[cfg(target_arch = "aarch64")]
mod quantise_neon;
#[cfg(target_arch = "x86_64")]
mod quantise_x86;
#[cfg(test)]
mod tests;
pub mod weights;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use super::element::{Float, Precision};
pub use conv::Geometry;
pub use epilogue::{Epilogue, Out, Residual};
pub use product::{Input, conv, linear};
pub use quantise::{ByteRows, Quantised};
pub use weights::{Columns, PackedWeights, Spec};
