//! Memory for a stack of return addresses, below which nothing can be touched.

use crate::process;
use std::io;
use std::ptr::NonNull;

/// Bytes that cannot be touched, below the stack.
const GUARD: usize = 4096;

/// A stack that grows down. What is pushed on a full one faults.
#[derive(Debug)]
pub struct ReturnStack {
    mapping: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to no thread.
unsafe impl Send for ReturnStack {}

impl ReturnStack {
    /// A stack of so many bytes, a multiple of the page size.
    ///
    /// # Errors
    /// The host's, when it has no memory.
    pub fn new(bytes: usize) -> io::Result<Self> {
        let len = GUARD + bytes;
        let start = process::anonymous(len, libc::PROT_READ | libc::PROT_WRITE)?;
        let mapping = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let stack = Self { mapping, len };
        // SAFETY: the page is the mapping's first one, and nobody knows of it yet.
        match unsafe { libc::mprotect(start, GUARD, libc::PROT_NONE) } {
            0 => Ok(stack),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The lowest address that can be touched.
    pub fn lowest(&self) -> usize {
        self.mapping.as_ptr() as usize + GUARD
    }

    /// The address behind the stack: an empty one's stack pointer.
    pub fn top(&self) -> usize {
        self.mapping.as_ptr() as usize + self.len
    }

    /// Sets the word at the address `at`.
    ///
    /// # Panics
    /// If it is not on the stack, or not aligned.
    pub fn set(&mut self, at: usize, word: u64) {
        let place = self.word(at);
        // SAFETY: `word` has checked it.
        unsafe { place.write(word) }
    }

    /// The word at the address `at`.
    ///
    /// # Panics
    /// If it is not on the stack, or not aligned.
    pub fn get(&self, at: usize) -> u64 {
        // SAFETY: `word` has checked it.
        unsafe { self.word(at).read() }
    }

    fn word(&self, at: usize) -> *mut u64 {
        let inside = (self.lowest()..self.top()).contains(&at) && at.is_multiple_of(8);
        assert!(inside, "{at:#x} is no word of the stack");
        self.mapping.as_ptr().with_addr(at).cast()
    }
}

impl Drop for ReturnStack {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own.
        unsafe { libc::munmap(self.mapping.as_ptr().cast(), self.len) };
    }
}
