//! PyTorch's CPU generator: mt19937 (Matsumoto and Nishimura 1998) and the two ways in which `torch.randn` makes
//! normal numbers of it.

use super::NoiseStream;
use super::normal::{BLOCK, box_muller_block, box_muller_f64};

const N: usize = 624;
const M: usize = 397;
const MATRIX_A: u32 = 0x9908_b0df;
const UPPER_MASK: u32 = 0x8000_0000;

/// The 32-bit Mersenne Twister.
struct Mt19937 {
    state: [u32; N],
    /// Words of `state` already handed out.
    used: usize,
}

impl Mt19937 {
    fn new(seed: u32) -> Self {
        let mut state = [0u32; N];
        let mut word = seed;
        for (i, slot) in (0u32..).zip(state.iter_mut()) {
            if i > 0 {
                word = (word ^ (word >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i);
            }
            *slot = word;
        }
        Self { state, used: N }
    }

    fn twist(&mut self) {
        for i in 0..N {
            let mixed = (self.state[i] & UPPER_MASK) | (self.state[(i + 1) % N] & !UPPER_MASK);
            let odd = if mixed & 1 == 1 { MATRIX_A } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ (mixed >> 1) ^ odd;
        }
        self.used = 0;
    }

    fn next_u32(&mut self) -> u32 {
        if self.used == N {
            self.twist();
        }
        let mut word = self.state[self.used];
        self.used += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// Two draws, the first one the high half.
    fn next_u64(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        (high << 32) | u64::from(self.next_u32())
    }

    /// Uniform in [0, 1) on the grid of 2^-24: the low 24 bits of one draw.
    fn uniform_f32(&mut self) -> f32 {
        const STEP: f32 = 1.0 / (1u32 << 24) as f32;
        (self.next_u32() & ((1 << 24) - 1)) as f32 * STEP
    }

    /// Uniform in [0, 1) on the grid of 2^-53: the low 53 bits of a double draw.
    fn uniform_f64(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        (self.next_u64() & ((1 << 53) - 1)) as f64 * STEP
    }
}

/// `torch.Generator("cpu")` with `manual_seed(seed)`, read through `torch.randn(n)` of contiguous float32.
///
/// - Only the low 32 bits of the seed count, as in PyTorch: seeds 2^32 apart give the same stream.
/// - From 16 elements on, every element takes one uniform and blocks of 16 are transformed; where `n` is not a
///   multiple of 16, the last 16 elements are drawn and made anew, over what the whole blocks left there.
/// - Under 16 elements, pairs come from a double-precision Box–Muller. The second of a pair waits for the next call
///   that is as short, however many long calls lie between.
///
/// PyTorch without AVX2 (Arm, old x86) takes its logarithm and sine from the C library instead; its samples differ
/// from these by up to about 3e-6.
pub struct TorchCpu {
    engine: Mt19937,
    /// The second half of a pair that a short call left over.
    spare: Option<f64>,
}

impl TorchCpu {
    /// A generator seeded with the low 32 bits of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { engine: Mt19937::new((seed & 0xffff_ffff) as u32), spare: None }
    }

    fn short(&mut self) -> f64 {
        if let Some(sample) = self.spare.take() {
            return sample;
        }
        let angle = self.engine.uniform_f64();
        let magnitude = self.engine.uniform_f64();
        let (first, second) = box_muller_f64(angle, magnitude);
        self.spare = Some(second);
        first
    }

    fn fill_uniform(&mut self, values: &mut [f32]) {
        for value in values {
            *value = self.engine.uniform_f32();
        }
    }
}

impl NoiseStream for TorchCpu {
    fn randn(&mut self, n: usize) -> Vec<f32> {
        if n < BLOCK {
            return (0..n).map(|_| self.short() as f32).collect();
        }
        let mut values = vec![0.0; n];
        self.fill_uniform(&mut values);
        let (blocks, rest) = values.as_chunks_mut::<BLOCK>();
        blocks.iter_mut().for_each(box_muller_block);
        if !rest.is_empty()
            && let Some(tail) = values.last_chunk_mut::<BLOCK>()
        {
            self.fill_uniform(tail);
            box_muller_block(tail);
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The C++ standard's check value of `std::mt19937`: the 10000th draw of the default seed.
    #[test]
    fn engine_meets_the_standard_check_value() {
        let mut engine = Mt19937::new(5489);
        let last = (0..10_000).map(|_| engine.next_u32()).last();
        assert_eq!(last, Some(4_123_659_995));
    }

    #[test]
    fn only_the_low_32_bits_of_the_seed_count() {
        let seed = 20_240_229;
        assert_eq!(TorchCpu::new(seed).randn(40), TorchCpu::new(seed + (7 << 32)).randn(40));
        assert_ne!(TorchCpu::new(seed).randn(40), TorchCpu::new(seed + 1).randn(40));
    }

    #[test]
    fn an_empty_call_draws_nothing() {
        let mut stream = TorchCpu::new(1);
        assert!(stream.randn(0).is_empty());
        assert_eq!(stream.randn(20), TorchCpu::new(1).randn(20));
    }
}
