//! The epilogue in NEON, for the same reason as in AVX-512 (`finish_x86.rs`): beside products of bytes the compiler's
//! loops, which go through memory, would show.

use super::epilogue::{Affine, Residual, Rows};
use crate::engine::kernels::element::{Float, Format};
use crate::engine::kernels::isa::Isa;
use crate::engine::kernels::math::{GELU_P, GELU_Q};
use std::arch::aarch64::*;

/// What is added to each row, as the loop sees it.
#[derive(Clone, Copy)]
enum Added<O> {
    None,
    /// First element of the residual's first row, and its stride.
    Rows(*const O, usize),
    Own,
}

/// Does `rows` if there is a way for `isa` and the output's format; false if not.
///
/// # Safety
/// All that `Rows` points to is good for what its fields say.
#[allow(unsafe_code)]
pub(super) unsafe fn finish<O: Float>(isa: Isa, rows: &Rows<'_, O>, affine: &Affine) -> bool {
    if !matches!(isa, Isa::Neon { .. }) || O::FORMAT == Format::F16 {
        return false;
    }
    let added = match rows.residual {
        Residual::None => Added::None,
        Residual::Rows { data, stride } => Added::Rows(data.as_ptr(), stride),
        Residual::Output => Added::Own,
    };
    let (whole, rest) = (rows.columns / 4, rows.columns % 4);
    // SAFETY: passed on; whole vectors and then the rest keep within `columns` columns.
    unsafe {
        for v in 0..whole {
            column::<O, true>(rows, affine, added, v, 4);
        }
        if rest > 0 {
            column::<O, false>(rows, affine, added, whole, rest);
        }
    }
    true
}

/// Vector `v` of all rows, `count` columns of it (four if WHOLE).
///
/// # Safety
/// As for [`finish`], with those columns; O is f32 or bf16.
#[inline]
#[target_feature(enable = "neon")]
#[allow(unsafe_code)]
unsafe fn column<O: Float, const WHOLE: bool>(
    rows: &Rows<'_, O>,
    affine: &Affine,
    added: Added<O>,
    v: usize,
    count: usize,
) {
    // SAFETY: factors are 64 floats, sums and gates whole vectors wide; `load` and `store` keep within `columns` columns
    // of the output and the residual.
    unsafe {
        let factor = vld1q_f32(affine.factor[0].as_ptr().add(4 * v));
        let summand = vld1q_f32(affine.summand[0].as_ptr().add(4 * v));
        let gate_factor = vld1q_f32(affine.factor[1].as_ptr().add(4 * v));
        let gate_summand = vld1q_f32(affine.summand[1].as_ptr().add(4 * v));
        for (r, row) in rows.destination.iter().enumerate() {
            let sums = rows.sums.as_ptr().add(r * rows.width + 4 * v);
            let mut value = vfmaq_f32(summand, vld1q_f32(sums), factor);
            if let Some(gates) = rows.gates {
                let gate = vld1q_f32(gates.as_ptr().add(r * rows.width + 4 * v));
                value = vmulq_f32(value, gelu(vfmaq_f32(gate_summand, gate, gate_factor)));
            }
            let out = rows.out.add(row * rows.stride + rows.first + 4 * v);
            match added {
                Added::None => {}
                Added::Rows(data, stride) => {
                    let more = data.add(row * stride + rows.first + 4 * v);
                    value = vaddq_f32(value, load::<O, WHOLE>(more, count));
                }
                Added::Own => value = vaddq_f32(value, load::<O, WHOLE>(out, count)),
            }
            store::<O, WHOLE>(out, count, value);
        }
    }
}

/// # Safety
/// `count` elements can be read, four if WHOLE; O is f32 or bf16.
#[inline]
#[target_feature(enable = "neon")]
#[allow(unsafe_code)]
unsafe fn load<O: Float, const WHOLE: bool>(at: *const O, count: usize) -> float32x4_t {
    // SAFETY: passed on; the pieces are as long as what is copied.
    unsafe {
        let mut piece = [O::default(); 4];
        let at = if WHOLE {
            at
        } else {
            std::ptr::copy_nonoverlapping(at, piece.as_mut_ptr(), count.min(4));
            piece.as_ptr()
        };
        match O::FORMAT {
            Format::F32 => vld1q_f32(at.cast()),
            _ => vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(at.cast()))),
        }
    }
}

/// To nearest, ties to even.
///
/// # Safety
/// `count` elements can be written, four if WHOLE; O is f32 or bf16.
#[inline]
#[target_feature(enable = "neon")]
#[allow(unsafe_code)]
unsafe fn store<O: Float, const WHOLE: bool>(at: *mut O, count: usize, value: float32x4_t) {
    let mut piece = [O::default(); 4];
    let to = if WHOLE { at } else { piece.as_mut_ptr() };
    // SAFETY: passed on; the piece is four elements long.
    unsafe {
        match O::FORMAT {
            Format::F32 => vst1q_f32(to.cast(), value),
            _ => {
                let bits = vreinterpretq_u32_f32(value);
                let odd = vandq_u32(vshrq_n_u32::<16>(bits), vdupq_n_u32(1));
                let rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
                let quiet = vorrq_u32(bits, vdupq_n_u32(0x40_0000));
                let rounded = vbslq_u32(vceqq_f32(value, value), rounded, quiet);
                vst1_u16(to.cast(), vshrn_n_u32::<16>(rounded));
            }
        }
        if !WHOLE {
            std::ptr::copy_nonoverlapping(piece.as_ptr(), at, count.min(4));
        }
    }
}

/// GELU by its definition with erf, four at a time, to 2e-6 (see [`GELU_P`]). NaN stays NaN: NEON's extremes keep it.
#[inline]
#[target_feature(enable = "neon")]
fn gelu(x: float32x4_t) -> float32x4_t {
    let low = vmaxq_f32(x, vdupq_n_f32(-5.0));
    let z = vminq_f32(low, vdupq_n_f32(5.0));
    let t = vmulq_f32(z, z);
    let horner = |c: &[f32]| {
        let (last, others) = c.split_last().unwrap_or((&0.0, &[]));
        others.iter().rev().fold(vdupq_n_f32(*last), |sum, c| vfmaq_f32(vdupq_n_f32(*c), sum, t))
    };
    let phi = vaddq_f32(vdupq_n_f32(0.5), vdivq_f32(vmulq_f32(z, horner(&GELU_P)), horner(&GELU_Q)));
    vmulq_f32(low, phi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gelu_is_that_of_the_portable_path() {
        let values: Vec<f32> = (-16_000..16_000).map(|i| i as f32 / 1600.0).collect();
        let mut worst = 0.0f32;
        for x in values.as_chunks::<4>().0 {
            for (x, ours) in x.iter().zip(four(*x)) {
                worst = worst.max((ours - crate::engine::kernels::math::gelu(*x)).abs());
            }
        }
        assert!(worst < 3e-6, "{worst}");
        let far = four([1e4, -1e4, f32::INFINITY, f32::NAN]);
        assert!((far[0] - 1e4).abs() < 1e-2 && far[1].abs() < 1e-5 && far[2] == f32::INFINITY && far[3].is_nan());
        assert_eq!(four([0.0; 4]), [0.0; 4]);
    }

    #[test]
    #[allow(unsafe_code)]
    fn what_is_stored_is_rounded_as_on_the_portable_path() {
        let mut values = crate::engine::kernels::testing::noise(1000, 1);
        values.extend([1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, -0.0, f32::INFINITY, f32::MAX, f32::NAN, 1e-40, 3e-39]);
        for four in values.as_chunks::<4>().0 {
            for count in 1..=4 {
                let (mut ours, mut theirs) = ([half::bf16::ONE; 4], [half::bf16::ONE; 4]);
                for (o, v) in theirs.iter_mut().zip(four).take(count) {
                    *o = Float::from_f32(*v);
                }
                // SAFETY: every AArch64 has NEON; all arrays are of four.
                let back = unsafe {
                    let value = vld1q_f32(four.as_ptr());
                    match count {
                        4 => store::<half::bf16, true>(ours.as_mut_ptr(), 4, value),
                        _ => store::<half::bf16, false>(ours.as_mut_ptr(), count, value),
                    }
                    let mut back = [0.0; 4];
                    vst1q_f32(back.as_mut_ptr(), load::<half::bf16, false>(ours.as_ptr(), count));
                    back
                };
                assert_eq!(ours.map(half::bf16::to_bits), theirs.map(half::bf16::to_bits), "{four:?}");
                for (back, o) in back.iter().zip(theirs).take(count) {
                    assert_eq!(back.to_bits(), o.to_f32().to_bits());
                }
            }
        }
    }

    #[allow(unsafe_code)]
    fn four(x: [f32; 4]) -> [f32; 4] {
        let mut out = [0.0; 4];
        // SAFETY: every AArch64 has NEON; both arrays are four floats.
        unsafe { vst1q_f32(out.as_mut_ptr(), gelu(vld1q_f32(x.as_ptr()))) };
        out
    }
}
