//! Gaussian noise streams: the same seed gives the numbers that PyTorch gives, and the same bits on every machine.
//!
//! A stream stands for one generator and keeps its state from call to call. A batch takes one stream a picture.
//!
//! | stream | stands for | fidelity |
//! |---|---|---|
//! | [`TorchCpu`] | `torch.Generator("cpu")` | bit-equal to PyTorch's x86-64 builds on AVX2 or better |
//! | [`TorchCuda`] | `torch.Generator("cuda")` | the same random integers; the transform within a few 1e-6 |

mod mt19937;
mod normal;
mod philox;
#[cfg(test)]
mod tests;

pub use mt19937::TorchCpu;
pub use philox::TorchCuda;

use crate::recipe::NoiseSource;

/// Standard normal numbers in the order in which a seeded generator hands them out.
pub trait NoiseStream {
    /// The next `n` samples of N(0, 1), as one `torch.randn` call of `n` elements would give them.
    ///
    /// The split into calls matters: `randn(8)` twice is not `randn(16)`.
    fn randn(&mut self, n: usize) -> Vec<f32>;
}

/// A fresh stream of the given source, seeded with `seed`.
pub fn stream(source: NoiseSource, seed: u64) -> Box<dyn NoiseStream + Send> {
    match source {
        NoiseSource::TorchCpu => Box::new(TorchCpu::new(seed)),
        NoiseSource::TorchCuda => Box::new(TorchCuda::new(seed)),
    }
}
