//! Two-dimensional convolution of NCHW tensors: tiles of output pixels, each as one matrix product of the weights with
//! the pixels' neighbourhoods (im2col of a tile only, so the extra memory is a few megabytes).

use super::Cancel;
use super::matmul::{Threads, View, ViewMut, product};
use rayon::prelude::*;

/// Sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    pub in_channels: usize,
    pub out_channels: usize,
    pub height: usize,
    pub width: usize,
    /// Side of the square kernel.
    pub kernel: usize,
    pub stride: usize,
    /// Zeros before the first row and column.
    pub pad_before: usize,
    /// Zeros after the last row and column.
    pub pad_after: usize,
}

impl Geometry {
    pub fn out_height(&self) -> usize {
        (self.height + self.pad_before + self.pad_after).saturating_sub(self.kernel) / self.stride + 1
    }

    pub fn out_width(&self) -> usize {
        (self.width + self.pad_before + self.pad_after).saturating_sub(self.kernel) / self.stride + 1
    }
}

/// Floats in a tile's neighbourhoods: 8 MiB.
const TILE_FLOATS: usize = 1 << 21;

/// `out = weight * x + bias`: x [batch, in, height, width], weight [out, in, kernel, kernel].
pub fn conv2d(out: &mut [f32], x: &[f32], weight: &[f32], bias: Option<&[f32]>, g: Geometry, cancel: &Cancel) -> bool {
    let pixels = g.out_height() * g.out_width();
    let depth = g.in_channels * g.kernel * g.kernel;
    let (in_size, out_size) = (g.in_channels * g.height * g.width, g.out_channels * pixels);
    assert!(weight.len() == g.out_channels * depth, "conv2d: weights");
    if in_size == 0 || out_size == 0 {
        return true;
    }
    let plain = g.kernel == 1 && g.stride == 1 && g.pad_before == 0 && g.pad_after == 0;
    let tile = (TILE_FLOATS / depth).clamp(64, 1 << 14).min(pixels);
    let mut columns = if plain { Vec::new() } else { vec![0.0f32; depth * tile] };
    for (out, x) in out.chunks_exact_mut(out_size).zip(x.chunks_exact(in_size)) {
        if let Some(bias) = bias {
            for (plane, b) in out.chunks_exact_mut(pixels).zip(bias) {
                plane.fill(*b);
            }
        }
        for first in (0..pixels).step_by(tile) {
            if cancel.is_requested() {
                return false;
            }
            let n = tile.min(pixels - first);
            let b = if plain {
                View { data: &x[first..], row_stride: pixels, col_stride: 1 }
            } else {
                gather(&mut columns[..depth * n], x, g, first, n);
                View::rows(&columns[..depth * n], n)
            };
            product(
                ViewMut { data: &mut out[first..], row_stride: pixels },
                View::rows(weight, depth),
                b,
                (g.out_channels, depth, n),
                1.0,
                bias.is_some(),
                Threads::All,
            );
        }
    }
    true
}

/// Fills `columns[depth, n]` with what the kernel sees at output pixels `first..first + n`.
fn gather(columns: &mut [f32], x: &[f32], g: Geometry, first: usize, n: usize) {
    let out_width = g.out_width();
    let taps = g.kernel * g.kernel;
    columns.par_chunks_mut(n * taps).enumerate().for_each(|(channel, columns)| {
        let plane = &x[channel * g.height * g.width..][..g.height * g.width];
        for (tap, row) in columns.chunks_exact_mut(n).enumerate() {
            let (dy, dx) = (tap / g.kernel, tap % g.kernel);
            let mut pixel = first;
            let mut rest = row;
            while !rest.is_empty() {
                let (oy, ox) = (pixel / out_width, pixel % out_width);
                let run = (out_width - ox).min(rest.len());
                let (piece, tail) = rest.split_at_mut(run);
                gather_row(piece, plane, g, oy * g.stride + dy, ox * g.stride + dx);
                rest = tail;
                pixel += run;
            }
        }
    });
}

/// One run of output pixels in a row; `y`, `x0` are input coordinates with the padding counted.
fn gather_row(out: &mut [f32], plane: &[f32], g: Geometry, y: usize, x0: usize) {
    let Some(y) = y.checked_sub(g.pad_before).filter(|y| *y < g.height) else {
        out.fill(0.0);
        return;
    };
    let row = &plane[y * g.width..][..g.width];
    if g.stride == 1 {
        let blank = g.pad_before.saturating_sub(x0).min(out.len());
        let (left, rest) = out.split_at_mut(blank);
        left.fill(0.0);
        let from = (x0 + blank).saturating_sub(g.pad_before).min(g.width);
        let (inside, right) = rest.split_at_mut((g.width - from).min(rest.len()));
        inside.copy_from_slice(&row[from..from + inside.len()]);
        right.fill(0.0);
    } else {
        for (i, o) in out.iter_mut().enumerate() {
            let at = (x0 + i * g.stride).checked_sub(g.pad_before);
            *o = at.and_then(|at| row.get(at)).copied().unwrap_or(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::math::tests::pseudo_random;

    fn plain(x: &[f32], w: &[f32], bias: &[f32], g: Geometry, batch: usize) -> Vec<f32> {
        let (oh, ow, k) = (g.out_height(), g.out_width(), g.kernel);
        let mut out = Vec::new();
        for b in 0..batch {
            for (o, bias) in bias.iter().enumerate() {
                for y in 0..oh {
                    for xo in 0..ow {
                        let mut sum = f64::from(*bias);
                        for c in 0..g.in_channels {
                            for dy in 0..k {
                                for dx in 0..k {
                                    let iy = (y * g.stride + dy) as isize - g.pad_before as isize;
                                    let ix = (xo * g.stride + dx) as isize - g.pad_before as isize;
                                    if iy < 0 || ix < 0 || iy >= g.height as isize || ix >= g.width as isize {
                                        continue;
                                    }
                                    let xi = ((b * g.in_channels + c) * g.height + iy as usize) * g.width + ix as usize;
                                    let wi = ((o * g.in_channels + c) * k + dy) * k + dx;
                                    sum += f64::from(x[xi]) * f64::from(w[wi]);
                                }
                            }
                        }
                        out.push(sum as f32);
                    }
                }
            }
        }
        out
    }

    #[test]
    fn tiles_give_what_the_definition_gives() {
        let case = |in_channels, out_channels, height, width, kernel, stride, pad_before, pad_after| Geometry {
            in_channels,
            out_channels,
            height,
            width,
            kernel,
            stride,
            pad_before,
            pad_after,
        };
        for g in [
            case(3, 5, 9, 7, 3, 1, 1, 1),
            case(4, 2, 8, 8, 3, 2, 1, 1),
            case(4, 3, 8, 6, 3, 2, 0, 1),
            case(7, 4, 5, 11, 1, 1, 0, 0),
            case(1, 1, 1, 1, 3, 1, 1, 1),
            case(2, 3, 90, 131, 3, 1, 1, 1),
        ] {
            let x = pseudo_random(2 * g.in_channels * g.height * g.width, 1);
            let w = pseudo_random(g.out_channels * g.in_channels * g.kernel * g.kernel, 2);
            let bias = pseudo_random(g.out_channels, 3);
            let mut out = vec![0.0; 2 * g.out_channels * g.out_height() * g.out_width()];
            assert!(conv2d(&mut out, &x, &w, Some(&bias), g, &Cancel::new()));
            for (a, b) in out.iter().zip(plain(&x, &w, &bias, g, 2)) {
                assert!((a - b).abs() < 1e-4, "{g:?}");
            }
            let cancel = Cancel::new();
            cancel.request();
            assert!(!conv2d(&mut out, &x, &w, Some(&bias), g, &cancel), "{g:?}");
        }
    }
}
