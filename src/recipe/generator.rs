//! The port between the application and the engine: what an engine must do, and what it reports on the way.

use super::device::DeviceChoice;
use super::recipe::Recipe;
use crate::base::Problem;
use crate::imaging::Pixmap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Paints. An implementation may keep models loaded between calls; after a panic it is thrown away and built anew.
pub trait Generator: Send {
    /// Paints the recipe's batch.
    ///
    /// # Errors
    /// A [`Problem`]; [`crate::base::ProblemKind::Cancelled`] if `progress` or its [`Cancel`] stopped the job.
    fn generate(&mut self, recipe: &Recipe, progress: &mut dyn Progress) -> Result<Output, Problem>;

    /// Where the next recipes are painted. One that has but one place for it need not listen.
    fn use_device(&mut self, _: DeviceChoice) {}
}

/// What a job gives.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// The pictures of the batch, in the order of their seeds.
    pub pictures: Vec<Pixmap>,
    /// The denoised estimate after every step, so that any step can be looked at again and branched from.
    pub trace: Vec<Latent>,
    pub timings: Timings,
}

/// The state after one step, of the whole batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Latent {
    /// The sigma that the step went down to.
    pub sigma: f64,
    /// Batch, channels, height, width.
    pub shape: [usize; 4],
    /// The sampler's x (variance exploding: clean latent plus sigma times noise), row-major.
    pub x: Arc<[f32]>,
    /// The network's estimate of the clean latent, scaled as the UNet sees it.
    pub denoised: Arc<[f32]>,
}

/// Seconds spent, for `--timings`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timings {
    /// Reading (and if need be converting) the model; 0 if it was loaded already.
    pub load_s: f64,
    pub encode_s: f64,
    pub step_s: Vec<f64>,
    /// Seconds spent on previews, all steps together.
    pub preview_s: f64,
    pub decode_s: f64,
    pub runs: Runs,
    /// The precision that was used in the end.
    pub precision: &'static str,
    pub threads: usize,
    /// Where it was painted in the end.
    pub device: DeviceChoice,
}

/// Rows of a batch that went through the network, all pictures and steps together; a guided step has two a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    /// Through the whole network.
    pub whole: u32,
    /// Through its outermost level alone, on features of an earlier step.
    pub shell: u32,
}

/// Listens to a job, and may stop it.
pub trait Progress {
    /// A new part of the job begins, or goes on (`fraction` 0 to 1 where it is known).
    fn phase(&mut self, phase: Phase) -> ControlFlow<Stop>;

    /// A step was done.
    fn step(&mut self, step: Step<'_>) -> ControlFlow<Stop>;

    /// The job begins anew, on the processor, because a device has let it down.
    fn restarted(&mut self, why: Problem) {
        tracing::warn!(problem = %why, "the job begins anew");
    }

    /// The flag that the engine looks at inside a network pass.
    fn cancel(&self) -> Cancel;
}

/// The parts of a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Phase {
    /// A pickle is converted to safetensors, once in a model's life.
    Converting {
        fraction: f64,
    },
    Loading {
        fraction: f64,
    },
    /// The prompt (and the picture, if there is one) is encoded.
    Encoding,
    Sampling,
    Decoding,
}

/// Step `index` of `total` is done.
pub struct Step<'a> {
    /// 1 to `total`.
    pub index: usize,
    pub total: usize,
    /// The sigma that the step went down to.
    pub sigma: f64,
    /// Draws what the finished pictures would be if the sampling stopped here: small (one pixel per latent pixel),
    /// one a picture of the batch. Call it only if someone looks.
    pub preview: &'a dyn Fn() -> Vec<Pixmap>,
}

/// Why a listener stopped the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Cancelled,
}

/// A flag that asks a job to stop; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
