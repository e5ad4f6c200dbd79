//! Heun's second order method (Karras et al. 2022, algorithm 1): a trial step of Euler's, then the step again with the
//! mean of both slopes. A step that ends at 0 stays Euler's, since there is no slope there.

use super::{Interrupt, Run, Sampler, combine, steps};
use crate::engine::schedules::Schedule;
use candle_core::Tensor;

pub struct Heun;

impl Sampler for Heun {
    fn passes(&self, schedule: &Schedule) -> usize {
        steps(schedule).map(|(_, _, to)| if to > 0.0 { 2 } else { 1 }).sum()
    }

    fn sample(&self, run: &mut Run<'_>, mut x: Tensor) -> Result<Tensor, Interrupt> {
        let total = self.passes(run.schedule);
        let mut pass = 0;
        for (_, from, to) in steps(run.schedule) {
            let denoised = run.denoise(&x, from)?;
            let ratio = to / from;
            let trial = combine(&[(ratio, &x), (1.0 - ratio, &denoised)])?;
            let trial = run.passed(pass, total, to, trial, &denoised)?;
            pass += 1;
            if to == 0.0 {
                x = trial;
                continue;
            }
            let there = run.denoise(&trial, to)?;
            // x + (to - from) * (slope + slope there) / 2, with slope = (x - denoised) / from.
            let half = 0.5 * (to - from);
            let (here, far) = (half / from, half / to);
            let next = combine(&[(1.0 + here, &x), (-here, &denoised), (far, &trial), (-far, &there)])?;
            x = run.passed(pass, total, to, next, &there)?;
            pass += 1;
        }
        Ok(x)
    }
}
