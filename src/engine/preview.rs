//! What a latent would look like, without the decoder: one matrix from latent channels to RGB, fitted to the VAE in use.

use crate::base::Extent;
use crate::imaging::Pixmap;
use serde::{Deserialize, Serialize};

/// RGB = `bias` + `matrix` · latent, in [-1, 1]; the latent is scaled as the UNet sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearPreview {
    /// One row of three factors a latent channel.
    pub matrix: Vec<[f32; 3]>,
    pub bias: [f32; 3],
}

impl LinearPreview {
    /// Least squares over samples: `latents` is `[samples][channels]`, `colours` the RGB (in [-1, 1]) beside each. A
    /// small ridge keeps the answer finite when channels depend on each other.
    pub fn fit(channels: usize, latents: &[f32], colours: &[[f32; 3]]) -> Self {
        let n = channels + 1;
        let mut normal = vec![0.0f64; n * n];
        let mut right = vec![[0.0f64; 3]; n];
        for (latent, colour) in latents.chunks_exact(channels.max(1)).zip(colours) {
            let row: Vec<f64> = latent.iter().map(|&v| f64::from(v)).chain([1.0]).collect();
            for (i, a) in row.iter().enumerate() {
                for (j, b) in row.iter().enumerate() {
                    normal[i * n + j] += a * b;
                }
                for (sum, c) in right[i].iter_mut().zip(colour) {
                    *sum += a * f64::from(*c);
                }
            }
        }
        let ridge = 1e-6 * colours.len() as f64 + 1e-12;
        for i in 0..n {
            normal[i * n + i] += ridge;
        }
        solve(&mut normal, &mut right, n);
        let row = |v: &[f64; 3]| v.map(|c| c as f32);
        let bias = right.pop().map_or([0.0; 3], |v| row(&v));
        Self { matrix: right.iter().map(row).collect(), bias }
    }

    /// Draws one latent [channels, height, width]: one pixel a latent pixel, opaque. Values that are no number are grey.
    pub fn draw(&self, latent: &[f32], width: u32, height: u32) -> Pixmap {
        let mut picture = Pixmap::new(Extent::new(width, height));
        let pixels = width as usize * height as usize;
        for (i, out) in picture.rgba_mut().chunks_exact_mut(4).enumerate() {
            let mut colour = self.bias;
            for (plane, factors) in latent.chunks_exact(pixels.max(1)).zip(&self.matrix) {
                let value = plane.get(i).copied().unwrap_or(0.0);
                for (c, f) in colour.iter_mut().zip(factors) {
                    *c += value * f;
                }
            }
            let byte = |c: f32| if c.is_finite() { ((c + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8 } else { 128 };
            out.copy_from_slice(&[byte(colour[0]), byte(colour[1]), byte(colour[2]), 255]);
        }
        picture
    }
}

/// Gauss elimination with pivots of an n×n system with three right sides; the answers replace `right`.
fn solve(matrix: &mut [f64], right: &mut [[f64; 3]], n: usize) {
    for column in 0..n {
        let pivot = (column..n).max_by(|&a, &b| {
            let size = |r: usize| matrix[r * n + column].abs();
            size(a).total_cmp(&size(b))
        });
        let pivot = pivot.unwrap_or(column);
        if matrix[pivot * n + column] == 0.0 {
            continue;
        }
        for j in 0..n {
            matrix.swap(column * n + j, pivot * n + j);
        }
        right.swap(column, pivot);
        for row in (0..n).filter(|&r| r != column) {
            let factor = matrix[row * n + column] / matrix[column * n + column];
            for j in column..n {
                matrix[row * n + j] -= factor * matrix[column * n + j];
            }
            let of_column = right[column];
            for (c, of_column) in right[row].iter_mut().zip(of_column) {
                *c -= factor * of_column;
            }
        }
    }
    for row in 0..n {
        let diagonal = matrix[row * n + row];
        for c in &mut right[row] {
            *c = if diagonal == 0.0 { 0.0 } else { *c / diagonal };
        }
    }
}

/// Pictures with all hues, lights and edges, to fit a preview on: RGB planes [3, side, side] in [-1, 1].
pub fn test_pictures(side: usize) -> Vec<Vec<f32>> {
    let at = |f: &dyn Fn(f32, f32) -> [f32; 3]| {
        let mut planes = vec![0.0; 3 * side * side];
        for y in 0..side {
            for x in 0..side {
                let colour = f(x as f32 / side as f32, y as f32 / side as f32);
                for (plane, c) in planes.chunks_exact_mut(side * side).zip(colour) {
                    plane[y * side + x] = c.clamp(-1.0, 1.0);
                }
            }
        }
        planes
    };
    let hue = |h: f32| [0.0, 1.0 / 3.0, 2.0 / 3.0].map(|o| (std::f32::consts::TAU * (h + o)).cos());
    let blocks = |x: f32, y: f32| ((x * 8.0) as usize, (y * 8.0) as usize);
    vec![
        at(&|x, y| hue(x).map(|c| c * (1.0 - y) + (2.0 * y - 1.0) * y)),
        at(&|x, y| [2.0 * x - 1.0, 2.0 * y - 1.0, 1.0 - x - y]),
        at(&|x, y| {
            let (i, j) = blocks(x, y);
            [i * 3 + j * 5, i * 7 + j * 2, i * 5 + j * 11].map(|v| (v % 8) as f32 / 3.5 - 1.0)
        }),
        at(&|x, y| {
            let (i, j) = blocks(x, y);
            hue((i * 8 + j) as f32 / 64.0).map(|c| c * 0.7 + ((i + j) % 5) as f32 / 5.0 - 0.4)
        }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linear_truth_is_found() {
        let truth = LinearPreview { matrix: vec![[0.3, -0.1, 0.2], [0.0, 0.5, -0.4]], bias: [0.1, 0.2, -0.3] };
        let latents: Vec<f32> = (0..200).map(|i| ((i * 37 % 101) as f32 / 50.0) - 1.0).collect();
        let colours: Vec<[f32; 3]> = latents
            .chunks(2)
            .map(|z| [0, 1, 2].map(|c| truth.bias[c] + z[0] * truth.matrix[0][c] + z[1] * truth.matrix[1][c]))
            .collect();
        let found = LinearPreview::fit(2, &latents, &colours);
        for (a, b) in
            found.matrix.iter().flatten().chain(&found.bias).zip(truth.matrix.iter().flatten().chain(&truth.bias))
        {
            assert!((a - b).abs() < 1e-3, "{found:?}");
        }
    }

    #[test]
    fn nothing_to_fit_and_nan_are_survived() {
        let preview = LinearPreview::fit(4, &[], &[]);
        let picture = preview.draw(&[f32::NAN; 16], 2, 2);
        assert!(picture.pixel(0, 0).is_some());
    }
}
