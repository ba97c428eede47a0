//! Runs RISC-V Linux programs: the embedding API of rvrun.
//!
//! ```no_run
//! use rvrun::{Exit, Program};
//!
//! let program = Program::new("./hello").arg("world").env("LANG", "C");
//! match rvrun::run(program)? {
//!     Exit::Status(status) => println!("exited with {status}"),
//!     Exit::Signal { signal, .. } => println!("killed by signal {signal}"),
//!     other => println!("{other:?}"),
//! }
//! # Ok::<(), rvrun::Error>(())
//! ```
//!
//! [`Program`] says what to run and how; [`run`] loads it and runs it to its
//! end in the calling process and thread: guest addresses are host addresses,
//! guest file descriptors are host file descriptors, and a guest that forks
//! forks the embedder, so that `run` returns once in each process.
//!
//! Modules: [`loader`] maps the program and its dynamic linker, [`stack`] lays
//! out what the program finds on its stack, [`machine`] is the dispatcher
//! between the engines ([`tiers`], [`engines`]) and the Linux ABI, [`report`] explains a
//! guest's death, [`dump`] shows translations, [`verify`] has the engines check each other.

#![forbid(unsafe_code)]

mod chaos;
mod cpu;
mod dump;
mod engines;
mod error;
mod file;
mod keeper;
mod loader;
mod machine;
mod places;
mod profile;
mod program;
mod report;
mod sampler;
mod script;
mod stack;
mod stats;
mod stays;
mod tiers;
mod vdso;
mod verify;

pub use cpu::isa_listing;
pub use dump::{DumpSink, Translated};
pub use engines::Engines;
pub use error::Error;
pub use machine::{Exit, become_guest, end, run};
pub use program::{
    CacheConfig, Engine, Program, StatsSink, StraceSink, Translation, default_sysroots,
};
pub use rvrun_cache::directory::{Directory as CacheDirectory, Found as CacheFile};
pub use rvrun_cache::shown as shown_label;
pub use rvrun_host::process::{die_of_signal, keep_heap_high};
pub use rvrun_isa::Extensions;
pub use rvrun_syscall::ExecConfig;
pub use tiers::{Event, Tiers};
pub use verify::{Difference, DifferenceSink, EngineResult, MemoryPage, replay};

/// Whether this process has privileges that whoever started it has not (the kernel's
/// `AT_SECURE`): nothing that came with the environment is to be trusted then.
pub fn is_privileged() -> bool {
    rvrun_host::process::auxv(stack::key::SECURE) != 0
}

/// Whether binfmt_misc started this process and put the guest's `argv[0]`
/// behind the program's path (bit 0 of the kernel's `AT_FLAGS`).
pub fn preserves_argv0() -> bool {
    rvrun_host::process::auxv(stack::key::FLAGS) & 1 != 0
}
