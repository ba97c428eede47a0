//! Which blocks get host code.

use super::Interpreter;
use crate::baseline;
use std::collections::VecDeque;

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
const FIRST_PAUSE: u32 = 64;
/// Blocks that are looked at at a pause.
const MOST_BLOCKS: usize = 32;
/// Where everything is compiled already, only one in so many pauses looks further.
const LOOK_FURTHER: u32 = 16;

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
        self.pauses = self.pauses.wrapping_add(1);
        if self.pauses < FIRST_PAUSE {
            return;
        }
        if self.baseline.is_full() {
            self.clear();
            return;
        }
        let further = self.pauses.is_multiple_of(LOOK_FURTHER);
        let mut seen = vec![pc];
        let mut queue = VecDeque::from([pc]);
        while let Some(at) = queue.pop_front() {
            let Some((next, new)) = self.compile(at) else { continue };
            if !new && !further {
                continue;
            }
            for pc in next {
                if seen.len() < MOST_BLOCKS && !seen.contains(&pc) {
                    seen.push(pc);
                    queue.push_back(pc);
                }
            }
        }
    }

    /// Makes host code for the block at `pc` if there is one and this did not happen before.
    /// Gives the places that it leads to, and whether it happened now.
    pub(super) fn compile(&mut self, pc: u64) -> Option<(impl Iterator<Item = u64>, bool)> {
        let sites = &mut self.context.sites;
        let fewest = if self.warm == Warm::AtOnce { 1 } else { baseline::WORTH_IT };
        let compile = |slots: &mut [_]| self.baseline.compile(slots, fewest, sites);
        let (last, slots, new) = self.blocks.compile(pc, compile)?;
        Some((last.successors(slots), new))
    }
}
