//! Functions of the value at each place, over rows, with any kind of output.

use crate::engine::kernels::element::{Data, Float};
use crate::engine::kernels::math;
use crate::engine::kernels::output::{Output, emit};
use crate::engine::kernels::{Isa, Stop};

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Nothing: conversion between kinds of elements, and rounding to bytes.
    Same,
    Silu,
    /// The exact (erf) one.
    Gelu,
}

/// `out = f(x)`, rows of `columns`, each then times `factor` of its column where that is given.
pub fn map(
    out: Output<'_>,
    x: Data<'_>,
    columns: usize,
    f: Function,
    factor: Option<&[f32]>,
    isa: Isa,
    stop: Stop<'_>,
) -> bool {
    assert!(x.len() == out.len(), "map: result of another size");
    assert!(factor.is_none_or(|f| f.len() == columns), "map: factors");
    emit(
        out,
        columns,
        isa,
        stop,
        #[inline(always)]
        |r, row| {
            match x {
                Data::F32(x) => apply(row, &x[r * columns..][..columns], f),
                Data::Bf16(x) => apply(row, &x[r * columns..][..columns], f),
            }
            if let Some(factor) = factor {
                row.iter_mut().zip(factor).for_each(|(v, f)| *v *= f);
            }
        },
    )
}

#[inline(always)]
fn apply<E: Float>(out: &mut [f32], x: &[E], f: Function) {
    let each = out.iter_mut().zip(x);
    match f {
        Function::Same => each.for_each(|(o, v)| *o = v.to_f32()),
        Function::Silu => each.for_each(|(o, v)| *o = math::silu(v.to_f32())),
        Function::Gelu => each.for_each(|(o, v)| *o = math::gelu(v.to_f32())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::GO;
    use crate::engine::kernels::testing::{bf16s, noise};
    use half::bf16;

    /// Φ's integral by the series of erf, in f64.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        (sum * 2.0 / std::f64::consts::PI.sqrt()).clamp(-1.0, 1.0)
    }

    fn exact(f: Function, x: f64) -> f64 {
        match f {
            Function::Same => x,
            Function::Silu => x / (1.0 + (-x).exp()),
            Function::Gelu => 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
        }
    }

    #[test]
    fn functions_meet_their_definitions_on_every_path() {
        let (rows, columns) = (11, 67);
        let x: Vec<f32> = noise(rows * columns, 1).iter().map(|v| v * 5.0).collect();
        let factor = noise(columns, 2);
        let narrow = bf16s(&x);
        for isa in Isa::available() {
            for f in [Function::Same, Function::Silu, Function::Gelu] {
                let mut out = vec![0.0; x.len()];
                assert!(map(Output::F32(&mut out), Data::F32(&x), columns, f, Some(&factor), isa, GO));
                for (i, (o, v)) in out.iter().zip(&x).enumerate() {
                    let e = exact(f, f64::from(*v)) * f64::from(factor[i % columns]);
                    assert!((f64::from(*o) - e).abs() < 1e-6, "{isa:?} {f:?} {v}: {o} {e}");
                }
                let mut out = vec![bf16::ZERO; x.len()];
                assert!(map(Output::Bf16(&mut out), Data::Bf16(&narrow), columns, f, None, isa, GO));
                for (o, v) in out.iter().zip(&narrow) {
                    let e = exact(f, v.to_f64());
                    assert!((o.to_f64() - e).abs() < 1e-6 + e.abs() / 250.0, "{isa:?} {f:?} {v}: {o} {e}");
                }
            }
        }
    }
}
