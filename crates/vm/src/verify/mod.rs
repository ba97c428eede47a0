//! Engines that check each other: stretches of the program run on translations, and
//! once more on the interpreter, from the same state.
//!
//! A stretch begins where translated code is entered, and ends where that is left: by
//! itself, or at a poll once it has retired as many instructions as it was given. The
//! pages that it writes are kept as they were ([`Watch`]), and put back; then the
//! interpreter executes as many instructions, one by one. Registers, flags, how the
//! stretch ended and all bytes of the pages that either has written must be the same.
//! The program goes on with what the interpreter made of it.
//!
//! Flags stay raised once they are, so they are taken away before a stretch, and added
//! again. A stretch that reads a clock is not compared, nor is one that writes memory
//! which others see, nor any in a process that has had a second thread. What the host's
//! kernel writes into private memory at its own time (io_uring(7)) would be taken for a
//! difference.

mod bundle;
mod replay;
mod stretch;

pub use replay::replay;
pub(crate) use replay::step;
pub(crate) use stretch::{Checked, End, Pair};

use rvrun_host::watch::PAGE;
use rvrun_isa::Extensions;
use rvrun_jit::{Limits, Mode, Source};
use std::fmt;
use std::sync::Arc;

/// Instructions after which a stretch ends at the next poll, at most.
const LONGEST: u64 = 20_000;

/// Takes what the engines differ in; the program ends when it returns.
pub type DifferenceSink = Arc<dyn Fn(&Difference) + Send + Sync>;

/// Which stretches are checked.
pub(crate) struct Sampling {
    one_in: u32,
    /// Entries until the next one.
    left: u32,
    random: u64,
}

impl Sampling {
    /// One in `one_in` entries of translated code, at random.
    pub fn new(one_in: u32) -> Self {
        Self { one_in: one_in.max(1), left: 1, random: 0x9e37_79b9_7f4a_7c15 }
    }

    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// Whether this entry is checked.
    pub fn is_due(&mut self) -> bool {
        self.left -= 1;
        let due = self.left == 0;
        if due {
            self.left = 1 + (self.next() >> 16) as u32 % (2 * self.one_in - 1);
        }
        due
    }

    /// Instructions that the next stretch is given: mostly few, since the bounds of
    /// short ones are nearer to what is wrong.
    pub fn length(&mut self) -> u64 {
        let bits = self.next() % 64;
        1 + (self.next() >> 16) % (LONGEST >> (bits % 15))
    }
}

/// The integer and floating-point state after a stretch, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineResult {
    /// Registers and their values; the pc, `fflags` and `frm` among them.
    pub registers: Vec<(String, u64)>,
    /// How the stretch ended, in words.
    pub end: String,
}

/// A page of the guest's memory.
#[derive(Clone, PartialEq, Eq)]
pub struct MemoryPage {
    /// Its first address.
    pub address: u64,
    /// Its bytes.
    pub bytes: Box<[u8; PAGE]>,
    /// `PROT_*` of the guest.
    pub prot: i32,
}

/// What one of the engines did and the other did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where the stretch began.
    pub pc: u64,
    /// Instructions that it was given.
    pub length: u64,
    /// The registers at its beginning, as in [`EngineResult::registers`].
    pub before: Vec<(String, u64)>,
    /// What translated code made of it.
    pub translated: EngineResult,
    /// What the interpreter made of it.
    pub interpreted: EngineResult,
    /// Each of the differences, in words.
    pub found: Vec<String>,
    /// The memory that the stretch uses, code included, as it was at its beginning.
    pub pages: Vec<MemoryPage>,
    /// What the translations were made from whose code was executed.
    pub translations: Vec<Source>,
    /// Where jumps through registers were known to go, in that code.
    pub jump_targets: Vec<u64>,
    /// The extensions of the hart.
    pub extensions: Extensions,
    /// How large translations were.
    pub limits: Limits,
    /// What they did beside what they must.
    pub mode: Mode,
}

impl fmt::Debug for MemoryPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x} ({})", self.address, self.prot)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "translated code at {:#x} does not do what the interpreter does:", self.pc)?;
        for (index, line) in self.found.iter().enumerate() {
            match index {
                0..16 => writeln!(f, "  {line}")?,
                16 => writeln!(f, "  and {} more", self.found.len() - 16)?,
                _ => break,
            }
        }
        Ok(())
    }
}
