//! Guest bytes to a [`Block`].

use crate::block::{Block, Terminator};
use rvrun_isa::{Extensions, Instruction, Kind, Opcode, decode, length};

/// A block covers at most this many bytes, so that an instruction's place in
/// its block fits a byte when counted in parcels of 16 bits.
pub const MAX_BLOCK_BYTES: u64 = 512;

/// Lifts the block at `pc`, into the memory of an earlier one's body.
///
/// `fetch` reads the instruction at an address: 32 bits, of which a compressed
/// instruction needs only the low half to be executable memory. It gives nothing
/// where the instruction cannot be fetched as a whole.
pub fn lift(
    pc: u64,
    isa: Extensions,
    mut body: Vec<Instruction>,
    mut fetch: impl FnMut(u64) -> Option<u32>,
) -> Block {
    body.clear();
    let mut at = pc;
    let (terminator, end) = loop {
        let Some(bits) = fetch(at) else {
            break (Terminator::FetchFault, at);
        };
        let next = at.wrapping_add(u64::from(length(bits as u16)));
        let Some(instruction) = decode(bits, isa) else {
            let bits = if length(bits as u16) == 2 { bits & 0xffff } else { bits };
            break (Terminator::Illegal { bits }, next);
        };
        let instruction = instruction.expanded();
        if let Some(terminator) = terminator(&instruction, at) {
            break (terminator, next);
        }
        body.push(instruction);
        at = next;
        if at.wrapping_sub(pc) + 4 > MAX_BLOCK_BYTES {
            break (Terminator::FallThrough, at);
        }
    };
    Block { pc, body, terminator, terminator_pc: at, end }
}

/// The terminator that `instruction` at `pc` is, or `None` if it stays within its block.
#[inline]
pub fn terminator(instruction: &Instruction, pc: u64) -> Option<Terminator> {
    let target = pc.wrapping_add_signed(instruction.imm.into());
    let (link, base, offset) = (instruction.rd, instruction.rs1, instruction.imm);
    Some(match instruction.opcode {
        Opcode::Jal if link == 0 => Terminator::Jump { target },
        Opcode::Jal => Terminator::Call { link, target },
        Opcode::Jalr if link != 0 => Terminator::IndirectCall { link, base, offset },
        Opcode::Jalr if is_link_register(base) => Terminator::Return { base, offset },
        Opcode::Jalr => Terminator::IndirectJump { base, offset },
        Opcode::Ecall => Terminator::Syscall,
        Opcode::Ebreak => Terminator::Breakpoint,
        Opcode::FenceI => Terminator::FenceI,
        _ if instruction.row().kind == Kind::Branch => {
            Terminator::Branch { instruction: *instruction, taken: target }
        }
        _ => return None,
    })
}

/// Whether calls use the register for where to return to (unprivileged manual, table
/// "Return-address stack prediction hints").
pub fn is_link_register(register: u8) -> bool {
    matches!(register, 1 | 5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rvrun_isa::{assemble, encode};

    fn code(lines: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            let instruction = assemble(line).unwrap();
            let word = encode(&instruction).unwrap();
            bytes.extend_from_slice(&word.to_le_bytes()[..instruction.len.into()]);
        }
        bytes
    }

    fn lift_bytes(bytes: &[u8]) -> Block {
        let base = 0x1000;
        lift(base, Extensions::ALL, Vec::new(), |pc| {
            match *bytes.get((pc - base) as usize..).unwrap_or(&[]) {
                [a, b, c, d, ..] => Some(u32::from_le_bytes([a, b, c, d])),
                [a, b, ..] if length(u16::from_le_bytes([a, b])) == 2 => {
                    Some(u16::from_le_bytes([a, b]).into())
                }
                _ => None,
            }
        })
    }

    fn terminator_of(line: &str) -> Terminator {
        lift_bytes(&code(&[line])).terminator
    }

    #[test]
    fn a_block_ends_at_the_first_control_transfer() {
        let block = lift_bytes(&code(&["c.li a0, 1", "add a1, a0, a0", "c.j .+16", "ecall"]));
        assert_eq!(block.body.len(), 2);
        assert_eq!(block.body[0].opcode, Opcode::Addi);
        assert_eq!(block.body[0].len, 2);
        assert_eq!(block.terminator, Terminator::Jump { target: 0x1016 });
        assert_eq!((block.terminator_pc, block.end), (0x1006, 0x1008));
    }

    #[test]
    fn every_control_transfer_has_its_terminator() {
        assert_eq!(terminator_of("jal ra, .-16"), Terminator::Call { link: 1, target: 0xff0 });
        assert_eq!(terminator_of("c.jr ra"), Terminator::Return { base: 1, offset: 0 });
        assert_eq!(terminator_of("c.jr a5"), Terminator::IndirectJump { base: 15, offset: 0 });
        assert_eq!(
            terminator_of("jalr ra, 8(ra)"),
            Terminator::IndirectCall { link: 1, base: 1, offset: 8 }
        );
        assert!(matches!(
            terminator_of("bltu a0, a1, .+8"),
            Terminator::Branch { taken: 0x1008, .. }
        ));
        assert_eq!(terminator_of("ecall"), Terminator::Syscall);
        assert_eq!(terminator_of("c.ebreak"), Terminator::Breakpoint);
        assert_eq!(terminator_of("fence.i"), Terminator::FenceI);
    }

    #[test]
    fn bits_without_meaning_and_missing_bytes_end_the_block_where_they_stand() {
        let mut bytes = code(&["c.li a0, 1"]);
        bytes.extend_from_slice(&[0, 0]);
        let block = lift_bytes(&bytes);
        assert_eq!(block.terminator, Terminator::Illegal { bits: 0 });
        assert_eq!(block.terminator_pc, 0x1002);

        let mut bytes = code(&["c.li a0, 1", "add a0, a0, a0"]);
        bytes.truncate(4);
        let block = lift_bytes(&bytes);
        assert_eq!(block.terminator, Terminator::FetchFault);
        assert_eq!((block.body.len(), block.terminator_pc), (1, 0x1002));
    }

    #[test]
    fn a_compressed_instruction_may_be_the_last_of_its_page() {
        let block = lift_bytes(&code(&["c.li a0, 1"]));
        assert_eq!(block.body.len(), 1);
    }

    #[test]
    fn long_blocks_are_cut_within_their_limit() {
        let block = lift_bytes(&code(&["add a0, a0, a1"; 400]));
        assert_eq!(block.terminator, Terminator::FallThrough);
        assert_eq!(block.end, 0x1000 + MAX_BLOCK_BYTES);
        let block = lift_bytes(&code(&["c.addi a0, 1"; 400]));
        assert!(block.end - block.pc <= MAX_BLOCK_BYTES && block.body.len() > 250);
    }

    #[test]
    fn lifting_goes_on_past_the_end_of_the_address_space_without_overflow() {
        let block = lift(u64::MAX - 1, Extensions::ALL, Vec::new(), |_| Some(0x0001));
        assert_eq!(block.end.wrapping_sub(block.pc), block.body.len() as u64 * 2);
        assert!(block.end < MAX_BLOCK_BYTES);
    }
}
