//! Integer computation.

use super::Lowering;
use crate::effects;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use rvrun_isa::{Instruction, Opcode};

/// A division that must not be done on the host: what it gives by the manual (M,
/// table "Semantics for division by zero and division overflow").
struct Division {
    signed: bool,
    remainder: bool,
    ty: Type,
}

impl Lowering<'_> {
    pub(super) fn alu(&mut self, i: &Instruction, pc: u64) {
        use Opcode::*;
        if i.rd == 0 {
            return;
        }
        let value = match i.opcode {
            Lui => self.builder.ins().iconst(I64, i64::from(i.imm)),
            Auipc => self.address(pc.wrapping_add_signed(i.imm.into())),
            Addi => {
                if i.rs1 == 0 {
                    self.builder.ins().iconst(I64, i64::from(i.imm))
                } else {
                    let a = self.x(i.rs1);
                    self.add_constant(a, i.imm.into())
                }
            }
            Slti | Sltiu | Xori | Ori | Andi | Slli | Srli | Srai | Addiw | Slliw | Srliw
            | Sraiw | SlliUw | Rori | Roriw | Bclri | Bexti | Binvi | Bseti => {
                let a = self.x(i.rs1);
                self.with_immediate(i.opcode, a, i.imm)
            }
            Clz | Clzw | Ctz | Ctzw | Cpop | Cpopw | SextB | SextH | OrcB | Rev8 | Brev8 => {
                let a = self.x(i.rs1);
                self.unary(i.opcode, a)
            }
            MopR | MopRr => self.constant(0),
            _ if effects::is_division(i) => {
                let ty = if matches!(i.opcode, Divw | Divuw | Remw | Remuw) { I32 } else { I64 };
                let signed = matches!(i.opcode, Div | Rem | Divw | Remw);
                let remainder = matches!(i.opcode, Rem | Remu | Remw | Remuw);
                self.division(i, &Division { signed, remainder, ty })
            }
            // Copies need no instruction.
            Add if i.rs1 == 0 => self.x(i.rs2),
            Add | Or | Xor if i.rs2 == 0 => self.x(i.rs1),
            _ => {
                let (a, b) = (self.x(i.rs1), self.x(i.rs2));
                self.binary(i.opcode, a, b)
            }
        };
        self.set_x(i.rd, value);
    }

    /// 0 or 1.
    pub(super) fn truth(&mut self, condition: IntCC, a: Value, b: Value) -> Value {
        let truth = self.compare_integers(condition, a, b);
        self.builder.ins().uextend(I64, truth)
    }

    fn with_immediate(&mut self, opcode: Opcode, a: Value, imm: i32) -> Value {
        use Opcode::*;
        let imm = i64::from(imm);
        let bit = |imm: i64| 1i64 << (imm & 63);
        match opcode {
            Slti | Sltiu => {
                let b = self.builder.ins().iconst(I64, imm);
                let condition = match opcode {
                    Slti => IntCC::SignedLessThan,
                    _ => IntCC::UnsignedLessThan,
                };
                self.truth(condition, a, b)
            }
            Andi if imm >= 0 => self.mask(a, imm),
            Xori | Ori | Andi => {
                let (word, ty) = match self.extended(a) {
                    Some(word) => (word, I32),
                    None => (a, I64),
                };
                let value = match opcode {
                    Xori if imm == -1 => self.builder.ins().bnot(word),
                    Xori => self.builder.ins().bxor_imm_s(word, imm),
                    Ori => self.builder.ins().bor_imm_s(word, imm),
                    _ => self.builder.ins().band_imm_s(word, imm),
                };
                if ty == I32 { self.sign_extend(value) } else { value }
            }
            Slli => self.builder.ins().ishl_imm_u(a, imm),
            Srli => self.shift_right(a, imm, false),
            Srai => self.shift_right(a, imm, true),
            Rori => self.builder.ins().rotr_imm_u(a, imm),
            SlliUw => {
                let low = self.zero_extend_low(a);
                self.builder.ins().ishl_imm_u(low, imm)
            }
            Bclri => self.builder.ins().band_imm_s(a, !bit(imm)),
            Binvi => self.builder.ins().bxor_imm_s(a, bit(imm)),
            Bseti => self.builder.ins().bor_imm_s(a, bit(imm)),
            Bexti => {
                let shifted = self.builder.ins().ushr_imm_u(a, imm);
                self.builder.ins().band_imm_s(shifted, 1)
            }
            Addiw | Slliw | Srliw | Sraiw | Roriw => {
                let low = self.low(a);
                let word = match opcode {
                    Addiw if imm == 0 => low,
                    Addiw => self.builder.ins().iadd_imm_s(low, imm),
                    Slliw => self.builder.ins().ishl_imm_u(low, imm),
                    Srliw => self.builder.ins().ushr_imm_u(low, imm),
                    Sraiw => self.builder.ins().sshr_imm_u(low, imm),
                    _ => self.builder.ins().rotr_imm_u(low, imm),
                };
                self.sign_extend(word)
            }
            other => unreachable!("{other:?} takes no immediate"),
        }
    }

    fn unary(&mut self, opcode: Opcode, a: Value) -> Value {
        use Opcode::*;
        match opcode {
            Clz => self.builder.ins().clz(a),
            Ctz => self.builder.ins().ctz(a),
            Cpop => self.builder.ins().popcnt(a),
            Clzw | Ctzw | Cpopw => {
                let low = self.low(a);
                let count = match opcode {
                    Clzw => self.builder.ins().clz(low),
                    Ctzw => self.builder.ins().ctz(low),
                    _ => self.builder.ins().popcnt(low),
                };
                self.builder.ins().uextend(I64, count)
            }
            SextB => {
                let byte = self.builder.ins().ireduce(I8, a);
                self.sign_extend(byte)
            }
            SextH => {
                let half = self.builder.ins().ireduce(I16, a);
                self.sign_extend(half)
            }
            Rev8 => self.builder.ins().bswap(a),
            Brev8 => {
                let reversed = self.builder.ins().bitrev(a);
                self.builder.ins().bswap(reversed)
            }
            OrcB => {
                // Bit 0 of each byte becomes the disjunction of its bits.
                let mut folded = a;
                for distance in [4, 2, 1] {
                    let shifted = self.builder.ins().ushr_imm_u(folded, distance);
                    folded = self.builder.ins().bor(folded, shifted);
                }
                let ones = self.builder.ins().iconst(I64, 0x0101_0101_0101_0101);
                let any = self.builder.ins().band(folded, ones);
                self.builder.ins().imul_imm_s(any, 0xff)
            }
            other => unreachable!("{other:?} has more operands"),
        }
    }

    fn bitwise(&mut self, opcode: Opcode, a: Value, b: Value) -> Value {
        use Opcode::*;
        match opcode {
            Xor => self.builder.ins().bxor(a, b),
            Or => self.builder.ins().bor(a, b),
            And => self.builder.ins().band(a, b),
            Andn => self.builder.ins().band_not(a, b),
            Orn => self.builder.ins().bor_not(a, b),
            Xnor => self.builder.ins().bxor_not(a, b),
            other => unreachable!("{other:?} has carries"),
        }
    }

    fn binary(&mut self, opcode: Opcode, a: Value, b: Value) -> Value {
        use Opcode::*;
        // What words become bit by bit is the extension of a word: so rotations of words, which
        // compilers make of two shifts, are those of the host.
        if matches!(opcode, Xor | Or | And | Andn | Orn | Xnor)
            && let Some((a, b)) = self.words(a, b)
        {
            let word = self.bitwise(opcode, a, b);
            return self.sign_extend(word);
        }
        match opcode {
            Add => self.builder.ins().iadd(a, b),
            Sub => self.builder.ins().isub(a, b),
            Sll => self.builder.ins().ishl(a, b),
            Srl => self.builder.ins().ushr(a, b),
            Sra => self.builder.ins().sshr(a, b),
            Slt => self.truth(IntCC::SignedLessThan, a, b),
            Sltu => self.truth(IntCC::UnsignedLessThan, a, b),
            Xor | Or | And | Andn | Orn | Xnor => self.bitwise(opcode, a, b),
            Max => self.builder.ins().smax(a, b),
            Maxu => self.builder.ins().umax(a, b),
            Min => self.builder.ins().smin(a, b),
            Minu => self.builder.ins().umin(a, b),
            Rol => self.builder.ins().rotl(a, b),
            Ror => self.builder.ins().rotr(a, b),
            Mul => self.builder.ins().imul(a, b),
            Mulh => self.builder.ins().smulhi(a, b),
            Mulhu => self.builder.ins().umulhi(a, b),
            Mulhsu => {
                let high = self.builder.ins().umulhi(a, b);
                let sign = self.builder.ins().sshr_imm_u(a, 63);
                let excess = self.builder.ins().band(sign, b);
                self.builder.ins().isub(high, excess)
            }
            Addw | Subw | Sllw | Srlw | Sraw | Mulw | Rolw | Rorw => {
                let (a, b) = (self.low(a), self.low(b));
                let word = match opcode {
                    Addw => self.builder.ins().iadd(a, b),
                    Subw => self.builder.ins().isub(a, b),
                    Sllw => self.builder.ins().ishl(a, b),
                    Srlw => self.builder.ins().ushr(a, b),
                    Sraw => self.builder.ins().sshr(a, b),
                    Mulw => self.builder.ins().imul(a, b),
                    Rolw => self.builder.ins().rotl(a, b),
                    _ => self.builder.ins().rotr(a, b),
                };
                self.sign_extend(word)
            }
            AddUw => {
                let a = self.zero_extend_low(a);
                self.builder.ins().iadd(a, b)
            }
            Sh1add | Sh2add | Sh3add => {
                let shift = match opcode {
                    Sh1add => 1,
                    Sh2add => 2,
                    _ => 3,
                };
                let a = self.builder.ins().ishl_imm_u(a, shift);
                self.builder.ins().iadd(a, b)
            }
            Sh1addUw | Sh2addUw | Sh3addUw => {
                let shift = match opcode {
                    Sh1addUw => 1,
                    Sh2addUw => 2,
                    _ => 3,
                };
                let a = self.zero_extend_low(a);
                let a = self.builder.ins().ishl_imm_u(a, shift);
                self.builder.ins().iadd(a, b)
            }
            Bclr | Binv | Bset => {
                let one = self.constant(1);
                let bit = self.builder.ins().ishl(one, b);
                match opcode {
                    Bclr => self.builder.ins().band_not(a, bit),
                    Binv => self.builder.ins().bxor(a, bit),
                    _ => self.builder.ins().bor(a, bit),
                }
            }
            Bext => {
                let shifted = self.builder.ins().ushr(a, b);
                self.builder.ins().band_imm_s(shifted, 1)
            }
            Pack => {
                let low = self.zero_extend_low(a);
                let high = self.builder.ins().ishl_imm_u(b, 32);
                self.builder.ins().bor(low, high)
            }
            Packh => {
                let low = self.builder.ins().band_imm_s(a, 0xff);
                let high = self.builder.ins().band_imm_s(b, 0xff);
                let high = self.builder.ins().ishl_imm_u(high, 8);
                self.builder.ins().bor(low, high)
            }
            Packw => {
                let low = self.builder.ins().band_imm_s(a, 0xffff);
                let high = self.builder.ins().ishl_imm_u(b, 16);
                let both = self.builder.ins().bor(low, high);
                let word = self.low(both);
                self.sign_extend(word)
            }
            CzeroEqz | CzeroNez => {
                let zero = self.constant(0);
                match opcode {
                    CzeroEqz => self.builder.ins().select(b, a, zero),
                    _ => self.builder.ins().select(b, zero, a),
                }
            }
            other => unreachable!("{other:?} is not lowered here"),
        }
    }

    /// Divides; by a number that Cranelift knows, if the divisor is what it most often is.
    fn division(&mut self, i: &Instruction, division: &Division) -> Value {
        let (a, b) = (self.x(i.rs1), self.x(i.rs2));
        let known = self.divisors.iter().find(|(register, _)| *register == i.rs2);
        let narrow = division.ty == I32;
        let is_plain = |value: u64| {
            let value = if narrow { i64::from(value as i32) } else { value as i64 };
            value != 0 && value != -1
        };
        let Some(known) = known.map(|(_, value)| *value).filter(|value| is_plain(*value)) else {
            return self.divide(a, b, division);
        };
        let (quick, other, done) = (self.block(), self.cold_block(), self.block());
        let result = self.builder.append_block_param(done, I64);
        let same = self.builder.ins().icmp_imm_s(IntCC::Equal, b, known as i64);
        self.builder.ins().brif(same, quick, &[], other, &[]);
        self.builder.switch_to_block(quick);
        let (narrow_a, by) = match narrow {
            true => (self.low(a), self.builder.ins().iconst(I32, i64::from(known as i32))),
            false => (a, self.constant(known)),
        };
        let value = self.plain_division(narrow_a, by, division);
        let value = if narrow { self.sign_extend(value) } else { value };
        self.builder.ins().jump(done, &[value.into()]);
        self.builder.switch_to_block(other);
        let value = self.divide(a, b, division);
        self.builder.ins().jump(done, &[value.into()]);
        self.builder.switch_to_block(done);
        result
    }

    /// Divides by what the host can.
    fn plain_division(&mut self, a: Value, b: Value, division: &Division) -> Value {
        let ins = self.builder.ins();
        match (division.signed, division.remainder) {
            (true, false) => ins.sdiv(a, b),
            (true, true) => ins.srem(a, b),
            (false, false) => ins.udiv(a, b),
            (false, true) => ins.urem(a, b),
        }
    }

    /// Divides; the divisors for which the host traps are rare.
    fn divide(&mut self, a: Value, b: Value, division: &Division) -> Value {
        let &Division { signed, remainder, ty } = division;
        let narrow = ty == I32;
        let (a, b) = if narrow { (self.low(a), self.low(b)) } else { (a, b) };
        let (plain, rare, done) = (self.block(), self.cold_block(), self.block());
        let result = self.builder.append_block_param(done, ty);
        let is_rare = if signed {
            // 0 and -1.
            let shifted = self.builder.ins().iadd_imm_s(b, 1);
            self.builder.ins().icmp_imm_s(IntCC::UnsignedLessThanOrEqual, shifted, 1)
        } else {
            self.builder.ins().icmp_imm_s(IntCC::Equal, b, 0)
        };
        self.builder.ins().brif(is_rare, rare, &[], plain, &[]);
        self.builder.switch_to_block(plain);
        let value = self.plain_division(a, b, division);
        self.builder.ins().jump(done, &[value.into()]);
        self.builder.switch_to_block(rare);
        let by_zero = if remainder { a } else { self.builder.ins().iconst(ty, -1) };
        let value = if signed {
            let by_minus_one = if remainder {
                self.builder.ins().iconst(ty, 0)
            } else {
                self.builder.ins().ineg(a)
            };
            self.builder.ins().select(b, by_minus_one, by_zero)
        } else {
            by_zero
        };
        self.builder.ins().jump(done, &[value.into()]);
        self.builder.switch_to_block(done);
        if narrow { self.sign_extend(result) } else { result }
    }
}
