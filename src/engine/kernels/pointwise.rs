//! Functions of one or two values at each place, over rows, with any kind of output.

use crate::engine::kernels::element::{Data, Float};
use crate::engine::kernels::math;
use crate::engine::kernels::output::{Output, emit, widen};
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

/// GEGLU (Shazeer 2020): rows of `x`, 2·`columns` wide, give rows of `columns`: the first half times the exact GELU of
/// the second, and times `factor` of the column where that is given.
pub fn geglu(out: Output<'_>, x: Data<'_>, columns: usize, factor: Option<&[f32]>, isa: Isa, stop: Stop<'_>) -> bool {
    assert!(x.len() == 2 * out.len(), "geglu: result of another size");
    assert!(factor.is_none_or(|f| f.len() == columns), "geglu: factors");
    emit(
        out,
        columns,
        isa,
        stop,
        #[inline(always)]
        |r, row| {
            match x {
                Data::F32(x) => gate(row, &x[2 * r * columns..][..2 * columns]),
                Data::Bf16(x) => gate(row, &x[2 * r * columns..][..2 * columns]),
            }
            if let Some(factor) = factor {
                row.iter_mut().zip(factor).for_each(|(v, f)| *v *= f);
            }
        },
    )
}

#[inline(always)]
fn gate<E: Float>(out: &mut [f32], x: &[E]) {
    let (values, gates) = x.split_at(out.len());
    for ((o, v), g) in out.iter_mut().zip(values).zip(gates) {
        *o = v.to_f32() * math::gelu(g.to_f32());
    }
}

/// `out = a + b`, rows of `columns`. `b` has as many rows as `a`, or fewer, each then for equally many rows of `a` one
/// after the other: one row is a bias, a row for each of the batch a time embedding.
pub fn add(out: Output<'_>, a: Data<'_>, b: Data<'_>, columns: usize, isa: Isa, stop: Stop<'_>) -> bool {
    assert!(a.len() == out.len(), "add: result of another size");
    if out.is_empty() {
        return !stop();
    }
    let few = b.len() / columns;
    assert!(b.len() == few * columns && few > 0 && (a.len() / columns).is_multiple_of(few), "add: second operand");
    let repeat = a.len() / columns / few;
    emit(
        out,
        columns,
        isa,
        stop,
        #[inline(always)]
        |r, row| {
            match a {
                Data::F32(a) => widen(row, &a[r * columns..][..columns]),
                Data::Bf16(a) => widen(row, &a[r * columns..][..columns]),
            }
            let from = r / repeat * columns;
            match b {
                Data::F32(b) => plus(row, &b[from..][..columns]),
                Data::Bf16(b) => plus(row, &b[from..][..columns]),
            }
        },
    )
}

#[inline(always)]
fn plus<E: Float>(out: &mut [f32], x: &[E]) {
    for (o, v) in out.iter_mut().zip(x) {
        *o += v.to_f32();
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

    #[test]
    fn geglu_gates_the_first_half_by_the_second() {
        let (rows, columns) = (9, 37);
        let x: Vec<f32> = noise(rows * 2 * columns, 3).iter().map(|v| v * 3.0).collect();
        for isa in Isa::available() {
            let mut out = vec![0.0; rows * columns];
            assert!(geglu(Output::F32(&mut out), Data::F32(&x), columns, None, isa, GO));
            for (i, o) in out.iter().enumerate() {
                let at = i / columns * 2 * columns + i % columns;
                let e = f64::from(x[at]) * exact(Function::Gelu, f64::from(x[at + columns]));
                assert!((f64::from(*o) - e).abs() < 1e-6 * (1.0 + e.abs()), "{isa:?} {o} {e}");
            }
        }
    }

    #[test]
    fn a_short_second_operand_repeats_in_runs() {
        let a = noise(6 * 5, 1);
        for few in [1, 2, 3, 6] {
            let b = noise(few * 5, 2);
            for isa in Isa::available() {
                let mut out = vec![0.0; a.len()];
                assert!(add(Output::F32(&mut out), Data::F32(&a), Data::F32(&b), 5, isa, GO));
                for (i, o) in out.iter().enumerate() {
                    assert_eq!(*o, a[i] + b[i / 5 / (6 / few) * 5 + i % 5]);
                }
            }
        }
    }
}
