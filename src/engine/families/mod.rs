//! Model families: one file each, one table. Nothing outside this table matches on a family.

pub mod advice;
mod sd;
mod taiyi;

use super::interrupt::Interrupt;
use super::nets::ops::Pass;
use super::nets::unet::{Heard, Reuse};
use super::schedules::NoiseTable;
use super::weights::Loader;
use crate::base::{Problem, ProblemKind};
use crate::catalog::ModelFolder;
use crate::recipe::{FamilyInfo, TextOptions};
use candle_core::Tensor;
use std::path::Path;
use std::sync::Arc;

/// A loaded model: the parts that differ between families. The pipeline knows no more than this.
pub trait Model: Send {
    fn info(&self) -> &FamilyInfo;

    /// The noise that the network was trained with, and what it predicts.
    fn noise(&self) -> &Arc<NoiseTable>;

    /// Texts, weights in brackets understood, to what the network listens to: [1, tokens, width] each.
    fn encode_texts(&self, pass: &Pass, texts: &[&str], options: TextOptions) -> Result<Vec<Tensor>, Interrupt>;

    /// What the network hears of texts [batch, tokens, width]: worked out once a job.
    fn listen(&self, pass: &Pass, texts: &Tensor) -> Result<Heard, Interrupt>;

    /// The raw prediction: x [batch, channels, h, w] of unit variance, heard texts of the same batch; the same shape as x.
    fn predict(
        &self,
        pass: &Pass,
        x: &Tensor,
        timestep: f64,
        texts: &Heard,
        reuse: Reuse<'_>,
    ) -> Result<Tensor, Interrupt>;

    /// A picture [1, 3, H, W] in [-1, 1] to mean and standard deviation of its latent, scaled as the network sees it.
    fn encode_picture(&self, pass: &Pass, picture: &Tensor) -> Result<(Tensor, Tensor), Interrupt>;

    /// A latent [1, channels, h, w], scaled as the network sees it, to a picture [1, 3, H, W] in [-1, 1].
    fn decode(&self, pass: &Pass, latent: &Tensor) -> Result<Tensor, Interrupt>;
}

/// Reads a model's weights.
pub type Load = fn(&ModelFolder, &mut Loader<'_>) -> Result<Box<dyn Model>, Problem>;

/// A line of the table.
pub struct Family {
    pub key: &'static str,
    /// Whether a model folder is of this family.
    pub detect: fn(&ModelFolder) -> bool,
    /// Facts for the window, from the configs alone.
    pub info: fn(&ModelFolder) -> Result<FamilyInfo, Problem>,
    pub load: Load,
}

/// All families; the first that detects a folder has it.
pub static FAMILIES: &[Family] = &[taiyi::FAMILY];

/// The family of a model folder.
///
/// # Errors
/// [`ProblemKind::ModelUnknown`] if no family knows it, and what [`ModelFolder::open`] says.
pub fn detect(path: &Path) -> Result<(ModelFolder, &'static Family), Problem> {
    let folder = ModelFolder::open(path)?;
    match FAMILIES.iter().find(|family| (family.detect)(&folder)) {
        Some(family) => Ok((folder, family)),
        None => Err(Problem::new(ProblemKind::ModelUnknown).with("model", path.display()).at(path)),
    }
}
