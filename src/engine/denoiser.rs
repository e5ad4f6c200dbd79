//! A network as `denoised = f(x, sigma)`, and the wrappers round it: guidance and repainting. Samplers see no more.
//!
//! x lives in sigma space: clean latent + sigma · unit noise. The network wants unit variance, x / sqrt(sigma² + 1).

use super::families::Model;
use super::interrupt::Interrupt;
use super::nets::ops::{Pass, with_values};
use super::nets::unet::Heard;
use super::schedules::Prediction;
use candle_core::Tensor;

/// What the network listens to.
pub struct Conditioning {
    /// Negative prompt and prompt, or the prompt alone where there is no guidance.
    heard: Heard,
    /// Guidance scale, where there is guidance.
    guidance: Option<f64>,
}

impl Conditioning {
    /// Texts [1, tokens, width], of one length; the negative one is not looked at with a guidance scale of 1 or less.
    pub fn new(
        model: &dyn Model,
        pass: &Pass,
        (text, negative): (&Tensor, &Tensor),
        guidance: f64,
    ) -> Result<Self, Interrupt> {
        let guidance = Some(guidance).filter(|scale| *scale > 1.0);
        let heard = match guidance {
            Some(_) => model.listen(pass, &Tensor::cat(&[negative, text], 0)?)?,
            None => model.listen(pass, text)?,
        };
        Ok(Self { heard, guidance })
    }
}

/// Network, guidance: one estimate of the clean latent.
///
/// Pictures of a batch go through the network one by one, each with prompt and negative prompt in one pass: on a CPU
/// nothing is lost, memory stays that of one picture, and a picture does not depend on its neighbours by a bit.
pub fn denoise(
    model: &dyn Model,
    pass: &Pass,
    conditioning: &Conditioning,
    x: &Tensor,
    sigma: f64,
    timestep: f64,
) -> Result<Tensor, Interrupt> {
    let scale = 1.0 / (sigma * sigma + 1.0).sqrt();
    let mut pictures = Vec::new();
    for i in 0..x.dim(0)? {
        let x = x.narrow(0, i, 1)?;
        let input = (&x * scale)?;
        let input = if conditioning.guidance.is_some() { Tensor::cat(&[&input, &input], 0)? } else { input };
        let raw = model.predict(pass, &input, timestep, &conditioning.heard)?;
        if !with_values(&raw, |v| v.iter().all(|v| v.is_finite()))? {
            return Err(Interrupt::NotANumber("UNet"));
        }
        let prediction = match conditioning.guidance {
            Some(scale) => {
                let (without, with) = (raw.narrow(0, 0, 1)?, raw.narrow(0, 1, 1)?);
                (&without + ((with - &without)? * scale)?)?
            }
            None => raw,
        };
        pictures.push(match model.noise().prediction {
            Prediction::Epsilon => (&x - (prediction * sigma)?)?,
            Prediction::Velocity => ((&x * (scale * scale))? - (prediction * (sigma * scale))?)?,
            Prediction::Sample => prediction,
        });
    }
    Ok(Tensor::cat(&pictures, 0)?)
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
