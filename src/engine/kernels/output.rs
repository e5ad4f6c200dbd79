//! Rows as the next kernel wants them: f32, bf16, or bytes with a scale and an offset a row.

use super::element::round16;
use super::packed::quantise::quantise_rows;
use super::vectorise::dispatch;
use super::{Isa, Stop};
use half::bf16;
use rayon::prelude::*;

/// Where rows of results go.
pub enum Output<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [bf16]),
    /// value ≈ offset + scale · byte, with `scale` and `offset` one a row (see [`super::packed::quantise`]).
    Bytes {
        data: &'a mut [u8],
        scale: &'a mut [f32],
        offset: &'a mut [f32],
    },
}

impl<'a> Output<'a> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(x) => x.len(),
            Self::Bf16(x) => x.len(),
            Self::Bytes { data, .. } => data.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same in parts of `rows` rows of `columns` elements.
    fn parts(self, rows: usize, columns: usize) -> Vec<Output<'a>> {
        match self {
            Self::F32(x) => x.chunks_mut(rows * columns).map(Output::F32).collect(),
            Self::Bf16(x) => x.chunks_mut(rows * columns).map(Output::Bf16).collect(),
            Self::Bytes { data, scale, offset } => {
                let sides = scale.chunks_mut(rows).zip(offset.chunks_mut(rows));
                data.chunks_mut(rows * columns)
                    .zip(sides)
                    .map(|(data, (scale, offset))| Output::Bytes { data, scale, offset })
                    .collect()
            }
        }
    }
}

/// Elements that one task makes: some tens of microseconds.
const TASK: usize = 1 << 16;

/// Makes all rows of `out`: `fill(r, row)` writes row r in f32. `fill` must be `#[inline(always)]`.
pub fn emit(
    out: Output<'_>,
    columns: usize,
    isa: Isa,
    stop: Stop<'_>,
    fill: impl Fn(usize, &mut [f32]) + Sync,
) -> bool {
    if columns == 0 || out.is_empty() {
        return !stop();
    }
    assert!(out.len().is_multiple_of(columns), "rows are not whole");
    if let Output::Bytes { data, scale, offset } = &out {
        let rows = data.len() / columns;
        assert!(scale.len() == rows && offset.len() == rows, "one scale and offset a row");
    }
    let rows = (TASK / columns).max(1);
    out.parts(rows, columns).into_par_iter().enumerate().for_each_init(
        || vec![0.0f32; columns],
        |line, (part, out)| {
            if stop() {
                return;
            }
            let first = part * rows;
            dispatch(
                isa,
                #[inline(always)]
                || match out {
                    Output::F32(out) => {
                        for (r, row) in out.chunks_exact_mut(columns).enumerate() {
                            fill(first + r, row);
                        }
                    }
                    Output::Bf16(out) => {
                        for (r, row) in out.chunks_exact_mut(columns).enumerate() {
                            fill(first + r, line);
                            narrow(row, line);
                        }
                    }
                    Output::Bytes { data, scale, offset } => {
                        let sides = scale.chunks_exact_mut(1).zip(offset.chunks_exact_mut(1));
                        for (r, (row, (scale, offset))) in data.chunks_exact_mut(columns).zip(sides).enumerate() {
                            fill(first + r, line);
                            quantise_rows(row, scale, offset, line, columns, None, isa);
                        }
                    }
                },
            );
        },
    );
    !stop()
}

/// To bf16, to nearest, ties to even.
#[inline(always)]
pub fn narrow(out: &mut [bf16], x: &[f32]) {
    for (o, &v) in out.iter_mut().zip(x) {
        *o = bf16::from_bits(round16(v));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::GO;
    use crate::engine::kernels::testing::noise;

    #[test]
    fn bytes_give_each_value_back_within_half_a_step() {
        for isa in Isa::available() {
            for (rows, columns) in [(1, 1), (3, 31), (70, 320), (2, 1023), (5, 64)] {
                let mut x = noise(rows * columns, 4);
                let bend = |(i, v): (usize, &mut f32)| *v = *v * (1 + i / columns) as f32 + (i / columns % 3) as f32;
                x.iter_mut().enumerate().for_each(bend);
                let (mut data, mut scale, mut offset) = (vec![0u8; x.len()], vec![0.0; rows], vec![0.0; rows]);
                let out = Output::Bytes { data: &mut data, scale: &mut scale, offset: &mut offset };
                assert!(emit(out, columns, isa, GO, |r, row| row.copy_from_slice(&x[r * columns..][..columns])));
                for (i, (byte, v)) in data.iter().zip(&x).enumerate() {
                    let (scale, offset) = (scale[i / columns], offset[i / columns]);
                    let back = offset + scale * f32::from(*byte);
                    assert!((back - v).abs() <= scale * 0.51, "{isa:?} {back} {v}");
                }
            }
        }
    }

    #[test]
    fn narrowing_is_to_nearest_even_on_every_path() {
        let mut x = noise(1003, 1);
        x.extend([1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, -0.0, f32::INFINITY, f32::MAX, f32::NAN, 1e-40]);
        for isa in Isa::available() {
            let mut out = vec![bf16::ZERO; x.len()];
            assert!(emit(Output::Bf16(&mut out), x.len(), isa, GO, |_, row| row.copy_from_slice(&x)));
            for (a, b) in out.iter().zip(&x) {
                let b = bf16::from_f32(*b);
                assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{isa:?} {a} {b}");
            }
        }
    }
}
