//! The two products of attention for AVX-512, with queries along the lanes: scores and their exponentials for a tile
//! of keys, and the sum of values weighted by them. One macro gives both precisions: in f32 a word of the packed
//! buffers is one number and a step is a fused multiply-add; in bf16 it is a pair and a step is `vdpbf16ps`.

// The loops over a tile's rows and vectors are unrolled; their indices name registers.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;

/// Coefficients of 2^f on [0, 1), smallest power first, of least relative error 7.5e-5 (by Remez exchange).
const EXP2_3: [f32; 4] = [0.999_925_2, 0.695_833_54, 0.226_067_16, 0.078_024_52];
/// The same with relative error 7.5e-8.
const EXP2_5: [f32; 6] = [0.999_999_94, 0.693_153_1, 0.240_153_61, 0.055_826_318, 0.008_989_34, 0.001_877_576_7];

/// Stands for the score of a key that a query does not see.
pub const UNSEEN: f32 = -3e38;

macro_rules! kernels {
    ($module:ident, $features:literal, $step:expr, $exp2:expr, $store:expr, $per_word:expr) => {
        pub mod $module {
            use super::*;

            /// exp2(scores − reference) of `M` keys × `16·N` queries to `p` and onto `sum`, or false, nothing written
            /// but the tile's greatest values to `top`, where one of them exceeds its `limit`.
            ///
            /// `panel` is [words][M], `q` [words][16·N], `p` rows of 16·N words (`M` divided by a word's numbers of
            /// them); `negative` (minus the reference), `limit`, `top` and `sum` are [16·N]. With `MASKED` only the
            /// queries of bits `seen[m][n]` see key m. Products are times
            /// `unit`.
            ///
            /// # Safety
            /// The processor has the features and the pointers are good for those lengths.
            #[target_feature(enable = $features)]
            #[allow(unsafe_code, clippy::too_many_arguments)]
            pub unsafe fn scores<const M: usize, const N: usize, const MASKED: bool>(
                panel: *const u32,
                q: *const u32,
                words: usize,
                p: *mut u32,
                (negative, limit): (*const f32, *const f32),
                (top, sum): (*mut f32, *mut f32),
                seen: *const u16,
                unit: f32,
            ) -> bool {
                // SAFETY: the caller's promise; every index below stays within the lengths named there.
                unsafe {
                    let mut acc = [[_mm512_setzero_ps(); N]; M];
                    let (mut a, mut b) = (panel, q);
                    for _ in 0..words {
                        let mut vectors = [_mm512_setzero_si512(); N];
                        for n in 0..N {
                            vectors[n] = _mm512_loadu_si512(b.add(16 * n).cast());
                        }
                        for m in 0..M {
                            let key = _mm512_set1_epi32(*a.add(m) as i32);
                            for n in 0..N {
                                acc[m][n] = $step(acc[m][n], key, vectors[n]);
                            }
                        }
                        a = a.add(M);
                        b = b.add(16 * N);
                    }
                    for n in 0..N {
                        let start = _mm512_loadu_ps(negative.add(16 * n));
                        for row in &mut acc {
                            row[n] = _mm512_fmadd_ps(row[n], _mm512_set1_ps(unit), start);
                        }
                    }
                    finish::<M, N, MASKED>(acc, p, limit, (top, sum), seen)
                }
            }

            /// What `scores` does once a tile's scores less the references are there.
            ///
            /// # Safety
            /// That of `scores`.
            #[target_feature(enable = $features)]
            #[allow(unsafe_code)]
            #[inline]
            pub unsafe fn finish<const M: usize, const N: usize, const MASKED: bool>(
                mut acc: [[__m512; N]; M],
                p: *mut u32,
                limit: *const f32,
                (top, sum): (*mut f32, *mut f32),
                seen: *const u16,
            ) -> bool {
                // SAFETY: the caller's promise; every index below stays within the lengths named there.
                unsafe {
                    if MASKED {
                        for m in 0..M {
                            for n in 0..N {
                                acc[m][n] =
                                    _mm512_mask_blend_ps(*seen.add(m * N + n), _mm512_set1_ps(UNSEEN), acc[m][n]);
                            }
                        }
                    }
                    let mut exceeded = 0;
                    let mut tops = [_mm512_setzero_ps(); N];
                    for n in 0..N {
                        let mut most = acc[0][n];
                        for row in &acc[1..] {
                            most = _mm512_max_ps(most, row[n]);
                        }
                        tops[n] = most;
                        exceeded |= _mm512_cmp_ps_mask::<_CMP_GT_OQ>(most, _mm512_loadu_ps(limit.add(16 * n)));
                    }
                    if exceeded != 0 {
                        for n in 0..N {
                            _mm512_storeu_ps(top.add(16 * n), tops[n]);
                        }
                        return false;
                    }
                    for n in 0..N {
                        let mut total = _mm512_loadu_ps(sum.add(16 * n));
                        let mut m = 0;
                        while m < M {
                            let mut e = [_mm512_setzero_ps(); $per_word];
                            for i in 0..$per_word {
                                e[i] = $exp2(acc[m + i][n]);
                                if MASKED {
                                    e[i] = _mm512_maskz_mov_ps(*seen.add((m + i) * N + n), e[i]);
                                }
                            }
                            let word;
                            (word, total) = $store(e, total);
                            _mm512_storeu_si512(p.add((m / $per_word * N + n) * 16).cast(), word);
                            m += $per_word;
                        }
                        _mm512_storeu_ps(sum.add(16 * n), total);
                    }
                    true
                }
            }

            /// Adds the values weighted by `p` to `out`: [M][16·N] += panel [depth][M]ᵀ · p [depth][16·N].
            ///
            /// # Safety
            /// The processor has the features and the pointers are good for those lengths.
            #[target_feature(enable = $features)]
            #[allow(unsafe_code)]
            pub unsafe fn weigh<const M: usize, const N: usize>(
                panel: *const u32,
                p: *const u32,
                depth: usize,
                out: *mut f32,
            ) {
                // SAFETY: the caller's promise; every index below stays within the lengths named there.
                unsafe {
                    let mut acc = [[_mm512_setzero_ps(); N]; M];
                    for m in 0..M {
                        for n in 0..N {
                            acc[m][n] = _mm512_loadu_ps(out.add((m * N + n) * 16));
                        }
                    }
                    let (mut a, mut b) = (panel, p);
                    for _ in 0..depth {
                        let mut vectors = [_mm512_setzero_si512(); N];
                        for n in 0..N {
                            vectors[n] = _mm512_loadu_si512(b.add(16 * n).cast());
                        }
                        for m in 0..M {
                            let value = _mm512_set1_epi32(*a.add(m) as i32);
                            for n in 0..N {
                                acc[m][n] = $step(acc[m][n], value, vectors[n]);
                            }
                        }
                        a = a.add(M);
                        b = b.add(16 * N);
                    }
                    for m in 0..M {
                        for n in 0..N {
                            _mm512_storeu_ps(out.add((m * N + n) * 16), acc[m][n]);
                        }
                    }
                }
            }
        }
    };
}

macro_rules! exp2 {
    ($coefficients:expr) => {
        |y: __m512| {
            let f = _mm512_reduce_ps::<0x09>(y);
            let c = $coefficients;
            let mut p = _mm512_set1_ps(c[c.len() - 1]);
            for i in (0..c.len() - 1).rev() {
                p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(c[i]));
            }
            _mm512_scalef_ps(p, y)
        }
    };
}

kernels!(
    single,
    "avx512f,avx512bw,avx512vl,avx512dq",
    |c: __m512, a: __m512i, b: __m512i| _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), c),
    exp2!(EXP2_5),
    |e: [__m512; 1], sum: __m512| (_mm512_castps_si512(e[0]), _mm512_add_ps(sum, e[0])),
    1
);

kernels!(
    pairs,
    "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16",
    |c: __m512, a: __m512i, b: __m512i| dot(c, a, b),
    exp2!(EXP2_3),
    |e: [__m512; 2], sum: __m512| {
        // The upper halves of both, to nearest (a tie, which is rare, upwards). The sum is that of what is stored.
        let half = _mm512_set1_epi32(0x8000);
        let low = _mm512_srli_epi32::<16>(_mm512_add_epi32(_mm512_castps_si512(e[0]), half));
        let high = _mm512_add_epi32(_mm512_castps_si512(e[1]), half);
        let word = _mm512_mask_blend_epi16(0xAAAA_AAAA, low, high);
        (word, dot(sum, word, _mm512_set1_epi32(0x3F80_3F80)))
    },
    2
);

/// `vdpbf16ps`: c + a₀·b₀ + a₁·b₁ in each lane.
#[target_feature(enable = "avx512f,avx512bf16")]
#[allow(unsafe_code)]
#[inline]
fn dot(c: __m512, a: __m512i, b: __m512i) -> __m512 {
    // SAFETY: both types are 64 bytes of plain bits.
    let pairs = |x: __m512i| unsafe { std::mem::transmute::<__m512i, __m512bh>(x) };
    _mm512_dpbf16_ps(c, pairs(a), pairs(b))
}

/// `pairs::scores` with queries and keys in bytes: `q` is [words][16·N] of four columns plus 128 each, `panel`
/// [words][M] of four columns; `header` holds for each key −128 times the sum of its columns, which takes the 128 out
/// again, and `scale` [16·N] what a unit of a product is worth, for each query; `unit` multiplies all of them.
///
/// # Safety
/// The processor has the features and the pointers are good for those lengths.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx512vnni")]
#[allow(unsafe_code, clippy::too_many_arguments)]
pub unsafe fn scores_of_bytes<const M: usize, const N: usize, const MASKED: bool>(
    panel: *const u32,
    q: *const u32,
    words: usize,
    p: *mut u32,
    (negative, limit): (*const f32, *const f32),
    (top, sum): (*mut f32, *mut f32),
    seen: *const u16,
    (header, scale, unit): (*const i32, *const f32, f32),
) -> bool {
    // SAFETY: the caller's promise; every index below stays within the lengths named there.
    unsafe {
        let mut acc = [[_mm512_setzero_si512(); N]; M];
        for m in 0..M {
            acc[m] = [_mm512_set1_epi32(*header.add(m)); N];
        }
        let (mut a, mut b) = (panel, q);
        for _ in 0..words {
            let mut vectors = [_mm512_setzero_si512(); N];
            for n in 0..N {
                vectors[n] = _mm512_loadu_si512(b.add(16 * n).cast());
            }
            for m in 0..M {
                let key = _mm512_set1_epi32(*a.add(m) as i32);
                for n in 0..N {
                    acc[m][n] = _mm512_dpbusd_epi32(acc[m][n], vectors[n], key);
                }
            }
            a = a.add(M);
            b = b.add(16 * N);
        }
        let mut scores = [[_mm512_setzero_ps(); N]; M];
        for n in 0..N {
            let start = _mm512_loadu_ps(negative.add(16 * n));
            let factor = _mm512_mul_ps(_mm512_loadu_ps(scale.add(16 * n)), _mm512_set1_ps(unit));
            for m in 0..M {
                scores[m][n] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[m][n]), factor, start);
            }
        }
        pairs::finish::<M, N, MASKED>(scores, p, limit, (top, sum), seen)
    }
}
