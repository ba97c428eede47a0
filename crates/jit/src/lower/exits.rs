//! Ways out of the region.

use super::{AddressFrom, Lowering};
use crate::analysis::{floats_in, integers_in};
use crate::state::{Leave, offset};
use cranelift_codegen::ir::types::I32;
use cranelift_codegen::ir::{Block, InstBuilder, Value};
use rvrun_isa::effect::float;

/// A way out of the region.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// On to this address.
    To(u64),
    /// Up to the dispatcher, to go on at this address.
    Up(u64),
    /// With a reason; the hart's pc is the address.
    Because(Leave, u64),
}

/// What an exit has to store.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Snapshot(Vec<Value>);

impl Lowering<'_> {
    /// Leaves the region here.
    pub(super) fn leave(&mut self, exit: Exit) {
        let block = self.exit_block(exit);
        self.builder.ins().jump(block, &[]);
    }

    /// A cold block that stores what is dirty and leaves the region.
    pub(super) fn exit_block(&mut self, exit: Exit) -> Block {
        let here = self.builder.current_block().expect("a block is being filled");
        let snapshot = self.snapshot();
        let known = self.exits.iter().find(|(e, s, _)| *e == exit && *s == snapshot);
        if let Some((_, _, block)) = known {
            return *block;
        }
        let block = self.cold_block();
        // Other ways may lead here, too.
        self.states.insert(block, AddressFrom::None);
        self.builder.switch_to_block(block);
        let before = (self.held, self.raw, self.unused, self.clean);
        self.make_canonical(self.unused & !self.held.dirty);
        self.flush(self.held.dirty);
        match exit {
            Exit::Up(pc) => {
                let target = self.address(pc);
                self.builder.ins().return_(&[target]);
            }
            Exit::To(pc) => {
                // A circle of regions has one that is left to its entry or to before that.
                if pc <= self.region.entry {
                    let target = self.address(pc);
                    self.poll_outside(target);
                }
                let slot = self.slot(pc);
                self.builder.ins().return_call(slot, &[]);
            }
            Exit::Because(why, pc) => {
                // The first node is counted once it is entered.
                let counted = self.mode.counting && !self.entering_region();
                if counted && why == Leave::Interpret {
                    self.count_back(pc);
                }
                let pc = self.address(pc);
                self.store_state(pc, offset::PC);
                let why = self.builder.ins().iconst(I32, i64::from(why as u32));
                self.store_state(why, offset::LEAVE);
                let odd = self.constant(3);
                self.builder.ins().return_(&[odd]);
            }
        }
        (self.held, self.raw, self.unused, self.clean) = before;
        self.builder.switch_to_block(here);
        self.exits.push((exit, snapshot, block));
        block
    }

    pub(super) fn snapshot(&mut self) -> Snapshot {
        let dirty = self.held.dirty;
        let mut values: Vec<Value> = Vec::new();
        for register in integers_in(dirty) {
            values.push(self.builder.use_var(self.x[usize::from(register)]));
        }
        for register in floats_in(dirty) {
            let variables = if self.held.single & float(register) != 0 { &self.s } else { &self.f };
            values.push(self.builder.use_var(variables[usize::from(register)]));
        }
        Snapshot(values)
    }

    /// A block that is only reached through the current one, as it is now.
    pub(super) fn block(&mut self) -> Block {
        let block = self.builder.create_block();
        self.follows(block);
        block
    }

    /// The same, for what is rare.
    pub(super) fn cold_block(&mut self) -> Block {
        let block = self.block();
        self.builder.set_cold_block(block);
        block
    }
}
