//! Between floating-point numbers and integers, and constants.

use super::Lowering;
use crate::helper::Helper;
use crate::state::offset;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value};
use rvrun_hart::float::plain;
use rvrun_isa::{Instruction, Opcode};

/// The number of the rounding mode that truncates.
const TOWARD_ZERO: u64 = 1;

impl Lowering<'_> {
    pub(super) fn integer_to_float(&mut self, i: &Instruction) {
        use Opcode::*;
        let integer = self.anchored_integer(i.rs1);
        let ty = match i.opcode {
            FcvtSW | FcvtSWu | FcvtSL | FcvtSLu => F32,
            _ => F64,
        };
        let value = match i.opcode {
            FcvtSW | FcvtDW => {
                let word = self.low(integer);
                self.builder.ins().fcvt_from_sint(ty, word)
            }
            FcvtSWu | FcvtDWu => {
                let low = self.low(integer);
                let integer = self.builder.ins().uextend(I64, low);
                self.builder.ins().fcvt_from_sint(ty, integer)
            }
            FcvtSL | FcvtDL => self.builder.ins().fcvt_from_sint(ty, integer),
            _ => {
                let (plain, rare, done) = self.ways();
                let result = self.builder.append_block_param(done, ty);
                let fits =
                    self.builder.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, integer, 0);
                self.builder.ins().brif(fits, plain, &[], rare, &[]);
                self.builder.switch_to_block(plain);
                let value = self.builder.ins().fcvt_from_sint(ty, integer);
                self.builder.ins().jump(done, &[value.into()]);
                self.builder.switch_to_block(rare);
                self.store_state(integer, offset::OPERANDS);
                self.call_helper(Helper::of(i.opcode), None);
                let value = self.load_state(ty, offset::UNREAD);
                self.builder.ins().jump(done, &[value.into()]);
                self.builder.switch_to_block(done);
                result
            }
        };
        match i.opcode {
            FcvtDW | FcvtDWu => self.set_clean(i.rd, value, F64),
            _ => self.set_raw(i.rd, value, ty),
        }
    }

    /// Truncates, as C does.
    pub(super) fn float_to_integer(&mut self, i: &Instruction) {
        use Opcode::*;
        let single = matches!(i.opcode, FcvtWS | FcvtWuS | FcvtLS | FcvtLuS);
        let a = if single { self.single(i.rs1) } else { self.double(i.rs1) };
        self.used(i);
        let value = match i.opcode {
            FcvtWS | FcvtLS | FcvtWD | FcvtLD => self.truncated_signed(i.opcode, a),
            _ => self.truncated_unsigned(i.opcode, a),
        };
        self.set_x(i.rd, value);
    }

    /// The host's result for what does not fit is made into the manual's by
    /// Cranelift, but for NaNs.
    fn truncated_signed(&mut self, opcode: Opcode, a: Value) -> Value {
        let narrow = matches!(opcode, Opcode::FcvtWS | Opcode::FcvtWD);
        let value = if narrow {
            let word = self.builder.ins().fcvt_to_sint_sat(I32, a);
            self.sign_extend(word)
        } else {
            self.builder.ins().fcvt_to_sint_sat(I64, a)
        };
        self.keep(value);
        let most = if narrow { i64::from(i32::MAX) } else { i64::MAX };
        let most = self.builder.ins().iconst(I64, most);
        let unordered = self.builder.ins().fcmp(FloatCC::Unordered, a, a);
        self.builder.ins().select(unordered, most, value)
    }

    /// Positive numbers are ordered as their bits are; those below the limit can be
    /// converted as signed ones.
    fn truncated_unsigned(&mut self, opcode: Opcode, a: Value) -> Value {
        use Opcode::*;
        let (bits, limit) = match opcode {
            FcvtWuS => (I32, i64::from(4_294_967_296f32.to_bits())),
            FcvtLuS => (I32, i64::from(9_223_372_036_854_775_808f32.to_bits())),
            FcvtWuD => (I64, 4_294_967_296f64.to_bits() as i64),
            _ => (I64, 9_223_372_036_854_775_808f64.to_bits() as i64),
        };
        let narrow = matches!(opcode, FcvtWuS | FcvtWuD);
        let (plain, rare, done) = self.ways();
        let result = self.builder.append_block_param(done, I64);
        let a_bits = self.builder.ins().bitcast(bits, MemFlagsData::new(), a);
        let limit = self.builder.ins().iconst(bits, limit);
        let fits = self.builder.ins().icmp(IntCC::UnsignedLessThan, a_bits, limit);
        self.builder.ins().brif(fits, plain, &[], rare, &[]);
        self.builder.switch_to_block(plain);
        let value = self.builder.ins().fcvt_to_sint_sat(I64, a);
        self.keep(value);
        let value = if narrow {
            let word = self.low(value);
            self.sign_extend(word)
        } else {
            value
        };
        self.builder.ins().jump(done, &[value.into()]);
        self.builder.switch_to_block(rare);
        self.pass(&[a]);
        let mode = self.constant(TOWARD_ZERO);
        self.store_state(mode, offset::OPERANDS + 24);
        self.call_helper(Helper::fixed(opcode), None);
        let value = self.load_state(I64, offset::UNREAD);
        self.builder.ins().jump(done, &[value.into()]);
        self.builder.switch_to_block(done);
        result
    }

    /// Moves of bits between the registers, and constants.
    pub(super) fn moved(&mut self, i: &Instruction) {
        use Opcode::*;
        match i.opcode {
            FmvXH => {
                let bits = self.low_bits(i.rs1);
                let half = self.builder.ins().ireduce(I16, bits);
                let value = self.sign_extend(half);
                self.set_x(i.rd, value);
            }
            FmvXW => {
                let bits = self.low_bits(i.rs1);
                let value = self.sign_extend(bits);
                self.set_x(i.rd, value);
            }
            FmvXD => {
                let value = self.stored_double(i.rs1);
                let value = self.builder.ins().bitcast(I64, MemFlagsData::new(), value);
                self.set_x(i.rd, value);
            }
            FmvHX => {
                let bits = self.x(i.rs1);
                let boxed = self.boxed_half(bits);
                let value = self.anchored_bits(boxed, Some(i.rs1), F64);
                self.set_double(i.rd, value);
            }
            FmvWX => {
                let bits = self.x(i.rs1);
                let value = self.anchored_bits(bits, Some(i.rs1), F32);
                match i.rs1 {
                    0 => self.set_clean(i.rd, value, F32),
                    _ => self.set_single(i.rd, value),
                }
            }
            FmvDX => {
                let bits = self.x(i.rs1);
                let value = self.anchored_bits(bits, Some(i.rs1), F64);
                match i.rs1 {
                    0 => self.set_clean(i.rd, value, F64),
                    _ => self.set_double(i.rd, value),
                }
            }
            FliS => {
                let bits = self.constant(plain::fli_s(i.imm as u8));
                let value = self.anchored_bits(bits, None, F32);
                self.set_clean(i.rd, value, F32);
            }
            FliD => {
                let bits = self.constant(plain::fli_d(i.imm as u8));
                let value = self.anchored_bits(bits, None, F64);
                self.set_clean(i.rd, value, F64);
            }
            FliH => {
                let bits = self.constant(plain::fli_h(i.imm as u8));
                let value = self.anchored_bits(bits, None, F64);
                self.set_double(i.rd, value);
            }
            other => unreachable!("{other:?} is not lowered here"),
        }
    }

    /// The low 16 bits, boxed.
    pub(super) fn boxed_half(&mut self, bits: Value) -> Value {
        self.builder.ins().bor_imm_s(bits, !0xffff)
    }
}
