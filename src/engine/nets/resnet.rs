//! The residual block of UNet and VAE (diffusers' ResnetBlock2D), and their samplers up and down.

use super::layers::{Conv2d, GroupNorm, Linear};
use super::ops::{self, Activation, Padding, Pass};
use super::params::Params;
use crate::base::Problem;
use crate::engine::interrupt::Interrupt;
use candle_core::Tensor;

/// norm, SiLU, conv, plus time, norm, SiLU, conv, plus the input.
pub struct Resnet {
    norm1: GroupNorm,
    conv1: Conv2d,
    time: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    shortcut: Option<Conv2d>,
}

/// Sizes of a residual block.
#[derive(Clone, Copy)]
pub struct ResnetShape {
    pub input: usize,
    pub output: usize,
    /// Width of the time embedding, if the block listens to one.
    pub time: Option<usize>,
    pub groups: usize,
    pub eps: f64,
}

impl Resnet {
    pub fn load(p: &Params<'_>, s: ResnetShape) -> Result<Self, Problem> {
        Ok(Self {
            norm1: GroupNorm::load(&p.at("norm1"), s.input, s.groups, s.eps)?,
            conv1: Conv2d::load_3x3(&p.at("conv1"), s.input, s.output)?,
            time: s.time.map(|width| Linear::load(&p.at("time_emb_proj"), width, s.output)).transpose()?,
            norm2: GroupNorm::load(&p.at("norm2"), s.output, s.groups, s.eps)?,
            conv2: Conv2d::load_3x3(&p.at("conv2"), s.output, s.output)?,
            shortcut: (s.input != s.output)
                .then(|| Conv2d::load_1x1(&p.at("conv_shortcut"), s.input, s.output))
                .transpose()?,
        })
    }

    /// x [batch, input, h, w], time [batch, width].
    pub fn forward(&self, pass: &Pass, x: &Tensor, time: Option<&Tensor>) -> Result<Tensor, Interrupt> {
        let mut h = self.conv1.forward(pass, &self.norm1.forward_silu(pass, x)?)?;
        if let (Some(layer), Some(time)) = (&self.time, time) {
            let shift = layer.forward(pass, &ops::activate(pass, time, Activation::Silu)?)?;
            h = h.broadcast_add(&shift.unsqueeze(2)?.unsqueeze(3)?)?;
        }
        let h = self.conv2.forward(pass, &self.norm2.forward_silu(pass, &h)?)?;
        match &self.shortcut {
            Some(shortcut) => ops::add(pass, &shortcut.forward(pass, x)?, &h),
            None => ops::add(pass, x, &h),
        }
    }
}

/// Halves the size by a strided convolution.
pub struct Downsample(Conv2d);

impl Downsample {
    /// `padding`: the UNet pads by one all around, the VAE only below and to the right.
    pub fn load(p: &Params<'_>, channels: usize, padding: Padding) -> Result<Self, Problem> {
        Ok(Self(Conv2d::load(&p.at("conv"), (channels, channels), 3, 2, padding)?))
    }

    pub fn forward(&self, pass: &Pass, x: &Tensor) -> Result<Tensor, Interrupt> {
        self.0.forward(pass, x)
    }
}

/// Doubles the size by repeating pixels, or nearly doubles it, then a convolution.
pub struct Upsample(Conv2d);

impl Upsample {
    pub fn load(p: &Params<'_>, channels: usize) -> Result<Self, Problem> {
        Ok(Self(Conv2d::load_3x3(&p.at("conv"), channels, channels)?))
    }

    /// `size`: height and width of the result, at most twice those of `x`. An odd side was halved upwards on the way
    /// down, so on the way up the last row or column goes before the convolution, which then sees the picture's edge.
    pub fn forward(&self, pass: &Pass, x: &Tensor, size: Option<(usize, usize)>) -> Result<Tensor, Interrupt> {
        let large = ops::upsample_nearest_2x(pass, x)?;
        let large = match size {
            Some((height, width)) if (large.dim(2)?, large.dim(3)?) != (height, width) => {
                large.narrow(2, 0, height)?.narrow(3, 0, width)?.contiguous()?
            }
            _ => large,
        };
        self.0.forward(pass, &large)
    }
}
