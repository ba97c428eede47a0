//! Blocks that are executed once.
//!
//! Three quarters of the blocks of a static hello are, and three fifths of `/bin/true`'s with its
//! libraries. So at first, control that comes to a block for the first time has it executed where
//! it was pre-decoded, and nothing of it is kept: what is kept needs memory, is to be found, and
//! is linked to what comes next. A block to which control comes a second time is pre-decoded anew.
//! Programs that take longer execute most of their blocks more often than once, so this ends soon.

use crate::sources::BEHIND;
use rustc_hash::FxHasher;
use std::hash::{BuildHasher, BuildHasherDefault};
use std::ops::Range;

/// Blocks to which control has come.
pub(super) struct FirstTimes {
    /// A bit for each, which others may have as well.
    seen: Box<[u64; WORDS]>,
    /// Those that were executed without being kept, in their present form.
    once: Vec<u64>,
    /// How many more there may be.
    left: usize,
}

/// Words of a bit for each hash.
const WORDS: usize = 512;

/// Blocks whose first time is told from others.
const MOST: usize = 1 << 12;

impl FirstTimes {
    /// Nothing was executed yet.
    pub(super) fn new() -> Self {
        Self { seen: Box::new([0; WORDS]), once: Vec::new(), left: MOST }
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

/// The word with the bit for the block at `pc`, and the bit.
fn place(pc: u64) -> (usize, u64) {
    let hash = BuildHasherDefault::<FxHasher>::default().hash_one(pc);
    (hash as usize / 64 % WORDS, 1 << (hash % 64))
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
