//! The quantiser in NEON, for the same reason as in AVX-512 (`quantise_x86.rs`).

use crate::engine::kernels::element::{Float, Format};
use crate::engine::kernels::isa::Isa;
use std::arch::aarch64::*;

/// Elements at a time.
const PIECE: usize = 16;

/// As `quantise_row`, if there is a way for `isa` and the format.
///
/// # Panics
/// If `data` (or `smooth`) is not as long as `x`.
#[allow(unsafe_code)]
pub(super) fn row<T: Float>(isa: Isa, data: &mut [u8], x: &[T], smooth: Option<&[f32]>) -> Option<(f32, f32)> {
    if !matches!(isa, Isa::Neon { .. }) || T::FORMAT == Format::F16 {
        return None;
    }
    assert!(data.len() == x.len() && smooth.is_none_or(|s| s.len() == x.len()));
    // SAFETY: every AArch64 has NEON, the format is f32 or bf16, and the lengths have just been checked.
    Some(unsafe {
        match smooth {
            None => quantise::<T, false>(data, x, &[]),
            Some(smooth) => quantise::<T, true>(data, x, smooth),
        }
    })
}

/// # Safety
/// `data` is as long as `x`, and so is `smooth` when SMOOTH; T is f32 or bf16.
#[target_feature(enable = "neon")]
#[allow(unsafe_code)]
unsafe fn quantise<T: Float, const SMOOTH: bool>(data: &mut [u8], x: &[T], smooth: &[f32]) -> (f32, f32) {
    let (whole, rest) = (x.len() / PIECE * PIECE, x.len() % PIECE);
    let last = rest_of::<T, SMOOTH>(&x[whole..], if SMOOTH { &smooth[whole..] } else { smooth });
    // SAFETY: whole pieces below `whole`, within the slices, which are equally long; the last one is in an array of its
    // own.
    unsafe {
        let mut least = [vdupq_n_f32(f32::INFINITY); 4];
        let mut greatest = [vdupq_n_f32(f32::NEG_INFINITY); 4];
        // NEON's extremes of a NaN and anything are NaN.
        let mut see = |values: [float32x4_t; 4]| {
            for (v, value) in values.into_iter().enumerate() {
                least[v] = vminq_f32(least[v], value);
                greatest[v] = vmaxq_f32(greatest[v], value);
            }
        };
        for at in (0..whole).step_by(PIECE) {
            see(load::<T, SMOOTH>(x, smooth, at));
        }
        if rest > 0 {
            see(load::<f32, false>(&last, &[], 0));
        }
        let [a, b, c, d] = least;
        let low = vminvq_f32(vminq_f32(vminq_f32(a, b), vminq_f32(c, d)));
        let [a, b, c, d] = greatest;
        let high = vmaxvq_f32(vmaxq_f32(vmaxq_f32(a, b), vmaxq_f32(c, d)));
        // Zero for finite values, NaN for the others.
        let bad = low * 0.0 + high * 0.0;
        let range = high - low;
        let inverse = if range > 0.0 { 255.0 / range } else { 0.0 };
        let start = vdupq_n_f32(low);
        for at in (0..whole).step_by(PIECE) {
            vst1q_u8(data.as_mut_ptr().add(at), steps(load::<T, SMOOTH>(x, smooth, at), start, inverse));
        }
        if rest > 0 {
            let mut bytes = [0; PIECE];
            vst1q_u8(bytes.as_mut_ptr(), steps(load::<f32, false>(&last, &[], 0), start, inverse));
            data[whole..].copy_from_slice(&bytes[..rest]);
        }
        (range / 255.0 + bad, low + bad)
    }
}

/// Fewer elements than a piece as f32, smoothed, and the first of them again in the places that are left.
#[inline]
fn rest_of<T: Float, const SMOOTH: bool>(x: &[T], smooth: &[f32]) -> [f32; PIECE] {
    let value = |i: usize| x[i].to_f32() * if SMOOTH { smooth[i] } else { 1.0 };
    std::array::from_fn(|i| if x.is_empty() { 0.0 } else { value(if i < x.len() { i } else { 0 }) })
}

/// How many steps above `start` each value is, rounded to the nearest.
#[inline]
#[target_feature(enable = "neon")]
fn steps([a, b, c, d]: [float32x4_t; 4], start: float32x4_t, inverse: f32) -> uint8x16_t {
    let round = |v: float32x4_t| vreinterpretq_u16_u32(vcvtnq_u32_f32(vmulq_n_f32(vsubq_f32(v, start), inverse)));
    let (left, right) = (vuzp1q_u16(round(a), round(b)), vuzp1q_u16(round(c), round(d)));
    vuzp1q_u8(vreinterpretq_u8_u16(left), vreinterpretq_u8_u16(right))
}

/// Elements `at..at + PIECE` as f32, smoothed.
///
/// # Safety
/// They are within `x` (and `smooth`, when SMOOTH); T is f32 or bf16.
#[inline]
#[target_feature(enable = "neon")]
#[allow(unsafe_code)]
unsafe fn load<T: Float, const SMOOTH: bool>(x: &[T], smooth: &[f32], at: usize) -> [float32x4_t; 4] {
    let mut values = [vdupq_n_f32(0.0); 4];
    for (v, value) in values.iter_mut().enumerate() {
        let at = at + 4 * v;
        // SAFETY: passed on.
        unsafe {
            let start = x.as_ptr().add(at);
            *value = match T::FORMAT {
                Format::F32 => vld1q_f32(start.cast()),
                _ => vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(start.cast()))),
            };
            if SMOOTH {
                *value = vmulq_f32(*value, vld1q_f32(smooth.as_ptr().add(at)));
            }
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::packed::quantise::quantise_rows;
    use crate::engine::kernels::testing::{bf16s, noise};

    const NEON: Isa = Isa::Neon { bf16: false, dot: false, i8mm: false };

    #[test]
    fn rows_are_those_of_the_portable_path() {
        fn both<T: Float>(x: &[T], smooth: Option<&[f32]>) {
            let (mut ours, mut theirs) = (vec![0; x.len()], vec![0; x.len()]);
            let numbers = row(NEON, &mut ours, x, smooth).unwrap();
            let (mut scale, mut offset) = ([0.0], [0.0]);
            quantise_rows(&mut theirs, &mut scale, &mut offset, x, x.len(), smooth, Isa::Portable);
            assert_eq!((numbers, ours), ((scale[0], offset[0]), theirs), "{}", x.len());
        }
        for k in (1..70).chain([320, 777]) {
            let x: Vec<f32> = noise(k, k as u64).iter().map(|v| v * 3.0 - 1.0).collect();
            let smooth: Vec<f32> = (0..k).map(|i| 0.5 + (i % 7) as f32).collect();
            for smooth in [None, Some(&smooth[..])] {
                both(&x, smooth);
                both(&bf16s(&x), smooth);
            }
        }
    }

    #[test]
    fn what_is_not_finite_shows_wherever_it_is() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for k in [1, 5, 16, 39] {
                for at in 0..k {
                    let mut x = noise(k, 1);
                    x[at] = bad;
                    let (scale, offset) = row(NEON, &mut vec![0; k], &x, None).unwrap();
                    assert!(scale.is_nan() && offset.is_nan(), "{bad} {k} {at}");
                }
            }
        }
        assert_eq!(row(NEON, &mut [9], &[half::f16::ONE], None), None);
    }
}
