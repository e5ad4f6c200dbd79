//! PyTorch's CUDA generator: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") and
//! cuRAND's float32 Box–Muller.

use super::NoiseStream;
use super::normal::{ln, sin_cos};

const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
/// Weyl steps of the key: the golden ratio and sqrt(3) - 1, as fractions of 2^32.
const KEY_STEPS: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: usize = 10;

/// The Philox4x32-10 bijection of a counter under a key, least significant words first.
fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let halves = |product: u64| ((product >> 32) as u32, product as u32);
    for _ in 0..ROUNDS {
        let (high0, low0) = halves(u64::from(MULTIPLIERS[0]) * u64::from(counter[0]));
        let (high1, low1) = halves(u64::from(MULTIPLIERS[1]) * u64::from(counter[2]));
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0];
        key = [key[0].wrapping_add(KEY_STEPS[0]), key[1].wrapping_add(KEY_STEPS[1])];
    }
    counter
}

/// The first normal that cuRAND's Box–Muller makes of two draws: the sine half.
///
/// Both uniforms lie in (0, 1] at the middle of their steps, in float32 with the additions fused, as on the device.
fn first_normal(magnitude: u32, angle: u32) -> f32 {
    const STEP: f32 = 1.0 / (1u64 << 32) as f32;
    const ANGLE_STEP: f32 = STEP * std::f32::consts::TAU;
    let u = (magnitude as f32).mul_add(STEP, STEP / 2.0);
    let v = (angle as f32).mul_add(ANGLE_STEP, ANGLE_STEP / 2.0);
    let (sine, _) = sin_cos(v);
    (-2.0 * ln(u)).sqrt() * sine + 0.0
}

/// `torch.Generator("cuda")` with `manual_seed(seed)`, read through `torch.randn(n)` of float32, made on the CPU.
///
/// On the device, thread i of a launch owns the Philox subsequence i, draws four words a step and writes their four
/// normals to elements i, i + T, i + 2T and i + 3T, where T is the number of threads: n rounded up to blocks of 256,
/// but never more than the device runs at once (its multiprocessors × 1536 or 2048). While n <= T, element i is the
/// first normal of subsequence i whatever the card, and that is what this stream gives: counter (call, 0, i, 0) and
/// the 64-bit seed as key. A 4-channel latent of 512×512 pixels (16384 elements) fits every card of 11
/// multiprocessors or more, one of 1024×1024 pixels (65536) those of 43 or more. For more elements than T the numbers
/// on the device depend on its multiprocessor count; this stream goes on with one subsequence an element, as the web
/// UIs' CPU emulations of CUDA noise do.
///
/// The random integers and uniforms are the device's. Its hardware sine is an approximation (error about 2^-21), so
/// samples agree to a few 1e-6, not to the bit.
pub struct TorchCuda {
    key: [u32; 2],
    /// Calls made so far: the counter's low 64 bits.
    calls: u64,
}

impl TorchCuda {
    /// A generator keyed with all 64 bits of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { key: words(seed), calls: 0 }
    }
}

impl NoiseStream for TorchCuda {
    fn randn(&mut self, n: usize) -> Vec<f32> {
        if n == 0 {
            return Vec::new();
        }
        let [call_low, call_high] = words(self.calls);
        self.calls = self.calls.wrapping_add(1);
        (0..n as u64)
            .map(|i| {
                let [i_low, i_high] = words(i);
                let [magnitude, angle, ..] = philox4x32([call_low, call_high, i_low, i_high], self.key);
                first_normal(magnitude, angle)
            })
            .collect()
    }
}

/// Low and high half.
fn words(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the Random123 distribution.
    #[test]
    fn philox_meets_the_random123_vectors() {
        let zeros = [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8];
        assert_eq!(philox4x32([0; 4], [0; 2]), zeros);
        let ones = [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd];
        assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), ones);
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let expected = [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1];
        assert_eq!(philox4x32(pi, [0xa409_3822, 0x299f_31d0]), expected);
    }

    /// What PyTorch prints for `torch.manual_seed(0); torch.randn(…, device="cuda")` on NVIDIA cards, to four decimals.
    #[test]
    fn seed_zero_gives_what_cards_print() {
        let printed: [f32; 24] = [
            -0.9247, -0.4253, -2.6438, 0.1452, -0.1209, -0.5797, -0.6229, -0.3284, -1.0745, -0.3631, -1.6711, 2.2655,
            0.3117, -0.1842, 1.2866, 1.1820, -0.1271, 1.2169, 1.4353, 1.0605, -0.4941, -1.4244, -0.7244, -1.2973,
        ];
        for (ours, theirs) in TorchCuda::new(0).randn(24).iter().zip(printed) {
            assert!((ours - theirs).abs() <= 5.1e-5, "{ours} {theirs}");
        }
    }

    /// Seed 0 in stable-diffusion-webui's CPU emulation of CUDA noise, as its documentation prints it.
    #[test]
    fn seed_zero_gives_what_the_web_ui_prints() {
        let printed: [f32; 12] = [
            -0.924_662_6,
            -0.425_344_2,
            -2.643_845_7,
            0.145_183_9,
            -0.120_866_5,
            -0.579_725_6,
            -0.622_851_2,
            -0.328_387_1,
            -1.074_542_3,
            -0.363_144_1,
            -1.671_050_7,
            2.265_505,
        ];
        for (ours, theirs) in TorchCuda::new(0).randn(12).iter().zip(printed) {
            assert!((ours - theirs).abs() <= 1e-6, "{ours} {theirs}");
        }
    }

    #[test]
    fn every_bit_of_the_seed_and_every_call_count() {
        let mut stream = TorchCuda::new(3);
        let first = stream.randn(8);
        assert!(stream.randn(0).is_empty());
        assert_ne!(first, stream.randn(8));
        assert_ne!(first, TorchCuda::new(3 + (1 << 32)).randn(8));
        assert_eq!(first[..5], TorchCuda::new(3).randn(5));
    }

    #[test]
    fn extreme_draws_stay_finite() {
        for magnitude in [0, 1, u32::MAX] {
            for angle in [0, 1, 1 << 31, u32::MAX] {
                assert!(first_normal(magnitude, angle).is_finite());
            }
        }
        assert_eq!(first_normal(u32::MAX, 5).to_bits(), 0);
    }
}
