//! Files of the VM's own that it reads as memory.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;

/// A private, read-only mapping of a file's beginning.
///
/// The file may become shorter while it is mapped, and then reading what is gone faults
/// (SIGBUS). So it gives its address only, to be read as the guest's memory is.
#[derive(Debug)]
pub struct FileMap {
    start: *mut libc::c_void,
    len: usize,
}

// SAFETY: the mapping belongs to nobody else, and is not written.
unsafe impl Send for FileMap {}
// SAFETY: as above.
unsafe impl Sync for FileMap {}

impl FileMap {
    /// Maps `len` bytes.
    ///
    /// # Errors
    /// As mmap(2).
    pub fn new(file: &File, len: usize) -> io::Result<Self> {
        let (prot, flags) = (libc::PROT_READ, libc::MAP_PRIVATE);
        // SAFETY: a new mapping at a place of the kernel's choice is in nobody's way.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, prot, flags, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start, len })
    }

    /// Where it is.
    pub fn address(&self) -> u64 {
        self.start as u64
    }

    /// How many bytes are mapped.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether that is none, which mmap(2) refuses.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Drop for FileMap {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new`, and nobody has references into it.
        unsafe { libc::munmap(self.start, self.len) };
    }
}
