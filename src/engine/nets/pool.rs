//! Memory of activations, used again: a pass makes some hundred large buffers, and fresh pages for each would cost it a
//! tenth of its time.

use crate::engine::interrupt::Interrupt;
use crate::engine::kernels::pages::{LARGE, pages};
use bytemuck::{Pod, Zeroable};
use memmap2::MmapMut;
use std::sync::{Arc, Mutex, PoisonError};

/// A cache line.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Aligned to a line at least.
enum Memory {
    Small(Vec<Line>),
    Large(MmapMut),
}

impl Memory {
    /// So many bytes or a few more.
    fn new(bytes: usize) -> Result<Self, Interrupt> {
        if bytes >= LARGE {
            return Ok(Self::Large(pages(bytes)?));
        }
        let mut lines = Vec::new();
        lines.try_reserve_exact(bytes.div_ceil(64)).map_err(|_| Interrupt::OutOfMemory(bytes))?;
        lines.resize(bytes.div_ceil(64), Line::zeroed());
        Ok(Self::Small(lines))
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Small(lines) => bytemuck::cast_slice(lines),
            Self::Large(map) => map,
        }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Small(lines) => bytemuck::cast_slice_mut(lines),
            Self::Large(map) => map,
        }
    }
}

/// Buffers that nobody uses just now.
#[derive(Default)]
pub struct Pool {
    free: Mutex<Vec<Memory>>,
    /// Bytes had from the system: now, and at most.
    #[cfg(test)]
    pub had: Mutex<(usize, usize)>,
}

/// So many times the size asked for may be handed out.
const WASTE: usize = 2;

impl Pool {
    /// `bytes` bytes of unspecified content, aligned to 64.
    ///
    /// # Errors
    /// [`Interrupt::OutOfMemory`].
    pub fn take(self: &Arc<Self>, bytes: usize) -> Result<Buffer, Interrupt> {
        // The large allocations of a job are all made here: refusing one must not end the program.
        let memory = match self.fitting(bytes) {
            Some(memory) => memory,
            None => {
                let memory = Memory::new(bytes)?;
                #[cfg(test)]
                self.count(|now| now + memory.bytes().len());
                memory
            }
        };
        Ok(Buffer { memory: Some(memory), bytes, pool: self.clone() })
    }

    /// The smallest buffer that is large enough, unless it is far too large.
    fn fitting(&self, bytes: usize) -> Option<Memory> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let sizes = free.iter().map(|memory| memory.bytes().len()).enumerate();
        let fits = sizes.filter(|(_, size)| (bytes..=(bytes * WASTE).max(4096)).contains(size));
        let (at, _) = fits.min_by_key(|(_, size)| *size)?;
        Some(free.swap_remove(at))
    }

    /// Gives back to the system what nobody uses.
    pub fn trim(&self) {
        let free = std::mem::take(&mut *self.free.lock().unwrap_or_else(PoisonError::into_inner));
        #[cfg(test)]
        self.count(|now| now - free.iter().map(|memory| memory.bytes().len()).sum::<usize>());
        drop(free);
    }

    #[cfg(test)]
    fn count(&self, change: impl FnOnce(usize) -> usize) {
        let mut had = self.had.lock().unwrap();
        had.0 = change(had.0);
        had.1 = had.1.max(had.0);
    }
}

/// Bytes of a pool; they go back to it in the end.
pub struct Buffer {
    /// Taken out when it goes back.
    memory: Option<Memory>,
    bytes: usize,
    pool: Arc<Pool>,
}

impl Buffer {
    pub fn bytes(&self) -> &[u8] {
        self.memory.as_ref().and_then(|memory| memory.bytes().get(..self.bytes)).unwrap_or_default()
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.as_mut().and_then(|memory| memory.bytes_mut().get_mut(..self.bytes)).unwrap_or_default()
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
        if let Some(memory) = self.memory.take().filter(|memory| !memory.bytes().is_empty()) {
            self.pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dropped_is_used_again_if_it_fits() {
        for size in [100_000, 3 * LARGE] {
            let pool = Arc::new(Pool::default());
            let first = pool.take(size).unwrap();
            assert_eq!((first.bytes().len(), first.values::<f32>().len()), (size, size / 4));
            let place = first.bytes().as_ptr();
            assert!(place.addr().is_multiple_of(64));
            drop(first);
            let small = pool.take(size / 5).unwrap();
            assert_ne!(small.bytes().as_ptr(), place, "far too large");
            let mut again = pool.take(size / 5 * 3).unwrap();
            assert_eq!((again.bytes().as_ptr(), again.bytes().len()), (place, size / 5 * 3));
            again.shorten(size / 5);
            assert_eq!((again.bytes().as_ptr(), again.bytes_mut().len()), (place, size / 5));
            drop((small, again));
            pool.trim();
            assert!(pool.free.lock().unwrap().is_empty());
        }
    }

    #[test]
    fn too_much_is_an_error() {
        let pool = Arc::new(Pool::default());
        assert!(matches!(pool.take(isize::MAX as usize - 63), Err(Interrupt::OutOfMemory(_))));
        assert!(pool.take(0).unwrap().bytes().is_empty());
    }
}
