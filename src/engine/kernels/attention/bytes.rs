//! Attention with both products in bytes (VNNI): scores as in `avx512::scores_of_bytes`, then weights 0…255 of each
//! block's greatest weight, times values in bytes (a unit for each channel, from which the mean was taken away).
//!
//! Weights in bytes need the true maximum, so scores of a block of keys are written out first; products of a block are
//! whole numbers, joined in f32 with the blocks before.

use super::avx512::UNSEEN;
use super::pack::Header;
use super::tile::LANES;
use super::{BLOCK, KEY_TILE, KeyShape, PackedKv, Precision, Scratch, VALUE_TILE, visible};
use crate::engine::kernels::Stop;
use std::arch::x86_64::*;

/// Tiles of keys in a block (so that keys are a multiple of four): the scores take 48 KB.
const TILES: usize = 32;
/// 255 · 2^f on [0, 1) with relative error 1.7e-3 (by Remez exchange).
const EXP2_2: [f32; 3] = [255.0 * 1.001_724_8, 255.0 * 0.657_636_3, 255.0 * 0.337_189_44];

/// Scores of `M` keys × `16·N` queries to `out` [M][16·N], and their maxima onto `top`.
///
/// # Safety
/// That of `avx512::scores_of_bytes`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
#[allow(unsafe_code)]
unsafe fn scores<const M: usize, const N: usize>(
    (panel, q, words): (*const u32, *const u32, usize),
    out: *mut f32,
    top: *mut f32,
    seen: Option<&[u16]>,
    (header, scale): (&Header, *const f32),
) {
    // SAFETY: the caller's promise; every index below stays within the lengths named there.
    unsafe {
        let mut acc = [[_mm512_setzero_si512(); N]; M];
        for (row, start) in acc.iter_mut().zip(&header.corrections) {
            *row = [_mm512_set1_epi32(*start); N];
        }
        for word in 0..words {
            let mut vectors = [_mm512_setzero_si512(); N];
            for (n, vector) in vectors.iter_mut().enumerate() {
                *vector = _mm512_loadu_si512(q.add((word * N + n) * 16).cast());
            }
            for (m, row) in acc.iter_mut().enumerate() {
                let key = _mm512_set1_epi32(*panel.add(word * M + m) as i32);
                for (acc, vector) in row.iter_mut().zip(vectors) {
                    *acc = _mm512_dpbusd_epi32(*acc, vector, key);
                }
            }
        }
        for n in 0..N {
            let factor = _mm512_mul_ps(_mm512_loadu_ps(scale.add(16 * n)), _mm512_set1_ps(header.unit));
            let mut most = _mm512_loadu_ps(top.add(16 * n));
            for (m, row) in acc.iter().enumerate() {
                let mut score = _mm512_mul_ps(_mm512_cvtepi32_ps(row[n]), factor);
                if let Some(seen) = seen {
                    score = _mm512_mask_blend_ps(seen[m * N + n], _mm512_set1_ps(UNSEEN), score);
                }
                most = _mm512_max_ps(most, score);
                _mm512_storeu_ps(out.add((m * N + n) * 16), score);
            }
            _mm512_storeu_ps(top.add(16 * n), most);
        }
    }
}

/// Weights of `quads`·4 rows of scores, of 16·`lanes16` queries, as bytes to `p`, four keys a word. `top` becomes what
/// the sums of this block are worth, `most` the maximum so far, `before` what the sums so far are worth now; `sum` is
/// brought up to date.
///
/// # Safety
/// The processor has the features and the pointers are good for those lengths.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
#[allow(unsafe_code)]
unsafe fn weights(
    scores: *const f32,
    (quads, lanes16): (usize, usize),
    p: *mut u32,
    (top, most, before, sum): (*mut f32, *mut f32, *mut f32, *mut f32),
) {
    let coefficients = EXP2_2.map(|c| _mm512_set1_ps(c));
    let exp2 = |y: __m512| {
        let f = _mm512_reduce_ps::<0x09>(y);
        let p = _mm512_fmadd_ps(_mm512_fmadd_ps(coefficients[2], f, coefficients[1]), f, coefficients[0]);
        _mm512_scalef_ps(p, y)
    };
    for n in 0..lanes16 {
        // SAFETY: the caller's promise; every index below stays within the lengths named there.
        unsafe {
            // Where no key of the block is seen, all scores lie far below this.
            let here = _mm512_max_ps(_mm512_loadu_ps(top.add(16 * n)), _mm512_set1_ps(-1e30));
            let mut total = _mm512_setzero_si512();
            for quad in 0..quads {
                let byte = |i: usize| {
                    let score = _mm512_loadu_ps(scores.add(((4 * quad + i) * lanes16 + n) * 16));
                    _mm512_cvtps_epi32(exp2(_mm512_sub_ps(score, here)))
                };
                let (b, c) = (_mm512_slli_epi32::<8>(byte(1)), _mm512_slli_epi32::<16>(byte(2)));
                let three = _mm512_ternarylogic_epi32::<0xFE>(byte(0), b, c);
                let word = _mm512_or_si512(three, _mm512_slli_epi32::<24>(byte(3)));
                total = _mm512_dpbusd_epi32(total, word, _mm512_set1_epi32(0x0101_0101));
                _mm512_storeu_si512(p.add((quad * lanes16 + n) * 16).cast(), word);
            }
            let old = _mm512_loadu_ps(most.add(16 * n));
            let new = _mm512_max_ps(old, here);
            let inverse = _mm512_set1_ps(1.0 / 255.0);
            let now = _mm512_mul_ps(exp2(_mm512_sub_ps(here, new)), inverse);
            let past = _mm512_mul_ps(exp2(_mm512_sub_ps(old, new)), inverse);
            let past = _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(old, new), past, _mm512_set1_ps(1.0));
            let sums = _mm512_mul_ps(_mm512_loadu_ps(sum.add(16 * n)), past);
            _mm512_storeu_ps(sum.add(16 * n), _mm512_fmadd_ps(_mm512_cvtepi32_ps(total), now, sums));
            _mm512_storeu_ps(top.add(16 * n), now);
            _mm512_storeu_ps(most.add(16 * n), new);
            _mm512_storeu_ps(before.add(16 * n), past);
        }
    }
}

/// `out` [M][16·N] = out · before + (panel [depth][M]ᵀ · p [depth][16·N]) · now.
///
/// # Safety
/// The processor has the features and the pointers are good for those lengths.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
#[allow(unsafe_code)]
unsafe fn weigh<const M: usize, const N: usize>(
    (panel, p, depth): (*const u32, *const u32, usize),
    out: *mut f32,
    (before, now): (*const f32, *const f32),
) {
    // SAFETY: the caller's promise; every index below stays within the lengths named there.
    unsafe {
        let mut acc = [[_mm512_setzero_si512(); N]; M];
        for word in 0..depth {
            let mut vectors = [_mm512_setzero_si512(); N];
            for (n, vector) in vectors.iter_mut().enumerate() {
                *vector = _mm512_loadu_si512(p.add((word * N + n) * 16).cast());
            }
            for (m, row) in acc.iter_mut().enumerate() {
                let value = _mm512_set1_epi32(*panel.add(word * M + m) as i32);
                for (acc, vector) in row.iter_mut().zip(vectors) {
                    *acc = _mm512_dpbusd_epi32(*acc, vector, value);
                }
            }
        }
        for n in 0..N {
            let (before, now) = (_mm512_loadu_ps(before.add(16 * n)), _mm512_loadu_ps(now.add(16 * n)));
            for (m, row) in acc.iter().enumerate() {
                let at = out.add((m * N + n) * 16);
                let past = _mm512_mul_ps(_mm512_loadu_ps(at), before);
                _mm512_storeu_ps(at, _mm512_fmadd_ps(_mm512_cvtepi32_ps(row[n]), now, past));
            }
        }
    }
}

/// `super::block_of_queries` in bytes.
///
/// # Safety
/// The processor has AVX-512 F, BW, VL, DQ and VNNI.
#[allow(unsafe_code)]
pub unsafe fn block_of_queries(
    scratch: &mut Scratch,
    kv: &PackedKv,
    (b, head): (usize, usize),
    (first, lanes): (usize, usize),
    causal: bool,
    stop: Stop<'_>,
) -> bool {
    let KeyShape { heads, width, .. } = kv.shape;
    let words = Precision::AllBytes.key_words(width);
    let kept = &kv.kept[b];
    let index = b * heads + head;
    let key_size = kv.tiles * KEY_TILE * words;
    let keys = &kv.keys[index * key_size..][..key_size];
    let value_size = Precision::AllBytes.value_size(kv.tiles, width);
    let values = &kv.values[index * value_size..][..value_size];
    let headers = &kv.headers[index * kv.tiles..][..kv.tiles];
    let depth = kv.tiles * KEY_TILE / 4;
    let Scratch { q, p, out, q_scale, negative: most, limit: before, top, sum } = scratch;
    // The second half of the weights' buffer holds the scores.
    p.resize(TILES * KEY_TILE * BLOCK * 2, 0);
    let (p, scores_of) = p.split_at_mut(TILES * KEY_TILE * BLOCK);
    let scores_of: *mut f32 = scores_of.as_mut_ptr().cast();
    let out = &mut out[..width.div_ceil(VALUE_TILE) * VALUE_TILE * lanes];
    out.fill(0.0);
    sum.fill(0.0);
    most.fill(-1e30);
    let last = if causal { kept.partition_point(|&j| (j as usize) < first + lanes) } else { kept.len() };
    // Keys to a multiple of four; `kv.tiles` is even.
    let in_use = last.div_ceil(KEY_TILE).next_multiple_of(2);
    let mut poisoned = false;
    assert!(q.len() >= words * lanes && lanes <= BLOCK && in_use <= kv.tiles, "buffers");
    for start in (0..in_use).step_by(TILES) {
        if stop() {
            return false;
        }
        let here = TILES.min(in_use - start);
        top.fill(UNSEEN);
        for t in 0..here {
            let tile = start + t;
            let js = &kept[kept.len().min(tile * KEY_TILE)..kept.len().min((tile + 1) * KEY_TILE)];
            let mask = (js.len() < KEY_TILE || causal && js[js.len() - 1] as usize > first)
                .then(|| visible(js, (first, lanes), causal));
            poisoned |= headers[tile].unit.is_nan();
            let panel = keys[tile * KEY_TILE * words..][..KEY_TILE * words].as_ptr();
            let args = (panel, q.as_ptr(), words);
            let bytes = (&headers[tile], q_scale.as_ptr());
            let mask = mask.as_ref().map(|m| &m[..]);
            // SAFETY: the buffers hold TILES tiles of BLOCK queries; lanes <= BLOCK.
            unsafe {
                let (to, top) = (scores_of.add(t * KEY_TILE * lanes), top.as_mut_ptr());
                match lanes / LANES {
                    1 => scores::<KEY_TILE, 1>(args, to, top, mask, bytes),
                    2 => scores::<KEY_TILE, 2>(args, to, top, mask, bytes),
                    3 => scores::<KEY_TILE, 3>(args, to, top, mask, bytes),
                    _ => scores::<KEY_TILE, 4>(args, to, top, mask, bytes),
                }
            }
        }
        let quads = here * KEY_TILE / 4;
        // SAFETY: as above; the state has BLOCK entries each.
        unsafe {
            let state = (top.as_mut_ptr(), most.as_mut_ptr(), before.as_mut_ptr(), sum.as_mut_ptr());
            weights(scores_of, (quads, lanes / LANES), p.as_mut_ptr(), state);
        }
        for (panel, out) in values.chunks_exact(depth * VALUE_TILE).zip(out.chunks_exact_mut(VALUE_TILE * lanes)) {
            let from = start * KEY_TILE / 4 * VALUE_TILE;
            let args = (panel[from..][..quads * VALUE_TILE].as_ptr(), p.as_ptr(), quads);
            let factors = (before.as_ptr(), top.as_ptr());
            // SAFETY: the panel has `quads` rows, and so have the weights; `out` is a tile of `lanes` queries.
            unsafe {
                match lanes / LANES {
                    1 => weigh::<VALUE_TILE, 1>(args, out.as_mut_ptr(), factors),
                    2 => weigh::<VALUE_TILE, 2>(args, out.as_mut_ptr(), factors),
                    3 => weigh::<VALUE_TILE, 3>(args, out.as_mut_ptr(), factors),
                    _ => weigh::<VALUE_TILE, 4>(args, out.as_mut_ptr(), factors),
                }
            }
        }
    }
    for (sum, scale) in sum.iter_mut().zip(q_scale.iter()) {
        if poisoned || scale.is_nan() {
            *sum = f32::NAN;
        }
    }
    // Units and means of the channels.
    for (row, (unit, mean)) in out.chunks_exact_mut(lanes).zip(&kv.channels[index * width..][..width]) {
        for (v, sum) in row.iter_mut().zip(&sum[..]) {
            *v = *v * unit + mean * sum;
        }
    }
    true
}
