//! What models lie on this disk, what their files say of themselves, and the raw bits of their tensors.
//!
//! - [`folder`]: a diffusers folder and its parts;
//! - [`header`]: safetensors, mapped into memory;
//! - [`pickle`]: PyTorch's `.bin`, `.ckpt`, `.pt`, read by an allow-list (`machine` runs the opcodes, `torch` knows the names,
//!   `state_dict` lists the tensors) and never executed;
//! - [`convert`]: any weights file as safetensors, converted once and kept;
//! - [`scan`]: lists models and tells what a file is.
//!
//! Nothing here knows a network: names and shapes are passed on as they are.

pub mod convert;
pub mod folder;
pub mod format;
pub mod header;
mod machine;
pub mod pickle;
pub mod scan;
mod state_dict;
mod torch;

pub use convert::{open_all, open_weights};
pub use folder::{Component, ModelFolder, Tokenizer};
pub use format::Format;
pub use header::{Dtype, TensorInfo, TensorView, WeightsFile, WeightsSet};
pub use pickle::{PickleFile, PickleTensor};
pub use scan::{Inspection, Kind, ModelEntry, Part, inspect, models};
