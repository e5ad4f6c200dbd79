//! The quantiser in AVX-512, because beside int8's products the compiler's loops are a third of the time.

use crate::engine::kernels::element::{Float, Format};
use crate::engine::kernels::isa::Isa;
use std::arch::x86_64::*;

/// As `quantise_row`, if there is a way for `isa` and the format.
///
/// # Safety
/// The processor has `isa`; `data` (and `smooth`) are as long as `x`.
#[allow(unsafe_code)]
pub(super) unsafe fn row<T: Float>(isa: Isa, data: &mut [u8], x: &[T], smooth: Option<&[f32]>) -> Option<(f32, f32)> {
    if !matches!(isa, Isa::Avx512 { .. }) || T::FORMAT == Format::F16 {
        return None;
    }
    debug_assert!(data.len() == x.len() && smooth.is_none_or(|s| s.len() == x.len()));
    // SAFETY: passed on.
    Some(unsafe {
        match smooth {
            None => wide::<T, false>(data, x, &[]),
            Some(smooth) => wide::<T, true>(data, x, smooth),
        }
    })
}

/// # Safety
/// As for [`row`]; `smooth` is as long as `x` when SMOOTH.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
#[allow(unsafe_code)]
unsafe fn wide<T: Float, const SMOOTH: bool>(data: &mut [u8], x: &[T], smooth: &[f32]) -> (f32, f32) {
    let (whole, rest) = (x.len() / 16 * 16, x.len() % 16);
    let mask = (1u16 << rest) - 1;
    // SAFETY: whole vectors below `whole`, the mask's elements after it: all within the slices, which are equally long.
    unsafe {
        let mut least = [_mm512_set1_ps(f32::INFINITY); 2];
        let mut greatest = [_mm512_set1_ps(f32::NEG_INFINITY); 2];
        // Zero for finite values, NaN for the others.
        let mut poison = [_mm512_setzero_ps(); 2];
        let mut see = |lane: usize, value: __m512, mask: u16| {
            least[lane] = _mm512_mask_min_ps(least[lane], mask, least[lane], value);
            greatest[lane] = _mm512_mask_max_ps(greatest[lane], mask, greatest[lane], value);
            poison[lane] = _mm512_mask_add_ps(poison[lane], mask, poison[lane], _mm512_sub_ps(value, value));
        };
        for i in (0..whole).step_by(16) {
            see(i / 16 % 2, load::<T, SMOOTH>(x, smooth, i, 0xffff), 0xffff);
        }
        if rest > 0 {
            see(0, load::<T, SMOOTH>(x, smooth, whole, mask), mask);
        }
        let low = _mm512_reduce_min_ps(_mm512_min_ps(least[0], least[1]));
        let high = _mm512_reduce_max_ps(_mm512_max_ps(greatest[0], greatest[1]));
        let bad = _mm512_reduce_add_ps(_mm512_add_ps(poison[0], poison[1]));
        let range = high - low;
        let inverse = _mm512_set1_ps(if range > 0.0 { 255.0 / range } else { 0.0 });
        let start = _mm512_set1_ps(low);
        for i in (0..whole).step_by(16) {
            let steps = _mm512_mul_ps(_mm512_sub_ps(load::<T, SMOOTH>(x, smooth, i, 0xffff), start), inverse);
            let bytes = _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(steps));
            _mm_storeu_si128(data.as_mut_ptr().add(i).cast(), bytes);
        }
        if rest > 0 {
            let steps = _mm512_mul_ps(_mm512_sub_ps(load::<T, SMOOTH>(x, smooth, whole, mask), start), inverse);
            let bytes = _mm512_cvtusepi32_epi8(_mm512_cvtps_epi32(steps));
            _mm_mask_storeu_epi8(data.as_mut_ptr().add(whole).cast(), mask, bytes);
        }
        (range / 255.0 + bad, low + bad)
    }
}

/// Elements `at..at + 16` as far as the mask goes, as f32, smoothed.
///
/// # Safety
/// The mask's elements are within the slices; T is f32 or bf16.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[allow(unsafe_code)]
unsafe fn load<T: Float, const SMOOTH: bool>(x: &[T], smooth: &[f32], at: usize, mask: u16) -> __m512 {
    let whole = mask == 0xffff;
    // SAFETY: passed on.
    unsafe {
        let start = x.as_ptr().add(at);
        let value = match (T::FORMAT, whole) {
            (Format::F32, true) => _mm512_loadu_ps(start.cast()),
            (Format::F32, false) => _mm512_maskz_loadu_ps(mask, start.cast()),
            (_, true) => widen(_mm256_loadu_si256(start.cast())),
            (_, false) => widen(_mm256_maskz_loadu_epi16(mask, start.cast())),
        };
        match SMOOTH {
            true => _mm512_mul_ps(value, _mm512_maskz_loadu_ps(mask, smooth.as_ptr().add(at))),
            false => value,
        }
    }
}

/// bf16 to f32.
#[inline]
#[target_feature(enable = "avx512f")]
fn widen(halves: __m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
}
