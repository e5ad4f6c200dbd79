//! Uniform to normal: the Box–Muller transform (Box and Muller 1958) as PyTorch evaluates it.
//!
//! The float32 logarithm, sine and cosine are the single-precision Cephes polynomials (Moshier). The order of every
//! operation and which of them are fused is that of PyTorch's AVX2 kernel as compiled, found by comparing bits. Only
//! IEEE basic operations and correctly rounded fused multiply-adds occur, so the bits are the same on every machine;
//! the C library's logf, sinf and cosf would not be. The float64 transform does use the C library: a difference in its
//! last bit survives the rounding to float32 about once in 2^28 samples.

use std::f32::consts::FRAC_1_SQRT_2;

/// Elements that one step of the float32 transform makes.
pub(super) const BLOCK: usize = 16;
const HALF: usize = BLOCK / 2;

/// 2π, rounded to float32 once.
const TWO_PI: f32 = std::f32::consts::TAU;

const LN_POLY: [f32; 9] = [
    7.037_683_6e-2,
    -1.151_461e-1,
    1.167_699_87e-1,
    -1.242_014_1e-1,
    1.424_932_3e-1,
    -1.666_805_8e-1,
    2.000_071_4e-1,
    -2.499_999_4e-1,
    3.333_333e-1,
];
/// ln 2 = `LN2_HIGH` + `LN2_LOW`; the high part has few enough bits for exact multiples.
const LN2_HIGH: f32 = 355.0 / 512.0;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// π/4 in three parts, for a reduction that loses no bits.
const QUARTER_PI: [f32; 3] = [0.785_156_25, 2.418_756_5e-4, 3.774_895e-8];
const FOUR_OVER_PI: f32 = 1.273_239_5;
const SIN_POLY: [f32; 3] = [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1];
const COS_POLY: [f32; 3] = [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2];

/// Horner's rule with one rounding a step.
fn polynomial<const N: usize>(coefficients: &[f32; N], x: f32) -> f32 {
    let mut sum = coefficients[0];
    for coefficient in &coefficients[1..] {
        sum = sum.mul_add(x, *coefficient);
    }
    sum
}

/// Natural logarithm of a positive normal number.
pub(super) fn ln(x: f32) -> f32 {
    let bits = x.to_bits();
    // x = mantissa * 2^exponent with the mantissa first in [1/2, 1), then in [sqrt(1/2), sqrt(2)), less one.
    let mut exponent = (bits >> 23) as f32 - 126.0;
    let mut m = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    if m < FRAC_1_SQRT_2 {
        exponent -= 1.0;
        m += m;
    }
    m -= 1.0;
    let square = m * m;
    let cubic = polynomial(&LN_POLY, m) * m;
    let tail = cubic.mul_add(square, exponent * LN2_LOW) - square * 0.5;
    exponent.mul_add(LN2_HIGH, m + tail)
}

/// Sine and cosine of an angle in [0, 8192), in radians.
pub(super) fn sin_cos(x: f32) -> (f32, f32) {
    // The nearest even octant: |x - octant * π/4| <= π/4 is left for the polynomials.
    let octant = ((x * FOUR_OVER_PI) as i32 + 1) & !1;
    let turns = octant as f32;
    let r = QUARTER_PI.iter().fold(x, |rest, part| (-turns).mul_add(*part, rest));
    let square = r * r;
    let cosine = (polynomial(&COS_POLY, square) * square).mul_add(square, -(square * 0.5)) + 1.0;
    let sine = (polynomial(&SIN_POLY, square) * square).mul_add(r, r);
    let (sine, cosine) = if octant & 2 == 0 { (sine, cosine) } else { (cosine, sine) };
    let flip = |value: f32, negative: bool| if negative { -value } else { value };
    (flip(sine, octant & 4 != 0), flip(cosine, (octant - 2) & 4 == 0))
}

/// Turns 16 uniforms from [0, 1) into 16 normals in place: elements j and j + 8 make a pair.
pub(super) fn box_muller_block(values: &mut [f32; BLOCK]) {
    let (magnitudes, angles) = values.split_at_mut(HALF);
    for (first, second) in magnitudes.iter_mut().zip(angles) {
        let radius = (-2.0 * ln(1.0 - *first)).sqrt();
        let (sine, cosine) = sin_cos(TWO_PI * *second);
        // PyTorch adds its mean, 0, which makes every zero positive.
        *first = radius * cosine + 0.0;
        *second = radius * sine + 0.0;
    }
}

/// Turns two uniforms from [0, 1) into two normals, in double precision.
pub(super) fn box_muller_f64(angle: f64, magnitude: f64) -> (f64, f64) {
    let radius = (-2.0 * (-magnitude).ln_1p()).sqrt();
    let (sine, cosine) = (std::f64::consts::TAU * angle).sin_cos();
    (radius * cosine, radius * sine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_is_accurate_over_the_uniform_grid() {
        for k in (1..=1 << 24).step_by(997).chain([1, 2, (1 << 24) - 1, 1 << 24]) {
            let x = k as f32 / (1 << 24) as f32;
            let exact = f64::from(x).ln();
            assert!((f64::from(ln(x)) - exact).abs() <= 1.2e-7 * exact.abs(), "ln {x}");
        }
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn sine_and_cosine_are_accurate_over_a_turn() {
        for k in (0..=1 << 24).step_by(991) {
            let x = TWO_PI * (k as f32 / (1 << 24) as f32);
            let (sine, cosine) = sin_cos(x);
            assert!((f64::from(sine) - f64::from(x).sin()).abs() <= 1e-7, "sin {x}");
            assert!((f64::from(cosine) - f64::from(x).cos()).abs() <= 1e-7, "cos {x}");
        }
    }

    #[test]
    fn extreme_uniforms_stay_finite_and_zeros_positive() {
        let mut block = [0.0; BLOCK];
        box_muller_block(&mut block);
        assert!(block.iter().all(|value| value.to_bits() == 0));
        let mut block = [1.0 - f32::EPSILON / 2.0; BLOCK];
        box_muller_block(&mut block);
        assert!(block.iter().all(|value| value.is_finite()));
        assert!((block[0] - 5.768).abs() < 1e-3);
    }
}
