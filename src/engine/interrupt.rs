//! Why a network pass or a sampler ended early.

use crate::base::{Problem, ProblemKind};
use crate::engine::kernels::pages::Refused;

/// The error inside the engine; it becomes a [`Problem`] where the engine is left.
#[derive(Debug, thiserror::Error)]
pub enum Interrupt {
    #[error("cancelled")]
    Cancelled,
    /// NaN or infinity came out of the named place.
    #[error("not a number in {0}")]
    NotANumber(&'static str),
    /// So many bytes were not to be had.
    #[error("{0} bytes were refused")]
    OutOfMemory(usize),
    #[error(transparent)]
    Failed(#[from] candle_core::Error),
    #[error(transparent)]
    Problem(#[from] Problem),
}

impl From<Refused> for Interrupt {
    fn from(Refused(bytes): Refused) -> Self {
        Self::OutOfMemory(bytes)
    }
}

impl From<Interrupt> for Problem {
    fn from(interrupt: Interrupt) -> Self {
        match interrupt {
            Interrupt::Cancelled => Problem::new(ProblemKind::Cancelled),
            Interrupt::NotANumber(place) => Problem::new(ProblemKind::NotANumber).with("where", place),
            Interrupt::OutOfMemory(bytes) => {
                Problem::new(ProblemKind::OutOfMemory).detail(format!("{bytes} bytes were refused"))
            }
            Interrupt::Problem(problem) => problem,
            Interrupt::Failed(error) => {
                let text = error.to_string();
                let short = text.to_ascii_lowercase();
                let words = ["out of memory", "out_of_memory", "alloc_failed"];
                let kind = if words.iter().any(|word| short.contains(word)) {
                    ProblemKind::OutOfMemory
                } else {
                    ProblemKind::Internal
                };
                Problem::new(kind).detail(text)
            }
        }
    }
}
