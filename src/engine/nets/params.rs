//! Parameters by their dotted names.

use super::native::Scheme;
use super::ops::Place;
use crate::base::Problem;
use crate::engine::weights::{Source, Weights};
use candle_core::{DType, Tensor};

/// A place in the tree of parameter names.
#[derive(Clone)]
pub struct Params<'a> {
    weights: &'a Weights,
    prefix: String,
    place: Place,
}

impl<'a> Params<'a> {
    pub fn root(weights: &'a Weights) -> Self {
        Self { weights, prefix: String::new(), place: weights.place() }
    }

    /// Where the layers that are loaded from here compute.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The same, but layers compute as exactly as their activations are: for those that a network is sensitive to.
    pub fn unquantised(&self) -> Self {
        self.with(Scheme::unquantised, |dtype| dtype)
    }

    /// The same, but layers compute in f32.
    pub fn full(&self) -> Self {
        self.with(|scheme| Scheme::full(scheme.isa), |_| DType::F32)
    }

    fn with(&self, native: impl FnOnce(Scheme) -> Scheme, plain: impl FnOnce(DType) -> DType) -> Self {
        let place = match self.place {
            Place::Native(scheme) => Place::Native(native(scheme)),
            Place::Plain(dtype) => Place::Plain(plain(dtype)),
        };
        Self { place, ..self.clone() }
    }

    /// The branch `name`; dots may be inside.
    pub fn at(&self, name: impl std::fmt::Display) -> Self {
        Self { prefix: self.full_name(name), ..self.clone() }
    }

    fn full_name(&self, name: impl std::fmt::Display) -> String {
        if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) }
    }

    /// The tensor `name`, of exactly this shape, on the device; in the place's format where candle computes, else in
    /// f32.
    ///
    /// # Errors
    /// [`crate::base::ProblemKind::WeightsMismatch`] if it is absent or of another shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor, Problem> {
        let dtype = match self.place {
            Place::Native(_) => DType::F32,
            Place::Plain(dtype) => dtype,
        };
        self.weights.get(&self.full_name(name), shape, dtype)
    }

    /// The values of the tensor `name`, of exactly this shape, row by row.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn source(&self, name: &str, shape: &[usize]) -> Result<Source<'a>, Problem> {
        self.weights.source(&self.full_name(name), shape)
    }

    pub fn has(&self, name: &str) -> bool {
        self.weights.has(&self.full_name(name))
    }
}
