//! Where interpreted code spends its time.
//!
//! The interpreter stops now and then, after a number of events (jumps backwards, calls). What
//! it has executed since the last time is put down to where it is then: instructions, not
//! events, because some loops have a hundred times as many of the former for one of the latter,
//! and the former is what translating spares.

use rustc_hash::FxHashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Instructions that are put down to an address.
#[derive(Clone, Copy, Default)]
struct Spent {
    all: u64,
    /// Since the address was hot.
    lately: u64,
}

/// What is said of an address that is hot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hot {
    /// Whether it was in an earlier run.
    pub was_hot: bool,
    /// How many times the fewest instructions that make an address hot were executed there.
    pub times: u32,
}

/// See the module's documentation.
pub struct Sampler {
    /// By address.
    spent: FxHashMap<u64, Spent>,
    /// The same of all.
    total: u64,
    /// Events between two samples, on average.
    period: u32,
    /// Instructions that make an address hot, at least and at most.
    enough: RangeInclusive<u64>,
    /// Instructions that had been retired at the last sample.
    retired: u64,
    /// For the jitter that keeps samples from following the program's own rhythm.
    random: u64,
}

/// Samples of an address that make it hot, where an event is an instruction or so: fewer where
/// finding out is to be worth its time, too. A sample takes about 0.2 microseconds.
const SAMPLES: u32 = 1024;
const FEWER_SAMPLES: u32 = 256;

/// A sample takes a fiftieth of the time of so many events.
const LONGEST_PERIOD: u32 = 4096;

/// How many instructions an event counts for, beside those that are executed.
const EVENT: u64 = 4;

/// The same for a way into translated code and back.
const PASSAGE: u64 = 100;

/// How many events of the interpreter an exit of translated code counts for.
const EVENTS_PER_EXIT: u32 = 16;

/// What part of all instructions makes an address hot, where translating is to be worth its
/// time. Of a program that does a little of everything each translation is left at once.
const SHARE: u64 = 48;

/// How many times the fewest instructions make it hot whatever part they are: a program that runs
/// for long gets back what translating all of it takes.
const LONG: u64 = 64;

/// What part of the fewest instructions that make an address hot does so where an earlier run found it hot. Some ways
/// through the code have to have been gone before it is translated.
const SOONER: u64 = 16;

/// What it takes to translate what is entered at an address, on average.
const COMPILING: Duration = Duration::from_micros(1300);

/// Addresses that are counted at once; the counts of more start anew.
const MAX_COUNTS: usize = 1 << 16;

impl Sampler {
    /// An address is hot where about so many instructions were executed; if what is translated has
    /// to be worth it, they also have to be some part of all.
    pub fn new(threshold: u32, sparing: bool) -> Self {
        let fewest = u64::from(threshold);
        let samples = if sparing { FEWER_SAMPLES } else { SAMPLES };
        Self {
            spent: FxHashMap::default(),
            total: 0,
            period: (threshold / samples).clamp(1, LONGEST_PERIOD),
            enough: fewest..=if sparing { fewest * LONG } else { fewest },
            retired: 0,
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Events until the next sample: between half and one and a half periods.
    pub fn next_period(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.period / 2 + (self.random >> 32) as u32 % self.period + self.period % 2
    }

    /// Exits to cold code until the next sample: an exit costs as much as many events.
    pub fn next_cold_period(&mut self) -> u32 {
        (self.next_period() / EVENTS_PER_EXIT).max(1)
    }

    /// Says that so many instructions were retired by other code than that which is sampled.
    pub fn skip(&mut self, instructions: u64) {
        self.retired = self.retired.wrapping_add(instructions);
    }

    /// Counts a sample at `pc`, when so many instructions had been retired, and so many ways
    /// into translated code and back been gone. Says if it is hot, which less makes it that
    /// `was_hot` in an earlier run; that is asked only where it may matter.
    pub fn count(
        &mut self,
        pc: u64,
        retired: u64,
        passages: u64,
        was_hot: impl FnOnce() -> bool,
    ) -> Option<Hot> {
        let retired = retired.wrapping_add(PASSAGE * passages);
        let executed = retired.saturating_sub(std::mem::replace(&mut self.retired, retired));
        if self.spent.len() >= MAX_COUNTS {
            self.spent.clear();
        }
        let spent = self.spent.entry(pc).or_default();
        let more = executed + EVENT * u64::from(self.period);
        spent.all += more;
        spent.lately += more;
        self.total += more;
        let (fewest, most) = (*self.enough.start(), *self.enough.end());
        let enough = (self.total / SHARE).clamp(fewest, most);
        let least = fewest / SOONER;
        let was_hot = spent.lately >= least && was_hot();
        let is_hot = spent.lately >= if was_hot { least } else { enough };
        is_hot.then(|| {
            let times = std::mem::take(&mut spent.lately) / fewest.max(1);
            Hot { was_hot, times: times.clamp(1, u32::MAX.into()) as u32 }
        })
    }

    /// The addresses that have the [part](SHARE) of all instructions that makes them hot, the
    /// hottest first; none if to translate them would take longer than the program has run for, which
    /// is asked for if there are any.
    pub fn hottest(&self, time: impl FnOnce() -> Duration) -> Vec<u64> {
        let spent = self.spent.iter().map(|(pc, spent)| (spent.all, *pc));
        let mut hottest: Vec<_> = spent.filter(|(all, _)| all * SHARE >= self.total).collect();
        hottest.sort_unstable();
        let hottest: Vec<u64> = hottest.into_iter().rev().map(|(_, pc)| pc).collect();
        let takes = COMPILING * hottest.len() as u32;
        if takes.is_zero() || takes <= time() { hottest } else { Vec::new() }
    }

    /// Forgets what was counted.
    pub fn forget(&mut self) {
        self.spent.clear();
        self.total = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_executes_much_is_hot_sooner() {
        let mut sampler = Sampler::new(1 << 20, false);
        let mut retired = 0;
        let mut samples = |pc, instructions| {
            (1..).find(|_| {
                retired += instructions;
                sampler.count(pc, retired, 0, || false).is_some()
            })
        };
        assert_eq!(samples(4, 1 << 19), Some(2));
        assert_eq!(samples(8, 1 << 10), Some(205));
        assert_eq!(samples(4, 1 << 19), Some(2), "it begins anew");
    }

    #[test]
    fn what_is_a_small_part_is_hot_later() {
        let samples = |sparing, others: u64| {
            let mut sampler = Sampler::new(1 << 10, sparing);
            let mut retired = 0;
            (1..).find(|_| {
                retired += others;
                sampler.count(8, retired, 0, || false);
                retired += 1 << 10;
                sampler.count(4, retired, 0, || false).is_some()
            })
        };
        assert_eq!(samples(true, 32 << 10), Some(1), "it is a thirty-second");
        assert_eq!(samples(true, 1 << 20), Some(64), "it is less, but not little");
        assert_eq!(samples(false, 1 << 20), Some(1));
    }

    #[test]
    fn what_was_hot_is_hot_sooner() {
        let mut sampler = Sampler::new(1 << 20, false);
        assert_eq!(sampler.count(4, 1 << 16, 0, || false), None);
        let hot = Hot { was_hot: true, times: 1 };
        assert_eq!(sampler.count(8, 1 << 17, 0, || true), Some(hot));
        let nobody_asks = || panic!("it matters to nobody");
        assert_eq!(sampler.count(12, (1 << 17) + 1, 0, nobody_asks), None);
    }

    #[test]
    fn what_is_hot_later_counts_for_more() {
        let mut sampler = Sampler::new(1 << 10, true);
        let mut times = |retired| sampler.count(4, retired, 0, || false).map(|hot| hot.times);
        assert_eq!(times(1 << 11), Some(2));
        assert_eq!(times((1 << 11) + (1 << 16)), Some(64));
    }

    #[test]
    fn the_hottest_addresses_are_what_the_program_does() {
        let mut sampler = Sampler::new(1 << 10, false);
        let mut retired = 0;
        let mut count = |pc: u64, instructions: u64| {
            retired += instructions;
            sampler.count(pc, retired, 0, || false);
        };
        (0..50).for_each(|pc| count(pc, 1000));
        [200, 300, 200].into_iter().for_each(|pc| count(pc, 1 << 20));
        assert_eq!(sampler.hottest(|| COMPILING * 2), [200, 300]);
        assert!(
            sampler.hottest(|| COMPILING).is_empty(),
            "it ran for less than translating both takes"
        );
        sampler.forget();
        assert!(sampler.hottest(|| COMPILING).is_empty());
    }

    #[test]
    fn what_others_execute_does_not_count() {
        let mut sampler = Sampler::new(1 << 20, false);
        sampler.skip(1 << 20);
        assert_eq!(sampler.count(4, 1 << 20, 0, || false), None);
        let hot = Hot { was_hot: false, times: 1 };
        assert_eq!(sampler.count(4, 1 << 20, 1 << 14, || false), Some(hot));
    }

    #[test]
    fn samples_are_a_period_apart_on_average() {
        for threshold in [1, 1 << 16, u32::MAX] {
            let mut sampler = Sampler::new(threshold, false);
            let period = u64::from(sampler.period);
            let sum: u64 = (0..1000).map(|_| u64::from(sampler.next_period())).sum();
            assert!((period * 900..=period * 1100).contains(&sum), "{threshold}: {sum}");
        }
    }
}
