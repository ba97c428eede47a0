//! Which blocks get host code.

use super::Interpreter;
use crate::Keeper;
use crate::baseline;
use crate::baseline::sheet::{PAGE, Sheet};
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
        self.warm == Warm::Seen && self.pauses < FIRST_PAUSE
    }

    /// Takes in or makes host code for the block at `pc` if there is one and this did not happen
    /// before, and for those to which it leads straight on. Gives whether there may be any that is
    /// new at the block's beginning.
    pub(super) fn compile(&mut self, pc: u64) -> bool {
        let mut made = self.keeper.is_some() && self.recall(pc);
        let fewest = if self.warm == Warm::AtOnce { 1 } else { baseline::WORTH_IT };
        let mut next = Some(pc);
        for n in 0..MOST_BLOCKS {
            let Some(at) = next else { break };
            let Compiled { code, goes_on } = self.blocks.compile(at, fewest, &mut self.context);
            next = goes_on;
            if let Some(code) = code {
                self.context.cache_code(at, code);
                made |= n == 0;
                if let Some(keeper) = &self.keeper {
                    keeper.reached(at, true);
                }
            }
        }
        made
    }

    /// The object of which blocks at `pc` may be kept, and where that is.
    fn object_of(&mut self, pc: u64) -> Option<(u32, u64)> {
        let &CodeRegion { writable, object, .. } = self.code_region(pc);
        object.filter(|_| !writable && !self.context.soft_float)
    }

    /// Takes in the sheet of the page around `pc`, if there is one for a program that is as warm as this
    /// one, and this was not done before. Gives whether it has.
    pub(super) fn recall(&mut self, pc: u64) -> bool {
        let key = (pc - pc % PAGE) | u64::from(self.is_cold());
        if self.page == key {
            return false;
        }
        self.page = key;
        if !self.pages.insert(key) {
            return false;
        }
        // Taken for so long, not cloned: what is shared is counted by instructions that wait for
        // all stores before them, and those of pre-decoding miss the caches.
        let Some(keeper) = self.keeper.take() else { return false };
        let mut room = std::mem::take(&mut self.room);
        let taken = self.object_of(pc).and_then(|(object, base)| {
            let (distance, warm) = ((pc - pc % PAGE).wrapping_sub(base), !self.is_cold());
            let sheet = Sheet::read(keeper.get(object, distance, warm, &mut room)?)?;
            let is_right = sheet.is_of(base, &self.code.range);
            is_right.then(|| self.blocks.take_in(&sheet, base, &mut self.context))?
        });
        self.room = room;
        self.keeper = Some(keeper);
        taken.is_some()
    }
}
