//! The host process's own signal state, where it stands for the guest's.
//!
//! What the guest ignores or leaves to its default action is the host's to ignore or
//! to act on; what it handles is caught ([`rvrun_host::signals`]). `SIGSEGV` and
//! `SIGBUS` are always caught and never blocked, since the VM's own faults come as them.
#![allow(unsafe_code)]

use crate::abi::sigaction::Action;
use crate::task::Process;
use crate::{Errno, raw};
use rvrun_host::signals::{self, FAULTS, bit};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes in a signal set.
const SET_SIZE: u64 = 8;

/// Signals that were ignored when the process was started. Rust's runtime ignores
/// `SIGPIPE` before `main`, and the VM's handlers replace two; so it is looked up earlier.
static IGNORED_AT_START: AtomicU64 = AtomicU64::new(0);

/// What is looked up early.
const EARLY: u64 = FAULTS | bit(libc::SIGPIPE);

extern "C" fn record_ignored() {
    let ignored = (1..=64)
        .filter(|signal| EARLY & bit(*signal) != 0)
        .filter(|signal| host_action(*signal)[0] == libc::SIG_IGN as u64)
        .fold(0, |set, signal| set | bit(signal));
    IGNORED_AT_START.store(ignored, Ordering::Relaxed);
}

/// Runs before `main` (System V ABI, "Initialization and Termination Functions").
#[used]
// SAFETY: the section holds pointers to functions that the loader calls once; this one only
// makes system calls and stores a number.
#[unsafe(link_section = ".init_array")]
static RECORD_IGNORED: extern "C" fn() = record_ignored;

/// The host kernel's `struct sigaction` of a signal.
fn host_action(signal: i32) -> [u64; 4] {
    let mut action = [0u64; 4];
    let args = [signal as u64, 0, (&raw mut action) as u64, SET_SIZE, 0, 0];
    raw::syscall(libc::SYS_rt_sigaction, args);
    action
}

/// Has the host do with a signal what the guest wants done.
pub(crate) fn set_action(signal: i32, action: &Action) {
    const KEPT: i32 = libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT;
    if action.is_handled() {
        signals::catch(signal, action.flags);
    } else if FAULTS & bit(signal) != 0 {
        // What is done about one that was sent is decided when it has come.
        signals::catch(signal, libc::SA_RESTART as u64);
    } else {
        set_plain(signal, action.handler, action.flags & KEPT as u64);
    }
}

/// Sets a signal to `SIG_DFL` or `SIG_IGN`. Nobody returns from those, so they need no restorer.
fn set_plain(signal: i32, handler: u64, flags: u64) {
    let action = [handler, flags, 0, 0];
    let args = [signal as u64, (&raw const action) as u64, 0, SET_SIZE, 0, 0];
    raw::syscall(libc::SYS_rt_sigaction, args);
}

/// What the guest wants done with each signal.
#[derive(Clone, Copy)]
pub(crate) struct Actions {
    actions: [Action; 64],
    /// Signals whose first action only the host knows yet.
    unknown: u64,
}

impl Actions {
    /// The guest's first ones: ignored signals stay ignored across `execve`, others have their
    /// default (`execve(2)`). Short programs want to know of few.
    pub(crate) fn inherited() -> Self {
        // Keeps the linker from dropping the section.
        let _ = std::hint::black_box(RECORD_IGNORED);
        let ignored = IGNORED_AT_START.load(Ordering::Relaxed);
        let mut inherited = Self { actions: [Action::default(); 64], unknown: !EARLY };
        for signal in (1..=64).filter(|signal| EARLY & bit(*signal) != 0) {
            let action = inherited.of(signal);
            if ignored & bit(signal) != 0 {
                action.handler = libc::SIG_IGN as u64;
            }
            set_action(signal, action);
        }
        inherited
    }

    /// That of a signal: 1 to 64.
    pub(crate) fn of(&mut self, signal: i32) -> &mut Action {
        let action = &mut self.actions[signal as usize - 1];
        if self.unknown & bit(signal) != 0 {
            self.unknown &= !bit(signal);
            if host_action(signal)[0] == libc::SIG_IGN as u64 {
                action.handler = libc::SIG_IGN as u64;
            }
        }
        action
    }

    /// Those of signals that may be handled, with the signal.
    pub(crate) fn handled(&mut self) -> impl Iterator<Item = (i32, &mut Action)> {
        (1..).zip(&mut self.actions).filter(|(_, action)| action.is_handled())
    }
}

/// While the program is about to be replaced: the host's whole mask is the guest's, and
/// what it ignores is ignored. Dropped when `execve` has failed.
pub(crate) struct Inherited<'a> {
    process: &'a Process,
}

impl<'a> Inherited<'a> {
    /// Prepares what the next program inherits.
    ///
    /// # Errors
    /// If a signal has come, which has to be delivered first.
    pub(crate) fn new(process: &'a Process, blocked: u64) -> Result<Self, Errno> {
        guarded_mask(blocked)?;
        let inherited = Self { process };
        let held = std::iter::from_fn(|| signals::take_held(blocked));
        held.for_each(|arrived| signals::send_again(&arrived));
        inherited.each_fault(|signal, action| {
            if action.handler == libc::SIG_IGN as u64 {
                set_plain(signal, action.handler, 0);
            }
        });
        Ok(inherited)
    }

    fn each_fault(&self, act: impl Fn(i32, &Action)) {
        let faults = (1..=64).filter(|signal| FAULTS & bit(*signal) != 0);
        faults.for_each(|signal| act(signal, &self.process.action(signal)));
    }
}

impl Drop for Inherited<'_> {
    fn drop(&mut self) {
        self.each_fault(set_action);
    }
}

/// fork(3), which sees to what other threads do in the C library.
///
/// # Errors
/// As fork(2).
pub(crate) fn fork() -> Result<u64, Errno> {
    // SAFETY: the child goes on with this thread alone. Callers hold this crate's locks;
    // what others had locked beside those and the C library's own is not used again.
    match unsafe { libc::fork() } {
        // SAFETY: the C library's own variable.
        -1 => Err(Errno(unsafe { *libc::__errno_location() })),
        pid => Ok(pid as u64),
    }
}

/// The thread's signal mask.
pub(crate) fn mask() -> u64 {
    let mut mask = 0u64;
    let args = [libc::SIG_BLOCK as u64, 0, (&raw mut mask) as u64, SET_SIZE, 0, 0];
    raw::syscall(libc::SYS_rt_sigprocmask, args);
    mask
}

/// Blocks what the guest blocks, but for what the VM needs. No signal may be waiting.
pub(crate) fn set_mask(guest: u64) {
    let mask = guest & !FAULTS;
    let args = [libc::SIG_SETMASK as u64, (&raw const mask) as u64, 0, SET_SIZE, 0, 0];
    raw::syscall(libc::SYS_rt_sigprocmask, args);
}

/// As [`set_mask`], unless a signal has come.
///
/// # Errors
/// If one has, which has to be delivered first.
pub(crate) fn change_mask(guest: u64) -> Result<(), Errno> {
    guarded_mask(guest & !FAULTS)
}

fn guarded_mask(mask: u64) -> Result<(), Errno> {
    let args = [libc::SIG_SETMASK as u64, (&raw const mask) as u64, 0, SET_SIZE, 0, 0];
    raw::check(raw::guarded(libc::SYS_rt_sigprocmask, args)).map(drop)
}
