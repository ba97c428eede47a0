//! A process that runs in this one's memory while this thread waits (vfork(2)).

use crate::process;
use std::cell::Cell;
use std::ffi::c_void;
use std::io;

/// Bytes of the stack that the other process gets.
const STACK_BYTES: usize = 8 << 20;

thread_local! {
    /// Where the stack that this thread lends ends; 0 while it lends none.
    static LENT: Cell<usize> = const { Cell::new(0) };
}

/// The lowest address of the stack that the calling code runs on, if it is a lent one.
pub(crate) fn stack_bottom() -> Option<usize> {
    Some(LENT.get()).filter(|bottom| *bottom != 0)
}

unsafe extern "C" {
    #[link_name = "rvrun_vfork"]
    fn vfork(
        flags: u64,
        stack: *mut u8,
        parent_tid: u64,
        child_tid: u64,
        function: extern "C" fn(*mut c_void) -> !,
        argument: *mut c_void,
    ) -> u64;
}

// clone(2) with the function and its argument on the child's stack, which is the only
// thing that the child has of its own.
std::arch::global_asm!(
    ".pushsection .text.rvrun_vfork, \"ax\", @progbits",
    ".globl rvrun_vfork",
    "rvrun_vfork:",
    "mov r10, rcx",
    "mov [rsi - 16], r8",
    "mov [rsi - 8], r9",
    "sub rsi, 16",
    "xor r8d, r8d",
    "mov eax, {number}",
    "syscall",
    "test rax, rax",
    "jz 2f",
    "ret",
    "2:",
    "pop rax",
    "pop rdi",
    "xor ebp, ebp",
    "call rax",
    "ud2",
    ".popsection",
    number = const libc::SYS_clone,
);

/// Runs `child` in a new process that shares this one's memory, and waits until that has
/// ended or executed a program. `args` are clone(2)'s flags, with `CLONE_VM` and
/// `CLONE_VFORK`, and its two places for the new process's number. Gives what the
/// kernel returns to the parent.
///
/// `child` has to end the process. Its values are not dropped if it does so; what the
/// caller wants to drop, `child` leaves where the caller finds it.
///
/// # Errors
/// The host's, when it has no memory for a stack.
pub fn lend_memory<F: FnMut()>(args: [u64; 3], child: &mut F) -> io::Result<u64> {
    extern "C" fn run<F: FnMut()>(child: *mut c_void) -> ! {
        // SAFETY: the address is that of the closure below, whose owner waits.
        let child = unsafe { &mut *child.cast::<F>() };
        child();
        std::process::abort()
    }
    let stack = process::anonymous(STACK_BYTES, libc::PROT_READ | libc::PROT_WRITE)?;
    let before = LENT.replace(stack as usize);
    let [flags, parent_tid, child_tid] = args;
    // SAFETY: the child has a stack of its own, and whatever else it changes is memory
    // that it would also change as a function called here; this thread goes on when
    // it uses the stack no more.
    let result = unsafe {
        let top = stack.cast::<u8>().add(STACK_BYTES);
        vfork(flags, top, parent_tid, child_tid, run::<F>, (&raw mut *child).cast())
    };
    LENT.set(before);
    // SAFETY: the mapping was made above, and nobody uses it any more.
    unsafe { libc::munmap(stack, STACK_BYTES) };
    Ok(result)
}
