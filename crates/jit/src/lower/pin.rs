//! Operations kept at their places, for the flags that they raise.
//!
//! Cranelift hoists an operation out of a loop if the loop computes none of its
//! operands anew, and computes one of constants itself. So every floating-point
//! value that a loop makes is *anchored*: it comes from memory within the loop, or
//! from an operation on an anchored value. Values that come from integers are,
//! when the integer certainly changes in the loop, or by a detour through memory.

use super::Lowering;
use crate::analysis::floats_in;
use crate::effects::{self, Way};
use crate::state::offset;
use cranelift_codegen::ir::types::{F32, F64, I64};
use cranelift_codegen::ir::{self, InstBuilder, MemFlagsData, Type, Value};
use rvrun_decoder::region::Region;
use rvrun_isa::effect::{Registers, float, integer};
use rvrun_isa::{Instruction, Kind, Opcode};

/// Integer registers that only loads and steps of a counter write: in a loop that
/// writes one, it has no value twice that Cranelift could tell.
pub(super) fn changing_integers(region: &Region) -> Registers {
    let is_change = |i: &Instruction| {
        let counts = matches!(i.opcode, Opcode::Addi | Opcode::Addiw);
        matches!(i.row().kind, Kind::Load | Kind::Atomic)
            || effects::way(i) == Way::Stepped
            || counts && i.rd == i.rs1 && i.imm != 0
    };
    let mut others = 0;
    for node in &region.nodes {
        let writers = node.body.iter().filter(|i| !is_change(i));
        others |= writers.fold(0, |set, i| set | i.writes());
        others |= crate::analysis::end_writes(&node.end);
    }
    !others & !effects::FLOATS
}

impl Lowering<'_> {
    /// Keeps the operation that computes `value` here, whoever reads the result.
    pub(super) fn keep(&mut self, value: Value) {
        self.store_state(value, offset::UNREAD);
        // A store that nothing reads before the next one would go.
        let ty = self.builder.func.dfg.value_type(value);
        self.load_state(ty, offset::UNREAD);
    }

    /// The bits of `value` as floating point, anchored; `register` is where `value`
    /// is from, if it is from one.
    pub(super) fn anchored_bits(&mut self, value: Value, register: Option<u8>, ty: Type) -> Value {
        if self.is_anchored(value, register) {
            let bits = if ty == F32 { self.low(value) } else { value };
            return self.builder.ins().bitcast(ty, MemFlagsData::new(), bits);
        }
        self.store_state(value, offset::UNREAD);
        self.load_state(ty, offset::UNREAD)
    }

    /// An integer register, anchored.
    pub(super) fn anchored_integer(&mut self, register: u8) -> Value {
        let value = self.x(register);
        if self.is_anchored(value, Some(register)) {
            return value;
        }
        self.store_state(value, offset::UNREAD);
        self.builder.ins().sequence_point();
        self.load_state(I64, offset::UNREAD)
    }

    /// Values from before a loop are parameters of its head as yet, which is not sealed before
    /// the loop is done, so what is not known here was computed in the loop.
    fn is_anchored(&self, value: Value, register: Option<u8>) -> bool {
        let changing = self.changing & self.loop_writes().unwrap_or(0);
        self.is_unknown(value, 4) || register.is_some_and(|r| integer(r) & changing != 0)
    }

    /// What the innermost loop around here writes.
    fn loop_writes(&self) -> Option<Registers> {
        let head = self.plan.nodes[self.node as usize].innermost?;
        Some(self.plan.nodes[head as usize].loop_writes)
    }

    /// Whether `value` certainly depends on something that only running tells.
    fn is_unknown(&self, value: Value, depth: u32) -> bool {
        let dfg = &self.builder.func.dfg;
        let Some(inst) = dfg.value_def(value).inst() else { return false };
        let opcode = dfg.insts[inst].opcode();
        let is_constant = |value: &Value| {
            let inst = dfg.value_def(*value).inst();
            inst.is_some_and(|inst| dfg.insts[inst].opcode() == ir::Opcode::Iconst)
        };
        let args = dfg.inst_args(inst);
        let passes = match opcode {
            ir::Opcode::Uextend | ir::Opcode::Sextend | ir::Opcode::Ireduce => true,
            ir::Opcode::Iadd => args.iter().any(is_constant),
            _ => return opcode.can_load() || opcode.is_call(),
        };
        passes && depth > 0 && args.iter().any(|arg| self.is_unknown(*arg, depth - 1))
    }

    /// Reads the instruction's operands from memory if the innermost loop around it
    /// writes none of them. At a loop's head is a barrier.
    pub(super) fn pin_operands(&mut self, i: &Instruction) {
        let operands = i.reads() & effects::FLOATS;
        let Some(writes) = self.loop_writes() else { return };
        if operands == 0 || operands & writes != 0 {
            return;
        }
        self.make_canonical(operands & self.raw);
        self.flush(operands & self.held.dirty);
        self.held.dirty &= !operands;
        for register in floats_in(operands & self.held.available) {
            let single = self.held.single & float(register) != 0;
            if single {
                let value = self.load_state(F32, offset::f(register));
                self.builder.def_var(self.s[usize::from(register)], value);
            } else {
                let value = self.load_state(F64, offset::f(register));
                self.builder.def_var(self.f[usize::from(register)], value);
            }
        }
    }
}
