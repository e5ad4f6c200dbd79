//! Which tiles an attention runs: slices in, lengths checked, then the instructions that were chosen.

use super::pack::Header;
use super::{KEY_TILE, Precision, VALUE_TILE, portable};
use crate::engine::kernels::Isa;

/// Queries beside each other in a vector.
pub const LANES: usize = 16;

/// The running state of a block of queries, each [lanes].
pub struct Softmax<'a> {
    /// Minus the score that is taken away from all scores of the query.
    pub negative: &'a [f32],
    /// How far above it a score may lie before the reference must move.
    pub limit: &'a [f32],
    /// Where a tile exceeds it: the greatest scores of the tile.
    pub top: &'a mut [f32],
    /// Sum of the exponentials so far.
    pub sum: &'a mut [f32],
}

/// What `scores` needs besides for keys in bytes: their header, and what a unit of each query's bytes is worth.
pub type Bytes<'a> = Option<(&'a Header, &'a [f32])>;

/// Instructions and precision of an attention.
#[derive(Clone, Copy)]
pub struct Tiles {
    pub isa: Isa,
    pub precision: Precision,
}

#[cfg(target_arch = "x86_64")]
macro_rules! by_vectors {
    ($lanes:expr, $module:ident :: $f:ident($m:ident $(, $masked:literal)?), $args:tt) => {
        by_vectors!($lanes, super::avx512::$module, $f($m $(, $masked)?), $args)
    };
    ($lanes:expr, $module:path, $f:ident($m:ident $(, $masked:literal)?), $args:tt) => {{
        use $module as kernels;
        // SAFETY: the lengths are checked by the caller's assertions, and `Precision::settle` gives an instruction
        // set only where the processor has it.
        #[allow(unsafe_code)]
        unsafe {
            match $lanes {
                16 => kernels::$f::<$m, 1 $(, $masked)?> $args,
                32 => kernels::$f::<$m, 2 $(, $masked)?> $args,
                48 => kernels::$f::<$m, 3 $(, $masked)?> $args,
                _ => kernels::$f::<$m, 4 $(, $masked)?> $args,
            }
        }
    }};
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn scores_avx2(
    panel: &[u32],
    q: &[u32],
    p: &mut [u32],
    lanes: usize,
    s: &mut Softmax<'_>,
    (seen, unit): (Option<&[u16]>, f32),
) -> bool {
    portable::scores::<true, KEY_TILE, 16>(panel, q, p, lanes, (s.negative, s.limit), (s.top, s.sum), (seen, unit))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn weigh_avx2(panel: &[u32], p: &[u32], out: &mut [f32], lanes: usize) {
    portable::weigh::<true, VALUE_TILE, 16>(panel, p, out, lanes);
}

impl Tiles {
    #[allow(clippy::too_many_arguments)]
    /// See `avx512::scores`; `seen` is [KEY_TILE][lanes / 16].
    pub fn scores(
        self,
        panel: &[u32],
        q: &[u32],
        p: &mut [u32],
        lanes: usize,
        s: &mut Softmax<'_>,
        seen: Option<&[u16]>,
        (bytes, unit): (Bytes<'_>, f32),
    ) -> bool {
        #[cfg(not(target_arch = "x86_64"))]
        let _ = bytes;
        let words = q.len() / lanes;
        assert!(matches!(lanes, 16 | 32 | 48 | 64) && q.len() == words * lanes, "queries");
        assert!(panel.len() == words * KEY_TILE, "keys");
        assert!(p.len() >= KEY_TILE / self.precision.per_word() * lanes, "weights");
        assert!([s.negative.len(), s.limit.len(), s.top.len(), s.sum.len()].iter().all(|&n| n >= lanes), "state");
        assert!(seen.is_none_or(|seen| seen.len() >= KEY_TILE * lanes / LANES), "mask");
        #[cfg(target_arch = "x86_64")]
        {
            let (k, q_, p_) = (panel.as_ptr(), q.as_ptr(), p.as_mut_ptr());
            let (read, write) = ((s.negative.as_ptr(), s.limit.as_ptr()), (s.top.as_mut_ptr(), s.sum.as_mut_ptr()));
            let mask = seen.map_or(std::ptr::null(), <[u16]>::as_ptr);
            if let (Precision::Bytes, Some((header, scale))) = (self.precision, bytes) {
                assert!(scale.len() >= lanes, "scales of the queries");
                let bytes = (header.corrections.as_ptr(), scale.as_ptr(), header.unit);
                return if seen.is_some() {
                    by_vectors!(
                        lanes,
                        super::avx512,
                        scores_of_bytes(KEY_TILE, true),
                        (k, q_, words, p_, read, write, mask, bytes)
                    )
                } else {
                    by_vectors!(
                        lanes,
                        super::avx512,
                        scores_of_bytes(KEY_TILE, false),
                        (k, q_, words, p_, read, write, mask, bytes)
                    )
                };
            }
            match (self.precision, self.isa, seen.is_some()) {
                (Precision::Bf16, _, false) => {
                    return by_vectors!(
                        lanes,
                        pairs::scores(KEY_TILE, false),
                        (k, q_, words, p_, read, write, mask, unit)
                    );
                }
                (Precision::Bf16, _, true) => {
                    return by_vectors!(
                        lanes,
                        pairs::scores(KEY_TILE, true),
                        (k, q_, words, p_, read, write, mask, unit)
                    );
                }
                (Precision::F32, Isa::Avx512 { .. }, false) => {
                    return by_vectors!(
                        lanes,
                        single::scores(KEY_TILE, false),
                        (k, q_, words, p_, read, write, mask, unit)
                    );
                }
                (Precision::F32, Isa::Avx512 { .. }, true) => {
                    return by_vectors!(
                        lanes,
                        single::scores(KEY_TILE, true),
                        (k, q_, words, p_, read, write, mask, unit)
                    );
                }
                (Precision::F32, Isa::Avx2 { .. }, _) => {
                    // SAFETY: `Precision::settle` gives AVX2 only where the processor has it.
                    #[allow(unsafe_code)]
                    return unsafe { scores_avx2(panel, q, p, lanes, s, (seen, unit)) };
                }
                (Precision::Bytes, _, _) => unreachable!("keys in bytes have headers"),
                (Precision::F32, Isa::Portable | Isa::Neon { .. }, _) => {}
            }
        }
        #[cfg(target_arch = "aarch64")]
        if matches!(self.isa, Isa::Neon { .. }) {
            let state = (s.negative, s.limit, &mut *s.top, &mut *s.sum);
            // SAFETY: every AArch64 has NEON, `Precision::settle` gives bf16 only with BF16, and the lengths have just
            // been checked.
            #[allow(unsafe_code)]
            return unsafe {
                match self.precision {
                    Precision::F32 => super::neon::single::scores(panel, q, p, lanes, state, (seen, unit)),
                    _ => super::neon::pairs::scores(panel, q, p, lanes, state, (seen, unit)),
                }
            };
        }
        portable::scores::<false, KEY_TILE, 8>(panel, q, p, lanes, (s.negative, s.limit), (s.top, s.sum), (seen, unit))
    }

    /// See `avx512::weigh`; `out` is [VALUE_TILE][lanes].
    pub fn weigh(self, panel: &[u32], p: &[u32], out: &mut [f32], lanes: usize) {
        let depth = p.len() / lanes;
        assert!(matches!(lanes, 16 | 32 | 48 | 64) && p.len() == depth * lanes, "weights");
        assert!(panel.len() == depth * VALUE_TILE && out.len() == VALUE_TILE * lanes, "values");
        #[cfg(target_arch = "x86_64")]
        {
            let (v, p_, o) = (panel.as_ptr(), p.as_ptr(), out.as_mut_ptr());
            match (self.precision, self.isa) {
                (Precision::Bf16 | Precision::Bytes, _) => {
                    return by_vectors!(lanes, pairs::weigh(VALUE_TILE), (v, p_, depth, o));
                }
                (Precision::F32, Isa::Avx512 { .. }) => {
                    return by_vectors!(lanes, single::weigh(VALUE_TILE), (v, p_, depth, o));
                }
                (Precision::F32, Isa::Avx2 { .. }) => {
                    // SAFETY: `Precision::settle` gives AVX2 only where the processor has it.
                    #[allow(unsafe_code)]
                    return unsafe { weigh_avx2(panel, p, out, lanes) };
                }
                (Precision::F32, Isa::Portable | Isa::Neon { .. }) => {}
            }
        }
        #[cfg(target_arch = "aarch64")]
        if matches!(self.isa, Isa::Neon { .. }) {
            // SAFETY: as for the scores.
            #[allow(unsafe_code)]
            return unsafe {
                match self.precision {
                    Precision::F32 => super::neon::single::weigh(panel, p, out, lanes),
                    _ => super::neon::pairs::weigh(panel, p, out, lanes),
                }
            };
        }
        portable::weigh::<false, VALUE_TILE, 8>(panel, p, out, lanes);
    }
}
