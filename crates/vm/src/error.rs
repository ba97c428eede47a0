//! What can go wrong before the guest runs.

use rvrun_decoder::elf::ElfError;
use std::path::PathBuf;

/// Why a program could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such file.
    #[error("{}: no such file", .path.display())]
    NotFound {
        /// The program.
        path: PathBuf,
    },
    /// The program is there but cannot be executed.
    #[error("{}: {why}", .path.display())]
    NotRunnable {
        /// The program.
        path: PathBuf,
        /// The cause, and where possible the remedy.
        why: String,
    },
    /// The program needs a dynamic linker that is not there.
    #[error(
        "{}: needs the dynamic linker {interpreter}, which is missing{}; \
         give the root of a riscv64 system with --sysroot DIR",
        .program.display(),
        below(.sysroot)
    )]
    NoInterpreter {
        /// The program.
        program: PathBuf,
        /// The path that the program names.
        interpreter: String,
        /// Where it was looked for first.
        sysroot: Option<PathBuf>,
    },
    /// The host refused something that the VM needs.
    #[error("{what}: {source}")]
    Host {
        /// What was attempted.
        what: String,
        /// The host's error.
        source: std::io::Error,
    },
}

fn below(sysroot: &Option<PathBuf>) -> String {
    match sysroot {
        Some(sysroot) => format!(" (looked below {} and in /)", sysroot.display()),
        None => String::from(" (no sysroot was given or found)"),
    }
}

impl Error {
    /// The exit status that shells, `env` and container engines use for this: 127 for
    /// a missing program, 126 for one that cannot be run, 125 for the VM's own failure.
    pub fn exit_status(&self) -> u8 {
        match self {
            Error::NotFound { .. } => 127,
            Error::NotRunnable { .. } | Error::NoInterpreter { .. } => 126,
            Error::Host { .. } => 125,
        }
    }

    pub(crate) fn elf(path: PathBuf, error: ElfError) -> Self {
        match error {
            ElfError::Io(source) => {
                Error::Host { what: format!("cannot read {}", path.display()), source }
            }
            other => Error::NotRunnable { path, why: other.to_string() },
        }
    }
}
