//! DPM-Solver++ (2M), the multistep solver of order 2 in its midpoint form (Lu et al. 2022, "DPM-Solver++", algorithm 2).
//! With lambda = -ln sigma and h the step in lambda, a step is exact for a denoised that is linear in lambda.

use super::{Interrupt, Run, Sampler, combine, steps};
use candle_core::Tensor;

/// Below this many steps the last one is of order 1, as diffusers has it: the extrapolation would be too bold.
pub(super) const FEW_STEPS: usize = 15;

pub struct DpmPp2M;

/// How much of the change of denoised since the step before is added: half the ratio of the step lengths in lambda, or
/// `None` where the step is to be of order 1 (the first, one to 0, the last of few). `before`: sigma one step back.
pub(super) fn extrapolation(run: &Run<'_>, last: bool, before: Option<f64>, from: f64, to: f64) -> Option<f64> {
    if to == 0.0 || (last && run.schedule.full_steps() < FEW_STEPS) {
        return None;
    }
    before.map(|before| 0.5 * (from / to).ln() / (before / from).ln())
}

impl Sampler for DpmPp2M {
    fn sample(&self, run: &mut Run<'_>, mut x: Tensor) -> Result<Tensor, Interrupt> {
        let total = self.passes(run.schedule);
        let mut before: Option<(f64, Tensor)> = None;
        for (i, from, to) in steps(run.schedule) {
            let denoised = run.denoise(&x, from)?;
            let ratio = to / from;
            let bold = extrapolation(run, i + 1 == total, before.as_ref().map(|(sigma, _)| *sigma), from, to);
            let rest = 1.0 - ratio;
            let next = match (&before, bold) {
                (Some((_, old)), Some(bold)) => {
                    combine(&[(ratio, &x), (rest * (1.0 + bold), &denoised), (-rest * bold, old)])?
                }
                _ => combine(&[(ratio, &x), (rest, &denoised)])?,
            };
            x = run.passed(i, total, to, next, &denoised)?;
            before = Some((from, denoised));
        }
        Ok(x)
    }
}
