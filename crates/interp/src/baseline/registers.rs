//! Guest registers in host registers, for the length of a run.

use rvrun_hart::SINK;

/// The host registers that hold guest registers, by the number that the encoding has for them.
pub const HOST: [u8; 4] = [8, 9, 10, 11];

/// No guest register.
const NONE: u8 = u8::MAX;

/// What the assembler is asked for.
pub enum Transfer {
    /// Host register from the guest register's place in memory.
    Load { host: u8, guest: u8 },
    /// The reverse.
    Store { host: u8, guest: u8 },
}

/// Which guest register each host register holds; at first none any.
pub struct Registers {
    guest: [u8; HOST.len()],
    /// Whether memory has an older value.
    dirty: [bool; HOST.len()],
    /// When it was last wanted.
    used: [u32; HOST.len()],
    now: u32,
}

impl Registers {
    pub fn new() -> Self {
        Self {
            guest: [NONE; HOST.len()],
            dirty: [false; HOST.len()],
            used: [0; HOST.len()],
            now: 0,
        }
    }

    /// The host register that holds `guest`; it still does after two more calls of
    /// this and of [`define`](Self::define).
    pub fn read(&mut self, guest: u8, transfer: impl FnMut(Transfer)) -> u8 {
        self.find(guest, true, transfer)
    }

    /// The host register that is going to hold `guest`: as long as nothing is written
    /// to it, it has what it had if it holds `guest` already.
    pub fn define(&mut self, guest: u8, transfer: impl FnMut(Transfer)) -> u8 {
        let host = self.find(guest, false, transfer);
        self.dirty[index(host)] = true;
        host
    }

    /// Brings memory up to date.
    pub fn flush(&mut self, mut transfer: impl FnMut(Transfer)) {
        for (i, host) in HOST.into_iter().enumerate() {
            // Nobody reads the sink.
            if std::mem::take(&mut self.dirty[i]) && self.guest[i] != SINK {
                transfer(Transfer::Store { host, guest: self.guest[i] });
            }
        }
    }

    fn find(&mut self, guest: u8, load: bool, mut transfer: impl FnMut(Transfer)) -> u8 {
        self.now += 1;
        let held = self.guest.iter().position(|held| *held == guest);
        let i = held.unwrap_or_else(|| {
            let oldest = (0..HOST.len()).min_by_key(|i| self.used[*i]).unwrap_or(0);
            if self.dirty[oldest] {
                transfer(Transfer::Store { host: HOST[oldest], guest: self.guest[oldest] });
            }
            self.guest[oldest] = guest;
            self.dirty[oldest] = false;
            if load {
                transfer(Transfer::Load { host: HOST[oldest], guest });
            }
            oldest
        });
        self.used[i] = self.now;
        HOST[i]
    }
}

/// The place of a host register in [`HOST`].
fn index(host: u8) -> usize {
    usize::from(host - HOST[0])
}
