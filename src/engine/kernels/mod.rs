//! CPU kernels in f32: slices in, slices out, no candle. Each looks at a [`Cancel`] often enough that a job stops in
//! well under a second, and says by `false` that it stopped; the output is then unfinished.
//!
//! They run on rayon's one pool and vectorise for the processor at hand through `pulp`'s dispatch.

pub mod activation;
pub mod attention;
pub mod conv;
pub mod layout;
pub mod math;
pub mod matmul;
pub mod norm;

pub use crate::recipe::Cancel;
