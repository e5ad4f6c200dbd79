//! Microkernels in AVX-512 and AVX2: one loop (a macro), nine ways to multiply.
//!
//! Processors without the instruction for a precision go over the group in two passes: bf16 as the low and the high
//! half of each pair widened to f32, bytes as the even and the odd ones widened to 16 bits.

use super::micro::{Call, Kernel, ROWS};
use crate::engine::kernels::element::Precision;
use crate::engine::kernels::isa::Isa;

/// The loop. A module that calls it defines, with the named features enabled: `Sum` and `Operand` (vectors), `PASSES`,
/// `LANES`, `zero() -> Sum`, `weights::<PASS>(*const u8) -> Operand`, `activations::<PASS>(*const u8) -> Operand`,
/// `step(Sum, Operand, Operand) -> Sum` and `put::<VECTORS>(&Call, row, &[Sum; VECTORS])`.
macro_rules! microkernel {
    ($features:literal, $vectors:literal, [$($vector:literal),*]) => {
        /// R rows times V vectors.
        ///
        /// # Safety
        /// As for [`Kernel`], with `call.rows` = R and `call.columns` = V · LANES.
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        unsafe fn run<const R: usize, const V: usize>(call: &Call) {
            debug_assert!(call.rows == R && call.columns == V * LANES);
            let mut sums = [[zero(); V]; R];
            // SAFETY: the caller vouches that R row pointers can be read for each segment, that each is good for
            // `skip + 4·steps` bytes, and the panel for `segments · steps · columns · 4`.
            unsafe {
                let mut panel = call.weights;
                let mut table = call.row;
                for _ in 0..call.segments {
                    let mut rows = [std::ptr::null::<u8>(); R];
                    for (r, row) in rows.iter_mut().enumerate() {
                        *row = (*table.add(r)).add(call.skip);
                    }
                    for group in 0..call.steps {
                        pass::<R, V, 0>(&mut sums, &rows, 4 * group, panel);
                        if PASSES == 2 {
                            pass::<R, V, 1>(&mut sums, &rows, 4 * group, panel);
                        }
                        panel = panel.add(4 * LANES * V);
                    }
                    table = table.wrapping_add(call.row_stride);
                }
                for (r, sums) in sums.iter().enumerate() {
                    put(call, r, sums);
                }
            }
        }

        /// # Safety
        /// Each row is readable at `at..at + 4`, the panel for V vectors.
        #[inline]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        unsafe fn pass<const R: usize, const V: usize, const PASS: usize>(
            sums: &mut [[Sum; V]; R],
            rows: &[*const u8; R],
            at: usize,
            panel: *const u8,
        ) {
            // SAFETY: passed on.
            unsafe {
                let mut w = [weights::<PASS>(panel); V];
                for (v, w) in w.iter_mut().enumerate() {
                    *w = weights::<PASS>(panel.add(4 * LANES * v));
                }
                for (sums, row) in sums.iter_mut().zip(rows) {
                    let a = activations::<PASS>(row.add(at));
                    for (sum, w) in sums.iter_mut().zip(w) {
                        *sum = step(*sum, a, w);
                    }
                }
            }
        }

        /// By rows, then by vectors.
        pub static KERNELS: [[Kernel; $vectors]; ROWS] =
            [[$(run::<1, $vector>),*], [$(run::<2, $vector>),*], [$(run::<3, $vector>),*],
             [$(run::<4, $vector>),*], [$(run::<5, $vector>),*], [$(run::<6, $vector>),*]];
    };
}

/// `put` for sums in f32.
macro_rules! put_floats {
    ($features:literal, $load:ident, $store:ident, $add:ident) => {
        /// # Safety
        /// The call's tile is good for V vectors in this row.
        #[inline]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        unsafe fn put<const V: usize>(call: &Call, row: usize, sums: &[Sum; V]) {
            for (v, sum) in sums.iter().enumerate() {
                // SAFETY: passed on.
                unsafe {
                    let at = call.sums.add(row * V * LANES + v * LANES);
                    $store(at, if call.fresh { *sum } else { $add(*sum, $load(at)) });
                }
            }
        }
    };
}

/// `put` for sums in i32: scaled by the row's scale, the offset's share added.
macro_rules! put_integers {
    ($features:literal, $load:ident, $store:ident, $set:ident, $fma:ident, $convert:ident) => {
        /// # Safety
        /// As for floats; the row's scale and offset can be read and `weight_sums` is null or as long as the panel.
        #[inline]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        unsafe fn put<const V: usize>(call: &Call, row: usize, sums: &[Sum; V]) {
            // SAFETY: passed on.
            unsafe {
                let scale = $set(*call.scale.add(row));
                let offset = $set(*call.offset.add(row));
                for (v, sum) in sums.iter().enumerate() {
                    let at = call.sums.add(row * V * LANES + v * LANES);
                    let mut base = if call.fresh { $set(0.0) } else { $load(at) };
                    if !call.weight_sums.is_null() {
                        base = $fma($load(call.weight_sums.add(v * LANES)), offset, base);
                    }
                    $store(at, $fma($convert(*sum), scale, base));
                }
            }
        }
    };
}

/// Helpers of one way to multiply, wrapped so that each carries the features and the lint's exception.
macro_rules! arithmetic {
    (
        $features:literal, $lanes:literal lanes, $passes:literal passes, $sum:ty, $operand:ty,
        zero: $zero:expr,
        weights: |$wp:ident, $wpass:ident| $weights:expr,
        activations: |$ap:ident, $apass:ident| $activations:expr,
        step: |$s:ident, $a:ident, $w:ident| $step:expr
    ) => {
        type Sum = $sum;
        type Operand = $operand;
        const LANES: usize = $lanes;
        const PASSES: usize = $passes;

        #[inline]
        #[target_feature(enable = $features)]
        fn zero() -> Sum {
            $zero
        }

        /// # Safety
        /// One vector can be read.
        #[inline]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code, unused)]
        unsafe fn weights<const PASS: usize>($wp: *const u8) -> Operand {
            let $wpass = PASS;
            // SAFETY: passed on; loads take any alignment.
            unsafe { $weights }
        }

        /// # Safety
        /// Four bytes can be read.
        #[inline]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code, unused)]
        unsafe fn activations<const PASS: usize>($ap: *const u8) -> Operand {
            let $apass = PASS;
            // SAFETY: passed on; the read takes any alignment.
            unsafe { $activations }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn step($s: Sum, $a: Operand, $w: Operand) -> Sum {
            $step
        }
    };
}

mod f32_avx512 {
    use super::*;
    use std::arch::x86_64::*;
    arithmetic!("avx512f,avx512bw,avx512vl,avx512dq", 16 lanes, 1 passes, __m512, __m512,
        zero: _mm512_setzero_ps(),
        weights: |p, _pass| _mm512_loadu_ps(p.cast()),
        activations: |p, _pass| _mm512_set1_ps(p.cast::<f32>().read_unaligned()),
        step: |sum, a, w| _mm512_fmadd_ps(a, w, sum));
    put_floats!("avx512f,avx512bw,avx512vl,avx512dq", _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps);
    microkernel!("avx512f,avx512bw,avx512vl,avx512dq", 4, [1, 2, 3, 4]);
}

mod bf16_avx512bf16 {
    use super::*;
    use std::arch::x86_64::*;
    arithmetic!("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16", 16 lanes, 1 passes, __m512, __m512i,
        zero: _mm512_setzero_ps(),
        weights: |p, _pass| _mm512_loadu_si512(p.cast()),
        activations: |p, _pass| _mm512_set1_epi32(p.cast::<i32>().read_unaligned()),
        step: |sum, a, w| dot(sum, a, w));
    put_floats!("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16", _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps);
    microkernel!("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16", 4, [1, 2, 3, 4]);

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    #[allow(unsafe_code)]
    fn dot(sum: __m512, a: __m512i, w: __m512i) -> __m512 {
        // SAFETY: both types are 512 bits without invalid patterns.
        let (a, w) =
            unsafe { (std::mem::transmute::<__m512i, __m512bh>(a), std::mem::transmute::<__m512i, __m512bh>(w)) };
        _mm512_dpbf16_ps(sum, a, w)
    }
}

mod bf16_avx512 {
    use super::*;
    use std::arch::x86_64::*;
    arithmetic!("avx512f,avx512bw,avx512vl,avx512dq", 16 lanes, 2 passes, __m512, __m512,
        zero: _mm512_setzero_ps(),
        weights: |p, pass| half(_mm512_loadu_si512(p.cast()), pass),
        activations: |p, pass| half(_mm512_set1_epi32(p.cast::<i32>().read_unaligned()), pass),
        step: |sum, a, w| _mm512_fmadd_ps(a, w, sum));
    put_floats!("avx512f,avx512bw,avx512vl,avx512dq", _mm512_loadu_ps, _mm512_storeu_ps, _mm512_add_ps);
    microkernel!("avx512f,avx512bw,avx512vl,avx512dq", 4, [1, 2, 3, 4]);

    /// The low (pass 0) or high bf16 of each pair, as f32.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn half(pairs: __m512i, pass: usize) -> __m512 {
        _mm512_castsi512_ps(match pass {
            0 => _mm512_slli_epi32::<16>(pairs),
            _ => _mm512_and_si512(pairs, _mm512_set1_epi32(-0x1_0000)),
        })
    }
}

mod int8_avx512vnni {
    use super::*;
    use std::arch::x86_64::*;
    arithmetic!("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni", 16 lanes, 1 passes, __m512i, __m512i,
        zero: _mm512_setzero_si512(),
        weights: |p, _pass| _mm512_loadu_si512(p.cast()),
        activations: |p, _pass| _mm512_set1_epi32(p.cast::<i32>().read_unaligned()),
        step: |sum, a, w| _mm512_dpbusd_epi32(sum, a, w));
    put_integers!(
        "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni",
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_cvtepi32_ps
    );
    microkernel!("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni", 4, [1, 2, 3, 4]);
}

mod int8_avx512 {
    use super::*;
    use std::arch::x86_64::*;
    arithmetic!("avx512f,avx512bw,avx512vl,avx512dq", 16 lanes, 2 passes, __m512i, __m512i,
        zero: _mm512_setzero_si512(),
        weights: |p, pass| match pass {
            0 => _mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(_mm512_loadu_si512(p.cast()))),
            _ => _mm512_srai_epi16::<8>(_mm512_loadu_si512(p.cast())),
        },
        activations: |p, pass| match pass {
            0 => _mm512_and_si512(_mm512_set1_epi32(p.cast::<i32>().read_unaligned()), _mm512_set1_epi16(0xff)),
            _ => _mm512_srli_epi16::<8>(_mm512_set1_epi32(p.cast::<i32>().read_unaligned())),
        },
        step: |sum, a, w| _mm512_add_epi32(sum, _mm512_madd_epi16(a, w)));
    put_integers!(
        "avx512f,avx512bw,avx512vl,avx512dq",
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_cvtepi32_ps
    );
    microkernel!("avx512f,avx512bw,avx512vl,avx512dq", 4, [1, 2, 3, 4]);
}

mod f32_avx2 {
    use super::*;
    use std::arch::x86_64::*;
    arithmetic!("avx2,fma", 8 lanes, 1 passes, __m256, __m256,
        zero: _mm256_setzero_ps(),
        weights: |p, _pass| _mm256_loadu_ps(p.cast()),
        activations: |p, _pass| _mm256_set1_ps(p.cast::<f32>().read_unaligned()),
        step: |sum, a, w| _mm256_fmadd_ps(a, w, sum));
    put_floats!("avx2,fma", _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps);
    microkernel!("avx2,fma", 1, [2]);
}

mod bf16_avx2 {
    use super::*;
    use std::arch::x86_64::*;
    arithmetic!("avx2,fma", 8 lanes, 2 passes, __m256, __m256,
        zero: _mm256_setzero_ps(),
        weights: |p, pass| half(_mm256_loadu_si256(p.cast()), pass),
        activations: |p, pass| half(_mm256_set1_epi32(p.cast::<i32>().read_unaligned()), pass),
        step: |sum, a, w| _mm256_fmadd_ps(a, w, sum));
    put_floats!("avx2,fma", _mm256_loadu_ps, _mm256_storeu_ps, _mm256_add_ps);
    microkernel!("avx2,fma", 1, [2]);

    /// The low (pass 0) or high bf16 of each pair, as f32.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn half(pairs: __m256i, pass: usize) -> __m256 {
        _mm256_castsi256_ps(match pass {
            0 => _mm256_slli_epi32::<16>(pairs),
            _ => _mm256_and_si256(pairs, _mm256_set1_epi32(-0x1_0000)),
        })
    }
}

mod int8_avxvnni {
    use super::*;
    use std::arch::x86_64::*;
    arithmetic!("avx2,fma,avxvnni", 8 lanes, 1 passes, __m256i, __m256i,
        zero: _mm256_setzero_si256(),
        weights: |p, _pass| _mm256_loadu_si256(p.cast()),
        activations: |p, _pass| _mm256_set1_epi32(p.cast::<i32>().read_unaligned()),
        step: |sum, a, w| _mm256_dpbusd_avx_epi32(sum, a, w));
    put_integers!(
        "avx2,fma,avxvnni",
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_cvtepi32_ps
    );
    microkernel!("avx2,fma,avxvnni", 1, [2]);
}

mod int8_avx2 {
    use super::*;
    use std::arch::x86_64::*;
    arithmetic!("avx2,fma", 8 lanes, 2 passes, __m256i, __m256i,
        zero: _mm256_setzero_si256(),
        weights: |p, pass| match pass {
            0 => _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(_mm256_loadu_si256(p.cast()))),
            _ => _mm256_srai_epi16::<8>(_mm256_loadu_si256(p.cast())),
        },
        activations: |p, pass| match pass {
            0 => _mm256_and_si256(_mm256_set1_epi32(p.cast::<i32>().read_unaligned()), _mm256_set1_epi16(0xff)),
            _ => _mm256_srli_epi16::<8>(_mm256_set1_epi32(p.cast::<i32>().read_unaligned())),
        },
        step: |sum, a, w| _mm256_add_epi32(sum, _mm256_madd_epi16(a, w)));
    put_integers!("avx2,fma", _mm256_loadu_ps, _mm256_storeu_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_cvtepi32_ps);
    microkernel!("avx2,fma", 1, [2]);
}

/// The microkernel of `isa` for `rows` rows and a panel of `columns` columns; none for [`Isa::Portable`], others' and for panels
/// that were packed for another instruction set.
pub fn kernel(isa: Isa, precision: Precision, rows: usize, columns: usize) -> Option<Kernel> {
    let wide = |table: &[[Kernel; 4]; ROWS]| table[rows - 1][columns / 16 - 1];
    let narrow = |table: &[[Kernel; 1]; ROWS]| (columns == 16).then(|| table[rows - 1][0]);
    match (isa, precision) {
        (Isa::Portable | Isa::Neon { .. }, _) => None,
        (Isa::Avx512 { .. }, Precision::F32) => Some(wide(&f32_avx512::KERNELS)),
        (Isa::Avx512 { bf16: true, .. }, Precision::Bf16) => Some(wide(&bf16_avx512bf16::KERNELS)),
        (Isa::Avx512 { .. }, Precision::Bf16) => Some(wide(&bf16_avx512::KERNELS)),
        (Isa::Avx512 { vnni: true, .. }, Precision::Int8) => Some(wide(&int8_avx512vnni::KERNELS)),
        (Isa::Avx512 { .. }, Precision::Int8) => Some(wide(&int8_avx512::KERNELS)),
        (Isa::Avx2 { .. }, Precision::F32) => narrow(&f32_avx2::KERNELS),
        (Isa::Avx2 { .. }, Precision::Bf16) => narrow(&bf16_avx2::KERNELS),
        (Isa::Avx2 { vnni: true }, Precision::Int8) => narrow(&int8_avxvnni::KERNELS),
        (Isa::Avx2 { .. }, Precision::Int8) => narrow(&int8_avx2::KERNELS),
    }
}
