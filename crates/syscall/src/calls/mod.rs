//! The calls that need code, one file an area.
//!
//! Entry points are thin: they take the argument registers apart and call one
//! thing. A C `int` is the low half of its register, whatever the upper half
//! holds.

pub(crate) mod clone;
pub(crate) mod exec;
pub(crate) mod exit;
pub(crate) mod files;
pub(crate) mod identity;
pub(crate) mod io_uring;
pub(crate) mod ipc;
pub(crate) mod machine;
pub(crate) mod memory;
pub(crate) mod metadata;
pub(crate) mod namespaces;
pub(crate) mod poll;
pub(crate) mod seccomp;
pub(crate) mod signals;
pub(crate) mod sockets;
