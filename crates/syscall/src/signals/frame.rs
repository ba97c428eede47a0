//! `struct rt_sigframe`: what lies on the guest's stack while a handler runs
//! (kernel: `arch/riscv/kernel/signal.c`, `asm/ucontext.h`, `asm/sigcontext.h`).
//!
//! | offset | what |
//! |---|---|
//! | 0 | `siginfo_t`, 128 bytes |
//! | 128 | `uc_flags`, `uc_link`: 0 |
//! | 144 | `uc_stack`, 24 bytes |
//! | 168 | `uc_sigmask`, and 120 bytes that are kept for longer ones |
//! | 304 | pc, `x1` to `x31` |
//! | 560 | `f0` to `f31`, `fcsr`, then room for the Q extension |
//! | 1076 | a reserved word, then magic number and size of the first extension: none |

use super::info;
use super::stack::SignalStack;
use crate::{Errno, guest};
use rvrun_hart::{Hart, Reservation};
use rvrun_host::signals::Info;

/// Bytes of a frame: room for it is what a stack for handlers needs at least.
pub const SIGNAL_FRAME: u64 = SIZE as u64;
const SIZE: usize = 1088;
const CONTEXT: u64 = 128;
const STACK: usize = 144;
const MASK: usize = 168;
const REGISTERS: usize = 304;
const FLOATS: usize = 560;
const FCSR: usize = FLOATS + 8 * 32;
const EXTENSIONS: usize = 1076;

/// Register numbers.
const RA: usize = 1;
const SP: usize = 2;
const A0: usize = 10;

/// A handler to call.
pub(crate) struct Call<'a> {
    pub(crate) handler: u64,
    pub(crate) signal: i32,
    pub(crate) info: &'a Info,
    /// The end of the stack to use, if not the current one.
    pub(crate) stack: Option<u64>,
    /// The mask to return to.
    pub(crate) mask: u64,
    /// Where handlers return to.
    pub(crate) trampoline: u64,
}

/// Writes a frame and has the hart begin with the handler.
///
/// # Errors
/// If the frame cannot be written; the hart is as it was.
pub(crate) fn enter(hart: &mut Hart, saved: &SignalStack, call: &Call<'_>) -> Result<(), Errno> {
    let sp = hart.x[SP];
    let at = (call.stack.unwrap_or(sp).wrapping_sub(SIZE as u64)) & !15;
    // A handler that overruns the stack for handlers must not go on below it.
    if saved.holds(sp) && !saved.holds(at) {
        return Err(Errno(libc::EFAULT));
    }
    let mut frame = [0; SIZE];
    frame[..CONTEXT as usize].copy_from_slice(&info::to_guest(call.info));
    frame[STACK..MASK].copy_from_slice(&saved.to_guest());
    put(&mut frame, MASK, call.mask);
    put(&mut frame, REGISTERS, hart.pc);
    for (index, value) in hart.x.iter().enumerate().take(32).skip(1) {
        put(&mut frame, REGISTERS + 8 * index, *value);
    }
    for (index, value) in hart.f.iter().enumerate() {
        put(&mut frame, FLOATS + 8 * index, *value);
    }
    let fcsr = u32::from(hart.frm) << 5 | u32::from(hart.fflags);
    frame[FCSR..FCSR + 4].copy_from_slice(&fcsr.to_le_bytes());
    guest::write(at, &frame)?;
    hart.x[RA] = call.trampoline;
    hart.x[SP] = at;
    hart.x[A0] = call.signal as u64;
    hart.x[A0 + 1] = at;
    hart.x[A0 + 2] = at.wrapping_add(CONTEXT);
    hart.pc = call.handler;
    hart.reservation = Reservation::NONE;
    Ok(())
}

/// Reads the frame at the hart's stack pointer back into its registers. Gives the mask
/// and the stack for handlers; none if the frame has state that this machine has not.
///
/// # Errors
/// If it cannot be read; the hart is as it was.
pub(crate) fn leave(hart: &mut Hart) -> Result<(u64, Option<SignalStack>), Errno> {
    let frame: [u8; SIZE] = guest::read_array(hart.x[SP])?;
    let stack = SignalStack::read(hart.x[SP].wrapping_add(STACK as u64))?;
    hart.pc = get(&frame, REGISTERS) & !1;
    for (index, value) in hart.x.iter_mut().enumerate().take(32).skip(1) {
        *value = get(&frame, REGISTERS + 8 * index);
    }
    for (index, value) in hart.f.iter_mut().enumerate() {
        *value = get(&frame, FLOATS + 8 * index);
    }
    let fcsr = get(&frame, FCSR);
    hart.frm = (fcsr >> 5 & 7) as u8;
    hart.fflags = (fcsr & 31) as u8;
    hart.reservation = Reservation::NONE;
    let known = frame[EXTENSIONS..].iter().all(|byte| *byte == 0);
    Ok((get(&frame, MASK), known.then_some(stack)))
}

fn put(frame: &mut [u8; SIZE], at: usize, value: u64) {
    frame[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn get(frame: &[u8; SIZE], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&frame[at..at + 8]);
    u64::from_le_bytes(word)
}
