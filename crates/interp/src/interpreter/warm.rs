//! Which blocks get host code.

use super::Interpreter;
use crate::baseline;
use crate::blocks::Compiled;
use crate::slot::Slot;

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

    /// At a pause at `pc`: nobody refers to a slot.
    pub(super) fn pause(&mut self, pc: u64) {
        if self.warm != Warm::Seen {
            return;
        }
        if self.pauses < FIRST_PAUSE {
            self.pauses += 1;
        } else if self.blocks.is_full_of_code() {
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

    /// Makes host code for the block at `pc` if there is one and this did not happen before, and
    /// for those to which it leads straight on. Gives whether the block begins with what was
    /// made.
    pub(super) fn compile(&mut self, pc: u64) -> bool {
        let fewest = if self.warm == Warm::AtOnce { 1 } else { baseline::WORTH_IT };
        let mut next = Some(pc);
        let mut made = false;
        for n in 0..MOST_BLOCKS {
            let Some(at) = next else { break };
            let Compiled { code, goes_on } = self.blocks.compile(at, fewest, &mut self.context);
            next = goes_on;
            if let Some(code) = code {
                self.context.cache_code(at, code);
                made |= n == 0;
            }
        }
        made
    }
}
