//! The program as regions are found in it, and what they are made from.

use crate::analysis::end_writes;
use crate::effects::is_division;
use crate::store::Store;
use rustc_hash::FxHasher;
use rvrun_decoder::region::{Code, End, Node, Region};
use rvrun_decoder::{Block, lift};
use rvrun_isa::effect::integer;
use rvrun_isa::{Extensions, length};
use rvrun_memory::{AddressSpace, PAGE, access};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::Hasher;
use std::ops::Range;

/// What the one who asks for a translation knows of the program.
pub trait Profile {
    /// Whether the code at `pc` is worth translating: whether it has run.
    fn reached(&self, pc: u64) -> bool;
    /// Addresses in `range` where jumps through a register have gone to, in ascending order.
    fn jump_targets(&self, range: Range<u64>) -> Vec<u64>;
    /// What an integer register holds at `pc`, if the program is just there.
    fn register(&self, _pc: u64, _register: u8) -> Option<u64> {
        None
    }
    /// For how many requests this one counts: of code that is executed more.
    fn weight(&self, _pc: u64) -> u32 {
        1
    }
    /// Whether an earlier run found the code at `pc` hot: a translation of it will be taken in by
    /// the next ones, too, so that it may cost more.
    fn was_hot(&self, _pc: u64) -> bool {
        false
    }
}

/// The profile of a program of which everything is worth translating.
#[derive(Clone, Copy, Debug)]
pub struct All;

impl Profile for All {
    fn reached(&self, _pc: u64) -> bool {
        true
    }

    fn jump_targets(&self, _range: Range<u64>) -> Vec<u64> {
        Vec::new()
    }
}

/// The jumps through registers that a region makes, and how many targets each knows.
pub(crate) fn jump_sites(region: &Region) -> Vec<(u64, usize)> {
    let site = |node: &Node| match &node.end {
        End::Jump { link: None, targets, others, .. } => {
            Some((node.end_pc, targets.len() + others))
        }
        _ => None,
    };
    region.nodes.iter().filter_map(site).collect()
}

/// What a loop divides by and does not write, and what that is now. Most often it is a
/// constant from before the loop.
pub(crate) fn divisors(region: &Region, profile: &dyn Profile) -> Vec<(u8, u64)> {
    if !region.repeats() {
        return Vec::new();
    }
    let writes = |node: &Node| {
        node.body.iter().fold(end_writes(&node.end), |set, instruction| set | instruction.writes())
    };
    let written = region.nodes.iter().fold(0, |set, node| set | writes(node));
    let divisions = region.nodes.iter().flat_map(|node| &node.body).filter(|i| is_division(i));
    let mut registers: Vec<u8> = divisions.map(|i| i.rs2).collect();
    registers.sort_unstable();
    registers.dedup();
    registers.retain(|register| *register != 0 && written & integer(*register) == 0);
    let with_value = |register| Some((register, profile.register(region.entry, register)?));
    registers.into_iter().filter_map(with_value).collect()
}

/// A hash of the code in these ranges as it is now. What cannot be executed is part of it
/// as such: a region that looked for code before a mapping has a range from there on.
pub(crate) fn content_hash(space: &AddressSpace, code: &[Range<u64>]) -> u64 {
    let mut hasher = FxHasher::default();
    let mut buffer = Vec::new();
    // The same wherever the code is.
    let base = code.first().map_or(0, |part| part.start & !(PAGE - 1));
    for part in code {
        buffer.resize((part.end - part.start) as usize, 0);
        let mut at = part.start;
        while at < part.end {
            match space.fetch(at, &mut buffer[..(part.end - at) as usize]) {
                Ok(n) => {
                    hasher.write(&buffer[..n]);
                    at += n as u64;
                }
                Err(_) => at = (at & !(PAGE - 1)).saturating_add(PAGE),
            }
            hasher.write_u64(at.wrapping_sub(base));
        }
    }
    hasher.finish()
}

/// The program as the walk for a region sees it.
pub(crate) struct Known<'a> {
    pub(crate) space: &'a AddressSpace,
    pub(crate) extensions: Extensions,
    pub(crate) profile: &'a dyn Profile,
    pub(crate) store: &'a Store,
    /// Where the region is to begin.
    pub(crate) entry: u64,
    /// Targets of jumps that translated code has made.
    pub(crate) jumps: &'a BTreeSet<u64>,
    /// The executable mapping that was last read from.
    pub(crate) mapping: RefCell<Range<u64>>,
}

impl Known<'_> {
    /// The instruction at `pc`, if it can be fetched as a whole.
    fn bits(&self, pc: u64) -> Option<u32> {
        let mut mapping = self.mapping.borrow_mut();
        if !mapping.contains(&pc) {
            *mapping = self.space.code_region(pc)?.range;
        }
        let mut bits = 0;
        if mapping.end - pc >= 4 && access::load_u32(pc, &mut bits).is_ok() {
            return Some(bits as u32);
        }
        let mut bytes = [0; 4];
        let n = self.space.fetch(pc, &mut bytes).unwrap_or(0);
        let bits = u32::from_le_bytes(bytes);
        (n >= 2 && n >= usize::from(length(bits as u16))).then_some(bits)
    }
}

impl Code for Known<'_> {
    fn block(&self, pc: u64) -> Block {
        lift(pc, self.extensions, Vec::new(), |at| self.bits(at))
    }

    fn reached(&self, pc: u64) -> bool {
        self.profile.reached(pc) || self.jumps.contains(&pc)
    }

    fn is_entry(&self, pc: u64) -> bool {
        // What a jump through a register goes to belongs to whoever jumps.
        pc != self.entry && self.store.contains(pc) && !self.jumps.contains(&pc)
    }

    fn is_fragment(&self, pc: u64) -> bool {
        self.jumps.contains(&pc) && self.store.jumper(pc).is_some_and(|(entry, _)| entry != pc)
    }

    fn jump_targets(&self, range: Range<u64>) -> Vec<u64> {
        let mut targets = self.profile.jump_targets(range.clone());
        targets.extend(self.jumps.range(range));
        targets.sort_unstable();
        targets.dedup();
        targets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_behind_and_before_what_is_missing_is_hashed() {
        const EXEC: i32 = 7;
        const PRIVATE_ANONYMOUS: i32 = 0x22;
        rvrun_host::fault::install().unwrap();
        let space = AddressSpace::new();
        let pages = space.mmap(0, 3 * PAGE, EXEC, PRIVATE_ANONYMOUS, -1, 0, None).unwrap();
        let page = pages + PAGE;
        space.munmap(pages, PAGE).unwrap();
        space.munmap(page + PAGE, PAGE).unwrap();
        let hash = || content_hash(&space, &[page - 2..page + 2, page + PAGE - 2..page + PAGE + 2]);
        let put = |at, byte: u8| access::copy_out(at, &[byte]).unwrap();
        let before = hash();
        put(page, 1);
        let changed = hash();
        assert_ne!(changed, before);
        put(page + PAGE - 1, 1);
        assert_ne!(hash(), changed);
        put(page, 0);
        put(page + PAGE - 1, 0);
        assert_eq!(hash(), before);
    }
}
