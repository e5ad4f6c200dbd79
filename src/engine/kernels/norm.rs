//! Group norm (optionally with SiLU) and layer norm. Sums in f64 per chunk of f32 sums, so that large groups stay exact.

use super::math;
use rayon::prelude::*;

/// Mean and 1/sqrt(variance + eps) of a slice.
#[inline(always)]
fn moments(x: &[f32], eps: f64) -> (f32, f32) {
    const LANES: usize = 16;
    let n = x.len() as f64;
    let sum_of = |f: &dyn Fn(f32) -> f32| -> f64 {
        let mut total = 0.0f64;
        for chunk in x.chunks(4096) {
            let mut lanes = [0.0f32; LANES];
            let whole = chunk.chunks_exact(LANES);
            let rest: f32 = whole.remainder().iter().map(|&v| f(v)).sum();
            for piece in whole {
                for (lane, &v) in lanes.iter_mut().zip(piece) {
                    *lane += f(v);
                }
            }
            total += lanes.iter().map(|&v| f64::from(v)).sum::<f64>() + f64::from(rest);
        }
        total
    };
    let mean = (sum_of(&|v| v) / n) as f32;
    let variance = sum_of(&|v| (v - mean) * (v - mean)) / n;
    (mean, (1.0 / (variance + eps).sqrt()) as f32)
}

/// How a group norm divides and what it does besides.
#[derive(Clone, Copy, Debug)]
pub struct Groups {
    pub count: usize,
    pub eps: f64,
    /// Values of a channel.
    pub pixels: usize,
    /// SiLU afterwards.
    pub silu: bool,
}

/// Group norm of a [batch, channels, pixels] tensor.
pub fn group_norm(out: &mut [f32], x: &[f32], (weight, bias): (&[f32], &[f32]), norm: Groups) {
    let Groups { count: groups, eps, pixels, silu } = norm;
    let channels = weight.len() / groups.max(1);
    let size = channels * pixels;
    if size == 0 {
        return;
    }
    out.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate().for_each(|(index, (out, x))| {
        let first = (index % groups) * channels;
        pulp::Arch::new().dispatch(|| {
            let (mean, inverse) = moments(x, eps);
            let parameters = weight.iter().zip(bias).skip(first);
            for ((out, x), (w, b)) in out.chunks_exact_mut(pixels).zip(x.chunks_exact(pixels)).zip(parameters) {
                let scale = w * inverse;
                let shift = b - mean * scale;
                if silu {
                    for (o, v) in out.iter_mut().zip(x) {
                        *o = math::silu(v * scale + shift);
                    }
                } else {
                    for (o, v) in out.iter_mut().zip(x) {
                        *o = v * scale + shift;
                    }
                }
            }
        });
    });
}

/// Layer norm over rows of `weight.len()` values.
pub fn layer_norm(out: &mut [f32], x: &[f32], weight: &[f32], bias: &[f32], eps: f64) {
    let n = weight.len();
    if n == 0 {
        return;
    }
    const ROWS: usize = 32;
    out.par_chunks_mut(n * ROWS).zip(x.par_chunks(n * ROWS)).for_each(|(out, x)| {
        pulp::Arch::new().dispatch(|| {
            for (out, x) in out.chunks_exact_mut(n).zip(x.chunks_exact(n)) {
                let (mean, inverse) = moments(x, eps);
                for (((o, v), w), b) in out.iter_mut().zip(x).zip(weight).zip(bias) {
                    *o = (v - mean) * inverse * w + b;
                }
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::math::tests::pseudo_random;

    #[test]
    fn groups_come_out_with_mean_zero_and_variance_one() {
        let (groups, channels, pixels) = (3, 6, 35);
        let x: Vec<f32> = pseudo_random(2 * channels * pixels, 5).iter().map(|v| v * 3.0 + 7.0).collect();
        let mut out = vec![0.0; x.len()];
        let norm = |silu| Groups { count: groups, eps: 0.0, pixels, silu };
        group_norm(&mut out, &x, (&[1.0; 6], &[0.0; 6]), norm(false));
        for group in out.chunks(channels / groups * pixels) {
            let n = group.len() as f32;
            let mean = group.iter().sum::<f32>() / n;
            let variance = group.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n;
            assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-4);
        }
        let plain = out.clone();
        group_norm(&mut out, &x, (&[1.0; 6], &[0.0; 6]), norm(true));
        for (a, b) in out.iter().zip(&plain) {
            assert!((a - b / (1.0 + (-b).exp())).abs() < 1e-6);
        }
    }

    #[test]
    fn layer_norm_scales_and_shifts_each_row() {
        let x = pseudo_random(40 * 9, 6);
        let (w, b) = (pseudo_random(9, 7), pseudo_random(9, 8));
        let mut out = vec![0.0; x.len()];
        layer_norm(&mut out, &x, &w, &b, 1e-5);
        for (row, x) in out.chunks(9).zip(x.chunks(9)) {
            let mean = x.iter().sum::<f32>() / 9.0;
            let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 9.0;
            for i in 0..9 {
                assert!((row[i] - ((x[i] - mean) / (variance + 1e-5).sqrt() * w[i] + b[i])).abs() < 1e-5);
            }
        }
    }
}
