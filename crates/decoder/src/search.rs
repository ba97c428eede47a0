//! Loops that look for the highest byte of a number that is not 0.
//!
//! Where there is no instruction that counts zeros, compilers call libgcc's `__clzdi2` and
//! `__ctzdi2`, and those of Debian 13 begin with
//!
//! ```text
//!          li    shift, 56
//! again:   srl   shifted, value, shift
//!          andi  byte, shifted, 255
//!          bnez  byte, found
//!          addi  shift, shift, -8
//!          bnez  shift, again
//! ```
//!
//! The host predicts badly how often that is executed; zstd, which counts zeros for each match, spent
//! a seventh of its time there. So where all of it is there, engines have the first instruction give
//! `shift` what it has when the loop ends, and the instructions of the rounds before the last one retire
//! with it ([`found`]). The last round is executed as it is: whatever it sets has the same value, and
//! whatever rounds before have set it sets again.

use rvrun_isa::{Instruction, Opcode};

/// What the shift is at first.
pub const FIRST_SHIFT: i32 = 56;
/// What is left of a number that was shifted.
const BYTE: i32 = 255;
/// Bits of a byte.
pub const BITS: i32 = 8;
/// Instructions of a round.
pub const ROUND: u64 = 5;

/// Such a loop, as far as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    /// The register with the number.
    pub value: u8,
    /// That with the shift.
    pub shift: u8,
    /// The address where a round begins.
    pub again: u64,
    shifted: u8,
    byte: u8,
}

/// Whether the instruction gives its destination the [first shift](FIRST_SHIFT).
#[inline]
pub fn is_first_shift(instruction: &Instruction) -> bool {
    (instruction.opcode, instruction.rs1, instruction.imm) == (Opcode::Addi, 0, FIRST_SHIFT)
}

impl Search {
    /// The search that the instruction at `again` begins, behind one that gives the register
    /// `shift` the [first shift](is_first_shift).
    #[inline]
    pub fn begin(shift: u8, instruction: &Instruction, again: u64) -> Option<Self> {
        let &Instruction { opcode, rd: shifted, rs1: value, rs2, .. } = instruction;
        let begins = opcode == Opcode::Srl && rs2 == shift && shift != 0;
        // All are registers of their own.
        let apart = ![shifted, shift, 0].contains(&value) && ![shift, 0].contains(&shifted);
        (begins && apart).then_some(Self { value, shift, again, shifted, byte: 0 })
    }

    /// The same with the instruction behind that.
    #[inline]
    pub fn with_byte(self, instruction: &Instruction) -> Option<Self> {
        let &Instruction { opcode, rd: byte, rs1, imm, .. } = instruction;
        let is_byte = opcode == Opcode::Andi && imm == BYTE && rs1 == self.shifted;
        let apart = ![self.value, self.shift, 0].contains(&byte);
        (is_byte && apart).then_some(Self { byte, ..self })
    }

    /// Whether this branch ends the search where the byte is not 0.
    #[inline]
    pub fn ends_with(&self, branch: &Instruction) -> bool {
        (branch.opcode, branch.rs1, branch.rs2) == (Opcode::Bne, self.byte, 0)
    }

    /// Whether this is the step to the next byte.
    pub fn steps_with(&self, instruction: &Instruction) -> bool {
        let &Instruction { opcode, rd, rs1, imm, .. } = instruction;
        (opcode, rd, rs1, imm) == (Opcode::Addi, self.shift, self.shift, -BITS)
    }

    /// Whether this branch, which leads to `target`, goes on as long as there is another byte.
    pub fn repeats_with(&self, branch: &Instruction, target: u64) -> bool {
        (branch.opcode, branch.rs1, branch.rs2, target) == (Opcode::Bne, self.shift, 0, self.again)
    }
}

/// What the shift is when the search of this number ends, and the instructions of the rounds before
/// the last one.
#[inline(always)]
pub fn found(value: u64) -> (u64, u64) {
    // The lowest byte is not looked at.
    let shift = u64::from((value | 1 << BITS).ilog2()) & FIRST_SHIFT as u64;
    (shift, (FIRST_SHIFT as u64 - shift) / BITS as u64 * ROUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_what_the_loop_finds() {
        for bit in 0..64 {
            for value in [0, 1 << bit, u64::MAX >> bit, 0x0100_0000_0000_0001 << bit] {
                let (mut shift, mut retired) = (56, 0);
                while value >> shift & 255 == 0 && shift != 8 {
                    (shift, retired) = (shift - 8, retired + 5);
                }
                assert_eq!(found(value), (shift, retired), "{value:#x}");
            }
        }
    }
}
