//! Classic BPF programs as seccomp takes them (kernel: `bpf_check_classic` in
//! `net/core/filter.c`, `seccomp_check_filter` in `kernel/seccomp.c`).

use crate::Errno;

const EINVAL: Errno = Errno(libc::EINVAL);

/// Instructions that a program has at most (`BPF_MAXINSNS`).
pub(crate) const MAX: usize = 4096;
/// Bytes of an instruction (`struct sock_filter`).
pub(crate) const SIZE: usize = 8;
/// Words of scratch memory (`BPF_MEMWORDS`).
const MEMORY: usize = 16;
/// Bytes of what a program sees (`struct seccomp_data`).
const DATA: usize = 64;

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    k: u32,
}

/// A program that has been checked: it ends, and reads only what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program(Box<[Instruction]>);

/// What a program sees of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data([u32; DATA / 4]);

impl Data {
    /// The call `number` with these arguments, made by the instruction before `pc`.
    pub(crate) fn new(number: u64, architecture: u32, pc: u64, args: &[u64; 6]) -> Self {
        let mut words = [0; DATA / 4];
        words[0] = number as u32;
        words[1] = architecture;
        for (pair, value) in words[2..].chunks_exact_mut(2).zip([pc].iter().chain(args)) {
            pair[0] = *value as u32;
            pair[1] = (*value >> 32) as u32;
        }
        Self(words)
    }
}

/// Codes of instructions (`linux/bpf_common.h`).
mod code {
    pub(super) const LOAD_WORD: u16 = 0x20;
    pub(super) const LOAD_LENGTH: u16 = 0x80;
    pub(super) const LOAD_X_LENGTH: u16 = 0x81;
    pub(super) const LOAD_CONSTANT: u16 = 0x00;
    pub(super) const LOAD_X_CONSTANT: u16 = 0x01;
    pub(super) const LOAD_MEMORY: u16 = 0x60;
    pub(super) const LOAD_X_MEMORY: u16 = 0x61;
    pub(super) const STORE: u16 = 0x02;
    pub(super) const STORE_X: u16 = 0x03;
    pub(super) const RETURN_K: u16 = 0x06;
    pub(super) const RETURN_A: u16 = 0x16;
    pub(super) const TAX: u16 = 0x07;
    pub(super) const TXA: u16 = 0x87;
    pub(super) const JUMP: u16 = 0x05;
    /// Conditions and operations have a variant each with `X` for the constant.
    pub(super) const WITH_X: u16 = 0x08;
    pub(super) const EQUAL: u16 = 0x15;
    pub(super) const GREATER: u16 = 0x25;
    pub(super) const GREATER_OR_EQUAL: u16 = 0x35;
    pub(super) const SET: u16 = 0x45;
    pub(super) const ADD: u16 = 0x04;
    pub(super) const SUBTRACT: u16 = 0x14;
    pub(super) const MULTIPLY: u16 = 0x24;
    pub(super) const DIVIDE: u16 = 0x34;
    pub(super) const OR: u16 = 0x44;
    pub(super) const AND: u16 = 0x54;
    pub(super) const SHIFT_LEFT: u16 = 0x64;
    pub(super) const SHIFT_RIGHT: u16 = 0x74;
    pub(super) const NEGATE: u16 = 0x84;
    pub(super) const XOR: u16 = 0xa4;
}

impl Program {
    /// Reads and checks a program.
    ///
    /// # Errors
    /// `EINVAL` for one that the kernel refuses.
    pub(crate) fn new(bytes: &[u8]) -> Result<Self, Errno> {
        let instructions: Box<[Instruction]> = bytes
            .chunks_exact(SIZE)
            .map(|bytes| Instruction {
                code: u16::from_le_bytes([bytes[0], bytes[1]]),
                if_true: bytes[2],
                if_false: bytes[3],
                k: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            })
            .collect();
        if !(1..=MAX).contains(&instructions.len()) {
            return Err(EINVAL);
        }
        for (index, instruction) in instructions.iter().enumerate() {
            if !is_valid(instruction, instructions.len() - index - 1) {
                return Err(EINVAL);
            }
        }
        match instructions.last() {
            Some(Instruction { code: code::RETURN_K | code::RETURN_A, .. }) => {}
            _ => return Err(EINVAL),
        }
        if !loads_what_was_stored(&instructions) {
            return Err(EINVAL);
        }
        Ok(Self(instructions))
    }

    /// How many instructions there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// As [`new`](Self::new) reads it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let bytes = |instruction: &Instruction| {
            let Instruction { code, if_true, if_false, k } = *instruction;
            let ([c0, c1], [k0, k1, k2, k3]) = (code.to_le_bytes(), k.to_le_bytes());
            [c0, c1, if_true, if_false, k0, k1, k2, k3]
        };
        self.0.iter().flat_map(bytes).collect()
    }

    /// What the program says of a call.
    pub(crate) fn run(&self, data: &Data) -> u32 {
        let (mut a, mut x, mut memory) = (0u32, 0u32, [0u32; MEMORY]);
        let mut at = 0;
        // Jumps lead forward, and the last instruction returns.
        while let Some(Instruction { code, if_true, if_false, k }) = self.0.get(at).copied() {
            at += 1;
            match code {
                code::LOAD_WORD => a = data.0[k as usize / 4],
                code::LOAD_LENGTH => a = DATA as u32,
                code::LOAD_X_LENGTH => x = DATA as u32,
                code::LOAD_CONSTANT => a = k,
                code::LOAD_X_CONSTANT => x = k,
                code::LOAD_MEMORY => a = memory[k as usize],
                code::LOAD_X_MEMORY => x = memory[k as usize],
                code::STORE => memory[k as usize] = a,
                code::STORE_X => memory[k as usize] = x,
                code::RETURN_K => return k,
                code::RETURN_A => return a,
                code::TAX => x = a,
                code::TXA => a = x,
                code::JUMP => at += k as usize,
                code::NEGATE => a = a.wrapping_neg(),
                _ => {
                    let operand = if code & code::WITH_X != 0 { x } else { k };
                    let jumps = |taken| usize::from(if taken { if_true } else { if_false });
                    match code & !code::WITH_X {
                        code::EQUAL => at += jumps(a == operand),
                        code::GREATER => at += jumps(a > operand),
                        code::GREATER_OR_EQUAL => at += jumps(a >= operand),
                        code::SET => at += jumps(a & operand != 0),
                        code::ADD => a = a.wrapping_add(operand),
                        code::SUBTRACT => a = a.wrapping_sub(operand),
                        code::MULTIPLY => a = a.wrapping_mul(operand),
                        // A division by zero ends the program.
                        code::DIVIDE => match a.checked_div(operand) {
                            Some(quotient) => a = quotient,
                            None => return 0,
                        },
                        code::OR => a |= operand,
                        code::AND => a &= operand,
                        code::SHIFT_LEFT => a = a.wrapping_shl(operand),
                        code::SHIFT_RIGHT => a = a.wrapping_shr(operand),
                        _ => a ^= operand,
                    }
                }
            }
        }
        0
    }
}

/// Whether an instruction is one that seccomp knows, with `behind` instructions behind it.
fn is_valid(instruction: &Instruction, behind: usize) -> bool {
    let Instruction { code, if_true, if_false, k } = *instruction;
    match code {
        code::LOAD_WORD => k.is_multiple_of(4) && (k as usize) < DATA,
        code::LOAD_MEMORY | code::LOAD_X_MEMORY | code::STORE | code::STORE_X => {
            (k as usize) < MEMORY
        }
        code::LOAD_LENGTH
        | code::LOAD_X_LENGTH
        | code::LOAD_CONSTANT
        | code::LOAD_X_CONSTANT
        | code::RETURN_K
        | code::RETURN_A
        | code::TAX
        | code::TXA
        | code::NEGATE => true,
        code::JUMP => (k as usize) < behind,
        code::DIVIDE => k != 0,
        code::SHIFT_LEFT | code::SHIFT_RIGHT => k < u32::BITS,
        _ => match code & !code::WITH_X {
            code::EQUAL | code::GREATER | code::GREATER_OR_EQUAL | code::SET => {
                usize::from(if_true.max(if_false)) < behind
            }
            code::ADD
            | code::SUBTRACT
            | code::MULTIPLY
            | code::DIVIDE
            | code::OR
            | code::AND
            | code::SHIFT_LEFT
            | code::SHIFT_RIGHT
            | code::XOR => true,
            _ => false,
        },
    }
}

/// Whether no load from memory comes before a store there (`check_load_and_stores`).
fn loads_what_was_stored(instructions: &[Instruction]) -> bool {
    // What is stored whichever way an instruction is reached, as far as that is known.
    let mut known = vec![u16::MAX; instructions.len()];
    let mut stored = 0u16;
    for (index, instruction) in instructions.iter().enumerate() {
        stored &= known[index];
        let Instruction { code, if_true, if_false, k } = *instruction;
        let mut meet = |target: usize, stored: u16| {
            if let Some(known) = known.get_mut(index + 1 + target) {
                *known &= stored;
            }
        };
        match code {
            code::STORE | code::STORE_X => stored |= 1 << k,
            code::LOAD_MEMORY | code::LOAD_X_MEMORY if stored & 1 << k == 0 => return false,
            code::JUMP => {
                meet(k as usize, stored);
                stored = u16::MAX;
            }
            code if code & 7 == code::JUMP => {
                meet(if_true.into(), stored);
                meet(if_false.into(), stored);
                stored = u16::MAX;
            }
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (u16, u8, u8, u32);

    fn program(rows: &[Row]) -> Result<Program, Errno> {
        let bytes = |(code, t, f, k): &Row| {
            let ([c0, c1], [k0, k1, k2, k3]) = (code.to_le_bytes(), k.to_le_bytes());
            [c0, c1, *t, *f, k0, k1, k2, k3]
        };
        Program::new(&rows.iter().flat_map(bytes).collect::<Vec<u8>>())
    }

    fn run(rows: &[Row]) -> u32 {
        let data = Data::new(63, 0xc000_00f3, 0x1_0000_0004, &[1, 2, 3, 4, 5, 6 << 32]);
        program(rows).unwrap().run(&data)
    }

    #[test]
    fn data_is_what_the_kernel_shows() {
        let word = |at| run(&[(0x20, 0, 0, at), (0x16, 0, 0, 0)]);
        assert_eq!([word(0), word(4), word(8), word(12)], [63, 0xc000_00f3, 4, 1]);
        assert_eq!([word(16), word(20), word(56), word(60)], [1, 0, 0, 6]);
        assert_eq!(run(&[(0x80, 0, 0, 0), (0x16, 0, 0, 0)]), 64);
    }

    #[test]
    fn jumps_and_arithmetic() {
        let equal =
            |value| run(&[(0x20, 0, 0, 0), (0x15, 1, 0, value), (6, 0, 0, 1), (6, 0, 0, 2)]);
        assert_eq!((equal(63), equal(64)), (2, 1));
        assert_eq!(run(&[(5, 0, 0, 1), (6, 0, 0, 1), (6, 0, 0, 2)]), 2);
        let compute = |code, a, k| run(&[(0, 0, 0, a), (code, 0, 0, k), (0x16, 0, 0, 0)]);
        assert_eq!(compute(0x14, 1, 2), u32::MAX);
        assert_eq!(compute(0x34, 7, 2), 3);
        assert_eq!(compute(0x74, 0x80, 4), 8);
        assert_eq!(compute(0xa4, 5, 1), 4);
        assert_eq!(compute(0x84, 1, 0), u32::MAX);
        // By X, which is 0.
        assert_eq!(compute(0x3c, 7, 0), 0);
        assert_eq!(
            run(&[(0, 0, 0, 9), (2, 0, 0, 3), (0x61, 0, 0, 3), (0x87, 0, 0, 0), (0x16, 0, 0, 0)]),
            9
        );
    }

    #[test]
    fn what_the_kernel_refuses() {
        const RETURN: Row = (6, 0, 0, 0);
        for rows in [
            &[][..],
            &[(0, 0, 0, 0)],
            &[(0x20, 0, 0, 2), RETURN],
            &[(0x20, 0, 0, 64), RETURN],
            &[(0x28, 0, 0, 0), RETURN],
            &[(0x34, 0, 0, 0), RETURN],
            &[(0x64, 0, 0, 32), RETURN],
            &[(0x94, 0, 0, 3), RETURN],
            &[(2, 0, 0, 16), RETURN],
            &[(5, 0, 0, 1), RETURN],
            &[(0x15, 0, 1, 0), RETURN],
            &[(0x60, 0, 0, 1), RETURN],
            &[(0x15, 1, 0, 0), (2, 0, 0, 1), (0x60, 0, 0, 1), RETURN],
            &[(0xffff, 0, 0, 0), RETURN],
        ] {
            assert_eq!(program(rows), Err(EINVAL), "{rows:?}");
        }
        assert!(program(&[(2, 0, 0, 1), (0x15, 0, 0, 0), (0x60, 0, 0, 1), RETURN]).is_ok());
        assert_eq!(program(&vec![RETURN; MAX + 1]), Err(EINVAL));
        let kept =
            program(&[(0x20, 0, 0, 4), (0x15, 1, 2, 0x1234), RETURN, RETURN, RETURN]).unwrap();
        assert_eq!(Program::new(&kept.bytes()), Ok(kept));
    }
}
