//! The epilogue in AVX-512: the loops of `epilogue.rs` by hand, because at int8's speed what the compiler makes of them
//! costs a third of a product.

use super::epilogue::{Affine, Rows};
use crate::engine::kernels::element::{Float, Format};
use crate::engine::kernels::isa::Isa;
use crate::engine::kernels::math::{GELU_P as P, GELU_Q as Q};
use std::arch::x86_64::*;

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
/// The processor has `isa`, and all that `Rows` points to is good for what its fields say.
#[allow(unsafe_code)]
pub(super) unsafe fn finish<O: Float>(isa: Isa, rows: &Rows<'_, O>, affine: &Affine) -> bool {
    // SAFETY: passed on; features are those of `isa`, and formats those of the pointers.
    unsafe {
        match (isa, O::FORMAT) {
            (Isa::Avx512 { bf16: true, .. }, Format::Bf16) => bf16_native::all(rows, affine),
            (Isa::Avx512 { .. }, Format::Bf16) => bf16_shifted::all(rows, affine),
            (Isa::Avx512 { .. }, Format::F32) => f32_stored::all(rows, affine),
            _ => return false,
        }
    }
    true
}

/// The loop. A module that calls it defines `load(*const u8, mask) -> __m512` and `store(*mut u8, mask, __m512)`.
macro_rules! finisher {
    ($features:literal) => {
        /// # Safety
        /// As for [`finish`].
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        pub unsafe fn all<O: Float>(rows: &Rows<'_, O>, affine: &Affine) {
            let added = match rows.residual {
                super::super::epilogue::Residual::None => Added::None,
                super::super::epilogue::Residual::Rows { data, stride } => Added::Rows(data.as_ptr(), stride),
                super::super::epilogue::Residual::Output => Added::Own,
            };
            let (whole, rest) = (rows.columns / 16, rows.columns % 16);
            // SAFETY: passed on; masks keep within `columns` columns.
            unsafe {
                for v in 0..whole {
                    column::<O, true>(rows, affine, added, v, 0xffff);
                }
                if rest > 0 {
                    column::<O, false>(rows, affine, added, whole, (1 << rest) - 1);
                }
            }
        }

        /// Vector `v` of all rows. `WHOLE`: the mask is full, for masked stores of 16 bits are slow on some processors.
        ///
        /// # Safety
        /// As for [`finish`], with the mask's columns of vector `v`.
        #[inline]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        unsafe fn column<O: Float, const WHOLE: bool>(
            rows: &Rows<'_, O>,
            affine: &Affine,
            added: Added<O>,
            v: usize,
            mask: u16,
        ) {
            // SAFETY: sums and gates are whole vectors wide; the mask keeps within `columns` columns of the output and
            // the residual.
            unsafe {
                let factor = _mm512_loadu_ps(affine.factor[0].as_ptr().add(16 * v));
                let summand = _mm512_loadu_ps(affine.summand[0].as_ptr().add(16 * v));
                let gate_factor = _mm512_loadu_ps(affine.factor[1].as_ptr().add(16 * v));
                let gate_summand = _mm512_loadu_ps(affine.summand[1].as_ptr().add(16 * v));
                for (r, row) in rows.destination.iter().enumerate() {
                    let sums = rows.sums.as_ptr().add(r * rows.width + 16 * v);
                    let mut value = _mm512_fmadd_ps(_mm512_loadu_ps(sums), factor, summand);
                    if let Some(gates) = rows.gates {
                        let gate = _mm512_loadu_ps(gates.as_ptr().add(r * rows.width + 16 * v));
                        value = _mm512_mul_ps(value, gelu(_mm512_fmadd_ps(gate, gate_factor, gate_summand)));
                    }
                    let out = rows.out.add(row * rows.stride + rows.first + 16 * v);
                    match added {
                        Added::None => {}
                        Added::Rows(data, stride) => {
                            let more = data.add(row * stride + rows.first + 16 * v);
                            value = _mm512_add_ps(value, load::<WHOLE>(more.cast(), mask));
                        }
                        Added::Own => value = _mm512_add_ps(value, load::<WHOLE>(out.cast_const().cast(), mask)),
                    }
                    store::<WHOLE>(out.cast(), mask, value);
                }
            }
        }
    };
}

mod f32_stored {
    use super::*;
    finisher!("avx512f,avx512bw,avx512vl,avx512dq");

    /// # Safety
    /// The mask's elements can be read.
    #[inline]
    #[target_feature(enable = "avx512f")]
    #[allow(unsafe_code)]
    unsafe fn load<const WHOLE: bool>(at: *const u8, mask: u16) -> __m512 {
        // SAFETY: passed on.
        unsafe { if WHOLE { _mm512_loadu_ps(at.cast()) } else { _mm512_maskz_loadu_ps(mask, at.cast()) } }
    }

    /// # Safety
    /// The mask's elements can be written.
    #[inline]
    #[target_feature(enable = "avx512f")]
    #[allow(unsafe_code)]
    unsafe fn store<const WHOLE: bool>(at: *mut u8, mask: u16, value: __m512) {
        // SAFETY: passed on.
        unsafe {
            if WHOLE { _mm512_storeu_ps(at.cast(), value) } else { _mm512_mask_storeu_ps(at.cast(), mask, value) }
        }
    }
}

mod bf16_native {
    use super::*;
    finisher!("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16");

    use super::load_bf16 as load;

    /// # Safety
    /// The mask's elements can be written.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    #[allow(unsafe_code)]
    unsafe fn store<const WHOLE: bool>(at: *mut u8, mask: u16, value: __m512) {
        // SAFETY: passed on; both types are 256 bits.
        unsafe {
            let narrow = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(value));
            put_bf16::<WHOLE>(at, mask, narrow);
        }
    }
}

mod bf16_shifted {
    use super::*;
    finisher!("avx512f,avx512bw,avx512vl,avx512dq");

    use super::load_bf16 as load;

    /// # Safety
    /// The mask's elements can be written.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    #[allow(unsafe_code)]
    unsafe fn store<const WHOLE: bool>(at: *mut u8, mask: u16, value: __m512) {
        let bits = _mm512_castps_si512(value);
        let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
        let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
        let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(value, value);
        let rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x40_0000));
        let narrow = _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(rounded));
        // SAFETY: passed on.
        unsafe { put_bf16::<WHOLE>(at, mask, narrow) }
    }
}

/// # Safety
/// The mask's elements can be written.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[allow(unsafe_code)]
unsafe fn put_bf16<const WHOLE: bool>(at: *mut u8, mask: u16, narrow: __m256i) {
    // SAFETY: passed on.
    unsafe {
        if WHOLE { _mm256_storeu_si256(at.cast(), narrow) } else { _mm256_mask_storeu_epi16(at.cast(), mask, narrow) }
    }
}

/// # Safety
/// The mask's elements can be read.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
#[allow(unsafe_code)]
unsafe fn load_bf16<const WHOLE: bool>(at: *const u8, mask: u16) -> __m512 {
    // SAFETY: passed on.
    let narrow =
        unsafe { if WHOLE { _mm256_loadu_si256(at.cast()) } else { _mm256_maskz_loadu_epi16(mask, at.cast()) } };
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(narrow)))
}

/// GELU by its definition with erf, sixteen at a time, to 2e-6 (see `math::GELU_P`).
#[inline]
#[target_feature(enable = "avx512f")]
fn gelu(x: __m512) -> __m512 {
    let set = |value: f32| _mm512_set1_ps(value);
    let low = _mm512_max_ps(x, set(-5.0));
    let z = _mm512_min_ps(low, set(5.0));
    let t = _mm512_mul_ps(z, z);
    let p = _mm512_fmadd_ps(t, set(P[4]), set(P[3]));
    let p = _mm512_fmadd_ps(p, t, set(P[2]));
    let p = _mm512_fmadd_ps(p, t, set(P[1]));
    let p = _mm512_fmadd_ps(p, t, set(P[0]));
    let q = _mm512_fmadd_ps(t, set(Q[5]), set(Q[4]));
    let q = _mm512_fmadd_ps(q, t, set(Q[3]));
    let q = _mm512_fmadd_ps(q, t, set(Q[2]));
    let q = _mm512_fmadd_ps(q, t, set(Q[1]));
    let q = _mm512_fmadd_ps(q, t, set(Q[0]));
    // 1/q: an estimate to 14 bits and one step of Newton's.
    let r = _mm512_rcp14_ps(q);
    let r = _mm512_mul_ps(r, _mm512_fnmadd_ps(q, r, set(2.0)));
    let phi = _mm512_fmadd_ps(_mm512_mul_ps(z, p), r, set(0.5));
    // A gate that is not a number stays so: the comparison above lets the second operand through.
    let held = _mm512_mul_ps(low, phi);
    _mm512_mask_mov_ps(held, _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(x, x), x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gelu_is_that_of_the_portable_path() {
        if !(Isa::Avx512 { bf16: false, vnni: false }).is_available() {
            return;
        }
        let values: Vec<f32> = (-16_000..16_000).map(|i| i as f32 / 1600.0).collect();
        let mut worst = 0.0f32;
        for x in values.as_chunks::<16>().0 {
            for (x, ours) in x.iter().zip(sixteen(*x)) {
                worst = worst.max((ours - portable(*x)).abs());
            }
        }
        assert!(worst < 3e-6, "{worst}");
        let far = sixteen([1e4, -1e4, f32::INFINITY, f32::NAN, 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.]);
        assert!(
            (far[0] - 1e4).abs() < 1e-2
                && far[1].abs() < 1e-5
                && far[2] == f32::INFINITY
                && far[3].is_nan()
                && far[4] == 0.0
        );
    }

    // Inlined into the loop above it brings the compiler (LLVM 22.1) down.
    #[inline(never)]
    fn portable(x: f32) -> f32 {
        crate::engine::kernels::math::gelu(x)
    }

    #[allow(unsafe_code)]
    fn sixteen(x: [f32; 16]) -> [f32; 16] {
        #[target_feature(enable = "avx512f")]
        fn inner(x: [f32; 16]) -> [f32; 16] {
            let mut out = [0.0; 16];
            // SAFETY: both arrays are sixteen floats.
            unsafe { _mm512_storeu_ps(out.as_mut_ptr(), gelu(_mm512_loadu_ps(x.as_ptr()))) };
            out
        }
        // SAFETY: the test has asked for AVX-512.
        unsafe { inner(x) }
    }
}
