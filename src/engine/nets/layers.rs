//! Layers that hold parameters.

use super::ops::{self, Padding, Pass};
use super::params::Params;
use crate::base::Problem;
use crate::engine::interrupt::Interrupt;
use candle_core::Tensor;

/// A convolution with bias.
pub struct Conv2d {
    weight: Tensor,
    bias: Tensor,
    stride: usize,
    padding: Padding,
}

impl Conv2d {
    /// `kernel` × `kernel`; parameters `weight` `[out, in, k, k]` and `bias` `[out]`.
    pub fn load(
        p: &Params<'_>,
        channels: (usize, usize),
        kernel: usize,
        stride: usize,
        padding: Padding,
    ) -> Result<Self, Problem> {
        let (input, output) = channels;
        let weight = p.get("weight", &[output, input, kernel, kernel])?;
        let bias = p.get("bias", &[output])?;
        Ok(Self { weight, bias, stride, padding })
    }

    /// 3 × 3, stride 1, the size is kept.
    pub fn load_3x3(p: &Params<'_>, input: usize, output: usize) -> Result<Self, Problem> {
        Self::load(p, (input, output), 3, 1, Padding::same(1))
    }

    pub fn load_1x1(p: &Params<'_>, input: usize, output: usize) -> Result<Self, Problem> {
        Self::load(p, (input, output), 1, 1, Padding::same(0))
    }

    pub fn forward(&self, pass: &Pass, x: &Tensor) -> Result<Tensor, Interrupt> {
        ops::conv2d(pass, x, &self.weight, Some(&self.bias), self.stride, self.padding)
    }
}

/// A fully connected layer.
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    pub fn load(p: &Params<'_>, input: usize, output: usize) -> Result<Self, Problem> {
        Ok(Self { weight: p.get("weight", &[output, input])?, bias: Some(p.get("bias", &[output])?) })
    }

    pub fn load_without_bias(p: &Params<'_>, input: usize, output: usize) -> Result<Self, Problem> {
        Ok(Self { weight: p.get("weight", &[output, input])?, bias: None })
    }

    /// Parameters that are stored as a 1 × 1 convolution [out, in, 1, 1].
    pub fn load_from_1x1(p: &Params<'_>, input: usize, output: usize) -> Result<Self, Problem> {
        let weight = p.get("weight", &[output, input, 1, 1])?;
        let weight = weight.reshape((output, input)).map_err(|e| Problem::from(Interrupt::from(e)))?;
        Ok(Self { weight, bias: Some(p.get("bias", &[output])?) })
    }

    /// [.., in] to [.., out].
    pub fn forward(&self, pass: &Pass, x: &Tensor) -> Result<Tensor, Interrupt> {
        ops::linear(pass, x, &self.weight, self.bias.as_ref())
    }
}

/// Group norm over channels.
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    pub fn load(p: &Params<'_>, channels: usize, groups: usize, eps: f64) -> Result<Self, Problem> {
        if groups == 0 || !channels.is_multiple_of(groups) {
            let shape = format!("{channels} channels in {groups} groups");
            return Err(Problem::new(crate::base::ProblemKind::ConfigInvalid)
                .with("file", "config.json")
                .detail(shape));
        }
        Ok(Self { weight: p.get("weight", &[channels])?, bias: p.get("bias", &[channels])?, groups, eps })
    }

    pub fn forward(&self, pass: &Pass, x: &Tensor) -> Result<Tensor, Interrupt> {
        ops::group_norm(pass, x, (&self.weight, &self.bias), self.groups, self.eps, false)
    }

    pub fn forward_silu(&self, pass: &Pass, x: &Tensor) -> Result<Tensor, Interrupt> {
        ops::group_norm(pass, x, (&self.weight, &self.bias), self.groups, self.eps, true)
    }
}

/// Layer norm over the last dimension.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    pub fn load(p: &Params<'_>, width: usize, eps: f64) -> Result<Self, Problem> {
        Ok(Self { weight: p.get("weight", &[width])?, bias: p.get("bias", &[width])?, eps })
    }

    pub fn forward(&self, pass: &Pass, x: &Tensor) -> Result<Tensor, Interrupt> {
        ops::layer_norm(pass, x, &self.weight, &self.bias, self.eps)
    }
}
