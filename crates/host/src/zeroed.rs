//! Tables of the VM's own that are large and mostly untouched.

use crate::process;
use std::io;
use std::ops::{Deref, DerefMut};
use std::slice;

/// A slice whose elements are zeroes until they are written, in a mapping of its own: pages
/// that nobody touches cost neither time nor memory. Not so those of the C library's
/// calloc(3), which clears what it takes from the heap.
#[derive(Debug)]
pub struct Zeroed<T> {
    start: *mut T,
    len: usize,
}

// SAFETY: the mapping is this value's own, as a box's memory is.
unsafe impl<T: Send> Send for Zeroed<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Zeroed<T> {}

impl<T: Copy> Zeroed<T> {
    /// A slice of `len` elements.
    ///
    /// # Errors
    /// The host's, when it has no memory.
    ///
    /// # Safety
    /// Zeroes are a value of `T`'s.
    pub unsafe fn new(len: usize) -> io::Result<Self> {
        const { assert!(size_of::<T>() > 0 && align_of::<T>() <= process::PAGE) };
        let bytes = len.checked_mul(size_of::<T>()).filter(|bytes| *bytes > 0);
        let bytes = bytes.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
        let start = process::anonymous(bytes, libc::PROT_READ | libc::PROT_WRITE)?;
        Ok(Self { start: start.cast(), len })
    }
}

impl<T> Deref for Zeroed<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the mapping has so many elements, which are values of `T`'s by `new`'s contract.
        unsafe { slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T> DerefMut for Zeroed<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`.
        unsafe { slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl<T> Drop for Zeroed<T> {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new`, and references into it are this value's.
        unsafe { libc::munmap(self.start.cast(), self.len * size_of::<T>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_zero_until_they_are_written() {
        // SAFETY: zeroes are a pair of numbers.
        let mut pairs: Zeroed<(u64, u32)> = unsafe { Zeroed::new(100_000) }.unwrap();
        assert!(pairs.len() == 100_000 && pairs.iter().all(|pair| *pair == (0, 0)));
        pairs[99_999] = (1, 2);
        assert_eq!(pairs.last(), Some(&(1, 2)));
    }

    #[test]
    fn what_no_memory_has_room_for_is_refused() {
        // SAFETY: zeroes are a number.
        let new = |len| unsafe { Zeroed::<u64>::new(len) };
        assert!(new(0).is_err() && new(1 << 60).is_err() && new(usize::MAX).is_err());
    }
}
