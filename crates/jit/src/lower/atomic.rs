//! Atomic memory operations, on the host's locked instructions: sequentially
//! consistent, whatever the acquire and release bits ask.

use super::Lowering;
use super::exits::Exit;
use crate::state::{Leave, offset};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder, Type, Value};
use rvrun_isa::{Instruction, Opcode};

impl Lowering<'_> {
    pub(super) fn atomic(&mut self, i: &Instruction, pc: u64) {
        use Opcode::*;
        let ty = width(i.opcode);
        let operation = match i.opcode {
            LrW | LrD => return self.load_reserved(i, pc, ty),
            ScW | ScD => return self.store_conditional(i, pc, ty),
            AmocasB | AmocasH | AmocasW | AmocasD => return self.compare_and_swap(i, pc, ty),
            AmoswapB | AmoswapH | AmoswapW | AmoswapD => AtomicRmwOp::Xchg,
            AmoaddB | AmoaddH | AmoaddW | AmoaddD => AtomicRmwOp::Add,
            AmoxorB | AmoxorH | AmoxorW | AmoxorD => AtomicRmwOp::Xor,
            AmoandB | AmoandH | AmoandW | AmoandD => AtomicRmwOp::And,
            AmoorB | AmoorH | AmoorW | AmoorD => AtomicRmwOp::Or,
            AmominB | AmominH | AmominW | AmominD => AtomicRmwOp::Smin,
            AmomaxB | AmomaxH | AmomaxW | AmomaxD => AtomicRmwOp::Smax,
            AmominuB | AmominuH | AmominuW | AmominuD => AtomicRmwOp::Umin,
            AmomaxuB | AmomaxuH | AmomaxuW | AmomaxuD => AtomicRmwOp::Umax,
            other => unreachable!("{other:?} is not lowered here"),
        };
        let operand = self.x(i.rs2);
        let address = self.aligned_address(i, pc, ty);
        let operand = self.narrow(operand, ty);
        let flags = self.guest_flags();
        let old = self.builder.ins().atomic_rmw(ty, flags, operation, address, operand);
        let old = self.widen(old);
        self.set_x(i.rd, old);
    }

    /// The address that `i` accesses; the interpreter knows which trap a misaligned one is.
    fn aligned_address(&mut self, i: &Instruction, pc: u64, ty: Type) -> Value {
        let address = self.x(i.rs1);
        if ty != I8 {
            let misaligned = self.builder.ins().band_imm_s(address, i64::from(ty.bytes()) - 1);
            let trap = self.exit_block(Exit::Because(Leave::Interpret, pc));
            let on = self.block();
            self.builder.ins().brif(misaligned, trap, &[], on, &[]);
            self.builder.switch_to_block(on);
        }
        address
    }

    fn narrow(&mut self, value: Value, ty: Type) -> Value {
        if ty == I64 { value } else { self.builder.ins().ireduce(ty, value) }
    }

    fn widen(&mut self, value: Value) -> Value {
        match self.builder.func.dfg.value_type(value) {
            I64 => value,
            _ => self.sign_extend(value),
        }
    }

    fn compare_and_swap(&mut self, i: &Instruction, pc: u64, ty: Type) {
        let (expected, new) = (self.x(i.rd), self.x(i.rs2));
        let address = self.aligned_address(i, pc, ty);
        let (expected, new) = (self.narrow(expected, ty), self.narrow(new, ty));
        let flags = self.guest_flags();
        let old = self.builder.ins().atomic_cas(flags, address, expected, new);
        let old = self.widen(old);
        self.set_x(i.rd, old);
    }

    fn load_reserved(&mut self, i: &Instruction, pc: u64, ty: Type) {
        let address = self.aligned_address(i, pc, ty);
        let flags = self.guest_flags();
        let value = self.builder.ins().atomic_load(ty, flags, address);
        let value = self.widen(value);
        let size = self.constant(ty.bytes().into());
        self.store_state(address, offset::RESERVED_ADDR);
        self.store_state(value, offset::RESERVED_VALUE);
        self.store_state(size, offset::RESERVED_SIZE);
        self.set_x(i.rd, value);
    }

    /// Succeeds where a compare-and-swap from the value that was reserved does.
    fn store_conditional(&mut self, i: &Instruction, pc: u64, ty: Type) {
        let new = self.x(i.rs2);
        let address = self.aligned_address(i, pc, ty);
        let new = self.narrow(new, ty);
        let reserved = self.load_state(I64, offset::RESERVED_ADDR);
        let size = self.load_state(I64, offset::RESERVED_SIZE);
        let same_address = self.builder.ins().icmp(IntCC::Equal, reserved, address);
        let same_size = self.builder.ins().icmp_imm_s(IntCC::Equal, size, i64::from(ty.bytes()));
        let is_reserved = self.builder.ins().band(same_address, same_size);
        let (exchange, done) = (self.block(), self.block());
        let failed = self.builder.append_block_param(done, I64);
        let one = self.constant(1);
        self.builder.ins().brif(is_reserved, exchange, &[], done, &[one.into()]);
        self.builder.switch_to_block(exchange);
        let expected = self.load_state(I64, offset::RESERVED_VALUE);
        let expected = self.narrow(expected, ty);
        let flags = self.guest_flags();
        let old = self.builder.ins().atomic_cas(flags, address, expected, new);
        let changed = self.truth(IntCC::NotEqual, old, expected);
        self.builder.ins().jump(done, &[changed.into()]);
        self.builder.switch_to_block(done);
        let none = self.constant(0);
        self.store_state(none, offset::RESERVED_SIZE);
        self.set_x(i.rd, failed);
    }
}

/// The type of what the instruction accesses: the width field of its format.
fn width(opcode: Opcode) -> Type {
    match opcode.row().value >> 12 & 7 {
        0 => I8,
        1 => I16,
        2 => I32,
        _ => I64,
    }
}
