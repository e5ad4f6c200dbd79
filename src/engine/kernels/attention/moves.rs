//! Queries into lanes and results out of them: squares of 16 × 16 words turned over in AVX-512 registers.

use super::{Precision, Target};
use crate::engine::kernels::element::Data;
use std::arch::x86_64::*;

/// Turns a square of words: `out[j]` lane i is `x[i]` lane j.
#[target_feature(enable = "avx512f")]
#[inline]
fn turn(x: [__m512i; 16]) -> [__m512i; 16] {
    let mut a = x;
    for i in 0..8 {
        a[2 * i] = _mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
    }
    // Four words of column 4c + i of rows 4k.. in each 128 bits.
    let mut b = a;
    for k in 0..4 {
        b[4 * k] = _mm512_unpacklo_epi64(a[4 * k], a[4 * k + 2]);
        b[4 * k + 1] = _mm512_unpackhi_epi64(a[4 * k], a[4 * k + 2]);
        b[4 * k + 2] = _mm512_unpacklo_epi64(a[4 * k + 1], a[4 * k + 3]);
        b[4 * k + 3] = _mm512_unpackhi_epi64(a[4 * k + 1], a[4 * k + 3]);
    }
    let mut out = b;
    for i in 0..4 {
        let low = _mm512_shuffle_i32x4::<0x88>(b[i], b[4 + i]);
        let high = _mm512_shuffle_i32x4::<0xDD>(b[i], b[4 + i]);
        let low2 = _mm512_shuffle_i32x4::<0x88>(b[8 + i], b[12 + i]);
        let high2 = _mm512_shuffle_i32x4::<0xDD>(b[8 + i], b[12 + i]);
        out[i] = _mm512_shuffle_i32x4::<0x88>(low, low2);
        out[8 + i] = _mm512_shuffle_i32x4::<0xDD>(low, low2);
        out[4 + i] = _mm512_shuffle_i32x4::<0x88>(high, high2);
        out[12 + i] = _mm512_shuffle_i32x4::<0xDD>(high, high2);
    }
    out
}

/// The lowest `n` bits.
#[inline]
fn bits(n: usize) -> u32 {
    if n >= 32 { u32::MAX } else { (1 << n) - 1 }
}

/// `rows` queries of `width` columns, `first + r·stride` in `x`, to `out` [words][lanes]; lanes beyond `rows` get 0.
///
/// # Safety
/// The processor has AVX-512 F, BW and VL, and BF16 where `x` is f32 and the precision bf16.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[allow(unsafe_code)]
pub unsafe fn pack_queries(
    out: &mut [u32],
    x: Data<'_>,
    (first, stride): (usize, usize),
    (rows, lanes, width): (usize, usize, usize),
    precision: Precision,
) {
    assert!(matches!(precision, Precision::F32 | Precision::Bf16), "bytes have a function of their own");
    let per = precision.per_word();
    let words = precision.key_words(width);
    assert!(lanes.is_multiple_of(16) && rows <= lanes && out.len() == words * lanes, "packed queries");
    assert!(rows == 0 || first + (rows - 1) * stride + width <= x.len(), "queries");
    for lane in (0..lanes).step_by(16) {
        for word in (0..words).step_by(16) {
            let column = word * per;
            let columns = width - column;
            let mut square = [_mm512_setzero_si512(); 16];
            for (r, square) in square.iter_mut().enumerate().take(rows.saturating_sub(lane)) {
                let at = first + (lane + r) * stride + column;
                // SAFETY: the masks keep to `columns` columns from `at`, within `x` by the assertion.
                unsafe {
                    *square = match (x, precision) {
                        (Data::F32(x), Precision::F32) => {
                            _mm512_castps_si512(_mm512_maskz_loadu_ps(bits(columns) as u16, x.as_ptr().add(at)))
                        }
                        (Data::F32(x), _) => narrow(x.as_ptr().add(at), columns),
                        (Data::Bf16(x), Precision::F32) => _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(
                            _mm256_maskz_loadu_epi16(bits(columns) as u16, x.as_ptr().add(at).cast()),
                        )),
                        (Data::Bf16(x), _) => _mm512_maskz_loadu_epi16(bits(columns), x.as_ptr().add(at).cast()),
                    };
                }
            }
            for (i, row) in turn(square).into_iter().enumerate().take(words - word) {
                // SAFETY: word + i < words and lane + 16 <= lanes.
                unsafe { _mm512_storeu_si512(out.as_mut_ptr().add((word + i) * lanes + lane).cast(), row) };
            }
        }
    }
}

/// `columns` (at most 16 count) numbers at `x` + `at` in f32, 0 beyond them.
///
/// # Safety
/// They can be read there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[allow(unsafe_code)]
#[inline]
unsafe fn load(x: Data<'_>, at: usize, columns: usize) -> __m512 {
    let mask = bits(columns) as u16;
    // SAFETY: the masks keep to `columns`.
    unsafe {
        match x {
            Data::F32(x) => _mm512_maskz_loadu_ps(mask, x.as_ptr().add(at)),
            Data::Bf16(x) => {
                let halves = _mm256_maskz_loadu_epi16(mask, x.as_ptr().add(at).cast());
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
            }
        }
    }
}

/// `pack_queries` in bytes, each plus 128: `scale` gets what a unit is worth for each query, NaN where one is NaN.
///
/// # Safety
/// The processor has AVX-512 F, BW, VL and DQ.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
#[allow(unsafe_code)]
pub unsafe fn pack_bytes(
    (out, scale): (&mut [u32], &mut [f32]),
    x: Data<'_>,
    (first, stride): (usize, usize),
    (rows, lanes, width): (usize, usize, usize),
) {
    let words = Precision::Bytes.key_words(width);
    assert!(lanes.is_multiple_of(16) && rows <= lanes && out.len() == words * lanes, "packed queries");
    assert!(rows == 0 || first + (rows - 1) * stride + width <= x.len(), "queries");
    assert!(scale.len() >= lanes, "scales");
    scale[..lanes].fill(0.0);
    for lane in (0..lanes).step_by(16) {
        let here = rows.saturating_sub(lane).min(16);
        let mut inverse = [0.0f32; 16];
        for r in 0..here {
            let from = first + (lane + r) * stride;
            let (mut most, mut nan) = (_mm512_setzero_ps(), 0);
            for column in (0..width).step_by(16) {
                // SAFETY: `width` columns lie in `x` by the assertion.
                let v = unsafe { load(x, from + column, width - column) };
                most = _mm512_max_ps(most, _mm512_abs_ps(v));
                nan |= _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(v, v);
            }
            let most = if nan == 0 { _mm512_reduce_max_ps(most) } else { f32::NAN };
            scale[lane + r] = most / 127.0;
            inverse[r] = if most > 1e-30 { 127.0 / most } else { 0.0 };
        }
        for word in (0..words).step_by(16) {
            let mut square = [_mm512_setzero_si512(); 16];
            for (r, square) in square.iter_mut().enumerate().take(here) {
                let from = first + (lane + r) * stride;
                let factor = _mm512_set1_ps(inverse[r]);
                let mut quarters = [_mm_setzero_si128(); 4];
                for (i, quarter) in quarters.iter_mut().enumerate() {
                    let column = 4 * word + 16 * i;
                    if column < width {
                        // SAFETY: `width` columns lie in `x` by the assertion.
                        let v = unsafe { load(x, from + column, width - column) };
                        let whole = _mm512_cvtps_epi32(_mm512_mul_ps(v, factor));
                        *quarter = _mm512_cvtepi32_epi8(_mm512_add_epi32(whole, _mm512_set1_epi32(128)));
                    }
                }
                let low = _mm512_inserti32x4::<1>(_mm512_castsi128_si512(quarters[0]), quarters[1]);
                *square = _mm512_inserti32x4::<3>(_mm512_inserti32x4::<2>(low, quarters[2]), quarters[3]);
            }
            for (i, row) in turn(square).into_iter().enumerate().take(words - word) {
                // SAFETY: word + i < words and lane + 16 <= lanes.
                unsafe { _mm512_storeu_si512(out.as_mut_ptr().add((word + i) * lanes + lane).cast(), row) };
            }
        }
    }
}

/// Up to 32 numbers at `x` as bf16, the first one lowest.
///
/// # Safety
/// `columns` numbers can be read at `x`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
#[allow(unsafe_code)]
unsafe fn narrow(x: *const f32, columns: usize) -> __m512i {
    let mask = bits(columns);
    // SAFETY: the masks keep to `columns`; the two 64-byte types are plain bits.
    unsafe {
        let low = _mm512_maskz_loadu_ps(mask as u16, x);
        let high = _mm512_maskz_loadu_ps((mask >> 16) as u16, x.wrapping_add(16));
        std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low))
    }
}

/// One over each, but 0 for 0: of a query that sees no key.
#[target_feature(enable = "avx512f")]
#[inline]
fn inverse(x: __m512) -> __m512 {
    let seen = _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(x, _mm512_setzero_ps());
    _mm512_maskz_div_ps(seen, _mm512_set1_ps(1.0), x)
}

/// `sums` [width][lanes] divided by `total` [lanes], to rows `first + r·stride` of `out`, `width` columns each.
///
/// # Safety
/// The processor has AVX-512 F, BW and VL, and nothing else touches those columns of those rows; `out` points at
/// elements of the kind named in it, enough for the last row.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[allow(unsafe_code)]
pub unsafe fn unpack_results(
    out: Target,
    (first, stride): (usize, usize),
    (sums, total): (&[f32], &[f32]),
    (rows, lanes, width): (usize, usize, usize),
) {
    assert!(
        lanes.is_multiple_of(16) && sums.len() >= width * lanes && total.len() >= lanes && rows <= lanes,
        "results"
    );
    for lane in (0..rows).step_by(16) {
        // SAFETY: lane + 16 <= lanes, and row < width below.
        let factor = inverse(unsafe { _mm512_loadu_ps(total.as_ptr().add(lane)) });
        for column in (0..width).step_by(16) {
            let columns = width - column;
            let mut square = [_mm512_setzero_si512(); 16];
            for (i, square) in square.iter_mut().enumerate().take(columns) {
                // SAFETY: column + i < width.
                let row = unsafe { _mm512_loadu_ps(sums.as_ptr().add((column + i) * lanes + lane)) };
                *square = _mm512_castps_si512(_mm512_mul_ps(row, factor));
            }
            for (r, row) in turn(square).into_iter().enumerate().take(rows - lane) {
                let at = first + (lane + r) * stride + column;
                // SAFETY: the masks keep to the row's `width` columns, which are the caller's to give.
                unsafe {
                    match out {
                        Target::F32(out) => {
                            _mm512_mask_storeu_ps(out.add(at), bits(columns) as u16, _mm512_castsi512_ps(row));
                        }
                        Target::Bf16(out) => {
                            _mm256_mask_storeu_epi16(out.add(at).cast(), bits(columns) as u16, halves(row));
                        }
                    }
                }
            }
        }
    }
}

/// The nearest bf16 of 16 f32, ties to even, without BF16 instructions; NaN stays NaN.
#[target_feature(enable = "avx512f,avx512vl")]
#[inline]
fn halves(x: __m512i) -> __m256i {
    let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(x), _mm512_set1_epi32(1));
    let rounded = _mm512_add_epi32(x, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    let value = _mm512_castsi512_ps(x);
    let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(value, value);
    let kept = _mm512_mask_or_epi32(rounded, nan, x, _mm512_set1_epi32(0x0040_0000));
    _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(kept))
}
