//! Host code for integer operations, loads and stores.

use super::emit::{Emitter, Flag, asm, short, transfer};
use super::gather::{MOST_NUMBERS, Move, Part, Place, Window};
use super::registers::{RAX, RCX, Transfer, pinned};
use super::templates::{Binary, Load, Store, Unary};
use crate::slot::Op;
use dynasmrt::{DynasmApi, dynasm};
use rvrun_decoder::search;
use rvrun_hart::SINK;

/// An instruction with a memory operand.
#[derive(Clone, Copy)]
struct Encoding {
    /// Of 64 bits.
    wide: bool,
    opcode: &'static [u8],
}

const LEA: Encoding = Encoding { wide: true, opcode: &[0x8d] };
const LEA_WORD: Encoding = Encoding { wide: false, opcode: &[0x8d] };

/// The number that the encoding has for the vector register that keeps a number to be stored.
const MOVED: u8 = 1;

/// The prefix of instructions of 16 bits.
const HALFWORD: u8 = 0x66;

impl Emitter {
    /// Sets a register to one of the guest's addresses.
    pub fn address(&mut self, rd: u8, address: u64) {
        if i32::try_from(address as i64).is_ok() || u32::try_from(address).is_ok() {
            self.constant(rd, address);
            self.is_fixed = true;
        } else {
            let d = self.define(rd);
            self.load_far_address(d, address);
        }
    }

    pub fn constant(&mut self, rd: u8, value: u64) {
        let d = self.define(rd);
        if value == 0 {
            asm!(self; xor Rd(d), Rd(d));
        } else if let Ok(value) = u32::try_from(value) {
            asm!(self; mov Rd(d), DWORD value as i32);
        } else if let Ok(value) = i32::try_from(value as i64) {
            asm!(self; mov Rq(d), DWORD value);
        } else {
            asm!(self; mov Rq(d), QWORD value as i64);
        }
    }

    /// Emits an instruction of a register, or the digit that is part of an opcode, and memory:
    /// shorter than the assembler's, which spends a byte more on each base that it learns of so
    /// late.
    fn memory(&mut self, encoding: Encoding, register: u8, base: u8, displacement: i32) {
        let Encoding { wide, opcode } = encoding;
        let rex = 0x40 | u8::from(wide) << 3 | register >> 3 << 2 | base >> 3;
        // Without this prefix, bytes of these registers are others'.
        if rex != 0x40 || opcode == [0x88] && register >= 4 {
            self.code.push(rex);
        }
        self.code.extend(opcode);
        // Without displacement, this base means the instruction's own address.
        let (size, needs_index) = match i8::try_from(displacement) {
            Ok(0) if base & 7 != 5 => (0, base & 7 == 4),
            Ok(_) => (1, base & 7 == 4),
            Err(_) => (2, base & 7 == 4),
        };
        self.code.push(size << 6 | (register & 7) << 3 | base & 7);
        if needs_index {
            self.code.push(0x24);
        }
        match size {
            0 => {}
            1 => self.code.push_i8(displacement as i8),
            _ => self.code.push_i32(displacement),
        }
    }

    /// Adds a displacement to what the host register `base` has.
    pub(super) fn load_effective_address(&mut self, register: u8, base: u8, displacement: i32) {
        self.memory(LEA, register, base, displacement);
    }

    pub fn load(&mut self, op: Op, load: Load) {
        let a = self.read(op.rs1);
        self.flush();
        let d = self.define(op.rd);
        self.access();
        let (wide, opcode): (_, &[u8]) = match load {
            Load::Byte => (true, &[0x0f, 0xbe]),
            Load::Half => (true, &[0x0f, 0xbf]),
            Load::Word => (true, &[0x63]),
            Load::Double => (true, &[0x8b]),
            Load::UnsignedByte => (false, &[0x0f, 0xb6]),
            Load::UnsignedHalf => (false, &[0x0f, 0xb7]),
            Load::UnsignedWord => (false, &[0x8b]),
        };
        self.memory(Encoding { wide, opcode }, d, a, op.imm);
    }

    pub fn store(&mut self, op: Op, store: Store) {
        let a = self.read(op.rs1);
        let b = (op.rs2 != 0).then(|| self.read(op.rs2));
        self.flush();
        self.access();
        if store == Store::Half {
            self.code.push(HALFWORD);
        }
        let wide = store == Store::Double;
        let Some(b) = b else {
            let opcode: &[u8] = if store == Store::Byte { &[0xc6] } else { &[0xc7] };
            self.memory(Encoding { wide, opcode }, 0, a, op.imm);
            match store {
                Store::Byte => self.code.push(0),
                Store::Half => self.code.push_i16(0),
                Store::Word | Store::Double => self.code.push_i32(0),
            }
            return;
        };
        let opcode: &[u8] = if store == Store::Byte { &[0x88] } else { &[0x89] };
        self.memory(Encoding { wide, opcode }, b, a, op.imm);
    }

    /// Reads the numbers of a window, and gives registers their parts of them.
    #[inline(never)]
    pub fn gather(&mut self, window: &Window) {
        const HOST: [u8; MOST_NUMBERS] = [RAX, RCX];
        if window.numbers.len() > 1 {
            self.take_rcx();
        }
        // As many as are still there once both have been read.
        let bases = window.numbers.iter().map(|number| self.read(number.base)).collect::<Vec<_>>();
        self.flush();
        for ((number, base), d) in window.numbers.iter().zip(bases).zip(HOST) {
            self.access();
            let (wide, opcode): (_, &[u8]) = match number.bytes {
                2 => (false, &[0x0f, 0xb7]),
                bytes => (bytes == 8, &[0x8b]),
            };
            self.memory(Encoding { wide, opcode }, d, base, number.first);
            match number.bytes {
                _ if !number.is_big_endian => {}
                2 => asm!(self; rol Rw(d), 8),
                4 => asm!(self; bswap Rd(d)),
                _ => asm!(self; bswap Rq(d)),
            }
        }
        if window.moved.is_some() {
            asm!(self; movq Rx(MOVED), rax);
        }
        for part in &window.parts {
            self.part(part, HOST[part.number]);
        }
    }

    /// Stores the number of the window before.
    #[inline(never)]
    pub fn scatter(&mut self, to: &Move) {
        let Place { base, first } = to.to;
        let a = self.read(base);
        if let Some(also) = to.also {
            let b = self.read(also.base);
            self.flush();
            let slow = self.slow();
            asm!(self; lea rax, [Rq(a) + first.wrapping_sub(also.first)]; cmp rax, Rq(b));
            self.jump_if(Flag::NotEqual, slow);
        } else {
            self.flush();
        }
        if to.bytes == 2 {
            asm!(self; movd eax, Rx(MOVED));
        }
        self.access();
        match to.bytes {
            2 => asm!(self; mov [Rq(a) + first], ax),
            4 => asm!(self; movd [Rq(a) + first], Rx(MOVED)),
            _ => asm!(self; movq [Rq(a) + first], Rx(MOVED)),
        }
    }

    /// Gives a register its part of the number in the host register `a`.
    fn part(&mut self, part: &Part, a: u8) {
        let d = self.define(part.register);
        match (part.is_low(), part.bytes) {
            (true, 1) => asm!(self; movzx Rd(d), Rb(a)),
            (true, 2) => asm!(self; movzx Rd(d), Rw(a)),
            (true, 4) if part.is_signed => asm!(self; movsxd Rq(d), Rd(a)),
            (true, 4) => asm!(self; mov Rd(d), Rd(a)),
            (true, _) => asm!(self; mov Rq(d), Rq(a)),
            (false, bytes) => {
                let above = (64 - 8 * (part.from + bytes)) as i8;
                let down = (64 - 8 * bytes) as i8;
                asm!(self; mov Rq(d), Rq(a));
                if above != 0 {
                    asm!(self; shl Rq(d), above);
                }
                if part.is_signed {
                    asm!(self; sar Rq(d), down);
                } else {
                    asm!(self; shr Rq(d), down);
                }
                if part.to != 0 {
                    asm!(self; shl Rq(d), 8 * part.to as i8);
                }
            }
        }
    }

    /// Whether the host's zero flag says whether `guest` is 0.
    pub(super) fn has_zero_flag(&self, guest: u8) -> bool {
        self.zero_flag == Some((guest, self.len()))
    }

    pub fn unary(&mut self, op: Op, unary: Unary) {
        use Unary::*;
        let a = self.read(op.rs1);
        if unary == Copy && self.copy_to_memory(op.rd, a) {
            return;
        }
        let d = self.define(op.rd);
        let imm = op.imm;
        let bit = imm as i8;
        let copy = |emitter: &mut Self| {
            if d != a {
                asm!(emitter; mov Rq(d), Rq(a));
            }
        };
        match unary {
            Addi if d == a => short!(self, add Rq(d), imm),
            Addi => self.memory(LEA, d, a, imm),
            Addiw => {
                self.memory(LEA_WORD, 0, a, imm);
                asm!(self; movsxd Rq(d), eax);
            }
            Andi => {
                copy(self);
                short!(self, and Rq(d), imm);
            }
            Ori => {
                copy(self);
                short!(self, or Rq(d), imm);
            }
            Xori => {
                copy(self);
                short!(self, xor Rq(d), imm);
            }
            Slli => {
                copy(self);
                asm!(self; shl Rq(d), bit);
            }
            Srli => {
                copy(self);
                asm!(self; shr Rq(d), bit);
            }
            Srai => {
                copy(self);
                asm!(self; sar Rq(d), bit);
            }
            Rori => {
                copy(self);
                asm!(self; ror Rq(d), bit);
            }
            Bseti => {
                copy(self);
                asm!(self; bts Rq(d), BYTE bit);
            }
            Bclri => {
                copy(self);
                asm!(self; btr Rq(d), BYTE bit);
            }
            Binvi => {
                copy(self);
                asm!(self; btc Rq(d), BYTE bit);
            }
            Bexti => asm!(self; bt Rq(a), BYTE bit; setc al; movzx Rd(d), al),
            Slliw => {
                copy(self);
                asm!(self; shl Rd(d), bit; movsxd Rq(d), Rd(d));
            }
            Srliw if bit & 31 == 0 => asm!(self; movsxd Rq(d), Rd(a)),
            Srliw => {
                copy(self);
                asm!(self; shr Rd(d), bit);
            }
            Sraiw => asm!(self; movsxd Rq(d), Rd(a); sar Rq(d), bit & 31),
            Slti => asm!(self; cmp Rq(a), imm; setl al; movzx Rd(d), al),
            Sltiu => asm!(self; cmp Rq(a), imm; setb al; movzx Rd(d), al),
            SlliUw => {
                asm!(self; mov Rd(d), Rd(a); shl Rq(d), bit);
            }
            ZeroExtendShift => asm!(self; mov Rd(d), Rd(a); shl Rq(d), bit & 31),
            Copy => copy(self),
            ZeroExtendWord => asm!(self; mov Rd(d), Rd(a)),
            ZeroExtendHalfword => asm!(self; movzx Rd(d), Rw(a)),
            SignExtendWord => asm!(self; movsxd Rq(d), Rd(a)),
            SignExtendHalfword => asm!(self; movsx Rq(d), Rw(a)),
            SignExtendByte => asm!(self; movsx Rq(d), Rb(a)),
            Rev8 => {
                copy(self);
                asm!(self; bswap Rq(d));
            }
            Roriw => asm!(self; mov eax, Rd(a); ror eax, bit & 31; movsxd Rq(d), eax),
            // Each byte is 0 or not, which the other way round is a comparison with 0.
            OrcB => {
                let zero = self.floats.take([0; 3]);
                asm!(self
                    ; movq xmm0, Rq(a)
                    ; pxor Rx(zero), Rx(zero)
                    ; pcmpeqb xmm0, Rx(zero)
                    ; movq Rq(d), xmm0
                    ; not Rq(d)
                );
            }
            Clz => asm!(self; lzcnt Rq(d), Rq(a)),
            Clzw => asm!(self; lzcnt Rd(d), Rd(a)),
            Ctz => asm!(self; tzcnt Rq(d), Rq(a)),
            Ctzw => asm!(self; tzcnt Rd(d), Rd(a)),
            Cpop => asm!(self; popcnt Rq(d), Rq(a)),
            Cpopw => asm!(self; popcnt Rd(d), Rd(a)),
        }
        let sets_flag = match unary {
            Addi => d == a,
            Andi | Ori | Xori => true,
            Slli | Srli | Srai => bit != 0,
            _ => false,
        };
        if sets_flag {
            self.zero_flag = Some((op.rd, self.len()));
        }
    }

    /// Copies a host register to a guest register that has none of its own.
    fn copy_to_memory(&mut self, guest: u8, host: u8) -> bool {
        if pinned(guest).is_some() || guest == SINK {
            return false;
        }
        self.registers.forget(guest);
        self.accrued = self.accrued.filter(|accrued| *accrued != guest);
        transfer(&mut self.code, Transfer::Store { host, guest });
        true
    }

    pub fn binary(&mut self, op: Op, binary: Binary) {
        use Binary::*;
        if binary.divides() {
            return self.divide(op, binary);
        }
        if matches!(binary, Mulh | Mulhsu | Mulhu | Rol | Ror | Rolw | Rorw) {
            self.take_rcx();
        }
        let binary = match (binary, op.imm) {
            (ShiftAdd, 1) => Sh1add,
            (ShiftAdd, 2) => Sh2add,
            (ShiftAdd, 3) => Sh3add,
            _ => binary,
        };
        let a = self.read(op.rs1);
        let b = self.read(op.rs2);
        let d = self.define(op.rd);
        // For operations of which the destination is the first operand, and that need the second
        // one behind it.
        let copy = |emitter: &mut Self| {
            if d != a {
                asm!(emitter; mov Rq(d), Rq(a));
            }
        };
        match binary {
            Add if d == a => asm!(self; add Rq(d), Rq(b)),
            Add if d == b => asm!(self; add Rq(d), Rq(a)),
            Add => asm!(self; lea Rq(d), [Rq(a) + Rq(b)]),
            Sub if d == a => asm!(self; sub Rq(d), Rq(b)),
            Sub if d == b => asm!(self; neg Rq(d); add Rq(d), Rq(a)),
            Sub => asm!(self; mov Rq(d), Rq(a); sub Rq(d), Rq(b)),
            And | Or | Xor | Mul => {
                let other = if d == b { a } else { b };
                if d != a && d != b {
                    asm!(self; mov Rq(d), Rq(a));
                }
                match binary {
                    And => asm!(self; and Rq(d), Rq(other)),
                    Or => asm!(self; or Rq(d), Rq(other)),
                    Xor => asm!(self; xor Rq(d), Rq(other)),
                    _ => asm!(self; imul Rq(d), Rq(other)),
                }
            }
            Addw => asm!(self; lea eax, [Rq(a) + Rq(b)]; movsxd Rq(d), eax),
            Subw if d == b => asm!(self; mov eax, Rd(a); sub eax, Rd(b); movsxd Rq(d), eax),
            Subw => {
                copy(self);
                asm!(self; sub Rd(d), Rd(b); movsxd Rq(d), Rd(d));
            }
            Mulw if d == b => asm!(self; imul Rd(d), Rd(a); movsxd Rq(d), Rd(d)),
            Mulw => {
                copy(self);
                asm!(self; imul Rd(d), Rd(b); movsxd Rq(d), Rd(d));
            }
            Sll => asm!(self; shlx Rq(d), Rq(a), Rq(b)),
            Srl => asm!(self; shrx Rq(d), Rq(a), Rq(b)),
            Sra => asm!(self; sarx Rq(d), Rq(a), Rq(b)),
            Sllw => asm!(self; shlx eax, Rd(a), Rd(b); movsxd Rq(d), eax),
            Srlw => asm!(self; shrx eax, Rd(a), Rd(b); movsxd Rq(d), eax),
            Sraw => asm!(self; sarx eax, Rd(a), Rd(b); movsxd Rq(d), eax),
            Slt => asm!(self; cmp Rq(a), Rq(b); setl al; movzx Rd(d), al),
            Sltu => asm!(self; cmp Rq(a), Rq(b); setb al; movzx Rd(d), al),
            // The context waits in rcx.
            Mulh => {
                asm!(self; mov rcx, rdx; mov rax, Rq(a); imul Rq(b); mov Rq(d), rdx; mov rdx, rcx)
            }
            Mulhu => {
                asm!(self; mov rcx, rdx; mov rax, Rq(a); mul Rq(b); mov Rq(d), rdx; mov rdx, rcx)
            }
            // What has a sign is 2^64 less than what it is without one.
            Mulhsu => {
                asm!(self
                    ; mov rcx, rdx
                    ; mov rax, Rq(a)
                    ; mul Rq(b)
                    ; mov rax, Rq(a)
                    ; sar rax, 63
                    ; and rax, Rq(b)
                    ; sub rdx, rax
                    ; mov Rq(d), rdx
                    ; mov rdx, rcx
                );
            }
            Packw if op.rs2 == 0 => asm!(self; movzx Rd(d), Rw(a)),
            Packw => {
                asm!(self; mov eax, Rd(b); shl eax, 16; mov ax, Rw(a); movsxd Rq(d), eax);
            }
            AddUw if d == b => asm!(self; mov eax, Rd(a); add Rq(d), rax),
            AddUw => asm!(self; mov Rd(d), Rd(a); add Rq(d), Rq(b)),
            Sh1add => asm!(self; lea Rq(d), [Rq(b) + Rq(a) * 2]),
            Sh2add => asm!(self; lea Rq(d), [Rq(b) + Rq(a) * 4]),
            Sh3add => asm!(self; lea Rq(d), [Rq(b) + Rq(a) * 8]),
            Sh1addUw => asm!(self; mov eax, Rd(a); lea Rq(d), [Rq(b) + rax * 2]),
            Sh2addUw => asm!(self; mov eax, Rd(a); lea Rq(d), [Rq(b) + rax * 4]),
            Sh3addUw => asm!(self; mov eax, Rd(a); lea Rq(d), [Rq(b) + rax * 8]),
            ShiftAdd if d == b => {
                asm!(self; mov rax, Rq(a); shl rax, op.imm as i8; add Rq(d), rax);
            }
            ShiftAdd => {
                copy(self);
                asm!(self; shl Rq(d), op.imm as i8; add Rq(d), Rq(b));
            }
            Andn => asm!(self; andn Rq(d), Rq(b), Rq(a)),
            Orn => asm!(self; mov rax, Rq(b); not rax; or rax, Rq(a); mov Rq(d), rax),
            Xnor => asm!(self; mov rax, Rq(a); xor rax, Rq(b); not rax; mov Rq(d), rax),
            Min | Minu | Max | Maxu => {
                // The same whichever operand is the first.
                let other = if d == b { a } else { b };
                if d != b {
                    copy(self);
                }
                asm!(self; cmp Rq(d), Rq(other));
                match binary {
                    Min => asm!(self; cmovg Rq(d), Rq(other)),
                    Minu => asm!(self; cmova Rq(d), Rq(other)),
                    Max => asm!(self; cmovl Rq(d), Rq(other)),
                    _ => asm!(self; cmovb Rq(d), Rq(other)),
                }
            }
            Rol => asm!(self; mov ecx, Rd(b); mov rax, Rq(a); rol rax, cl; mov Rq(d), rax),
            Ror => asm!(self; mov ecx, Rd(b); mov rax, Rq(a); ror rax, cl; mov Rq(d), rax),
            Rolw => asm!(self; mov ecx, Rd(b); mov eax, Rd(a); rol eax, cl; movsxd Rq(d), eax),
            Rorw => asm!(self; mov ecx, Rd(b); mov eax, Rd(a); ror eax, cl; movsxd Rq(d), eax),
            Bset | Bclr | Binv => {
                asm!(self; mov rax, Rq(a));
                match binary {
                    Bset => asm!(self; bts rax, Rq(b)),
                    Bclr => asm!(self; btr rax, Rq(b)),
                    _ => asm!(self; btc rax, Rq(b)),
                }
                asm!(self; mov Rq(d), rax);
            }
            Bext => asm!(self; bt Rq(a), Rq(b); setc al; movzx Rd(d), al),
            CzeroEqz => {
                asm!(self; xor eax, eax; test Rq(b), Rq(b); cmovnz rax, Rq(a); mov Rq(d), rax)
            }
            CzeroNez => {
                asm!(self; xor eax, eax; test Rq(b), Rq(b); cmovz rax, Rq(a); mov Rq(d), rax)
            }
            Div | Divu | Rem | Remu | Divw | Divuw | Remw | Remuw => {}
        }
        if matches!(binary, Sub | And | Or | Xor | ShiftAdd) || binary == Add && (d == a || d == b)
        {
            self.zero_flag = Some((op.rd, self.len()));
        }
    }

    /// What [`search::found`] gives, by the zeros above the highest bit, but for the lowest byte.
    pub fn highest_byte(&mut self, op: Op) {
        // By a shift and an addition.
        const { assert!(search::ROUND == 4 + 1) };
        let a = self.read(op.rs1);
        let d = self.define(op.rd);
        asm!(self
            ; mov Rq(d), Rq(a)
            ; or Rq(d), 1 << search::BITS
            ; lzcnt Rq(d), Rq(d)
            ; and Rd(d), BYTE search::FIRST_SHIFT as i8
            ; lea eax, [Rq(d) + Rq(d) * 4]
            ; shr eax, search::BITS.ilog2() as i8
            ; add rdi, rax
            ; xor Rd(d), BYTE search::FIRST_SHIFT as i8
        );
    }

    /// Divisions by zero and those that overflow are the handler's.
    fn divide(&mut self, op: Op, binary: Binary) {
        use Binary::*;
        self.take_rcx();
        let a = self.read(op.rs1);
        let b = self.read(op.rs2);
        self.flush();
        let slow = self.slow();
        // For a divisor of -1 or 0, one more is 0 or 1.
        match binary {
            Div | Rem => asm!(self; lea rcx, [Rq(b) + 1]; cmp rcx, 1),
            Divw | Remw => asm!(self; lea ecx, [Rq(b) + 1]; cmp ecx, 1),
            Divu | Remu => asm!(self; test Rq(b), Rq(b)),
            _ => asm!(self; test Rd(b), Rd(b)),
        }
        let is_signed = matches!(binary, Div | Rem | Divw | Remw);
        self.jump_if(if is_signed { Flag::NotAbove } else { Flag::Equal }, slow);
        let d = self.define(op.rd);
        // The context waits in rcx.
        asm!(self; mov rcx, rdx);
        match binary {
            Div | Rem => asm!(self; mov rax, Rq(a); cqo; idiv Rq(b)),
            Divu | Remu => asm!(self; mov rax, Rq(a); xor edx, edx; div Rq(b)),
            Divw | Remw => asm!(self; mov eax, Rd(a); cdq; idiv Rd(b)),
            _ => asm!(self; mov eax, Rd(a); xor edx, edx; div Rd(b)),
        }
        match binary {
            Div | Divu => asm!(self; mov Rq(d), rax),
            Rem | Remu => asm!(self; mov Rq(d), rdx),
            Divw | Divuw => asm!(self; movsxd Rq(d), eax),
            _ => asm!(self; movsxd Rq(d), edx),
        }
        asm!(self; mov rdx, rcx);
    }
}
