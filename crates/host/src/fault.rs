//! How a host memory fault inside an engine's access becomes an `Err`.
//!
//! The guest's loads and stores are plain host accesses. When one faults, the
//! kernel sends SIGSEGV or SIGBUS, and the handler here looks the faulting
//! instruction up in the *exception table*: the linker section `rvrun_ex`, into
//! which every such access has written its own address and that of its landing
//! ([`EXCEPTION_ENTRY`]). Found there, the handler notes what happened in a
//! thread-local and resumes at the landing, where [`take`] tells the access what
//! to report. An access of translated code is not in the table: where it resumes is
//! for [`code`] to say. Otherwise the fault is the VM's own: after one line of explanation
//! the default action kills it.
//!
//! Async-signal-safety: the handler reads a table that never changes, writes a
//! thread-local that has no destructor and needs no initialisation, and changes the interrupted context's
//! instruction pointer. It allocates nothing and takes no lock. It runs on an
//! alternate stack, since the guest can exhaust any other.
//!
//! SIGSEGV and SIGBUS stay unblocked on the host whatever the guest's mask is;
//! a blocked synchronous fault would kill the process. Those that somebody sends
//! are the guest's ([`signals`]).

use crate::{code, process, signals, watch};
use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

/// Assembly that adds an entry to the exception table: the access is at the
/// label `2`, its landing is the operand `landing`, or what is said instead.
#[macro_export]
macro_rules! exception_entry {
    () => {
        $crate::exception_entry!("{landing}")
    };
    ($landing:literal) => {
        concat!(
            ".pushsection rvrun_ex, \"aR\", @progbits\n.balign 4\n.long 2b - .\n.long ",
            $landing,
            " - .\n.popsection"
        )
    };
}

/// What the host reported of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostFault {
    /// The address that faulted; the CPU gives none for addresses that are not canonical.
    pub address: Option<u64>,
    /// Which signal it was.
    pub signal: Signal,
    /// Its `si_code` (sigaction(2)).
    pub code: i32,
}

/// The signals that faults come as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGSEGV.
    Segv,
    /// SIGBUS.
    Bus,
}

/// An entry of the exception table; both addresses are relative to their own place.
#[repr(C)]
struct Entry {
    access: i32,
    landing: i32,
}

unsafe extern "C" {
    #[link_name = "__start_rvrun_ex"]
    static TABLE_START: Entry;
    #[link_name = "__stop_rvrun_ex"]
    static TABLE_END: Entry;
}

thread_local! {
    static LAST: Cell<HostFault> =
        const { Cell::new(HostFault { address: None, signal: Signal::Segv, code: 0 }) };
}

/// Bytes of the alternate stack.
const STACK_BYTES: usize = 64 << 10;

/// What the last fault of this thread was. For use at a landing.
pub fn take() -> HostFault {
    LAST.get()
}

/// The alternate stack of the thread that installs the handler. A mapping would cost a short program
/// 3 us; of this, nothing is touched before there is a fault.
static FIRST_STACK: Stack = Stack(UnsafeCell::new(MaybeUninit::uninit()));

#[repr(align(16))]
struct Stack(UnsafeCell<MaybeUninit<[u8; STACK_BYTES]>>);

// SAFETY: it is never read or written but as a stack, by the one thread that has it.
unsafe impl Sync for Stack {}

/// Installs the handler, and this thread's alternate stack. Further calls do nothing.
///
/// # Errors
/// The host's, when it refuses the handler or the stack.
pub fn install() -> io::Result<()> {
    static DONE: OnceLock<Result<(), i32>> = OnceLock::new();
    DONE.get_or_init(|| {
        set_stack(FIRST_STACK.0.get().cast())
            .and_then(|()| install_handler(libc::SIGSEGV))
            .and_then(|()| install_handler(libc::SIGBUS))
            .map_err(|error| error.raw_os_error().unwrap_or(libc::EINVAL))
    })
    .map_err(io::Error::from_raw_os_error)
}

/// A thread's alternate stack, for as long as the thread lives.
#[derive(Debug)]
pub struct ThreadStack(*mut c_void);

impl Drop for ThreadStack {
    fn drop(&mut self) {
        let none =
            libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        // SAFETY: the value is neither sent nor dropped by another thread than its own,
        // which uses the stack no more once it is disabled.
        unsafe {
            libc::sigaltstack(&none, std::ptr::null_mut());
            libc::munmap(self.0, STACK_BYTES);
        }
    }
}

/// Gives the calling thread an alternate stack for the handler.
///
/// # Errors
/// The host's, when there is no memory for it.
pub fn install_thread() -> io::Result<ThreadStack> {
    let stack = process::anonymous(STACK_BYTES, libc::PROT_READ | libc::PROT_WRITE)?;
    set_stack(stack).map(|()| ThreadStack(stack))
}

/// Makes [`STACK_BYTES`] from `start` on the calling thread's alternate stack.
fn set_stack(start: *mut c_void) -> io::Result<()> {
    let stack = libc::stack_t { ss_sp: start, ss_flags: 0, ss_size: STACK_BYTES };
    // SAFETY: the memory stays as long as the thread's stack is that, and nothing else uses it.
    match unsafe { libc::sigaltstack(&stack, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn install_handler(signal: c_int) -> io::Result<()> {
    signals::install(signal, handle, libc::SA_RESTART as u64).map_err(io::Error::from_raw_os_error)
}

/// The landing for a fault at `ip`. There are few entries, and a fault is a signal, which takes long:
/// to sort them first took 40,000 instructions of each start.
fn landing(ip: usize) -> Option<usize> {
    let start = &raw const TABLE_START;
    let end = &raw const TABLE_END;
    let count = (end as usize - start as usize) / size_of::<Entry>();
    // SAFETY: the linker puts these symbols around the section, which consists of entries.
    let entries = unsafe { std::slice::from_raw_parts(start, count) };
    let absolute = |field: &i32| (&raw const *field as usize).wrapping_add_signed(*field as isize);
    let entry = entries.iter().find(|entry| absolute(&entry.access) == ip)?;
    Some(absolute(&entry.landing))
}

pub(crate) extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives SA_SIGINFO handlers valid pointers to both.
    let (info, context) = unsafe { (&*info, &mut *context.cast::<libc::ucontext_t>()) };
    let registers = &mut context.uc_mcontext.gregs;
    let ip = registers[libc::REG_RIP as usize] as usize;
    let raised_by_cpu = info.si_code > 0;
    // Bit 1 says that the access was a write (AMD64 manual, volume 2, "Page-Fault Exception").
    let writes = registers[libc::REG_ERR as usize] & 2 != 0;
    // SAFETY: a fault that the CPU raised has an address.
    if raised_by_cpu && writes && watch::written(unsafe { info.si_addr() } as usize) {
        return;
    }
    let access = landing(ip).map(|landing| (landing, None));
    let resume = access.or_else(|| code::resume(ip));
    match resume {
        Some((landing, stack)) if raised_by_cpu => {
            // SAFETY: these signals carry an address when the CPU raised them.
            let address = unsafe { info.si_addr() } as u64;
            LAST.set(HostFault {
                address: (info.si_code != libc::SI_KERNEL).then_some(address),
                signal: if signal == libc::SIGBUS { Signal::Bus } else { Signal::Segv },
                code: info.si_code,
            });
            registers[libc::REG_RIP as usize] = landing as i64;
            if let Some(stack) = stack {
                registers[libc::REG_RSP as usize] = stack as i64;
            }
        }
        _ if (!raised_by_cpu || signals::is_behind_call(ip))
            && signals::arrived(signal, info, context) => {}
        _ => give_up(signal, raised_by_cpu),
    }
}

/// Ends the process by the signal's default action, once the handler returns.
pub(crate) fn give_up(signal: c_int, raised_by_cpu: bool) {
    const MESSAGE: &[u8] = b"rvrun: internal error: a fault in the VM itself; please report it\n";
    // SAFETY: these calls are async-signal-safe, and the message outlives them.
    unsafe {
        if raised_by_cpu {
            libc::write(libc::STDERR_FILENO, MESSAGE.as_ptr().cast(), MESSAGE.len());
        }
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}
