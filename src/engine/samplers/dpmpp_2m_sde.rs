//! SDE-DPM-Solver++ (2M), midpoint form (Lu et al. 2022, "DPM-Solver++", section 5): as DPM-Solver++ (2M), on the reverse
//! SDE. `eta` scales the SDE's noise as in k-diffusion; 1 is the article's, 0 is the ODE.

use super::dpmpp_2m::extrapolation;
use super::{Interrupt, Run, Sampler, combine, steps};
use candle_core::Tensor;

pub struct DpmPp2MSde;

impl Sampler for DpmPp2MSde {
    fn sample(&self, run: &mut Run<'_>, mut x: Tensor) -> Result<Tensor, Interrupt> {
        let total = self.passes(run.schedule);
        let mut before: Option<(f64, Tensor)> = None;
        for (i, from, to) in steps(run.schedule) {
            let denoised = run.denoise(&x, from)?;
            // exp(-h) = to / from, exp(-eta h) = damping.
            let ratio = to / from;
            let damping = ratio.powf(run.eta);
            let rest = 1.0 - ratio * damping;
            let up = to * (1.0 - damping * damping).max(0.0).sqrt();
            let noise = if up > 0.0 { Some(run.noise()?) } else { None };
            let bold = extrapolation(run, i + 1 == total, before.as_ref().map(|(sigma, _)| *sigma), from, to);
            let mut terms = vec![(ratio * damping, &x)];
            match (&before, bold) {
                (Some((_, old)), Some(bold)) => {
                    terms.extend([(rest * (1.0 + bold), &denoised), (-rest * bold, old)]);
                }
                _ => terms.push((rest, &denoised)),
            }
            terms.extend(noise.as_ref().map(|noise| (up, noise)));
            let next = combine(&terms)?;
            x = run.passed(i, total, to, next, &denoised)?;
            before = Some((from, denoised));
        }
        Ok(x)
    }
}
