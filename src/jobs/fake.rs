//! A generator without a network, for the tests of the window, the queue and the command line, and for trying them out
//! on a machine without a model. Its pictures are a gradient under a pattern, both decided by the seed: the same recipe
//! gives the same bytes.

use crate::base::{Extent, Problem, ProblemKind};
use crate::imaging::Pixmap;
use crate::recipe::{
    Abilities, Cancel, FamilyInfo, Generator, Latent, Output, Phase, Progress, Recipe, Source, Step, Timings,
};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Picture pixels for one latent pixel.
const FACTOR: u32 = 8;
const CHANNELS: usize = 4;

/// Facts of the family that [`FakeGenerator`] pretends to be: 512×512, factor 8, everything allowed.
pub fn fake_family() -> FamilyInfo {
    FamilyInfo {
        key: "fake",
        title: "Fake",
        native: Extent::new(512, 512),
        factor: FACTOR,
        latent_channels: CHANNELS,
        most_area: 2048 * 2048,
        guidance: 7.0,
        tokens: 512,
        abilities: Abilities { negative_prompt: true, image_to_image: true, inpaint: true },
    }
}

/// What goes wrong, and in which step (1 is the first; 0 is before the first, while the prompt is encoded).
#[derive(Clone, Debug)]
enum Fault {
    Fail(Problem),
    Panic,
    /// The job begins anew, and goes well.
    LetDown(Problem),
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct FakeGenerator {
    delay: Duration,
    seen: Option<Arc<Mutex<Vec<Recipe>>>>,
    fault: Option<(usize, Fault)>,
}

impl FakeGenerator {
    /// One that paints at once and never fails.
    pub fn new() -> Self {
        Self::default()
    }

    /// Each step lasts this long.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Writes down each recipe that it gets, before it paints it.
    #[must_use]
    pub fn writing_down(mut self, recipes: Arc<Mutex<Vec<Recipe>>>) -> Self {
        self.seen = Some(recipes);
        self
    }

    /// Every job fails in `step` with `problem`.
    #[must_use]
    pub fn failing_at(mut self, step: usize, problem: Problem) -> Self {
        self.fault = Some((step, Fault::Fail(problem)));
        self
    }

    /// Every job panics in `step`.
    #[must_use]
    pub fn panicking_at(mut self, step: usize) -> Self {
        self.fault = Some((step, Fault::Panic));
        self
    }

    /// Every job begins anew in `step`, because of `problem`.
    #[must_use]
    pub fn let_down_at(mut self, step: usize, problem: Problem) -> Self {
        self.fault = Some((step, Fault::LetDown(problem)));
        self
    }

    /// In every job memory runs out in `step`.
    #[must_use]
    pub fn out_of_memory_at(self, step: usize) -> Self {
        self.failing_at(step, Problem::new(ProblemKind::OutOfMemory))
    }

    /// One pass through the network that is not there, looking at `cancel` every millisecond.
    fn pass(&self, cancel: &Cancel) -> Result<(), Problem> {
        let start = Instant::now();
        loop {
            if cancel.is_requested() {
                return Err(Problem::new(ProblemKind::Cancelled));
            }
            let left = self.delay.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(1)));
        }
    }
}

fn stumble(fault: Option<&(usize, Fault)>, step: usize) -> Result<(), Problem> {
    match fault.filter(|(at, _)| *at == step) {
        None => Ok(()),
        Some((_, Fault::Fail(problem) | Fault::LetDown(problem))) => Err(problem.clone()),
        Some((_, Fault::Panic)) => panic!("the fake generator panics in step {step}"),
    }
}

impl Generator for FakeGenerator {
    fn generate(&mut self, recipe: &Recipe, progress: &mut dyn Progress) -> Result<Output, Problem> {
        if let Some(seen) = &self.seen {
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(recipe.clone());
        }
        let fault = self.fault.as_ref();
        match (self.paint(recipe, fault, progress), fault) {
            (Err(problem), Some((_, Fault::LetDown(why)))) if problem == *why => {
                progress.restarted(problem);
                self.paint(recipe, None, progress)
            }
            (painted, _) => painted,
        }
    }
}

impl FakeGenerator {
    fn paint(
        &self,
        recipe: &Recipe,
        fault: Option<&(usize, Fault)>,
        progress: &mut dyn Progress,
    ) -> Result<Output, Problem> {
        let cancel = progress.cancel();
        let go = |flow| match flow {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(_) => Err(Problem::new(ProblemKind::Cancelled)),
        };
        go(progress.phase(Phase::Loading { fraction: 0.0 }))?;
        go(progress.phase(Phase::Loading { fraction: 1.0 }))?;
        go(progress.phase(Phase::Encoding))?;
        stumble(fault, 0)?;

        go(progress.phase(Phase::Sampling))?;
        let total = steps(recipe);
        let small = Extent::new(recipe.size.width / FACTOR, recipe.size.height / FACTOR);
        let seeds: Vec<u64> = (0..u64::from(recipe.batch)).map(|k| recipe.seed.wrapping_add(k)).collect();
        let mut timings = Timings { precision: "f32", threads: 1, ..Timings::default() };
        let mut trace = Vec::with_capacity(total);
        for index in 1..=total {
            let start = Instant::now();
            stumble(fault, index)?;
            self.pass(&cancel)?;
            timings.step_s.push(start.elapsed().as_secs_f64());
            let sigma = 14.6 * (total - index) as f64 / total as f64;
            trace.push(latent(recipe, small, index, sigma));
            let noise = (total - index) as f32 / total as f32;
            let preview = || seeds.iter().map(|&seed| draw(small, seed, noise)).collect();
            go(progress.step(Step { index, total, sigma, preview: &preview }))?;
        }

        go(progress.phase(Phase::Decoding))?;
        let start = Instant::now();
        let pictures = seeds.iter().map(|&seed| finish(draw(recipe.size, seed, 0.0), recipe)).collect();
        timings.decode_s = start.elapsed().as_secs_f64();
        Ok(Output { pictures, trace, timings })
    }
}

/// Steps that are run: all, or with a source picture the share that `strength` names, at least one.
fn steps(recipe: &Recipe) -> usize {
    let all = f64::from(recipe.sampling.steps);
    match &recipe.source {
        Source::Text => all as usize,
        Source::Picture { strength, .. } => ((all * strength) as usize).max(1),
    }
}

/// A gradient whose colours and direction the seed decides, with a pattern of 8×8 fields; `noise` (0 to 1) hides it.
fn draw(extent: Extent, seed: u64, noise: f32) -> Pixmap {
    let mut picture = Pixmap::new(extent);
    let key = mix(seed);
    let [r0, g0, b0, r1, g1, b1, turn, _] = key.to_le_bytes();
    let (cosine, sine) = {
        let angle = f32::from(turn) / 255.0 * std::f32::consts::FRAC_PI_2;
        (angle.cos(), angle.sin())
    };
    let width = extent.width.max(1) as usize;
    let across = (extent.width as f32 * cosine + extent.height as f32 * sine).max(1.0);
    for (at, pixel) in picture.rgba_mut().chunks_exact_mut(4).enumerate() {
        let (x, y) = (at % width, at / width);
        let t = (x as f32 * cosine + y as f32 * sine) / across;
        let field = mix(key ^ ((x / 8) as u64) << 32 ^ (y / 8) as u64) & 31;
        let grain = (mix(key ^ 0x5eed ^ at as u64) & 255) as f32;
        let shade = |from: u8, to: u8| {
            let clean = f32::from(from) * (1.0 - t) + f32::from(to) * t + field as f32 - 15.5;
            (clean * (1.0 - noise) + grain * noise).clamp(0.0, 255.0) as u8
        };
        pixel.copy_from_slice(&[shade(r0, r1), shade(g0, g1), shade(b0, b1), 255]);
    }
    picture
}

/// Keeps the source's pixels where the mask is black, if the recipe asks for that.
fn finish(mut painted: Pixmap, recipe: &Recipe) -> Pixmap {
    if let (Some(inpaint), Source::Picture { picture, .. }) = (&recipe.inpaint, &recipe.source)
        && inpaint.paste
    {
        let kept = picture.rgba().chunks_exact(4);
        for ((new, old), &mask) in painted.rgba_mut().chunks_exact_mut(4).zip(kept).zip(inpaint.mask.bytes()) {
            if mask < 128 {
                new.copy_from_slice(old);
            }
        }
    }
    painted
}

fn latent(recipe: &Recipe, small: Extent, index: usize, sigma: f64) -> Latent {
    let shape = [recipe.batch as usize, CHANNELS, small.height as usize, small.width as usize];
    let number = |at: usize, salt: u64| {
        let bits = mix(recipe.seed ^ salt << 48 ^ (index as u64) << 32 ^ at as u64);
        (bits >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let count = shape.iter().product();
    Latent {
        sigma,
        shape,
        x: (0..count).map(|at| number(at, 1)).collect(),
        denoised: (0..count).map(|at| number(at, 2)).collect(),
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
