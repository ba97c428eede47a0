//! Where host code is assembled.

use dynasmrt::{AssemblyOffset, DynasmApi};
use std::mem::MaybeUninit;

/// Bytes that there is room for: more than the code of any block has.
pub const CAPACITY: usize = 1 << 16;
/// What is written at once at most.
const MOST: usize = 8;

/// An assembler's memory, which is never moved: most of what making code takes is to ask each byte
/// whether there is room. What is beyond the capacity overwrites the beginning, so who has
/// assembled asks for the [length](Self::len).
pub struct Buffer {
    /// Of most of the pages nobody needs anything.
    bytes: Box<[MaybeUninit<u8>; CAPACITY + MOST]>,
    len: usize,
}

impl Buffer {
    pub fn new() -> Self {
        let bytes = Box::new_uninit_slice(CAPACITY + MOST);
        let bytes = bytes.try_into().unwrap_or_else(|_| unreachable!("so many were asked for"));
        Self { bytes, len: 0 }
    }

    /// How many bytes were assembled.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// What was assembled; none if that was too much.
    pub fn bytes(&self) -> Option<&[u8]> {
        let bytes = self.bytes[..CAPACITY].get(..self.len)?;
        // SAFETY: `put` has written all up to there.
        Some(unsafe { bytes.assume_init_ref() })
    }

    /// Appends up to [`MOST`] bytes.
    #[inline(always)]
    pub fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        const { assert!(N <= MOST) }
        let at = self.len % CAPACITY;
        self.bytes[at..at + N].write_copy_of_slice(&bytes);
        self.len += N;
    }

    /// Appends any number.
    pub fn put_all(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.put([*byte]));
    }
}

impl DynasmApi for Buffer {
    #[inline(always)]
    fn offset(&self) -> AssemblyOffset {
        AssemblyOffset(self.len)
    }

    #[inline(always)]
    fn push(&mut self, byte: u8) {
        self.put([byte]);
    }

    fn align(&mut self, alignment: usize, with: u8) {
        while !self.len.is_multiple_of(alignment) {
            self.put([with]);
        }
    }

    #[inline(always)]
    fn push_i16(&mut self, value: i16) {
        self.put(value.to_le_bytes());
    }

    #[inline(always)]
    fn push_i32(&mut self, value: i32) {
        self.put(value.to_le_bytes());
    }

    #[inline(always)]
    fn push_i64(&mut self, value: i64) {
        self.put(value.to_le_bytes());
    }
}

impl Extend<u8> for Buffer {
    #[inline(always)]
    fn extend<T: IntoIterator<Item = u8>>(&mut self, bytes: T) {
        bytes.into_iter().for_each(|byte| self.put([byte]));
    }
}

impl<'a> Extend<&'a u8> for Buffer {
    #[inline(always)]
    fn extend<T: IntoIterator<Item = &'a u8>>(&mut self, bytes: T) {
        bytes.into_iter().for_each(|byte| self.put([*byte]));
    }
}
