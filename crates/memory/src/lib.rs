//! The guest's address space: its mappings, and accesses to them.
//!
//! A guest address *is* a host address. A guest's load is then one host load,
//! pointers in system calls can go to the host's kernel unchanged, and a fault of
//! the host's CPU is a fault of the guest ([`access`]). Nothing outside of this
//! crate relies on it: addresses become host pointers only here.
//!
//! What that protects, and what not:
//!
//! - The guest cannot unmap, replace or re-protect what is not its own:
//!   [`AddressSpace`] knows every mapping that it made for the guest, and the
//!   guest's calls act on those only.
//! - Guest code is never executable on the host. `PROT_EXEC` is kept here and
//!   becomes readability on the host, so that the decoder can read it. A guest
//!   can therefore read a mapping that is executable only.
//! - A guest that stores through a wild pointer into memory of the VM is *not*
//!   stopped. The VM's heap lies at addresses that the host's kernel has randomised,
//!   and the static data of the `rvrun` command takes some 200 KiB, so this hardly
//!   happens by accident; but nothing here contains a guest that means harm: use
//!   the host's own sandboxing for such guests.
//!
//! Neighbours: `rvrun-host` turns host faults into errors; engines use
//! [`access`] and follow [`AddressSpace::code_epoch`]; the Linux ABI calls the
//! methods that are named after system calls.

pub mod access;
mod code_log;
mod fault;
mod host_maps;
mod raw;
mod regions;
mod space;
mod usage;

pub use fault::{AccessKind, Fault, FaultCause};
pub use host_maps::Mapping;
pub use space::{AddressSpace, CodeObject, CodeRegion, Namer};
pub use usage::Usage;

/// An address in the guest's address space.
pub type GuestAddr = u64;

/// A Linux error number, positive; the numbers are equal on both architectures (errno(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

/// The guest's page size in bytes.
pub const PAGE: u64 = 4096;

/// The end of user addresses on riscv64 with four-level page tables (sv48), less the
/// last page, which x86-64 does not give.
pub const TASK_SIZE: u64 = (1 << 47) - PAGE;
