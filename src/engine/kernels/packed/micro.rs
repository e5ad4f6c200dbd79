//! The innermost loops: at most [`ROWS`] rows of activations times one panel of weights, over one block of depth.
//!
//! All precisions share one shape. A *group* is four bytes of depth: one f32, two bf16 or four bytes. The panel holds,
//! group after group, the four bytes of each of its columns; a row of activations is read group by group where it lies
//! in memory and broadcast. So only the multiply-add differs: FMA, `vdpbf16ps`, `vpdpbusd`, their kin in NEON, or what stands in for them.

#[cfg(target_arch = "aarch64")]
use super::neon;
#[cfg(target_arch = "x86_64")]
use super::x86;
use crate::engine::kernels::element::Precision;
use crate::engine::kernels::isa::Isa;

/// Most rows of one call: with a panel of four vectors, 24 sums, 4 weights and a broadcast fill 29 of 32 registers.
pub const ROWS: usize = 6;

/// One call. Sums go to a tile of f32 that the caller owns, since a product's depth is cut into blocks.
pub struct Call {
    /// For each segment `rows` pointers, each to the start of a row of activations: those of segment s from
    /// `s * row_stride` on.
    pub row: *const *const u8,
    pub row_stride: usize,
    /// Stretches of depth that follow each other: more than one where a block spans several taps.
    pub segments: usize,
    /// Rows to multiply: 1 to [`ROWS`].
    pub rows: usize,
    /// Bytes of each row before this block.
    pub skip: usize,
    /// Groups to multiply in each segment.
    pub steps: usize,
    /// The panel's part for this block: `segments` × `steps` × `columns` × 4 bytes.
    pub weights: *const u8,
    /// Columns of the panel: a multiple of 16, at most 64.
    pub columns: usize,
    /// `rows` rows of `columns` sums, `columns` apart.
    pub sums: *mut f32,
    /// Whether `sums` is to be overwritten (the first block) rather than added to.
    pub fresh: bool,
    /// Int8 only: one number a row; sums are multiplied by it.
    pub scale: *const f32,
    /// Int8 only: one number a row, times `weight_sums` added once for every tap (when `weight_sums` is not null).
    pub offset: *const f32,
    /// Int8 only: the sum of each column's weights over the tap's depth, or null.
    pub weight_sums: *const f32,
}

/// A microkernel.
///
/// # Safety
/// The processor must have the instructions of the [`Isa`] it was chosen for, and every pointer of the call must be
/// good for what its field says: `skip + 4·steps` bytes from each row's start are readable, and so on.
pub type Kernel = unsafe fn(&Call);

/// The microkernel for `rows` × `columns`, to look up once per pair and call many times.
pub fn kernel(isa: Isa, precision: Precision, rows: usize, columns: usize) -> Kernel {
    assert!((1..=ROWS).contains(&rows) && (1..=4).contains(&(columns / 16)) && columns.is_multiple_of(16));
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = x86::kernel(isa, precision, rows, columns) {
        return kernel;
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(kernel) = neon::kernel(isa, precision, rows, columns) {
        return kernel;
    }
    let _ = isa;
    match precision {
        Precision::F32 => portable_f32,
        Precision::Bf16 => portable_bf16,
        Precision::Int8 => portable_int8,
    }
}

/// Columns that the portable kernels keep in registers at once.
const LANES: usize = 16;

/// a·b + c, fused where the target has it (elsewhere a fused one would be a library call).
#[inline(always)]
fn multiply_add(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) { a.mul_add(b, c) } else { a * b + c }
}

/// One row, 16 columns: sums of `step(sum, activations, weights)` over the groups.
///
/// # Safety
/// As for [`Kernel`]; `row` < `call.rows`, `first` + 16 <= `call.columns`.
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn portable<S: Copy + Default>(
    call: &Call,
    row: usize,
    first: usize,
    step: impl Fn(S, [u8; 4], [u8; 4]) -> S,
) -> [S; LANES] {
    let mut sums = [S::default(); LANES];
    for segment in 0..call.segments {
        // SAFETY: the caller vouches for the pointers; the reads are of four bytes at any alignment, within the row's
        // `skip + 4·steps` bytes and the panel's `segments · steps · columns · 4`.
        unsafe {
            let a = (*call.row.add(segment * call.row_stride + row)).add(call.skip);
            for group in 0..call.steps {
                let activations = a.add(4 * group).cast::<[u8; 4]>().read();
                let at = (segment * call.steps + group) * call.columns + first;
                let weights = call.weights.add(4 * at).cast::<[[u8; 4]; LANES]>().read();
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = step(*sum, activations, weights);
                }
            }
        }
    }
    sums
}

/// Adds `value(column)` to the tile, or puts it there.
///
/// # Safety
/// As for [`portable`].
#[inline(always)]
#[allow(unsafe_code)]
unsafe fn put(call: &Call, row: usize, first: usize, values: [f32; LANES]) {
    // SAFETY: the tile has `rows` rows of `columns` floats and nobody else looks at it meanwhile.
    let sums = unsafe { &mut *call.sums.add(row * call.columns + first).cast::<[f32; LANES]>() };
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = if call.fresh { value } else { *sum + value };
    }
}

/// # Safety
/// As for [`Kernel`].
#[allow(unsafe_code)]
unsafe fn portable_f32(call: &Call) {
    for row in 0..call.rows {
        for first in (0..call.columns).step_by(LANES) {
            // SAFETY: passed on.
            unsafe {
                let sums = portable(call, row, first, |sum, a, b| {
                    multiply_add(f32::from_le_bytes(a), f32::from_le_bytes(b), sum)
                });
                put(call, row, first, sums);
            }
        }
    }
}

/// # Safety
/// As for [`Kernel`].
#[allow(unsafe_code)]
unsafe fn portable_bf16(call: &Call) {
    let low = |x: [u8; 4]| f32::from_bits(u32::from_le_bytes(x) << 16);
    let high = |x: [u8; 4]| f32::from_bits(u32::from_le_bytes(x) & 0xffff_0000);
    for row in 0..call.rows {
        for first in (0..call.columns).step_by(LANES) {
            // SAFETY: passed on.
            unsafe {
                let sums = portable(call, row, first, |sum, a, b| {
                    multiply_add(high(a), high(b), multiply_add(low(a), low(b), sum))
                });
                put(call, row, first, sums);
            }
        }
    }
}

/// # Safety
/// As for [`Kernel`].
#[allow(unsafe_code)]
unsafe fn portable_int8(call: &Call) {
    for row in 0..call.rows {
        for first in (0..call.columns).step_by(LANES) {
            // SAFETY: passed on; `scale` and `offset` have `rows` numbers, `weight_sums` `columns` or it is null.
            unsafe {
                let sums = portable(call, row, first, |sum: i32, a, b| {
                    (0..4).fold(sum, |sum, i| sum.wrapping_add(i32::from(a[i]) * i32::from(b[i] as i8)))
                });
                let (scale, offset) = (*call.scale.add(row), *call.offset.add(row));
                let mut values = sums.map(|sum| sum as f32 * scale);
                if !call.weight_sums.is_null() {
                    let weight_sums = call.weight_sums.add(first).cast::<[f32; LANES]>().read_unaligned();
                    for (value, weight_sum) in values.iter_mut().zip(weight_sums) {
                        *value = multiply_add(offset, weight_sum, *value);
                    }
                }
                put(call, row, first, values);
            }
        }
    }
}
