//! Which instructions the kernels may use: found once at run time, or chosen by a test.

use std::sync::OnceLock;

/// A family of instruction sets. Every variant but `Portable` names what the processor must have beyond the
/// architecture's base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// Plain Rust, vectorised by the compiler for the target's base: right everywhere.
    Portable,
    /// AVX2 and FMA; `vnni`: AVX-VNNI's 256-bit dot products of bytes.
    Avx2 { vnni: bool },
    /// AVX-512 F, BW, VL and DQ; `bf16`: AVX512-BF16; `vnni`: AVX512-VNNI.
    Avx512 { bf16: bool, vnni: bool },
    /// NEON with fused multiply-adds, which every AArch64 has; `bf16`: FEAT_BF16's products of bf16; `dot`:
    /// FEAT_DotProd's dot products of bytes; `i8mm`: FEAT_I8MM's products of small matrices of bytes.
    Neon { bf16: bool, dot: bool, i8mm: bool },
}

impl Isa {
    /// The fastest that this processor has.
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().first().copied().unwrap_or(Self::Portable))
    }

    /// All that this processor has, fastest first; the last is always `Portable`.
    pub fn available() -> Vec<Self> {
        let mut all = Vec::new();
        for bf16 in [true, false] {
            for vnni in [true, false] {
                all.push(Self::Avx512 { bf16, vnni });
            }
        }
        for bf16 in [true, false] {
            for (dot, i8mm) in [(true, true), (true, false), (false, false)] {
                all.push(Self::Neon { bf16, dot, i8mm });
            }
        }
        all.extend([Self::Avx2 { vnni: true }, Self::Avx2 { vnni: false }, Self::Portable]);
        all.retain(|isa| isa.is_available());
        all
    }

    /// Whether this processor can run it.
    #[cfg(target_arch = "x86_64")]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Neon { .. } => false,
            Self::Avx2 { vnni } => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && (!vnni || is_x86_feature_detected!("avxvnni"))
            }
            Self::Avx512 { bf16, vnni } => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && (!bf16 || is_x86_feature_detected!("avx512bf16"))
                    && (!vnni || is_x86_feature_detected!("avx512vnni"))
            }
        }
    }

    /// Whether this processor can run it.
    #[cfg(target_arch = "aarch64")]
    pub fn is_available(self) -> bool {
        use std::arch::is_aarch64_feature_detected as has;
        match self {
            Self::Portable => true,
            Self::Neon { bf16, dot, i8mm } => {
                has!("neon") && (!bf16 || has!("bf16")) && (!dot || has!("dotprod")) && (!i8mm || has!("i8mm"))
            }
            Self::Avx2 { .. } | Self::Avx512 { .. } => false,
        }
    }

    /// Whether this processor can run it.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub fn is_available(self) -> bool {
        self == Self::Portable
    }

    /// Its name for people.
    pub fn title(self) -> String {
        let family = match self {
            Self::Portable => std::env::consts::ARCH,
            Self::Avx2 { .. } => "AVX2",
            Self::Avx512 { .. } => "AVX-512",
            Self::Neon { .. } => "NEON",
        };
        let bytes = match self {
            Self::Neon { i8mm: true, .. } => " I8MM",
            Self::Neon { .. } => " DotProd",
            _ => " VNNI",
        };
        let more = [(self.has_bf16(), " BF16"), (self.has_vnni(), bytes)];
        more.into_iter().filter(|(has, _)| *has).fold(family.to_owned(), |title, (_, word)| title + word)
    }

    /// Products of pairs of bf16.
    pub fn has_bf16(self) -> bool {
        matches!(self, Self::Avx512 { bf16: true, .. } | Self::Neon { bf16: true, .. })
    }

    /// Products of bytes: VNNI's, or NEON's.
    pub fn has_vnni(self) -> bool {
        matches!(self, Self::Avx512 { vnni: true, .. } | Self::Avx2 { vnni: true } | Self::Neon { dot: true, .. })
    }

    pub fn is_avx512(self) -> bool {
        matches!(self, Self::Avx512 { .. })
    }

    /// This, or the best that the processor has where it lacks it.
    pub fn or_best(self) -> Self {
        if self.is_available() { self } else { Self::best() }
    }

    /// Columns in a panel of weights packed for it: what its microkernel holds in registers beside six rows.
    pub fn panel(self) -> usize {
        match self {
            Self::Portable | Self::Avx2 { .. } | Self::Neon { .. } => 16,
            Self::Avx512 { .. } => 64,
        }
    }

    /// Whether its microkernels can read panels of `columns` columns. `Portable` reads all.
    pub fn reads(self, columns: usize) -> bool {
        self == Self::Portable || self.panel() == columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portable_is_always_there_and_last() {
        let all = Isa::available();
        assert_eq!(all.last(), Some(&Isa::Portable));
        assert_eq!(all[0], Isa::best());
        assert!(all.iter().all(|isa| isa.is_available() && Isa::Portable.reads(isa.panel())));
    }

    #[test]
    fn titles_name_what_there_is() {
        assert_eq!(Isa::Avx512 { bf16: true, vnni: true }.title(), "AVX-512 BF16 VNNI");
        assert_eq!(Isa::Avx2 { vnni: false }.title(), "AVX2");
        assert_eq!(Isa::Neon { bf16: true, dot: true, i8mm: true }.title(), "NEON BF16 I8MM");
        assert_eq!(Isa::Neon { bf16: false, dot: true, i8mm: false }.title(), "NEON DotProd");
    }
}
