//! Signals that the host delivers to the guest's threads.
//!
//! The guest's process is the host's process, and a guest's thread is a thread of
//! the host: so the host's kernel queues the guest's signals, knows which are blocked
//! and which comes first. For a signal that the guest handles, [`catch`] installs the
//! handler here. It notes the signal in the thread's one *slot*, raises the hart's
//! attention flag, and has the kernel block everything until somebody says otherwise:
//! whatever else is sent stays queued there. The VM, where it next has the guest's
//! whole state, takes the signal out ([`take`]), prepares the guest's handler, and
//! then sets the mask that the guest should have.
//!
//! SIGSEGV and SIGBUS can be sent like others, but are the VM's own and never blocked;
//! those that were sent wait in places of their own until the guest may have them
//! ([`take_held`]).
//!
//! Async-signal-safety: the handler writes thread-locals that have no destructor and
//! need no initialisation, an atomic of the hart's, and the interrupted context. It
//! allocates nothing and takes no lock.

use crate::{fault, guarded};
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};

/// A kernel's `siginfo_t`, the same bytes on both architectures.
pub type Info = [u64; 16];

/// The kernel's set of all signals.
const ALL: u64 = u64::MAX;
/// Bytes of a signal set.
const SET_BYTES: usize = 8;
/// `SA_RESTORER` of x86-64's `asm/signal.h`.
const SA_RESTORER: u64 = 0x0400_0000;

/// The bit of a signal in a set.
pub const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Signals that faults of the VM's accesses to guest memory come as: always caught by
/// [`fault`], never blocked.
pub const FAULTS: u64 = bit(libc::SIGSEGV) | bit(libc::SIGBUS);
/// What else the CPU raises; of the VM's own code it means that the VM is broken.
const EXCEPTIONS: u64 = FAULTS | bit(libc::SIGILL) | bit(libc::SIGTRAP) | bit(libc::SIGFPE);

/// The signals of [`FAULTS`], in the order in which the kernel would deliver them.
const HELD: [i32; 2] = [libc::SIGBUS, libc::SIGSEGV];

/// A signal that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Its number.
    pub signal: i32,
    /// What the kernel said of it.
    pub info: Info,
}

/// Room for one signal. The handler writes only where `full` is not set, the thread
/// that it interrupts reads only where it is.
struct Slot {
    full: AtomicBool,
    signal: Cell<i32>,
    info: Cell<Info>,
}

impl Slot {
    const fn new() -> Self {
        Self { full: AtomicBool::new(false), signal: Cell::new(0), info: Cell::new([0; 16]) }
    }

    fn is_full(&self) -> bool {
        self.full.load(Ordering::SeqCst)
    }

    fn put(&self, signal: i32, info: Info) {
        if !self.is_full() {
            self.signal.set(signal);
            self.info.set(info);
            self.full.store(true, Ordering::SeqCst);
        }
    }

    fn take(&self) -> Option<Arrived> {
        if !self.is_full() {
            return None;
        }
        let arrived = Arrived { signal: self.signal.get(), info: self.info.get() };
        self.full.store(false, Ordering::SeqCst);
        Some(arrived)
    }
}

/// What a thread that runs no guest looks at.
static NOBODY: AtomicU32 = AtomicU32::new(0);

/// The thread that gets what the kernel gave to a thread that runs no guest; 0 for none.
static RECEIVER: AtomicI32 = AtomicI32::new(0);

thread_local! {
    static ATTENTION: Cell<*const AtomicU32> = const { Cell::new(&raw const NOBODY) };
    static SLOT: Slot = const { Slot::new() };
    static HELD_SLOTS: [Slot; HELD.len()] = const { [const { Slot::new() }; HELD.len()] };
}

fn listens() -> bool {
    ATTENTION.get() != &raw const NOBODY
}

/// For guarded calls: the flag that keeps them from being made.
pub(crate) fn flag() -> *const u32 {
    ATTENTION.get().cast()
}

/// A thread that takes signals for a guest; until this is dropped, on the same thread.
#[derive(Debug)]
pub struct Listening {
    /// Kept alive for the handler.
    attention: Arc<AtomicU32>,
    /// The handler knows of it by a thread-local.
    _this_thread: PhantomData<*const ()>,
}

/// Has signals of the calling thread raise `attention`.
///
/// The thread has no signal waiting then. What it gets once it listens no more is
/// dropped, if it was a handler that the guest wanted.
#[must_use]
pub fn listen(attention: Arc<AtomicU32>) -> Listening {
    let listening = Listening { attention, _this_thread: PhantomData };
    listening.renew();
    listening
}

impl Listening {
    /// Listens again, after somebody else has in this thread's place. Nothing waits then.
    pub fn renew(&self) {
        SLOT.with(|slot| slot.full.store(false, Ordering::SeqCst));
        drop_held();
        ATTENTION.set(Arc::as_ptr(&self.attention));
        RECEIVER.store(thread_number(), Ordering::SeqCst);
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        ATTENTION.set(&raw const NOBODY);
        let _ = RECEIVER.compare_exchange(thread_number(), 0, Ordering::SeqCst, Ordering::SeqCst);
    }
}

fn thread_number() -> i32 {
    // SAFETY: the call has no arguments and cannot fail.
    unsafe { libc::gettid() }
}

/// Whether a signal waits in the thread's slot, and so all others are blocked.
pub fn is_waiting() -> bool {
    SLOT.with(Slot::is_full)
}

/// The signal in the thread's slot. Whoever takes it sets the thread's mask afterwards.
pub fn take() -> Option<Arrived> {
    SLOT.with(Slot::take)
}

/// One of the thread's signals of `wanted` that were held back.
pub fn take_held(wanted: u64) -> Option<Arrived> {
    HELD_SLOTS.with(|slots| {
        let mut known = HELD.iter().zip(slots);
        known.find_map(|(signal, slot)| if wanted & bit(*signal) != 0 { slot.take() } else { None })
    })
}

/// The thread's signals that are held back.
pub fn held() -> u64 {
    HELD_SLOTS.with(|slots| {
        let full = HELD.iter().zip(slots).filter(|(_, slot)| slot.is_full());
        full.fold(0, |set, (signal, _)| set | bit(*signal))
    })
}

/// Forgets what is held back: a forked child has no signals.
pub fn drop_held() {
    HELD_SLOTS.with(|slots| {
        for slot in slots {
            slot.full.store(false, Ordering::SeqCst);
        }
    });
}

std::arch::global_asm!(
    ".pushsection .text.rvrun_signal_return, \"ax\", @progbits",
    ".globl rvrun_signal_return",
    "rvrun_signal_return:",
    "mov eax, {number}",
    "syscall",
    ".popsection",
    number = const libc::SYS_rt_sigreturn,
);

unsafe extern "C" {
    #[link_name = "rvrun_signal_return"]
    fn signal_return();
}

type Function = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// Installs a handler of the VM's with these flags of the guest's. Not by the C
/// library, which keeps signals 32 and 33 to itself.
pub(crate) fn install(signal: i32, function: Function, flags: u64) -> Result<(), i32> {
    let flags = flags | (libc::SA_SIGINFO | libc::SA_ONSTACK) as u64 | SA_RESTORER;
    let restorer = signal_return as *const () as u64;
    let action: [u64; 4] = [function as *const () as u64, flags, restorer, ALL];
    // SAFETY: the structure is the kernel's; the handlers keep to what their modules say.
    let result = unsafe {
        libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), 0usize, SET_BYTES)
    };
    // SAFETY: the C library's own variable.
    if result == 0 { Ok(()) } else { Err(unsafe { *libc::__errno_location() }) }
}

/// Runs `during`, and has the kernel do with a signal what it did before.
pub(crate) fn keeping<T>(signal: i32, during: impl FnOnce() -> T) -> T {
    let mut action = [0u64; 4];
    let change = |new: *const [u64; 4], old: *mut [u64; 4]| {
        // SAFETY: both are the kernel's structure, or null.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, SET_BYTES) };
    };
    change(std::ptr::null(), &raw mut action);
    let result = during();
    change(&raw const action, std::ptr::null_mut());
    result
}

/// Catches a signal for the guest, with those of its flags that concern the kernel.
pub fn catch(signal: i32, flags: u64) {
    const KERNELS: i32 = libc::SA_RESTART | libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT;
    let function = if FAULTS & bit(signal) != 0 { fault::handle } else { handle };
    // Only numbers that are no signals fail, and those that cannot be caught.
    let _ = install(signal, function, flags & KERNELS as u64);
}

extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives SA_SIGINFO handlers valid pointers to both.
    let (info, context) = unsafe { (&*info, &mut *context.cast::<libc::ucontext_t>()) };
    /// `si_code` of a SIGTRAP by which perf_event_open(2) tells of an event, wherever that was.
    const TRAP_PERF: i32 = 6;
    let told = signal == libc::SIGTRAP && info.si_code == TRAP_PERF;
    let ip = context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
    if EXCEPTIONS & bit(signal) != 0 && info.si_code > 0 && !told && !is_behind_call(ip) {
        fault::give_up(signal, true);
    } else {
        arrived(signal, info, context);
    }
}

/// Whether the instruction before `ip`, where a signal has come, is a system call: none of
/// the VM's is followed by an instruction that raises an exception, but a guest may send
/// itself a signal that looks like one (rt_sigqueueinfo(2)).
pub(crate) fn is_behind_call(ip: usize) -> bool {
    const SYSCALL: [u8; 2] = [0x0f, 0x05];
    // SAFETY: the CPU was about to execute what is there, or has just done so with this.
    unsafe { (ip as *const [u8; 2]).wrapping_sub(1).read_unaligned() == SYSCALL }
}

/// Notes a signal that was sent; false if the thread runs no guest.
pub(crate) fn arrived(signal: i32, info: &libc::siginfo_t, context: &mut libc::ucontext_t) -> bool {
    // SAFETY: the kernel's structure has 128 bytes, aligned to eight.
    let words = unsafe { *(&raw const *info).cast::<Info>() };
    if !listens() {
        return pass_on(signal, &words);
    }
    match HELD.iter().position(|held| *held == signal) {
        Some(index) => HELD_SLOTS.with(|slots| slots[index].put(signal, words)),
        None => {
            SLOT.with(|slot| slot.put(signal, words));
            // SAFETY: the kernel's set has eight bytes, which are the first of the library's.
            unsafe { *(&raw mut context.uc_sigmask).cast::<u64>() = ALL & !FAULTS };
        }
    }
    // SAFETY: whoever listens keeps the flag alive.
    unsafe { &*ATTENTION.get() }.store(1, Ordering::SeqCst);
    let registers = &mut context.uc_mcontext.gregs;
    let (ip, rax) = (registers[libc::REG_RIP as usize], registers[libc::REG_RAX as usize]);
    if let Some((ip, rax)) = guarded::interrupt(ip as u64, rax as u64) {
        registers[libc::REG_RIP as usize] = ip as i64;
        registers[libc::REG_RAX as usize] = rax as i64;
    }
    true
}

/// Gives a signal to the thread that runs the guest, if there is one.
fn pass_on(signal: i32, info: &Info) -> bool {
    let receiver = RECEIVER.load(Ordering::SeqCst);
    receiver != 0 && receiver != thread_number() && send(receiver, signal, info)
}

/// At a thread's end, with everything blocked: gives the signal in its slot to the
/// process, since it may have been meant for any thread.
pub fn pass_to_process() {
    let Some(Arrived { signal, info }) = take() else { return };
    // SAFETY: the kernel reads the structure, which has its size.
    unsafe { libc::syscall(libc::SYS_rt_sigqueueinfo, std::process::id(), signal, info.as_ptr()) };
}

/// Sends the calling thread a signal once more (rt_tgsigqueueinfo(2)).
pub fn send_again(arrived: &Arrived) {
    send(thread_number(), arrived.signal, &arrived.info);
}

fn send(thread: i32, signal: i32, info: &Info) -> bool {
    let process = std::process::id();
    // SAFETY: the kernel reads the structure, which has its size.
    let result = unsafe {
        libc::syscall(libc::SYS_rt_tgsigqueueinfo, process, thread, signal, info.as_ptr())
    };
    result == 0
}
