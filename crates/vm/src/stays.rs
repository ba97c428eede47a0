//! Which translations are worth entering from cold code.
//!
//! Going from one engine to the other and back takes some fifty nanoseconds, in which
//! host code made from templates executes a hundred instructions. Where a translation
//! leaves again sooner than that pays, cold code had better go on by itself: the
//! translation is *short*, and gets no gate. Others still reach it directly.
//!
//! How long is measured now and then, since looking at the clock takes as long.

use rustc_hash::{FxHashMap, FxHashSet};
use std::time::Duration;

/// Entries of translated code for each that is measured.
const PERIOD: u32 = 64;
/// Measurements before an entry is judged: by then, what it leaves to would have been found
/// hot and be translated, too, if it was to be.
const ENOUGH: u32 = 768;
/// Shorter stays do not pay. This includes looking at the clock.
const WORTH: Duration = Duration::from_nanos(130);
/// Entries that are measured at once.
const MOST: usize = 1 << 14;

/// See the module's documentation.
#[derive(Default)]
pub struct Stays {
    /// Entries since one was measured.
    entries: u32,
    /// How often an entry was measured, and what it took altogether.
    measured: FxHashMap<u64, (u32, Duration)>,
    short: FxHashSet<u64>,
}

impl Stays {
    /// Whether to measure the next one.
    pub fn is_due(&mut self) -> bool {
        self.entries = self.entries.wrapping_add(1);
        self.entries.is_multiple_of(PERIOD)
    }

    /// Notes how long it took after translated code was entered at `pc`. True if it turns out
    /// to be short.
    pub fn note(&mut self, pc: u64, time: Duration) -> bool {
        if self.measured.len() >= MOST {
            self.measured.clear();
        }
        let (count, total) = self.measured.entry(pc).or_default();
        *count += 1;
        // One that was interrupted says nothing.
        *total += time.min(2 * WORTH);
        if *count < ENOUGH {
            return false;
        }
        let short = *total < WORTH * ENOUGH;
        self.measured.remove(&pc);
        short && self.short.insert(pc)
    }

    /// Whether the translation at `pc` is short.
    pub fn is_short(&self, pc: u64) -> bool {
        self.short.contains(&pc)
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
        (0..ENOUGH).any(|_| stays.note(pc, Duration::from_nanos(nanoseconds)))
    }

    #[test]
    fn an_entry_is_judged_by_its_mean() {
        let mut stays = Stays::default();
        assert!(!note(&mut stays, 8, 1000));
        assert!(note(&mut stays, 4, 60));
        assert!(stays.is_short(4) && !stays.is_short(8));
        let mixed =
            (0..ENOUGH).any(|n| stays.note(12, Duration::from_nanos(40 + 300 * u64::from(n % 2))));
        assert!(!mixed);
        stays.forget(4);
        assert!(!stays.is_short(4));
    }
}
