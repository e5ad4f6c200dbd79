//! Moves of memory, of elements of any kind: NCHW to NHWC and back, joining by channels.

use crate::engine::kernels::Stop;
use rayon::prelude::*;

/// Bytes that one task moves.
const TASK: usize = 1 << 19;

/// Rows of `bytes` bytes that one task takes.
fn rows_of(bytes: usize) -> usize {
    (TASK / bytes.max(1)).max(1)
}

/// `out[b, j, i] = x[b, i, j]` for each of the batch: [rows, columns] to [columns, rows], in cache-sized squares. With
/// rows = channels and columns = height·width it takes NCHW to NHWC; the other way round, back.
pub fn transpose<T: Copy + Send + Sync>(
    out: &mut [T],
    x: &[T],
    (rows, columns): (usize, usize),
    stop: Stop<'_>,
) -> bool {
    const SIDE: usize = 16;
    assert!(out.len() == x.len(), "transpose: result of another size");
    let size = rows * columns;
    if size == 0 {
        return !stop();
    }
    assert!(x.len().is_multiple_of(size), "transpose: matrices are not whole");
    let band = rows_of(rows * size_of::<T>()).next_multiple_of(SIDE);
    let bands = out.chunks_exact_mut(size).zip(x.chunks_exact(size));
    let bands: Vec<_> =
        bands.flat_map(|(out, x)| out.chunks_mut(band * rows).enumerate().map(move |(i, o)| (i, o, x))).collect();
    bands.into_par_iter().for_each(|(index, out, x)| {
        if stop() {
            return;
        }
        for (strip, out) in out.chunks_mut(SIDE * rows).enumerate() {
            let first = index * band + strip * SIDE;
            let width = out.len() / rows;
            for top in (0..rows).step_by(SIDE) {
                let bottom = (top + SIDE).min(rows);
                for (j, out) in out.chunks_exact_mut(rows).enumerate().take(width) {
                    for (i, o) in (top..bottom).zip(&mut out[top..bottom]) {
                        *o = x[i * columns + first + j];
                    }
                }
            }
        }
    });
    !stop()
}

/// Joins rows side by side: each part is rows of so many columns.
pub fn concat<T: Copy + Send + Sync>(out: &mut [T], parts: &[(&[T], usize)], stop: Stop<'_>) -> bool {
    let columns: usize = parts.iter().map(|p| p.1).sum();
    if columns == 0 || out.is_empty() {
        return !stop();
    }
    let rows = out.len() / columns;
    assert!(out.len() == rows * columns, "concat: rows are not whole");
    assert!(parts.iter().all(|(x, n)| x.len() == rows * n), "concat: parts of other lengths");
    let band = rows_of(columns * size_of::<T>());
    out.par_chunks_mut(band * columns).enumerate().for_each(|(i, out)| {
        if stop() {
            return;
        }
        for (r, out) in out.chunks_exact_mut(columns).enumerate() {
            let mut from = 0;
            for (x, n) in parts {
                out[from..from + n].copy_from_slice(&x[(i * band + r) * n..][..*n]);
                from += n;
            }
        }
    });
    !stop()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::GO;

    #[test]
    fn transposing_twice_is_nothing() {
        for (batch, rows, columns) in [(2, 45, 70), (1, 1, 5), (3, 16, 16), (1, 320, 1023), (2, 3, 4000)] {
            let x: Vec<f32> = (0..batch * rows * columns).map(|v| v as f32).collect();
            let (mut once, mut twice) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            assert!(transpose(&mut once, &x, (rows, columns), GO));
            for (i, v) in once.iter().enumerate() {
                let (b, r, c) = (i / (rows * columns), i % rows, i / rows % columns);
                assert_eq!(*v, x[b * rows * columns + r * columns + c]);
            }
            assert!(transpose(&mut twice, &once, (columns, rows), GO));
            assert_eq!(twice, x);
        }
    }

    #[test]
    fn parts_lie_side_by_side() {
        let mut out = [0u8; 12];
        assert!(concat(&mut out, &[(&[1, 2, 3, 4, 5, 6, 7, 8], 2), (&[11, 12, 13, 14], 1)], GO));
        assert_eq!(out, [1, 2, 11, 3, 4, 12, 5, 6, 13, 7, 8, 14]);
    }

    #[test]
    fn a_request_to_stop_is_honoured() {
        assert!(!transpose(&mut [0; 4], &[1; 4], (2, 2), &|| true));
        assert!(!concat(&mut [0; 2], &[(&[1, 2], 1)], &|| true));
    }
}
