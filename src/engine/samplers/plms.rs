//! Pseudo linear multistep (Liu et al. 2022, "Pseudo numerical methods", with the warm-up of latent diffusion's sampler
//! in place of Runge-Kutta steps): Adams-Bashforth weights for the noise, on steps that are even in time.
//!
//! The second point of the list is evaluated twice: the first step is taken for trial, then again with the mean of the
//! noise at both its ends.

use super::{Interrupt, Run, Sampler, combine};
use candle_core::Tensor;

pub struct Plms;

/// The Adams-Bashforth weights for as many evaluations as are known, newest first.
const WEIGHTS: [&[f64]; 4] = [
    &[1.0],
    &[3.0 / 2.0, -1.0 / 2.0],
    &[23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
    &[55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
];

/// What `x` is multiplied by if a state at sigma `from` is passed off as one at `to` in the variance preserving form.
///
/// Image-to-image cuts the list behind the repeated point, and diffusers goes on counting passes from there: the second
/// pass redoes the first step and the third begins at a lower sigma than was reached. Their pictures have this kink, and
/// ours must.
fn relabel(from: f64, to: f64) -> f64 {
    if from == to { 1.0 } else { to.hypot(1.0) / from.hypot(1.0) }
}

impl Sampler for Plms {
    fn sample(&self, run: &mut Run<'_>, mut x: Tensor) -> Result<Tensor, Interrupt> {
        let schedule = run.schedule;
        let total = self.passes(schedule);
        // Newest first.
        let mut noises: Vec<Tensor> = Vec::with_capacity(4);
        let mut trial: Option<Tensor> = None;
        let list = schedule.sigmas();
        let first = schedule.first_sigma();
        for (i, pair) in list.windows(2).enumerate() {
            let &[here, label] = pair else { continue };
            let denoised = run.denoise(&x, here)?;
            let noise = combine(&[(1.0 / here, &x), (-1.0 / here, &denoised)])?;
            // Where the step begins and ends, and how x there is labelled until now.
            let (start, labelled, from, to) = match (i, trial.take()) {
                (1, Some(start)) => {
                    let above = if here < first { first } else { schedule.before().unwrap_or(first) };
                    (start, first, above, here)
                }
                _ => {
                    let below = list.iter().skip(i + 1).copied().find(|sigma| *sigma < here).unwrap_or(label);
                    (x.clone(), here, here, below)
                }
            };
            let keep = relabel(labelled, from);
            let give = relabel(to, label);
            let mut terms = vec![(keep * give, &start)];
            let step = (to - from) * give;
            if i == 1 {
                terms.push((0.5 * step, &noise));
                terms.extend(noises.first().map(|old| (0.5 * step, old)));
            } else {
                noises.insert(0, noise.clone());
                noises.truncate(WEIGHTS.len());
                let weights = WEIGHTS.get(noises.len() - 1).copied().unwrap_or_default();
                terms.extend(weights.iter().zip(&noises).map(|(weight, noise)| (weight * step, noise)));
            }
            let next = combine(&terms)?;
            if i == 0 {
                trial = Some(x);
            }
            x = run.passed(i, total, label, next, &denoised)?;
        }
        Ok(x)
    }
}
