//! Where the time of a pass goes, by kind of work.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Convolution,
    Linear,
    Attention,
    /// Keys and values into the order in which attention reads them.
    Packing,
    Norm,
    /// Activations to bytes, to other formats, side by side, and functions of single values.
    Pointwise,
}

impl Kind {
    pub const ALL: [Kind; 6] =
        [Kind::Convolution, Kind::Linear, Kind::Attention, Kind::Packing, Kind::Norm, Kind::Pointwise];

    pub const fn name(self) -> &'static str {
        match self {
            Kind::Convolution => "convolution",
            Kind::Linear => "linear",
            Kind::Attention => "attention",
            Kind::Packing => "packing",
            Kind::Norm => "norm",
            Kind::Pointwise => "pointwise",
        }
    }
}

/// Time and arithmetic of a kind of work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    pub time: Duration,
    /// Multiplications and additions, each counted.
    pub operations: f64,
}

/// Sums for each kind.
#[derive(Debug, Default)]
pub struct Profile(Mutex<[Spent; Kind::ALL.len()]>);

impl Profile {
    pub fn note(&self, kind: Kind, time: Duration, operations: f64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = Kind::ALL.iter().position(|k| *k == kind);
        if let Some(spent) = at.and_then(|at| all.get_mut(at)) {
            spent.time += time;
            spent.operations += operations;
        }
    }

    /// What was noted so far.
    pub fn spent(&self) -> Vec<(Kind, Spent)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Kind::ALL.into_iter().zip(all.iter().copied()).collect()
    }
}
