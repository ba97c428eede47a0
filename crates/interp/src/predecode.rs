//! Guest code to slots.
//!
//! What can be decided once is decided here: the handler of each op, constants
//! that depend on the pc, writes to `x0` (they go to the sink, or the whole op
//! is left out), and which pairs of instructions become one op.
//!
//! The code of short programs is pre-decoded nearly as often as it is executed, so
//! this neither makes a [`Block`](rvrun_decoder::Block) nor asks the instruction
//! table: each of its rows has a function of its own ([`EMITTERS`]), in which the
//! compiler knows all that the row says. Blocks end where [`rvrun_decoder::lift`]
//! ends them.

use crate::ops::{self, HANDLERS, alu, control, float, fused};
use crate::slot::{Handler, Link, Op, Slot, Way};
use rvrun_decoder::search::{FIRST_SHIFT, Search, is_first_shift};
use rvrun_decoder::{MAX_BLOCK_BYTES, Terminator, is_link_register, terminator};
use rvrun_hart::SINK;
use rvrun_host::prefetch;
use rvrun_isa::{
    BUCKETS, Extensions, Instruction, Kind, Opcode, ROWS, bucket, candidates, csr, decode,
    for_each_instruction, length, likely, operands,
};
use rvrun_memory::access;
use std::mem::MaybeUninit;
use std::ops::{Deref, Range};
use std::ptr;

/// `pause` reaches engines as the fence that it is encoded as.
const PAUSE_SETS: i32 = 0x10;

/// Slots that the longest block has at most: two for each instruction, and those of its end.
pub const MOST_SLOTS: usize = MAX_BLOCK_BYTES as usize + 8;

/// Slots from the first op of a [`Search`] on: three ops, and those of a branch.
const SEARCH_SLOTS: usize = 3 + 5;

/// The slots of a block in the making. They serve for one block after another, and never grow: to
/// ask for that with each of them costs as much as the rest.
pub struct Slots {
    slots: Box<[MaybeUninit<Slot>; MOST_SLOTS]>,
    /// So many of them are there.
    len: usize,
    /// Blocks that other engines execute after this one, but that its slots stand for as well.
    pub skipped: Option<[u64; 2]>,
    /// Where the block goes by a jump or a call, if it does, and where the code goes on.
    pub ways: [u64; 2],
}

impl Slots {
    pub fn new() -> Self {
        // Of most of the pages nobody needs anything.
        let slots = Box::new_uninit_slice(MOST_SLOTS);
        let slots = slots.try_into().unwrap_or_else(|_| unreachable!("so many were asked for"));
        Self { slots, len: 0, skipped: None, ways: [0; 2] }
    }

    pub fn clear(&mut self) {
        (self.len, self.skipped) = (0, None);
    }

    #[inline(always)]
    fn push(&mut self, slot: Slot) {
        if let Some(place) = self.slots.get_mut(self.len) {
            place.write(slot);
            self.len += 1;
        }
    }

    #[inline(always)]
    fn pop(&mut self) {
        self.len = self.len.saturating_sub(1);
    }

    #[inline(always)]
    fn extend<const N: usize>(&mut self, slots: [Slot; N]) {
        slots.into_iter().for_each(|slot| self.push(slot));
    }
}

impl Deref for Slots {
    type Target = [Slot];

    fn deref(&self) -> &[Slot] {
        // SAFETY: `push` has written all up to there.
        unsafe { self.slots[..self.len].assume_init_ref() }
    }
}

/// Appends the slots of the block at `pc` to `slots`; gives the addresses of what it was made from.
///
/// The block has at most `most_bytes` bytes, but at least one instruction.
/// `soft_float` says that the dynamic rounding mode is one that the host's unit
/// does not have. `fetch` is that of [`rvrun_decoder::lift`].
pub fn predecode(
    pc: u64,
    most_bytes: u64,
    extensions: Extensions,
    soft_float: bool,
    slots: &mut Slots,
    fetch: impl Fn(u64) -> Option<u32>,
) -> Range<u64> {
    let first = First { rd: 0, rs1: 0, at: 0, what: What::Nothing };
    let mut block =
        Emitter { start: pc, pc, count: 0, extensions, soft_float, first, search: None, slots };
    let look = |pc| {
        let bits = fetch(pc)?;
        let [first, second] = LIKELY[bucket(bits)];
        Some((bits, EMITTERS[first as usize], second))
    };
    let mut ahead = look(pc);
    let end = loop {
        let Some((bits, emit, second)) = ahead else {
            break block.end(Terminator::FetchFault, block.pc);
        };
        let len = length(bits as u16);
        let next = block.pc.wrapping_add(len.into());
        // As code is looked up that is executed where it stands ([`ops::direct`]).
        ahead = look(next);
        let mut emitted = emit(&mut block, bits);
        if emitted == Emitted::Nothing {
            emitted = EMITTERS[second as usize](&mut block, bits);
        }
        if emitted == Emitted::Nothing {
            emitted = emit_any(&mut block, bits);
        }
        match emitted {
            Emitted::Last if let Some(found) = block.search => {
                break block.searched(found, most_bytes, next, fetch).unwrap_or(next);
            }
            Emitted::Last => break next,
            Emitted::Body => block.pc = next,
            Emitted::Nothing => {
                let bits = if len == 2 { bits & 0xffff } else { bits };
                break block.end(Terminator::Illegal { bits }, next);
            }
        }
        block.count += 1;
        if next.wrapping_sub(pc) + 4 > most_bytes {
            break block.end(Terminator::FallThrough, next);
        }
    };
    pc..end
}

/// What has become of an instruction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Emitted {
    /// It is another row's, or none: the operands may be reserved.
    Nothing,
    /// It is in the block.
    Body,
    /// It ends the block.
    Last,
}

/// Emits an instruction of one row.
type Emit = fn(&mut Emitter<'_>, u32) -> Emitted;

macro_rules! emitters {
    (
        base { $($op:ident $name:ident $($ext:ident)|+ $kind:ident [$($field:ident)*] $pattern:literal;)* }
        alias { $($alias:ident $aname:ident $($aext:ident)|+ [$($afield:ident)*] $apattern:literal => $target:ident;)* }
    ) => {
        /// By opcode, and behind them [`emit_nothing`].
        static EMITTERS: [Emit; ROWS.len() + 1] = [
            $(emit::<{ Opcode::$op as usize }>,)*
            $(emit::<{ Opcode::$alias as usize }>,)*
            emit_nothing,
        ];
    };
}

for_each_instruction!(emitters);

/// The two rows that a word is most likely to be of, by its bucket, as their places in [`EMITTERS`]:
/// nearly all words are of one of them. Indices, not pointers: much of the time is spent getting
/// this from memory.
pub static LIKELY: [[u16; 2]; BUCKETS] = {
    let mut rows = [[ROWS.len() as u16; 2]; BUCKETS];
    let mut bucket = 0;
    while bucket < BUCKETS {
        let mut number = 0;
        while number < 2 {
            if let Some(opcode) = likely(bucket, number) {
                rows[bucket][number] = opcode as u16;
            }
            number += 1;
        }
        bucket += 1;
    }
    rows
};

fn emit_nothing(_: &mut Emitter<'_>, _: u32) -> Emitted {
    Emitted::Nothing
}

/// Emits an instruction of whatever row it is of.
#[cold]
fn emit_any(block: &mut Emitter<'_>, bits: u32) -> Emitted {
    candidates(bits, block.extensions)
        .map(|opcode| EMITTERS[opcode as usize](block, bits))
        .find(|emitted| *emitted != Emitted::Nothing)
        .unwrap_or(Emitted::Nothing)
}

/// What `bits` are as an instruction of a row, expanded; nothing if they are none that `extensions` have,
/// or the operands are reserved.
#[inline(always)]
pub fn expanded<const ROW: usize>(bits: u32, extensions: Extensions) -> Option<Instruction> {
    let row = &ROWS[ROW];
    if bits & row.mask != row.value || !row.extensions.intersects(extensions) {
        return None;
    }
    Some(operands::<ROW>(bits)?.expanded())
}

fn emit<const ROW: usize>(block: &mut Emitter<'_>, bits: u32) -> Emitted {
    let Some(instruction) = expanded::<ROW>(bits, block.extensions) else {
        return Emitted::Nothing;
    };
    if let Some(terminator) = terminator(&instruction, block.pc) {
        block.count += 1;
        block.end(terminator, block.pc.wrapping_add(instruction.len.into()));
        return Emitted::Last;
    }
    block.push(&instruction);
    Emitted::Body
}

/// An instruction whose result may serve the next one only.
struct First {
    rd: u8,
    rs1: u8,
    at: u8,
    what: What,
}

/// What it gives its destination.
enum What {
    /// Something else.
    Nothing,
    /// A constant: the instruction is a `lui`.
    Constant(i32),
    /// An address: the instruction is an `auipc`, and takes two slots.
    Address(u64),
    /// `rs1` shifted left.
    Shifted(i32),
    /// The first shift of a [`Search`].
    FirstShift,
    /// What that leaves of a number, and where that was, as in [`Op::at`].
    HighByte(Search, u8),
    /// The same as a byte.
    Byte(Search, u8),
}

/// A block in the making.
struct Emitter<'a> {
    start: u64,
    /// Of the instruction that is emitted.
    pc: u64,
    /// Instructions before it.
    count: i32,
    extensions: Extensions,
    soft_float: bool,
    /// The instruction before it.
    first: First,
    /// What the block ends with, if it is that, and where it begins, as in [`Op::at`].
    search: Option<(Search, u8)>,
    slots: &'a mut Slots,
}

impl Emitter<'_> {
    /// Distance of the instruction from the beginning, as in [`Op::at`].
    fn at(&self) -> u8 {
        (self.pc.wrapping_sub(self.start) / 2) as u8
    }

    /// Inlined, so that the row decides here.
    #[inline(always)]
    fn push(&mut self, instruction: &Instruction) {
        let row = instruction.row();
        if row.kind == Kind::Alu && instruction.rd == 0 {
            self.first.what = What::Nothing;
            return;
        }
        if self.fuse(instruction) {
            self.first.what = What::Nothing;
            return;
        }
        let at = self.at();
        let mut op = op_of(instruction, HANDLERS[instruction.opcode as usize], at);
        if row.writes_integer && !is_compare_and_swap(instruction.opcode) {
            op.rd = sink(instruction.rd);
        }
        if row.kind == Kind::Float {
            (op.handler, op.imm) = float::choose(instruction, self.soft_float);
        }
        let mut what = What::Nothing;
        match instruction.opcode {
            Opcode::Auipc => {
                let value = self.pc.wrapping_add_signed(instruction.imm.into());
                self.slots.push(Slot { op });
                self.slots.push(Slot { value });
                self.first = First { rd: op.rd, rs1: 0, at, what: What::Address(value) };
                return;
            }
            Opcode::Lui => what = What::Constant(instruction.imm),
            Opcode::Slli => what = What::Shifted(instruction.imm),
            Opcode::Addi if instruction.rs1 == 0 => {
                op.handler = ops::alu::lui;
                if is_first_shift(instruction) {
                    what = What::FirstShift;
                }
            }
            Opcode::Srl
                if let What::FirstShift = self.first.what
                    && let Some(search) = Search::begin(self.first.rd, instruction, self.pc) =>
            {
                what = What::HighByte(search, self.first.at);
            }
            Opcode::Andi
                if let What::HighByte(search, at) = self.first.what
                    && let Some(search) = search.with_byte(instruction) =>
            {
                what = What::Byte(search, at);
            }
            Opcode::Addi if instruction.imm == 0 => op.handler = fused::copy,
            Opcode::Addi if instruction.rs1 == instruction.rd => op.handler = fused::increment,
            Opcode::Add if instruction.rs1 == 0 => {
                (op.handler, op.rs1) = (fused::copy, instruction.rs2);
            }
            Opcode::Addiw if instruction.imm == 0 => op.handler = fused::sign_extend_word,
            Opcode::Fence if instruction.imm == PAUSE_SETS => op.handler = ops::atomic::pause,
            Opcode::Csrrs | Opcode::Csrrw
                if let Some(handler) = self.flags_handler(instruction) =>
            {
                op.handler = handler;
            }
            _ => {}
        }
        self.slots.push(Slot { op });
        self.first = First { rd: op.rd, rs1: op.rs1, at, what };
    }

    /// Gives the first op of the search that the block ends with what the loop finds, if the rest of
    /// it is behind the block, at `end`. Gives the address behind that, which the block depends on, too.
    fn searched(
        &mut self,
        (search, at): (Search, u8),
        most_bytes: u64,
        end: u64,
        mut fetch: impl FnMut(u64) -> Option<u32>,
    ) -> Option<u64> {
        let mut instruction = |pc: u64| -> Option<(Instruction, u64)> {
            let bits = fetch(pc)?;
            let next = pc.wrapping_add(length(bits as u16).into());
            Some((decode(bits, self.extensions)?.expanded(), next))
        };
        let (step, branch_pc) = instruction(end)?;
        let (branch, rest_end) = instruction(branch_pc)?;
        let target = branch_pc.wrapping_add_signed(branch.imm.into());
        let is_search = search.steps_with(&step) && search.repeats_with(&branch, target);
        if !is_search || rest_end.wrapping_sub(self.start) > most_bytes {
            return None;
        }
        let Search { value, shift, again, .. } = search;
        let (handler, imm) = (fused::highest_byte as Handler, FIRST_SHIFT);
        let op = Op { handler, imm, rd: shift, rs1: value, rs2: 0, at };
        let first = self.slots.len.checked_sub(SEARCH_SLOTS)?;
        self.slots.slots[first].write(Slot { op });
        self.slots.skipped = Some([end, again]);
        Some(rest_end)
    }

    /// The handler of an access to `fflags` that either reads or writes it.
    #[inline(always)]
    fn flags_handler(&self, instruction: &Instruction) -> Option<Handler> {
        if instruction.imm != csr::FFLAGS.into() || !self.extensions.contains(Extensions::F) {
            return None;
        }
        match (instruction.opcode, instruction.rd, instruction.rs1) {
            (Opcode::Csrrs, _, 0) => Some(ops::csr::read_flags),
            (Opcode::Csrrw, 0, _) => Some(ops::csr::write_flags),
            _ => None,
        }
    }

    /// Makes one op of `second` and the instruction before it, whose result serves only
    /// `second`; gives whether it has.
    #[inline(always)]
    fn fuse(&mut self, second: &Instruction) -> bool {
        let &First { rd, rs1, at, .. } = &self.first;
        let op = |handler, imm| Op { handler, imm, rd, rs1, rs2: second.rs2, at };
        let constant = |imm| Some(op(ops::alu::lui, imm));
        let fits = second.rd == rd && second.rs1 == rd;
        let fused = match (second.opcode, &self.first.what) {
            (Opcode::Addiw, What::Constant(first)) if fits => {
                constant(first.wrapping_add(second.imm))
            }
            (Opcode::Addi, What::Constant(first)) if fits => {
                first.checked_add(second.imm).and_then(constant)
            }
            (Opcode::Addi, What::Address(first)) if fits => {
                let value = first.wrapping_add_signed(second.imm.into());
                self.slots.pop();
                self.slots.push(Slot { value });
                return true;
            }
            (Opcode::Srli, What::Shifted(first)) if fits => {
                let imm = 32 - second.imm;
                match (*first, second.imm) {
                    (32, 32) => Some(op(fused::zero_extend_word, imm)),
                    (48, 48) => Some(op(fused::zero_extend_halfword, imm)),
                    (32, 1..=31) => Some(op(fused::zero_extend_shift, imm)),
                    _ => None,
                }
            }
            (Opcode::Add, What::Shifted(first)) if fits && second.rs2 != rd => {
                Some(op(fused::shift_add, *first))
            }
            _ => None,
        };
        let Some(op) = fused else { return false };
        self.slots.pop();
        self.slots.push(Slot { op });
        true
    }

    /// Ends the block, whose instructions are all counted, before `end`; gives `end`.
    fn end(&mut self, terminator: Terminator, end: u64) -> u64 {
        let (at, count) = (self.at(), self.count);
        let op = |handler, rd, rs1| Slot { op: Op { handler, imm: count, rd, rs1, rs2: 0, at } };
        let link = |pc| Slot { link: Link { next: ptr::null(), pc } };
        let way = Slot { way: Way::NONE };
        let value = |value| Slot { value };
        let offset = |offset: i32| value(i64::from(offset) as u64);
        let terminator_pc = self.pc;
        let backward = |target: u64| target <= terminator_pc;
        let slots = &mut *self.slots;
        // What comes next is pre-decoded next: most of that would be waiting for memory.
        slots.ways = [end; 2];
        if let Terminator::Jump { target }
        | Terminator::Branch { taken: target, .. }
        | Terminator::Call { target, .. } = terminator
        {
            access::prefetch(target);
            slots.ways[0] = target;
        }
        access::prefetch(end.wrapping_add(prefetch::LINE as u64));
        match terminator {
            Terminator::FallThrough => slots.extend([op(control::jump, 0, 0), link(end), way]),
            Terminator::Jump { target } => {
                let handler = if backward(target) { control::jump_backward } else { control::jump };
                slots.extend([op(handler, 0, 0), link(target), way]);
            }
            Terminator::Branch { instruction, taken } => {
                let handler = branch_handler(&instruction, backward(taken));
                let op = Op { imm: count, ..op_of(&instruction, handler, at) };
                slots.extend([Slot { op }, link(taken), way, link(end), way]);
                if let What::Byte(search, at) = self.first.what
                    && search.ends_with(&instruction)
                {
                    self.search = Some((search, at));
                }
            }
            Terminator::Call { link: rd, target } if !is_link_register(rd) => {
                slots.extend([op(alu::auipc, rd, 0), value(end)]);
                slots.extend([op(control::jump_backward, 0, 0), link(target), way]);
            }
            Terminator::Call { link: rd, target } => {
                slots.extend([
                    op(control::jal, rd, 0),
                    value(end),
                    link(target),
                    way,
                    link(end),
                    way,
                ]);
            }
            Terminator::IndirectJump { base, offset: o } => {
                slots.extend([op(control::indirect_jump, 0, base), offset(o)]);
            }
            Terminator::Return { base, offset: o } => {
                slots.extend([op(control::return_jump, 0, base), offset(o)]);
            }
            Terminator::IndirectCall { link: rd, base, offset: o } => {
                let calls = is_link_register(rd);
                let handler = if calls { control::jalr } else { control::linking_jump };
                slots.extend([op(handler, rd, base), offset(o), value(end)]);
                if calls {
                    slots.extend([link(end), way]);
                }
            }
            Terminator::Syscall => slots.extend([op(control::ecall, 0, 0), value(end)]),
            Terminator::FenceI => slots.extend([op(control::fence_i, 0, 0), value(end)]),
            Terminator::Breakpoint => slots.push(op(control::ebreak, 0, 0)),
            Terminator::Illegal { .. } => slots.push(op(control::illegal, 0, 0)),
            Terminator::FetchFault => slots.push(op(control::fetch_fault, 0, 0)),
        }
        end
    }
}

/// Where an instruction puts its result whose destination is `rd`.
#[inline(always)]
pub fn sink(rd: u8) -> u8 {
    if rd == 0 { SINK } else { rd }
}

fn op_of(instruction: &Instruction, handler: Handler, at: u8) -> Op {
    let &Instruction { rd, rs1, rs2, imm, .. } = instruction;
    Op { handler, imm, rd, rs1, rs2, at }
}

fn is_compare_and_swap(opcode: Opcode) -> bool {
    use Opcode::*;
    matches!(opcode, AmocasB | AmocasH | AmocasW | AmocasD | AmocasQ)
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

#[cfg(test)]
mod tests {
    use super::*;
    use rvrun_decoder::lift;

    /// Marsaglia's xorshift.
    fn random(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    /// Code of random rows with random operands, and some that is random altogether.
    fn code(state: &mut u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        // How often an instruction may be one that ends the block.
        let rarely = 1 << (random(state) % 8);
        while bytes.len() < 2 * MAX_BLOCK_BYTES as usize {
            let row = &ROWS[random(state) as usize % ROWS.len()];
            let operands = random(state) as u32;
            let addi = ROWS[Opcode::Addi as usize].value;
            let word = match random(state) % 64 {
                0 if rarely == 1 => operands,
                _ if random(state).is_multiple_of(rarely) => row.value | operands & !row.mask,
                _ => addi | operands & 0xffff_8f80,
            };
            bytes.extend_from_slice(&word.to_le_bytes()[..length(word as u16).into()]);
        }
        bytes
    }

    #[test]
    fn blocks_end_where_lifting_ends_them() {
        let mut state = 1;
        let (mut long, mut illegal) = (0, 0);
        for extensions in [Extensions::ALL, Extensions::I] {
            for _ in 0..2000 {
                let bytes = code(&mut state);
                let start = 0x1000;
                let fetch = |pc: u64| {
                    let at = (pc - start) as usize;
                    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
                };
                let block = lift(start, extensions, Vec::new(), fetch);
                let mut slots = Slots::new();
                let guest = predecode(start, MAX_BLOCK_BYTES, extensions, false, &mut slots, fetch);
                assert_eq!(guest, start..block.end);
                let at = ((block.terminator_pc - start) / 2) as u8;
                let retired = match block.terminator {
                    Terminator::FallThrough
                    | Terminator::Illegal { .. }
                    | Terminator::FetchFault => block.body.len(),
                    _ => block.body.len() + 1,
                };
                // The terminator is the last op, with up to five slots behind it.
                let is_last = |slot: &Slot| {
                    // SAFETY: any slot's bytes are those of an op's numbers; the handler is not read.
                    let (place, count) = unsafe { (slot.op.at, slot.op.imm) };
                    place == at && count == retired as i32
                };
                assert!(slots.iter().rev().take(6).any(is_last), "{block:?}");
                long += u32::from(block.terminator == Terminator::FallThrough);
                illegal += u32::from(matches!(block.terminator, Terminator::Illegal { .. }));
            }
        }
        assert!(long > 0 && illegal > 0);
    }
}
