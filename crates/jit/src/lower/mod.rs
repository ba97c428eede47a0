//! A region to CLIF.
//!
//! A translation is a function of the calling convention `tail` that takes the
//! [`State`](crate::state::State)'s address in the pinned register, and returns the
//! guest address to go on at; or an odd number, and the state says why. Guest registers
//! are variables of the builder while they are held in values ([`crate::analysis`]).
//!
//! - A guest's call is a host's call through the callee's slot. What it returns is
//!   compared with the return address; anything else is returned further up, until
//!   somebody expects it or the dispatcher gets it.
//! - The region is left to another address by a tail call through that address's slot.
//! - An instruction that is not lowered is interpreted by a call that changes no
//!   host register.
//! - What is rare is done in blocks marked cold.

mod alu;
mod atomic;
mod calls;
mod convert;
mod edges;
mod exits;
mod float;
mod helped;
mod memory;
mod narrow;
mod pin;
pub(crate) mod places;
mod search;
mod words;

use self::exits::{Exit, Snapshot};
use crate::analysis::{self, Held, Plan, floats_in, integers_in, run_starts};
use crate::compile::Job;
use crate::effects::{self, Way};
use crate::helper::Helper;
use crate::raw;
use crate::state::{Leave, offset};
use crate::words::Words;
use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{
    AbiParam, AliasRegion, AliasRegionData, Block, FuncRef, Function, GlobalValue, InstBuilder,
    MemFlagsData, SigRef, Signature, SourceLoc, Value,
};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use rustc_hash::FxHashMap;
use rvrun_decoder::region::{Edge, End, Node, NodeId, Region};
use rvrun_isa::effect::{Registers, float, integer};
use rvrun_isa::{Instruction, Kind, Opcode};

/// How regions are translated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// Memory has the hart's registers as of the beginning of a run of accesses,
    /// from which the interpreter can go on after a fault.
    pub precise: bool,
    /// Count instructions.
    pub counting: bool,
}

/// Where a host instruction came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The guest instruction.
    pub pc: u64,
    /// The last guest instruction up to this one that accesses memory: the host
    /// may do its access together with what uses the result.
    pub access_pc: u64,
    /// Whether that access is a load.
    pub is_load: bool,
    /// In precise mode: where the interpreter goes on if the access faults.
    pub run_pc: u64,
}

/// CLIF and what belongs to it.
pub struct Lowered {
    /// The function.
    pub function: Function,
    /// By source location.
    pub origins: Vec<Origin>,
    /// Addresses that the region is left to, as distances from its base, if it has one.
    pub leaves: Vec<u64>,
}

/// Lowers the region of `job`. With a base, the code can be used where another address is the
/// base: see [`places`].
pub fn lower(
    job: &Job,
    target: TargetFrontendConfig,
    context: &mut FunctionBuilderContext,
) -> Lowered {
    let Job { region, divisors, mode, base, .. } = job;
    let (mode, base) = (*mode, *base);
    let plan = analysis::analyse(region, mode.precise);
    let mut signature = Signature::new(CallConv::Tail);
    signature.returns.push(AbiParam::new(I64));
    let mut function = Function::with_name_signature(Default::default(), signature.clone());
    let regions = &mut function.dfg.alias_regions;
    let mut alias = |user_id, description: &'static str| {
        regions.insert(AliasRegionData { user_id, description: description.into() })
    };
    let (guest, hart) = (alias(0, "guest memory"), alias(1, "the hart"));
    let mut builder = FunctionBuilder::new(&mut function, context);
    let translation = builder.import_signature(signature);
    let mut preserving = Signature::new(CallConv::PreserveAll);
    preserving.params.extend([AbiParam::new(I64), AbiParam::new(I64)]);
    let preserving = builder.import_signature(preserving);
    let mut finding = Signature::new(CallConv::SystemV);
    finding.params.extend([AbiParam::new(I64), AbiParam::new(I64)]);
    finding.returns.push(AbiParam::new(I64));
    let finding = builder.import_signature(finding);
    let x = std::array::from_fn(|_| builder.declare_var(I64));
    let f = std::array::from_fn(|_| builder.declare_var(F64));
    let s = std::array::from_fn(|_| builder.declare_var(F32));
    let blocks = region.nodes.iter().map(|_| builder.create_block()).collect();
    let mut lowering = Lowering {
        builder,
        region,
        plan,
        slots: FxHashMap::default(),
        leaves: Vec::new(),
        divisors,
        mode,
        base,
        x,
        f,
        s,
        blocks,
        states: FxHashMap::default(),
        ways_to: vec![0; region.nodes.len()],
        ways_left: Vec::new(),
        edge_blocks: Vec::new(),
        other: None,
        held: Held::default(),
        raw: 0,
        unused: 0,
        clean: 0,
        origin: Origin {
            pc: region.entry,
            access_pc: region.entry,
            is_load: true,
            run_pc: region.entry,
        },
        origins: Vec::new(),
        node: 0,
        guest_region: guest,
        hart_region: hart,
        translation,
        preserving,
        finding,
        quiet: None,
        fenced: false,
        exits: Vec::new(),
        changing: pin::changing_integers(region),
        returns: FxHashMap::default(),
    };
    lowering.region();
    let Lowering { mut builder, origins, leaves, .. } = lowering;
    builder.seal_all_blocks();
    builder.finalize(target);
    Lowered { function, origins, leaves }
}

/// Where a block has the state's address from.
#[derive(Clone, Copy)]
enum AddressFrom {
    /// It has this copy of the pinned register.
    Copy(Value),
    /// From the only block that leads to it.
    Before(Block),
    /// It has none as yet.
    None,
}

struct Lowering<'a> {
    builder: FunctionBuilder<'a>,
    region: &'a Region,
    plan: Plan,
    /// Slots by the guest addresses that they are of.
    slots: FxHashMap<u64, FuncRef>,
    /// See [`Lowered::leaves`].
    leaves: Vec<u64>,
    /// See [`Job::divisors`].
    divisors: &'a [(u8, u64)],
    mode: Mode,
    base: Option<u64>,
    x: [Variable; 32],
    f: [Variable; 32],
    s: [Variable; 32],
    /// By node.
    blocks: Vec<Block>,
    /// The address of the state, by block.
    states: FxHashMap<Block, AddressFrom>,
    /// How many ways lead to a node.
    ways_to: Vec<u32>,
    /// How many of them are still to be added.
    ways_left: Vec<u32>,
    /// Blocks to which only the current node leads.
    edge_blocks: Vec<Block>,
    /// Where what a callee has returned is returned further up.
    other: Option<Block>,
    /// What is held at the point where instructions are being added.
    held: Held,
    /// Floating-point registers whose value may be a NaN that is not the canonical one.
    raw: Registers,
    /// Of these, those that nothing has read yet.
    unused: Registers,
    /// Floating-point registers, as far as they are available, that are certainly not
    /// such a NaN.
    clean: Registers,
    origin: Origin,
    origins: Vec<Origin>,
    node: NodeId,
    guest_region: AliasRegion,
    hart_region: AliasRegion,
    translation: SigRef,
    preserving: SigRef,
    finding: SigRef,
    /// See [`Quiet`].
    quiet: Option<Quiet>,
    /// Whether a locked instruction was executed since the last store, as far as the current node
    /// says: the host has no load overtake a store then.
    fenced: bool,
    /// Exits of the current node that were made already.
    exits: Vec<(Exit, Snapshot, Block)>,
    /// See [`pin::changing_integers`].
    changing: Registers,
    /// What stands for the addresses that callees within the region return to.
    returns: FxHashMap<u64, GlobalValue>,
}

/// Since `fflags` was read into a register that still has it, nothing can have raised an exception
/// but comparisons.
struct Quiet {
    register: u8,
    /// What they compare.
    operands: Vec<(Value, Value)>,
}

impl Quiet {
    /// Whether that is still so behind the instruction.
    fn outlives(&self, instruction: &Instruction) -> bool {
        let is_quiet =
            instruction.row().kind != Kind::Float || effects::compares_or_moves(instruction);
        instruction.writes() & integer(self.register) == 0 && is_quiet
    }
}

impl Lowering<'_> {
    fn region(&mut self) {
        self.ways_to[0] = 1;
        for id in &self.plan.order {
            for to in self.region.nodes[*id as usize].end.nodes() {
                self.ways_to[to as usize] += 1;
            }
        }
        self.ways_left.clone_from(&self.ways_to);
        let entry = self.builder.create_block();
        self.builder.switch_to_block(entry);
        let calls = |id: &NodeId| {
            let end = &self.region.nodes[*id as usize].end;
            matches!(
                end,
                End::Call { .. } | End::CallIndirect { .. } | End::Jump { back: Some(_), .. }
            )
        };
        if self.plan.order.iter().any(calls) {
            self.check_depth(self.region.entry);
        }
        self.go(Edge::Node(0));
        for at in 0..self.plan.order.len() {
            let id = self.plan.order[at];
            self.node(id);
        }
        // What cannot be reached after all still needs an end.
        let mut reached = vec![false; self.region.nodes.len()];
        for id in &self.plan.order {
            reached[*id as usize] = true;
        }
        for (id, _) in reached.iter().enumerate().filter(|(_, reached)| !**reached) {
            self.builder.switch_to_block(self.blocks[id]);
            let zero = self.constant(0);
            self.builder.ins().return_(&[zero]);
        }
    }

    fn node(&mut self, id: NodeId) {
        let node: &Node = &self.region.nodes[id as usize];
        let plan = &self.plan.nodes[id as usize];
        self.node = id;
        self.held = plan.held;
        (self.raw, self.unused, self.clean) = (plan.raw, plan.raw & plan.carried, 0);
        self.exits.clear();
        (self.quiet, self.fenced) = (None, false);
        let head = plan.loop_head;
        let block = self.blocks[id as usize];
        if self.ways_left[id as usize] == 0 {
            // So that it is known of each register there how it was computed.
            self.builder.seal_block(block);
        }
        self.builder.switch_to_block(block);
        if matches!(node.end, End::Rest { .. }) {
            self.builder.set_cold_block(block);
        }
        self.at(node.pc, None);
        self.origin.access_pc = node.pc;
        self.origin.run_pc = node.pc;
        if head {
            // Keeps loads of what others write within the loop.
            self.builder.ins().sequence_point();
        }
        if self.mode.counting {
            let stepped = |i: &&Instruction| effects::way(i) == Way::Stepped;
            self.count(node.count - node.body.iter().filter(stepped).count() as u32);
        }
        let starts = if self.mode.precise { run_starts(&node.body) } else { Vec::new() };
        let words = Words::of(&node.body);
        let mut read = vec![None; words.words.len()];
        let mut pc = node.pc;
        for (index, instruction) in node.body.iter().enumerate() {
            if starts.get(index) == Some(&true) {
                self.flush_all();
                self.origin.run_pc = pc;
            }
            self.at(pc, Some(instruction));
            self.quiet = self.quiet.take().filter(|quiet| quiet.outlives(instruction));
            if let Some(search) = search::begins(self.region, node, index, pc) {
                self.skip_rounds(&search);
            } else if !self.part(&words, &mut read, &node.body, index, pc) {
                self.instruction(instruction, pc);
            }
            pc = pc.wrapping_add(instruction.len.into());
        }
        self.at(node.end_pc, None);
        self.end(node);
        for block in self.edge_blocks.drain(..) {
            self.builder.seal_block(block);
        }
    }

    /// What is added from here on comes from the instruction at `pc`.
    fn at(&mut self, pc: u64, instruction: Option<&Instruction>) {
        self.origin.pc = pc;
        if let Some(instruction) = instruction.filter(|i| effects::accesses_memory(i)) {
            self.origin.access_pc = pc;
            self.origin.is_load = instruction.row().kind == Kind::Load
                || matches!(instruction.opcode, Opcode::LrW | Opcode::LrD);
        }
        self.builder.set_srcloc(SourceLoc::new(self.origins.len() as u32));
        self.origins.push(self.origin);
        self.exits.clear();
    }

    fn instruction(&mut self, instruction: &Instruction, pc: u64) {
        if effects::way(instruction) == Way::Stepped {
            self.step(instruction, pc);
            return;
        }
        match instruction.row().kind {
            Kind::Alu | Kind::Float if effects::is_helped(instruction) => self.helped(instruction),
            Kind::Alu => self.alu(instruction, pc),
            Kind::Load => self.load(instruction),
            Kind::Store => self.store(instruction),
            Kind::Atomic => {
                self.atomic(instruction, pc);
                // A reservation is a load, and what is conditional may store nothing.
                self.fenced |= effects::is_locked(instruction);
            }
            Kind::Float => self.float(instruction),
            Kind::Fence => self.fence(instruction),
            Kind::Csr => self.read_clock(instruction),
            Kind::Branch | Kind::Jump | Kind::System => {
                unreachable!("these end a block or are interpreted")
            }
        }
    }

    fn end(&mut self, node: &Node) {
        let pc = node.end_pc;
        if !matches!(node.end, End::Interpret) {
            let carried = raw::carried_on(node, &self.plan.nodes[self.node as usize]);
            self.make_canonical(self.unused & !carried);
        }
        match &node.end {
            End::Goto(edge) => self.go(*edge),
            End::Branch { instruction, taken, fall } => {
                let (taken_stays, fall_stays) = (self.stays(*taken), self.stays(*fall));
                let mut block = |edge, stays: bool, other_stays: bool| match other_stays && !stays {
                    true => self.last_edge_block(edge),
                    false => self.edge_block(edge),
                };
                let fall_block = block(*fall, fall_stays, taken_stays);
                let taken_block = block(*taken, taken_stays, fall_stays);
                // Cranelift puts the second one right behind.
                if self.goes_round(*taken) || taken_stays && !fall_stays {
                    let condition = self.condition(instruction, true);
                    self.builder.ins().brif(condition, fall_block, &[], taken_block, &[]);
                } else {
                    let condition = self.condition(instruction, false);
                    self.builder.ins().brif(condition, taken_block, &[], fall_block, &[]);
                }
            }
            End::Skip { instruction, skipped, count, to } => {
                let condition = self.condition(instruction, false);
                if self.mode.counting {
                    self.count_unless(condition, *count);
                }
                for instruction in skipped {
                    let before = self.x(instruction.rd);
                    self.alu(instruction, pc);
                    let after = self.x(instruction.rd);
                    let value = self.choose(condition, before, after);
                    self.set_x(instruction.rd, value);
                }
                // What the way on wants interpreted is not all this once more.
                let next = match *to {
                    Edge::Node(to) => self.region.nodes[to as usize].pc,
                    Edge::Leave(next) => next,
                };
                self.at(next, None);
                self.go(*to);
            }
            End::Call { link, target, return_pc, back } => {
                let return_address = self.address(*return_pc);
                self.set_x(*link, return_address);
                self.flush_all();
                let slot = self.slot(*target);
                let call = self.builder.ins().call(slot, &[]);
                self.called(call, *return_pc, *back);
            }
            End::CallIndirect { link, base, offset, return_pc, back } => {
                let target = self.jump_target(*base, *offset);
                let return_address = self.address(*return_pc);
                self.set_x(*link, return_address);
                self.flush_all();
                let code = self.find(target, offset::FIND);
                let call = self.builder.ins().call_indirect(self.translation, code, &[]);
                self.called(call, *return_pc, *back);
            }
            End::Inline { link, return_pc, target } => {
                let return_address = self.return_address(*return_pc);
                self.set_x(*link, return_address);
                self.go(*target);
            }
            End::InlineReturn { base, offset, return_pc, back } => {
                // What is compared is even, so that the target's lowest bit may stay.
                let target = self.jump_sum(*base, *offset);
                let expected = self.return_address(*return_pc);
                let same = self.builder.ins().icmp(IntCC::Equal, target, expected);
                let (back_block, other) = (self.edge_block(*back), self.cold_block());
                self.builder.ins().brif(same, back_block, &[], other, &[]);
                self.builder.switch_to_block(other);
                let target = self.without_lowest_bit(target);
                self.flush(self.held.dirty);
                self.builder.ins().return_(&[target]);
            }
            End::Return { base, offset } => {
                let target = self.jump_target(*base, *offset);
                self.flush(self.held.dirty);
                self.builder.ins().return_(&[target]);
            }
            End::Rest { target, return_pc, back } => {
                self.flush_all();
                self.check_depth(*target);
                let address = self.address(*target);
                self.poll_outside(address);
                let slot = self.slot(*target);
                let call = self.builder.ins().call(slot, &[]);
                self.called(call, *return_pc, *back);
            }
            End::Jump { link, base, offset, targets, back, .. } => {
                let target = self.jump_target(*base, *offset);
                if let Some((link, return_pc)) = *link {
                    let return_address = self.address(return_pc);
                    self.set_x(link, return_address);
                }
                self.jump(target, targets, *back);
            }
            End::Syscall(next) => self.leave(Exit::Because(Leave::Syscall, *next)),
            End::Interpret => self.leave(Exit::Because(Leave::Interpret, pc)),
        }
    }

    /// Has the interpreter execute `instruction`.
    fn step(&mut self, instruction: &Instruction, pc: u64) {
        self.flush_all();
        let forgotten = effects::forgotten(instruction);
        self.held.available &= !forgotten;
        self.held.single &= self.held.available;
        self.fenced = false;
        let quiet = self.quiet.take();
        if effects::is_flags_access(instruction) {
            return self.access_flags(instruction, quiet);
        }
        self.call_helper(Helper::STEP, Some(pc));
        let stop = self.load_state(I64, offset::UNREAD);
        let (exit, on) = (self.cold_block(), self.block());
        self.builder.ins().brif(stop, exit, &[], on, &[]);
        self.builder.switch_to_block(exit);
        if self.mode.counting {
            self.count_back(pc.wrapping_add(instruction.len.into()));
        }
        let odd = self.constant(3);
        self.builder.ins().return_(&[odd]);
        self.builder.switch_to_block(on);
    }

    /// Calls a helper, which changes no register; its operands and result are in the state.
    fn call_helper(&mut self, helper: Helper, pc: Option<u64>) {
        if let Some(pc) = pc {
            let pc = self.address(pc);
            self.store_state(pc, offset::PC);
        }
        self.call_helper_by(Helper::CALL, helper);
    }

    /// The same, with this code for a call.
    fn call_helper_by(&mut self, call: Helper, helper: Helper) {
        let helpers = self.load_state(I64, offset::HELPERS);
        let flags = self.hart_flags();
        let thunk = self.builder.ins().load(I64, flags, helpers, call.offset());
        let function = self.builder.ins().load(I64, flags, helpers, helper.offset());
        let arguments = [self.state(), function];
        self.builder.ins().call_indirect(self.preserving, thunk, &arguments);
    }

    fn count(&mut self, instructions: u32) {
        let before = self.load_state(I64, offset::INSTRET);
        let after = self.add_constant(before, instructions.into());
        self.store_state(after, offset::INSTRET);
    }

    /// Counts instructions that are executed unless `condition` holds.
    fn count_unless(&mut self, condition: Value, instructions: u32) {
        let (none, all) = (self.constant(0), self.constant(instructions.into()));
        let executed = self.builder.ins().select(condition, none, all);
        self.count_value(executed);
    }

    /// Counts as many instructions as the value says.
    fn count_value(&mut self, instructions: Value) {
        let before = self.load_state(I64, offset::INSTRET);
        let after = self.builder.ins().iadd(before, instructions);
        self.store_state(after, offset::INSTRET);
    }

    /// Takes back what was counted of the node behind the instruction at `pc`.
    fn count_back(&mut self, pc: u64) {
        if self.entering_region() {
            return;
        }
        let node = &self.region.nodes[self.node as usize];
        let mut at = node.pc;
        let mut left = 0;
        for instruction in &node.body {
            if at >= pc && effects::way(instruction) == Way::Lowered {
                left += 1;
            }
            at += u64::from(instruction.len);
        }
        if pc <= node.end_pc {
            left += i64::from(node.count) - node.body.len() as i64;
        }
        let before = self.load_state(I64, offset::INSTRET);
        let after = self.add_constant(before, -left);
        self.store_state(after, offset::INSTRET);
    }

    /// Stores all dirty registers to memory; they stay available.
    fn flush_all(&mut self) {
        self.make_canonical(self.raw);
        self.flush(self.held.dirty);
        self.held.dirty = 0;
    }

    /// Stores registers to memory.
    fn flush(&mut self, registers: Registers) {
        for register in integers_in(registers) {
            let value = self.builder.use_var(self.x[usize::from(register)]);
            self.store_state(value, offset::x(register));
        }
        for register in floats_in(registers) {
            let at = offset::f(register);
            if self.held.single & float(register) != 0 {
                let value = self.canonical_single(register);
                self.store_state(value, at);
                let boxing = self.builder.ins().iconst(I32, -1);
                self.store_state(boxing, at + 4);
            } else {
                let value = self.canonical_double(register);
                self.store_state(value, at);
            }
        }
    }

    /// Reads an integer register.
    fn x(&mut self, register: u8) -> Value {
        if register == 0 {
            return self.constant(0);
        }
        let variable = self.x[usize::from(register)];
        if self.held.available & integer(register) == 0 {
            let value = self.load_state(I64, offset::x(register));
            self.builder.def_var(variable, value);
            self.held.available |= integer(register);
        }
        self.builder.use_var(variable)
    }

    /// Writes an integer register.
    fn set_x(&mut self, register: u8, value: Value) {
        if register != 0 {
            self.builder.def_var(self.x[usize::from(register)], value);
            self.held.write(integer(register), 0);
        }
    }

    fn constant(&mut self, value: u64) -> Value {
        self.builder.ins().iconst(I64, value as i64)
    }

    fn add_constant(&mut self, value: Value, constant: i64) -> Value {
        if constant == 0 { value } else { self.builder.ins().iadd_imm_s(value, constant) }
    }

    fn hart_flags(&self) -> MemFlagsData {
        MemFlagsData::trusted().with_alias_region(Some(self.hart_region))
    }

    fn guest_flags(&self) -> MemFlagsData {
        MemFlagsData::new().with_alias_region(Some(self.guest_region))
    }

    /// The state's address. Blocks have a copy of their own, but for those that only a block
    /// with one leads to: one for all would be spilled.
    fn state(&mut self) -> Value {
        let here = self.builder.current_block().expect("a block is being filled");
        let mut at = here;
        loop {
            match self.states.get(&at).copied().unwrap_or(AddressFrom::None) {
                AddressFrom::Copy(value) => return value,
                AddressFrom::Before(block) => at = block,
                AddressFrom::None => break,
            }
        }
        let value = self.builder.ins().get_pinned_reg(I64);
        self.states.insert(here, AddressFrom::Copy(value));
        value
    }

    /// Says that `block` is only reached through the current one, as it is now.
    fn follows(&mut self, block: Block) {
        let here = self.builder.current_block().expect("a block is being filled");
        self.states.insert(block, AddressFrom::Before(here));
    }

    fn load_state(&mut self, ty: cranelift_codegen::ir::Type, at: i32) -> Value {
        let (flags, state) = (self.hart_flags(), self.state());
        self.builder.ins().load(ty, flags, state, at)
    }

    fn store_state(&mut self, value: Value, at: i32) {
        let (flags, state) = (self.hart_flags(), self.state());
        self.builder.ins().store(flags, value, state, at);
    }

    /// Whether `edge` is the way from here to another round of a loop.
    fn goes_round(&self, edge: Edge) -> bool {
        matches!(edge, Edge::Node(to) if self.plan.back_edges.contains(&(self.node, to)))
    }

    /// Whether `edge` does not leave the innermost loop around here.
    fn stays(&self, edge: Edge) -> bool {
        let innermost = |node: NodeId| self.plan.nodes[node as usize].innermost;
        let Edge::Node(to) = edge else { return false };
        innermost(to).is_some() && innermost(to) == innermost(self.node)
    }

    /// Whether `branch` is taken; with `negated`, whether it is not.
    fn condition(&mut self, branch: &Instruction, negated: bool) -> Value {
        let (a, b) = (self.x(branch.rs1), self.x(branch.rs2));
        let condition = match branch.opcode {
            Opcode::Beq => IntCC::Equal,
            Opcode::Bne => IntCC::NotEqual,
            Opcode::Blt => IntCC::SignedLessThan,
            Opcode::Bge => IntCC::SignedGreaterThanOrEqual,
            Opcode::Bltu => IntCC::UnsignedLessThan,
            Opcode::Bgeu => IntCC::UnsignedGreaterThanOrEqual,
            other => unreachable!("{other:?} is no branch"),
        };
        let condition = if negated { condition.complement() } else { condition };
        self.compare_integers(condition, a, b)
    }
}
