//! A request as a value: everything that determines a picture, the port to the engine, and the text in PNG files.

pub mod bench;
pub mod check;
pub mod device;
pub mod family;
pub mod generator;
pub mod inpaint;
pub mod metadata;
pub mod prompt;
#[allow(clippy::module_inception)]
pub mod recipe;
pub mod sampling;

pub use device::{DeviceChoice, DeviceInfo, DeviceLister, DeviceMemory};
pub use family::{Abilities, FamilyInfo};
pub use generator::{Cancel, Generator, Latent, Output, Phase, Progress, Runs, Step, Stop, Timings};
pub use inpaint::{Inpaint, InpaintPlan};
pub use recipe::{Precision, Recipe, Source, TextOptions};
pub use sampling::{Interval, NoiseSource, Preset, SamplerId, Sampling, ScheduleId};
