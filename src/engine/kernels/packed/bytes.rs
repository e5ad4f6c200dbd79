//! Memory of packed weights: owned and aligned, or a piece of somebody else's (a mapped file).

use crate::engine::kernels::pages::{LARGE, Refused, pages};
use std::ops::Range;
use std::sync::Arc;

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Alignment of [`Bytes`], in bytes.
pub const ALIGNMENT: usize = 64;

/// Bytes that start at a multiple of [`ALIGNMENT`].
#[derive(Clone)]
pub struct Bytes(Storage);

#[derive(Clone)]
enum Storage {
    Owned(Arc<[Line]>),
    Shared(Arc<dyn AsRef<[u8]> + Send + Sync>, Range<usize>),
}

impl Bytes {
    /// `length` zeros, rounded up to whole lines, after `write` has been over them.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn build(length: usize, write: impl FnOnce(&mut [u8])) -> Result<Self, Refused> {
        let length = length.next_multiple_of(ALIGNMENT);
        if length >= LARGE {
            let mut map = pages(length)?;
            write(&mut map);
            return Ok(Self(Storage::Shared(Arc::new(map), 0..length)));
        }
        let mut lines: Arc<[Line]> = std::iter::repeat_n(Line([0; 64]), length / 64).collect();
        let fresh = Arc::get_mut(&mut lines).expect("just made");
        write(bytes_mut(fresh));
        Ok(Self(Storage::Owned(lines)))
    }

    /// A piece of `owner`, for instance of a mapped file. None when the range is not in it or not aligned.
    pub fn shared(owner: Arc<dyn AsRef<[u8]> + Send + Sync>, range: Range<usize>) -> Option<Self> {
        let piece = (*owner).as_ref().get(range.clone())?;
        piece.as_ptr().addr().is_multiple_of(ALIGNMENT).then_some(())?;
        Some(Self(Storage::Shared(owner, range)))
    }

    #[allow(unsafe_code)]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            // SAFETY: lines are 64 bytes each without gaps, and any byte is a u8.
            Storage::Owned(lines) => unsafe { std::slice::from_raw_parts(lines.as_ptr().cast(), lines.len() * 64) },
            Storage::Shared(owner, range) => &(**owner).as_ref()[range.clone()],
        }
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

#[allow(unsafe_code)]
fn bytes_mut(lines: &mut [Line]) -> &mut [u8] {
    // SAFETY: lines are 64 bytes each without gaps; any byte is a u8 and any u8 may be written.
    unsafe { std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast(), lines.len() * 64) }
}

/// Reads aligned little-endian floats where they lie.
///
/// # Panics
/// If the piece is not aligned to four bytes or no multiple of four long.
#[allow(unsafe_code)]
pub fn floats(bytes: &[u8]) -> &[f32] {
    assert!(cfg!(target_endian = "little") && bytes.len().is_multiple_of(4));
    assert!(bytes.as_ptr().addr().is_multiple_of(align_of::<f32>()));
    // SAFETY: aligned and whole, as just checked; every bit pattern is an f32.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / 4) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_aligned_and_within() {
        for (length, rounded) in [(100, 128), (LARGE + 1, LARGE + 64)] {
            let owned = Bytes::build(length, |b| b[length - 1] = 7).unwrap();
            assert_eq!((owned.as_slice().len(), owned.as_slice()[length - 1]), (rounded, 7));
            assert!(owned.as_slice().as_ptr().addr().is_multiple_of(ALIGNMENT));
        }
        assert!(Bytes::build(isize::MAX as usize - 4096, |_| unreachable!()).is_err());
        let owner: Arc<dyn AsRef<[u8]> + Send + Sync> = Arc::new(vec![1u8; 300]);
        let start = (*owner).as_ref().as_ptr().addr().wrapping_neg() % 64;
        assert_eq!(Bytes::shared(owner.clone(), start..start + 128).unwrap().as_slice(), &[1; 128]);
        assert!(Bytes::shared(owner.clone(), start + 1..start + 128).is_none());
        assert!(Bytes::shared(owner, start..start + 301).is_none());
    }

    #[test]
    fn floats_are_read_in_place() {
        let bytes = Bytes::build(64, |b| b[4..8].copy_from_slice(&1.5f32.to_le_bytes())).unwrap();
        assert_eq!(floats(bytes.as_slice())[..3], [0.0, 1.5, 0.0]);
    }
}
