//! Microkernels in NEON's products of small matrices (FEAT_BF16's and FEAT_I8MM's): two rows × eight bytes of depth times
//! eight bytes of depth × two columns, twice the work of a dot product in one instruction.
//!
//! Its eight bytes of a column are two groups, which lie a panel's width apart: they are brought beside each other on the
//! way, once for all rows. An odd last row goes twice, and the second result is dropped.
//!
//! The products are written as assembly: the library's names for them are not stable yet.

use super::micro::{Call, Kernel};
use super::neon::{BYTES, COLUMNS, VECTORS, in_memory, put_floats, put_integers};
use std::arch::aarch64::*;
use std::arch::asm;

/// The loop, by the instruction's name and the shape of its factors. A module that calls it defines `Sum` (a vector) and,
/// with the named features enabled, `zero() -> Sum`, `halves(Sum, Sum) -> [Sum; 2]` (the lower halves beside each other,
/// then the upper ones) and `put(&Call, row, &[Sum; VECTORS])`.
macro_rules! microkernel {
    ($features:literal, $product:literal, $shape:literal) => {
        /// P pairs of rows.
        ///
        /// # Safety
        /// As for [`Kernel`], with `call.rows` = 2 · P or one less, and `call.columns` = COLUMNS.
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        unsafe fn run<const P: usize>(call: &Call) {
            debug_assert!(call.rows.div_ceil(2) == P && call.columns == COLUMNS);
            let mut sums = [[zero(); 2 * VECTORS]; P];
            // SAFETY: the caller vouches that `rows` row pointers can be read for each segment, that each is good for
            // `skip + 4·steps` bytes, and the panel for `segments · steps · columns · 4`.
            unsafe {
                let mut panel = call.weights;
                let mut table = call.row;
                for _ in 0..call.segments {
                    let mut rows = [[std::ptr::null::<u8>(); 2]; P];
                    for (r, row) in rows.as_flattened_mut().iter_mut().enumerate() {
                        *row = (*table.add(r.min(call.rows - 1))).add(call.skip);
                    }
                    let (twos, ones) = (call.steps / 2, call.steps % 2);
                    for two in 0..twos {
                        let mut a = [vdupq_n_u8(0); P];
                        for (a, row) in a.iter_mut().zip(&rows) {
                            let at = BYTES / 2 * two;
                            *a = vcombine_u8(vld1_u8(row[0].add(at)), vld1_u8(row[1].add(at)));
                        }
                        for v in 0..VECTORS {
                            two_groups(&mut sums, &a, v, panel.add(BYTES * v));
                        }
                        panel = panel.add(2 * BYTES * VECTORS);
                    }
                    if ones == 1 {
                        let mut a = [vdupq_n_u8(0); P];
                        for (a, row) in a.iter_mut().zip(&rows) {
                            let four = |row: *const u8| {
                                let group = row.add(BYTES / 2 * twos).cast::<u32>().read_unaligned();
                                vcreate_u8(u64::from(group))
                            };
                            *a = vcombine_u8(four(row[0]), four(row[1]));
                        }
                        for v in 0..VECTORS {
                            groups(&mut sums, &a, v, vld1q_u32(panel.add(BYTES * v).cast()), vdupq_n_u32(0));
                        }
                        panel = panel.add(BYTES * VECTORS);
                    }
                    table = table.wrapping_add(call.row_stride);
                }
                let sums = in_memory(sums);
                for (p, sums) in sums.iter().enumerate() {
                    let mut rows = [[zero(); VECTORS]; 2];
                    for v in 0..VECTORS {
                        [rows[0][v], rows[1][v]] = halves(sums[2 * v], sums[2 * v + 1]);
                    }
                    put(call, 2 * p, &rows[0]);
                    if 2 * p + 1 < call.rows {
                        put(call, 2 * p + 1, &rows[1]);
                    }
                }
            }
        }

        /// Vector `v` of two groups, that of the first at `panel`, times all rows.
        ///
        /// # Safety
        /// Both groups' vectors can be read.
        #[inline]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        unsafe fn two_groups<const P: usize>(
            sums: &mut [[Sum; 2 * VECTORS]; P],
            a: &[uint8x16_t; P],
            v: usize,
            panel: *const u8,
        ) {
            if let ([b, c, d], [x, y, z]) = (&mut sums[..], &a[..]) {
                let (b, c, d) = (&mut b[2 * v..], &mut c[2 * v..], &mut d[2 * v..]);
                // In one piece, for the compiler loads early and runs out of registers: 24 sums, three pairs of rows and
                // three more are 30 of 32.
                // SAFETY: instructions of the enabled features; the caller vouches for what is read, and nothing is
                // written but the operands.
                unsafe {
                    asm!(
                        "ldr {low:q}, [{panel}]",
                        "ldr {high:q}, [{panel}, #64]",
                        "zip1 {left:v}.4s, {low:v}.4s, {high:v}.4s",
                        "zip2 {low:v}.4s, {low:v}.4s, {high:v}.4s",
                        concat!($product, " {b0:v}.4s, {x:v}.", $shape, ", {left:v}.", $shape),
                        concat!($product, " {b1:v}.4s, {x:v}.", $shape, ", {low:v}.", $shape),
                        concat!($product, " {c0:v}.4s, {y:v}.", $shape, ", {left:v}.", $shape),
                        concat!($product, " {c1:v}.4s, {y:v}.", $shape, ", {low:v}.", $shape),
                        concat!($product, " {d0:v}.4s, {z:v}.", $shape, ", {left:v}.", $shape),
                        concat!($product, " {d1:v}.4s, {z:v}.", $shape, ", {low:v}.", $shape),
                        panel = in(reg) panel,
                        low = out(vreg) _,
                        high = out(vreg) _,
                        left = out(vreg) _,
                        x = in(vreg) *x,
                        y = in(vreg) *y,
                        z = in(vreg) *z,
                        b0 = inout(vreg) b[0],
                        b1 = inout(vreg) b[1],
                        c0 = inout(vreg) c[0],
                        c1 = inout(vreg) c[1],
                        d0 = inout(vreg) d[0],
                        d1 = inout(vreg) d[1],
                        options(pure, readonly, nostack, preserves_flags)
                    );
                }
                return;
            }
            // SAFETY: passed on.
            let (first, second) = unsafe { (vld1q_u32(panel.cast()), vld1q_u32(panel.add(BYTES * VECTORS).cast())) };
            groups(sums, a, v, first, second);
        }

        /// Vector `v` of two groups times all rows.
        #[inline]
        #[target_feature(enable = $features)]
        fn groups<const P: usize>(
            sums: &mut [[Sum; 2 * VECTORS]; P],
            a: &[uint8x16_t; P],
            v: usize,
            first: uint32x4_t,
            second: uint32x4_t,
        ) {
            let left = vreinterpretq_u8_u32(vzip1q_u32(first, second));
            let right = vreinterpretq_u8_u32(vzip2q_u32(first, second));
            for (sums, a) in sums.iter_mut().zip(a) {
                sums[2 * v] = step(sums[2 * v], *a, left);
                sums[2 * v + 1] = step(sums[2 * v + 1], *a, right);
            }
        }

        /// Two rows times two columns.
        #[inline]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        fn step(mut sum: Sum, rows: uint8x16_t, columns: uint8x16_t) -> Sum {
            // SAFETY: an instruction of the enabled features that touches nothing but its operands.
            unsafe {
                asm!(
                    concat!($product, " {sum:v}.4s, {rows:v}.", $shape, ", {columns:v}.", $shape),
                    sum = inout(vreg) sum,
                    rows = in(vreg) rows,
                    columns = in(vreg) columns,
                    options(pure, nomem, nostack, preserves_flags)
                );
            }
            sum
        }

        /// By rows, from two on.
        pub static KERNELS: [Kernel; 5] = [run::<1>, run::<2>, run::<2>, run::<3>, run::<3>];
    };
}

pub mod bf16 {
    use super::put_floats as put;
    use super::*;

    type Sum = float32x4_t;
    microkernel!("neon,bf16", "bfmmla", "8h");

    #[inline]
    #[target_feature(enable = "neon")]
    fn zero() -> Sum {
        vdupq_n_f32(0.0)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn halves(a: Sum, b: Sum) -> [Sum; 2] {
        let (a, b) = (vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b));
        [vreinterpretq_f32_f64(vzip1q_f64(a, b)), vreinterpretq_f32_f64(vzip2q_f64(a, b))]
    }
}

pub mod int8 {
    use super::*;

    type Sum = int32x4_t;
    // Unsigned rows, signed columns.
    microkernel!("neon,i8mm", "usmmla", "16b");

    #[inline]
    #[target_feature(enable = "neon")]
    fn zero() -> Sum {
        vdupq_n_s32(0)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn halves(a: Sum, b: Sum) -> [Sum; 2] {
        let (a, b) = (vreinterpretq_s64_s32(a), vreinterpretq_s64_s32(b));
        [vreinterpretq_s32_s64(vzip1q_s64(a, b)), vreinterpretq_s32_s64(vzip2q_s64(a, b))]
    }

    /// # Safety
    /// As for [`put_integers`].
    #[inline]
    #[target_feature(enable = "neon")]
    #[allow(unsafe_code)]
    unsafe fn put(call: &Call, row: usize, sums: &[Sum; VECTORS]) {
        // SAFETY: passed on.
        unsafe { put_integers::<0>(call, row, sums) }
    }
}
