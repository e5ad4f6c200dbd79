//! The two products of attention in NEON, f32: as `portable`, with the sums of 16 queries in registers.

use std::arch::aarch64::*;

use super::{KEY_TILE, VALUE_TILE};

/// Queries whose sums are in registers at once, in vectors of four.
const VECTORS: usize = 4;
const WIDTH: usize = 4 * VECTORS;

/// Coefficients of 2^f on [0, 1), as in `avx512`.
const EXP2: [f32; 6] = [0.999_999_94, 0.693_153_1, 0.240_153_61, 0.055_826_318, 0.008_989_34, 0.001_877_576_7];

type Sums<const R: usize> = [[float32x4_t; VECTORS]; R];

/// `sums[r][query] += Σ_d panel[d·R + r] · b[d·lanes + query]` for 16 queries.
///
/// # Safety
/// `panel` is [depth][R] and `b` [depth][lanes] from the first of the queries on, with 16 of them in each line; R is at
/// least four and at most eight.
#[inline]
#[target_feature(enable = "neon")]
#[allow(unsafe_code)]
unsafe fn accumulate<const R: usize>(
    mut sums: Sums<R>,
    mut panel: *const f32,
    mut b: *const f32,
    depth: usize,
    lanes: usize,
) -> Sums<R> {
    for _ in 0..depth {
        // SAFETY: the caller's promise. The second load ends with the line.
        unsafe {
            // Numbers 0 to 3 of the line, and its last four.
            let (first, last) = (vld1q_f32(panel), vld1q_f32(panel.add(R - 4)));
            for v in 0..VECTORS {
                let b = vld1q_f32(b.add(4 * v));
                let mut r = 0;
                while r < R {
                    let sum = &mut sums[r][v];
                    *sum = match r {
                        0 => vfmaq_laneq_f32::<0>(*sum, b, first),
                        1 => vfmaq_laneq_f32::<1>(*sum, b, first),
                        2 => vfmaq_laneq_f32::<2>(*sum, b, first),
                        3 => vfmaq_laneq_f32::<3>(*sum, b, first),
                        _ => match r + 4 - R {
                            0 => vfmaq_laneq_f32::<0>(*sum, b, last),
                            1 => vfmaq_laneq_f32::<1>(*sum, b, last),
                            2 => vfmaq_laneq_f32::<2>(*sum, b, last),
                            _ => vfmaq_laneq_f32::<3>(*sum, b, last),
                        },
                    };
                    r += 1;
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
/// `lanes` is a multiple of 16; `q` is [words][lanes], `panel` [words][KEY_TILE], `p` at least [KEY_TILE][lanes], the four
/// of the state at least [lanes], `seen` at least [KEY_TILE][lanes / 16].
#[target_feature(enable = "neon")]
#[allow(unsafe_code)]
pub unsafe fn scores(
    panel: &[u32],
    q: &[u32],
    p: &mut [u32],
    lanes: usize,
    (negative, limit, top, sum): (&[f32], &[f32], &mut [f32], &mut [f32]),
    (seen, unit): (Option<&[u16]>, f32),
) -> bool {
    let p: *mut f32 = p.as_mut_ptr().cast();
    let mut exceeded = vdupq_n_u32(0);
    // SAFETY: the caller's promise on the lengths.
    unsafe {
        for at in (0..lanes).step_by(WIDTH) {
            let none = [[vdupq_n_f32(0.0); VECTORS]; KEY_TILE];
            let mut sums = accumulate(none, panel.as_ptr().cast(), q.as_ptr().add(at).cast(), q.len() / lanes, lanes);
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
                    vst1q_f32(p.add(r * lanes + at + 4 * v), row[v]);
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
            for r in 0..KEY_TILE {
                let p = p.add(r * lanes + at);
                let e = exp2(vld1q_f32(p));
                all = vaddq_f32(all, e);
                vst1q_f32(p, e);
            }
            vst1q_f32(total, all);
        }
    }
    true
}

/// As `portable::weigh`.
///
/// # Safety
/// `lanes` is a multiple of 16; `p` is [depth][lanes], `panel` [depth][VALUE_TILE], `out` [VALUE_TILE][lanes].
#[target_feature(enable = "neon")]
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
            let sums = accumulate(sums, panel.as_ptr().cast(), p.as_ptr().add(at).cast(), p.len() / lanes, lanes);
            for (r, row) in sums.iter().enumerate() {
                for (v, sum) in row.iter().enumerate() {
                    vst1q_f32(out.as_mut_ptr().add(r * lanes + at + 4 * v), *sum);
                }
            }
        }
    }
}

/// 2^y for y ≤ 127, 0 below -126, NaN for NaN.
#[inline]
#[target_feature(enable = "neon")]
fn exp2(y: float32x4_t) -> float32x4_t {
    let small = vcltq_f32(y, vdupq_n_f32(-126.0));
    let f = vsubq_f32(y, vrndmq_f32(y));
    let mut p = vdupq_n_f32(EXP2[5]);
    for c in EXP2[..5].iter().rev() {
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
    use crate::engine::kernels::testing::noise;

    #[allow(unsafe_code)]
    fn four(y: [f32; 4]) -> [f32; 4] {
        let mut out = [0.0; 4];
        // SAFETY: every AArch64 has NEON; both arrays are four floats.
        unsafe { vst1q_f32(out.as_mut_ptr(), exp2(vld1q_f32(y.as_ptr()))) };
        out
    }

    #[test]
    fn powers_are_those_of_the_portable_path() {
        for i in (-130_000..127_000).step_by(4) {
            let y: [f32; 4] = std::array::from_fn(|lane| (i + lane as i32) as f32 / 1000.0);
            for (ours, y) in four(y).into_iter().zip(y) {
                let theirs = portable::exp2::<true>(y);
                assert!((ours - theirs).abs() <= theirs * 3e-7, "{y}: {ours} {theirs}");
            }
        }
        let far = four([f32::NEG_INFINITY, -3e38, f32::NAN, -0.0]);
        assert!(far[0] == 0.0 && far[1] == 0.0 && far[2].is_nan() && (far[3] - 1.0).abs() < 1e-6, "{far:?}");
    }

    /// Words of numbers in (-1, 1).
    fn words(n: usize, seed: u64) -> Vec<u32> {
        noise(n, seed).iter().map(|v| v.to_bits()).collect()
    }

    #[test]
    #[allow(unsafe_code)]
    fn tiles_are_those_of_the_portable_path() {
        for (lanes, depth) in [(16, 1), (32, 7), (48, 40), (64, 83)] {
            let (panel, q) = (words(depth * KEY_TILE, 1), words(depth * lanes, 2));
            let (negative, unit) = (noise(lanes, 3), 0.3);
            let mask: Vec<u16> = (0..KEY_TILE * lanes / 16).map(|i| (i * 40_503 + 1) as u16).collect();
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
                // SAFETY: every AArch64 has NEON; the lengths are as it says.
                let ours = unsafe { scores(&panel, &q, &mut p2, lanes, state, (seen, unit)) };
                assert_eq!(ours, theirs);
                assert_eq!(ours, limit[0] > 0.0);
                let close = |a: f32, b: f32| a == b || (a - b).abs() < 1e-5 * (1.0 + a.abs());
                assert!(top.iter().zip(&top2).all(|(a, b)| close(*a, *b)), "{lanes} {depth}");
                assert!(sum.iter().zip(&sum2).all(|(a, b)| close(*a, *b)), "{lanes} {depth}");
                assert!(p.iter().zip(&p2).all(|(a, b)| close(f32::from_bits(*a), f32::from_bits(*b))));
            }
            let values = words(depth * VALUE_TILE, 4);
            let mut out = noise(VALUE_TILE * lanes, 5);
            let mut out2 = out.clone();
            portable::weigh::<false, VALUE_TILE, 8>(&values, &q, &mut out, lanes);
            // SAFETY: as above.
            unsafe { weigh(&values, &q, &mut out2, lanes) };
            assert!(out.iter().zip(&out2).all(|(a, b)| (a - b).abs() < 1e-4), "{lanes} {depth}");
        }
    }
}
