//! Matrix products of f32 views with strides: the one door to the `gemm` crate.

use super::Cancel;
use rayon::prelude::*;

/// A matrix that is read: element (i, j) lies at `data[i * row_stride + j * col_stride]`.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub data: &'a [f32],
    pub row_stride: usize,
    pub col_stride: usize,
}

impl<'a> View<'a> {
    /// Rows of `columns` elements, one after the other.
    pub fn rows(data: &'a [f32], columns: usize) -> Self {
        Self { data, row_stride: columns, col_stride: 1 }
    }

    /// The same memory, read as the transposed matrix.
    pub fn transposed(self) -> Self {
        Self { data: self.data, row_stride: self.col_stride, col_stride: self.row_stride }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || columns == 0 || (rows - 1) * self.row_stride + (columns - 1) * self.col_stride < self.data.len()
    }
}

/// A matrix that is written: rows `row_stride` apart, columns beside each other.
pub struct ViewMut<'a> {
    pub data: &'a mut [f32],
    pub row_stride: usize,
}

/// How a product is spread over the cores.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// On the calling thread, for callers that are parallel themselves.
    One,
    /// On the whole pool.
    All,
}

/// `out = scale · a·b` (m×k times k×n), or `out += …` with `accumulate`.
///
/// # Panics
/// If a view is too short for the sizes, or the rows of `out` overlap: a bug of the caller, never a matter of input.
#[allow(clippy::too_many_arguments)]
pub fn product(
    out: ViewMut<'_>,
    a: View<'_>,
    b: View<'_>,
    (m, k, n): (usize, usize, usize),
    scale: f32,
    accumulate: bool,
    threads: Threads,
) {
    assert!(a.holds(m, k) && b.holds(k, n), "matrix views too short");
    assert!(out.row_stride >= n, "rows of the result overlap");
    assert!(m == 0 || n == 0 || (m - 1) * out.row_stride + n <= out.data.len(), "result view too short");
    if m == 0 || n == 0 {
        return;
    }
    let parallelism = match threads {
        Threads::One => gemm::Parallelism::None,
        Threads::All => gemm::Parallelism::Rayon(0),
    };
    multiply(out, a, b, (m, k, n), scale, accumulate, parallelism);
}

#[allow(unsafe_code)]
fn multiply(
    out: ViewMut<'_>,
    a: View<'_>,
    b: View<'_>,
    (m, k, n): (usize, usize, usize),
    scale: f32,
    accumulate: bool,
    parallelism: gemm::Parallelism,
) {
    // SAFETY: `product` has checked that every element which gemm touches, (m-1)·rs + (n-1)·cs and its like, lies in
    // the slices; `out` is borrowed mutably, so it aliases neither `a` nor `b`, and its rows do not overlap; slices
    // are at most isize::MAX bytes long, so the strides fit.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.data.as_mut_ptr(),
            1,
            out.row_stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// Rows that one task multiplies; a task takes some ten milliseconds at the sizes of Stable Diffusion.
const TASK_ROWS: usize = 256;

/// `out[m, n] = x[m, k] · weight[n, k]ᵀ + bias[n]`: a fully connected layer over `m` rows.
pub fn linear(out: &mut [f32], x: &[f32], weight: &[f32], bias: Option<&[f32]>, k: usize, cancel: &Cancel) -> bool {
    if k == 0 {
        return true;
    }
    let n = weight.len() / k;
    if n == 0 {
        return true;
    }
    let rows = TASK_ROWS.min((out.len() / n).div_ceil(rayon::current_num_threads()).max(1));
    out.par_chunks_mut(rows * n).zip(x.par_chunks(rows * k)).for_each(|(out, x)| {
        if cancel.is_requested() {
            return;
        }
        if let Some(bias) = bias {
            for row in out.chunks_exact_mut(n) {
                row.copy_from_slice(bias);
            }
        }
        let m = out.len() / n;
        let view = ViewMut { data: out, row_stride: n };
        let weight = View::rows(weight, k).transposed();
        product(view, View::rows(x, k), weight, (m, k, n), 1.0, bias.is_some(), Threads::One);
    });
    !cancel.is_requested()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::math::tests::pseudo_random;

    #[test]
    fn a_linear_layer_is_the_sum_that_its_name_says() {
        for (m, k, n) in [(1, 1, 1), (3, 5, 7), (300, 33, 17), (5, 64, 128)] {
            let (x, w, b) = (pseudo_random(m * k, 1), pseudo_random(n * k, 2), pseudo_random(n, 3));
            let mut out = vec![0.0; m * n];
            let cancel = Cancel::new();
            cancel.request();
            assert!(!linear(&mut out, &x, &w, Some(&b), k, &cancel));
            assert!(out.iter().all(|value| *value == 0.0), "nothing was done");
            assert!(linear(&mut out, &x, &w, Some(&b), k, &Cancel::new()));
            for i in 0..m {
                for j in 0..n {
                    let sum: f64 = (0..k).map(|l| f64::from(x[i * k + l]) * f64::from(w[j * k + l])).sum();
                    assert!((sum + f64::from(b[j]) - f64::from(out[i * n + j])).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "too short")]
    fn short_views_are_refused() {
        let mut out = [0.0; 4];
        let view = ViewMut { data: &mut out, row_stride: 2 };
        product(view, View::rows(&[0.0; 3], 2), View::rows(&[0.0; 4], 2), (2, 2, 2), 1.0, false, Threads::One);
    }
}
