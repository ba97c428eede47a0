//! Atomic memory operations, on the host's locked instructions: sequentially
//! consistent, whatever the acquire and release bits ask.

use super::{Exit, Lowering};
use crate::state::Leave;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder};
use rvrun_isa::{Instruction, Opcode};

impl Lowering<'_> {
    pub(super) fn atomic(&mut self, i: &Instruction, pc: u64) {
        use Opcode::*;
        let (operation, ty) = match i.opcode {
            AmoswapW => (AtomicRmwOp::Xchg, I32),
            AmoswapD => (AtomicRmwOp::Xchg, I64),
            AmoaddW => (AtomicRmwOp::Add, I32),
            AmoaddD => (AtomicRmwOp::Add, I64),
            AmoxorW => (AtomicRmwOp::Xor, I32),
            AmoxorD => (AtomicRmwOp::Xor, I64),
            AmoandW => (AtomicRmwOp::And, I32),
            AmoandD => (AtomicRmwOp::And, I64),
            AmoorW => (AtomicRmwOp::Or, I32),
            AmoorD => (AtomicRmwOp::Or, I64),
            AmominW => (AtomicRmwOp::Smin, I32),
            AmominD => (AtomicRmwOp::Smin, I64),
            AmomaxW => (AtomicRmwOp::Smax, I32),
            AmomaxD => (AtomicRmwOp::Smax, I64),
            AmominuW => (AtomicRmwOp::Umin, I32),
            AmominuD => (AtomicRmwOp::Umin, I64),
            AmomaxuW => (AtomicRmwOp::Umax, I32),
            AmomaxuD => (AtomicRmwOp::Umax, I64),
            other => unreachable!("{other:?} is not lowered here"),
        };
        let (address, operand) = (self.x(i.rs1), self.x(i.rs2));
        // The interpreter knows which trap a misaligned address is.
        let misaligned = self.builder.ins().band_imm_s(address, i64::from(ty.bytes()) - 1);
        let trap = self.exit_block(Exit::Because(Leave::Interpret, pc));
        let on = self.builder.create_block();
        self.builder.ins().brif(misaligned, trap, &[], on, &[]);
        self.builder.switch_to_block(on);
        let operand = if ty == I32 { self.low(operand) } else { operand };
        let flags = self.guest_flags();
        let old = self.builder.ins().atomic_rmw(ty, flags, operation, address, operand);
        let old = if ty == I32 { self.sign_extend(old) } else { old };
        self.set_x(i.rd, old);
    }
}
