//! Instructions that a helper computes.

use super::{Lowering, Quiet};
use crate::effects;
use crate::helper::Helper;
use crate::state::offset;
use cranelift_codegen::ir::condcodes::FloatCC;
use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use rvrun_isa::effect::float;
use rvrun_isa::field::{Class, Slot};
use rvrun_isa::{Instruction, Opcode, csr};

impl Lowering<'_> {
    /// Has a helper compute `i` from the values of its operands.
    pub(super) fn helped(&mut self, i: &Instruction) {
        let mut at = offset::OPERANDS;
        let mut rounds = false;
        for field in i.row().fields {
            let register = match field.slot {
                Slot::Rs1 => i.rs1,
                Slot::Rs2 => i.rs2,
                Slot::Rs3 => i.rs3,
                Slot::Rm => {
                    rounds = true;
                    continue;
                }
                _ => continue,
            };
            match field.class {
                Class::F => self.pass_float(register, at),
                _ => {
                    let value = self.x(register);
                    self.store_state(value, at);
                }
            }
            at += 8;
        }
        if rounds {
            self.call_in_mode(i);
        } else {
            self.call_helper(Helper::of(i.opcode), None);
        }
        if i.row().writes_integer {
            if i.rd != 0 {
                let value = self.load_state(I64, offset::UNREAD);
                self.set_x(i.rd, value);
            }
        } else if effects::writes_single(i) != 0 {
            let value = self.load_state(F32, offset::UNREAD);
            self.set_single(i.rd, value);
        } else {
            let value = self.load_state(F64, offset::UNREAD);
            self.set_double(i.rd, value);
        }
    }

    /// Stores all bits of a floating-point register.
    fn pass_float(&mut self, register: u8, at: i32) {
        let mask = float(register);
        if self.held.available & self.held.single & mask != 0 {
            let value = self.low_bits(register);
            self.pass_single(value, at);
        } else {
            let value = self.stored_double(register);
            self.store_state(value, at);
        }
    }

    /// Stores a single-precision value or its bits, boxed.
    pub(super) fn pass_single(&mut self, value: Value, at: i32) {
        self.store_state(value, at);
        let boxing = self.builder.ins().iconst(I32, -1);
        self.store_state(boxing, at + 4);
    }

    /// Reads a clock.
    pub(super) fn read_clock(&mut self, i: &Instruction) {
        let clock = self.constant(u64::from(i.imm as u16 - csr::CLOCK));
        self.store_state(clock, offset::OPERANDS);
        self.call_helper(Helper::CLOCK, None);
        if i.rd != 0 {
            let value = self.load_state(I64, offset::UNREAD);
            self.set_x(i.rd, value);
        }
    }

    /// Reads or changes the floating-point flags, or reads the rounding mode; the
    /// hart has all registers.
    pub(super) fn access_flags(&mut self, i: &Instruction, quiet: Option<Quiet>) {
        let is_all = i.imm == csr::FFLAGS.into();
        match quiet {
            Some(quiet)
                if is_all && i.opcode == Opcode::Csrrw && i.rd == 0 && i.rs1 == quiet.register =>
            {
                self.restore_flags(i, &quiet);
            }
            _ => self.call_flags(i),
        }
        if is_all && i.opcode == Opcode::Csrrs && i.rs1 == 0 && i.rd != 0 {
            self.quiet = Some(Quiet { register: i.rd, operands: Vec::new() });
        }
    }

    /// Writes the flags that were there before comparisons: only those of unordered operands have
    /// raised any.
    fn restore_flags(&mut self, i: &Instruction, quiet: &Quiet) {
        let (raised, on) = (self.cold_block(), self.block());
        for (a, b) in &quiet.operands {
            let unordered = self.builder.ins().fcmp(FloatCC::Unordered, *a, *b);
            let next = self.block();
            self.builder.ins().brif(unordered, raised, &[], next, &[]);
            self.builder.switch_to_block(next);
        }
        for at in [offset::STEPPED, offset::INSTRET] {
            let before = self.load_state(I64, at);
            let after = self.add_constant(before, 1);
            self.store_state(after, at);
        }
        self.builder.ins().jump(on, &[]);
        self.builder.switch_to_block(raised);
        self.call_flags(i);
        self.builder.ins().jump(on, &[]);
        self.builder.switch_to_block(on);
    }

    fn call_flags(&mut self, i: &Instruction) {
        use Opcode::*;
        let bits = match i.opcode {
            Csrrwi | Csrrsi | Csrrci => self.constant(i.rs1.into()),
            _ => self.load_state(I64, offset::x(i.rs1)),
        };
        let (keep, flip) = match i.opcode {
            Csrrw | Csrrwi => (self.constant(0), bits),
            Csrrs | Csrrsi => (self.builder.ins().bnot(bits), bits),
            _ => (self.builder.ins().bnot(bits), self.constant(0)),
        };
        let (rd, number) = (self.constant(i.rd.into()), self.constant(i.imm as u64));
        for (index, operand) in [rd, number, keep, flip].into_iter().enumerate() {
            self.store_state(operand, offset::OPERANDS + 8 * index as i32);
        }
        let is_all = i.imm == csr::FFLAGS.into();
        self.call_helper_by(if is_all { Helper::FLAGS_CALL } else { Helper::CALL }, Helper::FLAGS);
    }
}
