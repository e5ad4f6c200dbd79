//! The driver: cuts a product into tiles of rows × panels for the cores, and a tile's depth into blocks for the caches.
//!
//! A block of a panel (at most [`DEPTH`] groups × 64 columns × 4 bytes = 32 KiB) stays in the first cache while the
//! tile's rows pass by; the tile's sums, and the rows' part that the block reads, stay in the second.

use super::conv::{Geometry, Taps};
use super::epilogue::{Affine, Epilogue, Finished, Out, Shared, finish};
use super::micro::{Call, Kernel, ROWS, kernel};
use super::prefetch::{FAR, NEAR, prefetch};
use super::quantise::ByteRows;
use super::weights::PackedWeights;
use crate::engine::kernels::Stop;
use crate::engine::kernels::element::{Float, Precision};
use crate::engine::kernels::isa::Isa;
use half::bf16;
use rayon::prelude::*;
use std::cell::RefCell;
use std::ops::Range;

/// Activations: rows of channels without gaps, pixels in the order [batch, height, width].
#[derive(Clone, Copy)]
pub enum Input<'a> {
    F32(&'a [f32]),
    Bf16(&'a [bf16]),
    Int8(ByteRows<'a>),
}

impl Input<'_> {
    fn precision(&self) -> Precision {
        match self {
            Self::F32(_) => Precision::F32,
            Self::Bf16(_) => Precision::Bf16,
            Self::Int8(_) => Precision::Int8,
        }
    }

    /// Elements.
    fn len(&self) -> usize {
        match self {
            Self::F32(x) => x.len(),
            Self::Bf16(x) => x.len(),
            Self::Int8(x) => x.data.len(),
        }
    }

    fn start(&self) -> *const u8 {
        match self {
            Self::F32(x) => x.as_ptr().cast(),
            Self::Bf16(x) => x.as_ptr().cast(),
            Self::Int8(x) => x.data.as_ptr(),
        }
    }
}

/// Most groups of a block.
pub const DEPTH: usize = 128;
/// Most rows of a tile, a multiple of [`ROWS`].
pub const TILE_ROWS: usize = 192;
/// Most panels of a tile, in columns.
pub const TILE_COLUMNS: usize = 384;

/// Sizes of blocks and tiles, for measurements.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    pub depth: usize,
    pub rows: usize,
    pub columns: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { depth: DEPTH, rows: TILE_ROWS, columns: TILE_COLUMNS }
    }
}

/// `out = epilogue(x · wᵀ)` for rows of `w.k()` elements: a linear layer or a 1×1 convolution. False when stopped early;
/// the output is then unfinished.
///
/// # Panics
/// As [`conv`].
pub fn linear<O: Float>(
    out: Out<'_, O>,
    x: Input<'_>,
    w: &PackedWeights,
    epilogue: &Epilogue<'_, O>,
    isa: Isa,
    stop: Stop<'_>,
) -> bool {
    let rows = x.len().checked_div(w.k()).unwrap_or(0);
    conv(out, x, w, Geometry::linear(rows), epilogue, isa, stop)
}

/// A convolution over [batch, height, width, w.k()] into [batch, out height, out width, w.out_columns()]. False when
/// stopped early; the output is then unfinished.
///
/// # Panics
/// If sizes, precisions or the weights' panels do not go together, or the processor lacks `isa`: bugs of the caller.
pub fn conv<O: Float>(
    out: Out<'_, O>,
    x: Input<'_>,
    w: &PackedWeights,
    geometry: Geometry,
    epilogue: &Epilogue<'_, O>,
    isa: Isa,
    stop: Stop<'_>,
) -> bool {
    conv_tuned(out, x, w, geometry, epilogue, isa, stop, Tuning::default())
}

/// [`conv`] with other sizes of blocks and tiles.
///
/// # Panics
/// As [`conv`].
#[allow(clippy::too_many_arguments)]
pub fn conv_tuned<O: Float>(
    out: Out<'_, O>,
    x: Input<'_>,
    w: &PackedWeights,
    geometry: Geometry,
    epilogue: &Epilogue<'_, O>,
    isa: Isa,
    stop: Stop<'_>,
    tuning: Tuning,
) -> bool {
    assert!(isa.is_available() && w.fits(isa), "weights were not packed for {isa:?}");
    assert_eq!(x.precision(), w.precision(), "precision of activations and weights");
    assert_eq!(x.len(), geometry.in_rows() * w.k(), "activations");
    let folded = w.phases() == 4;
    if folded {
        assert!(geometry.is_doubled3x3(), "weights folded with a doubling, but {geometry:?}");
    } else {
        assert_eq!(w.taps(), geometry.kernel * geometry.kernel, "taps");
    }
    assert!(epilogue.bias.is_none_or(|b| b.len() == w.n()), "bias");
    let (rows, pictures) = (geometry.out_rows(), epilogue.batch_bias.map_or(1, |b| b.len() / w.n().max(1)));
    if rows == 0 || w.out_columns() == 0 {
        return !stop();
    }
    let divides = pictures > 0 && rows.is_multiple_of(pictures);
    assert!(divides && epilogue.batch_bias.is_none_or(|b| b.len() == pictures * w.n()), "bias of the batch");
    let taps = Taps::new(geometry, folded);
    let out = Shared::new(out, epilogue.residual, rows, w.out_columns());
    let job = Job {
        out,
        x,
        w,
        taps: &taps,
        epilogue,
        isa,
        stop,
        picture_rows: rows / pictures,
        blocks: blocks(w, tuning.depth),
    };
    let tiles = tiles(&taps, w, rayon::current_num_threads(), tuning);
    tiles
        .into_par_iter()
        .with_max_len(1)
        .map(|tile| SCRATCH.with_borrow_mut(|scratch| job.run(&tile, scratch)))
        .reduce(|| true, |a, b| a && b)
}

/// A piece of depth.
#[derive(Clone, Copy)]
struct Block {
    tap: usize,
    /// Taps that it spans, each from its first group to its last.
    taps: usize,
    first: usize,
    groups: usize,
    /// The last group of a row whose length is no multiple of a group: read from copies with zeros behind.
    tail: bool,
}

fn blocks(w: &PackedWeights, depth: usize) -> Vec<Block> {
    let whole = w.k() / w.precision().group();
    let has_tail = !w.k().is_multiple_of(w.precision().group());
    // Few channels: several taps to a block. Not for bytes, whose rows have scales of their own.
    if whole > 0 && 2 * whole <= depth && !has_tail && w.precision() != Precision::Int8 {
        let count = w.taps().div_ceil(depth / whole);
        let first = |block: usize| w.taps() * block / count;
        let block = |b| Block { tap: first(b), taps: first(b + 1) - first(b), first: 0, groups: whole, tail: false };
        return (0..count).map(block).collect();
    }
    let pieces = whole.div_ceil(depth);
    let mut blocks = Vec::new();
    for tap in 0..w.taps() {
        for piece in 0..pieces {
            let (first, end) = (whole * piece / pieces, whole * (piece + 1) / pieces);
            blocks.push(Block { tap, taps: 1, first, groups: end - first, tail: false });
        }
        if has_tail {
            blocks.push(Block { tap, taps: 1, first: whole, groups: 1, tail: true });
        }
    }
    blocks
}

/// Rows × panels for one task.
struct Tile {
    phase: usize,
    rows: Range<usize>,
    panels: Range<usize>,
}

/// Tiles for all cores: as large as `tuning` allows, but at least some four for each core.
fn tiles(taps: &Taps, w: &PackedWeights, threads: usize, tuning: Tuning) -> Vec<Tile> {
    let unit = if w.gated() { 2 } else { 1 };
    let units = w.panels() / unit;
    let (rows, phases) = (taps.rows(), w.phases());
    let mut across = (tuning.columns / (w.width(0) * unit)).clamp(1, units);
    let mut down = tuning.rows.min(rows.next_multiple_of(ROWS));
    let count = |across: usize, down: usize| units.div_ceil(across) * rows.div_ceil(down) * phases;
    while count(across, down) < 4 * threads && across > 1 {
        across = across.div_ceil(2);
    }
    while count(across, down) < 4 * threads && down > 4 * ROWS {
        down = (down / 2).next_multiple_of(ROWS);
    }
    // Even shares, so that no tile is left small.
    let (bands, groups) = (rows.div_ceil(down), units.div_ceil(across));
    let down = rows.div_ceil(bands).next_multiple_of(ROWS);
    let mut tiles = Vec::new();
    for phase in 0..phases {
        for first in (0..rows).step_by(down) {
            for group in 0..groups {
                let panels = unit * (units * group / groups)..unit * (units * (group + 1) / groups);
                tiles.push(Tile { phase, rows: first..rows.min(first + down), panels });
            }
        }
    }
    tiles
}

/// A vector's worth of sums, aligned.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Memory of a thread, kept from task to task.
struct Scratch {
    sums: Vec<Line>,
    /// For each tap and row of the tile: where the input row starts.
    sources: Vec<*const u8>,
    /// The same for the rows' last bytes, copied to `tails`.
    tail_sources: Vec<*const u8>,
    tails: Vec<[u8; 4]>,
    /// Int8: scale and offset of those input rows, zero in the padding.
    scale: Vec<f32>,
    offset: Vec<f32>,
    destination: Vec<usize>,
    /// What the padding reads.
    zeros: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = const {
        RefCell::new(Scratch {
            sums: Vec::new(),
            sources: Vec::new(),
            tail_sources: Vec::new(),
            tails: Vec::new(),
            scale: Vec::new(),
            offset: Vec::new(),
            destination: Vec::new(),
            zeros: Vec::new(),
        })
    };
}

struct Job<'a, O> {
    out: Shared<'a, O>,
    x: Input<'a>,
    w: &'a PackedWeights,
    taps: &'a Taps,
    epilogue: &'a Epilogue<'a, O>,
    isa: Isa,
    stop: Stop<'a>,
    picture_rows: usize,
    blocks: Vec<Block>,
}

#[allow(unsafe_code)]
// SAFETY: all parts but `x` are Sync by themselves; `x` is slices.
unsafe impl<O: Float> Sync for Job<'_, O> {}

impl<O: Float> Job<'_, O> {
    /// Fills the tables of input rows for a tile.
    #[allow(unsafe_code)]
    fn look_up(&self, tile: &Tile, scratch: &mut Scratch) {
        let (m, taps) = (tile.rows.len(), self.w.taps());
        let size = self.w.k() * self.w.precision().bytes();
        let (whole, rest) = (size / 4 * 4, size % 4);
        scratch.zeros.clear();
        scratch.zeros.resize(size, 0);
        let zeros = scratch.zeros.as_ptr();
        scratch.sources.clear();
        scratch.sources.resize(taps * m, zeros);
        if let Input::Int8(_) = self.x {
            scratch.scale.clear();
            scratch.scale.resize(taps * m, 0.0);
            scratch.offset.clear();
            scratch.offset.resize(taps * m, 0.0);
        }
        scratch.destination.clear();
        for (r, row) in tile.rows.clone().enumerate() {
            let destination = self.taps.visit(tile.phase, row, |tap, source| {
                let Some(source) = source else { return };
                let at = tap * m + r;
                // SAFETY: `source` is below the number of input rows, `conv` has checked that the input is that many
                // rows of `size` bytes.
                scratch.sources[at] = unsafe { self.x.start().add(source * size) };
                if let Input::Int8(x) = self.x {
                    scratch.scale[at] = x.scale[source];
                    scratch.offset[at] = x.offset[source];
                }
            });
            scratch.destination.push(destination);
        }
        if rest > 0 {
            scratch.tails.clear();
            for source in &scratch.sources {
                let mut tail = [0; 4];
                // SAFETY: each source is a row of `size` = `whole + rest` bytes.
                tail[..rest].copy_from_slice(unsafe { std::slice::from_raw_parts(source.add(whole), rest) });
                scratch.tails.push(tail);
            }
            scratch.tail_sources.clear();
            scratch.tail_sources.extend(scratch.tails.iter().map(|tail| tail.as_ptr()));
        }
    }

    /// Computes one tile; false when told to stop.
    #[allow(unsafe_code)]
    fn run(&self, tile: &Tile, scratch: &mut Scratch) -> bool {
        if (self.stop)() {
            return false;
        }
        self.look_up(tile, scratch);
        let m = tile.rows.len();
        let gated = self.w.gated();
        // With a single block, sums go straight on to the epilogue and a few rows of them are enough; but those of a
        // gated layer wait for their gates.
        let single = self.blocks.len() <= 1 && !gated;
        let kept = if single { ROWS } else { m };
        let columns: usize = tile.panels.clone().map(|panel| self.w.width(panel)).sum();
        scratch.sums.resize((columns * kept / 16).max(scratch.sums.len()), Line([0.0; 16]));
        let sums = scratch.sums.as_mut_ptr().cast::<f32>();
        let first_column = self.w.start(tile.panels.start);
        let mut affine = Affine::new();
        for (index, block) in self.blocks.iter().enumerate() {
            if index > 0 && (self.stop)() {
                return false;
            }
            let last = index + 1 == self.blocks.len();
            for panel in tile.panels.clone() {
                let width = self.w.width(panel);
                let completes = last && !(gated && panel % 2 == 0);
                affine.reset();
                let columns = self.columns(tile, block, panel);
                let next = self.after(tile, index, panel);
                let share = next.len().div_ceil(m.div_ceil(ROWS));
                let before = self.w.start(panel) - first_column;
                for r in (0..m).step_by(ROWS) {
                    let rows = ROWS.min(m - r);
                    let row = if single { 0 } else { r };
                    // SAFETY: `sums` holds `kept` rows for each panel of the tile.
                    let at = unsafe { sums.add(before * kept + row * width) };
                    if completes {
                        let soon = &scratch.destination[m.min(r + ROWS)..m.min(r + 2 * ROWS)];
                        self.out.prefetch(soon, self.w.source(if gated { panel - 1 } else { panel }));
                    }
                    let ahead = &next[next.len().min(r / ROWS * share)..];
                    prefetch::<FAR>(ahead.as_ptr(), share.min(ahead.len()));
                    if panel == tile.panels.start && !block.tail {
                        for tap in block.tap..block.tap + block.taps {
                            for source in &scratch.sources[tap * m..][m.min(r + ROWS)..m.min(r + 2 * ROWS)] {
                                prefetch::<NEAR>(source.wrapping_add(4 * block.first), 4 * block.groups);
                            }
                        }
                    }
                    self.multiply(&columns, block, block.tap * m + r, rows, at, index == 0, scratch);
                    if !completes {
                        continue;
                    }
                    // SAFETY: `rows` rows of sums, just written; nobody writes them while the slice lives.
                    let done = unsafe { std::slice::from_raw_parts(at, rows * width) };
                    // SAFETY: the values' panel lies before the gates', is as wide and in the same tile, and these
                    // rows of it are complete since the loop has gone over them.
                    let values =
                        gated.then(|| unsafe { std::slice::from_raw_parts(at.sub(width * kept), rows * width) });
                    let (sums, gates, panel) = match values {
                        Some(values) => (values, Some(done), panel - 1),
                        None => (done, None, panel),
                    };
                    let destination = &scratch.destination[r..r + rows];
                    let finished = Finished { sums, gates, width, panel, destination, picture_rows: self.picture_rows };
                    // SAFETY: tiles share no output row and column; destinations come from `Taps` for the same
                    // geometry that the output was made for.
                    unsafe { finish(self.isa, &self.out, finished, &mut affine, self.w, self.epilogue) };
                }
            }
        }
        true
    }

    /// The weights that the tile reads after block `index` of `panel`.
    fn after(&self, tile: &Tile, index: usize, panel: usize) -> &[u8] {
        let (index, panel) = match panel + 1 < tile.panels.end {
            true => (index, panel + 1),
            false => (index + 1, tile.panels.start),
        };
        self.blocks.get(index).map_or(&[], |block| self.weights(tile, block, panel))
    }

    fn columns(&self, tile: &Tile, block: &Block, panel: usize) -> Columns<'_> {
        let width = self.w.width(panel);
        Columns {
            kernels: std::array::from_fn(|rows| kernel(self.isa, self.w.precision(), rows + 1, width)),
            width,
            weights: self.weights(tile, block, panel),
            weight_sums: match block.first == 0 && self.w.precision() == Precision::Int8 {
                true => self.w.sums(panel, tile.phase, block.tap).as_ptr(),
                false => std::ptr::null(),
            },
        }
    }

    /// One block of a panel: [groups, width, 4].
    fn weights(&self, tile: &Tile, block: &Block, panel: usize) -> &[u8] {
        let group = 4 * self.w.width(panel);
        &self.w.groups(panel, tile.phase, block.tap, block.taps)[block.first * group..]
            [..block.taps * block.groups * group]
    }

    /// One call of a microkernel: `rows` rows from `at` on in the tables, one block of one panel.
    #[allow(unsafe_code, clippy::too_many_arguments)]
    #[inline]
    fn multiply(
        &self,
        columns: &Columns<'_>,
        block: &Block,
        at: usize,
        rows: usize,
        sums: *mut f32,
        fresh: bool,
        scratch: &Scratch,
    ) {
        let row = if block.tail { &scratch.tail_sources[at..at + rows] } else { &scratch.sources[at..at + rows] };
        let numbers = |numbers: &[f32]| match self.w.precision() {
            Precision::Int8 => numbers[at..at + rows].as_ptr(),
            _ => std::ptr::null(),
        };
        let call = Call {
            row: row.as_ptr(),
            row_stride: scratch.destination.len(),
            segments: block.taps,
            rows,
            skip: if block.tail { 0 } else { 4 * block.first },
            steps: block.groups,
            weights: columns.weights.as_ptr(),
            columns: columns.width,
            sums,
            fresh,
            scale: numbers(&scratch.scale),
            offset: numbers(&scratch.offset),
            weight_sums: columns.weight_sums,
        };
        // SAFETY: `conv` has checked that the processor has `isa`, for which the kernel was looked up with these rows
        // and columns; tables hold an entry for each tap and row of the tile, and a block lies within a row (a tail
        // within its copy) and within the panel; `sums` was sized for it by the caller.
        unsafe { columns.kernels[rows - 1](&call) }
    }
}

/// A block of a panel, made ready for the tile's rows.
struct Columns<'a> {
    /// By rows, from one on.
    kernels: [Kernel; ROWS],
    width: usize,
    weights: &'a [u8],
    /// As [`Call::weight_sums`].
    weight_sums: *const f32,
}
