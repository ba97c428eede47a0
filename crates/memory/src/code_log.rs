//! What happened to executable mappings, for engines that keep translations.

use crate::GuestAddr;
use std::collections::VecDeque;
use std::ops::Range;

/// Older changes are forgotten; an engine that missed them drops everything.
const CAPACITY: usize = 64;

/// A bounded log of ranges whose code may have changed.
#[derive(Default)]
pub struct CodeLog {
    epoch: u64,
    changes: VecDeque<Range<GuestAddr>>,
}

impl CodeLog {
    /// Notes a change and returns the new epoch.
    pub fn push(&mut self, range: Range<GuestAddr>) -> u64 {
        if self.changes.len() == CAPACITY {
            self.changes.pop_front();
        }
        self.changes.push_back(range);
        self.epoch += 1;
        self.epoch
    }

    /// The changes since `epoch`; `None` if not all of them are remembered.
    pub fn since(&self, epoch: u64) -> Option<Vec<Range<GuestAddr>>> {
        let missed = usize::try_from(self.epoch.checked_sub(epoch)?).ok()?;
        let skip = self.changes.len().checked_sub(missed)?;
        Some(self.changes.iter().skip(skip).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_remembered_up_to_the_capacity() {
        let mut log = CodeLog::default();
        assert_eq!(log.since(0), Some(vec![]));
        for i in 0..CAPACITY as u64 {
            assert_eq!(log.push(i..i + 1), i + 1);
        }
        assert_eq!(log.since(0).unwrap().len(), CAPACITY);
        assert_eq!(log.since(CAPACITY as u64 - 1).unwrap().first(), Some(&(63..64)));
        log.push(100..101);
        assert_eq!(log.since(0), None);
        assert_eq!(log.since(1).unwrap().len(), CAPACITY);
    }
}
