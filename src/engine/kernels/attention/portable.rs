//! The tiles of attention in plain Rust, f32 only: what the others are tested against. Compiled once more for AVX2.

/// 2^y for y ≤ 127, 0 below -126, NaN for NaN; relative error about 1e-7 (the polynomial is `avx512`'s).
#[inline(always)]
pub fn exp2<const FMA: bool>(y: f32) -> f32 {
    const C: [f32; 6] = [0.999_999_94, 0.693_153_1, 0.240_153_61, 0.055_826_318, 0.008_989_34, 0.001_877_576_7];
    // Adding and taking away 1.5·2^23 rounds to a whole number, which the lowest bits of the sum then are.
    const SHIFT: f32 = 12_582_912.0;
    let small = y < -126.0;
    let y = if small { -126.0 } else { y };
    let shifted = (y - 0.5) + SHIFT;
    let f = y - (shifted - SHIFT);
    let mut p = C[5];
    for i in (0..5).rev() {
        p = step::<FMA>(p, f, C[i]);
    }
    let e = f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23));
    if small { 0.0 } else { e }
}

/// a·b + c, fused where the processor does that in one instruction.
#[inline(always)]
fn step<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `acc[r][lane] += Σ_d panel[d·R + r] · b[d·lanes + at + lane]`.
#[inline(always)]
fn accumulate<const FMA: bool, const R: usize, const L: usize>(
    mut acc: [[f32; L]; R],
    panel: &[u32],
    (b, lanes, at): (&[u32], usize, usize),
) -> [[f32; L]; R] {
    for (a, b) in panel.as_chunks::<R>().0.iter().zip(b.chunks_exact(lanes)) {
        let b: &[u32; L] = b[at..at + L].try_into().expect("as long as the range");
        for r in 0..R {
            let a = f32::from_bits(a[r]);
            for lane in 0..L {
                acc[r][lane] = step::<FMA>(a, f32::from_bits(b[lane]), acc[r][lane]);
            }
        }
    }
    acc
}

/// See `avx512::scores`: tiles of `R` keys, `L` queries (8 or 16) at a time, so that the sums fit the registers.
#[inline(always)]
pub fn scores<const FMA: bool, const R: usize, const L: usize>(
    panel: &[u32],
    q: &[u32],
    p: &mut [u32],
    lanes: usize,
    (negative, limit): (&[f32], &[f32]),
    (top, sum): (&mut [f32], &mut [f32]),
    (seen, unit): (Option<&[u16]>, f32),
) -> bool {
    let mut exceeded = false;
    for at in (0..lanes).step_by(L) {
        let mut acc = accumulate::<FMA, R, L>([[0.0; L]; R], panel, (q, lanes, at));
        for acc in &mut acc {
            for (s, negative) in acc.iter_mut().zip(&negative[at..]) {
                *s = step::<FMA>(*s, unit, *negative);
            }
        }
        if let Some(seen) = seen {
            for (r, acc) in acc.iter_mut().enumerate() {
                let mask = seen[r * (lanes / 16) + at / 16] >> (at % 16);
                for (lane, s) in acc.iter_mut().enumerate() {
                    *s = if mask >> lane & 1 == 1 { *s } else { f32::NEG_INFINITY };
                }
            }
        }
        let mut most = [f32::NEG_INFINITY; L];
        for (r, acc) in acc.iter().enumerate() {
            for (most, &s) in most.iter_mut().zip(acc) {
                *most = if s > *most { s } else { *most };
            }
            for (p, s) in p[r * lanes + at..][..L].iter_mut().zip(acc) {
                *p = s.to_bits();
            }
        }
        exceeded |= most.iter().zip(&limit[at..]).any(|(m, l)| m > l);
        top[at..at + L].copy_from_slice(&most);
    }
    if exceeded {
        return false;
    }
    for row in p[..R * lanes].chunks_exact_mut(lanes) {
        for (p, sum) in row.iter_mut().zip(sum.iter_mut()) {
            let e = exp2::<FMA>(f32::from_bits(*p));
            *sum += e;
            *p = e.to_bits();
        }
    }
    true
}

/// See `avx512::weigh`: tiles of `R` columns, `L` queries at a time.
#[inline(always)]
pub fn weigh<const FMA: bool, const R: usize, const L: usize>(panel: &[u32], p: &[u32], out: &mut [f32], lanes: usize) {
    for at in (0..lanes).step_by(L) {
        let mut acc = [[0.0f32; L]; R];
        for (r, acc) in acc.iter_mut().enumerate() {
            acc.copy_from_slice(&out[r * lanes + at..][..L]);
        }
        let acc = accumulate::<FMA, R, L>(acc, panel, (p, lanes, at));
        for (r, acc) in acc.iter().enumerate() {
            out[r * lanes + at..][..L].copy_from_slice(acc);
        }
    }
}
