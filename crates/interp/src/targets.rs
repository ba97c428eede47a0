//! Where indirect jumps went: what somebody who compiles a `switch` wants to know.

use std::collections::BTreeSet;
use std::ops::Range;

/// More are not worth their memory: they are a help, not the truth.
const MAX_TARGETS: usize = 1 << 16;

/// A bounded set of guest addresses.
#[derive(Default)]
pub struct Targets(BTreeSet<u64>);

impl Targets {
    /// Adds `pc` if there is room.
    pub fn record(&mut self, pc: u64) {
        if self.0.len() < MAX_TARGETS {
            self.0.insert(pc);
        }
    }

    /// Those within `range`, in ascending order.
    pub fn within(&self, range: Range<u64>) -> Vec<u64> {
        if range.is_empty() { Vec::new() } else { self.0.range(range).copied().collect() }
    }

    /// Forgets those within `range`.
    pub fn forget(&mut self, range: Range<u64>) {
        for pc in self.within(range) {
            self.0.remove(&pc);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
