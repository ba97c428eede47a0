//! Faults for a test: what a translator with a defect would make.
//!
//! The feature `planted-faults` puts the one that `RVRUN_PLANTED_FAULT` names into each
//! region, behind the lowering, so that those who look for defects can be tested.

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Imm64;
use cranelift_codegen::ir::types::{F64, I64};
use cranelift_codegen::ir::{
    AtomicRmwOp, Function, Inst, InstBuilder, InstructionData, Opcode, Value,
};
use std::sync::OnceLock;

use crate::state::offset;

/// Plants the fault that the environment names into `function`, if it names one.
pub fn plant(function: &mut Function) {
    static WANTED: OnceLock<Option<String>> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| std::env::var("RVRUN_PLANTED_FAULT").ok());
    let Some(wanted) = wanted else { return };
    let (_, change) = FAULTS
        .iter()
        .find(|(name, _)| name == wanted)
        .unwrap_or_else(|| panic!("no fault is called `{wanted}`"));
    let blocks: Vec<_> = function.layout.blocks().collect();
    for block in blocks {
        let instructions: Vec<_> = function.layout.block_insts(block).collect();
        for instruction in instructions {
            change(function, instruction);
        }
    }
}

/// Changes an instruction, if it is one that the fault is about.
type Change = fn(&mut Function, Inst);

/// All that can be planted.
const FAULTS: [(&str, Change); 14] = [
    ("sign-extension", |f, i| rename(f, i, Opcode::Sextend, Opcode::Uextend)),
    ("narrow-load", |f, i| rename(f, i, Opcode::Uload8, Opcode::Sload8)),
    ("arithmetic-shift", |f, i| rename(f, i, Opcode::Sshr, Opcode::Ushr)),
    ("high-product", |f, i| rename(f, i, Opcode::Umulhi, Opcode::Smulhi)),
    ("float-difference", |f, i| rename(f, i, Opcode::Fsub, Opcode::Fadd)),
    ("dropped-store", dropped_store),
    ("store-too-far", store_too_far),
    ("stale-integer-at-exit", |f, i| stale_at_exit(f, i, offset::x(0)..offset::x(32))),
    ("stale-float-at-exit", |f, i| stale_at_exit(f, i, offset::f(0)..offset::f(32))),
    ("wrong-flag", wrong_flag),
    ("unsigned-comparison", unsigned_comparison),
    ("branch-inverted", branch_inverted),
    ("constant-too-large", constant_too_large),
    ("atomic-difference", atomic_difference),
];

fn rename(function: &mut Function, instruction: Inst, from: Opcode, to: Opcode) {
    match &mut function.dfg.insts[instruction] {
        InstructionData::Unary { opcode, .. }
        | InstructionData::Binary { opcode, .. }
        | InstructionData::Load { opcode, .. }
            if *opcode == from =>
        {
            *opcode = to;
        }
        _ => {}
    }
}

/// Whether the value is the address of the state that translated code works on.
fn is_state(function: &Function, value: Value) -> bool {
    let value = function.dfg.resolve_aliases(value);
    let inst = function.dfg.value_def(value).inst();
    inst.is_some_and(|inst| function.dfg.insts[inst].opcode() == Opcode::GetPinnedReg)
}

/// The offset, if the instruction stores to the state; none if it stores elsewhere.
fn stored_at(function: &Function, instruction: Inst) -> Option<Option<i32>> {
    match function.dfg.insts[instruction] {
        InstructionData::Store { args: [_, address], offset, .. } => {
            Some(is_state(function, address).then(|| offset.into()))
        }
        _ => None,
    }
}

fn dropped_store(function: &mut Function, instruction: Inst) {
    if stored_at(function, instruction) == Some(None) {
        function.layout.remove_inst(instruction);
    }
}

fn store_too_far(function: &mut Function, instruction: Inst) {
    if stored_at(function, instruction) == Some(None)
        && let InstructionData::Store { offset, .. } = &mut function.dfg.insts[instruction]
    {
        *offset = (i32::from(*offset) + 1).into();
    }
}

fn stale_at_exit(function: &mut Function, instruction: Inst, registers: std::ops::Range<i32>) {
    let block = function.layout.inst_block(instruction);
    let cold = block.is_some_and(|block| function.layout.is_cold(block));
    let at = stored_at(function, instruction).flatten();
    if cold && at.is_some_and(|at| registers.contains(&at)) {
        function.layout.remove_inst(instruction);
    }
}

/// Behind each sum, a third of it, which is mostly inexact.
fn wrong_flag(function: &mut Function, instruction: Inst) {
    if function.dfg.insts[instruction].opcode() != Opcode::Fadd {
        return;
    }
    let sum = function.dfg.first_result(instruction);
    if function.dfg.value_type(sum) != F64 {
        return;
    }
    let mut cursor = FuncCursor::new(function).after_inst(instruction);
    let three = cursor.ins().f64const(3.0);
    let third = cursor.ins().fdiv(sum, three);
    let flags = cranelift_codegen::ir::MemFlagsData::trusted();
    let state = cursor.ins().get_pinned_reg(I64);
    cursor.ins().store(flags, third, state, offset::UNREAD);
}

fn unsigned_comparison(function: &mut Function, instruction: Inst) {
    if let InstructionData::IntCompare { cond, .. } = &mut function.dfg.insts[instruction] {
        *cond = match *cond {
            IntCC::SignedLessThan => IntCC::UnsignedLessThan,
            IntCC::SignedGreaterThanOrEqual => IntCC::UnsignedGreaterThanOrEqual,
            other => other,
        };
    }
}

/// Branches on signed comparisons, which only guests make.
fn branch_inverted(function: &mut Function, instruction: Inst) {
    let InstructionData::Brif { arg, .. } = function.dfg.insts[instruction] else { return };
    let Some(condition) = function.dfg.value_def(arg).inst() else { return };
    let signed = matches!(
        function.dfg.insts[condition],
        InstructionData::IntCompare {
            cond: IntCC::SignedLessThan | IntCC::SignedGreaterThanOrEqual,
            ..
        }
    );
    if signed && let InstructionData::Brif { blocks, .. } = &mut function.dfg.insts[instruction] {
        blocks.swap(0, 1);
    }
}

fn constant_too_large(function: &mut Function, instruction: Inst) {
    if let InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } =
        &mut function.dfg.insts[instruction]
        && imm.bits() == 7
    {
        *imm = Imm64::new(8);
    }
}

fn atomic_difference(function: &mut Function, instruction: Inst) {
    if let InstructionData::AtomicRmw { op, .. } = &mut function.dfg.insts[instruction]
        && *op == AtomicRmwOp::Add
    {
        *op = AtomicRmwOp::Sub;
    }
}
