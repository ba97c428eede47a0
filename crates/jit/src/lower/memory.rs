//! Loads, stores and fences.

use super::Lowering;
use crate::state::offset;
use cranelift_codegen::ir::types::{F32, F64, I64};
use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder, MemFlagsData};
use rvrun_isa::effect::is_full_fence;
use rvrun_isa::{Instruction, Opcode};

impl Lowering<'_> {
    /// RVWMO orders two loads of one address, through whichever registers, and what
    /// depends on a load, even if only by its syntax (PPO rules 2 and 9 to 11). Cranelift
    /// knows neither: it would give a load what an earlier access of the same place had,
    /// and leave out a store of what is there, over loads in between. So nothing that it
    /// knows of memory outlives the next load.
    pub(super) fn load(&mut self, i: &Instruction) {
        self.builder.ins().sequence_point();
        let flags = self.guest_flags();
        let base = self.x(i.rs1);
        let ins = self.builder.ins();
        let value = match i.opcode {
            Opcode::Lb => ins.sload8(I64, flags, base, i.imm),
            Opcode::Lbu => ins.uload8(I64, flags, base, i.imm),
            Opcode::Lh => ins.sload16(I64, flags, base, i.imm),
            Opcode::Lhu => ins.uload16(I64, flags, base, i.imm),
            Opcode::Lw => ins.sload32(flags, base, i.imm),
            Opcode::Lwu => ins.uload32(flags, base, i.imm),
            Opcode::Ld => ins.load(I64, flags, base, i.imm),
            Opcode::Flh => {
                let bits = ins.uload16(I64, flags, base, i.imm);
                let bits = self.boxed_half(bits);
                let value = self.builder.ins().bitcast(F64, MemFlagsData::new(), bits);
                return self.set_double(i.rd, value);
            }
            Opcode::Flw => {
                let value = ins.load(F32, flags, base, i.imm);
                return self.set_single(i.rd, value);
            }
            Opcode::Fld => {
                let value = ins.load(F64, flags, base, i.imm);
                return self.set_double(i.rd, value);
            }
            other => unreachable!("{other:?} is not lowered here"),
        };
        self.set_x(i.rd, value);
    }

    /// To be called before each store.
    pub(super) fn order_store(&mut self) {
        self.fenced = false;
        if self.mode.precise {
            // Each store is to fault itself: Cranelift leaves out one that the next
            // overwrites, or of what is there already, unless something orders them.
            self.builder.ins().sequence_point();
        }
    }

    pub(super) fn store(&mut self, i: &Instruction) {
        self.order_store();
        let flags = self.guest_flags();
        let base = self.x(i.rs1);
        match i.opcode {
            Opcode::Fsh => {
                let value = self.low_bits(i.rs2);
                self.builder.ins().istore16(flags, value, base, i.imm);
                return;
            }
            Opcode::Fsw => {
                let value = self.low_bits(i.rs2);
                self.builder.ins().store(flags, value, base, i.imm);
                return;
            }
            Opcode::Fsd => {
                let value = self.stored_double(i.rs2);
                self.builder.ins().store(flags, value, base, i.imm);
                return;
            }
            _ => {}
        }
        let value = self.x(i.rs2);
        if i.opcode == Opcode::Sw {
            // Its extension is not wanted if it has one.
            let word = self.low(value);
            self.builder.ins().store(flags, word, base, i.imm);
            return;
        }
        let ins = self.builder.ins();
        match i.opcode {
            Opcode::Sb => ins.istore8(flags, value, base, i.imm),
            Opcode::Sh => ins.istore16(flags, value, base, i.imm),
            Opcode::Sd => ins.store(flags, value, base, i.imm),
            other => unreachable!("{other:?} is not lowered here"),
        };
    }

    /// The host lets only loads pass earlier stores; a fence that forbids that is
    /// one on the host, others only keep the optimiser from moving accesses.
    pub(super) fn fence(&mut self, i: &Instruction) {
        if i.opcode == Opcode::Fence && is_full_fence(i.imm) && !self.fenced {
            self.fenced = true;
            // See `rvrun_host::processor::full_fence`.
            let (flags, state) = (self.hart_flags(), self.state());
            let place = self.builder.ins().iadd_imm_s(state, i64::from(offset::FENCED));
            let zero = self.constant(0);
            self.builder.ins().atomic_rmw(I64, flags, AtomicRmwOp::Add, place, zero);
        } else {
            self.builder.ins().sequence_point();
        }
    }
}
