//! (being written)
/// A guest address.
pub type GuestAddr = u64;
/// What an access wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKind {
    /// Instruction fetch.
    Fetch,
    /// Load.
    Load,
    /// Store or AMO.
    Store,
}
/// Why it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultCause {
    /// Nothing is mapped there.
    NotMapped,
    /// The mapping does not allow it.
    Protection,
    /// Beyond the end of the mapped file.
    BusError,
}
/// A refused access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub addr: GuestAddr,
    /// What.
    pub kind: AccessKind,
    /// Why.
    pub cause: FaultCause,
}
impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {:#x}: {:?}", self.kind, self.addr, self.cause)
    }
}
