//! Guest registers in host registers.
//!
//! Those that programs use most are *pinned*: while host code runs, each is in a host
//! register of its own, and its place in memory has an older value. Others are fetched
//! for the length of a run.

use super::templates::Width;
use rvrun_hart::SINK;

/// Pinned guest registers, and the number that the encoding has for the host register of
/// each: `sp`, `s0` and `a0` to `a5` are three quarters of all operands in Debian's programs.
pub const PINNED: [(u8, u8); 8] =
    [(2, 15), (8, 10), (10, 3), (11, 5), (12, 11), (13, 12), (14, 13), (15, 14)];

/// The host registers that hold other guest registers: the last one is also taken for what needs
/// it or one more.
pub const HOST: [u8; 3] = [8, 9, RCX];

/// The number that the encoding has for that one, and for the one that is scratch always.
pub const RCX: u8 = 1;
pub const RAX: u8 = 0;
/// The same of the first one.
pub const R8: u8 = HOST[0];

/// The host register of a guest register that is pinned.
pub fn pinned(guest: u8) -> Option<u8> {
    PINNED.iter().find(|pin| pin.0 == guest).map(|pin| pin.1)
}

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
    /// How many of the host registers may be given away.
    free: usize,
}

impl Registers {
    pub fn new() -> Self {
        Self {
            guest: [NONE; HOST.len()],
            dirty: [false; HOST.len()],
            used: [0; HOST.len()],
            now: 0,
            free: HOST.len(),
        }
    }

    /// Begins with the next op.
    pub fn begin(&mut self) {
        self.free = HOST.len();
    }

    /// Makes [`RCX`] hold no guest register until the next op.
    pub fn take_rcx(&mut self, transfer: impl FnMut(Transfer)) {
        let last = HOST.len() - 1;
        self.free = last;
        self.write_back(last, transfer);
        self.guest[last] = NONE;
    }

    /// The host register that holds `guest`. After one more call of this, it still does.
    /// After one of [`define`](Self::define), it has the same value, but may be the host
    /// register that this gives.
    pub fn read(&mut self, guest: u8, transfer: impl FnMut(Transfer)) -> u8 {
        pinned(guest).unwrap_or_else(|| self.find(guest, true, transfer))
    }

    /// The host register that is going to hold `guest`: as long as nothing is written
    /// to it, it has what it had if it holds `guest` already.
    pub fn define(&mut self, guest: u8, transfer: impl FnMut(Transfer)) -> u8 {
        pinned(guest).unwrap_or_else(|| {
            let host = self.find(guest, false, transfer);
            if let Some(i) = HOST.iter().position(|other| *other == host) {
                self.dirty[i] = true;
            }
            host
        })
    }

    /// Brings memory up to date, but for what is pinned.
    pub fn flush(&mut self, mut transfer: impl FnMut(Transfer)) {
        for i in 0..HOST.len() {
            self.write_back(i, &mut transfer);
        }
    }

    /// Brings memory up to date with one of the host registers.
    fn write_back(&mut self, i: usize, mut transfer: impl FnMut(Transfer)) {
        // Nobody reads the sink.
        if std::mem::take(&mut self.dirty[i]) && self.guest[i] != SINK {
            transfer(Transfer::Store { host: HOST[i], guest: self.guest[i] });
        }
    }

    /// The host register that has `guest`, if one has.
    pub fn held(&self, guest: u8) -> Option<u8> {
        let place = || self.guest.iter().position(|held| *held == guest);
        pinned(guest).or_else(|| place().map(|i| HOST[i]))
    }

    /// Says that memory has a newer value of `guest`, which is not pinned.
    pub fn forget(&mut self, guest: u8) {
        if let Some(i) = self.guest.iter().position(|held| *held == guest) {
            self.guest[i] = NONE;
            self.dirty[i] = false;
        }
    }

    fn find(&mut self, guest: u8, load: bool, mut transfer: impl FnMut(Transfer)) -> u8 {
        self.now += 1;
        let held = self.guest.iter().position(|held| *held == guest);
        let i = held.unwrap_or_else(|| {
            let oldest = (0..self.free).min_by_key(|i| self.used[*i]).unwrap_or(0);
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

/// The host's vector registers that hold floating-point registers: from this one on, and so many.
const FIRST_VECTOR: u8 = 2;
const VECTORS: usize = 14;

/// Which floating-point register each vector register holds, and whether as a word that is known
/// to be boxed or as a doubleword. Memory always has the value as well.
///
/// Its functions are not inlined: with their loops in every template, optimising the whole
/// program took more than ten minutes.
pub struct FloatRegisters {
    held: [Option<(u8, Width)>; VECTORS],
    /// Which one is given away next.
    next: usize,
}

impl FloatRegisters {
    pub fn new() -> Self {
        Self { held: [None; VECTORS], next: 0 }
    }

    /// The vector register that holds `guest` so.
    #[inline(never)]
    pub fn held(&self, guest: u8, width: Width) -> Option<u8> {
        let place = self.held.iter().position(|held| *held == Some((guest, width)))?;
        Some(FIRST_VECTOR + place as u8)
    }

    /// Says that memory has a newer value of `guest`.
    #[inline(never)]
    pub fn forget(&mut self, guest: u8) {
        for held in &mut self.held {
            if held.is_some_and(|(other, _)| other == guest) {
                *held = None;
            }
        }
    }

    /// A vector register that holds none any more, and is none of these three.
    #[inline(never)]
    pub fn take(&mut self, used: [u8; 3]) -> u8 {
        let mut vector = 0;
        for _ in 0..=used.len() {
            vector = FIRST_VECTOR + self.next as u8;
            self.next = if self.next + 1 == VECTORS { 0 } else { self.next + 1 };
            if !used.contains(&vector) {
                break;
            }
        }
        self.held[usize::from(vector - FIRST_VECTOR)] = None;
        vector
    }

    /// Says that `vector` has the value of `guest` that memory has, too.
    #[inline(never)]
    pub fn hold(&mut self, vector: u8, guest: u8, width: Width) {
        self.forget(guest);
        self.held[usize::from(vector - FIRST_VECTOR)] = Some((guest, width));
    }
}
