//! What the VM asks the host about its own process, and how it ends.

use crate::signals;
use std::ffi::{CStr, CString, c_ulong};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// The value of a key in the VM's own auxiliary vector, 0 if it is not there (getauxval(3)).
pub fn auxv(key: u64) -> u64 {
    // SAFETY: getauxval takes any key and has no other contract.
    unsafe { libc::getauxval(key as c_ulong) }
}

/// A cache of the host's processors; all 0 if the host does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Bytes.
    pub size: u64,
    /// Lines of a set.
    pub ways: u64,
    /// Bytes of a line.
    pub line: u64,
}

/// The first level's caches of instructions and of data, the second and the third level's
/// (sysconf(3), `_SC_LEVEL1_ICACHE_SIZE` and the eleven behind it).
pub fn caches() -> [Cache; 4] {
    const FIRST: i32 = 185;
    // SAFETY: sysconf takes any number.
    let value = |index: i32| unsafe { libc::sysconf(FIRST + index) }.max(0) as u64;
    [0, 3, 6, 9].map(|index| Cache {
        size: value(index),
        ways: value(index + 1),
        line: value(index + 2),
    })
}

/// The name of threads that are the VM's own, which the guest does not see.
pub const VM_THREAD: &str = "rvrun-compile";

/// Sixteen random bytes (getrandom(2)).
///
/// # Errors
/// When the kernel has none to give, which does not happen once a system has started.
pub fn random_bytes() -> io::Result<[u8; 16]> {
    let mut bytes = [0u8; 16];
    // SAFETY: the buffer is as long as the length says.
    let n = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if n == bytes.len() as isize { Ok(bytes) } else { Err(io::Error::last_os_error()) }
}

/// The soft limit of the stack's size in bytes, `None` if there is none (getrlimit(2)).
pub fn stack_limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the result.
    let failed = unsafe { libc::getrlimit(libc::RLIMIT_STACK, &mut limit) } != 0;
    (!failed && limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur)
}

/// The lowest address of the calling thread's stack, `None` if the host does not
/// tell (pthread_getattr_np(3)). Of the process's first stack, which may be as long as it is
/// allowed to be, at most the last 8 MiB count.
pub fn stack_bottom() -> Option<usize> {
    if let Some(bottom) = crate::vfork::stack_bottom().or_else(first_stack_bottom) {
        return Some(bottom);
    }
    // SAFETY: an all-zero value is a valid place for the attributes, which are
    // destroyed once read.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) != 0 {
            return None;
        }
        let (mut bottom, mut size) = (std::ptr::null_mut(), 0);
        let failed = libc::pthread_attr_getstack(&attributes, &mut bottom, &mut size) != 0;
        libc::pthread_attr_destroy(&mut attributes);
        (!failed).then_some(bottom as usize)
    }
}

/// The lowest address that the process's first stack may have, if the calling code runs there.
///
/// The C library would find that out from `/proc/self/maps`, which takes longer than some
/// programs run. But the kernel puts the program's name last on that stack, and no mapping less
/// than 128 MiB below (`mmap_base` in its `mm/util.c`).
fn first_stack_bottom() -> Option<usize> {
    const MOST: u64 = 8 << 20;
    let name = auxv(libc::AT_EXECFN) as usize;
    let end = name.checked_next_multiple_of(PAGE).filter(|_| name != 0)?;
    let bottom = end.checked_sub(stack_limit().map_or(MOST, |limit| limit.min(MOST)) as usize)?;
    let here = (&raw const name) as usize;
    (bottom..end).contains(&here).then_some(bottom)
}

/// Runs `start`, whose new threads get no signals but those that the CPU raises in them:
/// neither those that the C library leaves out of its sets. What the guest wants done with these
/// outlives the first thread, with which the library installs a handler of its own (glibc's
/// `nptl/pthread_create.c`, for `setuid` in all threads, which it is never asked for here).
pub fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    let set_mask = |mask: u64| {
        let mut before = 0u64;
        // SAFETY: both sets have the size that the kernel is told.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_SETMASK,
                &raw const mask,
                &raw mut before,
                size_of::<u64>(),
            )
        };
        before
    };
    let before = set_mask(!signals::FAULTS);
    let result = match HAS_THREADS.swap(true, Ordering::Relaxed) {
        true => start(),
        false => signals::keeping(SIGSETXID, start),
    };
    set_mask(before);
    result
}

/// The signal of the C library's that has a handler then.
const SIGSETXID: i32 = 33;
/// Whether a thread was started.
static HAS_THREADS: AtomicBool = AtomicBool::new(false);

/// Starts a thread that is the VM's own, and gets signals as [`with_signals_blocked`] has it.
///
/// A thread has the name of the one that starts it until it has got to run and given itself
/// another one. So that nobody takes it for the guest's meanwhile, this one has that name for
/// the moment.
///
/// # Errors
/// The host's, when there can be no more threads.
pub fn start_vm_thread(body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    with_signals_blocked(|| {
        let before = thread_name();
        name_thread(VM_THREAD.as_bytes());
        let thread = std::thread::Builder::new().name(VM_THREAD.into()).spawn(body);
        name_thread(before.to_bytes());
        thread
    })
}

/// Bytes of a thread's name and the zero behind it.
const NAME_SIZE: usize = 16;

/// The calling thread's name (PR_GET_NAME(2const)).
fn thread_name() -> CString {
    let mut name = [0u8; NAME_SIZE];
    // SAFETY: the kernel writes 16 bytes at most, the last one a zero.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    CStr::from_bytes_until_nul(&name).unwrap_or_default().to_owned()
}

/// Names the calling thread, as far as 15 bytes go (PR_SET_NAME(2const)).
pub fn name_thread(name: &[u8]) {
    let mut bytes = [0u8; NAME_SIZE];
    let len = name.len().min(NAME_SIZE - 1);
    bytes[..len].copy_from_slice(&name[..len]);
    // SAFETY: the kernel reads up to the zero.
    unsafe { libc::prctl(libc::PR_SET_NAME, bytes.as_ptr()) };
}

/// Whether address space randomisation is off for this process (personality(2)).
pub fn aslr_disabled() -> bool {
    const QUERY: c_ulong = 0xffff_ffff;
    // SAFETY: the query changes nothing.
    let personality = unsafe { libc::personality(QUERY) };
    personality != -1 && personality & libc::ADDR_NO_RANDOMIZE != 0
}

fn map(start: usize, len: usize, prot: i32, flags: i32) -> io::Result<*mut libc::c_void> {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a fresh anonymous mapping touches nothing that exists: no caller has it replace any.
    match unsafe { libc::mmap(start as *mut _, len, prot, flags, -1, 0) } {
        libc::MAP_FAILED => Err(io::Error::last_os_error()),
        start => Ok(start),
    }
}

/// New memory of the VM's own, `len` bytes of zeroes that are taken when they are touched,
/// with this protection (mmap(2)).
///
/// # Errors
/// The host's, when it has no memory, or forbids such a protection.
pub(crate) fn anonymous(len: usize, prot: i32) -> io::Result<*mut libc::c_void> {
    map(0, len, prot, 0)
}

/// The same at a place.
///
/// # Errors
/// As above, and `EEXIST` if something is there.
pub(crate) fn anonymous_at(start: usize, len: usize, prot: i32) -> io::Result<()> {
    let found = map(start, len, prot, libc::MAP_FIXED_NOREPLACE)?;
    if found as usize == start {
        return Ok(());
    }
    // Who does not know the flag, as Valgrind, takes the place for a wish.
    // SAFETY: it was mapped just now, and nobody knows of it.
    unsafe { libc::munmap(found, len) };
    Err(io::Error::from_raw_os_error(libc::EEXIST))
}

const PAGE: usize = 4096;

/// Asks the host for the pages from the address `start` to `end` now, all at once, rather than one
/// fault at a time (madvise(2), `MADV_POPULATE_WRITE`). A host that will not leaves them to faults.
pub(crate) fn populate_pages(start: usize, end: usize) {
    // SAFETY: the advice reads and writes nothing, whoever the memory belongs to.
    unsafe { libc::madvise(start as *mut _, end - start, libc::MADV_POPULATE_WRITE) };
}

/// Keeps the heap out of low memory, where the wild pointers of a guest that lost
/// its upper halves would find it: with the page at the program break taken, brk(2)
/// fails and malloc(3) asks for mappings instead, which are high and at random places.
///
/// To be called as early as can be: the heap's first 132 KiB, which the C library
/// takes before `main`, stay where they are. Should the page be taken already, or
/// the host refuse it, all of the heap is where it would have been. The first of those pages
/// are asked for at once: even a short program's VM needs them.
pub fn keep_heap_high() {
    const FIRST: usize = 132 << 10;
    const USED: usize = 52 << 10;
    // SAFETY: asks for the program break without moving it.
    let end = unsafe { libc::sbrk(0) as usize }.next_multiple_of(PAGE);
    let start = end.saturating_sub(FIRST);
    populate_pages(start, start + USED);
    // Without it, the heap grows where it is.
    let _ = anonymous_at(end, PAGE, libc::PROT_NONE);
}

/// Ends the process at once, all threads of it (exit_group(2)).
pub fn exit_now(status: i32) -> ! {
    // SAFETY: nothing of the process runs afterwards.
    unsafe { libc::_exit(status) }
}

/// Ends the process's first thread, while others go on (exit(2)).
pub fn exit_first_thread(status: i32) -> ! {
    // SAFETY: the thread's memory stays as it is until the process ends.
    unsafe {
        libc::syscall(libc::SYS_exit, status);
    }
    unreachable!("exit does not return")
}

/// Ends the process by a signal's default action, so that its parent sees that signal.
///
/// For signals whose default action is not to end the process, or that the
/// host does not know, it exits with 128 and the signal's number instead.
pub fn die_of_signal(signal: i32) -> ! {
    // SAFETY: resets one disposition to its default and unblocks that signal, with
    // structures of the kernel's own layout; nothing of the VM runs afterwards.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
        libc::raise(signal);
        libc::_exit(128 + signal)
    }
}
