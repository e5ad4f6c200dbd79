//! Plain loops, compiled again for wider instructions: the compiler vectorises what is inlined here. On AArch64 once is
//! enough, since NEON belongs to its base.

use super::isa::Isa;

/// A loop to compile for each instruction set. `run` must be `#[inline(always)]`, and so must what it calls.
pub trait Work {
    type Output;
    fn run(self) -> Self::Output;
}

/// Runs `work` as compiled for `isa`; the result is the same up to rounding.
///
/// # Safety
/// The processor has `isa` (see [`Isa::is_available`]).
#[allow(unsafe_code)]
pub unsafe fn vectorise<W: Work>(isa: Isa, work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        debug_assert!(isa.is_available());
        match isa {
            Isa::Portable | Isa::Neon { .. } => {}
            // SAFETY: passed on.
            Isa::Avx2 { .. } => return unsafe { avx2(work) },
            // SAFETY: passed on.
            Isa::Avx512 { .. } => return unsafe { avx512(work) },
        }
    }
    let _ = isa;
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<W: Work>(work: W) -> W::Output {
    work.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")]
fn avx512<W: Work>(work: W) -> W::Output {
    work.run()
}

/// Runs `f` compiled for `isa`, or for the best there is where the processor lacks it. `f`, and what it calls, must be
/// inlined: `dispatch(isa, #[inline(always)] || …)`.
#[inline]
#[allow(unsafe_code)]
pub fn dispatch<R>(isa: Isa, f: impl FnOnce() -> R) -> R {
    struct Closure<F>(F);
    impl<R, F: FnOnce() -> R> Work for Closure<F> {
        type Output = R;

        #[inline(always)]
        fn run(self) -> R {
            (self.0)()
        }
    }
    // SAFETY: `or_best` gives only what the processor has.
    unsafe { vectorise(isa.or_best(), Closure(f)) }
}
