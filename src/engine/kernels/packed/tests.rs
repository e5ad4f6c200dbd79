//! Products of every instruction set and precision against sums by the definition in f64.

use super::product::{Tuning, conv_tuned};
use super::*;
use crate::engine::kernels::Isa;
use crate::engine::kernels::Stop;
use crate::engine::kernels::math::gelu;
use crate::engine::kernels::math::tests::pseudo_random;
use half::bf16;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Activations as a product sees them, so that only the arithmetic is compared: rounded to bf16, or to bytes.
enum Held {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
    Int8(Quantised),
}

impl Held {
    fn new(x: &[f32], k: usize, precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32(x.to_vec()),
            Precision::Bf16 => Self::Bf16(x.iter().map(|x| bf16::from_f32(*x)).collect()),
            Precision::Int8 => {
                let mut quantised = Quantised::new();
                quantised.fill(x, k, None, Isa::Portable);
                Self::Int8(quantised)
            }
        }
    }

    fn input(&self) -> Input<'_> {
        match self {
            Self::F32(x) => Input::F32(x),
            Self::Bf16(x) => Input::Bf16(x),
            Self::Int8(x) => Input::Int8(x.view()),
        }
    }

    fn values(&self) -> Vec<f32> {
        match self {
            Self::F32(x) => x.clone(),
            Self::Bf16(x) => x.iter().map(|x| x.to_f32()).collect(),
            Self::Int8(x) => x.to_f32(),
        }
    }
}

/// Weights [n, k, taps] as packing rounds them.
fn rounded(weights: &[f32], n: usize, precision: Precision) -> Vec<f32> {
    let depth = weights.len() / n;
    let row = |row: &[f32]| -> Vec<f32> {
        let scale = row.iter().fold(0.0f32, |a, w| a.max(w.abs())) / 127.0;
        let round = |w: &f32| match precision {
            Precision::F32 => *w,
            Precision::Bf16 => bf16::from_f32(*w).to_f32(),
            Precision::Int8 => (w / scale).round_ties_even() * scale,
        };
        row.iter().map(round).collect()
    };
    weights.chunks_exact(depth).flat_map(row).collect()
}

/// The convolution by its definition: [out rows, n].
fn definition(x: &[f32], w: &[f32], g: Geometry, k: usize, n: usize) -> Vec<f64> {
    let (height, width) = g.enlarge.unwrap_or((g.height, g.width));
    let mut out = Vec::new();
    for row in 0..g.out_rows() {
        let (b, y, xo) = (row / g.out_pixels(), row % g.out_pixels() / g.out_width(), row % g.out_width());
        for o in 0..n {
            let mut sum = 0.0;
            for tap in 0..g.kernel * g.kernel {
                let iy = (y * g.stride + tap / g.kernel) as isize - g.pad_before as isize;
                let ix = (xo * g.stride + tap % g.kernel) as isize - g.pad_before as isize;
                if iy < 0 || ix < 0 || iy >= height as isize || ix >= width as isize {
                    continue;
                }
                let (iy, ix) = (iy as usize * g.height / height, ix as usize * g.width / width);
                let pixel = &x[((b * g.height + iy) * g.width + ix) * k..][..k];
                for (c, x) in pixel.iter().enumerate() {
                    sum += f64::from(*x) * f64::from(w[(o * k + c) * g.kernel * g.kernel + tap]);
                }
            }
            out.push(sum);
        }
    }
    out
}

fn close(ours: &[f32], exact: &[f64], depth: usize, rounding: f64, what: &str) {
    assert_eq!(ours.len(), exact.len(), "{what}");
    let tolerance = 1e-6 * (depth as f64).sqrt() * 4.0 + 1e-5;
    for (i, (a, b)) in ours.iter().zip(exact).enumerate() {
        let bound = tolerance + rounding * b.abs();
        assert!((f64::from(*a) - b).abs() <= bound, "{what}, element {i}: {a} should be {b}");
    }
}

const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::Bf16, Precision::Int8];
const GO_ON: Stop<'static> = &|| false;

fn check(g: Geometry, k: usize, n: usize, tuning: Tuning) {
    let taps = g.kernel * g.kernel;
    let x = pseudo_random(g.in_rows() * k, 1);
    let w = pseudo_random(n * k * taps, 2);
    let bias = pseudo_random(n, 3);
    for precision in PRECISIONS {
        let held = Held::new(&x, k, precision);
        let sums = definition(&held.values(), &rounded(&w, n, precision), g, k, n);
        let exact: Vec<f64> = sums.iter().enumerate().map(|(i, v)| v + f64::from(bias[i % n])).collect();
        for isa in Isa::available() {
            let what = format!("{g:?} k {k} n {n} {precision:?} {isa:?}");
            let packed = PackedWeights::from_slice(Spec { taps, ..Spec::linear(precision, isa, n, k) }, &w);
            for isa in [isa, Isa::Portable] {
                let mut out = vec![f32::NAN; exact.len()];
                let epilogue = Epilogue::bias(&bias);
                assert!(conv_tuned(Out::rows(&mut out, n), held.input(), &packed, g, &epilogue, isa, GO_ON, tuning));
                close(&out, &exact, k * taps, 0.0, &what);
                let mut halves = vec![bf16::NAN; exact.len()];
                let epilogue = Epilogue::bias(&bias);
                assert!(conv_tuned(Out::rows(&mut halves, n), held.input(), &packed, g, &epilogue, isa, GO_ON, tuning));
                let halves: Vec<f32> = halves.iter().map(|h| h.to_f32()).collect();
                close(&halves, &exact, k * taps, 1.0 / 255.0, &what);
            }
        }
    }
}

#[test]
fn linear_layers_of_any_size() {
    for (m, k, n) in
        [(1, 1, 1), (5, 2, 17), (7, 3, 64), (13, 5, 65), (200, 33, 100), (6, 320, 48), (31, 7, 200), (3, 777, 130)]
    {
        check(Geometry::linear(m), k, n, Tuning::default());
        check(Geometry::linear(m), k, n, Tuning { depth: 8, rows: 12, columns: 64 });
    }
}

#[test]
fn convolutions_of_any_size() {
    let same = Geometry::same3x3;
    for (g, k, n) in [
        (same(2, 5, 7), 4, 20),
        (same(1, 1, 1), 3, 1),
        (same(1, 9, 4), 9, 70),
        (same(2, 13, 11), 21, 33),
        (Geometry { stride: 2, ..same(2, 8, 6) }, 5, 17),
        (Geometry { stride: 2, ..same(1, 7, 9) }, 8, 64),
        (Geometry { stride: 2, pad_before: 0, pad_after: 1, ..same(1, 8, 6) }, 6, 16),
        (Geometry { enlarge: Some((10, 14)), ..same(2, 5, 7) }, 6, 16),
        (Geometry { enlarge: Some((9, 13)), ..same(1, 5, 7) }, 5, 18),
        (Geometry { kernel: 1, stride: 2, pad_before: 0, pad_after: 0, ..same(1, 5, 7) }, 5, 18),
        (Geometry { kernel: 5, pad_before: 2, pad_after: 2, ..same(1, 6, 5) }, 3, 10),
    ] {
        check(g, k, n, Tuning::default());
        check(g, k, n, Tuning { depth: 2, rows: 6, columns: 16 });
    }
}

#[test]
fn random_sizes() {
    let numbers = pseudo_random(400, 9);
    let mut at = 0;
    let mut next = |below: usize| {
        at += 1;
        ((numbers[at] + 1.0) / 2.0 * below as f32) as usize
    };
    for _ in 0..25 {
        let g = Geometry {
            batch: 1 + next(2),
            height: 2 + next(9),
            width: 2 + next(9),
            kernel: 1 + 2 * next(2),
            stride: 1 + next(2),
            pad_before: next(2),
            pad_after: 1 + next(2),
            pad_lines: None,
            enlarge: None,
        };
        let g = if next(3) == 0 {
            Geometry { enlarge: Some((g.height + next(g.height), g.width + next(g.width))), ..g }
        } else {
            g
        };
        let (k, n) = (1 + next(40), 1 + next(150));
        check(g, k, n, Tuning { depth: 1 + next(20), rows: 6 * (1 + next(5)), columns: 16 * (1 + next(12)) });
    }
}

#[test]
fn folding_a_doubling_changes_nothing_but_rounding() {
    for (g, k, n) in
        [(Geometry::same3x3(2, 5, 7), 6, 20), (Geometry::same3x3(1, 1, 3), 4, 1), (Geometry::same3x3(1, 8, 8), 33, 70)]
    {
        let g = Geometry { enlarge: Some((2 * g.height, 2 * g.width)), ..g };
        let (x, w) = (pseudo_random(g.in_rows() * k, 1), pseudo_random(n * k * 9, 2));
        let exact = definition(&x, &w, g, k, n);
        for precision in PRECISIONS {
            let held = Held::new(&x, k, precision);
            for isa in Isa::available() {
                let spec = Spec { doubled: true, ..Spec::conv3x3(precision, isa, n, k) };
                let packed = PackedWeights::from_slice(spec, &w);
                let mut out = vec![f32::NAN; exact.len()];
                assert!(conv(Out::rows(&mut out, n), held.input(), &packed, g, &Epilogue::default(), isa, GO_ON));
                let wrong: f64 = out.iter().zip(&exact).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
                let all: f64 = exact.iter().map(|b| b * b).sum();
                let bound = match precision {
                    Precision::F32 => 1e-6,
                    Precision::Bf16 => 4e-3,
                    Precision::Int8 => 1.5e-2,
                };
                assert!((wrong / all).sqrt() < bound, "{g:?} {precision:?} {isa:?}: {}", (wrong / all).sqrt());
            }
        }
    }
}

#[test]
fn the_epilogue_adds_what_it_says() {
    let (m, k, n, wide) = (30, 12, 70, 100);
    let (x, w) = (pseudo_random(m * k, 1), pseudo_random(n * k, 2));
    let (bias, shift, more) = (pseudo_random(n, 3), pseudo_random(3 * n, 4), pseudo_random(m * wide, 5));
    let sums = definition(&x, &w, Geometry::linear(m), k, n);
    for isa in Isa::available() {
        let packed = PackedWeights::from_slice(Spec::linear(Precision::F32, isa, n, k), &w);
        for residual in [Residual::None, Residual::Rows { data: &more, stride: wide }, Residual::Output] {
            let epilogue = Epilogue { scale: 0.5, bias: Some(&bias), batch_bias: Some(&shift), residual };
            let mut out = vec![0.25f32; m * wide];
            let target = Out { data: &mut out, stride: wide, first: 30 };
            assert!(linear(target, Input::F32(&x), &packed, &epilogue, isa, GO_ON));
            for i in 0..m {
                assert!(out[i * wide..][..30].iter().all(|v| *v == 0.25), "columns before");
                for j in 0..n {
                    let added = match residual {
                        Residual::None => 0.0,
                        Residual::Rows { .. } => more[i * wide + j],
                        Residual::Output => 0.25,
                    };
                    let exact = 0.5 * (sums[i * n + j] + f64::from(bias[j] + shift[i / 10 * n + j])) + f64::from(added);
                    assert!((f64::from(out[i * wide + 30 + j]) - exact).abs() < 1e-5, "{isa:?} {residual:?}");
                }
            }
        }
    }
}

#[test]
fn gates_close_and_open() {
    for (m, k, half) in [(13, 9, 70), (200, 40, 160), (5, 3, 1)] {
        let (x, w, bias) = (pseudo_random(m * k, 1), pseudo_random(2 * half * k, 2), pseudo_random(2 * half, 3));
        for precision in PRECISIONS {
            let held = Held::new(&x, k, precision);
            let sums = definition(&held.values(), &rounded(&w, 2 * half, precision), Geometry::linear(m), k, 2 * half);
            let at = |i: usize, j: usize| sums[i * 2 * half + j] as f32 + bias[j];
            let exact: Vec<f64> = (0..m * half)
                .map(|i| f64::from(at(i / half, i % half) * gelu(at(i / half, half + i % half))))
                .collect();
            for isa in Isa::available() {
                let spec = Spec { columns: Columns::Gated, ..Spec::linear(precision, isa, 2 * half, k) };
                let packed = PackedWeights::from_slice(spec, &w);
                for depth in [4, 128] {
                    let mut out = vec![f32::NAN; m * half];
                    let tuning = Tuning { depth, ..Tuning::default() };
                    let (g, epilogue) = (Geometry::linear(m), Epilogue::bias(&bias));
                    assert!(conv_tuned(
                        Out::rows(&mut out, half),
                        held.input(),
                        &packed,
                        g,
                        &epilogue,
                        isa,
                        GO_ON,
                        tuning
                    ));
                    close(&out, &exact, 16 * k, 1e-5, &format!("{m} {k} {half} {precision:?} {isa:?}"));
                }
            }
        }
    }
}

#[test]
fn smoothing_tames_outlier_channels() {
    let (m, k, n) = (40, 67, 50);
    let mut x = pseudo_random(m * k, 1);
    x.chunks_exact_mut(k).for_each(|row| row[5] *= 50.0);
    let w = pseudo_random(n * k, 2);
    let smooth: Vec<f32> = (0..k).map(|c| if c == 5 { 0.1 } else { 1.0 }).collect();
    let exact = definition(&x, &w, Geometry::linear(m), k, n);
    for isa in Isa::available() {
        let error = |smooth: Option<&[f32]>| {
            let packed = PackedWeights::from_slice(Spec { smooth, ..Spec::linear(Precision::Int8, isa, n, k) }, &w);
            let mut quantised = Quantised::new();
            quantised.fill(&x, k, packed.smooth(), isa);
            let mut out = vec![f32::NAN; m * n];
            assert!(linear(
                Out::rows(&mut out, n),
                Input::Int8(quantised.view()),
                &packed,
                &Epilogue::default(),
                isa,
                GO_ON
            ));
            let wrong: f64 = out.iter().zip(&exact).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
            (wrong / exact.iter().map(|b| b * b).sum::<f64>()).sqrt()
        };
        let (plain, smoothed) = (error(None), error(Some(&smooth)));
        assert!(plain < 0.015 && smoothed < 0.7 * plain, "{isa:?}: {plain} {smoothed}");
    }
}

/// The instruction sets differ by rounding only, and int8 not even by that before the scales: what one writes to a
/// residual in place, the others write too, at sizes that leave parts of vectors.
#[test]
fn formats_of_the_output_and_residuals_in_place() {
    for n in [1, 15, 16, 17, 33, 64, 79, 130] {
        let (m, k) = (11, 20);
        let (x, w) = (pseudo_random(m * k, 1), pseudo_random(n * k, 2));
        let more = pseudo_random(m * n, 3);
        let sums = definition(&x, &w, Geometry::linear(m), k, n);
        for isa in Isa::available() {
            let packed = PackedWeights::from_slice(Spec::linear(Precision::F32, isa, n, k), &w);
            fn run<O: Float>(more: &[f32], x: &[f32], packed: &PackedWeights, isa: Isa) -> Vec<f32> {
                let base: Vec<O> = more.iter().map(|v| O::from_f32(*v)).collect();
                let n = packed.out_columns();
                let (mut own, mut added) = (base.clone(), vec![O::default(); base.len()]);
                let own_epilogue = Epilogue { residual: Residual::Output, ..Epilogue::default() };
                let added_epilogue =
                    Epilogue { residual: Residual::Rows { data: &base, stride: n }, ..Epilogue::default() };
                assert!(linear(Out::rows(&mut own, n), Input::F32(x), packed, &own_epilogue, isa, GO_ON));
                assert!(linear(Out::rows(&mut added, n), Input::F32(x), packed, &added_epilogue, isa, GO_ON));
                let widen = |v: Vec<O>| v.into_iter().map(|v| v.to_f32()).collect::<Vec<_>>();
                let (own, added) = (widen(own), widen(added));
                assert_eq!(own, added);
                own
            }
            for (ours, rounding) in [
                (run::<f32>(&more, &x, &packed, isa), 0.0),
                (run::<bf16>(&more, &x, &packed, isa), 1.0 / 128.0),
                (run::<half::f16>(&more, &x, &packed, isa), 1.0 / 1024.0),
            ] {
                for ((value, sum), more) in ours.iter().zip(&sums).zip(&more) {
                    let exact = sum + f64::from(*more);
                    let bound = 1e-5 + rounding * (exact.abs() + f64::from(more.abs()));
                    assert!((f64::from(*value) - exact).abs() <= bound, "{isa:?} {n}: {value} {exact}");
                }
            }
        }
    }
}

#[test]
fn a_stop_is_heeded() {
    let (x, w) = (pseudo_random(600 * 64, 1), pseudo_random(64 * 64, 2));
    let packed = PackedWeights::from_slice(Spec::linear(Precision::F32, Isa::best(), 64, 64), &w);
    let asked = AtomicUsize::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) >= 2;
    let mut out = vec![0.0f32; 600 * 64];
    let run = |out: &mut [f32], stop: Stop<'_>| {
        linear(Out::rows(out, 64), Input::F32(&x), &packed, &Epilogue::default(), Isa::best(), stop)
    };
    assert!(!run(&mut out, &stop));
    assert!(out.contains(&0.0));
    assert!(run(&mut out, GO_ON));
}

#[test]
fn nothing_is_nothing() {
    let packed = PackedWeights::from_slice(Spec::linear(Precision::F32, Isa::best(), 3, 2), &[0.0f32; 6]);
    let mut out: [f32; 0] = [];
    assert!(linear(Out::rows(&mut out, 3), Input::F32(&[]), &packed, &Epilogue::default(), Isa::best(), GO_ON));
    let none = PackedWeights::from_slice::<f32>(Spec::linear(Precision::Int8, Isa::best(), 0, 2), &[]);
    assert_eq!(none.as_bytes().len() % 64, 0);
}

#[test]
#[should_panic(expected = "output too short")]
fn short_outputs_are_refused() {
    let packed = PackedWeights::from_slice(Spec::linear(Precision::F32, Isa::best(), 3, 2), &[0.0f32; 6]);
    let mut out = [0.0f32; 5];
    linear(Out::rows(&mut out, 3), Input::F32(&[0.0; 4]), &packed, &Epilogue::default(), Isa::best(), GO_ON);
}
