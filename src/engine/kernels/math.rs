//! exp, SiLU and erf in f32 that the compiler can vectorise: no branches, no tables.

/// e^x to about 2 units in the last place; 0 below -87, finite (2^127 or so) above 88.
///
/// Splits x into n·ln 2 + r with |r| ≤ ln 2 / 2, a polynomial for e^r (its Taylor terms up to r^7), and 2^n by its bits.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    // Adding and taking away 1.5·2^23 rounds to the nearest whole number; the sum's lowest bits are that number.
    const SHIFT: f32 = 12_582_912.0;
    let shifted = x * std::f32::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * (r * r) + r + 1.0;
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// x / (1 + e^-x).
#[inline(always)]
pub fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// The error function to about 1.5e-7 (Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26).
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let p = 1.061_405_4 * t - 1.453_152_1;
    let p = p * t + 1.421_413_8;
    let p = p * t - 0.284_496_72;
    let p = (p * t + 0.254_829_6) * t;
    (1.0 - p * exp(-a * a)).copysign(x)
}

/// The exact (erf) form of GELU: x·Φ(x). diffusers' GEGLU and BERT's "gelu" are this one, not the tanh form.
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// GELU without an exponential, to 2e-6: x·(1/2 + z·P(z²)/Q(z²)), z being x held within ±5, beyond which Φ is 0 or 1 to
/// 3e-7. The coefficients are a least-squares fit of (Φ(z) - 1/2)/z with weights moved until the greatest error of Φ,
/// 4e-8 before rounding, was even over the range (`tools/fit_gelu.py`). For the kernels that are written by hand.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub const GELU_P: [f32; 5] = [0.398_942_05, 0.045_440_65, 0.005_217_435, 0.000_268_967_94, 5.163_674e-6];
/// See [`GELU_P`].
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub const GELU_Q: [f32; 6] = [1.0, 0.280_565_7, 0.034_846_246, 0.002_437_821_6, 9.672_99e-5, 4.594_011e-7];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Values in (-1, 1), the same for the same seed (a linear congruential generator).
    pub(crate) fn pseudo_random(n: usize, seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / 8_388_608.0 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn exp_is_close_over_its_whole_range() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!(((f64::from(exp(x)) - exact) / exact).abs() < 5e-7, "{x}");
        }
        assert!(exp(-1e9) < 2e-38 && exp(1e9).is_finite());
        assert!(silu(-100.0).abs() < 1e-30 && silu(100.0) == 100.0);
    }

    #[test]
    fn erf_meets_its_published_values() {
        for (x, y) in [(0.0, 0.0), (0.1, 0.112_463), (0.5, 0.520_5), (1.0, 0.842_701), (2.0, 0.995_322)] {
            assert!((erf(x) - y).abs() < 1e-6, "{x}: {}", erf(x));
            assert!((erf(-x) + y).abs() < 1e-6);
        }
    }
}
