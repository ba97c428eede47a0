//! How long handlers run before they pause.
//!
//! Backward jumps, calls and indirect jumps are *events*; every loop has one. A
//! pause is where the interpreter looks at the attention flag and at whether its
//! owner wants a sample, so handlers need look at nothing but one counter. Host code looks at
//! its count of instructions there instead, which it has in a register: to count events in memory
//! takes as long as several instructions.

use std::mem::offset_of;

/// Events between two looks at the attention flag: some fifty microseconds at most.
const SLICE: u32 = 4096;

/// Instructions of host code that stand for an event.
const INSTRUCTIONS: i64 = 64;

/// Asks for no sample.
pub const NEVER: u32 = u32::MAX;

/// Events that are left. The default asks for no sample.
pub struct Fuel {
    /// Those until the next pause; not 0 when handlers start.
    left: u32,
    /// Instructions of host code until the next pause, below 0: they count it up.
    instructions: i64,
    /// Events between that pause and the next sample, if one is wanted.
    reserve: Option<u32>,
}

impl Fuel {
    /// Offset of the events until the next pause, for host code.
    pub const LEFT: usize = offset_of!(Self, left);
    /// The same of the instructions.
    pub const INSTRUCTIONS: usize = offset_of!(Self, instructions);

    /// Enough for this many events up to the sample, that one included.
    pub fn new(events: u32) -> Self {
        let reserve = (events != NEVER).then_some(events.max(1));
        let mut fuel = Self { left: 0, instructions: 0, reserve };
        fuel.take_slice();
        fuel
    }

    /// Counts an event; true if it is time to pause.
    #[inline(always)]
    pub fn burn(&mut self) -> bool {
        self.left = self.left.wrapping_sub(1);
        self.left == 0
    }

    /// Makes the next event pause, which changes nothing about when the sample is due.
    pub fn pause_at_next_event(&mut self) {
        if let Some(reserve) = &mut self.reserve {
            *reserve += self.left - 1;
        }
        (self.left, self.instructions) = (1, 0);
    }

    /// At a pause: goes on to the next one. True if a sample is due instead;
    /// there is none after it until somebody asks again.
    #[must_use]
    pub fn refill(&mut self) -> bool {
        let due = self.reserve == Some(0);
        if due {
            self.reserve = None;
        }
        self.take_slice();
        due
    }

    fn take_slice(&mut self) {
        self.left = SLICE;
        if let Some(reserve) = &mut self.reserve {
            self.left = SLICE.min(*reserve);
            *reserve -= self.left;
        }
        self.instructions = -INSTRUCTIONS * i64::from(self.left - 1);
    }
}

impl Default for Fuel {
    fn default() -> Self {
        Self::new(NEVER)
    }
}
