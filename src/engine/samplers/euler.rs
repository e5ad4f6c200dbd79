//! Euler's method on the probability flow ODE (Karras et al. 2022, algorithm 1 without its second stage).

use super::{Interrupt, Run, Sampler, combine, steps};
use candle_core::Tensor;

pub struct Euler;

impl Sampler for Euler {
    fn sample(&self, run: &mut Run<'_>, mut x: Tensor) -> Result<Tensor, Interrupt> {
        let total = self.passes(run.schedule);
        for (i, from, to) in steps(run.schedule) {
            let denoised = run.denoise(&x, from)?;
            let ratio = to / from;
            let next = combine(&[(ratio, &x), (1.0 - ratio, &denoised)])?;
            x = run.passed(i, total, to, next, &denoised)?;
        }
        Ok(x)
    }
}
