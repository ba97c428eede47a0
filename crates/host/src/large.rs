//! Memory that may get large.
//!
//! Pages of the usual size cost 1.6 us each: 1.3 to get them, be it one by one or many at once, and
//! 0.3 to give them back. A page of 2 MiB costs as much as 120 of them (in a virtual machine with
//! Linux 6.x). So what grows has 256 KiB of small pages at first, and large ones from there on.

use crate::process::{anonymous, anonymous_at, populate_pages};
use std::io;
use std::ops::{Deref, DerefMut, Range};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes with small pages, at an end at which memory begins to be used.
pub const SMALL: usize = 256 << 10;

/// Bytes of a large page of x86-64.
const LARGE_PAGE: usize = 2 << 20;

/// Bytes whose pages are asked for at once among small ones.
const POPULATED: usize = 8 << 10;

/// Reserves `len` bytes of zeroes that are taken when they are touched. Those from [`SMALL`] up to
/// the offset `end`, about, are to have large pages if the host has any: gives these as well, by their
/// offsets.
///
/// # Errors
/// The host's, when it has no memory or forbids such a protection.
pub fn reserve(len: usize, prot: i32, end: usize) -> io::Result<(*mut u8, Range<usize>)> {
    let start = place(len, prot)?;
    let first = start + SMALL;
    let last = (start + end.min(len)) & !(LARGE_PAGE - 1);
    let large = if first < last { first - start..last - start } else { len..len };
    Ok((start as *mut u8, large))
}

/// Says that these offsets of memory at `start` are to have large pages. Short programs do not get
/// there, and the host's kernel has to divide a mapping for it.
fn want_large(start: *mut u8, large: &Range<usize>) {
    // SAFETY: the advice is about memory that its caller has reserved, and changes no contents.
    unsafe { libc::madvise(start.add(large.start).cast(), large.len(), libc::MADV_HUGEPAGE) };
}

/// Where the last memory was placed, or 0: below that there is room, as a rule.
static LAST: AtomicUsize = AtomicUsize::new(0);

/// Maps `len` bytes, of which those from [`SMALL`] on begin where a large page may.
fn place(len: usize, prot: i32) -> io::Result<usize> {
    let below = |last: usize| {
        let first = last.checked_sub(len)?.checked_add(SMALL)? & !(LARGE_PAGE - 1);
        // To get a place takes less than to map more and to give back what is around it.
        first.checked_sub(SMALL).filter(|start| anonymous_at(*start, len, prot).is_ok())
    };
    let (start, lowest) = match below(LAST.load(Ordering::Relaxed)) {
        Some(start) => (start, start),
        None => anywhere(len, prot)?,
    };
    LAST.store(lowest, Ordering::Relaxed);
    Ok(start)
}

/// The same where the host finds room; gives also from where on nothing is free. What is around it
/// stays reserved: it takes no memory, and giving it back takes longer than getting it.
fn anywhere(len: usize, prot: i32) -> io::Result<(usize, usize)> {
    let all = len.checked_add(LARGE_PAGE).ok_or(io::ErrorKind::OutOfMemory)?;
    let mapped = anonymous(all, prot)? as usize;
    Ok(((mapped + SMALL).next_multiple_of(LARGE_PAGE) - SMALL, mapped))
}

/// Asks for the small pages of memory at `start` from the offset `from` to `to` and some more, but
/// not beyond where `large` ones begin, which it gets ready then; gives up to where.
pub(crate) fn populate_up(start: *mut u8, from: usize, to: usize, large: &Range<usize>) -> usize {
    let to = to.next_multiple_of(POPULATED).min(large.start);
    populate_pages(start as usize + from, start as usize + to);
    if to == large.start {
        want_large(start, large);
    }
    to
}

/// The same of memory that is used from its end on.
pub(crate) fn populate_down(start: *mut u8, from: usize, to: usize, large: &Range<usize>) -> usize {
    let from = (from - from % POPULATED).max(large.end);
    populate_pages(start as usize + from, start as usize + to);
    if from == large.end {
        want_large(start, large);
    }
    from
}

/// A list whose items stay where they are.
pub struct Lasting<T> {
    start: NonNull<T>,
    len: usize,
    capacity: usize,
    /// Offsets with large pages, and up to where small ones have been asked for.
    large: Range<usize>,
    populated: usize,
}

impl<T> Default for Lasting<T> {
    /// A list with room for nothing.
    fn default() -> Self {
        Self { start: NonNull::dangling(), len: 0, capacity: 0, large: 0..0, populated: 0 }
    }
}

impl<T: Copy> Lasting<T> {
    /// An empty list with room for so many items.
    ///
    /// # Errors
    /// The host's, when it has no memory.
    pub fn new(capacity: usize) -> io::Result<Self> {
        let bytes = capacity.checked_mul(size_of::<T>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let (start, large) = reserve(bytes.max(SMALL), prot, bytes)?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len: 0, capacity, large, populated: 0 })
    }

    /// Where the item with this index is or would be, without a reference to any.
    pub fn address(&self, index: usize) -> *mut T {
        self.start.as_ptr().wrapping_add(index)
    }

    /// How many more items there is room for.
    pub fn room(&self) -> usize {
        self.capacity - self.len
    }

    /// Where the next so many items are to be, in pages that are there; none if there is no room.
    fn place_for(&mut self, count: usize) -> Option<*mut T> {
        if count > self.room() {
            return None;
        }
        let end = (self.len + count) * size_of::<T>();
        if end > self.populated && self.populated < self.large.start {
            let start = self.start.as_ptr().cast();
            self.populated = populate_up(start, self.populated, end, &self.large);
        }
        // SAFETY: there is room, in memory that is this list's own.
        Some(unsafe { self.start.as_ptr().add(self.len) })
    }

    /// Appends so many items, by their number; none and gives false if there is no room.
    pub fn extend_with(&mut self, count: usize, item: impl Fn(usize) -> T) -> bool {
        let Some(place) = self.place_for(count) else { return false };
        for n in 0..count {
            // SAFETY: there is room for so many; nobody has a reference to what is behind the list.
            unsafe { place.add(n).write(item(n)) };
        }
        self.len += count;
        true
    }

    /// Appends `items`, and gives where they are; none if there is no room.
    pub fn extend(&mut self, items: &[T]) -> Option<*const T> {
        let place = self.place_for(items.len())?;
        // SAFETY: as before, and as many items; nobody has a reference to what is behind the list.
        unsafe { place.copy_from_nonoverlapping(items.as_ptr(), items.len()) };
        self.len += items.len();
        Some(place)
    }

    /// Forgets all items.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

impl<T> Deref for Lasting<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: so many items were written there, and changing them takes `&mut`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Lasting<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: so many items were written there, and nobody else has a reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Lasting<T> {
    fn drop(&mut self) {
        if self.capacity == 0 {
            return;
        }
        let bytes = (self.capacity * size_of::<T>()).max(SMALL);
        // SAFETY: the mapping is this list's own, and whoever has its items' addresses must not use
        // them any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_where_they_are() {
        let mut list = Lasting::new(1 << 20).unwrap();
        let mut places = Vec::new();
        for n in 0..1u64 << 18 {
            places.push(list.extend(&[n, !n, n, n]).unwrap());
        }
        assert_eq!(list.room(), 0);
        assert!(list.extend(&[0]).is_none());
        for (n, place) in (0..).zip(places) {
            // SAFETY: the list is there.
            assert_eq!(unsafe { place.cast::<[u64; 4]>().read() }, [n, !n, n, n]);
        }
    }

    #[test]
    fn large_pages_are_whole_and_between_small_ones() {
        for len in [SMALL, 2 * SMALL, 4 << 20, (64 << 20) + 2 * SMALL] {
            let prot = libc::PROT_READ | libc::PROT_WRITE;
            let (start, large) = reserve(len, prot, len - SMALL).unwrap();
            if large.start == len {
                assert!(len < 4 << 20, "{len}");
            } else {
                assert_eq!(large.start, SMALL);
                assert!(large.end + SMALL <= len && large.end > large.start);
                assert!((start as usize + large.start).is_multiple_of(LARGE_PAGE));
                assert!((start as usize + large.end).is_multiple_of(LARGE_PAGE));
            }
            // SAFETY: the mapping is the test's own.
            unsafe { libc::munmap(start.cast(), len) };
        }
    }
}
