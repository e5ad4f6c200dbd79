//! Scaled dot-product attention in blocks of queries: the scores of one block live in a buffer of a few hundred
//! kilobytes a thread, and the full matrix of scores is never made (at 64×64 latents it would be 1 GiB).

use super::Cancel;
use super::math;
use super::matmul::{Threads, View, ViewMut, product};
use rayon::prelude::*;

/// Queries in a block.
const BLOCK: usize = 64;

/// Sizes of one attention.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub batch: usize,
    /// Number of queries and of keys.
    pub queries: usize,
    pub keys: usize,
    pub heads: usize,
    /// Width of one head.
    pub width: usize,
}

/// `out = softmax(q·kᵀ / sqrt(width)) · v` for each head. q and out are [batch, queries, heads·width], k and v
/// [batch, keys, heads·width]; `hidden` marks keys that are not looked at ([batch, keys], true is hidden).
pub fn attention(
    out: &mut [f32],
    (q, k, v): (&[f32], &[f32], &[f32]),
    shape: Shape,
    hidden: Option<&[bool]>,
    causal: bool,
    cancel: &Cancel,
) -> bool {
    let Shape { batch, queries, keys, heads, width } = shape;
    let channels = heads * width;
    assert!(q.len() == batch * queries * channels && out.len() == q.len(), "attention: queries");
    assert!(k.len() == batch * keys * channels && v.len() == k.len(), "attention: keys");
    if out.is_empty() || keys == 0 {
        return true;
    }
    let scale = 1.0 / (width as f32).sqrt();
    let blocks = queries.div_ceil(BLOCK);
    let tasks: Vec<(usize, usize, &mut [f32])> = out
        .chunks_mut(queries * channels)
        .enumerate()
        .flat_map(|(b, out)| out.chunks_mut(BLOCK * channels).enumerate().map(move |(i, out)| (b, i, out)))
        .collect();
    debug_assert_eq!(tasks.len(), batch * blocks);
    tasks.into_par_iter().for_each_init(
        || vec![0.0f32; BLOCK * keys],
        |scores, (b, block, out)| {
            let rows = out.len() / channels;
            let first = block * BLOCK;
            let q = &q[(b * queries + first) * channels..][..rows * channels];
            let k = &k[b * keys * channels..][..keys * channels];
            let v = &v[b * keys * channels..][..keys * channels];
            let hidden = hidden.map(|h| &h[b * keys..][..keys]);
            for head in 0..heads {
                if cancel.is_requested() {
                    return;
                }
                let from = head * width;
                let view = |data| View { data, row_stride: channels, col_stride: 1 };
                let scores = &mut scores[..rows * keys];
                product(
                    ViewMut { data: scores, row_stride: keys },
                    view(&q[from..]),
                    view(&k[from..]).transposed(),
                    (rows, width, keys),
                    scale,
                    false,
                    Threads::One,
                );
                for (i, row) in scores.chunks_exact_mut(keys).enumerate() {
                    if causal {
                        row[(first + i + 1).min(keys)..].fill(f32::NEG_INFINITY);
                    }
                    if let Some(hidden) = hidden {
                        for (s, &h) in row.iter_mut().zip(hidden) {
                            if h {
                                *s = f32::NEG_INFINITY;
                            }
                        }
                    }
                }
                pulp::Arch::new().dispatch(|| {
                    for row in scores.chunks_exact_mut(keys) {
                        softmax(row);
                    }
                });
                product(
                    ViewMut { data: &mut out[from..], row_stride: channels },
                    View::rows(scores, keys),
                    view(&v[from..]),
                    (rows, keys, width),
                    1.0,
                    false,
                    Threads::One,
                );
            }
        },
    );
    !cancel.is_requested()
}

/// Exponentials of each row, divided by their sum. A hidden key (-inf) gets a weight below 1e-37 of the largest.
#[inline(always)]
fn softmax(row: &mut [f32]) {
    const LANES: usize = 16;
    let (whole, rest) = row.as_chunks::<LANES>();
    let mut most = [f32::NEG_INFINITY; LANES];
    for chunk in whole {
        for (m, &v) in most.iter_mut().zip(chunk) {
            // Not `f32::max`, which is slower for minding NaN; a NaN comes out through the sum all the same.
            *m = if v > *m { v } else { *m };
        }
    }
    let most = most.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
    let most = if most == f32::NEG_INFINITY { 0.0 } else { most };
    let (whole, rest) = row.as_chunks_mut::<LANES>();
    let mut sums = [0.0f32; LANES];
    for chunk in whole {
        for (v, s) in chunk.iter_mut().zip(&mut sums) {
            *v = math::exp(*v - most);
            *s += *v;
        }
    }
    let mut sum = sums.iter().sum::<f32>();
    for v in rest {
        *v = math::exp(*v - most);
        sum += *v;
    }
    let inverse = 1.0 / sum;
    for v in row.iter_mut() {
        *v *= inverse;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::math::tests::pseudo_random;

    fn plain(q: &[f32], k: &[f32], v: &[f32], s: Shape, hidden: &[bool], causal: bool) -> Vec<f32> {
        let c = s.heads * s.width;
        let mut out = vec![0.0; q.len()];
        for b in 0..s.batch {
            for h in 0..s.heads {
                for i in 0..s.queries {
                    let dot = |j: usize| -> f64 {
                        let (a, b) = ((b * s.queries + i) * c + h * s.width, (b * s.keys + j) * c + h * s.width);
                        (0..s.width).map(|d| f64::from(q[a + d]) * f64::from(k[b + d])).sum()
                    };
                    let seen = |j: usize| !hidden[b * s.keys + j] && (!causal || j <= i);
                    let e: Vec<f64> = (0..s.keys)
                        .map(|j| if seen(j) { (dot(j) / (s.width as f64).sqrt()).exp() } else { 0.0 })
                        .collect();
                    let sum: f64 = e.iter().sum();
                    for d in 0..s.width {
                        let at = |j: usize| f64::from(v[(b * s.keys + j) * c + h * s.width + d]);
                        out[(b * s.queries + i) * c + h * s.width + d] =
                            ((0..s.keys).map(|j| e[j] * at(j)).sum::<f64>() / sum) as f32;
                    }
                }
            }
        }
        out
    }

    #[test]
    fn blocks_give_what_the_whole_matrix_gives() {
        for (batch, queries, keys, heads, width) in
            [(1, 1, 1, 1, 1), (2, 130, 77, 3, 8), (1, 64, 200, 2, 40), (2, 65, 5, 1, 16)]
        {
            let shape = Shape { batch, queries, keys, heads, width };
            let c = heads * width;
            let (q, k, v) = (
                pseudo_random(batch * queries * c, 1),
                pseudo_random(batch * keys * c, 2),
                pseudo_random(batch * keys * c, 3),
            );
            let hidden: Vec<bool> = (0..batch * keys).map(|j| j % 3 == 1).collect();
            for causal in [false, true] {
                let mut out = vec![0.0; q.len()];
                assert!(attention(&mut out, (&q, &k, &v), shape, Some(&hidden), causal, &Cancel::new()));
                for (a, b) in out.iter().zip(plain(&q, &k, &v, shape, &hidden, causal)) {
                    assert!((a - b).abs() < 1e-5, "{shape:?}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn a_request_to_cancel_is_honoured() {
        let cancel = Cancel::new();
        cancel.request();
        let shape = Shape { batch: 1, queries: 4, keys: 4, heads: 1, width: 4 };
        let x = vec![0.0; 16];
        assert!(!attention(&mut [0.0; 16], (&x, &x, &x), shape, None, false, &cancel));
    }
}
