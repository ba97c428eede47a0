//! The host process's own signal state, where it stands for the guest's.
//!
//! `SIGSEGV` and `SIGBUS` belong to the VM's fault handler: their disposition
//! and mask are only recorded for the guest, never set. `SIGILL`, `SIGTRAP` and
//! `SIGFPE` are never blocked on the host, since a fault in the VM has to end it.
#![allow(unsafe_code)]

use crate::abi::sigaction::{self, Action};
use crate::raw;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes in a signal set.
const SET_SIZE: u64 = 8;
/// The longest name of a thread, without its NUL.
const NAME_MAX: usize = 15;

/// The bit of a signal in a set.
pub(crate) const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Signals whose disposition is the VM's own.
const VM_OWNS: u64 = bit(libc::SIGSEGV) | bit(libc::SIGBUS);
/// Signals that stay unblocked on the host.
const NEVER_BLOCKED: u64 = VM_OWNS | bit(libc::SIGILL) | bit(libc::SIGTRAP) | bit(libc::SIGFPE);

/// Whether `SIGPIPE` was ignored when the VM was started. Rust's runtime
/// ignores it before `main`, so it has to be looked up earlier.
static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);

extern "C" fn record_pipe() {
    PIPE_IGNORED.store(host_action(libc::SIGPIPE)[0] == libc::SIG_IGN as u64, Ordering::Relaxed);
}

/// Runs before `main` (System V ABI, "Initialization and Termination Functions").
#[used]
// SAFETY: the section holds pointers to functions that the loader calls once; this one only
// makes a system call and stores a flag.
#[unsafe(link_section = ".init_array")]
static RECORD_PIPE: extern "C" fn() = record_pipe;

/// The host kernel's `struct sigaction` of a signal.
fn host_action(signal: i32) -> [u64; 4] {
    let mut action = [0u64; 4];
    let args = [signal as u64, 0, (&raw mut action) as u64, SET_SIZE, 0, 0];
    raw::syscall(libc::SYS_rt_sigaction, args);
    action
}

/// Sets a signal to `SIG_DFL` or `SIG_IGN` on the host, unless the VM owns it.
pub(crate) fn set_action(signal: i32, handler: u64, flags: u64) {
    if VM_OWNS & bit(signal) == 0 {
        let action = sigaction::host(handler, flags);
        let args = [signal as u64, (&raw const action) as u64, 0, SET_SIZE, 0, 0];
        raw::syscall(libc::SYS_rt_sigaction, args);
    }
}

/// The guest's first dispositions: ignored signals stay ignored across `execve`,
/// others have their default (`execve(2)`).
pub(crate) fn inherited_actions() -> [Action; 64] {
    // Keeps the linker from dropping the section.
    let _ = std::hint::black_box(RECORD_PIPE);
    let mut actions = [Action::default(); 64];
    for (signal, action) in (1..).zip(actions.iter_mut()) {
        if host_action(signal)[0] == libc::SIG_IGN as u64 {
            action.handler = libc::SIG_IGN as u64;
        }
    }
    if !PIPE_IGNORED.load(Ordering::Relaxed) {
        actions[libc::SIGPIPE as usize - 1] = Action::default();
        set_action(libc::SIGPIPE, libc::SIG_DFL as u64, 0);
    }
    actions
}

/// The thread's signal mask.
pub(crate) fn mask() -> u64 {
    let mut mask = 0u64;
    let args = [libc::SIG_BLOCK as u64, 0, (&raw mut mask) as u64, SET_SIZE, 0, 0];
    raw::syscall(libc::SYS_rt_sigprocmask, args);
    mask
}

/// Blocks what the guest blocks, but for what the VM needs.
pub(crate) fn set_mask(guest: u64) {
    set_whole_mask(guest & !NEVER_BLOCKED);
}

/// Blocks all that the guest blocks: what the next program inherits.
pub(crate) fn set_whole_mask(mask: u64) {
    let args = [libc::SIG_SETMASK as u64, (&raw const mask) as u64, 0, SET_SIZE, 0, 0];
    raw::syscall(libc::SYS_rt_sigprocmask, args);
}

/// Names the calling thread, as far as the name fits.
pub(crate) fn name_thread(name: &[u8]) {
    let mut bytes = [0; NAME_MAX + 1];
    let length = name.len().min(NAME_MAX);
    bytes[..length].copy_from_slice(&name[..length]);
    raw::syscall(libc::SYS_prctl, [libc::PR_SET_NAME as u64, bytes.as_ptr() as u64, 0, 0, 0, 0]);
}
