//! The two products of attention in NEON, with the sums of 16 queries in registers. One macro gives both precisions, as in
//! `avx512`: in f32 a word of the packed buffers is one number and a step is a fused multiply-add; in bf16 it is a pair and
//! a step is `bfdot` (written as assembly, for the library's name for it is not stable yet).

// The loops over a tile's rows and vectors are unrolled; their indices name registers.
#![allow(clippy::needless_range_loop)]

use super::{BLOCK, KEY_TILE, VALUE_TILE};
use std::arch::aarch64::*;
use std::arch::asm;
use std::mem::MaybeUninit;

/// Queries whose sums are in registers at once, in vectors of four.
const VECTORS: usize = 4;
const WIDTH: usize = 4 * VECTORS;

/// Coefficients of 2^f on [0, 1), as in `avx512`.
const EXP2_3: [f32; 4] = [0.999_925_2, 0.695_833_54, 0.226_067_16, 0.078_024_52];
const EXP2_5: [f32; 6] = [0.999_999_94, 0.693_153_1, 0.240_153_61, 0.055_826_318, 0.008_989_34, 0.001_877_576_7];

/// A module that calls it has `step::<LANE>(sum, b, a)`, which adds to `sum` the words of `b` times that in lane LANE of
/// `a`, and `store([exponentials; PER_WORD], sum) -> (word, sum)`.
macro_rules! kernels {
    ($features:literal, $exp2:expr, $per_word:literal) => {
        /// `sums[r][query] += Σ_d panel[d·R + r] · b[d·lanes + query]` for 16 queries.
        ///
        /// # Safety
        /// `panel` is [depth][R] and `b` [depth][lanes] from the first of the queries on, with 16 of them in each line; R
        /// is at least four and at most eight.
        #[inline]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        unsafe fn accumulate<const R: usize>(
            mut sums: [[float32x4_t; VECTORS]; R],
            mut panel: *const u32,
            mut b: *const u32,
            depth: usize,
            lanes: usize,
        ) -> [[float32x4_t; VECTORS]; R] {
            for _ in 0..depth {
                // SAFETY: the caller's promise. The second load ends with the line.
                unsafe {
                    // Words 0 to 3 of the line, and its last four.
                    let (first, last) = (vld1q_u32(panel), vld1q_u32(panel.add(R - 4)));
                    for v in 0..VECTORS {
                        let b = vld1q_u32(b.add(4 * v));
                        for r in 0..R {
                            let sum = sums[r][v];
                            sums[r][v] = match r {
                                0 => step::<0>(sum, b, first),
                                1 => step::<1>(sum, b, first),
                                2 => step::<2>(sum, b, first),
                                3 => step::<3>(sum, b, first),
                                _ => match r + 4 - R {
                                    0 => step::<0>(sum, b, last),
                                    1 => step::<1>(sum, b, last),
                                    2 => step::<2>(sum, b, last),
                                    _ => step::<3>(sum, b, last),
                                },
                            };
                        }
                    }
                    panel = panel.add(R);
                    b = b.wrapping_add(lanes);
                }
            }
            sums
        }

        /// As `portable::scores`.
        ///
        /// # Safety
        /// The processor has the features; `lanes` is a multiple of 16, at most BLOCK; `q` is [words][lanes], `panel`
        /// [words][KEY_TILE], `p` at least [KEY_TILE / numbers in a word][lanes], the four of the state at least [lanes],
        /// `seen` at least [KEY_TILE][lanes / 16].
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        pub unsafe fn scores(
            panel: &[u32],
            q: &[u32],
            p: &mut [u32],
            lanes: usize,
            (negative, limit, top, sum): (&[f32], &[f32], &mut [f32], &mut [f32]),
            (seen, unit): (Option<&[u16]>, f32),
        ) -> bool {
            // The scores of all lanes, before any of them is known to exceed its limit.
            let mut scores = MaybeUninit::<[f32; KEY_TILE * BLOCK]>::uninit();
            let scores: *mut f32 = scores.as_mut_ptr().cast();
            let mut exceeded = vdupq_n_u32(0);
            // SAFETY: the caller's promise on the lengths; scores are read where they were written.
            unsafe {
                for at in (0..lanes).step_by(WIDTH) {
                    let none = [[vdupq_n_f32(0.0); VECTORS]; KEY_TILE];
                    let mut sums = accumulate(none, panel.as_ptr(), q.as_ptr().add(at), q.len() / lanes, lanes);
                    for v in 0..VECTORS {
                        let start = vld1q_f32(negative.as_ptr().add(at + 4 * v));
                        for row in &mut sums {
                            row[v] = vfmaq_n_f32(start, row[v], unit);
                        }
                    }
                    if let Some(seen) = seen {
                        for (r, row) in sums.iter_mut().enumerate() {
                            let bits = vdupq_n_u32(u32::from(seen[r * (lanes / WIDTH) + at / WIDTH]));
                            for (v, score) in row.iter_mut().enumerate() {
                                let own = vshlq_u32(vld1q_u32([1, 2, 4, 8].as_ptr()), vdupq_n_s32(4 * v as i32));
                                *score = vbslq_f32(vtstq_u32(bits, own), *score, vdupq_n_f32(f32::NEG_INFINITY));
                            }
                        }
                    }
                    for v in 0..VECTORS {
                        let mut most = vdupq_n_f32(f32::NEG_INFINITY);
                        for (r, row) in sums.iter().enumerate() {
                            // The number where the other is NaN.
                            most = vmaxnmq_f32(most, row[v]);
                            vst1q_f32(scores.add(r * lanes + at + 4 * v), row[v]);
                        }
                        exceeded = vorrq_u32(exceeded, vcgtq_f32(most, vld1q_f32(limit.as_ptr().add(at + 4 * v))));
                        vst1q_f32(top.as_mut_ptr().add(at + 4 * v), most);
                    }
                }
                if vmaxvq_u32(exceeded) != 0 {
                    return false;
                }
                for at in (0..lanes).step_by(4) {
                    let total = sum.as_mut_ptr().add(at);
                    let mut all = vld1q_f32(total);
                    for word in 0..KEY_TILE / $per_word {
                        let mut e = [vdupq_n_f32(0.0); $per_word];
                        for i in 0..$per_word {
                            e[i] = exp2(vld1q_f32(scores.add((word * $per_word + i) * lanes + at)), &$exp2);
                        }
                        let stored;
                        (stored, all) = store(e, all);
                        vst1q_u32(p.as_mut_ptr().add(word * lanes + at), stored);
                    }
                    vst1q_f32(total, all);
                }
            }
            true
        }

        /// As `portable::weigh`.
        ///
        /// # Safety
        /// The processor has the features; `lanes` is a multiple of 16; `p` is [depth][lanes], `panel`
        /// [depth][VALUE_TILE], `out` [VALUE_TILE][lanes].
        #[target_feature(enable = $features)]
        #[allow(unsafe_code)]
        pub unsafe fn weigh(panel: &[u32], p: &[u32], out: &mut [f32], lanes: usize) {
            // SAFETY: the caller's promise on the lengths.
            unsafe {
                for at in (0..lanes).step_by(WIDTH) {
                    let mut sums = [[vdupq_n_f32(0.0); VECTORS]; VALUE_TILE];
                    for (r, row) in sums.iter_mut().enumerate() {
                        for (v, sum) in row.iter_mut().enumerate() {
                            *sum = vld1q_f32(out.as_ptr().add(r * lanes + at + 4 * v));
                        }
                    }
                    let sums = accumulate(sums, panel.as_ptr(), p.as_ptr().add(at), p.len() / lanes, lanes);
                    for (r, row) in sums.iter().enumerate() {
                        for (v, sum) in row.iter().enumerate() {
                            vst1q_f32(out.as_mut_ptr().add(r * lanes + at + 4 * v), *sum);
                        }
                    }
                }
            }
        }
    };
}

pub mod single {
    use super::*;
    kernels!("neon", EXP2_5, 1);

    #[inline]
    #[target_feature(enable = "neon")]
    fn step<const LANE: i32>(sum: float32x4_t, b: uint32x4_t, a: uint32x4_t) -> float32x4_t {
        vfmaq_laneq_f32::<LANE>(sum, vreinterpretq_f32_u32(b), vreinterpretq_f32_u32(a))
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn store([e]: [float32x4_t; 1], sum: float32x4_t) -> (uint32x4_t, float32x4_t) {
        (vreinterpretq_u32_f32(e), vaddq_f32(sum, e))
    }
}

pub mod pairs {
    use super::*;
    kernels!("neon,bf16", EXP2_3, 2);

    #[inline]
    #[target_feature(enable = "neon,bf16")]
    #[allow(unsafe_code)]
    fn step<const LANE: i32>(mut sum: float32x4_t, b: uint32x4_t, a: uint32x4_t) -> float32x4_t {
        // SAFETY: an instruction of the enabled feature that touches nothing but its operands.
        unsafe {
            asm!("bfdot {0:v}.4s, {1:v}.8h, {2:v}.2h[{3}]", inout(vreg) sum, in(vreg) b, in(vreg) a, const LANE,
                options(pure, nomem, nostack, preserves_flags));
        }
        sum
    }

    /// The upper halves of both, to nearest (a tie, which is rare, upwards). The sum is that of what is stored.
    #[inline]
    #[target_feature(enable = "neon,bf16")]
    fn store([low, high]: [float32x4_t; 2], sum: float32x4_t) -> (uint32x4_t, float32x4_t) {
        let round = |e: float32x4_t| vaddq_u32(vreinterpretq_u32_f32(e), vdupq_n_u32(0x8000));
        let word = vsriq_n_u32::<16>(round(high), round(low));
        (word, step::<0>(sum, word, vdupq_n_u32(0x3F80_3F80)))
    }
}

/// 2^y for y ≤ 127, 0 below -126, NaN for NaN, by the polynomial's coefficients.
#[inline]
#[target_feature(enable = "neon")]
fn exp2<const N: usize>(y: float32x4_t, coefficients: &[f32; N]) -> float32x4_t {
    let small = vcltq_f32(y, vdupq_n_f32(-126.0));
    let f = vsubq_f32(y, vrndmq_f32(y));
    let mut p = vdupq_n_f32(coefficients[N - 1]);
    for c in coefficients[..N - 1].iter().rev() {
        p = vfmaq_f32(vdupq_n_f32(*c), p, f);
    }
    // Of NaN the whole number is 0, so its bits stay.
    let e = vaddq_s32(vreinterpretq_s32_f32(p), vshlq_n_s32::<23>(vcvtmq_s32_f32(y)));
    vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_s32(e), small))
}

#[cfg(test)]
mod tests {
    use super::super::portable;
    use super::*;
    use crate::engine::kernels::Isa;
    use crate::engine::kernels::element::round16;
    use crate::engine::kernels::testing::noise;

    #[allow(unsafe_code)]
    fn four<const N: usize>(y: [f32; 4], coefficients: &[f32; N]) -> [f32; 4] {
        let mut out = [0.0; 4];
        // SAFETY: every AArch64 has NEON; both arrays are four floats.
        unsafe { vst1q_f32(out.as_mut_ptr(), exp2(vld1q_f32(y.as_ptr()), coefficients)) };
        out
    }

    #[test]
    fn powers_are_those_of_the_portable_path() {
        for i in (-130_000..127_000).step_by(4) {
            let y: [f32; 4] = std::array::from_fn(|lane| (i + lane as i32) as f32 / 1000.0);
            let (fine, rough) = (four(y, &EXP2_5), four(y, &EXP2_3));
            for lane in 0..4 {
                let theirs = portable::exp2::<true>(y[lane]);
                assert!((fine[lane] - theirs).abs() <= theirs * 3e-7, "{}: {} {theirs}", y[lane], fine[lane]);
                assert!((rough[lane] - theirs).abs() <= theirs * 8e-5 + 1e-41, "{}: {} {theirs}", y[lane], rough[lane]);
            }
        }
        let far = four([f32::NEG_INFINITY, -3e38, f32::NAN, -0.0], &EXP2_5);
        assert!(far[0] == 0.0 && far[1] == 0.0 && far[2].is_nan() && (far[3] - 1.0).abs() < 1e-6, "{far:?}");
    }

    fn bits(x: &[f32]) -> Vec<u32> {
        x.iter().map(|v| v.to_bits()).collect()
    }

    /// Lines 2·i and 2·i + 1 of `x`, `n` numbers each, as pairs of bf16.
    fn pairs_of(x: &[f32], n: usize) -> Vec<u32> {
        let pair = |i: usize| u32::from(round16(x[i])) | u32::from(round16(x[i + n])) << 16;
        (0..x.len() / n / 2).flat_map(|line| (0..n).map(move |i| pair(2 * line * n + i))).collect()
    }

    fn widened(words: &[u32], n: usize) -> Vec<f32> {
        let line = |line: &[u32]| -> Vec<f32> {
            let low = line.iter().map(|w| f32::from_bits(w << 16));
            low.chain(line.iter().map(|w| f32::from_bits(w & 0xffff_0000))).collect()
        };
        words.chunks(n).flat_map(line).collect()
    }

    /// Both precisions against `portable`, which for bf16 gets the same numbers widened.
    #[test]
    #[allow(unsafe_code)]
    fn tiles_are_those_of_the_portable_path() {
        let has_bf16 = Isa::Neon { bf16: true, dot: false, i8mm: false }.is_available();
        let cases = [(16, 2), (32, 8), (48, 40), (64, 84)];
        for ((lanes, depth), bf16) in cases.into_iter().flat_map(|case| [(case, false), (case, true)]) {
            if bf16 && !has_bf16 {
                continue;
            }
            let (mut panel, mut q) = (noise(depth * KEY_TILE, 1), noise(depth * lanes, 2));
            let (panel_pairs, q_pairs) = (pairs_of(&panel, KEY_TILE), pairs_of(&q, lanes));
            if bf16 {
                (panel, q) = (widened(&panel_pairs, KEY_TILE), widened(&q_pairs, lanes));
            }
            let (panel, q) = (bits(&panel), bits(&q));
            let (negative, unit) = (noise(lanes, 3), 0.3);
            let mask: Vec<u16> = (0..KEY_TILE * lanes / 16).map(|i| (i * 40_503 + 1) as u16).collect();
            let close = |a: f32, b: f32, step: f32| a == b || (a - b).abs() < step * (1.0 + a.abs());
            for (seen, limit) in [(None, 1e9), (Some(&mask[..]), 1e9), (Some(&mask[..]), -1e9)] {
                let limit = vec![limit; lanes];
                let (mut p, mut top, mut sum) = (vec![0; KEY_TILE * lanes], vec![0.0; lanes], vec![0.5; lanes]);
                let (mut p2, mut top2, mut sum2) = (p.clone(), top.clone(), sum.clone());
                let theirs = portable::scores::<false, KEY_TILE, 8>(
                    &panel,
                    &q,
                    &mut p,
                    lanes,
                    (&negative, &limit),
                    (&mut top, &mut sum),
                    (seen, unit),
                );
                let state = (&negative[..], &limit[..], &mut top2[..], &mut sum2[..]);
                // SAFETY: every AArch64 has NEON, BF16 was asked for; the lengths are as it says.
                let ours = unsafe {
                    match bf16 {
                        true => pairs::scores(&panel_pairs, &q_pairs, &mut p2, lanes, state, (seen, unit)),
                        false => single::scores(&panel, &q, &mut p2, lanes, state, (seen, unit)),
                    }
                };
                assert_eq!(ours, theirs);
                assert_eq!(ours, limit[0] > 0.0);
                let step = if bf16 { 1e-2 } else { 1e-5 };
                assert!(top.iter().zip(&top2).all(|(a, b)| close(*a, *b, 1e-5)), "{lanes} {depth} {bf16}");
                assert!(sum.iter().zip(&sum2).all(|(a, b)| close(*a, *b, step)), "{lanes} {depth} {bf16}");
                if ours {
                    let p: Vec<f32> = p.iter().map(|v| f32::from_bits(*v)).collect();
                    let p2 = match bf16 {
                        true => widened(&p2[..KEY_TILE / 2 * lanes], lanes),
                        false => p2.iter().map(|v| f32::from_bits(*v)).collect(),
                    };
                    assert_eq!(p.len(), p2.len());
                    assert!(p.iter().zip(&p2).all(|(a, b)| close(*a, *b, step)), "{lanes} {depth} {bf16}");
                }
            }
            let mut values = noise(depth * VALUE_TILE, 4);
            let value_pairs = pairs_of(&values, VALUE_TILE);
            if bf16 {
                values = widened(&value_pairs, VALUE_TILE);
            }
            let mut out = noise(VALUE_TILE * lanes, 5);
            let mut out2 = out.clone();
            portable::weigh::<false, VALUE_TILE, 8>(&bits(&values), &q, &mut out, lanes);
            // SAFETY: as above.
            unsafe {
                match bf16 {
                    true => pairs::weigh(&value_pairs, &q_pairs, &mut out2, lanes),
                    false => single::weigh(&bits(&values), &q, &mut out2, lanes),
                }
            };
            assert!(out.iter().zip(&out2).all(|(a, b)| (a - b).abs() < 1e-4), "{lanes} {depth} {bf16}");
        }
    }
}
