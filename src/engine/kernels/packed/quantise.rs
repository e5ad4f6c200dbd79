//! Activations as bytes: a scale and an offset for each row (token or pixel), x ≈ offset + scale · byte.
//!
//! The offset is the row's least value itself, not a rounded zero point: all 255 steps lie between the row's least and
//! greatest value, and the correction is in f32 anyway.

use crate::engine::kernels::element::Float;
use crate::engine::kernels::isa::Isa;
use crate::engine::kernels::vectorise::{Work, vectorise};
use rayon::prelude::*;

/// Rows of bytes. Its memory is kept from one filling to the next.
#[derive(Clone, Debug, Default)]
pub struct Quantised {
    k: usize,
    data: Vec<u8>,
    scale: Vec<f32>,
    offset: Vec<f32>,
}

/// Rows of bytes that a product reads.
#[derive(Clone, Copy, Debug)]
pub struct ByteRows<'a> {
    /// [rows, k]
    pub data: &'a [u8],
    /// [rows]
    pub scale: &'a [f32],
    /// [rows]
    pub offset: &'a [f32],
}

/// Bytes that one task makes.
const TASK: usize = 1 << 15;

impl Quantised {
    pub fn new() -> Self {
        Self::default()
    }

    /// Quantises rows of `k` elements, on all cores. `smooth` multiplies each channel first. A row with something
    /// that is not finite comes out as NaN, scale and offset both, so that products show it.
    ///
    /// # Panics
    /// If `x` is not whole rows, or `smooth` not a row, or the processor lacks `isa`.
    pub fn fill<T: Float>(&mut self, x: &[T], k: usize, smooth: Option<&[f32]>, isa: Isa) {
        assert!(x.len().is_multiple_of(k.max(1)) && smooth.is_none_or(|s| s.len() == k), "rows to quantise");
        assert!(isa.is_available(), "{isa:?} on this processor");
        let rows = x.len() / k.max(1);
        self.resize(rows, k);
        if k == 0 {
            return;
        }
        let at_once = TASK.div_ceil(k);
        self.data
            .par_chunks_mut(at_once * k)
            .zip(x.par_chunks(at_once * k))
            .zip(self.scale.par_chunks_mut(at_once).zip(self.offset.par_chunks_mut(at_once)))
            .for_each(|((data, x), (scale, offset))| quantise_rows(data, scale, offset, x, k, smooth, isa));
    }

    /// Makes room for rows that the caller will write through [`Self::parts_mut`], for instance out of a norm.
    pub fn resize(&mut self, rows: usize, k: usize) {
        self.k = k;
        self.data.resize(rows * k, 0);
        self.scale.resize(rows, 0.0);
        self.offset.resize(rows, 0.0);
    }

    /// Bytes [rows, k], scales [rows] and offsets [rows].
    pub fn parts_mut(&mut self) -> (&mut [u8], &mut [f32], &mut [f32]) {
        (&mut self.data, &mut self.scale, &mut self.offset)
    }

    pub fn view(&self) -> ByteRows<'_> {
        ByteRows { data: &self.data, scale: &self.scale, offset: &self.offset }
    }

    pub fn rows(&self) -> usize {
        self.scale.len()
    }

    /// Elements of a row.
    pub fn k(&self) -> usize {
        self.k
    }

    pub fn data(&self) -> &[u8] {
        &self.data
    }

    pub fn scale(&self) -> &[f32] {
        &self.scale
    }

    pub fn offset(&self) -> &[f32] {
        &self.offset
    }

    /// What the bytes stand for: [rows, k], still multiplied by the smoothing.
    pub fn to_f32(&self) -> Vec<f32> {
        let rows = self.data.chunks_exact(self.k.max(1)).zip(self.scale.iter().zip(&self.offset));
        rows.flat_map(|(row, (scale, offset))| row.iter().map(move |byte| offset + scale * f32::from(*byte))).collect()
    }
}

/// Quantises rows of `k` elements on the calling thread, for kernels that make rows and are parallel themselves.
///
/// # Panics
/// If the slices are not as many rows, `smooth` not a row, or the processor lacks `isa`.
#[allow(unsafe_code)]
pub fn quantise_rows<T: Float>(
    data: &mut [u8],
    scale: &mut [f32],
    offset: &mut [f32],
    x: &[T],
    k: usize,
    smooth: Option<&[f32]>,
    isa: Isa,
) {
    assert!(data.len() == x.len() && x.len() == k * scale.len() && scale.len() == offset.len(), "rows to quantise");
    assert!(isa.is_available() && smooth.is_none_or(|s| s.len() == k));
    if k == 0 {
        return;
    }
    for ((data, x), (scale, offset)) in
        data.chunks_exact_mut(k).zip(x.chunks_exact(k)).zip(scale.iter_mut().zip(offset))
    {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor and the lengths have just been checked.
        if let Some(numbers) = unsafe { super::quantise_x86::row(isa, data, x, smooth) } {
            (*scale, *offset) = numbers;
            continue;
        }
        #[cfg(target_arch = "aarch64")]
        if let Some(numbers) = super::quantise_neon::row(isa, data, x, smooth) {
            (*scale, *offset) = numbers;
            continue;
        }
        // SAFETY: the processor has just been checked.
        (*scale, *offset) = unsafe { vectorise(isa, Row { data, x, smooth }) };
    }
}

struct Row<'a, T> {
    data: &'a mut [u8],
    x: &'a [T],
    smooth: Option<&'a [f32]>,
}

impl<T: Float> Work for Row<'_, T> {
    type Output = (f32, f32);

    #[inline(always)]
    fn run(self) -> (f32, f32) {
        quantise_row(self.data, self.x, self.smooth)
    }
}

/// Running extremes side by side, so that the compiler keeps them in vectors.
const LANES: usize = 32;

/// Quantises one row and returns its scale and offset.
#[inline(always)]
fn quantise_row<T: Float>(data: &mut [u8], x: &[T], smooth: Option<&[f32]>) -> (f32, f32) {
    match smooth {
        None => row_with(data, x, |x, _| x.to_f32()),
        Some(smooth) => {
            let smooth = &smooth[..x.len()];
            row_with(data, x, |x, i| x.to_f32() * smooth[i])
        }
    }
}

#[inline(always)]
fn row_with<T: Float>(data: &mut [u8], x: &[T], value: impl Fn(T, usize) -> f32) -> (f32, f32) {
    let (mut least, mut greatest, mut poison) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES], [0.0f32; LANES]);
    let chunks = x.chunks_exact(LANES);
    let tail = chunks.remainder();
    for (c, chunk) in chunks.enumerate() {
        for l in 0..LANES {
            let v = value(chunk[l], c * LANES + l);
            least[l] = if v < least[l] { v } else { least[l] };
            greatest[l] = if v > greatest[l] { v } else { greatest[l] };
            // Zero for finite values, NaN for the others.
            poison[l] += v * 0.0;
        }
    }
    let mut low = least.iter().copied().fold(f32::INFINITY, f32::min);
    let mut high = greatest.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut bad: f32 = poison.iter().sum();
    for (l, element) in tail.iter().enumerate() {
        let v = value(*element, x.len() - tail.len() + l);
        low = low.min(v);
        high = high.max(v);
        bad += v * 0.0;
    }
    let range = high - low;
    let inverse = if range > 0.0 { 255.0 / range } else { 0.0 };
    // Adding 1.5·2^23 rounds to the nearest whole number and leaves it in the lowest bits.
    const SHIFT: f32 = 12_582_912.0;
    for (i, (byte, x)) in data.iter_mut().zip(x).enumerate() {
        *byte = ((value(*x, i) - low) * inverse + SHIFT).to_bits() as u8;
    }
    (range / 255.0 + bad, low + bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::math::tests::pseudo_random;
    use half::bf16;

    #[test]
    fn bytes_stand_for_the_values_to_half_a_step() {
        for isa in Isa::available() {
            for k in [1, 3, 31, 32, 33, 320, 777] {
                let mut x = pseudo_random(5 * k, k as u64);
                x[..k].fill(0.25);
                let smooth: Vec<f32> = (0..k).map(|i| 0.5 + (i % 7) as f32).collect();
                for smooth in [None, Some(&smooth[..])] {
                    let mut quantised = Quantised::new();
                    quantised.fill(&x, k, smooth, isa);
                    assert_eq!((quantised.rows(), quantised.k()), (5, k));
                    for (i, (value, x)) in quantised.to_f32().iter().zip(&x).enumerate() {
                        let exact = x * smooth.map_or(1.0, |s| s[i % k]);
                        let step = quantised.scale()[i / k];
                        assert!((value - exact).abs() <= 0.501 * step + 1e-6, "{isa:?} {k} {i}: {value} {exact}");
                    }
                    let halves: Vec<bf16> = x.iter().map(|x| bf16::from_f32(*x)).collect();
                    let wide: Vec<f32> = halves.iter().map(|x| x.to_f32()).collect();
                    let mut other = Quantised::new();
                    other.fill(&halves, k, smooth, isa);
                    quantised.fill(&wide, k, smooth, isa);
                    assert_eq!((other.data(), other.scale()), (quantised.data(), quantised.scale()));
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_shows() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 40, 69] {
                let mut x = pseudo_random(140, 1);
                x[at] = bad;
                let mut quantised = Quantised::new();
                quantised.fill(&x, 70, None, Isa::best());
                assert!(quantised.scale()[0].is_nan() && quantised.offset()[0].is_nan());
                assert!(quantised.scale()[1].is_finite() && quantised.offset()[1].is_finite());
            }
        }
    }
}
