//! From node to node: what must be held where, and polls on the way.

use super::Lowering;
use super::exits::Exit;
use crate::analysis::{NodePlan, floats_in, integers_in};
use crate::state::{Leave, offset};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{Block, InstBuilder, MemFlagsData, Value};
use rvrun_decoder::region::{Edge, NodeId};
use rvrun_isa::effect::{Registers, float};

impl Lowering<'_> {
    /// Goes where `edge` leads.
    pub(super) fn go(&mut self, edge: Edge) {
        match edge {
            Edge::Leave(pc) => self.leave(Exit::To(pc)),
            Edge::Node(to) => {
                let before = (self.held, self.raw, self.unused, self.clean);
                self.prepare(to);
                let block = self.node_block(to);
                self.builder.ins().jump(block, &[]);
                (self.held, self.raw, self.unused, self.clean) = before;
            }
        }
    }

    /// A block that goes where `edge` leads: the node's own if there is nothing to do.
    pub(super) fn edge_block(&mut self, edge: Edge) -> Block {
        match edge {
            Edge::Leave(pc) => self.exit_block(Exit::To(pc)),
            Edge::Node(to) if self.is_prepared(to) => self.node_block(to),
            Edge::Node(_) => {
                let block = self.block();
                self.go_from(block, edge)
            }
        }
    }

    /// The same for the end of a loop, out of the way of its next round. What only this edge
    /// needs is computed there.
    pub(super) fn last_edge_block(&mut self, edge: Edge) -> Block {
        match edge {
            Edge::Leave(_) => self.edge_block(edge),
            Edge::Node(_) => {
                let block = self.cold_block();
                self.go_from(block, edge)
            }
        }
    }

    /// Makes `block` go where `edge` leads.
    fn go_from(&mut self, block: Block, edge: Edge) -> Block {
        let here = self.builder.current_block().expect("a block is being filled");
        self.builder.switch_to_block(block);
        self.go(edge);
        self.builder.switch_to_block(here);
        self.edge_blocks.push(block);
        block
    }

    /// The block of node `to`, to which a way leads from here.
    fn node_block(&mut self, to: NodeId) -> Block {
        let block = self.blocks[to as usize];
        self.ways_left[to as usize] -= 1;
        if self.ways_to[to as usize] == 1 {
            self.follows(block);
        }
        block
    }

    /// Whether what is held is what node `to` wants at its beginning.
    pub(super) fn is_prepared(&self, to: NodeId) -> bool {
        let plan = &self.plan.nodes[to as usize];
        let wanted = plan.held;
        let clean = self.held.dirty & !wanted.dirty & plan.live;
        wanted.available & !self.held.available == 0
            && self.raw & !plan.raw & wanted.available == 0
            && self.unused & !plan.carried == 0
            && plan.raw & !self.may_be_raw() == 0
            && (self.held.single & !wanted.single) & wanted.available == 0
            && clean == 0
            && !self.plan.back_edges.contains(&(self.node, to))
    }

    /// Makes what is held what node `to` wants.
    pub(super) fn prepare(&mut self, to: NodeId) {
        let NodePlan { held: wanted, raw, carried, live, .. } = self.plan.nodes[to as usize];
        self.make_canonical(self.raw & !raw & wanted.available | self.unused & !carried);
        let exact = raw & !self.may_be_raw();
        if self.plan.back_edges.contains(&(self.node, to)) && !self.entering_region() {
            self.poll(to);
        }
        self.flush(self.held.dirty & !wanted.dirty & live);
        // What is dead is not, where this way is left again.
        self.held.dirty &= wanted.dirty | !live;
        for register in integers_in(wanted.available & !self.held.available) {
            self.x(register);
        }
        let missing = wanted.available & !self.held.available;
        for register in floats_in(missing) {
            if wanted.single & float(register) != 0 {
                self.single(register);
            } else {
                self.double(register);
            }
        }
        for register in floats_in(self.held.single & !wanted.single & wanted.available) {
            let value = self.double(register);
            self.builder.def_var(self.f[usize::from(register)], value);
            self.held.single &= !float(register);
        }
        self.check_nans(exact);
        self.held.dirty &= live;
    }

    /// Leaves the region, for the interpreter to go on, if one of `registers` is a NaN but not the
    /// canonical one.
    pub(super) fn check_nans(&mut self, registers: Registers) {
        for register in floats_in(registers) {
            let single = self.held.single & float(register) != 0;
            let (variables, bits) = if single { (&self.s, I32) } else { (&self.f, I64) };
            let value = self.builder.use_var(variables[usize::from(register)]);
            let unordered = self.builder.ins().fcmp(FloatCC::Unordered, value, value);
            let exit = self.exit_block(Exit::Because(Leave::Interpret, self.origin.pc));
            let (on, nan) = (self.block(), self.cold_block());
            self.builder.ins().brif(unordered, nan, &[], on, &[]);
            self.builder.switch_to_block(nan);
            let canonical = self.canonical(single);
            let flags = MemFlagsData::new();
            let value = self.builder.ins().bitcast(bits, flags, value);
            let canonical = self.builder.ins().bitcast(bits, flags, canonical);
            let same = self.builder.ins().icmp(IntCC::Equal, value, canonical);
            self.builder.ins().brif(same, on, &[], exit, &[]);
            self.builder.switch_to_block(on);
        }
    }

    /// Registers that hold no NaN but what may become the canonical one.
    pub(super) fn may_be_raw(&self) -> Registers {
        self.raw | self.clean & self.held.available
    }

    /// Whether the entry block is being filled.
    pub(super) fn entering_region(&self) -> bool {
        self.origins.is_empty()
    }

    /// Leaves the region if attention is wanted, with node `to` as the next one.
    pub(super) fn poll(&mut self, to: NodeId) {
        let pc = self.region.nodes[to as usize].pc;
        let wanted = self.attention();
        let exit = self.exit_block(Exit::Up(pc));
        let on = self.block();
        self.builder.ins().brif(wanted, exit, &[], on, &[]);
        self.builder.switch_to_block(on);
    }

    /// Whether attention is wanted, or the deadline has come.
    pub(super) fn attention(&mut self) -> Value {
        let flag = self.load_state(I64, offset::ATTENTION);
        let wanted = self.builder.ins().load(I32, MemFlagsData::trusted(), flag, 0);
        if !self.mode.counting {
            return wanted;
        }
        let retired = self.load_state(I64, offset::INSTRET);
        let deadline = self.load_state(I64, offset::DEADLINE);
        let late = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, retired, deadline);
        let late = self.builder.ins().uextend(I32, late);
        self.builder.ins().bor(wanted, late)
    }

    /// Returns `target` to the dispatcher if attention is wanted. To be called with
    /// nothing dirty, on ways that can make a loop with other regions.
    pub(super) fn poll_outside(&mut self, target: Value) {
        let wanted = self.attention();
        let (exit, on) = (self.cold_block(), self.block());
        self.builder.ins().brif(wanted, exit, &[], on, &[]);
        self.builder.switch_to_block(exit);
        self.builder.ins().return_(&[target]);
        self.builder.switch_to_block(on);
    }
}
