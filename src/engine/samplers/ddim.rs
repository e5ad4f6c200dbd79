//! Denoising diffusion implicit models (Song et al. 2020, equations 12 and 16). With eta 0 a step is Euler's in this
//! form; only the schedule differs: it ends at the first training level instead of 0.

use super::{Interrupt, Run, Sampler, ancestral_step, steps};
use candle_core::Tensor;

pub struct Ddim;

impl Sampler for Ddim {
    fn sample(&self, run: &mut Run<'_>, mut x: Tensor) -> Result<Tensor, Interrupt> {
        let total = self.passes(run.schedule);
        for (i, from, to) in steps(run.schedule) {
            let denoised = run.denoise(&x, from)?;
            let next = ancestral_step(run, &x, &denoised, from, to)?;
            x = run.passed(i, total, to, next, &denoised)?;
        }
        Ok(x)
    }
}
