//! Operations on tensors that look at the cancel flag: our kernels for f32 on the CPU, candle's elsewhere.

use crate::engine::interrupt::Interrupt;
use crate::engine::kernels::{activation, attention, conv, layout, matmul, norm};
use crate::recipe::Cancel;
use candle_core::{D, DType, Device, Storage, Tensor};

/// One run through a network: carries the flag that ends it early.
#[derive(Clone, Default)]
pub struct Pass {
    pub cancel: Cancel,
}

impl Pass {
    pub fn new(cancel: Cancel) -> Self {
        Self { cancel }
    }

    /// # Errors
    /// [`Interrupt::Cancelled`] if the job was asked to stop.
    pub fn check(&self) -> Result<(), Interrupt> {
        self.finished(!self.cancel.is_requested())
    }

    fn finished(&self, done: bool) -> Result<(), Interrupt> {
        if done { Ok(()) } else { Err(Interrupt::Cancelled) }
    }
}

/// True where our kernels work.
pub fn is_native(x: &Tensor) -> bool {
    matches!(x.device(), Device::Cpu) && x.dtype() == DType::F32
}

/// Lends the values of a tensor as f32, row-major; half precision is widened.
pub fn with_values<R>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R, candle_core::Error> {
    let tensor = tensor.to_dtype(DType::F32)?.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(cpu) = &*storage else {
        candle_core::bail!("values are lent on the CPU only");
    };
    let values = cpu.as_slice::<f32>()?;
    let start = layout.start_offset();
    match values.get(start..start + layout.shape().elem_count()) {
        Some(values) => Ok(f(values)),
        None => candle_core::bail!("a tensor's layout leaves its storage"),
    }
}

fn build(shape: &[usize], fill: impl FnOnce(&mut [f32]) -> Result<(), Interrupt>) -> Result<Tensor, Interrupt> {
    let size = shape.iter().product();
    let mut out = Vec::new();
    // The large allocations of a job are all made here: refusing one must not end the program.
    out.try_reserve_exact(size).map_err(|_| Interrupt::OutOfMemory(size * size_of::<f32>()))?;
    out.resize(size, 0.0f32);
    fill(&mut out)?;
    Ok(Tensor::from_vec(out, shape, &Device::Cpu)?)
}

/// Padding of a convolution: zeros before and after, in both directions.
#[derive(Clone, Copy, Debug)]
pub struct Padding {
    pub before: usize,
    pub after: usize,
}

impl Padding {
    pub const fn same(n: usize) -> Self {
        Self { before: n, after: n }
    }
}

/// x [batch, in, h, w] with weight [out, in, k, k].
pub fn conv2d(
    pass: &Pass,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    stride: usize,
    padding: Padding,
) -> Result<Tensor, Interrupt> {
    pass.check()?;
    let (batch, in_channels, height, width) = x.dims4()?;
    let (out_channels, weight_in, kernel, _) = weight.dims4()?;
    if weight_in != in_channels {
        return Err(
            candle_core::Error::Msg(format!("conv2d: {in_channels} channels into a layer for {weight_in}")).into()
        );
    }
    if !is_native(x) {
        let x = if padding.before == padding.after {
            x.clone()
        } else {
            x.pad_with_zeros(2, padding.before, padding.after)?.pad_with_zeros(3, padding.before, padding.after)?
        };
        let both = if padding.before == padding.after { padding.before } else { 0 };
        let y = x.conv2d(weight, both, stride, 1, 1)?;
        return Ok(match bias {
            Some(bias) => y.broadcast_add(&bias.reshape((1, out_channels, 1, 1))?)?,
            None => y,
        });
    }
    let geometry = conv::Geometry {
        in_channels,
        out_channels,
        height,
        width,
        kernel,
        stride,
        pad_before: padding.before,
        pad_after: padding.after,
    };
    let shape = [batch, out_channels, geometry.out_height(), geometry.out_width()];
    build(&shape, |out| {
        let done = with_values(x, |x| {
            with_values(weight, |weight| match bias {
                Some(bias) => {
                    with_values(bias, |bias| conv::conv2d(out, x, weight, Some(bias), geometry, &pass.cancel))
                }
                None => Ok(conv::conv2d(out, x, weight, None, geometry, &pass.cancel)),
            })
        })???;
        pass.finished(done)
    })
}

/// x [.., in] with weight [out, in].
pub fn linear(pass: &Pass, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor, Interrupt> {
    pass.check()?;
    let (out_width, in_width) = weight.dims2()?;
    if x.dim(D::Minus1)? != in_width {
        return Err(candle_core::Error::Msg(format!(
            "linear: rows of {} into a layer for {in_width}",
            x.dim(D::Minus1)?
        ))
        .into());
    }
    if !is_native(x) {
        let y = x.broadcast_matmul(&weight.t()?)?;
        return Ok(match bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        });
    }
    let mut shape = x.dims().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = out_width;
    }
    build(&shape, |out| {
        let done = with_values(x, |x| {
            with_values(weight, |weight| match bias {
                Some(bias) => {
                    with_values(bias, |bias| matmul::linear(out, x, weight, Some(bias), in_width, &pass.cancel))
                }
                None => Ok(matmul::linear(out, x, weight, None, in_width, &pass.cancel)),
            })
        })???;
        pass.finished(done)
    })
}

/// Which keys an attention sees.
#[derive(Clone, Copy, Default)]
pub struct Sight<'a> {
    /// [batch × keys], true is hidden.
    pub hidden: Option<&'a [bool]>,
    /// A query sees no later key.
    pub causal: bool,
}

/// softmax(q·kᵀ/√width)·v with heads side by side: q [batch, n, heads·width], k and v [batch, m, heads·width].
pub fn attention(
    pass: &Pass,
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
    sight: Sight<'_>,
) -> Result<Tensor, Interrupt> {
    pass.check()?;
    let (batch, queries, channels) = q.dims3()?;
    let keys = k.dim(1)?;
    let width = channels / heads.max(1);
    if is_native(q) {
        let shape = attention::Shape { batch, queries, keys, heads, width };
        return build(&[batch, queries, channels], |out| {
            let done = with_values(q, |q| {
                with_values(k, |k| {
                    with_values(v, |v| {
                        attention::attention(out, (q, k, v), shape, sight.hidden, sight.causal, &pass.cancel)
                    })
                })
            })???;
            pass.finished(done)
        });
    }
    // Elsewhere: blocks of queries, so that the scores stay small; the softmax in f32.
    const BLOCK: usize = 1024;
    let split = |x: &Tensor, n: usize| x.reshape((batch, n, heads, width))?.transpose(1, 2)?.contiguous();
    let (q, k, v) = (split(q, queries)?, split(k, keys)?.transpose(2, 3)?.contiguous()?, split(v, keys)?);
    let mut blocks = Vec::new();
    for first in (0..queries).step_by(BLOCK) {
        pass.check()?;
        let n = BLOCK.min(queries - first);
        let scores = (q.narrow(2, first, n)?.matmul(&k)? * (1.0 / (width as f64).sqrt()))?.to_dtype(DType::F32)?;
        let scores = match (sight.hidden, sight.causal) {
            (None, false) => scores,
            _ => {
                let seen = |b: usize, i: usize, j: usize| {
                    sight.hidden.is_none_or(|h| !h.get(b * keys + j).copied().unwrap_or(false))
                        && (!sight.causal || j <= i)
                };
                let bias: Vec<f32> = (0..batch)
                    .flat_map(|b| (first..first + n).map(move |i| (b, i)))
                    .flat_map(|(b, i)| (0..keys).map(move |j| if seen(b, i, j) { 0.0 } else { f32::MIN }))
                    .collect();
                scores.broadcast_add(&Tensor::from_vec(bias, (batch, 1, n, keys), q.device())?)?
            }
        };
        let weights = candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(v.dtype())?;
        blocks.push(weights.matmul(&v)?);
    }
    Ok(Tensor::cat(&blocks, 2)?.transpose(1, 2)?.reshape((batch, queries, channels))?)
}

/// Group norm of [batch, channels, ..], then SiLU if asked; computed in f32.
pub fn group_norm(
    pass: &Pass,
    x: &Tensor,
    (weight, bias): (&Tensor, &Tensor),
    groups: usize,
    eps: f64,
    silu: bool,
) -> Result<Tensor, Interrupt> {
    pass.check()?;
    let (batch, channels) = (x.dim(0)?, x.dim(1)?);
    let pixels: usize = x.dims().iter().skip(2).product();
    if is_native(x) {
        let shape = norm::Groups { count: groups, eps, pixels, silu };
        return build(x.dims(), |out| {
            with_values(x, |x| {
                with_values(weight, |weight| with_values(bias, |bias| norm::group_norm(out, x, (weight, bias), shape)))
            })???;
            Ok(())
        });
    }
    let y = x.to_dtype(DType::F32)?.reshape((batch, groups, channels / groups * pixels))?;
    let y = y.broadcast_sub(&y.mean_keepdim(2)?)?;
    let deviation = (y.sqr()?.mean_keepdim(2)? + eps)?.sqrt()?;
    let y = y.broadcast_div(&deviation)?.reshape((batch, channels, pixels))?;
    let column = |t: &Tensor| t.to_dtype(DType::F32)?.reshape((1, channels, 1));
    let y = y.broadcast_mul(&column(weight)?)?.broadcast_add(&column(bias)?)?.reshape(x.dims())?;
    Ok(if silu { y.silu()? } else { y }.to_dtype(x.dtype())?)
}

/// Layer norm over the last dimension.
pub fn layer_norm(pass: &Pass, x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor, Interrupt> {
    pass.check()?;
    if is_native(x) {
        return build(x.dims(), |out| {
            with_values(x, |x| with_values(weight, |w| with_values(bias, |b| norm::layer_norm(out, x, w, b, eps))))???;
            Ok(())
        });
    }
    let y = x.to_dtype(DType::F32)?;
    let y = y.broadcast_sub(&y.mean_keepdim(D::Minus1)?)?;
    let y = y.broadcast_div(&(y.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?)?;
    let y = y.broadcast_mul(&weight.to_dtype(DType::F32)?)?.broadcast_add(&bias.to_dtype(DType::F32)?)?;
    Ok(y.to_dtype(x.dtype())?)
}

/// A pointwise function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    Silu,
    /// The exact form, with erf.
    Gelu,
    QuickGelu,
}

pub fn activate(pass: &Pass, x: &Tensor, function: Activation) -> Result<Tensor, Interrupt> {
    pass.check()?;
    if is_native(x) {
        return build(x.dims(), |out| {
            with_values(x, |x| out.copy_from_slice(x))?;
            match function {
                Activation::Silu => activation::silu(out),
                Activation::Gelu => activation::gelu(out),
                Activation::QuickGelu => activation::quick_gelu(out),
            }
            Ok(())
        });
    }
    Ok(match function {
        Activation::Silu => x.silu()?,
        Activation::Gelu => x.gelu_erf()?,
        Activation::QuickGelu => (x * candle_nn::ops::sigmoid(&(x * 1.702)?)?)?,
    })
}

/// GEGLU: the first half of each row times GELU of the second.
pub fn geglu(pass: &Pass, x: &Tensor) -> Result<Tensor, Interrupt> {
    pass.check()?;
    let n = x.dim(D::Minus1)? / 2;
    if is_native(x) {
        let mut shape = x.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = n;
        }
        return build(&shape, |out| Ok(with_values(x, |x| activation::geglu(out, x, n))?));
    }
    let (values, gates) = (x.narrow(D::Minus1, 0, n)?, x.narrow(D::Minus1, n, n)?);
    Ok((values * gates.gelu_erf()?)?)
}

/// [batch, a, b] to [batch, b, a], laid out anew.
pub fn transpose(pass: &Pass, x: &Tensor) -> Result<Tensor, Interrupt> {
    pass.check()?;
    let (batch, rows, columns) = x.dims3()?;
    if is_native(x) {
        return build(&[batch, columns, rows], |out| Ok(with_values(x, |x| layout::transpose(out, x, rows, columns))?));
    }
    Ok(x.transpose(1, 2)?.contiguous()?)
}

/// Doubles height and width by repeating pixels.
pub fn upsample_nearest_2x(pass: &Pass, x: &Tensor) -> Result<Tensor, Interrupt> {
    pass.check()?;
    let (batch, channels, height, width) = x.dims4()?;
    if is_native(x) {
        return build(&[batch, channels, 2 * height, 2 * width], |out| {
            Ok(with_values(x, |x| layout::upsample_nearest_2x(out, x, height, width))?)
        });
    }
    Ok(x.upsample_nearest2d(2 * height, 2 * width)?)
}

/// The sum of two tensors of one shape.
pub fn add(pass: &Pass, a: &Tensor, b: &Tensor) -> Result<Tensor, Interrupt> {
    pass.check()?;
    if is_native(a) && is_native(b) && a.dims() == b.dims() {
        return build(a.dims(), |out| {
            with_values(a, |a| out.copy_from_slice(a))?;
            with_values(b, |b| activation::add_assign(out, b))?;
            Ok(())
        });
    }
    Ok(a.broadcast_add(b)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernels' path against candle's own operations, on the same tensors.
    #[test]
    fn kernels_agree_with_candle() {
        let device = Device::Cpu;
        let pass = Pass::default();
        let near = |a: &Tensor, b: &Tensor| {
            let worst =
                (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
            assert!(worst < 2e-4, "{worst}");
        };
        let random = |shape: &[usize], seed: u64| {
            let n = shape.iter().product();
            let values = crate::engine::kernels::math::tests::pseudo_random(n, seed);
            Tensor::from_vec(values, shape, &device).unwrap()
        };
        let x = random(&[2, 16, 10, 12], 1);
        let (w, b) = (random(&[8, 16, 3, 3], 2), random(&[8], 3));
        let ours = conv2d(&pass, &x, &w, Some(&b), 1, Padding::same(1)).unwrap();
        let theirs = x.conv2d(&w, 1, 1, 1, 1).unwrap().broadcast_add(&b.reshape((1, 8, 1, 1)).unwrap()).unwrap();
        near(&ours, &theirs);

        let tokens = random(&[2, 30, 24], 4);
        let (w, b) = (random(&[40, 24], 5), random(&[40], 6));
        near(
            &linear(&pass, &tokens, &w, Some(&b)).unwrap(),
            &tokens.broadcast_matmul(&w.t().unwrap()).unwrap().broadcast_add(&b).unwrap(),
        );
        let bent = tokens.to_dtype(DType::F64).unwrap();
        near(
            &activate(&pass, &tokens, Activation::Gelu).unwrap(),
            &bent.gelu_erf().unwrap().to_dtype(DType::F32).unwrap(),
        );
        let (k, v) = (random(&[2, 50, 24], 7), random(&[2, 50, 24], 8));
        let ours = attention(&pass, &tokens, &k, &v, 3, Sight::default()).unwrap();
        let (q64, k64, v64) = (bent, k.to_dtype(DType::F64).unwrap(), v.to_dtype(DType::F64).unwrap());
        let theirs = attention(&pass, &q64, &k64, &v64, 3, Sight::default()).unwrap().to_dtype(DType::F32).unwrap();
        near(&ours, &theirs);
    }
}
