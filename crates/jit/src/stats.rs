//! What the translator has done, in figures.

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
