//! Memory of activations, used again: a pass makes some hundred large buffers, and fresh pages for each would cost it a
//! tenth of its time.

use crate::engine::interrupt::Interrupt;
use bytemuck::{Pod, Zeroable};
use std::sync::{Arc, Mutex, PoisonError};

/// A cache line.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Buffers that nobody uses just now.
#[derive(Default)]
pub struct Pool {
    free: Mutex<Vec<Vec<Line>>>,
}

/// So many times the size asked for may be handed out.
const WASTE: usize = 2;

impl Pool {
    /// `bytes` bytes of unspecified content, aligned to 64.
    ///
    /// # Errors
    /// [`Interrupt::OutOfMemory`].
    pub fn take(self: &Arc<Self>, bytes: usize) -> Result<Buffer, Interrupt> {
        let lines = bytes.div_ceil(64);
        let mut buffer = self.fitting(lines).unwrap_or_default();
        if buffer.len() < lines {
            // The large allocations of a job are all made here: refusing one must not end the program.
            buffer.try_reserve_exact(lines).map_err(|_| Interrupt::OutOfMemory(bytes))?;
            buffer.resize(lines, Line::zeroed());
        }
        Ok(Buffer { lines: buffer, bytes, pool: self.clone() })
    }

    /// The smallest buffer that is large enough, unless it is far too large.
    fn fitting(&self, lines: usize) -> Option<Vec<Line>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let sizes = free.iter().map(Vec::len).enumerate();
        let fits = sizes.filter(|(_, size)| (lines..=(lines * WASTE).max(64)).contains(size));
        let (at, _) = fits.min_by_key(|(_, size)| *size)?;
        Some(free.swap_remove(at))
    }

    /// Gives back to the system what nobody uses.
    pub fn trim(&self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Bytes of a pool; they go back to it in the end.
pub struct Buffer {
    lines: Vec<Line>,
    bytes: usize,
    pool: Arc<Pool>,
}

impl Buffer {
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.lines).get(..self.bytes).unwrap_or_default()
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.lines).get_mut(..self.bytes).unwrap_or_default()
    }

    /// Forgets what lies behind the first `bytes` bytes.
    pub fn shorten(&mut self, bytes: usize) {
        self.bytes = self.bytes.min(bytes);
    }

    /// Its values of a kind; the bytes must be a whole number of them.
    pub fn values<T: Pod>(&self) -> &[T] {
        bytemuck::cast_slice(self.bytes())
    }

    pub fn values_mut<T: Pod>(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(self.bytes_mut())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        if !lines.is_empty() {
            self.pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dropped_is_used_again_if_it_fits() {
        let pool = Arc::new(Pool::default());
        let first = pool.take(100_000).unwrap();
        assert_eq!((first.bytes().len(), first.values::<f32>().len()), (100_000, 25_000));
        let place = first.bytes().as_ptr();
        assert!(place.addr().is_multiple_of(64));
        drop(first);
        let small = pool.take(20_000).unwrap();
        assert_ne!(small.bytes().as_ptr(), place, "far too large");
        let again = pool.take(60_000).unwrap();
        assert_eq!((again.bytes().as_ptr(), again.bytes().len()), (place, 60_000));
        drop((small, again));
        pool.trim();
        assert!(pool.free.lock().unwrap().is_empty());
    }

    #[test]
    fn too_much_is_an_error() {
        let pool = Arc::new(Pool::default());
        assert!(matches!(pool.take(isize::MAX as usize - 63), Err(Interrupt::OutOfMemory(_))));
        assert!(pool.take(0).unwrap().bytes().is_empty());
    }
}
