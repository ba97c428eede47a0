//! Memory for translated code, and the way into it and out of it.
//!
//! A [`CodeArena`] is one private mapping that is readable, writable and
//! executable: two mappings of shared memory, one to write and one to execute,
//! would be shared with every process that the guest forks, whose translations
//! then overwrite one another's; a private mapping is copied on write.
//!
//! [`enter`] calls a translation. A fault inside of an arena unwinds to it: the
//! handler of [`fault`](crate::fault) restores the stack pointer that `enter` has
//! noted in the thread's [`Frame`] and resumes behind the call. Translated code
//! is compiled with its own bookkeeping of what to do then.
//!
//! Code that is not entered that way but jumped to, and has all registers in a
//! known state wherever it may fault, has an arena with a *landing*
//! ([`CodeArena::with_landing`]): the handler resumes there.

use crate::process;
use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What [`enter`] returns after a fault; no translation returns it.
pub const FAULTED: u64 = 1;

/// How many arenas there can be at once: one for each thread of a program.
const MAX_ARENAS: usize = 4096;

/// Bytes of code, at either end of an arena, for which pages of the usual size will do. What is
/// more is spread over more of them than the host's processor remembers the addresses of.
const SMALL: usize = 1 << 20;

/// Bytes of a large page of x86-64.
const HUGE_PAGE: usize = 2 << 20;

/// What the fault handler knows of an arena.
struct Place {
    /// Its first address, 0 if the place is free.
    start: AtomicUsize,
    len: AtomicUsize,
    /// Where to resume, 0 to unwind.
    landing: AtomicUsize,
}

static ARENAS: [Place; MAX_ARENAS] = [const {
    Place { start: AtomicUsize::new(0), len: AtomicUsize::new(0), landing: AtomicUsize::new(0) }
}; MAX_ARENAS];

/// What unwinding to [`enter`] needs.
#[derive(Debug, Default)]
#[repr(C)]
struct Frame {
    /// The stack pointer behind `enter`'s own saves.
    stack: usize,
    /// The instruction that faulted.
    fault_ip: usize,
}

thread_local! {
    static FRAME: Cell<*mut Frame> = const { Cell::new(std::ptr::null_mut()) };
    static FAULT_IP: Cell<usize> = const { Cell::new(0) };
}

/// Memory for translated code.
#[derive(Debug)]
pub struct CodeArena {
    start: *mut u8,
    len: usize,
}

// SAFETY: the mapping belongs to no thread, and writing takes `&mut`.
unsafe impl Send for CodeArena {}

impl CodeArena {
    /// Reserves `len` bytes, a multiple of the page size.
    ///
    /// # Errors
    /// The host's, when it has no memory or forbids memory that is both
    /// writable and executable; `ENOMEM` when there are 4,096 arenas already.
    pub fn new(len: usize) -> io::Result<Self> {
        Self::with_landing(len, 0)
    }

    /// The same, for code whose faults resume at the address `landing`, with all other
    /// registers as they were; [`fault_ip`] tells there what faulted. 0 means unwinding.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_landing(len: usize, landing: usize) -> io::Result<Self> {
        let start = process::anonymous(len, libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC)?;
        let claim = |place: &&Place| {
            let (order, failed) = (Ordering::AcqRel, Ordering::Acquire);
            place.start.compare_exchange(0, start as usize, order, failed).is_ok()
        };
        let Some(place) = ARENAS.iter().find(claim) else {
            // SAFETY: the mapping was just made, and nobody knows of it.
            unsafe { libc::munmap(start, len) };
            return Err(io::Error::from_raw_os_error(libc::ENOMEM));
        };
        let first = (start as usize + SMALL).next_multiple_of(HUGE_PAGE);
        let last = (start as usize + len).saturating_sub(SMALL) & !(HUGE_PAGE - 1);
        if last > first {
            // SAFETY: the advice is about the mapping that was just made.
            unsafe { libc::madvise(first as *mut _, last - first, libc::MADV_HUGEPAGE) };
        }
        place.landing.store(landing, Ordering::Release);
        place.len.store(len, Ordering::Release);
        Ok(Self { start: start.cast(), len })
    }

    /// Bytes of the arena.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The address of the byte at `offset`, for execution.
    pub fn address(&self, offset: usize) -> usize {
        self.start as usize + offset
    }

    /// Copies `code` to `offset`.
    ///
    /// # Panics
    /// If it does not fit.
    pub fn write(&mut self, offset: usize, code: &[u8]) {
        let end = offset.checked_add(code.len());
        assert!(end.is_some_and(|end| end <= self.len), "the code does not fit the arena");
        // SAFETY: the range was just checked; the caller writes only where nothing runs, which
        // concerns what the translations do, not memory that Rust knows of.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), self.start.add(offset), code.len()) };
    }
}

impl Drop for CodeArena {
    fn drop(&mut self) {
        let start = self.start as usize;
        let is_own = |place: &&Place| place.start.load(Ordering::Acquire) == start;
        if let Some(place) = ARENAS.iter().find(is_own) {
            place.len.store(0, Ordering::Release);
            place.start.store(0, Ordering::Release);
        }
        // SAFETY: the mapping is this value's own; `enter`'s contract wants it alive.
        unsafe { libc::munmap(self.start.cast(), self.len) };
    }
}

/// Words that translated code reads while others write them; 0 at first. Memory is
/// taken page by page when one of its words is written.
#[derive(Debug)]
pub struct Slots {
    start: *mut AtomicUsize,
    count: usize,
}

// SAFETY: the mapping belongs to no thread, and its words are atomic.
unsafe impl Send for Slots {}

impl Slots {
    /// So many words.
    ///
    /// # Errors
    /// The host's, when it has no memory.
    pub fn new(count: usize) -> io::Result<Self> {
        let start = process::anonymous(
            count * size_of::<AtomicUsize>(),
            libc::PROT_READ | libc::PROT_WRITE,
        )?;
        Ok(Self { start: start.cast(), count })
    }

    /// The word at `index`.
    pub fn get(&self, index: usize) -> Option<&AtomicUsize> {
        // SAFETY: the mapping has so many words, and zeroes are words.
        (index < self.count).then(|| unsafe { &*self.start.add(index) })
    }

    /// The address of the first word.
    pub fn as_ptr(&self) -> *const usize {
        self.start.cast()
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own; what translated code knows of it is
        // not used once nothing can be entered.
        unsafe { libc::munmap(self.start.cast(), self.count * size_of::<AtomicUsize>()) };
    }
}

/// The arena around `ip`.
fn arena_of(ip: usize) -> Option<&'static Place> {
    ARENAS.iter().find(|place| {
        let start = place.start.load(Ordering::Acquire);
        ip.wrapping_sub(start) < place.len.load(Ordering::Acquire)
    })
}

unsafe extern "C" {
    #[link_name = "rvrun_enter_translation"]
    fn enter_translation(context: *mut u8, argument: u64, code: usize, frame: *mut Frame) -> u64;
    #[link_name = "rvrun_translation_faulted"]
    fn translation_faulted();
    #[link_name = "rvrun_call_sheltered"]
    fn call_sheltered_raw(a: usize, b: usize, c: usize, code: usize) -> usize;
}

/// Calls `code`, a function of three words that may leave any register changed.
///
/// # Safety
/// `code` is such a function, and what it wants of its arguments holds.
#[inline]
pub unsafe fn call_sheltered(code: usize, a: usize, b: usize, c: usize) -> usize {
    // SAFETY: by this function's own contract.
    unsafe { call_sheltered_raw(a, b, c, code) }
}

/// Emits a function that saves the callee-saved registers of the C calling convention and `rcx`,
/// its fourth argument, which aligns the stack; does what it is told; and restores them.
/// Then comes what is behind its end: label `2` is where it restores them.
macro_rules! sheltered {
    ($name:literal { $($body:literal)* } { $($behind:literal)* } $($operands:tt)*) => {
        std::arch::global_asm!(
            concat!(".pushsection .text.", $name, ", \"ax\", @progbits"),
            concat!(".globl ", $name),
            concat!($name, ":"),
            "push rbp",
            "push rbx",
            "push r12",
            "push r13",
            "push r14",
            "push r15",
            "push rcx",
            $($body,)*
            "2: pop rcx",
            "pop r15",
            "pop r14",
            "pop r13",
            "pop r12",
            "pop rbx",
            "pop rbp",
            "ret",
            $($behind,)*
            ".popsection",
            $($operands)*
        );
    };
}

sheltered! { "rvrun_call_sheltered" { "call rcx" } {} }

// `rcx` is the frame's address.
sheltered! {
    "rvrun_enter_translation"
    { "mov [rcx], rsp" "call rdx" }
    {
        ".globl rvrun_translation_faulted"
        "rvrun_translation_faulted:"
        "mov eax, {faulted}"
        "jmp 2b"
    }
    faulted = const FAULTED,
}

// Saves what the C calling convention lets a callee change (16 vector registers of
// 16 bytes and nine others), and calls its second argument with the first one.
std::arch::global_asm!(
    ".pushsection .text.rvrun_call_preserving, \"ax\", @progbits",
    ".globl rvrun_call_preserving",
    "rvrun_call_preserving:",
    "push rbp",
    "mov rbp, rsp",
    "push rax",
    "push rcx",
    "push rdx",
    "push rsi",
    "push rdi",
    "push r8",
    "push r9",
    "push r10",
    "push r11",
    "sub rsp, 264",
    "and rsp, -16",
    ".set i, 0",
    ".rept 16",
    ".altmacro",
    ".macro save n",
    "movups [rsp + 16 * \\n], xmm\\n",
    ".endm",
    "save %i",
    ".purgem save",
    ".noaltmacro",
    ".set i, i + 1",
    ".endr",
    "call rsi",
    ".set i, 0",
    ".rept 16",
    ".altmacro",
    ".macro restore n",
    "movups xmm\\n, [rsp + 16 * \\n]",
    ".endm",
    "restore %i",
    ".purgem restore",
    ".noaltmacro",
    ".set i, i + 1",
    ".endr",
    "lea rsp, [rbp - 72]",
    "pop r11",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rdi",
    "pop rsi",
    "pop rdx",
    "pop rcx",
    "pop rax",
    "pop rbp",
    "ret",
    ".popsection",
);

unsafe extern "C" {
    #[link_name = "rvrun_call_preserving"]
    fn call_preserving();
}

/// Address of code that calls its second argument with the first one, both in the
/// C calling convention, and changes no register at all.
pub fn preserving_call() -> usize {
    call_preserving as *const () as usize
}

/// How a translation returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// With this value.
    Value(u64),
    /// By a memory fault of the host instruction at this address;
    /// [`fault::take`](crate::fault::take) knows more.
    Fault(usize),
}

/// Calls the translation at `code` with `context` and `argument`.
///
/// # Safety
/// `code` is code of the arena that takes these two arguments in the C calling
/// convention, keeps its callee-saved registers, and does with `context` only what
/// the type of what it points to allows.
#[inline]
pub unsafe fn enter(context: *mut u8, argument: u64, code: usize) -> Return {
    let mut frame = Frame::default();
    let outer = FRAME.replace(&raw mut frame);
    // SAFETY: by this function's own contract; the frame outlives the call.
    let value = unsafe { enter_translation(context, argument, code, &raw mut frame) };
    FRAME.set(outer);
    if value == FAULTED { Return::Fault(frame.fault_ip) } else { Return::Value(value) }
}

/// At a landing: the instruction of this thread that faulted last.
pub fn fault_ip() -> usize {
    FAULT_IP.get()
}

/// For the fault handler: if the fault at `ip` is an arena's, where to resume, and
/// with which stack pointer if with another one.
pub(crate) fn resume(ip: usize) -> Option<(usize, Option<usize>)> {
    let landing = arena_of(ip)?.landing.load(Ordering::Acquire);
    if landing != 0 {
        FAULT_IP.set(ip);
        return Some((landing, None));
    }
    let frame = FRAME.get();
    if frame.is_null() {
        return None;
    }
    // SAFETY: a frame is noted while its `enter` runs, on this very thread.
    let frame = unsafe { &mut *frame };
    frame.fault_ip = ip;
    Some((translation_faulted as *const () as usize, Some(frame.stack)))
}
