//! Parameters by their dotted names.

use crate::base::Problem;
use crate::engine::weights::Weights;
use candle_core::Tensor;

/// A place in the tree of parameter names.
#[derive(Clone)]
pub struct Params<'a> {
    weights: &'a Weights,
    prefix: String,
}

impl<'a> Params<'a> {
    pub fn root(weights: &'a Weights) -> Self {
        Self { weights, prefix: String::new() }
    }

    /// The branch `name`; dots may be inside.
    pub fn at(&self, name: impl std::fmt::Display) -> Self {
        Self { weights: self.weights, prefix: self.full(name) }
    }

    fn full(&self, name: impl std::fmt::Display) -> String {
        if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) }
    }

    /// The tensor `name`, of exactly this shape.
    ///
    /// # Errors
    /// [`crate::base::ProblemKind::WeightsMismatch`] if it is absent or of another shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor, Problem> {
        self.weights.get(&self.full(name), shape)
    }

    pub fn has(&self, name: &str) -> bool {
        self.weights.has(&self.full(name))
    }
}
