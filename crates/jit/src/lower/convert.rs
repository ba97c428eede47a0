//! Between floating-point numbers and integers, and constants.

use super::Lowering;
use crate::helper::Helper;
use crate::state::offset;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value};
use rvrun_hart::float::{RoundingMode, plain};
use rvrun_isa::{Instruction, Opcode, RM_DYNAMIC};

/// The number of the rounding mode that truncates.
const TOWARD_ZERO: u8 = 1;

impl Lowering<'_> {
    pub(super) fn integer_to_float(&mut self, i: &Instruction) {
        use Opcode::*;
        let integer = self.anchored_integer(i.rs1);
        let ty = match i.opcode {
            FcvtSW | FcvtSWu | FcvtSL | FcvtSLu => F32,
            _ => F64,
        };
        let value = match i.opcode {
            FcvtSW | FcvtSL | FcvtDL if i.rm != RM_DYNAMIC => self.exactly(i, integer, ty),
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
                let condition = IntCC::SignedGreaterThanOrEqual;
                let fits = self.builder.ins().icmp_imm_s(condition, integer, 0);
                self.converted_if(fits, i, integer, ty)
            }
        };
        match i.opcode {
            FcvtDW | FcvtDWu => self.set_clean(i.rd, value, F64),
            _ => self.set_raw(i.rd, value, ty),
        }
    }

    /// Converts an integer in a mode of the instruction's own: what fits the significand is the same
    /// in each.
    fn exactly(&mut self, i: &Instruction, integer: Value, ty: Type) -> Value {
        let integer = match i.opcode {
            Opcode::FcvtSW => {
                let word = self.low(integer);
                self.sign_extend(word)
            }
            _ => integer,
        };
        let most = 1i64 << if ty == F32 { f32::MANTISSA_DIGITS } else { f64::MANTISSA_DIGITS };
        let above_least = self.builder.ins().iadd_imm_s(integer, most);
        let condition = IntCC::UnsignedLessThanOrEqual;
        let fits = self.builder.ins().icmp_imm_s(condition, above_least, 2 * most);
        self.converted_if(fits, i, integer, ty)
    }

    /// Converts a signed doubleword if it `fits`; a helper does what `i` does with others.
    fn converted_if(&mut self, fits: Value, i: &Instruction, integer: Value, ty: Type) -> Value {
        let (plain, rare, done) = self.ways();
        let result = self.builder.append_block_param(done, ty);
        self.builder.ins().brif(fits, plain, &[], rare, &[]);
        self.builder.switch_to_block(plain);
        let value = self.builder.ins().fcvt_from_sint(ty, integer);
        self.builder.ins().jump(done, &[value.into()]);
        self.builder.switch_to_block(rare);
        self.store_state(integer, offset::OPERANDS);
        self.call_in_mode(i);
        let value = self.load_state(ty, offset::UNREAD);
        self.builder.ins().jump(done, &[value.into()]);
        self.builder.switch_to_block(done);
        result
    }

    /// Has a helper compute what rounds from what was passed, in the instruction's mode.
    pub(super) fn call_in_mode(&mut self, i: &Instruction) {
        if i.rm == RM_DYNAMIC {
            self.call_helper(Helper::of(i.opcode), None);
            return;
        }
        let mode = self.constant(i.rm.into());
        self.store_state(mode, offset::OPERANDS + 24);
        self.call_helper(Helper::fixed(i.opcode), None);
    }

    /// Converts a number that is not to be truncated: what is not near the limits is made integral
    /// first, which is inexact if this is.
    fn rounded_signed(&mut self, i: &Instruction, a: Value) -> Value {
        let single = self.builder.func.dfg.value_type(a) == F32;
        let limit = match i.opcode {
            Opcode::FcvtWS | Opcode::FcvtWD => 1u64 << 30,
            // So that `integral` can round it in the dynamic mode.
            _ => 1 << 51,
        } as f64;
        let (bits, limit) = match single {
            true => (I32, i64::from((limit as f32).to_bits())),
            false => (I64, limit.to_bits() as i64),
        };
        let (plain, rare, done) = self.ways();
        let result = self.builder.append_block_param(done, I64);
        let magnitude = self.builder.ins().fabs(a);
        let magnitude = self.builder.ins().bitcast(bits, MemFlagsData::new(), magnitude);
        let limit = self.builder.ins().iconst(bits, limit);
        let fits = self.builder.ins().icmp(IntCC::UnsignedLessThan, magnitude, limit);
        self.builder.ins().brif(fits, plain, &[], rare, &[]);
        self.builder.switch_to_block(plain);
        let wide = if single { self.builder.ins().fpromote(F64, a) } else { a };
        let integral = self.integral(wide, i.rm);
        let value = self.builder.ins().fcvt_to_sint_sat(I64, integral);
        self.keep(value);
        self.builder.ins().jump(done, &[value.into()]);
        self.builder.switch_to_block(rare);
        self.pass(&[a]);
        self.call_in_mode(i);
        let value = self.load_state(I64, offset::UNREAD);
        self.builder.ins().jump(done, &[value.into()]);
        self.builder.switch_to_block(done);
        result
    }

    /// The integral number next to a double whose magnitude is below 2^51, in a rounding mode
    /// given by its number.
    fn integral(&mut self, a: Value, mode: u8) -> Value {
        match RoundingMode::from_bits(mode) {
            Some(RoundingMode::NearestEven) => self.builder.ins().nearest(a),
            Some(RoundingMode::TowardZero) => self.builder.ins().trunc(a),
            Some(RoundingMode::Down) => self.builder.ins().floor(a),
            Some(RoundingMode::Up) => self.builder.ins().ceil(a),
            Some(RoundingMode::NearestAway) => {
                let integral = self.builder.ins().trunc(a);
                // Exact, as is the sum.
                let rest = self.builder.ins().fsub(a, integral);
                let rest = self.builder.ins().fabs(rest);
                let half = self.builder.ins().f64const(0.5);
                let (zero, one) =
                    (self.builder.ins().f64const(0.0), self.builder.ins().f64const(1.0));
                let away = self.builder.ins().fcmp(FloatCC::GreaterThanOrEqual, rest, half);
                let more = self.builder.ins().select(away, one, zero);
                let more = self.builder.ins().fcopysign(more, a);
                self.builder.ins().fadd(integral, more)
            }
            None => {
                // The last place of the sum is worth 1; it has the sign of `a`, which says what is
                // towards zero.
                let large = self.builder.ins().f64const((1u64 << 52) as f64);
                let large = self.builder.ins().fcopysign(large, a);
                let sum = self.builder.ins().fadd(a, large);
                self.builder.ins().fsub(sum, large)
            }
        }
    }

    /// Mostly truncates, as C does.
    pub(super) fn float_to_integer(&mut self, i: &Instruction) {
        use Opcode::*;
        let single = matches!(i.opcode, FcvtWS | FcvtWuS | FcvtLS | FcvtLuS);
        let a = if single { self.single(i.rs1) } else { self.double(i.rs1) };
        self.used(i);
        let value = match i.opcode {
            FcvtWS | FcvtLS | FcvtWD | FcvtLD if i.rm != TOWARD_ZERO => self.rounded_signed(i, a),
            FcvtWS | FcvtLS | FcvtWD | FcvtLD => self.truncated_signed(i.opcode, a),
            _ => self.truncated_unsigned(i, a),
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
    fn truncated_unsigned(&mut self, i: &Instruction, a: Value) -> Value {
        use Opcode::*;
        let (bits, limit) = match i.opcode {
            FcvtWuS => (I32, i64::from(4_294_967_296f32.to_bits())),
            FcvtLuS => (I32, i64::from(9_223_372_036_854_775_808f32.to_bits())),
            FcvtWuD => (I64, 4_294_967_296f64.to_bits() as i64),
            _ => (I64, 9_223_372_036_854_775_808f64.to_bits() as i64),
        };
        let narrow = matches!(i.opcode, FcvtWuS | FcvtWuD);
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
        self.call_in_mode(i);
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
