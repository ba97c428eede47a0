//! System calls that a signal either precedes or interrupts, never misses.
//!
//! Who looks at a flag and then makes a call that waits can be interrupted in
//! between, by the very signal that should have kept it from waiting. So the look
//! and the `syscall` instruction are in one routine, and the handler of
//! [`signals`](crate::signals) takes a thread that it finds between the two to the
//! routine's other end. There it also finds calls that the kernel means to restart
//! once the handler returns: they restart after the guest's handler instead.

use crate::signals;
use std::ffi::c_long;

/// What [`syscall`] returns if a signal came first: the kernel's own number for that,
/// negated, which no call returns.
pub const RESTART: u64 = -512i64 as u64;

/// What the interrupted rest of a call that cannot be had again returns.
const INTERRUPTED: u64 = -(libc::EINTR as i64) as u64;

unsafe extern "C" {
    #[link_name = "rvrun_guarded_syscall"]
    fn guarded_syscall(number: c_long, args: *const [u64; 6], flag: *const u32) -> u64;
    #[link_name = "rvrun_guarded_look"]
    fn look();
    #[link_name = "rvrun_guarded_enter"]
    fn enter();
    #[link_name = "rvrun_guarded_left"]
    fn left();
    #[link_name = "rvrun_guarded_restart"]
    fn restart();
}

std::arch::global_asm!(
    ".pushsection .text.rvrun_guarded_syscall, \"ax\", @progbits",
    ".globl rvrun_guarded_syscall",
    ".globl rvrun_guarded_look",
    ".globl rvrun_guarded_enter",
    ".globl rvrun_guarded_left",
    ".globl rvrun_guarded_restart",
    "rvrun_guarded_syscall:",
    "mov rax, rdi",
    "mov rcx, rdx",
    "mov rdi, [rsi]",
    "mov rdx, [rsi + 16]",
    "mov r10, [rsi + 24]",
    "mov r8, [rsi + 32]",
    "mov r9, [rsi + 40]",
    "mov rsi, [rsi + 8]",
    "rvrun_guarded_look:",
    "cmp dword ptr [rcx], 0",
    "jne rvrun_guarded_restart",
    "rvrun_guarded_enter:",
    "syscall",
    "rvrun_guarded_left:",
    "ret",
    "rvrun_guarded_restart:",
    "mov rax, {restart}",
    "ret",
    ".popsection",
    restart = const RESTART as i64,
);

/// Makes a system call of the host and returns what the kernel does; or
/// [`RESTART`], without having made it, if the thread's attention is wanted
/// ([`signals::listen`]) or the kernel would make it again after a signal's handler.
///
/// The kernel checks every pointer itself. What it may overwrite is named by `args`:
/// either the guest's memory, or buffers of the caller's that live across the call.
#[inline]
pub fn syscall(number: c_long, args: [u64; 6]) -> u64 {
    // SAFETY: the routine keeps to the C calling convention; the flag lives as long as
    // the thread listens, or for good.
    unsafe { guarded_syscall(number, &raw const args, signals::flag()) }
}

/// For the handler of a signal that found the thread at `ip` with `rax`: where it is
/// to go on, and with which `rax`. None if it was not on the way into a call.
pub(crate) fn interrupt(ip: u64, rax: u64) -> Option<(u64, u64)> {
    let address = |label: unsafe extern "C" fn()| label as *const () as u64;
    if ip == address(enter) && rax == libc::SYS_restart_syscall as u64 {
        // The rest of a wait that a stop of the process has cut in two.
        return Some((address(left), INTERRUPTED));
    }
    (address(look)..=address(enter)).contains(&ip).then(|| (address(restart), rax))
}
