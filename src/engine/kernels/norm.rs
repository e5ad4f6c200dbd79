//! Group norm of NHWC activations and layer norm of rows, with what follows them: SiLU, a factor per channel, and
//! rounding to bf16 or to bytes.
//!
//! Statistics of a group: for each run of up to `RUN` pixels, sums per channel of x − pivot and of its square, in f32,
//! where the pivot is the mean of the run's first few pixels (so that no large mean swallows the variance); runs are
//! joined in f64, in the same order whatever the number of threads.

use crate::engine::kernels::element::{Data, Float};
use crate::engine::kernels::math;
use crate::engine::kernels::output::{Output, emit};
use crate::engine::kernels::vectorise::dispatch;
use crate::engine::kernels::{Isa, Stop};
use rayon::prelude::*;

/// Pixels whose sums are kept in f32.
const RUN: usize = 64;
/// Pixels that the pivot is the mean of.
const PIVOT: usize = 8;

/// Some of the channels of an activation: [batch·pixels, channels].
#[derive(Clone, Copy)]
pub struct Part<'a> {
    pub data: Data<'a>,
    pub channels: usize,
}

/// A group norm and what is done after it.
#[derive(Clone, Copy)]
pub struct GroupNorm<'a> {
    pub groups: usize,
    pub eps: f64,
    /// One a channel.
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    /// SiLU afterwards.
    pub silu: bool,
    /// A factor for each channel after that (smoothing before quantisation).
    pub factor: Option<&'a [f32]>,
}

/// Number, mean and sum of squared differences from it.
#[derive(Clone, Copy, Default)]
struct Moments {
    n: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Those of both sets together (Chan, Golub and LeVeque 1979).
    fn and(self, other: Self) -> Self {
        let n = self.n + other.n;
        if n == 0.0 {
            return self;
        }
        let apart = other.mean - self.mean;
        Self {
            n,
            mean: self.mean + apart * other.n / n,
            squares: self.squares + other.squares + apart * apart * self.n * other.n / n,
        }
    }
}

/// Sums of a run, one a channel.
struct Sums {
    pivot: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Sums {
    fn new(channels: usize) -> Self {
        Self { pivot: vec![0.0; channels], first: vec![0.0; channels], second: vec![0.0; channels] }
    }

    /// The sums of `x`, some pixels of `channels` channels, at `at` of the vectors.
    #[inline(always)]
    fn take<E: Float>(&mut self, x: &[E], channels: usize, at: usize) {
        if channels == 0 {
            return;
        }
        let pivot = &mut self.pivot[at..at + channels];
        let (first, second) = (&mut self.first[at..at + channels], &mut self.second[at..at + channels]);
        pivot.fill(0.0);
        first.fill(0.0);
        second.fill(0.0);
        let few = PIVOT.min(x.len() / channels);
        for row in x.chunks_exact(channels).take(few) {
            for (p, v) in pivot.iter_mut().zip(row) {
                *p += v.to_f32();
            }
        }
        let inverse = 1.0 / few as f32;
        pivot.iter_mut().for_each(|p| *p *= inverse);
        // Four rows at a time, so that the sums are loaded and stored a quarter as often.
        let mut fours = x.chunks_exact(4 * channels);
        for four in &mut fours {
            let (a, b) = four.split_at(2 * channels);
            let ((a, b), (c, d)) = (a.split_at(channels), b.split_at(channels));
            for i in 0..channels {
                let p = pivot[i];
                let (a, b, c, d) = (a[i].to_f32() - p, b[i].to_f32() - p, c[i].to_f32() - p, d[i].to_f32() - p);
                first[i] += (a + b) + (c + d);
                second[i] += (a * a + b * b) + (c * c + d * d);
            }
        }
        for row in fours.remainder().chunks_exact(channels) {
            for i in 0..channels {
                let a = row[i].to_f32() - pivot[i];
                first[i] += a;
                second[i] += a * a;
            }
        }
    }

    /// The moments of the channels `range` over `n` pixels.
    fn moments(&self, range: std::ops::Range<usize>, n: usize) -> Moments {
        let (n, count) = (n as f64, (n * range.len()) as f64);
        let each = || range.clone().map(|c| (self.pivot[c].into(), self.first[c].into(), self.second[c].into()));
        let total: f64 = each().map(|(p, s, _): (f64, f64, f64)| n * p + s).sum();
        let mean = total / count;
        let squares = each().map(|(p, s, q): (f64, f64, f64)| q + (p - mean) * (2.0 * s + n * (p - mean))).sum();
        Moments { n: count, mean, squares }
    }
}

/// What a group norm found in each picture, and so does to each of its channels: scale · (x − centre) + shift, with the
/// centre apart so that nothing cancels where the mean is large.
pub struct Statistics {
    centre: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

/// Group norm of [batch, pixels, channels], where the channels are those of `parts` side by side (one part, or the two
/// that a skip connection joins). `out` has rows of all channels.
pub fn group_norm(
    out: Output<'_>,
    parts: &[Part<'_>],
    (batch, pixels): (usize, usize),
    norm: GroupNorm<'_>,
    isa: Isa,
    stop: Stop<'_>,
) -> bool {
    match statistics(parts, (batch, pixels), norm, isa, stop) {
        Some(statistics) => apply(out, parts, (0, pixels), &statistics, norm, isa, stop),
        None => false,
    }
}

/// The first half of [`group_norm`]: the statistics of all pixels. None when stopped.
pub fn statistics(
    parts: &[Part<'_>],
    (batch, pixels): (usize, usize),
    norm: GroupNorm<'_>,
    isa: Isa,
    stop: Stop<'_>,
) -> Option<Statistics> {
    let channels: usize = parts.iter().map(|p| p.channels).sum();
    let GroupNorm { groups, eps, weight, bias, factor, .. } = norm;
    assert!(weight.len() == channels && bias.len() == channels, "group norm: parameters");
    assert!(factor.is_none_or(|f| f.len() == channels), "group norm: factors");
    assert!(groups > 0 && channels.is_multiple_of(groups), "group norm: groups");
    assert!(parts.iter().all(|p| p.data.len() == batch * pixels * p.channels), "group norm: input");
    let runs = pixels.div_ceil(RUN);
    let size = channels / groups;
    let mut moments = vec![Moments::default(); batch * runs * groups];
    moments.par_chunks_mut(groups).enumerate().for_each_init(
        || Sums::new(channels),
        |sums, (i, moments)| {
            if stop() {
                return;
            }
            let (b, start) = (i / runs, i % runs * RUN);
            let n = RUN.min(pixels - start);
            let mut at = 0;
            for part in parts {
                let range = (b * pixels + start) * part.channels..(b * pixels + start + n) * part.channels;
                dispatch(
                    isa,
                    #[inline(always)]
                    || match part.data {
                        Data::F32(x) => sums.take(&x[range], part.channels, at),
                        Data::Bf16(x) => sums.take(&x[range], part.channels, at),
                    },
                );
                at += part.channels;
            }
            for (g, moments) in moments.iter_mut().enumerate() {
                *moments = sums.moments(g * size..(g + 1) * size, n);
            }
        },
    );
    if stop() {
        return None;
    }
    let size_of = batch * channels;
    let (mut centre, mut scale, mut shift) = (vec![0.0f32; size_of], vec![0.0f32; size_of], vec![0.0f32; size_of]);
    for b in 0..batch {
        for g in 0..groups {
            let all = (0..runs).fold(Moments::default(), |all, run| all.and(moments[(b * runs + run) * groups + g]));
            let inverse = 1.0 / (all.squares / all.n + eps).sqrt();
            for c in g * size..(g + 1) * size {
                let factor = f64::from(weight[c]) * inverse;
                let i = b * channels + c;
                (centre[i], scale[i]) = (all.mean as f32, factor as f32);
                shift[i] = (f64::from(bias[c]) - (all.mean - f64::from(centre[i])) * factor) as f32;
            }
        }
    }
    Some(Statistics { centre, scale, shift })
}

/// The second half of [`group_norm`], for some of its pixels: `parts` and `out` hold those alone. They begin in the
/// picture `first` of the batch, and each picture has `pixels`; a piece of one picture is like a picture of fewer.
pub fn apply(
    out: Output<'_>,
    parts: &[Part<'_>],
    (first, pixels): (usize, usize),
    statistics: &Statistics,
    norm: GroupNorm<'_>,
    isa: Isa,
    stop: Stop<'_>,
) -> bool {
    let channels: usize = parts.iter().map(|p| p.channels).sum();
    assert!(norm.weight.len() == channels, "group norm: parameters");
    let rows = out.len().checked_div(channels).unwrap_or(0);
    assert!(out.len() == rows * channels, "group norm: result");
    assert!(parts.iter().all(|p| p.data.len() == rows * p.channels), "group norm: input");
    let Statistics { centre, scale, shift } = statistics;
    let GroupNorm { silu, factor, .. } = norm;
    emit(
        out,
        channels,
        isa,
        stop,
        #[inline(always)]
        |r, row| {
            let at = (first + r / pixels) * channels;
            let mut from = 0;
            for part in parts {
                let to = from + part.channels;
                let range = at + from..at + to;
                let (row, affine) =
                    (&mut row[from..to], (&centre[range.clone()], &scale[range.clone()], &shift[range]));
                match part.data {
                    Data::F32(x) => scale_and_shift(row, &x[r * part.channels..][..part.channels], affine, silu),
                    Data::Bf16(x) => scale_and_shift(row, &x[r * part.channels..][..part.channels], affine, silu),
                }
                from = to;
            }
            if let Some(factor) = factor {
                row.iter_mut().zip(factor).for_each(|(v, f)| *v *= f);
            }
        },
    )
}

#[inline(always)]
fn scale_and_shift<E: Float>(out: &mut [f32], x: &[E], (centre, scale, shift): (&[f32], &[f32], &[f32]), silu: bool) {
    let parameters = centre.iter().zip(scale).zip(shift);
    let affine = x.iter().zip(parameters).map(|(v, ((c, a), b))| (v.to_f32() - c) * a + b);
    if silu {
        out.iter_mut().zip(affine).for_each(|(o, y)| *o = math::silu(y));
    } else {
        out.iter_mut().zip(affine).for_each(|(o, y)| *o = y);
    }
}

/// Layer norm of rows of `weight.len()` elements, each then times `factor` of its column where that is given.
pub fn layer_norm(
    out: Output<'_>,
    x: Data<'_>,
    (weight, bias): (&[f32], &[f32]),
    eps: f64,
    factor: Option<&[f32]>,
    isa: Isa,
    stop: Stop<'_>,
) -> bool {
    let n = weight.len();
    assert!(bias.len() == n && factor.is_none_or(|f| f.len() == n), "layer norm: parameters");
    assert!(x.len() == out.len(), "layer norm: result");
    emit(
        out,
        n,
        isa,
        stop,
        #[inline(always)]
        |r, row| {
            match x {
                Data::F32(x) => standardise(row, &x[r * n..][..n], eps),
                Data::Bf16(x) => standardise(row, &x[r * n..][..n], eps),
            }
            for ((v, w), b) in row.iter_mut().zip(weight).zip(bias) {
                *v = *v * w + b;
            }
            if let Some(factor) = factor {
                row.iter_mut().zip(factor).for_each(|(v, f)| *v *= f);
            }
        },
    )
}

/// Less the mean, over the root of variance + eps.
#[inline(always)]
fn standardise<E: Float>(out: &mut [f32], x: &[E], eps: f64) {
    const LANES: usize = 32;
    for (o, v) in out.iter_mut().zip(x) {
        *o = v.to_f32();
    }
    let n = out.len() as f64;
    let (whole, rest) = out.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for chunk in whole {
        for i in 0..LANES {
            lanes[i] += chunk[i];
        }
    }
    let sum = |values: &[f32]| values.iter().map(|&v| f64::from(v)).sum::<f64>();
    let mean = ((sum(&lanes) + sum(rest)) / n) as f32;
    let mut lanes = [0.0f32; LANES];
    for chunk in whole {
        for i in 0..LANES {
            let d = chunk[i] - mean;
            lanes[i] += d * d;
        }
    }
    let rest: f64 = rest.iter().map(|&v| f64::from((v - mean) * (v - mean))).sum();
    let inverse = (1.0 / ((sum(&lanes) + rest) / n + eps).sqrt()) as f32;
    for o in out.iter_mut() {
        *o = (*o - mean) * inverse;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::GO;
    use crate::engine::kernels::testing::{bf16s, noise};
    use half::bf16;

    fn silu(x: f64) -> f64 {
        x / (1.0 + (-x).exp())
    }

    /// The definition in f64, [batch, pixels, channels].
    fn plain(x: &[f32], (batch, pixels, channels): (usize, usize, usize), norm: &GroupNorm<'_>) -> Vec<f64> {
        let size = channels / norm.groups;
        let mut out = vec![0.0; x.len()];
        for b in 0..batch {
            for g in 0..norm.groups {
                let at = |i: usize| (b * pixels + i / size) * channels + g * size + i % size;
                let n = (pixels * size) as f64;
                let mean = (0..pixels * size).map(|i| f64::from(x[at(i)])).sum::<f64>() / n;
                let variance = (0..pixels * size).map(|i| (f64::from(x[at(i)]) - mean).powi(2)).sum::<f64>() / n;
                for i in 0..pixels * size {
                    let c = at(i) % channels;
                    let y = (f64::from(x[at(i)]) - mean) / (variance + norm.eps).sqrt() * f64::from(norm.weight[c]);
                    let y = y + f64::from(norm.bias[c]);
                    let y = if norm.silu { silu(y) } else { y };
                    out[at(i)] = y * norm.factor.map_or(1.0, |f| f64::from(f[c]));
                }
            }
        }
        out
    }

    #[test]
    fn groups_meet_the_definition_on_every_path_and_in_every_output() {
        for (batch, pixels, a, b, groups) in
            [(1, 1, 4, 0, 2), (2, 65, 30, 10, 4), (1, 200, 33, 31, 32), (2, 129, 320, 0, 32), (3, 7, 5, 1, 3)]
        {
            let channels = a + b;
            // A mean of tens and a spread that differs between channels.
            let mut x = noise(batch * pixels * channels, 5);
            x.iter_mut()
                .enumerate()
                .for_each(|(i, v)| *v = *v * (1 + i % channels % 5) as f32 + (i % channels) as f32 / 4.0);
            let narrow = bf16s(&x);
            let split = |from: usize, to: usize| -> Vec<f32> {
                x.chunks(channels).flat_map(|row| row[from..to].to_vec()).collect()
            };
            let (left, right) = (split(0, a), split(a, channels));
            let right16 = bf16s(&right);
            let (w, bias, f) = (noise(channels, 6), noise(channels, 7), noise(channels, 8));
            for silu in [false, true] {
                let factor = silu.then_some(&f[..]);
                let norm = GroupNorm { groups, eps: 1e-5, weight: &w, bias: &bias, silu, factor };
                let exact = plain(&x, (batch, pixels, channels), &norm);
                let exact16 =
                    plain(&narrow.iter().map(|v| v.to_f32()).collect::<Vec<_>>(), (batch, pixels, channels), &norm);
                for isa in Isa::available() {
                    let whole = [Part { data: Data::F32(&x), channels }];
                    let whole16 = [Part { data: Data::Bf16(&narrow), channels }];
                    let two =
                        [Part { data: Data::F32(&left), channels: a }, Part { data: Data::F32(&right), channels: b }];
                    for (parts, exact) in [(&whole[..], &exact), (&two[..], &exact), (&whole16[..], &exact16)] {
                        let mut out = vec![f32::NAN; x.len()];
                        assert!(group_norm(Output::F32(&mut out), parts, (batch, pixels), norm, isa, GO));
                        for (o, e) in out.iter().zip(exact) {
                            assert!((f64::from(*o) - e).abs() < 1e-5 * (1.0 + e.abs()), "{isa:?} {o} {e}");
                        }
                        let mut out = vec![bf16::NAN; x.len()];
                        assert!(group_norm(Output::Bf16(&mut out), parts, (batch, pixels), norm, isa, GO));
                        for (o, e) in out.iter().zip(exact) {
                            assert!((o.to_f64() - e).abs() < 1e-5 + e.abs() / 250.0, "{isa:?} {o} {e}");
                        }
                        let (rows, mut data) = (batch * pixels, vec![0u8; x.len()]);
                        let (mut scale, mut offset) = (vec![0.0; rows], vec![0.0; rows]);
                        let out = Output::Bytes { data: &mut data, scale: &mut scale, offset: &mut offset };
                        assert!(group_norm(out, parts, (batch, pixels), norm, isa, GO));
                        for (i, e) in exact.iter().enumerate() {
                            let (scale, offset) = (f64::from(scale[i / channels]), f64::from(offset[i / channels]));
                            let back = offset + scale * f64::from(data[i]);
                            assert!((back - e).abs() <= scale * 0.6 + 1e-6, "{isa:?} {back} {e}");
                        }
                    }
                    let mixed = [two[0], Part { data: Data::Bf16(&right16), channels: b }];
                    let mut out = vec![f32::NAN; x.len()];
                    assert!(group_norm(Output::F32(&mut out), &mixed, (batch, pixels), norm, isa, GO));
                    assert!(out.iter().zip(&exact).all(|(o, e)| (f64::from(*o) - e).abs() < 0.3));
                }
            }
        }
    }

    #[test]
    fn a_large_mean_does_not_swallow_the_variance() {
        let (pixels, channels) = (4096, 8);
        for offset in [0.0f32, 300.0, -5000.0] {
            let x: Vec<f32> = noise(pixels * channels, 3).iter().map(|v| v * 0.5 + offset).collect();
            let ones = [1.0; 8];
            let norm = GroupNorm { groups: 2, eps: 1e-6, weight: &ones, bias: &[0.0; 8], silu: false, factor: None };
            let exact = plain(&x, (1, pixels, channels), &norm);
            for isa in Isa::available() {
                let mut out = vec![0.0; x.len()];
                assert!(group_norm(
                    Output::F32(&mut out),
                    &[Part { data: Data::F32(&x), channels }],
                    (1, pixels),
                    norm,
                    isa,
                    GO
                ));
                // The mean itself is exact only to a rounding of f32, and 1/spread is 3.
                let allowed = 1e-5;
                let most = out.iter().zip(&exact).map(|(o, e)| (f64::from(*o) - e).abs()).fold(0.0, f64::max);
                assert!(most < allowed, "{isa:?} {offset}: {most}");
            }
        }
    }

    #[test]
    fn layer_norm_meets_the_definition_on_every_path() {
        for (rows, n) in [(1, 1), (40, 9), (70, 320), (3, 1283), (9, 33)] {
            let x: Vec<f32> = noise(rows * n, 6).iter().map(|v| v * 3.0 + 2.0).collect();
            let (w, b, f) = (noise(n, 7), noise(n, 8), noise(n, 9));
            for isa in Isa::available() {
                let mut out = vec![f32::NAN; x.len()];
                assert!(layer_norm(Output::F32(&mut out), Data::F32(&x), (&w, &b), 1e-5, Some(&f), isa, GO));
                for (row, x) in out.chunks(n).zip(x.chunks(n)) {
                    let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / n as f64;
                    let variance = x.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n as f64;
                    for i in 0..n {
                        let y = (f64::from(x[i]) - mean) / (variance + 1e-5).sqrt() * f64::from(w[i]) + f64::from(b[i]);
                        assert!((f64::from(row[i]) - y * f64::from(f[i])).abs() < 1e-5, "{isa:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_request_to_stop_is_honoured() {
        let norm = GroupNorm { groups: 1, eps: 0.0, weight: &[1.0], bias: &[0.0], silu: false, factor: None };
        let x = [Part { data: Data::F32(&[1.0, 2.0]), channels: 1 }];
        assert!(!group_norm(Output::F32(&mut [0.0; 2]), &x, (1, 2), norm, Isa::best(), &|| true));
    }
}
