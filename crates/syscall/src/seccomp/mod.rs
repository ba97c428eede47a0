//! seccomp: what the guest lets itself do.
//!
//! A guest's filters speak of riscv64's system calls, so the VM runs them, where a call
//! leaves the engines; the host's kernel, which would see its own calls, gets none. That
//! binds the guest's calls, not the VM, whose memory a guest could write to.
//!
//! A thread hands its filters on to threads and processes that it makes, and, by options
//! of the VM's, to programs that it executes.

pub(crate) mod bpf;

use crate::Errno;
use crate::row::Args;
use crate::task::{Process, Task};
use bpf::{Data, Program};
use rvrun_host::lock::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Weak};

/// `AUDIT_ARCH_RISCV64`.
pub(crate) const ARCHITECTURE: u32 = 0xc000_00f3;
/// Instructions of all filters of a thread (`MAX_INSNS_PER_PATH`); each filter counts for
/// some more.
const MAX_PATH: usize = 32768;
const FILTER_COST: usize = 4;

/// What a filter wants (`SECCOMP_RET_*`); the low half of its value says more.
pub(crate) mod action {
    pub(crate) const KILL_PROCESS: u32 = 0x8000_0000;
    pub(crate) const KILL_THREAD: u32 = 0;
    pub(crate) const TRAP: u32 = 0x0003_0000;
    pub(crate) const ERRNO: u32 = 0x0005_0000;
    pub(crate) const TRACE: u32 = 0x7ff0_0000;
    pub(crate) const LOG: u32 = 0x7ffc_0000;
    pub(crate) const ALLOW: u32 = 0x7fff_0000;
    pub(crate) const MASK: u32 = 0xffff_0000;
    /// Those that the VM knows: `SECCOMP_RET_USER_NOTIF` is not among them.
    pub(crate) const ALL: [u32; 7] = [KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, TRACE, LOG, ALLOW];
}

/// A filter, and those that were there before.
#[derive(Debug)]
struct Filter {
    program: Program,
    before: Option<Arc<Filter>>,
}

/// `seccomp(2)`'s mode of a thread.
#[derive(Clone, Debug, Default)]
enum Mode {
    #[default]
    Off,
    Strict,
    Filters(Arc<Filter>),
}

impl Mode {
    fn filters(&self) -> impl Iterator<Item = &Filter> {
        let first = match self {
            Self::Filters(filter) => Some(&**filter),
            _ => None,
        };
        std::iter::successors(first, |filter| filter.before.as_deref())
    }

    /// Whether a thread in this mode may go on with what `other` has become.
    fn is_before(&self, other: &Mode) -> bool {
        match self {
            Self::Off => true,
            Self::Strict => false,
            Self::Filters(filter) => {
                other.filters().any(|other| std::ptr::eq(other, &raw const **filter))
            }
        }
    }
}

/// A thread's own; other threads may set it, too (`SECCOMP_FILTER_FLAG_TSYNC`).
#[derive(Debug, Default)]
pub(crate) struct Sandbox {
    /// Whether there is anything to look at.
    on: AtomicBool,
    mode: Mutex<Mode>,
    /// The thread's number, once it has one.
    thread: AtomicI32,
}

/// The sandboxes of a process's threads.
pub(crate) type Sandboxes = Mutex<Vec<Weak<Sandbox>>>;

/// What is to be done about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is made.
    Allow,
    /// It fails.
    Fail(Errno),
    /// The thread gets SIGSYS with this value.
    Trap(u16),
    /// The thread ends as by this signal.
    KillThread(i32),
    /// The process ends by SIGSYS.
    KillProcess,
}

impl Sandbox {
    /// Of a thread made by one with this sandbox, and known to the process.
    pub(crate) fn inherit(&self, all: &Sandboxes) -> Arc<Self> {
        let sandbox = Arc::new(Self {
            on: AtomicBool::new(self.is_on()),
            mode: Mutex::new(self.mode.lock().clone()),
            thread: AtomicI32::new(0),
        });
        let mut all = all.lock();
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&sandbox));
        sandbox
    }

    /// On the thread whose it is: says so.
    pub(crate) fn enter(&self, thread: i32) {
        self.thread.store(thread, Ordering::Relaxed);
    }

    /// The thread ends: what it was, or is still let do, concerns nobody else.
    pub(crate) fn leave(&self, all: &Sandboxes) {
        all.lock().retain(|other| !std::ptr::eq(other.as_ptr(), self));
    }

    /// Whether calls have to be looked at.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Acquire)
    }

    /// `SECCOMP_MODE_*` and the number of filters.
    pub(crate) fn state(&self) -> (u64, usize) {
        let mode = self.mode.lock();
        let number = match *mode {
            Mode::Off => 0,
            Mode::Strict => 1,
            Mode::Filters(_) => 2,
        };
        (number, mode.filters().count())
    }

    /// What is to be done about a call.
    pub(crate) fn judge(&self, number: u64, pc: u64, args: &Args) -> Verdict {
        let mode = self.mode.lock();
        if let Mode::Strict = *mode {
            /// `read`, `write`, `exit`, `rt_sigreturn`.
            const STRICT: [u64; 4] = [63, 64, 93, 139];
            let allowed = STRICT.contains(&number);
            return if allowed { Verdict::Allow } else { Verdict::KillThread(libc::SIGKILL) };
        }
        let data = Data::new(number, ARCHITECTURE, pc, args);
        // The action that comes first in the order of signed numbers counts; of filters
        // that want the same, the youngest.
        let mut value = action::ALLOW;
        for filter in mode.filters() {
            let own = filter.program.run(&data);
            if ((own & action::MASK) as i32) < (value & action::MASK) as i32 {
                value = own;
            }
        }
        let more = value as u16;
        match value & action::MASK {
            action::ALLOW | action::LOG => Verdict::Allow,
            action::ERRNO => Verdict::Fail(Errno(i32::from(more).min(4095))),
            action::TRAP => Verdict::Trap(more),
            // There is nobody to trace, or to ask.
            action::TRACE | libc::SECCOMP_RET_USER_NOTIF => Verdict::Fail(Errno(libc::ENOSYS)),
            action::KILL_THREAD => Verdict::KillThread(libc::SIGSYS),
            _ => Verdict::KillProcess,
        }
    }

    fn set(&self, mode: Mode) {
        *self.mode.lock() = mode;
        self.on.store(true, Ordering::Release);
    }

    /// Goes over to strict mode.
    ///
    /// # Errors
    /// `EINVAL` if there are filters.
    pub(crate) fn make_strict(&self) -> Result<(), Errno> {
        if let Mode::Filters(_) = *self.mode.lock() {
            return Err(Errno(libc::EINVAL));
        }
        self.set(Mode::Strict);
        Ok(())
    }

    /// Adds a filter.
    ///
    /// # Errors
    /// `EINVAL` in strict mode, `ENOMEM` if the filters are too many.
    pub(crate) fn add(&self, program: Program) -> Result<(), Errno> {
        let mode = self.with(program)?;
        self.set(mode);
        Ok(())
    }

    /// Its mode with one more filter.
    fn with(&self, program: Program) -> Result<Mode, Errno> {
        let mode = self.mode.lock();
        let cost: usize = mode.filters().map(|filter| filter.program.len() + FILTER_COST).sum();
        if cost + program.len() > MAX_PATH {
            return Err(Errno(libc::ENOMEM));
        }
        let before = match &*mode {
            Mode::Off => None,
            Mode::Strict => return Err(Errno(libc::EINVAL)),
            Mode::Filters(filter) => Some(filter.clone()),
        };
        Ok(Mode::Filters(Arc::new(Filter { program, before })))
    }

    /// The filters as [`Program::bytes`], the oldest first.
    pub(crate) fn filters(&self) -> Vec<Vec<u8>> {
        let mode = self.mode.lock();
        let mut filters: Vec<_> = mode.filters().map(|filter| filter.program.bytes()).collect();
        filters.reverse();
        filters
    }
}

/// Adds a filter to all threads of a process; the number of one that has other filters
/// than the calling thread, if there is one.
///
/// # Errors
/// As [`Sandbox::add`].
pub(crate) fn add_to_all(task: &Task, program: Program) -> Result<Option<i32>, Errno> {
    let own = &task.sandbox;
    let mode = own.with(program)?;
    let all = task.process.sandboxes.lock();
    let others: Vec<Arc<Sandbox>> =
        all.iter().filter_map(Weak::upgrade).filter(|other| !Arc::ptr_eq(other, own)).collect();
    let differs = |other: &&Arc<Sandbox>| !other.mode.lock().is_before(&mode);
    if let Some(other) = others.iter().find(differs) {
        return Ok(Some(other.thread.load(Ordering::Relaxed)));
    }
    for sandbox in others.iter().chain([own]) {
        sandbox.set(mode.clone());
    }
    Ok(None)
}

/// In the child of a fork: only the calling thread is there.
pub(crate) fn forked(process: &Process, own: &Arc<Sandbox>) {
    *process.sandboxes.lock() = vec![Arc::downgrade(own)];
}
