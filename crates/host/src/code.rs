//! Memory for translated code, and the way into it and out of it.
//!
//! A [`CodeArena`] is one private mapping that is readable, writable and
//! executable: two mappings of shared memory, one to write and one to execute,
//! would be shared with every process that the guest forks, whose translations
//! then overwrite one another's; a private mapping is copied on write.
//!
//! Behind the code are its *slots*: jumps that lead to a piece of code each, or to instructions
//! that return a number. Where they lead is changed while others execute them.
//!
//! [`enter`] calls a translation. A fault inside of an arena unwinds to it: the
//! handler of [`fault`](crate::fault) restores the stack pointer that `enter` has
//! noted in the thread's [`Frame`] and resumes behind the call. Translated code
//! is compiled with its own bookkeeping of what to do then.
//!
//! Code that is not entered that way but jumped to, and has all registers in a
//! known state wherever it may fault, has an arena with a *landing*
//! ([`CodeArena::with_landing`]): the handler resumes there.

use crate::large;
use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// What [`enter`] returns after a fault; no translation returns it.
pub const FAULTED: u64 = 1;

/// How many arenas there can be at once: one for each thread of a program.
const MAX_ARENAS: usize = 4096;

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

/// Bytes of a slot's jump. It is written as one word.
const JUMP: usize = 8;

/// Bytes of what returns the slot's number: `mov rax, number; ret`.
const RETURN: usize = 16;

/// Bytes of code and slots, all of which calls and jumps have to reach.
const REACH: usize = i32::MAX as usize;

/// Memory for translated code.
#[derive(Debug)]
pub struct CodeArena {
    start: *mut u8,
    /// Bytes of code; behind them are slots' jumps, then what returns their numbers.
    len: usize,
    slots: usize,
    /// Offsets of code with large pages, which are worth it for more than a little: code is spread
    /// over more small ones than the host's processor remembers the addresses of.
    large: Range<usize>,
    /// Offsets up to which and from which on small pages were asked for.
    populated: [usize; 2],
}

// SAFETY: the mapping belongs to no thread, and writing takes `&mut`.
unsafe impl Send for CodeArena {}

impl CodeArena {
    /// Reserves `len` bytes, a multiple of the page size, and so many slots.
    ///
    /// # Errors
    /// The host's, when it has no memory or forbids memory that is both
    /// writable and executable; `ENOMEM` when there are 4,096 arenas already, or when calls
    /// could not reach all of it.
    pub fn new(len: usize, slots: usize) -> io::Result<Self> {
        Self::reserve(len, slots, 0)
    }

    /// The same without slots, for code whose faults resume at the address `landing`, with all
    /// other registers as they were; [`fault_ip`] tells there what faulted.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_landing(len: usize, landing: usize) -> io::Result<Self> {
        Self::reserve(len, 0, landing)
    }

    fn reserve(len: usize, slots: usize, landing: usize) -> io::Result<Self> {
        let no_memory = || io::Error::from_raw_os_error(libc::ENOMEM);
        let all = slots.checked_mul(JUMP + RETURN).and_then(|slots| len.checked_add(slots));
        let all = all.filter(|all| *all <= REACH).ok_or_else(no_memory)?;
        let prot = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let (start, large) = large::reserve(all, prot, len.saturating_sub(large::SMALL))?;
        let claim = |place: &&Place| {
            let (order, failed) = (Ordering::AcqRel, Ordering::Acquire);
            place.start.compare_exchange(0, start as usize, order, failed).is_ok()
        };
        let Some(place) = ARENAS.iter().find(claim) else {
            // SAFETY: the mapping was just made, and nobody knows of it.
            unsafe { libc::munmap(start.cast(), all) };
            return Err(no_memory());
        };
        place.landing.store(landing, Ordering::Release);
        place.len.store(all, Ordering::Release);
        Ok(Self { start, len, slots, large, populated: [0, len] })
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

    /// The four bytes before an address, if they are the arena's.
    pub fn word_before(&self, address: usize) -> Option<u32> {
        let offset = address.checked_sub(self.start as usize + size_of::<u32>())?;
        if offset > self.len - size_of::<u32>() {
            return None;
        }
        // SAFETY: at least so many bytes of the mapping are there, and who writes has a `&mut`.
        Some(unsafe { self.start.add(offset).cast::<u32>().read_unaligned() })
    }

    /// Copies `code` to `offset`.
    ///
    /// # Panics
    /// If it does not fit.
    pub fn write(&mut self, offset: usize, code: &[u8]) {
        let end = offset.checked_add(code.len());
        assert!(end.is_some_and(|end| end <= self.len), "the code does not fit the arena");
        self.populate(offset, offset + code.len());
        self.write_anywhere(offset, code);
    }

    /// Asks for the pages of what is written and some more at once, if it is next to what was
    /// written before: code is written from the beginning on, or from the end, and a fault for
    /// each page takes several times as long.
    fn populate(&mut self, offset: usize, end: usize) {
        let [low, high] = self.populated;
        if offset <= low && low < end && low < self.large.start {
            self.populated[0] = large::populate_up(self.start, low, end, &self.large);
        } else if end >= high && offset < high && high > self.large.end {
            self.populated[1] = large::populate_down(self.start, offset, high, &self.large);
        }
    }

    /// The address of the slot at `index`, to be called or jumped to; none if there are not so
    /// many.
    pub fn slot(&self, index: usize) -> Option<usize> {
        (index < self.slots).then(|| self.address(self.jump(index)))
    }

    /// Makes the slot at `index`, which returns `number` from now on.
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn make_slot(&mut self, index: usize, number: u64) {
        let at = self.returning(index);
        let mut code = [0xcc; RETURN];
        code[..2].copy_from_slice(&[0x48, 0xb8]);
        code[2..10].copy_from_slice(&number.to_le_bytes());
        code[10] = 0xc3;
        self.write_anywhere(at, &code);
        self.lead_slot(index, None);
    }

    /// Has the slot at `index` lead to the code at offset `to`, or return its number. Others
    /// may be executing it: the processor fetches an aligned word as it was before or as it is
    /// behind a write of all of it.
    ///
    /// # Panics
    /// If there is no such slot or no such code.
    pub fn lead_slot(&mut self, index: usize, to: Option<usize>) {
        assert!(to.is_none_or(|to| to < self.len), "there is no such code");
        let at = self.jump(index);
        let to = to.unwrap_or(self.returning(index));
        let distance = (to as i64 - (at as i64 + 5)) as i32;
        let mut code = [0xcc; JUMP];
        code[0] = 0xe9;
        code[1..5].copy_from_slice(&distance.to_le_bytes());
        // SAFETY: the word is in the mapping, aligned, and written in this way only.
        let word = unsafe { &*self.start.add(at).cast::<AtomicU64>() };
        word.store(u64::from_le_bytes(code), Ordering::Release);
    }

    /// The offset of a slot's jump.
    fn jump(&self, index: usize) -> usize {
        assert!(index < self.slots, "there is no such slot");
        self.len + index * JUMP
    }

    /// The offset of what returns a slot's number.
    fn returning(&self, index: usize) -> usize {
        self.jump(self.slots - 1) + JUMP + index * RETURN
    }

    fn write_anywhere(&mut self, offset: usize, code: &[u8]) {
        // SAFETY: the callers have checked the range; they write only where nothing runs, which
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
        unsafe { libc::munmap(self.start.cast(), self.len + self.slots * (JUMP + RETURN)) };
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
    fn enter_translation(context: *mut u8, code: usize, unused: usize, frame: *mut Frame) -> u64;
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
            concat!(".type ", $name, ", @function"),
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
            concat!(".size ", $name, ", . - ", $name),
            ".popsection",
            $($operands)*
        );
    };
}

sheltered! { "rvrun_call_sheltered" { "call rcx" } {} }

// `rcx` is the frame's address; translations have the context in `r15`.
sheltered! {
    "rvrun_enter_translation"
    { "mov [rcx], rsp" "mov r15, rdi" "call rsi" }
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

/// Calls the translation at `code` with `context` in `r15`.
///
/// # Safety
/// `code` is code of the arena that takes no arguments, returns as the C calling convention
/// has it, and does with `context` only what the type of what it points to allows.
#[inline]
pub unsafe fn enter(context: *mut u8, code: usize) -> Return {
    let mut frame = Frame::default();
    let outer = FRAME.replace(&raw mut frame);
    // SAFETY: by this function's own contract; the frame outlives the call.
    let value = unsafe { enter_translation(context, code, 0, &raw mut frame) };
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
