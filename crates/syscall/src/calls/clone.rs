//! New processes.
//!
//! The VM's process is the guest's process, so `fork` is the host's. The host's
//! child goes on in a copy of this VM; the guest's stack, thread pointer and
//! "clear at exit" address are set here, since the host's must stay the VM's.
//!
//! A new thread is a thread of the host's, which the VM starts: see [`threads`](crate::threads).
//!
//! `vfork` (`CLONE_VM` and `CLONE_VFORK`) makes a process that shares the memory of this
//! one, the VM's included, while the thread that made it waits: see [`Borrower`]. Without
//! `CLONE_VFORK` a thread of the VM's waits in its place.

use crate::host_signals;
use crate::row::{Args, Flow};
use crate::task::Task;
use crate::threads::{Newborn, Wanted};
use crate::{Errno, Outcome, guest, raw, robust, seccomp};
use libc::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_PARENT_SETTID, CLONE_PIDFD, CLONE_SETTLS,
    CLONE_SIGHAND, CLONE_THREAD, CLONE_VFORK, CLONE_VM,
};
use rvrun_hart::{Hart, Reservation};
use rvrun_host::process::name_thread;
use rvrun_memory::TASK_SIZE;
use std::sync::atomic::{AtomicI32, Ordering};

/// What users should know of `clone` and `clone3`.
pub(crate) const NOTE: &str = "a process that shares memory has handlers of signals of its own, even with CLONE_SIGHAND; \
     without CLONE_VFORK it gives ENOSYS with set_tid, CLONE_INTO_CGROUP, or CLONE_NEWPID and CLONE_PIDFD";

/// Resets the caught signals of the child. The host would reset the VM's, too.
const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
const CLONE_INTO_CGROUP: u64 = 1 << 33;
/// What is never asked of the host.
const NOT_THE_HOSTS: u64 =
    (CLONE_VM | CLONE_SIGHAND | CLONE_SETTLS | CLONE_CHILD_CLEARTID) as u64 | CLONE_CLEAR_SIGHAND;
const EINVAL: Errno = Errno(libc::EINVAL);
/// Register numbers.
const SP: usize = 2;
const A0: usize = 10;
const TP: usize = 4;

/// What a new process starts with, beside what the host gives it.
struct Child {
    flags: u64,
    /// Its stack pointer; 0 for the parent's.
    stack: u64,
    tls: u64,
    parent_tid: u64,
    child_tid: u64,
    /// Where its descriptor is stored (`CLONE_PIDFD`).
    pidfd: u64,
}

/// `clone(flags, stack, parent_tid, tls, child_tid)`.
pub(crate) fn clone(task: &mut Task, hart: &mut Hart, args: Args) -> Result<Flow, Errno> {
    let [flags, stack, parent_tid, tls, child_tid, _] = args;
    let flags = flags & 0xffff_ffff;
    check(flags)?;
    if flags & (CLONE_PIDFD | CLONE_PARENT_SETTID) as u64
        == (CLONE_PIDFD | CLONE_PARENT_SETTID) as u64
    {
        return Err(EINVAL);
    }
    let child = Child { flags, stack, tls, parent_tid, child_tid, pidfd: parent_tid };
    if flags & CLONE_THREAD as u64 != 0 {
        return Ok(thread(task, hart, &child));
    }
    if shares_memory(flags) {
        return borrow(task, hart, child);
    }
    // On x86-64 the last two are the other way round.
    let host = [flags & !NOT_THE_HOSTS, 0, parent_tid, child_tid, 0, 0];
    let pid = process(task, &child, flags & 0xff, || raw::guarded(libc::SYS_clone, host))?;
    Ok(begin(task, hart, pid, &child))
}

/// Offsets of `struct clone_args`, in words.
mod field {
    pub const FLAGS: usize = 0;
    pub const PIDFD: usize = 1;
    pub const CHILD_TID: usize = 2;
    pub const PARENT_TID: usize = 3;
    pub const EXIT_SIGNAL: usize = 4;
    pub const STACK: usize = 5;
    pub const STACK_SIZE: usize = 6;
    pub const TLS: usize = 7;
    pub const SET_TID: usize = 8;
    pub const SET_TID_SIZE: usize = 9;
}

/// Words of `struct clone_args` in Linux 6.12, and in its first version.
const WORDS: usize = 11;
const FIRST_WORDS: usize = 8;
/// Flags that `clone3` does not take: the signal, which has a field, but for the bit that
/// means `CLONE_NEWTIME`; and `CLONE_DETACHED`.
const OBSOLETE: u64 = 0x7f | libc::CLONE_DETACHED as u64;
/// The largest structure that the kernel reads.
const MAX_SIZE: usize = 4096;

/// `clone3(args, size)`.
pub(crate) fn clone3(task: &mut Task, hart: &mut Hart, args: Args) -> Result<Flow, Errno> {
    let (mut words, size) = read_args(args[0], args[1])?;
    let [flags, stack, stack_size] =
        [field::FLAGS, field::STACK, field::STACK_SIZE].map(|index| words[index]);
    if (stack == 0) != (stack_size == 0) {
        return Err(EINVAL);
    }
    if stack.checked_add(stack_size).is_none_or(|end| end > TASK_SIZE)
        || flags & !(0xffff_ffff | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP) != 0
        || flags & OBSOLETE != 0
        || (words[field::SET_TID] == 0) != (words[field::SET_TID_SIZE] == 0)
    {
        return Err(EINVAL);
    }
    check(flags)?;
    if flags & CLONE_CLEAR_SIGHAND != 0 && flags & CLONE_SIGHAND as u64 != 0 {
        return Err(EINVAL);
    }
    let child = Child {
        flags,
        stack: stack.wrapping_add(stack_size),
        tls: words[field::TLS],
        parent_tid: words[field::PARENT_TID],
        child_tid: words[field::CHILD_TID],
        pidfd: words[field::PIDFD],
    };
    let exit_signal = words[field::EXIT_SIGNAL];
    if flags & CLONE_THREAD as u64 != 0 {
        if exit_signal != 0 || words[field::SET_TID_SIZE] != 0 {
            return Err(EINVAL);
        }
        return Ok(thread(task, hart, &child));
    }
    if shares_memory(flags) && words[field::SET_TID_SIZE] == 0 && flags & CLONE_INTO_CGROUP == 0 {
        if exit_signal > 64 {
            return Err(EINVAL);
        }
        return borrow(task, hart, Child { flags: flags | exit_signal, ..child });
    }
    if flags & (CLONE_VM | CLONE_VFORK) as u64 == CLONE_VM as u64 {
        return Err(Errno(libc::ENOSYS));
    }
    words[field::FLAGS] = flags & !NOT_THE_HOSTS;
    words[field::STACK] = 0;
    words[field::STACK_SIZE] = 0;
    words[field::TLS] = 0;
    let host = [words.as_ptr() as u64, size as u64, 0, 0, 0, 0];
    let simple = if words[field::SET_TID_SIZE] == 0 { exit_signal } else { 0 };
    let pid = process(task, &child, simple, || raw::guarded(libc::SYS_clone3, host))?;
    Ok(begin(task, hart, pid, &child))
}

/// Reads `struct clone_args` as `copy_struct_from_user` does. The second value
/// is how many bytes of it the guest's version has.
fn read_args(addr: u64, size: u64) -> Result<([u64; WORDS], usize), Errno> {
    let size =
        usize::try_from(size).ok().filter(|size| *size <= MAX_SIZE).ok_or(Errno(libc::E2BIG))?;
    if size < 8 * FIRST_WORDS {
        return Err(EINVAL);
    }
    let mut bytes = [0u8; MAX_SIZE];
    guest::read(addr, &mut bytes[..size])?;
    let (known, unknown) = bytes.split_at(8 * WORDS);
    if unknown.iter().any(|byte| *byte != 0) {
        return Err(Errno(libc::E2BIG));
    }
    let mut words = [0; WORDS];
    for (word, chunk) in words.iter_mut().zip(known.chunks_exact(8)) {
        let mut field = [0; 8];
        field.copy_from_slice(chunk);
        *word = u64::from_le_bytes(field);
    }
    Ok((words, size.min(8 * WORDS)))
}

/// Refuses what the kernel refuses about flags that the host does not get to
/// see, and what is not there yet.
fn check(flags: u64) -> Result<(), Errno> {
    let has = |flag: i32| flags & flag as u64 != 0;
    if has(CLONE_THREAD) && !has(CLONE_SIGHAND) || has(CLONE_SIGHAND) && !has(CLONE_VM) {
        return Err(EINVAL);
    }
    if has(CLONE_THREAD) {
        const NEW: i32 = libc::CLONE_NEWUSER | libc::CLONE_NEWPID | libc::CLONE_NEWNS;
        return if has(NEW | CLONE_PIDFD) { Err(EINVAL) } else { Ok(()) };
    }
    if has(CLONE_VM) && !has(CLONE_VFORK) && has(CLONE_PIDFD) && has(libc::CLONE_NEWPID) {
        return Err(Errno(libc::ENOSYS));
    }
    Ok(())
}

/// Has the VM start a thread.
fn thread(task: &mut Task, hart: &Hart, child: &Child) -> Flow {
    const SHARED: i32 = libc::CLONE_FS | libc::CLONE_FILES;
    let given = |flag: i32, value: u64| (child.flags & flag as u64 != 0).then_some(value);
    let wanted = Wanted {
        stack: child.stack,
        tls: given(CLONE_SETTLS, child.tls),
        parent_tid: given(CLONE_PARENT_SETTID, child.parent_tid),
        child_tid: given(CLONE_CHILD_SETTID, child.child_tid),
        clear_child_tid: given(CLONE_CHILD_CLEARTID, child.child_tid).unwrap_or(0),
        unshared: SHARED as u64 & !child.flags,
    };
    task.process.note_relatives();
    task.newborn = Some(Newborn::new(task, hart, &wanted));
    Flow::Stop(Outcome::Spawn)
}

/// Makes a process, by `clone`, a call of the host's, or its C library. Gives the child's
/// number, and 0 in the child.
fn process(
    task: &Task,
    child: &Child,
    exit_signal: u64,
    clone: impl FnOnce() -> u64,
) -> Result<u64, Errno> {
    let process = &task.process;
    process.note_relatives();
    // The child has none of the other threads, who may hold these.
    let _held = process.actions.lock();
    let _held = (process.threads.hold(), process.space.hold(), process.sandboxes.lock());
    // The C library can do its own part of that, the memory allocator's above all, but
    // only if nothing is asked that its `fork` has not got. Beside the signal, `clone3` has a flag.
    const KNOWN: u64 = (CLONE_PARENT_SETTID | CLONE_CHILD_SETTID) as u64 | NOT_THE_HOSTS;
    let is_simple = child.flags & !(KNOWN | exit_signal) == 0;
    if exit_signal != libc::SIGCHLD as u64 || !is_simple {
        return raw::check(clone());
    }
    host_signals::change_mask(u64::MAX)?;
    let pid = host_signals::fork();
    task.set_host_mask();
    let pid = pid?;
    let store = |flag: i32, at: u64, number: u64| {
        if child.flags & flag as u64 != 0 {
            // A bad address is the guest's own loss, as in the kernel.
            let _ = guest::write(at, &(number as u32).to_le_bytes());
        }
    };
    match pid {
        0 => store(CLONE_CHILD_SETTID, child.child_tid, std::process::id().into()),
        pid => store(CLONE_PARENT_SETTID, child.parent_tid, pid),
    }
    Ok(pid)
}

fn shares_memory(flags: u64) -> bool {
    flags & CLONE_VM as u64 != 0
}

/// Has the VM make a process in the same memory.
fn borrow(task: &mut Task, hart: &Hart, child: Child) -> Result<Flow, Errno> {
    // The child inherits that; signals that come now are for the parent.
    host_signals::change_mask(u64::MAX)?;
    task.process.note_relatives();
    let mut name = [0u8; 16];
    raw::call(libc::SYS_prctl, &[libc::PR_GET_NAME as u64, name.as_mut_ptr() as u64])?;
    let (mut task_of_child, hart) = (task.borrowing(), hart.clone());
    if child.flags & libc::CLONE_FS as u64 == 0 {
        task_of_child.unshare_fs();
    }
    task.borrower = Some(Box::new(Borrower { task: task_of_child, hart, child, name }));
    Ok(Flow::Stop(Outcome::Borrow))
}

/// A process that runs in the memory of another one, a thread of which waits until it
/// executes a program or ends: the one that made it (`vfork(2)`), or one of the VM's.
pub struct Borrower {
    task: Task,
    hart: Hart,
    child: Child,
    /// Of the thread that makes it.
    name: [u8; 16],
}

impl Borrower {
    /// Whether the thread that makes it waits for it.
    pub fn is_waited_for(&self) -> bool {
        self.child.flags & CLONE_VFORK as u64 != 0
    }

    /// The arguments for the host's `clone`: flags, and where to store two numbers, of
    /// which the first is the new process's, in `number`, unless the guest wants a descriptor.
    pub fn clone_args(&self, number: &AtomicI32) -> [u64; 3] {
        let Child { flags, child_tid, pidfd, .. } = self.child;
        let flags = flags & !NOT_THE_HOSTS | (CLONE_VM | CLONE_VFORK) as u64;
        if flags & CLONE_PIDFD as u64 != 0 {
            [flags & !(CLONE_PARENT_SETTID as u64), pidfd, child_tid]
        } else {
            [flags | CLONE_PARENT_SETTID as u64, number.as_ptr() as u64, child_tid]
        }
    }

    /// In the new process: its task and its hart. `number` is where it has its number, and
    /// gets it if the host has stored none.
    pub fn begin(self, number: &AtomicI32) -> (Task, Hart) {
        let waited_for = self.is_waited_for();
        let Self { mut task, mut hart, child, name } = self;
        if !waited_for {
            name_thread(name.split(|byte| *byte == 0).next().unwrap_or_default());
            task.signal_stack = Default::default();
        }
        rvrun_host::signals::drop_held();
        if number.load(Ordering::SeqCst) == 0 {
            number.store(std::process::id() as i32, Ordering::SeqCst);
        }
        if child.flags & CLONE_PARENT_SETTID as u64 != 0 {
            // A bad address is the guest's own loss.
            let _ = guest::write(child.parent_tid, &number.load(Ordering::SeqCst).to_le_bytes());
        }
        hart.x[A0] = 0;
        start(&mut task, &mut hart, &child);
        (task, hart)
    }
}

/// The two processes' first steps.
fn begin(task: &mut Task, hart: &mut Hart, pid: u64, child: &Child) -> Flow {
    if pid == 0 {
        task.forked = true;
        let process = &task.process;
        process.space.forked();
        seccomp::forked(process, &task.sandbox);
        task.process.threads.forked();
        task.join(task.attention.clone());
        rvrun_host::signals::drop_held();
        robust::reset();
        start(task, hart, child);
    }
    Flow::Return(pid)
}

/// What is new of a process that begins where its parent was.
fn start(task: &mut Task, hart: &mut Hart, child: &Child) {
    let has = |flag: u64| child.flags & flag != 0;
    if child.stack != 0 {
        hart.x[SP] = child.stack;
    }
    if has(CLONE_SETTLS as u64) {
        hart.x[TP] = child.tls;
    }
    task.clear_child_tid = if has(CLONE_CHILD_CLEARTID as u64) { child.child_tid } else { 0 };
    if has(CLONE_CLEAR_SIGHAND) {
        clear_handlers(task);
    }
    // A reservation does not survive a switch to another process.
    hart.reservation = Reservation::NONE;
}

/// Gives the caught signals their default action; ignored ones stay ignored.
fn clear_handlers(task: &Task) {
    for (signal, action) in task.process.actions.lock().handled() {
        *action = Default::default();
        host_signals::set_action(signal, action);
    }
}
