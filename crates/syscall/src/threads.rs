//! The threads of a guest process, each a thread of the host.
//!
//! What concerns all of them goes through here: how many there are, who has to stop
//! because another one did something, what a new one starts with.
//!
//! A thread that has changed code, or mappings of code, goes on only when no other one
//! can still execute what was there before ([`Task::publish`]); that is what
//! riscv64's kernel promises of `riscv_flush_icache`, `munmap` and the like.

use crate::calls::clone::Borrower;
use crate::task::Task;
use crate::{Errno, guest, host_signals, raw, robust, strace};
use rvrun_hart::{Hart, Reservation};
use rvrun_host::lock::Mutex;
use rvrun_host::signals;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use std::time::{Duration, Instant};

/// Register numbers.
const SP: usize = 2;
const TP: usize = 4;
const A0: usize = 10;

/// What a member has seen while it executes nothing.
const OUTSIDE: u64 = u64::MAX;

/// How long a thread waits for another one to stop. One that takes longer is being kept
/// from running, and looks at its attention flag before anything else when it does.
const PATIENCE: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Threads {
    /// Those that have not ended.
    alive: AtomicUsize,
    /// Those that may be executing guest code.
    members: Mutex<Vec<Arc<Member>>>,
    /// Whether some thread handles memory faults.
    catches_faults: AtomicBool,
}

/// A thread as the others see it.
struct Member {
    attention: Arc<AtomicU32>,
    /// The epoch of the code that it executes, or [`OUTSIDE`].
    seen: AtomicU64,
}

impl Threads {
    /// With one thread.
    pub(crate) fn new() -> Self {
        let threads = Self::default();
        threads.alive.store(1, Ordering::Relaxed);
        threads
    }

    /// Of a process with one thread that does as this one's do.
    pub(crate) fn alone(&self) -> Self {
        let threads = Self::new();
        threads
            .catches_faults
            .store(self.catches_faults.load(Ordering::Relaxed), Ordering::Relaxed);
        threads
    }

    /// Whether there are threads beside the calling one.
    pub(crate) fn are_many(&self) -> bool {
        self.alive.load(Ordering::Acquire) > 1
    }

    /// How many have not ended.
    pub(crate) fn count(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// In the child of a fork, which has one thread.
    pub(crate) fn forked(&self) {
        self.alive.store(1, Ordering::Relaxed);
        self.members.lock().clear();
    }

    /// Keeps the list as it is while the process forks.
    pub(crate) fn hold(&self) -> impl Sized + '_ {
        self.members.lock()
    }

    /// Says that there is a handler of memory faults.
    pub(crate) fn note_fault_handler(&self) {
        if !self.catches_faults.swap(true, Ordering::SeqCst) {
            self.raise_all();
        }
    }

    fn raise_all(&self) {
        for member in self.members.lock().iter() {
            member.attention.store(1, Ordering::SeqCst);
        }
    }
}

/// A thread's membership; it ends with the value.
pub(crate) struct Membership {
    member: Arc<Member>,
    inside: bool,
}

impl Task {
    /// Joins the threads that others wait for, with the flag that makes it stop.
    pub(crate) fn join(&mut self, attention: Arc<AtomicU32>) {
        let member = Arc::new(Member { attention, seen: AtomicU64::new(OUTSIDE) });
        self.process.threads.members.lock().push(member.clone());
        self.membership = Some(Membership { member, inside: false });
    }

    fn leave(&mut self) {
        if let Some(Membership { member, .. }) = self.membership.take() {
            self.process.threads.members.lock().retain(|other| !Arc::ptr_eq(other, &member));
        }
    }

    /// To be called before the engines run this thread's hart.
    #[inline]
    pub fn enter_guest(&mut self) {
        if self.process.threads.are_many()
            && let Some(membership) = &mut self.membership
        {
            membership.inside = true;
            let epoch = self.process.space.code_epoch();
            membership.member.seen.store(epoch, Ordering::SeqCst);
            // Whoever changes code from now on sees that; the engines see what was
            // changed before.
            fence(Ordering::SeqCst);
        }
    }

    /// To be called when they have stopped.
    #[inline]
    pub fn leave_guest(&mut self) {
        if let Some(membership) = &mut self.membership
            && membership.inside
        {
            membership.inside = false;
            membership.member.seen.store(OUTSIDE, Ordering::SeqCst);
        }
    }

    /// Waits until no other thread executes code that has changed, if some has since
    /// this thread looked.
    #[inline]
    pub fn publish(&mut self) {
        let epoch = self.process.space.code_epoch();
        if epoch != self.published {
            self.published = epoch;
            if self.process.threads.are_many() {
                self.stop_others(epoch);
            }
        }
    }

    #[cold]
    fn stop_others(&self, epoch: u64) {
        fence(Ordering::SeqCst);
        let own = self.membership.as_ref().map(|membership| &membership.member);
        let others: Vec<Arc<Member>> = {
            let members = self.process.threads.members.lock();
            let is_other = |member: &&Arc<Member>| own.is_none_or(|own| !Arc::ptr_eq(own, member));
            members.iter().filter(is_other).cloned().collect()
        };
        let is_behind = |member: &Member| member.seen.load(Ordering::SeqCst) < epoch;
        let start = Instant::now();
        for member in others {
            let mut raised = false;
            while is_behind(&member) && start.elapsed() < PATIENCE {
                if !raised {
                    member.attention.store(1, Ordering::SeqCst);
                    raised = true;
                }
                std::thread::yield_now();
            }
        }
    }

    /// Whether the engines have to keep registers exact for memory faults.
    #[inline]
    pub fn catches_faults(&self) -> bool {
        self.process.threads.catches_faults.load(Ordering::Relaxed)
    }

    /// Whether the guest's process has other threads.
    pub fn has_company(&self) -> bool {
        self.process.threads.are_many()
    }

    /// Notes that this thread ends; says whether it was the last one.
    pub(crate) fn resign(&mut self) -> bool {
        self.leave();
        self.sandbox.leave(&self.process.sandboxes);
        let threads = &self.process.threads;
        let last = threads.alive.fetch_sub(1, Ordering::SeqCst) == 1;
        if !last {
            // What was sent to the process is for those who go on.
            host_signals::set_mask(u64::MAX);
            signals::pass_to_process();
        }
        last
    }

    /// The last thing that a thread does, after which its memory may be gone: gives up
    /// its robust futexes, and says that it has ended (kernel: `mm_release`).
    pub fn end(&mut self) {
        robust::give_up();
        self.announce_end();
    }

    /// The call that the VM has carried out returns `value`.
    fn finish_call(&mut self, hart: &mut Hart, value: u64) {
        hart.x[A0] = value;
        if let Some(pending) = self.pending.take() {
            strace::emit(self, &pending.finished(value));
        }
    }

    /// The VM's own threads have ended; see [`Outcome::Alone`](crate::Outcome::Alone).
    pub fn left_alone(&mut self) {
        /// A thread that has ended counts until the kernel has buried it.
        const BURIAL: Duration = Duration::from_millis(50);
        // Does nothing but fail while there are others.
        let look = [libc::CLONE_THREAD as u64, 0, 0, 0, 0, 0];
        let start = Instant::now();
        while raw::syscall(libc::SYS_unshare, look) != 0 && start.elapsed() < BURIAL {
            std::thread::yield_now();
        }
        self.alone = true;
    }

    /// The thread that a call has asked for; see [`Outcome::Spawn`](crate::Outcome::Spawn).
    pub fn take_newborn(&mut self) -> Option<Box<Newborn>> {
        self.newborn.take()
    }

    /// The process that a call has asked for; see [`Outcome::Borrow`](crate::Outcome::Borrow).
    pub fn take_borrower(&mut self) -> Option<Box<Borrower>> {
        self.borrower.take()
    }

    /// Gives the call its result, `value` as the host's kernel has it: the process that was
    /// made has left this one's memory.
    pub fn lent(&mut self, hart: &mut Hart, value: u64) {
        self.set_host_mask();
        self.finish_call(hart, value);
    }

    /// Gives the call its result: the number of the thread that was started, or the
    /// host's error.
    pub fn spawned(&mut self, hart: &mut Hart, result: Result<i32, Errno>) {
        let value = match result {
            Ok(thread) => thread as u64,
            Err(Errno(error)) => {
                self.process.threads.alive.fetch_sub(1, Ordering::SeqCst);
                i64::from(-error) as u64
            }
        };
        self.finish_call(hart, value);
    }
}

/// What a new thread begins with.
pub struct Newborn {
    task: Task,
    hart: Hart,
    /// Where its number is stored before it begins.
    number_at: [Option<u64>; 2],
    /// `CLONE_FS` and `CLONE_FILES`, as far as they are not shared.
    unshared: u64,
}

/// What `clone` says of a new thread.
pub(crate) struct Wanted {
    /// Its stack pointer; 0 for the parent's.
    pub(crate) stack: u64,
    /// Its thread pointer; none for the parent's.
    pub(crate) tls: Option<u64>,
    pub(crate) parent_tid: Option<u64>,
    pub(crate) child_tid: Option<u64>,
    pub(crate) clear_child_tid: u64,
    pub(crate) unshared: u64,
}

impl Newborn {
    /// A thread that goes on where `hart` is, behind the call that makes it.
    pub(crate) fn new(parent: &Task, hart: &Hart, wanted: &Wanted) -> Box<Self> {
        parent.process.threads.alive.fetch_add(1, Ordering::SeqCst);
        let mut hart = hart.clone();
        hart.x[A0] = 0;
        if wanted.stack != 0 {
            hart.x[SP] = wanted.stack;
        }
        if let Some(tls) = wanted.tls {
            hart.x[TP] = tls;
        }
        hart.reservation = Reservation::NONE;
        let mut task = parent.sibling(wanted.clear_child_tid);
        if wanted.unshared & libc::CLONE_FS as u64 != 0 {
            task.unshare_fs();
        }
        Box::new(Self {
            task,
            hart,
            number_at: [wanted.parent_tid, wanted.child_tid],
            unshared: wanted.unshared,
        })
    }

    /// On the new thread, on which faults of the guest's memory are caught already and
    /// all other signals are blocked: its number, its task and its hart.
    pub fn begin(self) -> (i32, Task, Hart) {
        host_signals::set_mask(u64::MAX);
        let number = raw::syscall(libc::SYS_gettid, [0; 6]) as u32;
        for at in self.number_at.into_iter().flatten() {
            // A bad address is the guest's own loss (kernel: `schedule_tail`).
            let _ = guest::write(at, &number.to_le_bytes());
        }
        if self.unshared != 0 {
            raw::syscall(libc::SYS_unshare, [self.unshared, 0, 0, 0, 0, 0]);
        }
        robust::reset();
        self.task.sandbox.enter(number as i32);
        (number as i32, self.task, self.hart)
    }
}
