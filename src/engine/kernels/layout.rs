//! Moves of memory: transposition of feature maps to tokens and back, nearest upsampling.

use rayon::prelude::*;

/// `out[b, j, i] = x[b, i, j]` for each of the batch: [rows, columns] to [columns, rows], in cache-sized squares.
pub fn transpose(out: &mut [f32], x: &[f32], rows: usize, columns: usize) {
    const SIDE: usize = 32;
    if rows == 0 || columns == 0 {
        return;
    }
    let size = rows * columns;
    for (out, x) in out.chunks_exact_mut(size).zip(x.chunks_exact(size)) {
        out.par_chunks_mut(SIDE * rows).enumerate().for_each(|(band, out)| {
            let first = band * SIDE;
            let width = out.len() / rows;
            for top in (0..rows).step_by(SIDE) {
                let bottom = (top + SIDE).min(rows);
                for j in 0..width {
                    for i in top..bottom {
                        out[j * rows + i] = x[i * columns + first + j];
                    }
                }
            }
        });
    }
}

/// Doubles height and width of `planes` by repeating pixels.
pub fn upsample_nearest_2x(out: &mut [f32], x: &[f32], height: usize, width: usize) {
    let size = height * width;
    if size == 0 {
        return;
    }
    out.par_chunks_mut(4 * size).zip(x.par_chunks(size)).for_each(|(out, x)| {
        for (pair, row) in out.chunks_exact_mut(4 * width).zip(x.chunks_exact(width)) {
            let (first, second) = pair.split_at_mut(2 * width);
            for (o, v) in first.chunks_exact_mut(2).zip(row) {
                o.fill(*v);
            }
            second.copy_from_slice(first);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_twice_is_nothing() {
        let x: Vec<f32> = (0..2 * 45 * 70).map(|v| v as f32).collect();
        let (mut once, mut twice) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        transpose(&mut once, &x, 45, 70);
        assert_eq!(once[1], x[70]);
        transpose(&mut twice, &once, 70, 45);
        assert_eq!(twice, x);
    }

    #[test]
    fn upsampling_repeats_each_pixel_four_times() {
        let mut out = vec![0.0; 16];
        upsample_nearest_2x(&mut out, &[1.0, 2.0, 3.0, 4.0], 2, 2);
        assert_eq!(out, [1., 1., 2., 2., 1., 1., 2., 2., 3., 3., 4., 4., 3., 3., 4., 4.]);
    }
}
