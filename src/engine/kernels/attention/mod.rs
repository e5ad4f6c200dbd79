//! Scaled dot-product attention in blocks of queries × blocks of keys with a running softmax: the scores of a block
//! live in registers, their exponentials in the first-level cache, and the matrix of scores is never made.
//!
//! Queries lie along the vector lanes. So both products are the same kind of tile (a few packed rows, broadcast, times
//! vectors of queries), no head width needs padding beyond a tile's few rows, softmax needs nothing across lanes, and
//! hidden keys are simply left out when packing. The scale is multiplied by log₂ e, so weights are powers of two
//! of the scores. What is taken away from a query's scores is not their running maximum but
//! the maximum of its first tile, moved only when a later score exceeds it by more than `MARGIN`: f32 and bf16 hold
//! weights of 2^32 as exactly as those of 1, and moving is then rare.

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod moves;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pack;
mod portable;
mod tile;

pub use pack::{KeyShape, PackedKv};

use crate::engine::kernels::element::{DataMut, Rows};
use crate::engine::kernels::{Isa, Stop};
use half::bf16;
use rayon::prelude::*;
use tile::{LANES, Softmax, Tiles};

/// Keys in a tile (even, so that pairs fall within one).
const KEY_TILE: usize = 6;
/// Columns of the values in a tile.
const VALUE_TILE: usize = 5;
/// Queries in a block.
const BLOCK: usize = 64;
/// Tiles of keys between two visits to the sums of values.
const TILES: usize = 64;
/// By how much a score (in powers of two) may exceed the reference.
const MARGIN: f32 = 32.0;

/// How numbers are held while they are multiplied; sums are in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    F32,
    /// q, k, v and the weights in bf16: needs AVX-512 with BF16 and VNNI, or NEON with BF16; elsewhere f32 is used.
    Bf16,
    /// q and k in bytes (a scale for each query, and one for each tile of keys, from which the mean of all keys was
    /// taken away: Zhang et al. 2024, SageAttention); v and the weights in bf16. Needs AVX-512 with BF16 and VNNI;
    /// NEON uses bf16 instead, the rest f32.
    Bytes,
}

impl Precision {
    /// What the processor can do of what is asked for.
    pub fn settle(self, isa: Isa) -> (Isa, Self) {
        let isa = isa.or_best();
        let can = match (isa, self) {
            (Isa::Avx512 { bf16: true, vnni: true }, asked) => asked,
            (Isa::Neon { bf16: true, .. }, Self::Bf16 | Self::Bytes) => Self::Bf16,
            _ => Self::F32,
        };
        (isa, can)
    }

    /// Numbers in a word of the packed values and of the weights.
    fn per_word(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::Bf16 | Self::Bytes => 2,
        }
    }

    /// Words of a key of `width` columns.
    fn key_words(self, width: usize) -> usize {
        match self {
            Self::F32 => width,
            Self::Bf16 => width.div_ceil(2),
            Self::Bytes => width.div_ceil(4),
        }
    }

    /// Words that the packed values of one head take.
    fn value_size(self, tiles: usize, width: usize) -> usize {
        width.div_ceil(VALUE_TILE) * VALUE_TILE * (tiles * KEY_TILE / self.per_word())
    }
}

/// Buffers of one thread.
struct Scratch {
    q: Vec<u32>,
    p: Vec<u32>,
    /// [width, up to whole tiles][lanes]
    out: Vec<f32>,
    /// What a unit of a query's bytes is worth.
    q_scale: [f32; BLOCK],
    negative: [f32; BLOCK],
    limit: [f32; BLOCK],
    top: [f32; BLOCK],
    sum: [f32; BLOCK],
}

/// Where the results go: rows of which each task writes a range of columns that no other task writes.
#[derive(Clone, Copy)]
enum Target {
    F32(*mut f32),
    Bf16(*mut bf16),
}

// SAFETY: a target is a slice that is borrowed mutably as long as it lives, and tasks write to parts of it that differ.
#[allow(unsafe_code)]
unsafe impl Sync for Target {}

/// `out = softmax(q·kᵀ / sqrt(width)) · v` for each head. q has [batch, queries] rows of heads·width columns, out is
/// [batch, queries, heads·width]. With `causal`, query i sees keys 0 to i. A query that sees no key gets zeros.
/// Returns false where `stop` ended it early.
pub fn attention(
    mut out: DataMut<'_>,
    q: Rows<'_>,
    kv: &PackedKv,
    queries: usize,
    causal: bool,
    stop: Stop<'_>,
) -> bool {
    let KeyShape { batch, heads, width, .. } = kv.shape;
    let channels = heads * width;
    assert!(q.holds(batch * queries, channels), "queries too short");
    assert!(out.len() == batch * queries * channels, "result of another size");
    if out.is_empty() {
        return !stop();
    }
    let blocks = queries.div_ceil(BLOCK);
    let target = match &mut out {
        DataMut::F32(out) => Target::F32(out.as_mut_ptr()),
        DataMut::Bf16(out) => Target::Bf16(out.as_mut_ptr()),
    };
    let tiles = Tiles { isa: kv.isa, precision: kv.precision };
    let per = kv.precision.per_word();
    (0..batch * heads * blocks).into_par_iter().for_each_init(
        || Scratch {
            q: vec![0; kv.precision.key_words(width) * BLOCK],
            p: vec![0; TILES * KEY_TILE / per * BLOCK],
            out: vec![0.0; width.div_ceil(VALUE_TILE) * VALUE_TILE * BLOCK],
            q_scale: [0.0; BLOCK],
            negative: [0.0; BLOCK],
            limit: [0.0; BLOCK],
            top: [0.0; BLOCK],
            sum: [0.0; BLOCK],
        },
        |scratch, task| {
            let (head, block) = (task / blocks, task % blocks);
            let (b, head) = (head / heads, head % heads);
            let first = block * BLOCK;
            let rows = BLOCK.min(queries - first);
            let lanes = rows.next_multiple_of(LANES);
            let at = (q.first + (b * queries + first) * q.stride + head * width, q.stride);
            let packed = &mut scratch.q[..kv.precision.key_words(width) * lanes];
            pack::pack_queries((packed, &mut scratch.q_scale), q.data, at, (rows, lanes, width), tiles);
            if !block_of_queries(scratch, kv, tiles, (b, head), (first, lanes), causal, stop) {
                return;
            }
            let at = ((b * queries + first) * channels + head * width, channels);
            // SAFETY: these columns of these rows lie in `out`, whose length was checked, and are this task's alone.
            #[allow(unsafe_code)]
            unsafe {
                pack::unpack_results(target, at, (&scratch.out, &scratch.sum), (rows, lanes, width), kv.isa);
            }
        },
    );
    !stop()
}

/// Sums of weights and of weighted values of the packed queries over all keys of one head.
fn block_of_queries(
    scratch: &mut Scratch,
    kv: &PackedKv,
    tiles: Tiles,
    (b, head): (usize, usize),
    (first, lanes): (usize, usize),
    causal: bool,
    stop: Stop<'_>,
) -> bool {
    let KeyShape { heads, width, .. } = kv.shape;
    let precision = kv.precision;
    let per = precision.per_word();
    let words = precision.key_words(width);
    let kept = &kv.kept[b];
    let key_size = kv.tiles * KEY_TILE * words;
    let keys = &kv.keys[(b * heads + head) * key_size..][..key_size];
    let value_size = precision.value_size(kv.tiles, width);
    let values = &kv.values[(b * heads + head) * value_size..][..value_size];
    let depth = kv.tiles * KEY_TILE / per;
    let Scratch { q, p, out, q_scale, negative, limit, top, sum } = scratch;
    let q = &q[..words * lanes];
    let out = &mut out[..width.div_ceil(VALUE_TILE) * VALUE_TILE * lanes];
    out.fill(0.0);
    negative.fill(0.0);
    sum.fill(0.0);
    // Any score that is seen exceeds this, so the first tile sets the reference.
    limit.fill(-1e38);
    let unit = scale_of(width);
    let tile_words = KEY_TILE / per * lanes;
    let last = if causal { kept.partition_point(|&j| (j as usize) < first + lanes) } else { kept.len() };
    let in_use = last.div_ceil(KEY_TILE);
    for start in (0..in_use).step_by(TILES) {
        if stop() {
            return false;
        }
        let here = TILES.min(in_use - start);
        let p = &mut p[..here * tile_words];
        for t in 0..here {
            let tile = start + t;
            let js = &kept[tile * KEY_TILE..kept.len().min((tile + 1) * KEY_TILE)];
            let mask = (js.len() < KEY_TILE || causal && js[js.len() - 1] as usize > first)
                .then(|| visible(js, (first, lanes), causal));
            let bytes = kv.headers.get((b * heads + head) * kv.tiles + tile).map(|header| (header, &q_scale[..]));
            let panel = &keys[tile * KEY_TILE * words..][..KEY_TILE * words];
            let (before, p) = p.split_at_mut(t * tile_words);
            let mut state =
                Softmax { negative: &negative[..], limit: &limit[..], top: &mut top[..], sum: &mut sum[..] };
            if !tiles.scores(
                panel,
                q,
                &mut p[..tile_words],
                lanes,
                &mut state,
                mask.as_ref().map(|m| &m[..]),
                (bytes, unit),
            ) {
                move_reference((negative, limit, top, sum), (before, out), lanes, precision);
                let mut state =
                    Softmax { negative: &negative[..], limit: &limit[..], top: &mut top[..], sum: &mut sum[..] };
                let done = tiles.scores(
                    panel,
                    q,
                    &mut p[..tile_words],
                    lanes,
                    &mut state,
                    mask.as_ref().map(|m| &m[..]),
                    (bytes, unit),
                );
                debug_assert!(done, "a reference at the maximum");
            }
        }
        for (panel, out) in values.chunks_exact(depth * VALUE_TILE).zip(out.chunks_exact_mut(VALUE_TILE * lanes)) {
            let from = start * KEY_TILE / per * VALUE_TILE;
            tiles.weigh(&panel[from..][..here * KEY_TILE / per * VALUE_TILE], p, out, lanes);
        }
    }
    true
}

/// What scores are multiplied by, so that weights are powers of two of them.
fn scale_of(width: usize) -> f32 {
    std::f32::consts::LOG2_E / (width as f32).sqrt()
}

/// Which queries see which of the keys of a tile: bit `lane` of `[key][lane / 16]`.
fn visible(js: &[u32], (first, lanes): (usize, usize), causal: bool) -> [u16; KEY_TILE * BLOCK / LANES] {
    let mut mask = [0u16; KEY_TILE * BLOCK / LANES];
    for (row, &j) in mask.chunks_exact_mut(lanes / LANES).zip(js) {
        for lane in 0..lanes {
            let sees = !causal || j as usize <= first + lane;
            row[lane / LANES] |= u16::from(sees) << (lane % LANES);
        }
    }
    mask
}

/// Moves the reference of the queries whose `top` exceeds its limit to that score, and scales what they have summed up
/// so far, in `sum`, in `out` and in the weights `p` that no one has used yet.
#[cold]
#[inline(never)]
fn move_reference(
    (negative, limit, top, sum): (&mut [f32], &mut [f32], &mut [f32], &mut [f32]),
    (p, out): (&mut [u32], &mut [f32]),
    lanes: usize,
    precision: Precision,
) {
    for lane in 0..lanes {
        // Also for NaN there is nothing to move.
        if top[lane] <= limit[lane] || top[lane].is_nan() {
            continue;
        }
        let factor = (-top[lane]).exp2();
        negative[lane] -= top[lane];
        limit[lane] = MARGIN;
        if sum[lane] == 0.0 {
            continue;
        }
        sum[lane] *= factor;
        out.chunks_exact_mut(lanes).for_each(|row| row[lane] *= factor);
        for row in p.chunks_exact_mut(lanes) {
            let word = &mut row[lane];
            *word = match precision {
                Precision::F32 => (f32::from_bits(*word) * factor).to_bits(),
                Precision::Bf16 | Precision::Bytes => {
                    let half = |bits: u32| crate::engine::kernels::element::round16(f32::from_bits(bits) * factor);
                    u32::from(half(*word << 16)) | u32::from(half(*word & 0xFFFF_0000)) << 16
                }
            };
        }
    }
}

#[cfg(test)]
mod tests;
