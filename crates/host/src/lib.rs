//! The host: its signals, its clocks, and what the VM asks about its own process.
//!
//! All raw calls to the operating system that do not map guest memory and are
//! not a guest's system call are here. [`fault`] turns memory faults of guest
//! accesses into errors, [`code`] holds and calls translated code, [`signals`] takes
//! the guest's signals and [`guarded`] makes system calls that they interrupt.

pub mod code;
pub mod fault;
pub mod file_map;
pub mod guarded;
pub mod large;
pub mod lock;
pub mod prefetch;
pub mod process;
pub mod processor;
pub mod return_stack;
pub mod signals;
pub mod time;
pub mod vfork;
pub mod watch;
