//! Refused accesses.

use crate::GuestAddr;
use rvrun_host::fault::{HostFault, Signal};
use std::fmt;

/// What an access wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKind {
    /// Instruction fetch.
    Fetch,
    /// Load.
    Load,
    /// Store, or atomic read-modify-write.
    Store,
}

/// Why it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultCause {
    /// Nothing is mapped there (`SEGV_MAPERR`).
    NotMapped,
    /// The mapping does not allow it (`SEGV_ACCERR`).
    Protection,
    /// The page lies beyond the end of the mapped file, or the host could not provide it (SIGBUS).
    BusError,
}

/// A refused access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The address that could not be accessed: within the access, not always its first byte.
    pub addr: GuestAddr,
    /// What the access wanted.
    pub kind: AccessKind,
    /// Why it was refused.
    pub cause: FaultCause,
}

impl Fault {
    /// The fault that the host reported for an access at `addr`.
    pub(crate) fn from_host(host: HostFault, addr: GuestAddr, kind: AccessKind) -> Self {
        const SEGV_ACCERR: i32 = 2;
        let cause = match host.signal {
            Signal::Bus => FaultCause::BusError,
            Signal::Segv if host.code == SEGV_ACCERR => FaultCause::Protection,
            Signal::Segv => FaultCause::NotMapped,
        };
        Self { addr: host.address.unwrap_or(addr), kind, cause }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            AccessKind::Fetch => "fetch",
            AccessKind::Load => "load",
            AccessKind::Store => "store",
        };
        let cause = match self.cause {
            FaultCause::NotMapped => "nothing is mapped there",
            FaultCause::Protection => "the mapping does not allow it",
            FaultCause::BusError => "it lies behind the end of the mapped file",
        };
        write!(f, "{kind} at {:#x}: {cause}", self.addr)
    }
}
