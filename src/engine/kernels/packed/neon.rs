//! Microkernels in NEON: one loop (a macro), five ways to multiply.
//!
//! A multiply-add takes one factor from a lane of a vector, so four groups of each row are loaded at once and nothing is
//! broadcast. Of the 32 registers, 24 hold sums and six the rows; weights are loaded into what is left when their turn
//! comes.
//!
//! The dot products are written as assembly: the library's names for them are not stable yet.

use super::matrix_neon;
use super::micro::{Call, Kernel, ROWS};
use crate::engine::kernels::element::Precision;
use crate::engine::kernels::isa::Isa;
use std::arch::aarch64::*;
use std::arch::asm;

/// Columns of a panel.
pub const COLUMNS: usize = 16;
/// Vectors of a panel.
pub const VECTORS: usize = COLUMNS / 4;
/// Bytes of a vector, and of four groups of a row.
pub const BYTES: usize = 16;

/// The loop. A module that calls it defines, with the named features enabled: `Sum`, `Weights` and `Activations`
/// (vectors), `PASSES`, `zero() -> Sum`, `weights::<PASS>(uint8x16_t) -> Weights` (a group of four columns),
/// `activations::<PASS>(uint8x16_t) -> Activations` (four groups of a row) and `step::<LANE>(Sum, Weights, Activations) ->
/// Sum`; `put(&Call, row, &[Sum; VECTORS])` brings sums to the tile.
macro_rules! microkernel {
    ($features:literal, $put:expr) => {
        /// # Safety
        /// As for [`Kernel`], with `call.rows` = R and `call.columns` = COLUMNS.
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        unsafe fn run<const R: usize>(call: &Call) {
            debug_assert!(call.rows == R && call.columns == COLUMNS);
            let mut sums = [[zero(); VECTORS]; R];
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
                    let (fours, ones) = (call.steps / 4, call.steps % 4);
                    for four in 0..fours {
                        pass::<R, 0, 4>(&mut sums, &rows, BYTES * four, panel);
                        if PASSES == 2 {
                            pass::<R, 1, 4>(&mut sums, &rows, again(BYTES * four), panel.add(again(0)));
                        }
                        panel = panel.add(4 * BYTES * VECTORS);
                    }
                    for one in 0..ones {
                        pass::<R, 0, 1>(&mut sums, &rows, BYTES * fours + 4 * one, panel);
                        if PASSES == 2 {
                            pass::<R, 1, 1>(&mut sums, &rows, BYTES * fours + 4 * one, panel);
                        }
                        panel = panel.add(BYTES * VECTORS);
                    }
                    table = table.wrapping_add(call.row_stride);
                }
                // A copy, so that the loop, which is not always unrolled, does not force the sums into memory.
                let sums = in_memory(sums);
                for (r, sums) in sums.iter().enumerate() {
                    $put(call, r, sums);
                }
            }
        }

        /// GROUPS groups (1 or 4) of all rows.
        ///
        /// # Safety
        /// Each row is readable for GROUPS · 4 bytes from `at` on, the panel for GROUPS groups.
        #[inline]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        unsafe fn pass<const R: usize, const PASS: usize, const GROUPS: usize>(
            sums: &mut [[Sum; VECTORS]; R],
            rows: &[*const u8; R],
            at: usize,
            panel: *const u8,
        ) {
            // SAFETY: passed on; loads take any alignment.
            unsafe {
                let mut a = [activations::<PASS>(vdupq_n_u8(0)); R];
                for (a, row) in a.iter_mut().zip(rows) {
                    let row = row.add(at);
                    *a = activations::<PASS>(match GROUPS {
                        4 => vld1q_u8(row),
                        _ => vreinterpretq_u8_u32(vdupq_n_u32(row.cast::<u32>().read_unaligned())),
                    });
                }
                group::<R, PASS, 0>(sums, &a, panel);
                if GROUPS == 4 {
                    group::<R, PASS, 1>(sums, &a, panel.add(BYTES * VECTORS));
                    group::<R, PASS, 2>(sums, &a, panel.add(2 * BYTES * VECTORS));
                    group::<R, PASS, 3>(sums, &a, panel.add(3 * BYTES * VECTORS));
                }
            }
        }

        /// One group, which is in lane LANE of the rows' vectors.
        ///
        /// # Safety
        /// The panel is readable for a group.
        #[inline]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        unsafe fn group<const R: usize, const PASS: usize, const LANE: i32>(
            sums: &mut [[Sum; VECTORS]; R],
            a: &[Activations; R],
            panel: *const u8,
        ) {
            for v in 0..VECTORS {
                // SAFETY: passed on.
                let w = weights::<PASS>(unsafe { vld1q_u8(panel.add(BYTES * v)) });
                for (sums, a) in sums.iter_mut().zip(a) {
                    sums[v] = step::<LANE>(sums[v], w, *a);
                }
            }
        }

        /// By rows.
        pub static KERNELS: [Kernel; ROWS] = [run::<1>, run::<2>, run::<3>, run::<4>, run::<5>, run::<6>];
    };
}

/// Helpers of one way to multiply, wrapped so that each carries the features.
macro_rules! arithmetic {
    (
        $features:literal, $passes:literal passes, $put:expr,
        $sum:ty: $zero:expr,
        weights -> $weights:ty: |$w:ident, $wpass:ident| $to_weights:expr,
        activations -> $activations:ty: |$a:ident, $apass:ident| $to_activations:expr,
        step: |$s:ident, $sw:ident, $sa:ident| $step:expr
    ) => {
        type Sum = $sum;
        type Weights = $weights;
        type Activations = $activations;
        const PASSES: usize = $passes;

        #[inline]
        #[target_feature(enable = $features)]
        fn zero() -> Sum {
            $zero
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn weights<const PASS: usize>($w: uint8x16_t) -> Weights {
            let $wpass = PASS;
            $to_weights
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn activations<const PASS: usize>($a: uint8x16_t) -> Activations {
            let $apass = PASS;
            $to_activations
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn step<const LANE: i32>($s: Sum, $sw: Weights, $sa: Activations) -> Sum {
            $step
        }

        microkernel!($features, $put);
    };
}

mod f32_fma {
    use super::*;
    arithmetic!("neon", 1 passes, put_floats,
        float32x4_t: vdupq_n_f32(0.0),
        weights -> float32x4_t: |w, _pass| vreinterpretq_f32_u8(w),
        activations -> float32x4_t: |a, _pass| vreinterpretq_f32_u8(a),
        step: |sum, w, a| vfmaq_laneq_f32::<LANE>(sum, w, a));
}

mod bf16_dot {
    use super::*;
    arithmetic!("neon,bf16", 1 passes, put_floats,
        float32x4_t: vdupq_n_f32(0.0),
        weights -> uint8x16_t: |w, _pass| w,
        activations -> uint8x16_t: |a, _pass| a,
        step: |sum, w, a| dot::<LANE>(sum, w, a));

    /// sum + w₀·a₀ + w₁·a₁ in each lane, a₀ and a₁ being the pair in lane LANE.
    #[inline]
    #[target_feature(enable = "neon,bf16")]
    #[allow(unsafe_code)]
    fn dot<const LANE: i32>(mut sum: float32x4_t, w: uint8x16_t, a: uint8x16_t) -> float32x4_t {
        // SAFETY: an instruction of the enabled feature that touches nothing but its operands.
        unsafe {
            asm!("bfdot {0:v}.4s, {1:v}.8h, {2:v}.2h[{3}]", inout(vreg) sum, in(vreg) w, in(vreg) a, const LANE,
                options(pure, nomem, nostack, preserves_flags));
        }
        sum
    }
}

/// bf16 widened to f32: the low ones of the pairs, then the high ones.
mod bf16_fma {
    use super::*;
    arithmetic!("neon", 2 passes, put_floats,
        float32x4_t: vdupq_n_f32(0.0),
        weights -> float32x4_t: |w, pass| half(w, pass),
        activations -> float32x4_t: |a, pass| half(a, pass),
        step: |sum, w, a| vfmaq_laneq_f32::<LANE>(sum, w, a));

    /// The low (pass 0) or high bf16 of each pair, as f32.
    #[inline]
    #[target_feature(enable = "neon")]
    fn half(pairs: uint8x16_t, pass: usize) -> float32x4_t {
        let pairs = vreinterpretq_u32_u8(pairs);
        vreinterpretq_f32_u32(match pass {
            0 => vshlq_n_u32::<16>(pairs),
            _ => vandq_u32(pairs, vdupq_n_u32(0xffff_0000)),
        })
    }
}

/// Both factors are signed: activations less 128, which `put_integers` puts right.
mod int8_dot {
    use super::*;
    arithmetic!("neon,dotprod", 1 passes, put_integers::<128>,
        int32x4_t: vdupq_n_s32(0),
        weights -> int8x16_t: |w, _pass| vreinterpretq_s8_u8(w),
        activations -> int8x16_t: |a, _pass| less_128(a),
        step: |sum, w, a| dot::<LANE>(sum, w, a));

    /// sum + Σ wᵢ·aᵢ in each lane, the aᵢ being the four bytes in lane LANE.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    #[allow(unsafe_code)]
    fn dot<const LANE: i32>(mut sum: int32x4_t, w: int8x16_t, a: int8x16_t) -> int32x4_t {
        // SAFETY: an instruction of the enabled feature that touches nothing but its operands.
        unsafe {
            asm!("sdot {0:v}.4s, {1:v}.16b, {2:v}.4b[{3}]", inout(vreg) sum, in(vreg) w, in(vreg) a, const LANE,
                options(pure, nomem, nostack, preserves_flags));
        }
        sum
    }
}

/// The same without dot products.
mod int8_pairs {
    use super::*;
    arithmetic!("neon", 1 passes, put_integers::<128>,
    int32x4_t: vdupq_n_s32(0),
    weights -> int8x16_t: |w, _pass| vreinterpretq_s8_u8(w),
    activations -> int8x16_t: |a, _pass| less_128(a),
    step: |sum, w, a| {
        let a = vreinterpretq_s8_s32(vdupq_laneq_s32::<LANE>(vreinterpretq_s32_s8(a)));
        // Weights are at least -127, so two products stay below 2^15.
        let products = vpaddq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(a)), vmull_high_s8(w, a));
        vpadalq_s16(sum, products)
    });
}

/// Bytes less 128, as signed ones.
#[inline]
#[target_feature(enable = "neon")]
#[allow(unsafe_code)]
fn less_128(bytes: uint8x16_t) -> int8x16_t {
    let highest: uint8x16_t;
    // Made anew each time, for kept through the loop it would take the one register too many.
    // SAFETY: an instruction of the enabled feature that touches nothing but its operand.
    unsafe { asm!("movi {0:v}.16b, #0x80", out(vreg) highest, options(nomem, nostack, preserves_flags)) };
    vreinterpretq_s8_u8(veorq_u8(bytes, highest))
}

/// The same number, of which the compiler does not know that it is the same: what is read by it is read again, not kept.
#[inline]
#[allow(unsafe_code)]
fn again(mut number: usize) -> usize {
    // SAFETY: no instruction at all.
    unsafe { asm!("/* {0} */", inout(reg) number, options(nomem, nostack, preserves_flags)) };
    number
}

/// The same in memory of its own.
#[inline(never)]
pub fn in_memory<T: Copy>(x: T) -> T {
    x
}

/// # Safety
/// The call's tile is good for this row.
#[inline]
#[target_feature(enable = "neon")]
#[allow(unsafe_code)]
pub unsafe fn put_floats(call: &Call, row: usize, sums: &[float32x4_t; VECTORS]) {
    for (v, sum) in sums.iter().enumerate() {
        // SAFETY: passed on.
        unsafe {
            let at = call.sums.add(row * COLUMNS + 4 * v);
            vst1q_f32(at, if call.fresh { *sum } else { vaddq_f32(*sum, vld1q_f32(at)) });
        }
    }
}

/// For sums in i32 of activations less LESS: scaled by the row's scale, the offset's share added, and that of LESS, which
/// like it is a number for each row times the sum of the column's weights.
///
/// # Safety
/// As for floats; the row's scale and offset can be read and `weight_sums` is null or as long as the panel.
#[inline]
#[target_feature(enable = "neon")]
#[allow(unsafe_code)]
pub unsafe fn put_integers<const LESS: u8>(call: &Call, row: usize, sums: &[int32x4_t; VECTORS]) {
    // SAFETY: passed on.
    unsafe {
        let scale = *call.scale.add(row);
        let offset = scale.mul_add(f32::from(LESS), *call.offset.add(row));
        for (v, sum) in sums.iter().enumerate() {
            let at = call.sums.add(row * COLUMNS + 4 * v);
            let mut base = if call.fresh { vdupq_n_f32(0.0) } else { vld1q_f32(at) };
            if !call.weight_sums.is_null() {
                base = vfmaq_n_f32(base, vld1q_f32(call.weight_sums.add(4 * v)), offset);
            }
            vst1q_f32(at, vfmaq_n_f32(base, vcvtq_f32_s32(*sum), scale));
        }
    }
}

/// The microkernel of `isa` for `rows` rows and a panel of `columns` columns; none for instruction sets and panels that
/// are not NEON's.
pub fn kernel(isa: Isa, precision: Precision, rows: usize, columns: usize) -> Option<Kernel> {
    let Isa::Neon { bf16, dot, i8mm } = isa else { return None };
    // A single row is not worth a matrix.
    let matrix = rows > 1;
    let kernel = match precision {
        Precision::F32 => f32_fma::KERNELS[rows - 1],
        Precision::Bf16 if bf16 && matrix => matrix_neon::bf16::KERNELS[rows - 2],
        Precision::Bf16 if bf16 => bf16_dot::KERNELS[rows - 1],
        Precision::Bf16 => bf16_fma::KERNELS[rows - 1],
        Precision::Int8 if i8mm && matrix => matrix_neon::int8::KERNELS[rows - 2],
        Precision::Int8 if dot => int8_dot::KERNELS[rows - 1],
        Precision::Int8 => int8_pairs::KERNELS[rows - 1],
    };
    (columns == COLUMNS).then_some(kernel)
}
