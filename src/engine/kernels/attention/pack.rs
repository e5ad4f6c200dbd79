//! Keys, values and queries in the order in which the tiles read them.
//!
//! A *word* is four bytes: one f32, or two bf16 that lie beside each other along the sum (two columns of a key; the
//! same column of two neighbouring values). Panels are as wide as a tile, so a tile reads one stretch of memory.

use super::tile::Tiles;
use super::{KEY_TILE, Precision, Target, VALUE_TILE, scale_of};
use crate::engine::kernels::Isa;
use crate::engine::kernels::element::{Data, Float, Rows};
use crate::engine::kernels::vectorise::dispatch;
use half::bf16;
use rayon::prelude::*;

/// Sizes of the keys' side of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyShape {
    pub batch: usize,
    pub keys: usize,
    pub heads: usize,
    /// Width of one head.
    pub width: usize,
}

/// Keys and values of all heads, packed once and then used by any number of blocks of queries (and of passes, where
/// they come from a text that does not change).
pub struct PackedKv {
    pub(super) shape: KeyShape,
    pub(super) isa: Isa,
    pub(super) precision: Precision,
    /// For each of the batch, which keys are not hidden, in order.
    pub(super) kept: Vec<Vec<u32>>,
    /// Tiles of KEY_TILE keys that each (batch, head) has room for.
    pub(super) tiles: usize,
    /// [batch, heads, tiles, words, KEY_TILE]
    pub(super) keys: Vec<u32>,
    /// [batch, heads, tiles], of keys in bytes only.
    pub(super) headers: Vec<Header>,
    /// [batch, heads, value tiles, tiles·KEY_TILE / numbers in a word, VALUE_TILE]
    pub(super) values: Vec<u32>,
}

/// What belongs to a tile of keys in bytes.
#[derive(Clone, Copy, Default)]
pub struct Header {
    /// For each key −128 times the sum of its bytes: the bytes of a query are 128 too large.
    pub corrections: [i32; KEY_TILE],
    /// What a unit of the bytes is worth.
    pub unit: f32,
}

impl PackedKv {
    /// Packs `k` and `v`, rows of [batch, keys] with heads·width columns; `hidden` [batch, keys] marks keys that are
    /// not looked at. `isa` and `precision` are brought down to what the processor has.
    pub fn new(
        (k, v): (Rows<'_>, Rows<'_>),
        shape: KeyShape,
        hidden: Option<&[bool]>,
        precision: Precision,
        isa: Isa,
    ) -> Self {
        let KeyShape { batch, keys, heads, width } = shape;
        assert!(
            k.holds(batch * keys, heads * width) && v.holds(batch * keys, heads * width),
            "keys or values too short"
        );
        assert!(hidden.is_none_or(|h| h.len() == batch * keys), "mask of another size");
        let (isa, precision) = precision.settle(isa);
        let kept: Vec<Vec<u32>> = (0..batch)
            .map(|b| (0..keys as u32).filter(|j| hidden.is_none_or(|h| !h[b * keys + *j as usize])).collect())
            .collect();
        let most = kept.iter().map(Vec::len).max().unwrap_or(0);
        let tiles = most.div_ceil(KEY_TILE);
        let key_size = tiles * KEY_TILE * precision.key_words(width);
        let value_size = precision.value_size(tiles, width);
        let in_bytes = precision == Precision::Bytes;
        let mut packed = Self {
            shape,
            isa,
            precision,
            kept,
            tiles,
            keys: vec![0; batch * heads * key_size],
            headers: vec![Header::default(); if in_bytes { batch * heads * tiles } else { 0 }],
            values: vec![0; batch * heads * value_size],
        };
        if key_size > 0 && value_size > 0 {
            let (kept, keys_out, values_out) = (&packed.kept, &mut packed.keys, &mut packed.values);
            let mut headers: Vec<&mut [Header]> = packed.headers.chunks_mut(tiles).collect();
            headers.resize_with(batch * heads, Default::default);
            let outs = keys_out.par_chunks_mut(key_size).zip(values_out.par_chunks_mut(value_size)).zip(headers);
            outs.enumerate().for_each(|(i, ((keys_out, values_out), headers))| {
                let (b, head) = (i / heads, i % heads);
                let from = |x: Rows<'_>| (x.first + b * keys * x.stride + head * width, x.stride);
                let keys_of = (from(k), &kept[b][..], width);
                let values_of = (from(v), &kept[b][..], width);
                dispatch(
                    isa,
                    #[inline(always)]
                    || {
                        match k.data {
                            Data::F32(x) => pack_keys((keys_out, headers), x, keys_of, precision),
                            Data::Bf16(x) => pack_keys((keys_out, headers), x, keys_of, precision),
                        }
                        match v.data {
                            Data::F32(x) => pack_values(values_out, x, values_of, precision),
                            Data::Bf16(x) => pack_values(values_out, x, values_of, precision),
                        }
                    },
                );
            });
        }
        packed
    }

    /// Keys of each of the batch, hidden ones counted.
    pub fn keys(&self) -> usize {
        self.shape.keys
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        4 * (self.keys.len() + self.values.len())
    }
}

/// Two bf16 in a word, the first one low.
#[inline(always)]
fn pair(a: impl Float, b: impl Float) -> u32 {
    u32::from(a.bits16()) | u32::from(b.bits16()) << 16
}

#[inline(always)]
fn pack_keys<E: Float>(
    (out, headers): (&mut [u32], &mut [Header]),
    x: &[E],
    ((first, stride), kept, width): ((usize, usize), &[u32], usize),
    precision: Precision,
) {
    if precision == Precision::Bytes {
        return pack_bytes((out, headers), x, ((first, stride), kept, width));
    }
    let words = precision.key_words(width);
    let mut line = vec![0; words];
    for (tile, js) in out.chunks_exact_mut(words * KEY_TILE).zip(kept.chunks(KEY_TILE)) {
        for (m, &j) in js.iter().enumerate() {
            line_of_words(&mut line, &x[first + j as usize * stride..][..width], precision);
            for (column, word) in tile.chunks_exact_mut(KEY_TILE).zip(&line) {
                column[m] = *word;
            }
        }
    }
}

/// One key as words.
#[inline(always)]
fn line_of_words<E: Float>(line: &mut [u32], row: &[E], precision: Precision) {
    match precision {
        Precision::F32 => line.iter_mut().zip(row).for_each(|(o, v)| *o = v.to_f32().to_bits()),
        _ => {
            let (pairs, last) = row.as_chunks::<2>();
            for (o, &[a, b]) in line.iter_mut().zip(pairs) {
                *o = pair(a, b);
            }
            if let ([last], Some(o)) = (last, line.last_mut()) {
                *o = pair(*last, 0.0);
            }
        }
    }
}

/// Keys less their mean (which adds the same to all scores of a query, so that the weights stay), times the scale, in
/// bytes with one unit for each tile.
#[inline(always)]
fn pack_bytes<E: Float>(
    (out, headers): (&mut [u32], &mut [Header]),
    x: &[E],
    ((first, stride), kept, width): ((usize, usize), &[u32], usize),
) {
    let scale = scale_of(width);
    let words = Precision::Bytes.key_words(width);
    let row = |j: u32| &x[first + j as usize * stride..][..width];
    let mut mean = vec![0.0f32; width];
    for &j in kept {
        mean.iter_mut().zip(row(j)).for_each(|(m, v)| *m += v.to_f32());
    }
    mean.iter_mut().for_each(|m| *m /= kept.len() as f32);
    let (mut lines, mut bytes) = (vec![0.0f32; KEY_TILE * 4 * words], vec![0u8; 4 * words]);
    for ((tile, header), js) in out.chunks_exact_mut(words * KEY_TILE).zip(headers).zip(kept.chunks(KEY_TILE)) {
        let mut most = 0;
        for (line, &j) in lines.chunks_exact_mut(4 * words).zip(js) {
            for ((o, v), m) in line.iter_mut().zip(row(j)).zip(&mean) {
                *o = (v.to_f32() - m) * scale;
            }
            // The bits of numbers without sign lie in the order of the numbers, those of NaN above all.
            most = most.max(line.iter().map(|v| v.to_bits() & 0x7FFF_FFFF).max().unwrap_or(0));
        }
        let most = f32::from_bits(most);
        header.unit = most / 127.0;
        let inverse = if most > 1e-30 { 127.0 / most } else { 0.0 };
        for (m, line) in lines.chunks_exact(4 * words).enumerate().take(js.len()) {
            // Adding 1.5·2^23 rounds to a whole number, whose lowest bits are the sum's.
            const SHIFT: f32 = 12_582_912.0;
            let mut sum = 0;
            for (b, v) in bytes.iter_mut().zip(line) {
                *b = (v * inverse + SHIFT).to_bits() as u8;
                sum += i32::from(*b as i8);
            }
            for (column, four) in tile.chunks_exact_mut(KEY_TILE).zip(bytes.as_chunks::<4>().0) {
                column[m] = u32::from_le_bytes(*four);
            }
            header.corrections[m] = -128 * sum;
        }
    }
}

#[inline(always)]
fn pack_values<E: Float>(
    out: &mut [u32],
    x: &[E],
    ((first, stride), kept, width): ((usize, usize), &[u32], usize),
    precision: Precision,
) {
    let tiles = width.div_ceil(VALUE_TILE);
    let panel = out.len() / tiles;
    let row = |j: u32| &x[first + j as usize * stride..][..width];
    let zeros = vec![E::default(); width];
    let mut line = vec![0u32; width];
    for (word, js) in kept.chunks(precision.per_word()).enumerate() {
        let (a, b) = (row(js[0]), js.get(1).map_or(&zeros[..], |&j| row(j)));
        if precision == Precision::F32 {
            line.iter_mut().zip(a).for_each(|(o, a)| *o = a.to_f32().to_bits());
        } else {
            line.iter_mut().zip(a.iter().zip(b)).for_each(|(o, (a, b))| *o = pair(*a, *b));
        }
        for (t, part) in line.chunks(VALUE_TILE).enumerate() {
            out[t * panel + word * VALUE_TILE..][..part.len()].copy_from_slice(part);
        }
    }
}

/// Packs up to `lanes` queries, rows `first + r·stride` of `x`: `out` is [words][lanes], 0 beyond `rows`.
/// Of bytes, each plus 128, `scale` gets what a unit is worth for each query.
pub(super) fn pack_queries(
    (out, scale): (&mut [u32], &mut [f32]),
    x: Data<'_>,
    at: (usize, usize),
    (rows, lanes, width): (usize, usize, usize),
    tiles: Tiles,
) {
    #[cfg(target_arch = "x86_64")]
    if tiles.isa.is_avx512() {
        // SAFETY: `Precision::settle` gives AVX-512 only where the processor has it, and bf16 only with BF16.
        #[allow(unsafe_code)]
        return unsafe {
            match tiles.precision {
                Precision::Bytes => super::moves::pack_bytes((out, scale), x, at, (rows, lanes, width)),
                _ => super::moves::pack_queries(out, x, at, (rows, lanes, width), tiles.precision),
            }
        };
    }
    scale.fill(1.0);
    let in_pairs = tiles.precision == Precision::Bf16;
    match x {
        Data::F32(x) if in_pairs => spread_pairs(out, x, at, (rows, lanes, width)),
        Data::Bf16(x) if in_pairs => spread_pairs(out, x, at, (rows, lanes, width)),
        Data::F32(x) => spread(out, x, at, (rows, lanes, width)),
        Data::Bf16(x) => spread(out, x, at, (rows, lanes, width)),
    }
}

/// `pack_queries` in plain Rust, f32.
fn spread<E: Float>(
    out: &mut [u32],
    x: &[E],
    (first, stride): (usize, usize),
    (rows, lanes, width): (usize, usize, usize),
) {
    if rows < lanes {
        out.fill(0);
    }
    for r in 0..rows {
        let row = &x[first + r * stride..][..width];
        for (column, v) in out.chunks_exact_mut(lanes).zip(row) {
            column[r] = v.to_f32().to_bits();
        }
    }
}

/// `pack_queries` in plain Rust, bf16.
fn spread_pairs<E: Float>(
    out: &mut [u32],
    x: &[E],
    (first, stride): (usize, usize),
    (rows, lanes, width): (usize, usize, usize),
) {
    if rows < lanes {
        out.fill(0);
    }
    for r in 0..rows {
        let row = x[first + r * stride..][..width].chunks(2);
        for (column, two) in out.chunks_exact_mut(lanes).zip(row) {
            column[r] = match *two {
                [a, b] => pair(a, b),
                [a] => pair(a, 0.0),
                _ => 0,
            };
        }
    }
}

/// `sums` [width][lanes] divided by `total` [lanes] (zeros where that is 0), to rows `first + r·stride` of the target.
///
/// # Safety
/// Those rows, `width` columns of them, lie in the target, and no one else touches them.
#[allow(unsafe_code)]
pub(super) unsafe fn unpack_results(
    target: Target,
    (first, stride): (usize, usize),
    (sums, total): (&[f32], &[f32]),
    (rows, lanes, width): (usize, usize, usize),
    isa: Isa,
) {
    #[cfg(target_arch = "x86_64")]
    if isa.is_avx512() {
        // SAFETY: `Precision::settle` gives AVX-512 only where the processor has it; the rest is the caller's promise.
        return unsafe {
            super::moves::unpack_results(target, (first, stride), (sums, total), (rows, lanes, width));
        };
    }
    let _ = isa;
    for (r, &total) in total.iter().enumerate().take(rows) {
        let factor = if total == 0.0 { 0.0 } else { 1.0 / total };
        for (c, column) in sums.chunks_exact(lanes).enumerate().take(width) {
            let (at, value) = (first + r * stride + c, column[r] * factor);
            // SAFETY: the caller's promise.
            unsafe {
                match target {
                    Target::F32(out) => out.add(at).write(value),
                    Target::Bf16(out) => out.add(at).write(<bf16 as Float>::from_f32(value)),
                }
            }
        }
    }
}
