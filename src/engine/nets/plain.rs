//! What the layers do where candle computes, on graphics cards: tensors in [batch, channels, height, width], tokens in
//! [batch, tokens, width].

use super::ops::{Padding, Pass};
use crate::engine::interrupt::Interrupt;
use candle_core::{D, DType, Tensor};

/// A convolution with bias: weight [out, in, k, k], bias [out]
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: Padding,
) -> Result<Tensor, Interrupt> {
    let even = padding.before == padding.after;
    let x = if even {
        x.clone()
    } else {
        x.pad_with_zeros(2, padding.before, padding.after)?.pad_with_zeros(3, padding.before, padding.after)?
    };
    let padding = if even { padding.before } else { 0 };
    let y = if x.device().is_cpu() && x.dtype() == DType::BF16 {
        // The one convolution that candle does not have.
        let (x, weight) = (x.to_dtype(DType::F32)?, weight.to_dtype(DType::F32)?);
        x.conv2d(&weight, padding, stride, 1, 1)?.to_dtype(DType::BF16)?
    } else {
        x.conv2d(weight, padding, stride, 1, 1)?
    };
    Ok(match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, bias.elem_count(), 1, 1))?)?,
        None => y,
    })
}

/// x [.., in] with weight [out, in] and bias [out].
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, Interrupt> {
    // As one product of two matrices: one for each of the batch would copy the weights as often.
    let (output, input) = weight.dims2()?;
    let mut shape = x.dims().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = output;
    }
    let y = x.reshape(((), input))?.matmul(&weight.t()?)?.reshape(shape)?;
    Ok(match bias {
        Some(bias) => y.broadcast_add(bias)?,
        None => y,
    })
}

/// Group norm of [batch, channels, ..], then SiLU if asked; computed in f32.
pub fn group_norm(
    x: &Tensor,
    (weight, bias): (&Tensor, &Tensor),
    groups: usize,
    eps: f64,
    silu: bool,
) -> Result<Tensor, Interrupt> {
    let (batch, channels) = (x.dim(0)?, x.dim(1)?);
    let pixels: usize = x.dims().iter().skip(2).product();
    let y = x.to_dtype(DType::F32)?.reshape((batch, groups, channels / groups * pixels))?;
    let y = y.broadcast_sub(&y.mean_keepdim(2)?)?;
    let deviation = (y.sqr()?.mean_keepdim(2)? + eps)?.sqrt()?;
    let y = y.broadcast_div(&deviation)?.reshape((batch, channels, pixels))?;
    let column = |t: &Tensor| t.to_dtype(DType::F32)?.reshape((1, channels, 1));
    let y = y.broadcast_mul(&column(weight)?)?.broadcast_add(&column(bias)?)?.reshape(x.dims())?;
    Ok(if silu { y.silu()? } else { y }.to_dtype(x.dtype())?)
}

/// Layer norm over the last dimension; computed in f32.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor, Interrupt> {
    let y = x.to_dtype(DType::F32)?;
    let y = y.broadcast_sub(&y.mean_keepdim(D::Minus1)?)?;
    let y = y.broadcast_div(&(y.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?)?;
    let y = y.broadcast_mul(&weight.to_dtype(DType::F32)?)?.broadcast_add(&bias.to_dtype(DType::F32)?)?;
    Ok(y.to_dtype(x.dtype())?)
}

/// GEGLU: the first half of each row times GELU of the second.
pub fn geglu(x: &Tensor) -> Result<Tensor, Interrupt> {
    let n = x.dim(D::Minus1)? / 2;
    let (values, gates) = (x.narrow(D::Minus1, 0, n)?, x.narrow(D::Minus1, n, n)?);
    Ok((values * gates.gelu_erf()?)?)
}

/// softmax(q·kᵀ/√width)·v with heads side by side: by FlashAttention where the program has it and it takes these, else in
/// blocks of queries, so that the scores stay small; the softmax in f32. `hidden` [batch × keys] are not looked at.
pub fn attention(
    pass: &Pass,
    (q, k, v): (&Tensor, &Tensor, &Tensor),
    heads: usize,
    hidden: Option<&[bool]>,
) -> Result<Tensor, Interrupt> {
    const BLOCK: usize = 1024;
    let (batch, queries, channels) = q.dims3()?;
    let keys = k.dim(1)?;
    let width = channels / heads.max(1);
    #[cfg(feature = "flash-attn")]
    if hidden.is_none() && super::flash::takes(q, width) {
        return super::flash::attention((q, k, v), heads);
    }
    // Before the product, which may be too large for half precision without it.
    let q = (q * (1.0 / (width as f64).sqrt()))?;
    let split = |x: &Tensor, n: usize| x.reshape((batch, n, heads, width))?.transpose(1, 2)?.contiguous();
    let (q, k, v) = (split(&q, queries)?, split(k, keys)?.transpose(2, 3)?.contiguous()?, split(v, keys)?);
    let unseen = hidden
        .map(|hidden| {
            let bias: Vec<f32> = hidden.iter().map(|&h| if h { f32::MIN } else { 0.0 }).collect();
            Tensor::from_vec(bias, (batch, 1, 1, keys), q.device())
        })
        .transpose()?;
    let mut blocks = Vec::new();
    for first in (0..queries).step_by(BLOCK) {
        pass.check()?;
        let n = BLOCK.min(queries - first);
        let scores = q.narrow(2, first, n)?.contiguous()?.matmul(&k)?.to_dtype(DType::F32)?;
        let scores = match &unseen {
            None => scores,
            Some(unseen) => scores.broadcast_add(unseen)?,
        };
        let weights = candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(v.dtype())?;
        blocks.push(weights.matmul(&v)?);
    }
    Ok(Tensor::cat(&blocks, 2)?.transpose(1, 2)?.reshape((batch, queries, channels))?)
}
