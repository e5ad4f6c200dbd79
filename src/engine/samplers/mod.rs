//! Samplers: the rule for one step from a sigma to the next. A sampler sees a function `(x, sigma) -> denoised`, a
//! [`Schedule`] and a source of noise; guidance, masks and families are none of its business.
//!
//! Everything is in the variance exploding form, `x = latent + sigma * noise`. With `eps = (x - denoised) / sigma`, the
//! probability flow ODE is `dx / dsigma = eps` (Karras et al. 2022, equation 1 with s = 1, sigma(t) = t); the update
//! formulas of methods that were published in the variance preserving form become shorter here and give the same
//! pictures.
//!
//! A new sampler is one file and one line in [`SAMPLERS`].

mod ddim;
mod dpmpp_2m;
mod dpmpp_2m_sde;
mod euler;
mod euler_ancestral;
mod heun;
mod plms;
mod unipc;

pub use super::interrupt::Interrupt;
use super::schedules::{Layout, Schedule};
use crate::recipe::sampling::SamplerId;
use candle_core::{CpuStorage, DType, Device, Storage, Tensor};

/// `(x, sigma) -> denoised`, all of one shape: the best guess of the clean latent in `x`.
pub type Denoise<'a> = dyn FnMut(&Tensor, f64) -> Result<Tensor, Interrupt> + 'a;

/// Standard normal noise of the shape of `x`, fresh at each call.
pub type Noise<'a> = dyn FnMut() -> Result<Tensor, Interrupt> + 'a;

/// Sees each pass; may stop the run, or give another `x` to go on from.
pub type AfterPass<'a> = dyn FnMut(Pass<'_>) -> Result<Option<Tensor>, Interrupt> + 'a;

/// One evaluation of the network, and the move that followed.
pub struct Pass<'a> {
    /// 1 to `total`.
    pub index: usize,
    /// Network evaluations of the run.
    pub total: usize,
    /// The noise that `x` has now.
    pub sigma: f64,
    /// The state after the move. In a method with inner stages (Heun) this is the stage's trial point every other time.
    pub x: &'a Tensor,
    /// What the network made of the state before the move.
    pub denoised: &'a Tensor,
}

/// All that a run needs beside the first `x`.
pub struct Run<'a> {
    pub schedule: &'a Schedule,
    pub denoise: &'a mut Denoise<'a>,
    pub noise: &'a mut Noise<'a>,
    /// Share of fresh noise in DDIM (0 to 1), and its multiple in the ancestral and SDE samplers, where 1 is usual. The
    /// others take none.
    pub eta: f64,
    pub after_pass: &'a mut AfterPass<'a>,
}

impl Run<'_> {
    fn denoise(&mut self, x: &Tensor, sigma: f64) -> Result<Tensor, Interrupt> {
        (self.denoise)(x, sigma)
    }

    fn noise(&mut self) -> Result<Tensor, Interrupt> {
        (self.noise)()
    }

    /// Reports a pass (`index` from 0) and hands back the `x` to go on from.
    fn passed(
        &mut self,
        index: usize,
        total: usize,
        sigma: f64,
        x: Tensor,
        denoised: &Tensor,
    ) -> Result<Tensor, Interrupt> {
        let pass = Pass { index: index + 1, total, sigma, x: &x, denoised };
        Ok((self.after_pass)(pass)?.unwrap_or(x))
    }
}

/// A rule for going down the sigmas.
pub trait Sampler: Sync {
    /// Network evaluations that a run takes.
    fn passes(&self, schedule: &Schedule) -> usize {
        schedule.sigmas().len() - 1
    }

    /// Goes from `x` at the schedule's first sigma to its last. The result is still to be multiplied by
    /// [`Schedule::final_scale`].
    ///
    /// # Errors
    /// Whatever the functions in `run` return, and failures of tensor arithmetic.
    fn sample(&self, run: &mut Run<'_>, x: Tensor) -> Result<Tensor, Interrupt>;
}

/// A line of the table of samplers.
pub struct SamplerEntry {
    pub id: SamplerId,
    pub sampler: &'static dyn Sampler,
    pub layout: Layout,
}

const fn line(id: SamplerId, sampler: &'static dyn Sampler, layout: Layout) -> SamplerEntry {
    SamplerEntry { id, sampler, layout }
}

/// The table of samplers.
pub static SAMPLERS: &[SamplerEntry] = &[
    line(SamplerId::Plms, &plms::Plms, Layout::Plms),
    line(SamplerId::Ddim, &ddim::Ddim, Layout::Ddim),
    line(SamplerId::Euler, &euler::Euler, Layout::KDiffusion),
    line(SamplerId::EulerAncestral, &euler_ancestral::EulerAncestral, Layout::KDiffusion),
    line(SamplerId::Heun, &heun::Heun, Layout::KDiffusion),
    line(SamplerId::DpmPp2M, &dpmpp_2m::DpmPp2M, Layout::Solver),
    line(SamplerId::DpmPp2MSde, &dpmpp_2m_sde::DpmPp2MSde, Layout::Solver),
    line(SamplerId::UniPc, &unipc::UniPc, Layout::Solver),
];

/// The line of `id`.
pub fn entry(id: SamplerId) -> &'static SamplerEntry {
    static FIRST: SamplerEntry = line(SamplerId::Plms, &plms::Plms, Layout::Plms);
    // A test holds the table to have every id.
    SAMPLERS.iter().find(|entry| entry.id == id).unwrap_or(&FIRST)
}

/// Pairs of neighbours in the schedule, with their place: the steps of a method without inner stages.
fn steps(schedule: &Schedule) -> impl Iterator<Item = (usize, f64, f64)> {
    schedule.sigmas().windows(2).enumerate().filter_map(|(i, pair)| match pair {
        &[from, to] => Some((i, from, to)),
        _ => None,
    })
}

/// Splits the way down to `to` into a deterministic part and fresh noise of deviation `up`: `down² + up² = to²`. With
/// `eta` 1 the noise is that of the ancestral step, the posterior of the forward process; DDIM's equation 16 is the same
/// in this form. Returns `(down, up)`.
fn split_ancestral(from: f64, to: f64, eta: f64) -> (f64, f64) {
    let up = (eta * to * ((from * from - to * to).max(0.0)).sqrt() / from).min(to);
    ((to * to - up * up).max(0.0).sqrt(), up)
}

/// One step with noise: along `x - denoised` to `down`, then `up` times fresh noise.
fn ancestral_step(run: &mut Run<'_>, x: &Tensor, denoised: &Tensor, from: f64, to: f64) -> Result<Tensor, Interrupt> {
    let (down, up) = split_ancestral(from, to, run.eta);
    let ratio = down / from;
    if up > 0.0 {
        let noise = run.noise()?;
        return Ok(combine(&[(ratio, x), (1.0 - ratio, denoised), (up, &noise)])?);
    }
    Ok(combine(&[(ratio, x), (1.0 - ratio, denoised)])?)
}

/// The sum of `factor * tensor` over the terms, which are of one shape. On the CPU in f32 it is one pass over the
/// memory, added up in f64.
///
/// # Errors
/// If there are no terms, or their shapes differ.
pub fn combine(terms: &[(f64, &Tensor)]) -> candle_core::Result<Tensor> {
    let Some((&(factor, first), rest)) = terms.split_first() else {
        candle_core::bail!("a sum of no tensors");
    };
    if let Some((_, other)) = rest.iter().find(|(_, other)| other.shape() != first.shape()) {
        candle_core::bail!("a sum of shapes {:?} and {:?}", first.shape(), other.shape());
    }
    let flat = |tensor: &Tensor| {
        matches!(tensor.device(), Device::Cpu) && tensor.dtype() == DType::F32 && tensor.is_contiguous()
    };
    if !terms.iter().all(|(_, tensor)| flat(tensor)) {
        let mut sum = first.affine(factor, 0.0)?;
        for (factor, tensor) in rest {
            sum = (sum + tensor.affine(*factor, 0.0)?)?;
        }
        return Ok(sum);
    }
    let held: Vec<_> = terms.iter().map(|(factor, tensor)| (*factor, tensor.storage_and_layout())).collect();
    let mut slices = Vec::with_capacity(held.len());
    for (factor, (storage, layout)) in &held {
        let (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) = (&**storage, layout.contiguous_offsets())
        else {
            candle_core::bail!("a flat tensor that is not");
        };
        let Some(values) = values.get(start..end) else { candle_core::bail!("a tensor beyond its storage") };
        slices.push((*factor, values));
    }
    let mut sum = vec![0f32; first.elem_count()];
    match slices.as_slice() {
        &[(a, p), (b, q)] => {
            for ((s, p), q) in sum.iter_mut().zip(p).zip(q) {
                *s = (a * f64::from(*p) + b * f64::from(*q)) as f32;
            }
        }
        &[(a, p), (b, q), (c, r)] => {
            for (((s, p), q), r) in sum.iter_mut().zip(p).zip(q).zip(r) {
                *s = (a * f64::from(*p) + b * f64::from(*q) + c * f64::from(*r)) as f32;
            }
        }
        all => {
            for (i, s) in sum.iter_mut().enumerate() {
                let value =
                    |(factor, values): &(f64, &[f32])| factor * f64::from(values.get(i).copied().unwrap_or(0.0));
                *s = all.iter().map(value).sum::<f64>() as f32;
            }
        }
    }
    Tensor::from_vec(sum, first.shape(), first.device())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sampler_is_in_the_table() {
        for &id in SamplerId::ALL {
            assert_eq!(SAMPLERS.iter().filter(|entry| entry.id == id).count(), 1, "{id:?}");
            assert_eq!(entry(id).id, id);
        }
    }

    #[test]
    fn sums_are_the_same_whatever_the_layout() {
        let a = Tensor::arange(0f32, 6.0, &Device::Cpu).unwrap().reshape((2, 3)).unwrap();
        let b = Tensor::arange(0f32, 6.0, &Device::Cpu).unwrap().reshape((3, 2)).unwrap().t().unwrap();
        let values = |t: Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let strided = values(combine(&[(2.0, &a), (-0.5, &b)]).unwrap());
        let b = b.contiguous().unwrap();
        assert_eq!(strided, values(combine(&[(2.0, &a), (-0.5, &b)]).unwrap()));
        assert_eq!(strided, [0.0, 1.0, 2.0, 5.5, 6.5, 7.5]);
        // A view into the middle of another tensor's storage, and more terms than are written out.
        let row = a.narrow(0, 1, 1).unwrap();
        assert_eq!(values(combine(&[(1.0, &row)]).unwrap()), [3.0, 4.0, 5.0]);
        let four = [(1.0, &row), (1.0, &row), (1.0, &row), (1.0, &row)];
        assert_eq!(values(combine(&four).unwrap()), [12.0, 16.0, 20.0]);
        assert_eq!(values(combine(&four[..3]).unwrap()), [9.0, 12.0, 15.0]);
        assert!(combine(&[]).is_err());
        assert!(combine(&[(1.0, &a), (1.0, &row)]).is_err());
    }

    #[test]
    fn an_ancestral_step_keeps_the_variance() {
        for eta in [0.0, 0.4, 1.0, 3.0] {
            let (down, up) = split_ancestral(5.0, 2.0, eta);
            assert!((down * down + up * up - 4.0).abs() < 1e-12);
        }
        assert_eq!(split_ancestral(5.0, 0.0, 1.0), (0.0, 0.0));
    }
}
