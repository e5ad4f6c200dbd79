//! Large pieces of memory straight from the system: refused without harm where there is none, given back to the last
//! page when dropped, and in huge pages where the system has them, so that each takes one fault and not five hundred.

use memmap2::MmapMut;

/// From so many bytes on memory is had as pages.
pub const LARGE: usize = 1 << 20;

/// Memory that the system refused, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub usize);

/// `bytes` zeros, aligned to a page.
pub fn pages(bytes: usize) -> Result<MmapMut, Refused> {
    let map = MmapMut::map_anon(bytes.max(1)).map_err(|_| Refused(bytes))?;
    #[cfg(target_os = "linux")]
    if let Err(error) = map.advise(memmap2::Advice::HugePage) {
        tracing::debug!(%error, "no huge pages");
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_zeros_or_refused() {
        let mut map = pages(3 * LARGE).unwrap();
        assert!(map.len() == 3 * LARGE && map.as_ptr().addr().is_multiple_of(4096));
        assert!(map.iter().all(|byte| *byte == 0));
        map[3 * LARGE - 1] = 7;
        assert_eq!(map.iter().map(|byte| usize::from(*byte)).sum::<usize>(), 7);
        assert_eq!(pages(isize::MAX as usize - 4096).unwrap_err(), Refused(isize::MAX as usize - 4096));
        assert!(pages(0).is_ok());
    }
}
