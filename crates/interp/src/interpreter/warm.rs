//! Which blocks get host code.

use super::Interpreter;
use crate::Keeper;
use crate::baseline;
use crate::baseline::sheet::{PAGE, Phase, Sheet};
use crate::blocks::Compiled;
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

/// Pauses of what it takes to start: Python takes 130, and a shell with a loop of 3,000 rounds 230.
const LATE_PAUSE: u32 = 256;

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
        let was_cold = self.is_cold();
        self.pauses = self.pauses.saturating_add(1);
        if was_cold {
            return;
        }
        if self.blocks.is_full_of_code(&self.context) {
            self.clear();
        } else {
            self.compile(pc);
        }
    }

    /// Host code has led to the block at `pc`, where there is none.
    pub(super) fn warm_up(&mut self, pc: u64) {
        self.waits = !self.waits && self.blocks.may_change(pc);
        if self.waits {
            self.context.cold = CHANGING_PERIOD;
        } else if !self.compile(pc) {
            self.context.cold = NOTHING_TO_DO_PERIOD;
        }
    }

    /// Whether the program has not executed enough yet for any host code.
    pub(super) fn is_cold(&self) -> bool {
        self.warm == Warm::Seen && self.pauses < FIRST_PAUSE
    }

    /// How much the program has executed; none if it is too little for any host code: short programs do
    /// without sheets, since to look for one and to take it in takes longer than to pre-decode what they
    /// execute of it.
    pub(super) fn phase(&self) -> Option<Phase> {
        match self.pauses {
            _ if self.is_cold() => None,
            pauses if pauses < LATE_PAUSE => Some(Phase::Early),
            _ => Some(Phase::Late),
        }
    }

    /// Takes in or makes host code for the block at `pc` if there is one and this did not happen
    /// before, and for those to which it leads straight on. Gives whether there may be any that is
    /// new at the block's beginning.
    pub(super) fn compile(&mut self, pc: u64) -> bool {
        let mut made = self.keeper.is_some() && self.recall(pc, true);
        let fewest = if self.warm == Warm::AtOnce { 1 } else { baseline::WORTH_IT };
        let mut next = Some(pc);
        for n in 0..MOST_BLOCKS {
            let Some(at) = next else { break };
            let Compiled { code, goes_on } = self.blocks.compile(at, fewest, &mut self.context);
            next = goes_on;
            if let Some(code) = code {
                self.context.cache_code(at, code);
                made |= n == 0;
                if let (Some(keeper), Some(phase)) = (&self.keeper, self.phase()) {
                    keeper.reached(at, true, phase);
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

    /// Takes in sheets of the page around `pc`, if there are any for a program in this phase and this
    /// was not done before; but those of what is reached late only where the ones of what is reached
    /// early do not have the block at `pc`, or have it without host code if that is `wanted`. Gives
    /// whether there was one.
    pub(super) fn recall(&mut self, pc: u64, wanted: bool) -> bool {
        let page = pc - pc % PAGE;
        let Some(phase) = self.phase() else { return false };
        if self.page == page | phase as u64 {
            return false;
        }
        let mut taken = false;
        for phase in [Phase::Early, phase] {
            let key = page | phase as u64;
            if self.pages.contains(&key) {
                continue;
            }
            if self.blocks.has(pc, wanted) {
                return taken;
            }
            self.pages.insert(key);
            taken |= self.take_in(page, phase);
        }
        self.page = page | phase as u64;
        taken
    }

    /// Takes in a sheet, if it is there; gives whether it was.
    fn take_in(&mut self, page: u64, phase: Phase) -> bool {
        // Taken for so long, not cloned: what is shared is counted by instructions that wait for
        // all stores before them, and those of pre-decoding miss the caches.
        let Some(keeper) = self.keeper.take() else { return false };
        let mut room = std::mem::take(&mut self.room);
        let taken = self.object_of(page).and_then(|(object, base)| {
            let distance = page.wrapping_sub(base);
            let sheet = Sheet::read(keeper.get(object, distance, phase, &mut room)?)?;
            let is_right = sheet.is_of(base, &self.code.range);
            is_right.then(|| self.blocks.take_in(&sheet, base, &mut self.context))?
        });
        self.room = room;
        self.keeper = Some(keeper);
        taken.is_some()
    }
}
