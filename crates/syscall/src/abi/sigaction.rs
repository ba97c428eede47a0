//! `struct sigaction`: riscv64 has no restorer, the kernel's vDSO returns for it.

/// What a guest wants done with a signal: handler, flags and mask as it gave them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Action {
    /// `SIG_DFL` (0), `SIG_IGN` (1) or the handler's address.
    pub(crate) handler: u64,
    /// `SA_*`.
    pub(crate) flags: u64,
    /// Signals that are blocked while the handler runs.
    pub(crate) mask: u64,
}

/// Size of the guest's structure.
pub(crate) const SIZE: usize = 24;

/// The flags that a riscv64 kernel keeps; others are cleared, so that a
/// program can find out what is supported (`UAPI_SA_FLAGS`).
const FLAGS: u64 = (libc::SA_NOCLDSTOP
    | libc::SA_NOCLDWAIT
    | libc::SA_SIGINFO
    | libc::SA_ONSTACK
    | libc::SA_RESTART
    | libc::SA_NODEFER) as u64
    | libc::SA_RESETHAND as u32 as u64
    | SA_EXPOSE_TAGBITS;
const SA_EXPOSE_TAGBITS: u64 = 0x800;

impl Action {
    /// Reads the guest's structure.
    pub(crate) fn from_guest(bytes: &[u8; SIZE]) -> Self {
        const UNBLOCKABLE: u64 = 1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1);
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        Self { handler: word(0), flags: word(8) & FLAGS, mask: word(16) & !UNBLOCKABLE }
    }

    /// Whether the guest has a handler.
    pub(crate) fn is_handled(&self) -> bool {
        !matches!(self.handler as usize, libc::SIG_DFL | libc::SIG_IGN)
    }

    /// Lays it out as the guest reads it.
    pub(crate) fn to_guest(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip([self.handler, self.flags, self.mask]) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_survives() {
        let action = Action { handler: 0x1234, flags: libc::SA_SIGINFO as u64, mask: 1 << 63 };
        assert_eq!(Action::from_guest(&action.to_guest()), action);
    }

    #[test]
    fn unknown_flags_are_cleared() {
        // SA_RESTORER (x86) and SA_UNSUPPORTED.
        let action = Action { handler: 1, flags: 0x0400_0400 | libc::SA_RESTART as u64, mask: 0 };
        assert_eq!(Action::from_guest(&action.to_guest()).flags, libc::SA_RESTART as u64);
    }
}
