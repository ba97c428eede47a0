//! Which blocks get host code.

use super::Interpreter;
use crate::Keeper;
use crate::baseline;
use crate::baseline::kept::Trace;
use crate::blocks::Compiled;
use crate::slot::Slot;
use rvrun_memory::CodeRegion;
use std::sync::Arc;

/// When host code is made in place of handlers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Warm {
    /// Never: each op is executed by its handler.
    #[default]
    Never,
    /// When a block is seen at a pause, or host code often leads there.
    Seen,
    /// When a block is pre-decoded: for tests.
    AtOnce,
}

/// Pauses before anything is compiled: a program that ends before executes most of its
/// code too few times.
const FIRST_PAUSE: u32 = 4;

/// Blocks that get host code at once.
const MOST_BLOCKS: usize = 16;

/// [`Context::cold`](crate::context::Context::cold) after host code has led to a gate, or to a
/// block that can have none.
const NOTHING_TO_DO_PERIOD: u32 = 256;
/// The same, to a block whose code the guest may change: it is made anew each time.
const CHANGING_PERIOD: u32 = 8;

impl Interpreter {
    /// Says when host code is made in place of handlers.
    pub fn set_warm(&mut self, warm: Warm) {
        self.warm = warm;
    }

    /// Says who keeps host code that is made when blocks are [seen](Warm::Seen).
    pub fn set_keeper(&mut self, keeper: Option<Arc<dyn Keeper>>) {
        self.keeper = keeper;
    }

    /// At a pause at `pc`: nobody refers to a slot.
    pub(super) fn pause(&mut self, pc: u64) {
        if self.warm != Warm::Seen {
            return;
        }
        if self.is_cold() {
            self.pauses += 1;
        } else if self.blocks.is_full_of_code(&self.context) {
            self.clear();
        } else {
            self.compile(pc);
        }
    }

    /// Host code has led to `slot`, where there is none.
    pub(super) fn warm_up(&mut self, slot: *const Slot) {
        let pc = self.blocks.position(slot).map(|(pc, _)| pc);
        self.waits = !self.waits && pc.is_some_and(|pc| self.blocks.may_change(pc));
        if self.waits {
            self.context.cold = CHANGING_PERIOD;
        } else if !pc.is_some_and(|pc| self.compile(pc)) {
            self.context.cold = NOTHING_TO_DO_PERIOD;
        }
    }

    /// Whether the program has not executed enough yet for any host code.
    pub(super) fn is_cold(&self) -> bool {
        self.pauses < FIRST_PAUSE
    }

    /// Takes in or makes host code for the block at `pc` if there is one and this did not happen
    /// before, and for those to which it leads straight on. Gives whether the block begins with
    /// code that is new.
    pub(super) fn compile(&mut self, pc: u64) -> bool {
        if self.recall(pc) {
            return true;
        }
        let fewest = if self.warm == Warm::AtOnce { 1 } else { baseline::WORTH_IT };
        let mut trace = self.begin_trace(pc);
        let mut next = Some(pc);
        let mut made = false;
        for n in 0..MOST_BLOCKS {
            let Some(at) = next else { break };
            let Compiled { code, goes_on } =
                self.blocks.compile(at, fewest, trace.as_mut(), &mut self.context);
            next = goes_on;
            if let Some(code) = code {
                self.context.cache_code(at, code);
                made |= n == 0;
            }
        }
        if let Some(trace) = trace.and_then(Trace::finish)
            && let Some((object, base)) = self.object_of(pc)
            && let Some(keeper) = &self.keeper
        {
            keeper.put(object, pc.wrapping_sub(base), trace);
        }
        made
    }

    /// A trace for what is made from the block at `pc` on, if that is to be kept.
    fn begin_trace(&mut self, pc: u64) -> Option<Trace> {
        let is_wanted = self.keeper.as_ref().is_some_and(|keeper| keeper.is_writing());
        let (_, base) = self.object_of(pc).filter(|_| is_wanted)?;
        Some(Trace::new(self.code.range.clone(), base))
    }

    /// The object of which host code of the block at `pc` may be kept, and where that is.
    fn object_of(&mut self, pc: u64) -> Option<(u32, u64)> {
        let &CodeRegion { writable, object, .. } = self.code_region(pc);
        object.filter(|_| !writable && !self.context.soft_float)
    }

    /// Takes in host code of the block at `pc`, if that is there, and of others that was kept with
    /// it; these are pre-decoded. Gives whether the block begins with code that is new.
    pub(super) fn recall(&mut self, pc: u64) -> bool {
        // Taken for so long, not cloned: what is shared is counted by instructions that wait for
        // all stores before them, and those of pre-decoding miss the caches.
        let Some(keeper) = self.keeper.take() else { return false };
        let mut room = std::mem::take(&mut self.room);
        let made = self.object_of(pc).is_some_and(|(object, base)| {
            let trace = keeper.get(object, pc.wrapping_sub(base), &mut room);
            trace.is_some_and(|trace| self.take_in(trace, base, pc))
        });
        self.room = room;
        self.keeper = Some(keeper);
        made
    }

    /// Takes in a trace of the object at `base`. Gives whether the block at `pc` begins with code
    /// that is new.
    fn take_in(&mut self, trace: &[u8], base: u64, pc: u64) -> bool {
        let mut made = false;
        for kept in baseline::kept::blocks(trace, base) {
            let is_there = self.blocks.get(kept.pc).is_some();
            let range = &self.code.range;
            let is_inside =
                range.start <= kept.pc && kept.pc <= kept.end() && kept.end() <= range.end;
            if !is_inside || !is_there && self.blocks.is_full() {
                break;
            }
            if !is_there {
                self.insert(kept.pc);
            }
            let Compiled { code, .. } = self.blocks.recall(&kept, &mut self.context);
            if let Some(code) = code {
                self.context.cache_code(kept.pc, code);
                made |= kept.pc == pc;
            }
        }
        made
    }
}
