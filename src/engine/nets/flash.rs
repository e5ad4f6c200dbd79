//! FlashAttention (Dao 2023) on CUDA, by candle-flash-attn: the scores are never written down.

use crate::engine::interrupt::Interrupt;
use candle_core::{DType, Device, Tensor};

/// The widest head that its kernels have; the VAE's one.
const WIDEST: usize = 512;
/// Its kernels are for Ampere and later.
const LEAST_GENERATION: i32 = 8;

/// Whether it takes heads of this width in this format on this card.
pub fn takes(x: &Tensor, width: usize) -> bool {
    let Device::Cuda(card) = x.device() else { return false };
    let generation = card.cuda_stream().context().compute_capability().map_or(0, |(major, _)| major);
    let fits = width.is_multiple_of(8) && width <= WIDEST;
    fits && generation >= LEAST_GENERATION && matches!(x.dtype(), DType::F16 | DType::BF16)
}

/// softmax(q·kᵀ/√width)·v with heads side by side, [batch, n, heads·width] each.
pub fn attention((q, k, v): (&Tensor, &Tensor, &Tensor), heads: usize) -> Result<Tensor, Interrupt> {
    let (batch, queries, channels) = q.dims3()?;
    let width = channels / heads.max(1);
    let split = |x: &Tensor| x.contiguous()?.reshape((batch, (), heads, width));
    let scale = 1.0 / (width as f32).sqrt();
    let y = candle_flash_attn::flash_attn(&split(q)?, &split(k)?, &split(v)?, scale, false)?;
    Ok(y.reshape((batch, queries, channels))?)
}
