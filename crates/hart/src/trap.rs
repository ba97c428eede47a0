//! Exceptions that reach the guest.

use rvrun_memory::{AccessKind, Fault, GuestAddr};
use std::fmt;

/// A synchronous exception (privileged manual, section "Machine Cause Register").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// No instruction has these bits, or it needs an extension or a rounding
    /// mode that this hart does not have.
    IllegalInstruction {
        /// The instruction; a compressed one in the low half.
        bits: u32,
    },
    /// `ebreak` or `c.ebreak`.
    Breakpoint,
    /// A jump to an odd address. Cannot come from a guest with C, whose jumps clear bit 0.
    InstructionMisaligned {
        /// Where the jump went.
        addr: GuestAddr,
    },
    /// `lr`, `sc` or an AMO at an address that is not a multiple of its width.
    AmoMisaligned {
        /// The address.
        addr: GuestAddr,
        /// [`AccessKind::Load`] for `lr`, otherwise [`AccessKind::Store`].
        kind: AccessKind,
    },
    /// A fetch, load or store that the address space refuses.
    Memory(Fault),
}

impl From<Fault> for Trap {
    fn from(fault: Fault) -> Self {
        Trap::Memory(fault)
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trap::IllegalInstruction { bits } => write!(f, "illegal instruction {bits:#x}"),
            Trap::Breakpoint => write!(f, "breakpoint"),
            Trap::InstructionMisaligned { addr } => write!(f, "jump to the odd address {addr:#x}"),
            Trap::AmoMisaligned { addr, .. } => write!(f, "misaligned atomic access at {addr:#x}"),
            Trap::Memory(fault) => write!(f, "{fault}"),
        }
    }
}
