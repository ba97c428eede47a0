//! What the translator has done, in figures.

use std::ops::AddAssign;
use std::time::Duration;

/// See the module's documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Regions that were given to the compiler.
    pub requested: u64,
    /// Regions that were translated.
    pub translated: u64,
    /// Regions that the compiler refused.
    pub refused: u64,
    /// Translations that were done in vain: the code had changed meanwhile.
    pub outdated: u64,
    /// Translations dropped because their code changed.
    pub invalidated: u64,
    /// Translations dropped to make room.
    pub evicted: u64,
    /// Guest instructions that were translated, inlined ones each time.
    pub instructions: u64,
    /// Bytes of host code that were made.
    pub code_bytes: u64,
    /// Time that compiling took, on whatever thread.
    pub compile_time: Duration,
    /// Time that the guest's own thread spent on finding regions.
    pub find_time: Duration,
    /// Time that the guest's own thread spent on taking in finished translations.
    pub install_time: Duration,
    /// The longest time that taking in one translation took.
    pub longest_install: Duration,
    /// How often translated code was entered.
    pub entries: u64,
    /// How often it was left to code that is not translated.
    pub cold: u64,
    /// How often it was left for a system call.
    pub syscalls: u64,
    /// How often it was left to have an instruction interpreted.
    pub interpreted: u64,
    /// How often a jump was not in the jump cache.
    pub jump_misses: u64,
    /// How often attention was wanted.
    pub attention: u64,
    /// How often a memory access faulted.
    pub faults: u64,
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.requested += other.requested;
        self.translated += other.translated;
        self.refused += other.refused;
        self.outdated += other.outdated;
        self.invalidated += other.invalidated;
        self.evicted += other.evicted;
        self.instructions += other.instructions;
        self.code_bytes += other.code_bytes;
        self.compile_time += other.compile_time;
        self.find_time += other.find_time;
        self.install_time += other.install_time;
        self.entries += other.entries;
        self.cold += other.cold;
        self.syscalls += other.syscalls;
        self.interpreted += other.interpreted;
        self.jump_misses += other.jump_misses;
        self.attention += other.attention;
        self.faults += other.faults;
        self.longest_install = self.longest_install.max(other.longest_install);
    }
}
