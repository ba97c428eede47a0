//! Which blocks get host code.

use super::Interpreter;
use crate::baseline;
use std::ops::RangeInclusive;

/// When host code is made in place of handlers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Warm {
    /// Never: each op is executed by its handler.
    #[default]
    Never,
    /// When a block is often seen at pauses, or leads on from one that is.
    Seen,
    /// When a block is pre-decoded: for tests.
    AtOnce,
}

/// Pauses before anything is compiled: a program that ends before executes most of its
/// code too few times.
const FIRST_PAUSE: u32 = 16;
/// Blocks that are looked at at a pause.
const MOST_BLOCKS: usize = 32;
/// Pauses between two that look further than the block where the hart is, if that has
/// host code already: fewer while they find something.
const INTERVALS: RangeInclusive<u32> = 4..=1024;

/// When to look for warm code, in pauses.
pub(super) struct Pace {
    until_first: u32,
    until_further: u32,
    interval: u32,
}

impl Default for Pace {
    fn default() -> Self {
        let interval = *INTERVALS.start();
        Self { until_first: FIRST_PAUSE, until_further: interval, interval }
    }
}

impl Pace {
    /// Whether this pause looks further.
    fn is_further(&mut self) -> bool {
        self.until_further -= 1;
        self.until_further == 0
    }

    /// After one that did: whether it was worth it.
    fn looked(&mut self, found: bool) {
        let interval = if found { self.interval / 2 } else { self.interval * 2 };
        self.interval = interval.clamp(*INTERVALS.start(), *INTERVALS.end());
        self.until_further = self.interval;
    }
}

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
        if self.pace.until_first > 0 {
            self.pace.until_first -= 1;
            return;
        }
        if self.blocks.is_full_of_code() {
            self.clear();
            return;
        }
        let further = self.pace.is_further();
        let found = self.compile_around(pc, further);
        if further {
            self.pace.looked(found);
        }
    }

    /// Compiles the block at `pc` and where blocks lead on from there that have no host
    /// code, or any if it is to look `further`. Gives whether anything was compiled.
    fn compile_around(&mut self, pc: u64, further: bool) -> bool {
        let mut found = false;
        let mut seen = vec![pc];
        let mut at = 0;
        while let Some(&pc) = seen.get(at) {
            at += 1;
            let Some((next, new)) = self.compile(pc) else { continue };
            found |= new;
            if new || further {
                for pc in next {
                    if seen.len() < MOST_BLOCKS && !seen.contains(&pc) {
                        seen.push(pc);
                    }
                }
            }
        }
        found
    }

    /// Makes host code for the block at `pc` if there is one and this did not happen before.
    /// Gives the places that it leads to, and whether it happened now.
    pub(super) fn compile(&mut self, pc: u64) -> Option<(impl Iterator<Item = u64>, bool)> {
        let fewest = if self.warm == Warm::AtOnce { 1 } else { baseline::WORTH_IT };
        let (last, slots, new) = self.blocks.compile(pc, fewest, &mut self.context.sites)?;
        Some((last.successors(slots), new))
    }
}
