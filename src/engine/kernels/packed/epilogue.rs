//! What happens to finished sums before they are stored.

use super::prefetch::{NEAR, prefetch};
use super::weights::PackedWeights;
use crate::engine::kernels::element::Float;
use crate::engine::kernels::isa::Isa;
use crate::engine::kernels::math::gelu;
use crate::engine::kernels::vectorise::{Work, vectorise};
use std::marker::PhantomData;
use std::ops::Range;

/// What is added to a product at its end, in the output's own format.
#[derive(Clone, Copy, Debug, Default)]
pub enum Residual<'a, O> {
    #[default]
    None,
    /// Rows of another tensor, `stride` elements apart, as wide as what comes out.
    Rows { data: &'a [O], stride: usize },
    /// What the output holds already.
    Output,
}

/// `out = scale · (x·wᵀ + bias + batch_bias) + residual`; a gated layer (`Columns::Gated`) computes both halves so far
/// as the residual and then stores `value · gelu(gate) + residual`.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a, O> {
    pub scale: f32,
    /// [n], in the order of the source weight (of both halves when gated).
    pub bias: Option<&'a [f32]>,
    /// [batch, n]: a bias for each picture; rows are shared out evenly among the pictures.
    pub batch_bias: Option<&'a [f32]>,
    pub residual: Residual<'a, O>,
}

impl<O> Default for Epilogue<'_, O> {
    fn default() -> Self {
        Self { scale: 1.0, bias: None, batch_bias: None, residual: Residual::None }
    }
}

impl<'a, O> Epilogue<'a, O> {
    pub fn bias(bias: &'a [f32]) -> Self {
        Self { bias: Some(bias), ..Self::default() }
    }
}

/// Rows that a product writes: row r at `data[r * stride + first..]`. A wider tensor can so be written piece by piece.
pub struct Out<'a, O> {
    pub data: &'a mut [O],
    pub stride: usize,
    pub first: usize,
}

impl<'a, O> Out<'a, O> {
    /// Rows of `columns` elements, one after the other.
    pub fn rows(data: &'a mut [O], columns: usize) -> Self {
        Self { data, stride: columns, first: 0 }
    }
}

/// An output that tasks share; each writes rows and columns of its own.
pub(super) struct Shared<'a, O> {
    data: *mut O,
    stride: usize,
    residual: Residual<'a, O>,
    life: PhantomData<&'a mut [O]>,
}

#[allow(unsafe_code)]
// SAFETY: a pointer into an exclusive borrow of elements that may be sent; `finish` demands that tasks keep apart.
unsafe impl<O: Float> Sync for Shared<'_, O> {}

impl<'a, O: Float> Shared<'a, O> {
    /// # Panics
    /// If `rows` rows of `columns` do not fit into the output or the residual, or would overlap.
    pub fn new(out: Out<'a, O>, residual: Residual<'a, O>, rows: usize, columns: usize) -> Self {
        let fits = |length: usize, stride: usize, first: usize| {
            rows == 0 || (stride >= first + columns && (rows - 1) * stride + first + columns <= length)
        };
        assert!(fits(out.data.len(), out.stride, out.first), "output too short, or its rows overlap");
        if let Residual::Rows { data, stride } = residual {
            assert!(fits(data.len(), stride, 0), "residual too short");
        }
        let data = if rows == 0 { out.data.as_mut_ptr() } else { out.data[out.first..].as_mut_ptr() };
        Self { data, stride: out.stride, residual, life: PhantomData }
    }

    /// Brings columns of rows near that will be written soon: a store that misses the caches holds up all after it.
    #[inline]
    pub fn prefetch(&self, rows: &[usize], columns: Range<usize>) {
        let length = columns.len() * size_of::<O>();
        for row in rows {
            prefetch::<NEAR>(self.data.wrapping_add(row * self.stride + columns.start).cast(), length);
            if let Residual::Rows { data, stride } = self.residual {
                prefetch::<NEAR>(data.as_ptr().wrapping_add(row * stride + columns.start).cast(), length);
            }
        }
    }
}

/// Factor and summand of each column of a panel (or of a pair of panels), for the rows of one picture.
pub(super) struct Affine {
    picture: Option<usize>,
    pub(super) factor: [[f32; 64]; 2],
    pub(super) summand: [[f32; 64]; 2],
}

impl Affine {
    pub fn new() -> Self {
        Self { picture: None, factor: [[0.0; 64]; 2], summand: [[0.0; 64]; 2] }
    }

    /// Forgets what it was computed for: to be called when the panel changes.
    pub fn reset(&mut self) {
        self.picture = None;
    }

    fn update<O>(&mut self, weights: &PackedWeights, epilogue: &Epilogue<'_, O>, panel: usize, picture: usize) {
        if self.picture == Some(picture) {
            return;
        }
        self.picture = Some(picture);
        for half in 0..if weights.gated() { 2 } else { 1 } {
            let source = weights.source(panel + half);
            let scales = weights.scales(panel + half);
            for (c, o) in source.enumerate() {
                self.factor[half][c] = epilogue.scale * scales.get(c).copied().unwrap_or(1.0);
                let bias = epilogue.bias.map_or(0.0, |bias| bias[o]);
                let shift = epilogue.batch_bias.map_or(0.0, |bias| bias[picture * weights.n() + o]);
                self.summand[half][c] = epilogue.scale * (bias + shift);
            }
        }
    }
}

/// Finished sums of some rows of a panel, or of a gated pair of panels.
pub(super) struct Finished<'a> {
    /// Sums [rows, width] of the panel.
    pub sums: &'a [f32],
    /// Those of the gates' panel.
    pub gates: Option<&'a [f32]>,
    /// Columns of the panel with its zeros.
    pub width: usize,
    /// The (first) panel.
    pub panel: usize,
    /// Output row of each row.
    pub destination: &'a [usize],
    /// Output rows of a picture.
    pub picture_rows: usize,
}

/// Stores finished sums.
///
/// # Safety
/// The processor has `isa`. No other thread reads or writes the elements at `destination` × the panel's columns meanwhile; destinations are below
/// the `rows`, and the weights' columns are the `columns`, that the output was made for.
#[allow(unsafe_code)]
pub(super) unsafe fn finish<O: Float>(
    isa: Isa,
    out: &Shared<'_, O>,
    finished: Finished<'_>,
    affine: &mut Affine,
    weights: &PackedWeights,
    epilogue: &Epilogue<'_, O>,
) {
    let columns = weights.source(finished.panel);
    let (width, mut done) = (finished.width, 0);
    while done < finished.destination.len() {
        // Rows of one picture share factors and summands.
        let left = &finished.destination[done..];
        let (picture, count) = match epilogue.batch_bias {
            None => (0, left.len()),
            Some(_) => {
                let picture = left[0] / finished.picture_rows;
                (picture, left.iter().take_while(|row| *row / finished.picture_rows == picture).count())
            }
        };
        affine.update(weights, epilogue, finished.panel, picture);
        let rows = Rows {
            out: out.data,
            stride: out.stride,
            first: columns.start,
            columns: columns.len(),
            sums: &finished.sums[done * width..][..count * width],
            gates: finished.gates.map(|gates| &gates[done * width..][..count * width]),
            width,
            destination: &left[..count],
            residual: out.residual,
        };
        done += count;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Shared::new` has checked that all rows and columns are within the output and the residual; the
        // caller vouches that nobody else uses these and that the processor has `isa`.
        if unsafe { super::finish_x86::finish(isa, &rows, affine) } {
            continue;
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above, and every AArch64 has NEON.
        if unsafe { super::finish_neon::finish(isa, &rows, affine) } {
            continue;
        }
        // SAFETY: the caller vouches that the processor has `isa`.
        unsafe { vectorise(isa, Plain { rows, affine }) };
    }
}

/// Rows of one picture, one panel.
pub(super) struct Rows<'a, O> {
    /// The output's first element: row r, column c at `r * stride + c`.
    pub out: *mut O,
    pub stride: usize,
    /// Columns `first..first + columns` are written, and read of the residual.
    pub first: usize,
    pub columns: usize,
    /// [rows, width], whole vectors wide.
    pub sums: &'a [f32],
    pub gates: Option<&'a [f32]>,
    pub width: usize,
    /// Output row of each row.
    pub destination: &'a [usize],
    pub residual: Residual<'a, O>,
}

/// The way without intrinsics.
struct Plain<'a, O> {
    rows: Rows<'a, O>,
    affine: &'a Affine,
}

impl<O: Float> Work for Plain<'_, O> {
    type Output = ();

    #[inline(always)]
    #[allow(unsafe_code)]
    fn run(self) {
        let rows = &self.rows;
        for (r, row) in rows.destination.iter().enumerate() {
            // SAFETY: `Shared::new` has checked that all rows and columns are within the output; the caller of
            // `finish` vouches that nobody else uses these.
            let out =
                unsafe { std::slice::from_raw_parts_mut(rows.out.add(row * rows.stride + rows.first), rows.columns) };
            let residual = match rows.residual {
                Residual::None => Added::None,
                Residual::Rows { data, stride } => Added::Row(&data[row * stride + rows.first..][..rows.columns]),
                Residual::Output => Added::Own,
            };
            let sums = &rows.sums[r * rows.width..][..rows.width];
            let gates = rows.gates.map(|gates| &gates[r * rows.width..][..rows.width]);
            one_row(out, sums, gates, residual, self.affine);
        }
    }
}

enum Added<'a, O> {
    None,
    Row(&'a [O]),
    Own,
}

/// One row of a panel. `sums` and `gates` are as wide as the panel, `out` as wide as its columns without the zeros. Goes
/// through arrays of its own in short steps, so that the compiler sees that nothing overlaps.
#[inline(always)]
fn one_row<O: Float>(out: &mut [O], sums: &[f32], gates: Option<&[f32]>, residual: Added<'_, O>, affine: &Affine) {
    let n = sums.len().min(64);
    let mut values = [0.0f32; 64];
    let values = &mut values[..n];
    scale(values, sums, &affine.factor[0], &affine.summand[0]);
    if let Some(gates) = gates {
        let mut opened = [0.0f32; 64];
        let opened = &mut opened[..n];
        scale(opened, gates, &affine.factor[1], &affine.summand[1]);
        for (value, gate) in values.iter_mut().zip(opened) {
            *value *= gelu(*gate);
        }
    }
    match residual {
        Added::None => {}
        Added::Row(row) => add(values, row),
        Added::Own => add(values, out),
    }
    for (out, value) in out.iter_mut().zip(values) {
        *out = O::from_f32(*value);
    }
}

#[inline(always)]
fn scale(values: &mut [f32], sums: &[f32], factor: &[f32; 64], summand: &[f32; 64]) {
    for (((value, sum), factor), summand) in values.iter_mut().zip(sums).zip(factor).zip(summand) {
        *value = sum * factor + summand;
    }
}

#[inline(always)]
fn add<O: Float>(values: &mut [f32], more: &[O]) {
    for (value, more) in values.iter_mut().zip(more) {
        *value += more.to_f32();
    }
}
