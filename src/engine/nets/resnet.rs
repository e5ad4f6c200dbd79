//! The residual block of UNet and VAE (diffusers' ResnetBlock2D), and their samplers up and down.

use super::layers::{Conv2d, GroupNorm, Linear, Tail};
use super::ops::{Feature, Padding, Pass};
use super::params::Params;
use crate::base::Problem;
use crate::engine::interrupt::Interrupt;

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
            time: s.time.map(|width| Linear::load(&p.full().at("time_emb_proj"), width, s.output)).transpose()?,
            norm2: GroupNorm::load(&p.at("norm2"), s.output, s.groups, s.eps)?,
            conv2: Conv2d::load_3x3(&p.at("conv2"), s.output, s.output)?,
            shortcut: (s.input != s.output)
                .then(|| Conv2d::load_1x1(&p.at("conv_shortcut"), s.input, s.output))
                .transpose()?,
        })
    }

    /// `time`: SiLU of the time embedding, one token. The result takes the memory of `x` where nobody else has it.
    pub fn forward(&self, pass: &Pass, x: Feature, time: Option<&Feature>) -> Result<Feature, Interrupt> {
        let shift = match (&self.time, time) {
            (Some(layer), Some(time)) => Some(layer.forward(pass, time, Tail::default())?),
            _ => None,
        };
        let h = self.conv1.forward_normed(pass, &self.norm1, &x, shift.as_ref(), None)?;
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.forward_over(pass, x)?,
            None => x,
        };
        self.conv2.forward_normed(pass, &self.norm2, &h, None, Some(x))
    }
}

/// Halves the size by a strided convolution.
pub struct Downsample(Conv2d);

impl Downsample {
    /// `padding`: the UNet pads by one all around, the VAE only below and to the right.
    pub fn load(p: &Params<'_>, channels: usize, padding: Padding) -> Result<Self, Problem> {
        Ok(Self(Conv2d::load(&p.at("conv"), (channels, channels), 3, 2, padding)?))
    }

    pub fn forward(&self, pass: &Pass, x: &Feature) -> Result<Feature, Interrupt> {
        self.0.forward(pass, x, Tail::default())
    }
}

/// Doubles the size by repeating pixels, or nearly doubles it, then a convolution.
pub struct Upsample(Conv2d);

impl Upsample {
    pub fn load(p: &Params<'_>, channels: usize) -> Result<Self, Problem> {
        Ok(Self(Conv2d::load_doubling(&p.at("conv"), channels)?))
    }

    /// `size`: height and width of the result, at most twice those of `x`. An odd side was halved upwards on the way
    /// down, so on the way up the last row or column goes before the convolution, which then sees the picture's edge.
    pub fn forward(&self, pass: &Pass, x: &Feature, size: Option<(usize, usize)>) -> Result<Feature, Interrupt> {
        self.0.forward_doubled(pass, x, size)
    }
}
