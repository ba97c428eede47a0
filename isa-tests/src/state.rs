//! What a vector sets before and compares after.

use crate::{Layout, Symbol};

/// What an access wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKind {
    /// Instruction fetch.
    Fetch,
    /// Load.
    Load,
    /// Store, or atomic read-modify-write.
    Store,
}

impl AccessKind {
    /// All kinds with their names.
    pub const NAMES: [(Self, &'static str); 3] =
        [(Self::Fetch, "fetch"), (Self::Load, "load"), (Self::Store, "store")];
}

/// Why an access was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessCause {
    /// Nothing is mapped there.
    Unmapped,
    /// The mapping does not allow it.
    Protected,
    /// An atomic access at an address that is no multiple of its width.
    Misaligned,
}

impl AccessCause {
    /// All causes with their names.
    pub const NAMES: [(Self, &'static str); 3] = [
        (Self::Unmapped, "unmapped"),
        (Self::Protected, "protected"),
        (Self::Misaligned, "misaligned"),
    ];
}

/// An exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// Illegal instruction.
    Illegal,
    /// `ebreak`.
    Breakpoint,
    /// `ecall`.
    Ecall,
    /// A refused access.
    Access {
        /// What it wanted.
        kind: AccessKind,
        /// Why it was refused.
        cause: AccessCause,
        /// The address.
        addr: u64,
    },
}

/// The state of a hart and its data page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Integer registers.
    pub x: [u64; 32],
    /// Floating-point registers.
    pub f: [u64; 32],
    /// Dynamic rounding mode.
    pub frm: u8,
    /// Accrued exception flags.
    pub fflags: u8,
    /// Address of the instruction that is next, or has trapped.
    pub pc: u64,
    /// The data page.
    pub data: Vec<u8>,
    /// The exception that ended execution.
    pub trap: Option<Trap>,
}

impl State {
    /// The state in which every place has the value that BEFORE can leave out: each
    /// register a value of its own that is no valid single or half, each byte of
    /// memory [`Layout::FILL`], no rounding mode or flag set.
    pub fn unset(layout: Layout) -> Self {
        let mut x = std::array::from_fn(|n| 0x0bad_0000_0000_0000 + n as u64);
        x[0] = 0;
        Self {
            x,
            f: std::array::from_fn(|n| 0x0bad_f000_0000_0000 + n as u64),
            frm: 0,
            fflags: 0,
            pc: layout.address(Symbol::Code),
            data: vec![Layout::FILL; Layout::PAGE as usize],
            trap: None,
        }
    }
}
