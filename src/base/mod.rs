//! Ground floor: values that every other module may use and that know nothing of pictures.

pub mod files;
pub mod geometry;
pub mod id;
pub mod problem;

pub use geometry::{Extent, IntRect};
pub use id::{ImageId, JobId};
pub use problem::{Problem, ProblemKind, Severity};
