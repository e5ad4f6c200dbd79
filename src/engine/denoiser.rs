//! A network as `denoised = f(x, sigma)`, and the wrappers round it: guidance, reuse of features and repainting.
//! Samplers see no more.
//!
//! x lives in sigma space: clean latent + sigma · unit noise. The network wants unit variance, x / sqrt(sigma² + 1).

use super::families::Model;
use super::interrupt::Interrupt;
use super::nets::ops::{Pass, with_values};
use super::nets::unet::{Deep, Heard, Reuse};
use super::rhythm::{Rhythm, Turn};
use super::schedules::Prediction;
use crate::recipe::{Interval, Runs, Sampling};
use candle_core::Tensor;

/// What the network listens to.
pub struct Conditioning {
    /// Negative prompt and prompt, and the guidance scale: where guidance steers.
    guided: Option<(Heard, f64)>,
    /// The prompt alone: elsewhere.
    plain: Option<Heard>,
    interval: Interval,
}

/// Whether guidance steers at a noise level.
pub fn is_guided(sampling: &Sampling, sigma: f64) -> bool {
    sampling.guidance > 1.0 && sampling.interval.contains(sigma)
}

impl Conditioning {
    /// For evaluations at `sigmas`. Texts are [1, tokens, width], of one length; without a negative one there is no
    /// guidance.
    pub fn new(
        model: &dyn Model,
        pass: &Pass,
        (text, negative): (&Tensor, Option<&Tensor>),
        sampling: &Sampling,
        sigmas: &[f64],
    ) -> Result<Self, Interrupt> {
        let guided = match negative {
            Some(negative) => Some((model.listen(pass, &Tensor::cat(&[negative, text], 0)?)?, sampling.guidance)),
            None => None,
        };
        let somewhere_plain = guided.is_none() || sigmas.iter().any(|sigma| !sampling.interval.contains(*sigma));
        let plain = if somewhere_plain { Some(model.listen(pass, text)?) } else { None };
        Ok(Self { guided, plain, interval: sampling.interval })
    }

    /// What is heard at `sigma`, and the guidance scale where there is guidance.
    fn at(&self, sigma: f64) -> Result<(&Heard, Option<f64>), Interrupt> {
        match (&self.guided, &self.plain) {
            (Some((heard, scale)), plain) if plain.is_none() || self.interval.contains(sigma) => {
                Ok((heard, Some(*scale)))
            }
            (_, Some(heard)) => Ok((heard, None)),
            _ => Err(candle_core::Error::Msg("nothing is heard".into()).into()),
        }
    }
}

/// The estimates of one run.
pub struct Denoiser<'a> {
    model: &'a dyn Model,
    pass: &'a Pass,
    conditioning: &'a Conditioning,
    rhythm: Rhythm,
    /// Features kept for each picture of the batch.
    deep: Vec<Deep>,
    /// What was run so far.
    pub runs: Runs,
}

impl<'a> Denoiser<'a> {
    pub fn new(model: &'a dyn Model, pass: &'a Pass, conditioning: &'a Conditioning, rhythm: Rhythm) -> Self {
        Self { model, pass, conditioning, rhythm, deep: Vec::new(), runs: Runs::default() }
    }

    /// Network, guidance: one estimate of the clean latent.
    ///
    /// Pictures of a batch go through the network one by one, each with prompt and negative prompt in one pass: on a CPU
    /// nothing is lost, memory stays that of one picture, and a picture does not depend on its neighbours by a bit.
    pub fn denoise(&mut self, x: &Tensor, sigma: f64, timestep: f64) -> Result<Tensor, Interrupt> {
        let scale = 1.0 / (sigma * sigma + 1.0).sqrt();
        let (heard, guidance) = self.conditioning.at(sigma)?;
        let turn = self.rhythm.turn(sigma, guidance.is_some());
        let rows = x.dim(0)? as u32 * if guidance.is_some() { 2 } else { 1 };
        match turn {
            Turn::Whole => self.runs.whole += rows,
            Turn::Shell => self.runs.shell += rows,
        }
        self.deep.resize(x.dim(0)?, Deep::default());
        let mut pictures = Vec::new();
        for (i, deep) in self.deep.iter_mut().enumerate() {
            let x = x.narrow(0, i, 1)?;
            let input = (&x * scale)?;
            let input = if guidance.is_some() { Tensor::cat(&[&input, &input], 0)? } else { input };
            let reuse = match turn {
                Turn::Shell => Reuse::Take(deep),
                Turn::Whole if self.rhythm.is_on() => Reuse::Keep(deep),
                Turn::Whole => Reuse::Off,
            };
            let raw = self.model.predict(self.pass, &input, timestep, heard, reuse)?;
            if !with_values(&raw, |v| v.iter().all(|v| v.is_finite()))? {
                return Err(Interrupt::NotANumber("UNet"));
            }
            let prediction = match guidance {
                Some(scale) => {
                    let (without, with) = (raw.narrow(0, 0, 1)?, raw.narrow(0, 1, 1)?);
                    (&without + ((with - &without)? * scale)?)?
                }
                None => raw,
            };
            pictures.push(match self.model.noise().prediction {
                Prediction::Epsilon => (&x - (prediction * sigma)?)?,
                Prediction::Velocity => ((&x * (scale * scale))? - (prediction * (sigma * scale))?)?,
                Prediction::Sample => prediction,
            });
        }
        Ok(Tensor::cat(&pictures, 0)?)
    }
}

/// Keeps the unmasked part of a picture: there, the network looks at the picture's own latent under the start noise,
/// and the estimate is that latent, so that every sampler carries the part along unchanged.
pub struct Repaint {
    /// The picture's latent, [batch, channels, h, w].
    pub original: Tensor,
    /// The unit noise of the start, of the same shape.
    pub noise: Tensor,
    /// 1 where it is repainted, [1, 1, h, w].
    pub mask: Tensor,
    /// At full strength the network's first look is at noise alone, everywhere, as diffusers has it. False after that
    /// look.
    pub first_look: bool,
}

impl Repaint {
    /// Inside the mask `inside`, outside `outside`.
    pub fn join(&self, inside: &Tensor, outside: &Tensor) -> Result<Tensor, Interrupt> {
        let keep = (1.0 - &self.mask)?;
        Ok((inside.broadcast_mul(&self.mask)? + outside.broadcast_mul(&keep)?)?)
    }

    /// The picture's latent under noise of `sigma`.
    pub fn noised(&self, sigma: f64) -> Result<Tensor, Interrupt> {
        Ok((&self.original + (&self.noise * sigma)?)?)
    }

    /// What the network looks at in place of `x`. Outside the mask that is not left to the sampler: PLMS that begins in
    /// the middle stays one step behind there, and ancestral samplers bring noise of their own.
    pub fn input(&mut self, x: &Tensor, sigma: f64) -> Result<Tensor, Interrupt> {
        if std::mem::take(&mut self.first_look) {
            return Ok((&self.noise * sigma.hypot(1.0))?);
        }
        self.join(x, &self.noised(sigma)?)
    }
}
