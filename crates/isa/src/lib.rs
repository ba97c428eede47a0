//! The RISC-V instruction set as data.
//!
//! One table ([`for_each_instruction!`]) has a row for every instruction that
//! rvrun knows. Out of it come the opcode enumeration ([`Opcode`]), the static
//! [`ROWS`], decoding ([`decode`]), encoding ([`encode`]), and assembly text in
//! both directions ([`Instruction`]'s `Display`, [`assemble`]). Engines expand
//! the same macro into their handlers, so an instruction without a handler does
//! not compile.
//!
//! Invariants, checked at compile time by [`check`]: no two rows claim the same
//! bits unless one nests in the other (then the one with more fixed bits wins),
//! and the operands of a row fill exactly the bits that its pattern leaves free,
//! so that decoding loses nothing.

#![no_std]
#![forbid(unsafe_code)]

mod check;
mod decode;
pub mod effect;
mod encode;
mod extension;
pub mod field;
mod register;
mod row;
mod table;
mod text;

pub use decode::{BUCKETS, bucket, candidates, decode, length, likely, operands};
pub use encode::encode;
pub use extension::Extensions;
pub use register::{F_NAMES, FLI_NAMES, ROUNDING_NAMES, X_NAMES, csr};
pub use row::{Kind, Opcode, ROWS, Row};
pub use text::{AssembleError, assemble};

/// A decoded instruction: an opcode and its operands.
///
/// Operands that the opcode's row does not list are zero. Compressed forms
/// decode straight into the operands of the instruction that they stand for:
/// see [`Instruction::expanded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// The row.
    pub opcode: Opcode,
    /// Bytes in the guest's code: 2 or 4.
    pub len: u8,
    /// Destination register.
    pub rd: u8,
    /// First source register; the immediate of `csrr*i`.
    pub rs1: u8,
    /// Second source register.
    pub rs2: u8,
    /// Third source register.
    pub rs3: u8,
    /// Rounding mode (7 is the dynamic one), or acquire (2) and release (1).
    pub rm: u8,
    /// Immediate, sign-extended; a CSR's number.
    pub imm: i32,
}

/// The encoding of the dynamic rounding mode in [`Instruction::rm`].
pub const RM_DYNAMIC: u8 = 7;

impl Instruction {
    /// An instruction with all operands zero.
    pub const fn new(opcode: Opcode) -> Self {
        let len = opcode.row().len;
        Self { opcode, len, rd: 0, rs1: 0, rs2: 0, rs3: 0, rm: 0, imm: 0 }
    }

    /// The instruction that engines execute: compressed, hint and reserved
    /// forms become what they stand for, with their own length.
    #[must_use]
    pub fn expanded(self) -> Self {
        Self { opcode: self.opcode.row().stands_for, ..self }
    }

    /// The row of the instruction's opcode.
    pub const fn row(&self) -> &'static Row {
        self.opcode.row()
    }
}
