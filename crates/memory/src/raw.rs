//! The host's mapping calls, with errors as numbers.

use crate::{Errno, GuestAddr};
use std::ffi::c_void;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

fn last_errno() -> Errno {
    Errno(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL))
}

fn check(result: i32) -> Result<(), Errno> {
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

fn pointer(addr: GuestAddr) -> *mut c_void {
    addr as *mut c_void
}

/// mmap(2). With `MAP_FIXED` the caller has made sure that the range is the guest's.
pub fn mmap(
    addr: GuestAddr,
    len: u64,
    prot: i32,
    flags: i32,
    fd: i32,
    offset: u64,
) -> Result<GuestAddr, Errno> {
    // SAFETY: only guest memory is replaced, by the caller's promise.
    let result = unsafe { libc::mmap(pointer(addr), len as usize, prot, flags, fd, offset as i64) };
    if result == libc::MAP_FAILED { Err(last_errno()) } else { Ok(result as GuestAddr) }
}

/// Shows `act` the file with this descriptor, which is one of the guest's.
pub fn with_file<T>(fd: i32, act: impl FnOnce(BorrowedFd) -> Option<T>) -> Option<T> {
    if fd < 0 {
        return None;
    }
    // SAFETY: it is open. Should another thread of the guest's close it meanwhile, what `act` asks
    // of it fails, or is answered for another file: nobody but the guest has put anything there.
    act(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// munmap(2) of guest memory.
pub fn munmap(addr: GuestAddr, len: u64) -> Result<(), Errno> {
    // SAFETY: only guest memory is unmapped, by the caller's promise.
    check(unsafe { libc::munmap(pointer(addr), len as usize) })
}

/// Whether something is mapped at every page of `range`.
pub fn is_mapped(range: Range<GuestAddr>) -> bool {
    let len = (range.end - range.start) as usize;
    // SAFETY: with this flag the call does nothing but look for holes.
    check(unsafe { libc::msync(pointer(range.start), len, libc::MS_ASYNC) }).is_ok()
}

/// mprotect(2) of guest memory.
pub fn mprotect(addr: GuestAddr, len: u64, prot: i32) -> Result<(), Errno> {
    // SAFETY: only guest memory is changed, by the caller's promise.
    check(unsafe { libc::mprotect(pointer(addr), len as usize, prot) })
}

/// madvise(2) of guest memory.
pub fn madvise(addr: GuestAddr, len: u64, advice: i32) -> Result<(), Errno> {
    // SAFETY: only guest memory is changed, by the caller's promise.
    check(unsafe { libc::madvise(pointer(addr), len as usize, advice) })
}

/// mremap(2) of guest memory; with `MREMAP_FIXED` to a range that is the guest's.
pub fn mremap(
    old: GuestAddr,
    old_len: u64,
    new_len: u64,
    flags: i32,
    new: GuestAddr,
) -> Result<GuestAddr, Errno> {
    // SAFETY: only guest memory is moved and replaced, by the caller's promise.
    let result = unsafe {
        libc::mremap(pointer(old), old_len as usize, new_len as usize, flags, pointer(new))
    };
    if result == libc::MAP_FAILED { Err(last_errno()) } else { Ok(result as GuestAddr) }
}

/// mseal(2) of guest memory.
pub fn mseal(addr: GuestAddr, len: u64, flags: u64) -> Result<(), Errno> {
    /// Its number on x86-64; young.
    const MSEAL: i64 = 462;
    // SAFETY: only guest memory is kept from being changed.
    check(unsafe { libc::syscall(MSEAL, addr, len, flags) } as i32)
}

/// remap_file_pages(2) of guest memory.
pub fn remap_file_pages(
    addr: GuestAddr,
    len: u64,
    prot: u64,
    page: u64,
    flags: u64,
) -> Result<(), Errno> {
    // SAFETY: only guest memory is replaced, by the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_remap_file_pages, addr, len, prot, page, flags) };
    check(result as i32)
}
