//! Every path against the sum written out in f64.

use super::*;
use crate::engine::kernels::GO;
use crate::engine::kernels::element::Data;
use crate::engine::kernels::testing::{bf16s, noise};

struct Case {
    batch: usize,
    queries: usize,
    keys: usize,
    heads: usize,
    width: usize,
}

/// AVX-512 with all that the kernels know of.
const ALL: Isa = Isa::Avx512 { bf16: true, vnni: true };
/// NEON with the same.
const ALL_OF_NEON: Isa = Isa::Neon { bf16: true, dot: true, i8mm: true };

/// The definition.
fn plain(q: &[f32], k: &[f32], v: &[f32], s: &Case, hidden: &[bool], causal: bool) -> Vec<f32> {
    let c = s.heads * s.width;
    let mut out = vec![0.0; q.len()];
    for b in 0..s.batch {
        for h in 0..s.heads {
            for i in 0..s.queries {
                let at = |row: usize| row * c + h * s.width;
                let dot = |j: usize| -> f64 {
                    let (a, b) = (at(b * s.queries + i), at(b * s.keys + j));
                    (0..s.width).map(|d| f64::from(q[a + d]) * f64::from(k[b + d])).sum::<f64>()
                        / (s.width as f64).sqrt()
                };
                let seen: Vec<usize> =
                    (0..s.keys).filter(|&j| !hidden[b * s.keys + j] && (!causal || j <= i)).collect();
                let most = seen.iter().map(|&j| dot(j)).fold(f64::MIN, f64::max);
                let e: Vec<f64> = seen.iter().map(|&j| (dot(j) - most).exp()).collect();
                let sum: f64 = e.iter().sum();
                for d in 0..s.width {
                    let value = |j: usize| f64::from(v[at(b * s.keys + j) + d]);
                    let total: f64 = seen.iter().zip(&e).map(|(&j, e)| e * value(j)).sum();
                    out[at(b * s.queries + i) + d] = if seen.is_empty() { 0.0 } else { (total / sum) as f32 };
                }
            }
        }
    }
    out
}

const CASES: [Case; 11] = [
    Case { batch: 1, queries: 1, keys: 1, heads: 1, width: 1 },
    Case { batch: 2, queries: 130, keys: 77, heads: 3, width: 8 },
    Case { batch: 1, queries: 64, keys: 200, heads: 2, width: 40 },
    Case { batch: 1, queries: 100, keys: 193, heads: 2, width: 80 },
    Case { batch: 2, queries: 17, keys: 385, heads: 1, width: 160 },
    Case { batch: 2, queries: 65, keys: 5, heads: 1, width: 16 },
    Case { batch: 1, queries: 33, keys: 31, heads: 5, width: 7 },
    Case { batch: 1, queries: 48, keys: 12, heads: 2, width: 64 },
    Case { batch: 1, queries: 70, keys: 400, heads: 1, width: 512 },
    Case { batch: 3, queries: 3, keys: 2, heads: 2, width: 3 },
    Case { batch: 1, queries: 20, keys: 1000, heads: 1, width: 41 },
];

/// Each path, what it works in, and how far it may be off where values lie in (-1, 1).
fn paths() -> Vec<(Isa, Precision, f32)> {
    let mut paths: Vec<_> = Isa::available().into_iter().map(|isa| (isa, Precision::F32, 3e-6)).collect();
    if ALL.is_available() {
        paths.push((ALL, Precision::Bf16, 1e-2));
        paths.push((ALL, Precision::Bytes, 3e-2));
    }
    if ALL_OF_NEON.is_available() {
        paths.push((ALL_OF_NEON, Precision::Bf16, 1e-2));
    }
    paths
}

#[test]
fn blocks_give_what_the_whole_matrix_gives() {
    for (seed, case) in CASES.iter().enumerate() {
        let Case { batch, queries, keys, heads, width } = *case;
        let c = heads * width;
        let seed = seed as u64 * 10;
        // Scores as wide as trained ones: several units.
        let q: Vec<f32> = noise(batch * queries * c, seed + 1).iter().map(|v| v * 4.0).collect();
        let (k, v) = (noise(batch * keys * c, seed + 2), noise(batch * keys * c, seed + 3));
        for (mask, causal) in [(false, false), (true, false), (true, true), (false, true)] {
            let hidden: Vec<bool> = (0..batch * keys).map(|j| mask && j % 3 == 1).collect();
            let exact = plain(&q, &k, &v, case, &hidden, causal);
            for (isa, precision, tolerance) in paths() {
                let rows = |x| Rows::dense(Data::F32(x), c);
                let shape = KeyShape { batch, keys, heads, width };
                let kv = PackedKv::new((rows(&k), rows(&v)), shape, mask.then_some(&hidden[..]), precision, isa);
                let mut out = vec![f32::NAN; q.len()];
                assert!(attention(DataMut::F32(&mut out), rows(&q), &kv, queries, causal, GO));
                for (a, b) in out.iter().zip(&exact) {
                    assert!((a - b).abs() < tolerance, "{isa:?} {precision:?} {shape:?} {queries} {causal}: {a} {b}");
                }
            }
        }
    }
}

#[test]
fn slices_of_one_tensor_and_bf16_are_taken_as_they_are() {
    let (batch, tokens, heads, width) = (2, 37, 2, 24);
    let c = heads * width;
    let fused = noise(batch * tokens * 3 * c, 9);
    let narrow = bf16s(&fused);
    let wide: Vec<f32> = narrow.iter().map(|v| v.to_f32()).collect();
    let part = |i: usize| -> Vec<f32> { wide.chunks(3 * c).flat_map(|row| row[i * c..][..c].to_vec()).collect() };
    let case = Case { batch, queries: tokens, keys: tokens, heads, width };
    let exact = plain(&part(0), &part(1), &part(2), &case, &vec![false; batch * tokens], false);
    let shape = KeyShape { batch, keys: tokens, heads, width };
    for (isa, precision, tolerance) in paths() {
        let rows = |i: usize| Rows { data: Data::Bf16(&narrow), first: i * c, stride: 3 * c };
        let kv = PackedKv::new((rows(1), rows(2)), shape, None, precision, isa);
        let mut out = bf16s(&vec![0.0; batch * tokens * c]);
        assert!(attention(DataMut::Bf16(&mut out), rows(0), &kv, tokens, false, GO));
        for (a, b) in out.iter().zip(&exact) {
            assert!((a.to_f32() - b).abs() < tolerance + 4e-3 * b.abs(), "{isa:?} {precision:?}: {a} {b}");
        }
    }
}

#[test]
fn references_move_where_scores_climb_or_lie_far_away() {
    // Scores that climb by thousands over the keys, that start at the greatest, and that all lie far below zero.
    let (queries, keys, width) = (40, 450, 4);
    let ramps: [&dyn Fn(usize) -> f32; 3] = [&|j| j as f32 * 7.0, &|j| -(j as f32) * 0.5, &|j| -900.0 + (j % 7) as f32];
    for ramp in ramps {
        let q = vec![1.0; queries * width];
        let k: Vec<f32> = (0..keys * width).map(|i| ramp(i / width) * 0.5).collect();
        let v = noise(keys * width, 3);
        let case = Case { batch: 1, queries, keys, heads: 1, width };
        let hidden = vec![false; keys];
        for causal in [false, true] {
            let exact = plain(&q, &k, &v, &case, &hidden, causal);
            for (isa, precision, _) in paths() {
                let rows = |x| Rows::dense(Data::F32(x), width);
                let shape = KeyShape { batch: 1, keys, heads: 1, width };
                let kv = PackedKv::new((rows(&k), rows(&v)), shape, None, precision, isa);
                let mut out = vec![f32::NAN; q.len()];
                assert!(attention(DataMut::F32(&mut out), rows(&q), &kv, queries, causal, GO));
                // bf16 keys of 900 are off by up to 4, so there only that it is finite and a mean of the values.
                for (a, b) in out.iter().zip(&exact) {
                    let fine = if precision == Precision::F32 { (a - b).abs() < 2e-3 } else { a.abs() <= 1.01 };
                    assert!(fine, "{isa:?} {precision:?}: {a} {b}");
                }
            }
        }
    }
}

#[test]
fn queries_that_see_nothing_get_zeros_and_nan_stays() {
    let (n, width) = (20, 6);
    for (isa, precision, _) in paths() {
        let x = noise(n * width, 4);
        let rows = |x| Rows::dense(Data::F32(x), width);
        let shape = KeyShape { batch: 1, keys: n, heads: 1, width };
        let kv = PackedKv::new((rows(&x), rows(&x)), shape, Some(&[true; 20]), precision, isa);
        let mut out = vec![1.0; n * width];
        assert!(attention(DataMut::F32(&mut out), rows(&x), &kv, n, false, GO));
        assert!(out.iter().all(|v| *v == 0.0));
        // Query 0 sees key 0 only, and that one is hidden.
        let mut hidden = [false; 20];
        hidden[0] = true;
        let kv = PackedKv::new((rows(&x), rows(&x)), shape, Some(&hidden), precision, isa);
        assert!(attention(DataMut::F32(&mut out), rows(&x), &kv, n, true, GO));
        assert!(out[..width].iter().all(|v| *v == 0.0) && out[width] != 0.0);
        let mut bad = x.clone();
        bad[0] = f32::NAN;
        let kv = PackedKv::new((rows(&x), rows(&x)), shape, None, precision, isa);
        assert!(attention(DataMut::F32(&mut out), rows(&bad), &kv, n, false, GO));
        assert!(out[..width].iter().all(|v| v.is_nan()) && !out[width].is_nan(), "{isa:?} {precision:?} {out:?}");
        let kv = PackedKv::new((rows(&bad), rows(&x)), shape, None, precision, isa);
        assert!(attention(DataMut::F32(&mut out), rows(&x), &kv, n, false, GO));
        assert!(out.iter().all(|v| v.is_nan()), "{isa:?} {precision:?} {out:?}");
    }
}

#[test]
fn a_request_to_stop_is_honoured() {
    let x = vec![0.0; 16];
    let rows = Rows::dense(Data::F32(&x), 4);
    let shape = KeyShape { batch: 1, keys: 4, heads: 1, width: 4 };
    let kv = PackedKv::new((rows, rows), shape, None, Precision::F32, Isa::best());
    assert!(!attention(DataMut::F32(&mut [0.0; 16]), rows, &kv, 4, false, &|| true));
}

#[test]
#[should_panic(expected = "too short")]
fn short_keys_are_refused() {
    let rows = Rows::dense(Data::F32(&[0.0; 15]), 4);
    PackedKv::new((rows, rows), KeyShape { batch: 1, keys: 4, heads: 1, width: 4 }, None, Precision::F32, Isa::best());
}
