//! What the command `rvrun` makes of its command line.
//!
//! The command line ([`options`], or [`qemu`] under a name that begins with
//! `qemu-riscv`, or [`binfmt`] when the kernel started us) becomes [`settings`],
//! and those a [`rvrun::Program`]. A library, so that the parsers can be called with
//! what no shell would pass.
//!
//! [`cache`], [`conformance`] and [`verify`] are what the command does beside running programs.
//!
//! Invariant: parsing neither prints nor opens anything.

#![forbid(unsafe_code)]

pub mod binfmt;
pub mod cache;
pub mod conformance;
pub mod options;
mod output;
pub mod qemu;
pub mod settings;
pub mod verify;

use std::io::Write;

/// The VM's own failure, as `env`, `timeout` and container engines number it.
const VM_FAILURE: u8 = 125;

/// Why no program is run.
#[derive(Debug, PartialEq, Eq)]
pub enum EarlyStop {
    /// Something else was asked for: this text.
    Print(Vec<u8>),
    /// The command line cannot be carried out.
    Usage(String),
}

impl EarlyStop {
    /// Says so, and returns the exit status.
    pub fn report(self) -> u8 {
        match self {
            EarlyStop::Print(text) => {
                // A reader that has closed the pipe wants no more of it.
                let _ = std::io::stdout().write_all(&text);
                0
            }
            EarlyStop::Usage(message) => {
                complain(&message);
                VM_FAILURE
            }
        }
    }
}

/// Writes a line to standard error; there is nobody to tell if that fails.
pub fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "rvrun: {message}");
}
