//! Loops that look for the highest byte of a number that is not 0.
//!
//! Where there is no instruction that counts zeros, compilers call `__clzdi2` and `__ctzdi2`, and
//! those of libgcc 13 and later begin with
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
//! a seventh of its time there. So where all of it is there, the first instruction gives `shift`
//! what it has when the loop ends, and the instructions of the rounds before the last one retire
//! with it ([`fused::highest_byte`](crate::ops::fused::highest_byte)). The last round is executed as
//! it is: whatever it sets has the same value, and whatever rounds before have set it sets again.

use rvrun_isa::{Extensions, Instruction, Opcode, decode, length};

/// What [`Search::shift`] is at first.
pub const FIRST_SHIFT: i32 = 56;
/// What is left of a number that was shifted.
pub const BYTE: i32 = 255;
/// Bits of a byte.
const BITS: i32 = 8;
/// Instructions of a round.
const ROUND: u64 = 5;

/// The first four instructions of such a loop.
#[derive(Clone, Copy)]
pub struct Search {
    /// Registers.
    pub value: u8,
    pub shift: u8,
    /// As in [`Op::at`](crate::slot::Op::at), of the first one.
    pub at: u8,
    /// Where a round begins.
    pub again: u64,
}

impl Search {
    /// The address behind the loop, if its other two instructions are at `pc`.
    pub fn end(
        &self,
        pc: u64,
        extensions: Extensions,
        mut fetch: impl FnMut(u64) -> Option<u32>,
    ) -> Option<u64> {
        let mut instruction = |pc: u64| -> Option<(Instruction, u64)> {
            let bits = fetch(pc)?;
            let next = pc.wrapping_add(length(bits as u16).into());
            Some((decode(bits, extensions)?.expanded(), next))
        };
        let (step, next) = instruction(pc)?;
        let (branch, end) = instruction(next)?;
        let steps = step.opcode == Opcode::Addi && step.imm == -BITS;
        let back = next.wrapping_add_signed(branch.imm.into()) == self.again;
        let repeats = branch.opcode == Opcode::Bne && branch.rs2 == 0 && back;
        let is_shift = [step.rd, step.rs1, branch.rs1].iter().all(|used| *used == self.shift);
        (steps && repeats && is_shift).then_some(end)
    }
}

/// What `shift` is when the loop ends, and the instructions of the rounds before the last one.
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
