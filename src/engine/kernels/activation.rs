//! Pointwise functions over whole tensors.

use super::math;
use rayon::prelude::*;

/// Values that one task takes.
const TASK: usize = 1 << 15;

fn map(values: &mut [f32], f: impl Fn(f32) -> f32 + Sync) {
    values.par_chunks_mut(TASK).for_each(|chunk| {
        pulp::Arch::new().dispatch(|| {
            for v in chunk.iter_mut() {
                *v = f(*v);
            }
        });
    });
}

/// SiLU in place.
pub fn silu(values: &mut [f32]) {
    map(values, math::silu);
}

/// GELU (erf) in place.
pub fn gelu(values: &mut [f32]) {
    map(values, math::gelu);
}

/// CLIP's x·sigmoid(1.702 x) in place.
pub fn quick_gelu(values: &mut [f32]) {
    map(values, |x| x / (1.0 + math::exp(-1.702 * x)));
}

/// GEGLU (Shazeer 2020): each row of `x`, 2·`n` wide, gives `n` values: the first half times GELU of the second.
pub fn geglu(out: &mut [f32], x: &[f32], n: usize) {
    if n == 0 {
        return;
    }
    out.par_chunks_mut(n).zip(x.par_chunks(2 * n)).for_each(|(out, x)| {
        let (values, gates) = x.split_at(n);
        pulp::Arch::new().dispatch(|| {
            for ((o, v), g) in out.iter_mut().zip(values).zip(gates) {
                *o = v * math::gelu(*g);
            }
        });
    });
}

/// `a += b`, where `b` repeats if it is shorter (a bias over rows, say).
pub fn add_assign(a: &mut [f32], b: &[f32]) {
    if b.is_empty() {
        return;
    }
    let whole = TASK.div_ceil(b.len()) * b.len();
    let step = if b.len() >= a.len() { TASK } else { whole };
    if b.len() >= a.len() {
        a.par_chunks_mut(step).zip(b.par_chunks(step)).for_each(|(a, b)| {
            for (a, b) in a.iter_mut().zip(b) {
                *a += b;
            }
        });
    } else {
        a.par_chunks_mut(step).for_each(|a| {
            for a in a.chunks_mut(b.len()) {
                for (a, b) in a.iter_mut().zip(b) {
                    *a += b;
                }
            }
        });
    }
}
