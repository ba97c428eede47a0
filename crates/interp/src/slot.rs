//! What a pre-decoded block consists of: 16-byte slots.
//!
//! An [`Op`] takes one slot, followed by as many data slots as its handler
//! wants: a 64-bit value, or the [`Link`]s to the blocks that may come next.
//! Handlers are threaded: each ends by jumping to the next op's handler.

use crate::context::Context;
use rvrun_hart::Hart;

/// Executes the op at `slot` and everything behind it.
///
/// Threaded builds return only when the interpreter stops, with null. Others
/// return the next op to execute, or null to stop. Why it stopped is in
/// [`Context::exit`].
///
/// # Safety
/// `slot` points to an op of a live block whose handler this is.
pub type Handler =
    unsafe extern "sysv64" fn(slot: *const Slot, hart: &mut Hart, context: &mut Context) -> Next;

/// See [`Handler`].
pub type Next = *const Slot;

/// One instruction, ready to run.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Op {
    /// What to do.
    pub handler: Handler,
    /// Immediate; for terminators the number of instructions in the block.
    pub imm: i32,
    /// Destination register, the sink in place of `x0`.
    pub rd: u8,
    /// First source register.
    pub rs1: u8,
    /// Second source register.
    pub rs2: u8,
    /// The instruction's distance from the block's beginning, in parcels of 2 bytes.
    pub at: u8,
}

/// A way from a terminator to the next block.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Link {
    /// First op of the block at `pc`, null until the link is first taken.
    pub next: *const Slot,
    /// Guest address of that block.
    pub pc: u64,
}

/// How host code follows a link; it has its place behind that.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Way {
    /// Offset in the arena behind the jump; 0 if no host code follows the link.
    pub end: u32,
    /// Offset of where it leads at first.
    pub general: u32,
    /// Whether it is the last instruction of the block's code, and not a conditional jump: it
    /// may be one that does nothing if the code that it leads to is behind it.
    pub last: bool,
}

impl Way {
    /// No host code follows the link.
    pub const NONE: Self = Self { end: 0, general: 0, last: false };
}

/// An element of a block.
#[derive(Clone, Copy)]
#[repr(C)]
pub union Slot {
    /// An instruction.
    pub op: Op,
    /// Data of the terminator before.
    pub link: Link,
    /// Of the link before.
    pub way: Way,
    /// Data of the op before.
    pub value: u64,
}

const _: () = assert!(size_of::<Slot>() == 16);
