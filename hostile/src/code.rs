//! Random code: words that are mostly instructions, and branches that mostly stay near.

use crate::Random;
use rvrun_isa::{Extensions, Instruction, Kind, Opcode, ROWS, csr, decode, encode, length};

/// Most instructions of a case.
const INSTRUCTIONS_MAX: usize = 24;
/// Bytes by which most jumps and branches go astray at most.
const REACH: i32 = 64;
/// Registers from this one on hold addresses at the start of a case.
pub const FIRST_POINTER: usize = 16;

/// The code of a case, ended by an environment call.
pub fn code(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(INSTRUCTIONS_MAX) {
        let word = word(random);
        bytes.extend_from_slice(&word.to_le_bytes()[..length(word as u16).into()]);
    }
    let ecall = encode(&Instruction::new(Opcode::Ecall)).unwrap_or_default();
    bytes.extend(ecall.to_le_bytes());
    bytes
}

/// The bits of an instruction, or now and then any bits.
fn word(random: &mut Random) -> u32 {
    if random.once_in(12) {
        return random.number() as u32;
    }
    loop {
        let row = &ROWS[random.below(ROWS.len())];
        let bits = random.number() as u32 & !row.mask | row.value;
        // Operands may be reserved, and other rows nest in this one.
        let Some(instruction) = decode(bits, Extensions::ALL) else { continue };
        let likelier = likelier(instruction, random);
        return encode(&likelier).unwrap_or(bits);
    }
}

/// The instruction with operands that lead somewhere; as it is if those have no encoding.
fn likelier(mut instruction: Instruction, random: &mut Random) -> Instruction {
    let pointer = (FIRST_POINTER + random.below(32 - FIRST_POINTER)) as u8;
    match instruction.row().kind {
        Kind::Branch | Kind::Jump if !random.once_in(8) => {
            instruction.imm = 2 * (random.below(REACH as usize) as i32 - REACH / 4);
        }
        Kind::Csr if !random.once_in(8) => {
            let numbers = [csr::FFLAGS, csr::FRM, csr::FCSR, csr::INSTRET, csr::TIME];
            instruction.imm = random.of(&numbers).into();
        }
        Kind::Load | Kind::Store if instruction.len == 4 && !random.once_in(8) => {
            instruction.rs1 = pointer;
        }
        // Atomics trap unless they are aligned, as pointers are at first.
        Kind::Atomic if !random.once_in(8) => instruction.rs1 = pointer,
        // Results that are kept out of the pointers leave more of those.
        Kind::Alu if instruction.len == 4 && !random.once_in(4) => {
            instruction.rd %= FIRST_POINTER as u8;
        }
        _ => {}
    }
    instruction
}
