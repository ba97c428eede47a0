//! Where the code was that blocks were made from: most changes of executable mappings, those of a
//! program that loads its libraries, are of others, and the blocks need not be looked through.

use rvrun_decoder::MAX_BLOCK_BYTES;
use std::ops::Range;

/// More are not told apart: those of a program that makes code piece by piece.
const MAX_SOURCES: usize = 64;

/// How far behind a mapping the bytes may be that a block depends on which begins in it: one that
/// ends in a fetch fault depends on those behind its end.
pub const BEHIND: u64 = MAX_BLOCK_BYTES + 4;

/// Executable mappings, and addresses where there was none. It may have some that are gone.
#[derive(Default)]
pub struct Sources(Vec<Range<u64>>);

impl Sources {
    /// Adds a mapping, or the address where it begins if there is none.
    pub fn add(&mut self, mapping: &Range<u64>) {
        let new = mapping.start..mapping.end.max(mapping.start.saturating_add(1));
        if self.0.iter().any(|old| old.start <= new.start && new.end <= old.end) {
            return;
        }
        if self.0.len() == MAX_SOURCES {
            self.0.clear();
            self.0.push(0..u64::MAX);
        } else {
            self.0.push(new);
        }
    }

    /// Whether a block may depend on what is in `range`.
    pub fn touch(&self, range: &Range<u64>) -> bool {
        let end = |source: &Range<u64>| source.end.saturating_add(BEHIND);
        self.0.iter().any(|source| source.start < range.end && range.start < end(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_blocks_depend_on_is_known() {
        let mut sources = Sources::default();
        assert!(!sources.touch(&(0..u64::MAX)));
        sources.add(&(0x1000..0x3000));
        sources.add(&(0x8000..0x8000));
        for (range, touches) in [
            (0..0x1000, false),
            (0..0x1001, true),
            (0x2000..0x2001, true),
            (0x3000 + BEHIND - 1..0x8000, true),
            (0x3000 + BEHIND..0x8000, false),
            (0x8000..0x8001, true),
            (0x9000..u64::MAX, false),
        ] {
            assert_eq!(sources.touch(&range), touches, "{range:#x?}");
        }
        for n in 0..MAX_SOURCES as u64 {
            sources.add(&(0x10000 * n..0x10000 * n + 0x1000));
        }
        assert!(sources.touch(&(0x9000..0x9001)), "there were too many");
    }
}
