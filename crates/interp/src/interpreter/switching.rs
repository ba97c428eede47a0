//! What somebody needs who lets another engine take turns with the interpreter.

use super::Interpreter;
use crate::fuel::Fuel;
use std::ops::Range;

impl Interpreter {
    /// Makes [`run`](Self::run) stop with [`Stop::Sample`](super::Stop::Sample) at
    /// the `events`th event from now, once. Events are jumps and taken branches
    /// backwards, calls, returns and other indirect jumps. Host code made of warm blocks
    /// does not count them: 64 of its instructions stand for one. `u32::MAX`, as at first, stops
    /// nobody.
    pub fn set_fuel(&mut self, events: u32) {
        self.context.fuel = Fuel::new(events);
    }

    /// Makes [`run`](Self::run) stop with [`Stop::Gate`](super::Stop::Gate) when
    /// it would begin a block at `pc`, until the gate is removed: whatever becomes
    /// of the code there. Code that runs over `pc` within a block does not stop.
    pub fn add_gate(&mut self, pc: u64) {
        self.blocks.add_gate(pc);
        self.context.evict(pc);
    }

    /// Removes the gate at `pc`, if there is one.
    pub fn remove_gate(&mut self, pc: u64) {
        self.blocks.remove_gate(pc);
        self.context.evict(pc);
    }

    /// Removes all gates.
    pub fn clear_gates(&mut self) {
        for pc in self.gates() {
            self.remove_gate(pc);
        }
    }

    /// Where gates are, in ascending order.
    pub fn gates(&self) -> Vec<u64> {
        let mut gates: Vec<u64> = self.blocks.gates().collect();
        gates.sort_unstable();
        gates
    }

    /// How often gates have had the other engine go on, by
    /// [`resume_through`](Self::resume_through).
    pub fn passages(&self) -> u64 {
        self.context.passages
    }

    /// Whether a block that begins at `pc` has been executed, in its present form.
    pub fn reached(&self, pc: u64) -> bool {
        self.blocks.get(pc).is_some() || self.first_times.was_once(pc)
    }

    /// Targets within `range` of indirect jumps that were neither calls nor
    /// returns, in ascending order. Some may be missing: those of
    /// [`step`](Self::step), those that were called before, more than are kept.
    pub fn indirect_targets(&self, range: Range<u64>) -> Vec<u64> {
        self.targets.within(range)
    }

    /// How many fence.i instructions were executed: after each, code that the
    /// guest can write in place may have changed.
    pub fn fences(&self) -> u64 {
        self.fences
    }
}
