//! Hints to bring memory near before it is used. Without effect on what programs compute.

/// Into the first cache.
pub const NEAR: bool = true;
/// Into the second.
pub const FAR: bool = false;

/// Asks for the lines of `length` bytes from `start` on.
#[inline]
#[allow(unsafe_code)]
pub fn prefetch<const WHERE: bool>(start: *const u8, length: usize) {
    #[cfg(target_arch = "x86_64")]
    for at in (0..length).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        let at = start.wrapping_add(at).cast();
        // SAFETY: a hint may name any address.
        unsafe { if WHERE { _mm_prefetch::<_MM_HINT_T0>(at) } else { _mm_prefetch::<_MM_HINT_T1>(at) } }
    }
    #[cfg(target_arch = "aarch64")]
    for at in (0..length).step_by(64) {
        let at = start.wrapping_add(at);
        // SAFETY: a hint may name any address.
        unsafe {
            if WHERE {
                std::arch::asm!("prfm pldl1keep, [{}]", in(reg) at, options(nostack, preserves_flags, readonly));
            } else {
                std::arch::asm!("prfm pldl2keep, [{}]", in(reg) at, options(nostack, preserves_flags, readonly));
            }
        }
    }
    let _ = (start, length);
}
