//! Ground floor: values that every other module may use and that know nothing of pictures.

pub mod affine;
pub mod background;
pub mod files;
pub mod geometry;
pub mod id;
pub mod machine;
pub mod problem;

pub use affine::Affine;
pub use geometry::{Extent, IntRect};
pub use id::{ImageId, JobId, LayerId};
pub use problem::{Problem, ProblemKind, Severity};
