//! UniPC of order 2 with B(h) = expm1(h), predicting the data (Zhao et al. 2023, algorithms 5 and 6): a multistep
//! predictor, and a corrector that uses the next step's evaluation, so that it costs none of its own.

use super::{Interrupt, Run, Sampler, combine, steps};
use candle_core::Tensor;

pub struct UniPc;

/// The step before: where it began and what the network said there.
struct Past {
    sigma: f64,
    denoised: Tensor,
}

/// A step that the corrector can do again.
struct Done {
    x: Tensor,
    order: usize,
}

/// The predictor: from `x` at `from`, where the network said `denoised`, to `to`.
fn predict(
    x: &Tensor,
    denoised: &Tensor,
    past: Option<&Past>,
    from: f64,
    to: f64,
) -> Result<Tensor, candle_core::Error> {
    let ratio = to / from;
    let rest = 1.0 - ratio;
    match past {
        Some(past) => {
            let bold = 0.5 * (from / to).ln() / (past.sigma / from).ln();
            combine(&[(ratio, x), (rest * (1.0 + bold), denoised), (-rest * bold, &past.denoised)])
        }
        None => combine(&[(ratio, x), (rest, denoised)]),
    }
}

/// The corrector: the step from `done.x` at `then.sigma` to `to` again, knowing that the network says `now` at its end.
/// `past` is the step before that.
fn correct(done: &Done, then: &Past, past: Option<&Past>, now: &Tensor, to: f64) -> Result<Tensor, candle_core::Error> {
    let ratio = to / then.sigma;
    let rest = 1.0 - ratio;
    let h = (then.sigma / to).ln();
    match past.filter(|_| done.order == 2) {
        Some(past) => {
            // Node of the older evaluation in units of h (negative), and the weights that make the rule exact for
            // quadratics: R rho = b with R = [[1, 1], [r, 1]].
            let r = (then.sigma / past.sigma).ln() / h;
            let growth = (-h).exp_m1();
            let phi_2 = growth / -h - 1.0;
            let phi_3 = phi_2 / -h - 0.5;
            let (b_1, b_2) = (phi_2 / growth, 2.0 * phi_3 / growth);
            let old = (b_1 - b_2) / (1.0 - r);
            let new = b_1 - old;
            combine(&[
                (ratio, &done.x),
                (rest * (1.0 - old / r - new), &then.denoised),
                (rest * old / r, &past.denoised),
                (rest * new, now),
            ])
        }
        None => combine(&[(ratio, &done.x), (0.5 * rest, &then.denoised), (0.5 * rest, now)]),
    }
}

impl Sampler for UniPc {
    fn sample(&self, run: &mut Run<'_>, mut x: Tensor) -> Result<Tensor, Interrupt> {
        let total = self.passes(run.schedule);
        let (mut older, mut past): (Option<Past>, Option<Past>) = (None, None);
        let mut done: Option<Done> = None;
        for (i, from, to) in steps(run.schedule) {
            let denoised = run.denoise(&x, from)?;
            if let (Some(done), Some(then)) = (&done, &past) {
                x = correct(done, then, older.as_ref(), &denoised, from)?;
            }
            // The last step is of order 1, since no corrector follows it.
            let known = past.as_ref().filter(|_| i + 1 < total && to > 0.0);
            let next = predict(&x, &denoised, known, from, to)?;
            done = Some(Done { order: if known.is_some() { 2 } else { 1 }, x });
            x = run.passed(i, total, to, next, &denoised)?;
            older = past.replace(Past { sigma: from, denoised });
        }
        Ok(x)
    }
}
