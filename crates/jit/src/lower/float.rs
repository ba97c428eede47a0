//! Floating point on the host's unit.
//!
//! While translated code runs, MXCSR holds the guest's rounding mode and collects
//! its flags. To Cranelift these operations are pure: it would leave one out whose
//! result nobody reads, move it to where it is read, or out of a loop. So each
//! operation whose flags count is tied to its place:
//!
//! - Until a result is tested for a NaN, which has to become the canonical one, its
//!   register is *raw*. What no other such operation has read by the end of the node is
//!   tested there, by a branch; what one has read is tied to that one, and may go on
//!   raw to other nodes ([`NodePlan::raw`](crate::analysis::NodePlan::raw)). A result
//!   that is overwritten before, unread, is stored where nobody looks.
//! - In loops, and where they are constants, operands come from memory ([`pin`](super::pin)).

use super::Lowering;
use crate::helper::Helper;
use crate::state::{Leave, offset};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{Block, InstBuilder, MemFlagsData, Type, Value};
use rvrun_hart::float::{F32 as Single, F64 as Double, Format};
use rvrun_isa::effect::{Registers, float};
use rvrun_isa::{Instruction, Opcode};

use crate::analysis::floats_in;

impl Lowering<'_> {
    pub(super) fn float(&mut self, i: &Instruction) {
        use Opcode::*;
        self.pin_operands(i);
        match i.opcode {
            FaddS | FsubS | FmulS | FdivS => {
                let (a, b) = (self.single(i.rs1), self.single(i.rs2));
                self.used(i);
                let value = self.arithmetic(i.opcode, a, b);
                self.set_raw(i.rd, value, F32);
            }
            FaddD | FsubD | FmulD | FdivD => {
                let (a, b) = (self.double(i.rs1), self.double(i.rs2));
                self.used(i);
                let value = self.arithmetic(i.opcode, a, b);
                self.set_raw(i.rd, value, F64);
            }
            FsqrtS => {
                let a = self.single(i.rs1);
                self.used(i);
                let value = self.builder.ins().sqrt(a);
                self.set_raw(i.rd, value, F32);
            }
            FsqrtD => {
                let a = self.double(i.rs1);
                self.used(i);
                let value = self.builder.ins().sqrt(a);
                self.set_raw(i.rd, value, F64);
            }
            FmaddS | FmsubS | FnmsubS | FnmaddS => {
                let operands = [self.single(i.rs1), self.single(i.rs2), self.single(i.rs3)];
                self.used(i);
                let value = self.fused(i.opcode, operands, F32);
                self.set_clean(i.rd, value, F32);
            }
            FmaddD | FmsubD | FnmsubD | FnmaddD => {
                let operands = [self.double(i.rs1), self.double(i.rs2), self.double(i.rs3)];
                self.used(i);
                let value = self.fused(i.opcode, operands, F64);
                self.set_clean(i.rd, value, F64);
            }
            FsgnjS | FsgnjnS | FsgnjxS => {
                self.make_canonical(i.reads());
                let (a, b) = (self.single(i.rs1), self.single(i.rs2));
                let value = self.sign_injected(i, a, b, I32);
                self.set_signed(i, value, F32);
            }
            FsgnjD | FsgnjnD | FsgnjxD => {
                self.make_canonical(i.reads());
                let (a, b) = (self.double(i.rs1), self.double(i.rs2));
                let value = self.sign_injected(i, a, b, I64);
                self.set_signed(i, value, F64);
            }
            FeqS | FltS | FleS => {
                let (a, b) = (self.single(i.rs1), self.single(i.rs2));
                self.used(i);
                self.compare(i, a, b);
            }
            FeqD | FltD | FleD => {
                let (a, b) = (self.double(i.rs1), self.double(i.rs2));
                self.used(i);
                self.compare(i, a, b);
            }
            FminS | FmaxS => {
                let (a, b) = (self.single(i.rs1), self.single(i.rs2));
                self.used(i);
                let value = self.extreme(i, a, b, F32);
                self.set_clean(i.rd, value, F32);
            }
            FminD | FmaxD => {
                let (a, b) = (self.double(i.rs1), self.double(i.rs2));
                self.used(i);
                let value = self.extreme(i, a, b, F64);
                self.set_clean(i.rd, value, F64);
            }
            FcvtSD => {
                let a = self.double(i.rs1);
                self.used(i);
                let value = self.builder.ins().fdemote(F32, a);
                self.set_raw(i.rd, value, F32);
            }
            FcvtDS => {
                let a = self.single(i.rs1);
                self.used(i);
                let value = self.builder.ins().fpromote(F64, a);
                self.set_raw(i.rd, value, F64);
            }
            FcvtSW | FcvtSWu | FcvtSL | FcvtSLu | FcvtDW | FcvtDWu | FcvtDL | FcvtDLu => {
                self.integer_to_float(i);
            }
            FcvtWS | FcvtWuS | FcvtLS | FcvtLuS | FcvtWD | FcvtWuD | FcvtLD | FcvtLuD => {
                self.float_to_integer(i);
            }
            FmvXH | FmvXW | FmvXD | FmvHX | FmvWX | FmvDX | FliS | FliD | FliH => self.moved(i),
            other => unreachable!("{other:?} is not lowered here"),
        }
    }

    fn arithmetic(&mut self, opcode: Opcode, a: Value, b: Value) -> Value {
        use Opcode::*;
        match opcode {
            FaddS | FaddD => self.builder.ins().fadd(a, b),
            FsubS | FsubD => self.builder.ins().fsub(a, b),
            FmulS | FmulD => self.builder.ins().fmul(a, b),
            _ => self.builder.ins().fdiv(a, b),
        }
    }

    /// A fused multiply-add. The host does not say that ∞ × 0 + NaN is invalid, so
    /// a NaN result is computed anew.
    fn fused(&mut self, opcode: Opcode, [a, b, c]: [Value; 3], ty: Type) -> Value {
        use Opcode::*;
        let negate_product = matches!(opcode, FnmsubS | FnmaddS | FnmsubD | FnmaddD);
        let negate_sum = matches!(opcode, FmsubS | FnmaddS | FmsubD | FnmaddD);
        let product = if negate_product { self.builder.ins().fneg(a) } else { a };
        let summand = if negate_sum { self.builder.ins().fneg(c) } else { c };
        let value = self.builder.ins().fma(product, b, summand);
        self.unless_unordered(value, value, value, Helper::of(opcode), &[a, b, c], ty)
    }

    /// `value`, or what `helper` makes of `operands` if `a` and `b` are unordered.
    fn unless_unordered(
        &mut self,
        a: Value,
        b: Value,
        value: Value,
        helper: Helper,
        operands: &[Value],
        ty: Type,
    ) -> Value {
        let (rare, done) = (self.cold_block(), self.block());
        let result = self.builder.append_block_param(done, ty);
        let unordered = self.builder.ins().fcmp(FloatCC::Unordered, a, b);
        self.builder.ins().brif(unordered, rare, &[], done, &[value.into()]);
        self.builder.switch_to_block(rare);
        self.pass(operands);
        self.call_helper(helper, None);
        let anew = self.load_state(ty, offset::UNREAD);
        self.builder.ins().jump(done, &[anew.into()]);
        self.builder.switch_to_block(done);
        result
    }

    /// Makes floating-point values the operands of a helper.
    pub(super) fn pass(&mut self, operands: &[Value]) {
        for (index, operand) in operands.iter().enumerate() {
            let at = offset::OPERANDS + 8 * index as i32;
            if self.builder.func.dfg.value_type(*operand) == F32 {
                self.pass_single(*operand, at);
            } else {
                self.store_state(*operand, at);
            }
        }
    }

    /// Blocks for what is usual, for what is rare, and for what follows.
    pub(super) fn ways(&mut self) -> (Block, Block, Block) {
        (self.block(), self.cold_block(), self.block())
    }

    fn sign_injected(&mut self, i: &Instruction, a: Value, b: Value, bits: Type) -> Value {
        use Opcode::*;
        let same = i.rs1 == i.rs2;
        match i.opcode {
            FsgnjS | FsgnjD if same => a,
            FsgnjS | FsgnjD => self.builder.ins().fcopysign(a, b),
            FsgnjnS | FsgnjnD if same => self.builder.ins().fneg(a),
            FsgnjnS | FsgnjnD => {
                let negated = self.builder.ins().fneg(b);
                self.builder.ins().fcopysign(a, negated)
            }
            _ if same => self.builder.ins().fabs(a),
            _ => {
                let ty = self.builder.func.dfg.value_type(a);
                let flags = MemFlagsData::new();
                let a_bits = self.builder.ins().bitcast(bits, flags, a);
                let b_bits = self.builder.ins().bitcast(bits, flags, b);
                let sign = self.builder.ins().iconst(bits, i64::MIN >> (64 - bits.bits()));
                let sign = self.builder.ins().band(b_bits, sign);
                let value = self.builder.ins().bxor(a_bits, sign);
                self.builder.ins().bitcast(ty, flags, value)
            }
        }
    }

    /// Writes the result of a sign injection. A copy, and an absolute value, of what is
    /// clean are clean; the canonical NaN is positive.
    fn set_signed(&mut self, i: &Instruction, value: Value, ty: Type) {
        use Opcode::*;
        let keeps = i.rs1 == i.rs2 && matches!(i.opcode, FsgnjS | FsgnjD | FsgnjxS | FsgnjxD);
        if keeps && self.clean & float(i.rs1) != 0 {
            self.set_clean(i.rd, value, ty);
        } else {
            self.set_float(i.rd, value, ty);
        }
    }

    fn compare(&mut self, i: &Instruction, a: Value, b: Value) {
        use Opcode::*;
        let condition = match i.opcode {
            FeqS | FeqD => FloatCC::Equal,
            FltS | FltD => FloatCC::LessThan,
            _ => FloatCC::LessThanOrEqual,
        };
        if let Some(quiet) = &mut self.quiet {
            quiet.operands.push((a, b));
        }
        let truth = self.builder.ins().fcmp(condition, a, b);
        let value = self.builder.ins().uextend(I64, truth);
        let value = if condition == FloatCC::Equal {
            self.keep(value);
            value
        } else {
            // The host's quiet comparison does not say that a quiet NaN is invalid.
            self.unless_unordered(a, b, value, Helper::of(i.opcode), &[a, b], I64)
        };
        self.set_x(i.rd, value);
    }

    fn extreme(&mut self, i: &Instruction, a: Value, b: Value, ty: Type) -> Value {
        use Opcode::*;
        let smaller = matches!(i.opcode, FminS | FminD);
        // A choice by `LessThan` would become the host's `min`, to which quiet NaNs
        // are invalid.
        let (above, below) = if smaller { (b, a) } else { (a, b) };
        let first = self.builder.ins().fcmp(FloatCC::GreaterThan, above, below);
        let chosen = self.builder.ins().select(first, a, b);
        // Zeros are equal, but -0 is the smaller one.
        let bits = if ty == F32 { I32 } else { I64 };
        let flags = MemFlagsData::new();
        let a_bits = self.builder.ins().bitcast(bits, flags, a);
        let b_bits = self.builder.ins().bitcast(bits, flags, b);
        let both = match smaller {
            true => self.builder.ins().bor(a_bits, b_bits),
            false => self.builder.ins().band(a_bits, b_bits),
        };
        let zero = self.builder.ins().bitcast(ty, flags, both);
        let equal = self.builder.ins().fcmp(FloatCC::Equal, a, b);
        let value = self.builder.ins().select(equal, zero, chosen);
        self.unless_unordered(a, b, value, Helper::of(i.opcode), &[a, b], ty)
    }

    /// The register in single precision. One that is not boxed is the interpreter's.
    pub(super) fn single(&mut self, register: u8) -> Value {
        let mask = float(register);
        if self.held.available & mask != 0 && self.held.single & mask != 0 {
            return self.builder.use_var(self.s[usize::from(register)]);
        }
        let (low, high) = if self.held.available & mask == 0 {
            let high = self.load_state(I32, offset::f(register) + 4);
            (self.load_state(F32, offset::f(register)), high)
        } else {
            let value = self.stored_double(register);
            let bits = self.builder.ins().bitcast(I64, MemFlagsData::new(), value);
            let high = self.builder.ins().ushr_imm_u(bits, 32);
            let low = self.low(bits);
            let low = self.builder.ins().bitcast(F32, MemFlagsData::new(), low);
            (low, self.low(high))
        };
        let boxed = self.builder.ins().icmp_imm_s(IntCC::Equal, high, -1);
        let unboxed = self.exit_block(super::Exit::Because(Leave::Interpret, self.origin.pc));
        let on = self.block();
        self.builder.ins().brif(boxed, on, &[], unboxed, &[]);
        self.builder.switch_to_block(on);
        if self.held.available & mask == 0 {
            self.builder.def_var(self.s[usize::from(register)], low);
            self.held.read(mask, mask);
            self.clean &= !mask;
        }
        low
    }

    /// The register's 64 bits.
    pub(super) fn double(&mut self, register: u8) -> Value {
        let mask = float(register);
        if self.held.available & mask == 0 {
            let value = self.load_state(F64, offset::f(register));
            self.builder.def_var(self.f[usize::from(register)], value);
            self.held.read(mask, 0);
            self.clean &= !mask;
            return value;
        }
        if self.held.single & mask == 0 {
            return self.builder.use_var(self.f[usize::from(register)]);
        }
        self.make_canonical(mask & self.raw);
        let value = self.builder.use_var(self.s[usize::from(register)]);
        let bits = self.builder.ins().bitcast(I32, MemFlagsData::new(), value);
        let bits = self.builder.ins().uextend(I64, bits);
        let boxing = self.builder.ins().iconst(I64, Single::BOX as i64);
        let bits = self.builder.ins().bor(bits, boxing);
        self.builder.ins().bitcast(F64, MemFlagsData::new(), bits)
    }

    /// The register's 64 bits, to be seen.
    pub(super) fn stored_double(&mut self, register: u8) -> Value {
        self.make_canonical(float(register) & self.raw);
        self.double(register)
    }

    /// The register's low 32 bits, to be seen.
    pub(super) fn low_bits(&mut self, register: u8) -> Value {
        let mask = float(register);
        self.make_canonical(mask & self.raw);
        if self.held.available & self.held.single & mask != 0 {
            let value = self.builder.use_var(self.s[usize::from(register)]);
            return self.builder.ins().bitcast(I32, MemFlagsData::new(), value);
        }
        let value = self.double(register);
        let bits = self.builder.ins().bitcast(I64, MemFlagsData::new(), value);
        self.low(bits)
    }

    pub(super) fn set_single(&mut self, register: u8, value: Value) {
        self.overwrite(register);
        self.builder.def_var(self.s[usize::from(register)], value);
        self.held.write(float(register), float(register));
    }

    pub(super) fn set_double(&mut self, register: u8, value: Value) {
        self.overwrite(register);
        self.builder.def_var(self.f[usize::from(register)], value);
        self.held.write(float(register), 0);
    }

    /// Writes a register with a value of type `ty`.
    fn set_float(&mut self, register: u8, value: Value, ty: Type) {
        if ty == F32 {
            self.set_single(register, value);
        } else {
            self.set_double(register, value);
        }
    }

    /// Writes a register with a value that is no NaN, or the canonical one.
    pub(super) fn set_clean(&mut self, register: u8, value: Value, ty: Type) {
        self.set_float(register, value, ty);
        self.clean |= float(register);
    }

    pub(super) fn set_raw(&mut self, register: u8, value: Value, ty: Type) {
        self.set_float(register, value, ty);
        self.raw |= float(register);
        self.unused |= float(register);
    }

    /// The operands of `i` are read by an operation that is tied to its place.
    pub(super) fn used(&mut self, i: &Instruction) {
        self.unused &= !i.reads();
    }

    /// The register is about to be overwritten.
    fn overwrite(&mut self, register: u8) {
        let mask = float(register);
        if self.unused & mask != 0 {
            let single = self.held.single & mask != 0;
            let variables = if single { &self.s } else { &self.f };
            let value = self.builder.use_var(variables[usize::from(register)]);
            self.keep(value);
        }
        self.raw &= !mask;
        self.unused &= !mask;
        self.clean &= !mask;
    }

    /// Makes NaNs in these registers, as far as they are raw, the canonical one.
    pub(super) fn make_canonical(&mut self, registers: Registers) {
        for register in floats_in(registers & self.raw) {
            let single = self.held.single & float(register) != 0;
            let variables = if single { &self.s } else { &self.f };
            let variable = variables[usize::from(register)];
            let value = self.builder.use_var(variable);
            let unordered = self.builder.ins().fcmp(FloatCC::Unordered, value, value);
            let (rare, on) = (self.cold_block(), self.block());
            self.builder.ins().brif(unordered, rare, &[], on, &[]);
            self.builder.switch_to_block(rare);
            let canonical = self.canonical(single);
            self.builder.def_var(variable, canonical);
            self.builder.ins().jump(on, &[]);
            // The builder has to know of both ways before the register is read again.
            self.builder.seal_block(rare);
            self.builder.seal_block(on);
            self.builder.switch_to_block(on);
            self.raw &= !float(register);
            self.unused &= !float(register);
            self.clean |= float(register);
        }
    }

    pub(super) fn canonical(&mut self, single: bool) -> Value {
        if single {
            self.builder.ins().f32const(Ieee32::with_bits(Single::CANONICAL as u32))
        } else {
            self.builder.ins().f64const(Ieee64::with_bits(Double::CANONICAL))
        }
    }

    /// The single-precision value for memory, without a branch.
    pub(super) fn canonical_single(&mut self, register: u8) -> Value {
        let value = self.builder.use_var(self.s[usize::from(register)]);
        self.canonical_if_raw(register, value, true)
    }

    /// The double-precision value for memory, without a branch.
    pub(super) fn canonical_double(&mut self, register: u8) -> Value {
        let value = self.builder.use_var(self.f[usize::from(register)]);
        self.canonical_if_raw(register, value, false)
    }

    fn canonical_if_raw(&mut self, register: u8, value: Value, single: bool) -> Value {
        if self.raw & float(register) == 0 {
            return value;
        }
        let canonical = self.canonical(single);
        let unordered = self.builder.ins().fcmp(FloatCC::Unordered, value, value);
        self.builder.ins().select(unordered, canonical, value)
    }
}
