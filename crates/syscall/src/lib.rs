//! The Linux ABI of riscv64, carried out by an x86-64 Linux host.
//!
//! [`dispatch`] takes a hart that stopped at an `ecall`, carries out the system
//! call in `a7` and leaves the result in `a0`. [`SYSCALLS`] is the one table:
//! number, name, arguments, handler and how well the call is supported; the
//! dispatch, the strace lines and `docs/syscalls.md` come out of it.
//!
//! A guest address is a host address, so a guest's pointer goes to the host's
//! kernel as it is and `EFAULT` comes back by itself. Only where a structure
//! differs between the two architectures, or where this crate itself has to
//! know the bytes (paths, argument lists), are they copied.
//!
//! Neighbours: `rvrun-memory` owns the guest's mappings, `rvrun-hart` its
//! registers. This crate knows no engine; it neither prints nor reads the
//! environment: lines for `--strace` go to the sink in [`Config`].
//!
//! Invariants: a guest's argument can make a call fail, never make the VM
//! panic; no call unmaps or re-protects memory that is not the guest's; a call
//! that is passed through takes no lock and allocates nothing.

mod abi;
mod calls;
mod config;
mod dispatch;
mod docs;
#[doc(hidden)]
pub mod examine;
mod guest;
mod host_signals;
mod path;
mod procfs;
mod program;
mod raw;
mod robust;
mod root;
mod row;
mod seccomp;
mod shown;
mod signals;
mod strace;
mod table;
mod task;
mod threads;
mod translate;

pub use calls::clone::Borrower;
pub use config::{Config, Cpu, ExecConfig, Layout, ProcessImage, Strace, StraceSink};
pub use dispatch::{Outcome, dispatch};
pub use docs::syscalls_page;
pub use path::Sysroot;
pub use program::script_line;
pub use row::{Arg, Args, Flow, Handler, Kind, Last, PathArg, Row, Support, SysResult};
pub use rvrun_memory::Errno;
pub use signals::Cause;
pub use signals::frame::SIGNAL_FRAME;
pub use strace::names::Names;
pub use table::SYSCALLS;
pub use task::Task;
pub use threads::Newborn;
pub use translate::resolve;
