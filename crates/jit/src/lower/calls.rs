//! Calls and jumps to other regions, and jumps through registers.

use super::{AddressFrom, Lowering};
use crate::analysis::Held;
use crate::jump_cache;
use crate::state::offset;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{Block, Inst, InstBuilder, JumpTableData, Value};
use rustc_hash::FxHashMap;
use rvrun_decoder::region::{Edge, End, NodeId};

/// Targets of a jump are told apart by a table if there is one in so many bytes: a table has a
/// place of four bytes for each address between the first and the last of them.
const MAX_TABLE_SPACING: u64 = 64;

impl Lowering<'_> {
    /// Goes on where `back` leads if the callee has returned `return_pc`, else returns what it
    /// returned.
    pub(super) fn called(&mut self, call: Inst, return_pc: u64, back: Edge) {
        let returned = self.builder.inst_results(call)[0];
        self.held = Held::default();
        // Else the copy would be live during the call.
        let here = self.builder.current_block().expect("a block is being filled");
        self.states.insert(here, AddressFrom::None);
        // What the way back wants interpreted is not the call once more.
        self.at(return_pc, None);
        let expected = self.address(return_pc);
        let same = self.builder.ins().icmp(IntCC::Equal, returned, expected);
        let back_block = self.edge_block(back);
        // Behind the rest of a callee, all is loaded that other ways bring along.
        let is_rest = matches!(self.region.nodes[self.node as usize].end, End::Rest { .. });
        if is_rest && !self.blocks.contains(&back_block) {
            self.builder.set_cold_block(back_block);
        }
        let other = self.other_block();
        self.builder.ins().brif(same, back_block, &[], other, &[returned.into()]);
    }

    /// The block that returns what a callee has returned.
    fn other_block(&mut self) -> Block {
        if let Some(block) = self.other {
            return block;
        }
        let here = self.builder.current_block().expect("a block is being filled");
        let block = self.cold_block();
        let returned = self.builder.append_block_param(block, I64);
        self.builder.switch_to_block(block);
        self.builder.ins().return_(&[returned]);
        self.builder.switch_to_block(here);
        self.other = Some(block);
        block
    }

    /// Where the stack is used up: returns the guest address `pc`, so that everything is returned
    /// from and the dispatcher goes on there with the stack empty. To be called in regions that
    /// make calls, as the first thing, or where a call is made.
    pub(super) fn check_depth(&mut self, pc: u64) {
        // Not the stack pointer: what a region takes itself must not keep it from being entered.
        let frame = self.builder.ins().get_frame_pointer(I64);
        let limit = self.load_state(I64, offset::STACK_LIMIT);
        let over = self.builder.ins().icmp(IntCC::UnsignedLessThan, frame, limit);
        let (exit, on) = (self.cold_block(), self.block());
        self.builder.ins().brif(over, exit, &[], on, &[]);
        self.builder.switch_to_block(exit);
        let pc = self.address(pc);
        self.builder.ins().return_(&[pc]);
        self.builder.switch_to_block(on);
    }

    pub(super) fn jump_target(&mut self, base: u8, offset: i32) -> Value {
        let sum = self.jump_sum(base, offset);
        self.without_lowest_bit(sum)
    }

    pub(super) fn jump_sum(&mut self, base: u8, offset: i32) -> Value {
        let base = self.x(base);
        self.add_constant(base, offset.into())
    }

    pub(super) fn without_lowest_bit(&mut self, value: Value) -> Value {
        let mask = self.builder.ins().iconst(I64, !1);
        self.builder.ins().band(value, mask)
    }

    /// Jumps to `target`: to a node for those of `targets`, else out of the region; from there to
    /// what is `back`, if that is where all this returns to.
    pub(super) fn jump(
        &mut self,
        target: Value,
        targets: &[(u64, NodeId)],
        back: Option<(u64, Edge)>,
    ) {
        let other = if targets.is_empty() { None } else { Some(self.block()) };
        if let (Some((first, _)), Some((last, _)), Some(other)) =
            (targets.first(), targets.last(), other)
        {
            if targets.len() <= 2 || last - first > MAX_TABLE_SPACING * targets.len() as u64 {
                self.search(target, targets, other);
            } else {
                self.table(target, targets, *first, *last, other);
            }
            self.builder.switch_to_block(other);
        }
        self.flush(self.held.dirty);
        self.poll_outside(target);
        let code = self.find(target, offset::FIND_JUMP);
        match back {
            Some((return_pc, back)) => {
                let call = self.builder.ins().call_indirect(self.translation, code, &[]);
                self.called(call, return_pc, back);
            }
            None => {
                self.builder.ins().return_call_indirect(self.translation, code, &[]);
            }
        }
    }

    /// Compares `target` with each of `targets`, by bisection.
    pub(super) fn search(&mut self, target: Value, targets: &[(u64, NodeId)], other: Block) {
        if let [(pc, node)] = targets {
            let pc = self.address(*pc);
            let same = self.builder.ins().icmp(IntCC::Equal, target, pc);
            let block = self.edge_block(Edge::Node(*node));
            self.builder.ins().brif(same, block, &[], other, &[]);
            return;
        }
        let (low, high) = targets.split_at(targets.len() / 2);
        let pivot = self.address(high[0].0);
        let below = self.builder.ins().icmp(IntCC::UnsignedLessThan, target, pivot);
        let (low_block, high_block) = (self.block(), self.block());
        self.builder.ins().brif(below, low_block, &[], high_block, &[]);
        self.builder.switch_to_block(low_block);
        self.search(target, low, other);
        self.builder.switch_to_block(high_block);
        self.search(target, high, other);
    }

    /// Looks `target` up in a table of all addresses from `first` to `last`.
    pub(super) fn table(
        &mut self,
        target: Value,
        targets: &[(u64, NodeId)],
        first: u64,
        last: u64,
        other: Block,
    ) {
        let mut nodes: FxHashMap<u64, Block> = FxHashMap::default();
        for (pc, node) in targets {
            let block = self.edge_block(Edge::Node(*node));
            nodes.insert(*pc, block);
        }
        let first_value = self.address(first);
        let distance = self.builder.ins().isub(target, first_value);
        let index = self.builder.ins().ushr_imm_u(distance, 1);
        let within = self.block();
        let bound = ((last - first) / 2) as i64;
        let outside = self.builder.ins().icmp_imm_s(IntCC::UnsignedGreaterThan, index, bound);
        self.builder.ins().brif(outside, other, &[], within, &[]);
        self.builder.switch_to_block(within);
        let index = self.builder.ins().ireduce(I32, index);
        // Nothing else leads there, so that control brings nothing along: for each entry of a
        // table whose block takes values there is a copy of the code that hands them over.
        let hole = self.block();
        let pool = &mut self.builder.func.dfg.value_lists;
        let mut call = |block| cranelift_codegen::ir::BlockCall::new(block, [], pool);
        let table: Vec<_> = (first..=last)
            .step_by(2)
            .map(|pc| call(nodes.get(&pc).copied().unwrap_or(hole)))
            .collect();
        let default = call(hole);
        let table = self.builder.create_jump_table(JumpTableData::new(default, &table));
        self.builder.ins().br_table(index, table);
        self.builder.switch_to_block(hole);
        self.builder.ins().jump(other, &[]);
    }

    /// The translation for the guest address `target`, by the jump cache. Where there is none,
    /// it is code that returns the state's target.
    pub(super) fn find(&mut self, target: Value, finder: i32) -> Value {
        self.store_state(target, offset::TARGET);
        let cache = self.load_state(I64, offset::JUMP_CACHE);
        let mask = self.load_state(I64, offset::JUMP_CACHE_MASK);
        let place = self.builder.ins().ishl_imm_u(target, jump_cache::SHIFT);
        let place = self.builder.ins().band(place, mask);
        let entry = self.builder.ins().iadd(cache, place);
        let hart = self.hart_flags();
        let pc = self.builder.ins().load(I64, hart, entry, 0);
        let same = self.builder.ins().icmp(IntCC::Equal, pc, target);
        let (hit, miss, found) = (self.block(), self.cold_block(), self.block());
        let code = self.builder.append_block_param(found, I64);
        self.builder.ins().brif(same, hit, &[], miss, &[]);
        self.builder.switch_to_block(hit);
        let cached = self.builder.ins().load(I64, hart, entry, 8);
        self.builder.ins().jump(found, &[cached.into()]);
        self.builder.switch_to_block(miss);
        let find = self.load_state(I64, finder);
        let arguments = [self.state(), target];
        let call = self.builder.ins().call_indirect(self.finding, find, &arguments);
        let looked_up = self.builder.inst_results(call)[0];
        self.builder.ins().jump(found, &[looked_up.into()]);
        self.builder.switch_to_block(found);
        code
    }
}
