//! Code that is executed once.
//!
//! Three quarters of the blocks of a static hello are, and three fifths of `/bin/true`'s with its
//! libraries. So at first, control that comes to a block for the first time has it executed where it
//! stands, and nothing of it is pre-decoded or kept: what is kept needs memory, is to be found,
//! and is linked to what comes next. A block to which control comes a second time is pre-decoded.
//! Programs that take longer execute most of their blocks more often than once, so this ends soon.

use super::Interpreter;
use crate::ops::direct::{self, End};
use crate::slot::Slot;
use crate::sources::BEHIND;
use rustc_hash::FxHasher;
use rvrun_hart::Hart;
use rvrun_host::prefetch;
use std::hash::{BuildHasher, BuildHasherDefault};
use std::ops::Range;
use std::ptr;

impl Interpreter {
    /// Executes the code at `pc` without keeping it, and what comes next as long as control comes to
    /// that for the first time, too. Gives what to go on with, or null for what the context says.
    pub(super) fn execute_directly(&mut self, mut pc: u64, hart: &mut Hart) -> *const Slot {
        // Where nothing was executed there is no block, unless others have made it, nor a gate.
        let alone = self.blocks.has_no_gates() && (self.keeper.is_none() || self.is_cold());
        loop {
            self.code_region(pc);
            let Self { code, context, first_times, .. } = self;
            let goes_on = |target| alone && first_times.is_first(target);
            match direct::execute(pc, &code.range, hart, context, goes_on) {
                End::Jump(target) => match self.come_to(target) {
                    Some(slot) => return slot,
                    None => pc = target,
                },
                end @ (End::Indirect(target) | End::IndirectJump(target)) => {
                    if let Some(slot) = self.context.cached(target) {
                        return slot;
                    }
                    if let End::IndirectJump(target) = end {
                        self.targets.record(target);
                    }
                    match self.come_to(target) {
                        Some(slot) => return self.cache(target, slot),
                        None => pc = target,
                    }
                }
                End::Left(rest) => return self.predecode_once(rest),
                End::Stopped => return ptr::null(),
            }
        }
    }

    /// Pre-decodes what is at `pc` to be executed where it is then, without keeping it, unless it
    /// stands for other blocks, too.
    fn predecode_once(&mut self, pc: u64) -> *const Slot {
        let (guest, writable) = self.predecode_next(pc);
        if writable || self.scratch.skipped.is_some() {
            return self.keep(guest, writable);
        }
        self.once = pc;
        self.scratch.as_ptr()
    }
}

/// Blocks to which control has come.
pub(super) struct FirstTimes {
    /// A bit for each, which others may have as well.
    seen: Box<[u64; WORDS]>,
    /// Those that were executed without being kept, in their present form.
    once: Vec<u64>,
    /// How many more there may be.
    left: usize,
}

/// Words with a bit for each block: a page, which some blocks have to share.
const WORDS: usize = 512;
const WORDS_OF_LINE: usize = prefetch::LINE / size_of::<u64>();

/// Blocks whose first time is told from others.
const MOST: usize = 1 << 12;

/// Blocks of a small program: what grows is copied, to fresh pages.
const FEW: usize = 1 << 10;

impl FirstTimes {
    /// Nothing was executed yet.
    pub(super) fn new() -> Self {
        Self { seen: Box::new([0; WORDS]), once: Vec::with_capacity(FEW), left: MOST }
    }

    /// Whether control comes to the block at `pc` for the first time, and this still matters.
    pub(super) fn is_first(&mut self, pc: u64) -> bool {
        let (word, bit) = place(pc);
        if self.left == 0 || self.seen[word] & bit != 0 {
            return false;
        }
        self.seen[word] |= bit;
        self.once.push(pc);
        self.left -= 1;
        true
    }

    /// Whether the block at `pc` was executed without being kept, in its present form.
    pub(super) fn was_once(&self, pc: u64) -> bool {
        let (word, bit) = place(pc);
        self.seen[word] & bit != 0 && self.once.contains(&pc)
    }

    /// The code in `range` has changed.
    pub(super) fn forget(&mut self, range: &Range<u64>) {
        // A block that begins before it may have been made from some of it.
        let start = range.start.saturating_sub(BEHIND);
        self.once.retain(|pc| !(start..range.end).contains(pc));
    }
}

/// The word with the bit for the block at `pc`, and the bit. Those of a kilobyte of code are in one
/// line of the host's caches.
fn place(pc: u64) -> (usize, u64) {
    const BITS: u64 = 8 * prefetch::LINE as u64;
    let (near, bit) = (pc / 2 / BITS, pc / 2 % BITS);
    let line = BuildHasherDefault::<FxHasher>::default().hash_one(near) as usize;
    let first = line % (WORDS / WORDS_OF_LINE) * WORDS_OF_LINE;
    (first + (bit / 64) as usize, 1 << (bit % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_times_are_the_first_and_few() {
        let mut times = FirstTimes::new();
        assert!(times.is_first(0x1000) && !times.is_first(0x1000));
        assert!(times.is_first(0x1002) && !times.is_first(0x1002));
        let first = (0..1 << 20).filter(|n| times.is_first(0x2000 + 2 * n)).count();
        assert_eq!(first, MOST - 2);
    }

    #[test]
    fn what_was_executed_once_is_known_until_it_changes() {
        let mut times = FirstTimes::new();
        [0x1000, 0x3000].into_iter().for_each(|pc| assert!(times.is_first(pc)));
        assert!(times.was_once(0x1000) && !times.was_once(0x1002) && times.was_once(0x3000));
        times.forget(&(0x1002..0x3000));
        assert!(!times.was_once(0x1000) && times.was_once(0x3000));
        assert!(!times.is_first(0x1000));
    }
}
