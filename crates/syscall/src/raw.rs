//! Raw system calls of the host: the only place where this crate enters its kernel.
//!
//! Every call takes its arguments as plain registers and returns what the
//! kernel left in `rax`. `libc`'s wrappers are not used for calls made on the
//! guest's behalf: they go through `errno`, they hide some calls, and some
//! keep state of their own.
#![allow(unsafe_code)]

use crate::Errno;
use std::arch::asm;
use std::ffi::c_long;

/// Host system calls that the `libc` crate does not list. From 424 on, every
/// architecture has the same numbers.
pub(crate) mod young {
    use std::ffi::c_long;
    pub(crate) const SYS_IO_PGETEVENTS: c_long = 333;
    pub(crate) const SYS_CACHESTAT: c_long = 451;
    pub(crate) const SYS_FUTEX_WAKE: c_long = 454;
    pub(crate) const SYS_FUTEX_WAIT: c_long = 455;
    pub(crate) const SYS_FUTEX_REQUEUE: c_long = 456;
    pub(crate) const SYS_STATMOUNT: c_long = 457;
    pub(crate) const SYS_LISTMOUNT: c_long = 458;
    pub(crate) const SYS_LSM_GET_SELF_ATTR: c_long = 459;
    pub(crate) const SYS_LSM_SET_SELF_ATTR: c_long = 460;
    pub(crate) const SYS_LSM_LIST_MODULES: c_long = 461;
}

/// Makes a host system call and returns what the kernel does: a value, or the
/// negated error number from -4095 to -1.
///
/// The kernel checks every pointer itself and answers `EFAULT`. What it may
/// overwrite is named by `args`: for a guest's arguments that is the guest's
/// business as much as a store of its own would be, for the VM's own arguments
/// callers pass buffers that live across the call.
#[inline(always)]
pub(crate) fn syscall(number: c_long, args: [u64; 6]) -> u64 {
    let result;
    // SAFETY: the instruction clobbers rax, rcx and r11 only. Memory that the
    // kernel writes is declared by the missing `nomem`, and is the guest's or a
    // buffer of the caller's, as described above.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as u64 => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack, preserves_flags),
        );
    }
    result
}

/// As [`syscall`], for calls that may wait: gives [`RESTART`] if a signal came first,
/// or interrupted a call that is to be made again after it.
#[inline]
pub(crate) fn guarded(number: c_long, args: [u64; 6]) -> u64 {
    rvrun_host::guarded::syscall(number, args)
}

/// The error that stands for [`rvrun_host::guarded::RESTART`]: what a handler passes
/// on untouched, having changed nothing.
pub(crate) const RESTART: Errno = Errno(-(rvrun_host::guarded::RESTART as i64) as i32);

/// As [`syscall`], with the error told apart from the value.
pub(crate) fn call(number: c_long, args: &[u64]) -> Result<u64, Errno> {
    let mut registers = [0; 6];
    for (register, arg) in registers.iter_mut().zip(args) {
        *register = *arg;
    }
    check(syscall(number, registers))
}

/// Splits what the kernel returned.
pub(crate) fn check(value: u64) -> Result<u64, Errno> {
    match value as i64 {
        error @ -4095..=-1 => Err(Errno(-error as i32)),
        _ => Ok(value),
    }
}
