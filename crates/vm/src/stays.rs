//! Which translations are worth entering from cold code.
//!
//! Going from one engine to the other and back takes some fifty nanoseconds, in which
//! host code made from templates executes a hundred instructions. Where a translation
//! leaves again sooner than that pays, cold code had better go on by itself: the
//! translation is *short*, and gets no gate. Others still reach it directly. zstd takes a fifteenth less
//! time since what takes less than 500 ns is short, not less than 200; kernels take as long.
//!
//! How long is measured now and then, since looking at the clock takes as long. What is short
//! may do more another time: when cold code there turns out to be hot once more, it is tried
//! again, and after twice as long each time. Or it is what it is left to that should be translated
//! (the loop that calls it), and what is executed in the one is put down to the other too.

use rustc_hash::FxHashMap;
use std::time::Duration;

/// Entries of translated code for each that is measured, where the interpreter does not see to it.
const PERIOD: u32 = 64;
/// Measurements before an entry is judged.
const ENOUGH: u32 = 32;
/// Shorter stays do not pay: where caches are missed and branches mispredicted, as in compressors,
/// translated code is not much faster than that of templates. This includes looking at the clock.
const WORTH: Duration = Duration::from_nanos(500);
/// What is longer has something else in it.
const LONGEST: Duration = WORTH.saturating_mul(16);
/// Entries that are measured at once.
const MOST: usize = 1 << 14;
/// How often the time to the next try is doubled, at most.
const MOST_TRIES: u32 = 10;
/// Short translations that lead to one another, before it is given up where they lead to.
const LONGEST_CHAIN: usize = 8;

/// A translation that is short.
#[derive(Clone, Copy, Default)]
struct Short {
    /// How often it turned out to be.
    tries: u32,
    /// How often cold code there is to be hot until it is tried again; 0 while it is tried.
    left: u32,
    /// Where it was left to, the last time that it turned out to be short.
    left_to: u64,
}

/// See the module's documentation.
#[derive(Default)]
pub struct Stays {
    /// Entries since one was measured.
    entries: u32,
    /// How often an entry was measured, and what it took altogether.
    measured: FxHashMap<u64, (u32, Duration)>,
    short: FxHashMap<u64, Short>,
}

impl Stays {
    /// Whether to measure the next one.
    pub fn is_due(&mut self) -> bool {
        self.entries = self.entries.wrapping_add(1);
        self.entries.is_multiple_of(PERIOD)
    }

    /// Notes how long it took after translated code was entered at `pc` until it was left to
    /// `left_to`, which is cold. True if it turns out to be short.
    pub fn note(&mut self, pc: u64, time: Duration, left_to: u64) -> bool {
        if self.measured.len() >= MOST {
            self.measured.clear();
        }
        let (count, total) = self.measured.entry(pc).or_default();
        *count += 1;
        // One that was interrupted says little.
        *total += time.min(LONGEST);
        if *count < ENOUGH {
            return false;
        }
        let is_short = *total < WORTH * ENOUGH;
        self.measured.remove(&pc);
        if is_short {
            let short = self.short.entry(pc).or_default();
            short.left = 1 << short.tries;
            short.tries = MOST_TRIES.min(short.tries + 1);
            short.left_to = left_to;
        }
        is_short
    }

    /// Whether the translation at `pc` is short.
    pub fn is_short(&self, pc: u64) -> bool {
        self.short.get(&pc).is_some_and(|short| short.left > 0)
    }

    /// What leads on from the short translation at `pc`, and is not short itself.
    pub fn behind(&self, pc: u64) -> Option<u64> {
        let left_to = |pc: &u64| self.short.get(pc).map(|short| short.left_to);
        let chain = std::iter::successors(Some(pc), left_to);
        chain.take(LONGEST_CHAIN).find(|pc| !self.is_short(*pc))
    }

    /// Notes that cold code at `pc` is hot. True if the translation there is to be tried again.
    pub fn try_again(&mut self, pc: u64) -> bool {
        match self.short.get_mut(&pc) {
            Some(short) if short.left > 0 => {
                short.left -= 1;
                short.left == 0
            }
            _ => false,
        }
    }

    /// Says that the translation at `pc` is gone.
    pub fn forget(&mut self, pc: u64) {
        self.short.remove(&pc);
    }

    /// Says that all may be others.
    pub fn clear(&mut self) {
        self.short.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(stays: &mut Stays, pc: u64, nanoseconds: u64) -> bool {
        (0..ENOUGH).any(|_| stays.note(pc, Duration::from_nanos(nanoseconds), pc + 4))
    }

    #[test]
    fn an_entry_is_judged_by_its_mean() {
        let mut stays = Stays::default();
        assert!(!note(&mut stays, 8, 1000));
        assert!(note(&mut stays, 4, 60));
        assert!(stays.is_short(4) && !stays.is_short(8));
        let mixed = (0..ENOUGH)
            .any(|n| stays.note(12, Duration::from_nanos(40 + 1200 * u64::from(n % 2)), 0));
        assert!(!mixed);
        stays.forget(4);
        assert!(!stays.is_short(4));
    }

    #[test]
    fn what_was_short_is_tried_again_after_longer_and_longer() {
        let mut stays = Stays::default();
        for tries in 0..3 {
            assert!(note(&mut stays, 4, 60));
            let waits = (1..).find(|_| stays.try_again(4));
            assert_eq!(waits, Some(1 << tries));
            assert!(!stays.is_short(4));
        }
        assert!(!note(&mut stays, 4, 1000));
        assert!(!stays.try_again(4));
    }

    #[test]
    fn what_is_behind_short_ones_is_not_short() {
        let mut stays = Stays::default();
        assert_eq!(stays.behind(4), Some(4));
        note(&mut stays, 4, 60);
        note(&mut stays, 8, 60);
        note(&mut stays, 20, 60);
        assert_eq!(stays.behind(4), Some(12), "by way of 8");
        assert!((0..ENOUGH).any(|_| stays.note(24, Duration::from_nanos(60), 20)));
        assert_eq!(stays.behind(20), None, "they lead to each other");
        stays.try_again(8);
        assert_eq!(stays.behind(4), Some(8));
    }
}
