//! Blocks of IR to slots.
//!
//! What can be decided once is decided here: the handler of each op, constants
//! that depend on the pc, writes to `x0` (they go to the sink, or the whole op
//! is left out), and which pairs of instructions become one op.

use crate::ops::{self, HANDLERS, control, float, fused};
use crate::slot::{Handler, Link, Op, Slot};
use rvrun_decoder::{Block, Terminator};
use rvrun_hart::SINK;
use rvrun_isa::{Instruction, Kind, Opcode};
use std::ptr;

/// `pause` reaches engines as the fence that it is encoded as.
const PAUSE_SETS: i32 = 0x10;

/// Appends the slots of `block` to `slots`.
///
/// `soft_float` says that the dynamic rounding mode is one that the host's unit
/// does not have.
pub fn predecode(block: &Block, soft_float: bool, slots: &mut Vec<Slot>) {
    let mut pc = block.pc;
    let mut rest = block.body.as_slice();
    while let [first, tail @ ..] = rest {
        let at = ((pc - block.pc) / 2) as u8;
        let taken = match tail.first().and_then(|second| fuse(first, second, pc, at)) {
            Some(pair) => {
                pair.push_to(slots);
                2
            }
            None => {
                push(first, pc, at, soft_float, slots);
                1
            }
        };
        pc += rest[..taken].iter().map(|i| u64::from(i.len)).sum::<u64>();
        rest = &rest[taken..];
    }
    push_terminator(block, slots);
}

/// One op and the value behind it, if it has one.
struct Fused {
    op: Op,
    value: Option<u64>,
}

impl Fused {
    fn push_to(self, slots: &mut Vec<Slot>) {
        slots.push(Slot { op: self.op });
        slots.extend(self.value.map(|value| Slot { value }));
    }
}

fn sink(rd: u8) -> u8 {
    if rd == 0 { SINK } else { rd }
}

fn op_of(instruction: &Instruction, handler: Handler, at: u8) -> Op {
    let &Instruction { rd, rs1, rs2, imm, .. } = instruction;
    Op { handler, imm, rd, rs1, rs2, at }
}

fn push(instruction: &Instruction, pc: u64, at: u8, soft_float: bool, slots: &mut Vec<Slot>) {
    let row = instruction.row();
    if row.kind == Kind::Alu && instruction.rd == 0 {
        return;
    }
    let mut op = op_of(instruction, HANDLERS[instruction.opcode as usize], at);
    if row.writes_integer && !is_compare_and_swap(instruction.opcode) {
        op.rd = sink(instruction.rd);
    }
    if row.kind == Kind::Float {
        (op.handler, op.imm) = float::choose(instruction, soft_float);
    }
    match instruction.opcode {
        Opcode::Auipc => {
            slots.push(Slot { op });
            slots.push(Slot { value: pc.wrapping_add_signed(instruction.imm.into()) });
            return;
        }
        Opcode::Addi if instruction.rs1 == 0 => op.handler = ops::alu::lui,
        Opcode::Addi if instruction.imm == 0 => op.handler = fused::copy,
        Opcode::Addi if instruction.rs1 == instruction.rd => op.handler = fused::increment,
        Opcode::Add if instruction.rs1 == 0 => {
            (op.handler, op.rs1) = (fused::copy, instruction.rs2);
        }
        Opcode::Addiw if instruction.imm == 0 => op.handler = fused::sign_extend_word,
        Opcode::Fence if instruction.imm == PAUSE_SETS => op.handler = ops::atomic::pause,
        _ => {}
    }
    slots.push(Slot { op });
}

fn is_compare_and_swap(opcode: Opcode) -> bool {
    use Opcode::*;
    matches!(opcode, AmocasB | AmocasH | AmocasW | AmocasD | AmocasQ)
}

/// One op for two instructions, where the first one's result serves only the second.
fn fuse(first: &Instruction, second: &Instruction, pc: u64, at: u8) -> Option<Fused> {
    let rd = first.rd;
    if rd == 0 || second.rd != rd || second.rs1 != rd {
        return None;
    }
    let op = |handler, imm| Op { handler, imm, rd, rs1: first.rs1, rs2: second.rs2, at };
    let constant = |imm| Some(Fused { op: op(ops::alu::lui, imm), value: None });
    match (first.opcode, second.opcode) {
        (Opcode::Lui, Opcode::Addiw) => constant(first.imm.wrapping_add(second.imm)),
        (Opcode::Lui, Opcode::Addi) => constant(first.imm.checked_add(second.imm)?),
        (Opcode::Auipc, Opcode::Addi) => {
            let value =
                pc.wrapping_add_signed(first.imm.into()).wrapping_add_signed(second.imm.into());
            Some(Fused { op: op(ops::alu::auipc, 0), value: Some(value) })
        }
        (Opcode::Slli, Opcode::Srli) => {
            let handler = match (first.imm, second.imm) {
                (32, 32) => fused::zero_extend_word,
                (48, 48) => fused::zero_extend_halfword,
                (32, 1..=31) => fused::zero_extend_shift,
                _ => return None,
            };
            Some(Fused { op: op(handler, 32 - second.imm), value: None })
        }
        (Opcode::Slli, Opcode::Add) if second.rs2 != rd => {
            Some(Fused { op: op(fused::shift_add, first.imm), value: None })
        }
        _ => None,
    }
}

fn push_terminator(block: &Block, slots: &mut Vec<Slot>) {
    let at = ((block.terminator_pc - block.pc) / 2) as u8;
    let has_instruction = block.terminator_pc != block.end;
    let count = block.body.len() as i32 + i32::from(has_instruction);
    let op = |handler, rd, rs1| Slot { op: Op { handler, imm: count, rd, rs1, rs2: 0, at } };
    let link = |pc| Slot { link: Link { next: ptr::null(), pc } };
    let value = |value| Slot { value };
    let offset = |offset: i32| value(i64::from(offset) as u64);
    let backward = |target: u64| target <= block.terminator_pc;
    match block.terminator {
        Terminator::FallThrough => slots.extend([op(control::jump, 0, 0), link(block.end)]),
        Terminator::Jump { target } => {
            let handler = if backward(target) { control::jump_backward } else { control::jump };
            slots.extend([op(handler, 0, 0), link(target)]);
        }
        Terminator::Branch { instruction, taken } => {
            let handler = branch_handler(&instruction, backward(taken));
            let op = Op { imm: count, ..op_of(&instruction, handler, at) };
            slots.extend([Slot { op }, link(taken), link(block.end)]);
        }
        Terminator::Call { link: rd, target } => {
            slots.extend([op(control::jal, rd, 0), value(block.end), link(target)]);
        }
        Terminator::IndirectJump { base, offset: o } => {
            slots.extend([op(control::indirect_jump, 0, base), offset(o)]);
        }
        Terminator::Return { base, offset: o } => {
            slots.extend([op(control::return_jump, 0, base), offset(o)]);
        }
        Terminator::IndirectCall { link: rd, base, offset: o } => {
            slots.extend([op(control::jalr, rd, base), offset(o), value(block.end)]);
        }
        Terminator::Syscall => slots.extend([op(control::ecall, 0, 0), value(block.end)]),
        Terminator::FenceI => slots.extend([op(control::fence_i, 0, 0), value(block.end)]),
        Terminator::Breakpoint => slots.push(op(control::ebreak, 0, 0)),
        Terminator::Illegal { .. } => slots.push(op(control::illegal, 0, 0)),
        Terminator::FetchFault => slots.push(op(control::fetch_fault, 0, 0)),
    }
}

fn branch_handler(branch: &Instruction, backward: bool) -> Handler {
    let against_zero = branch.rs2 == 0;
    match (branch.opcode, backward) {
        (Opcode::Beq, false) if against_zero => control::beqz,
        (Opcode::Bne, false) if against_zero => control::bnez,
        (Opcode::Beq, true) if against_zero => control::beqz_backward,
        (Opcode::Bne, true) if against_zero => control::bnez_backward,
        (Opcode::Beq, true) => control::beq_backward,
        (Opcode::Bne, true) => control::bne_backward,
        (Opcode::Blt, true) => control::blt_backward,
        (Opcode::Bge, true) => control::bge_backward,
        (Opcode::Bltu, true) => control::bltu_backward,
        (Opcode::Bgeu, true) => control::bgeu_backward,
        (opcode, _) => HANDLERS[opcode as usize],
    }
}
