//! Euler's method with ancestral noise: each step goes further down than the next sigma, and fresh noise brings it back
//! up (k-diffusion's `sample_euler_ancestral`).

use super::{Interrupt, Run, Sampler, ancestral_step, steps};
use candle_core::Tensor;

pub struct EulerAncestral;

impl Sampler for EulerAncestral {
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
