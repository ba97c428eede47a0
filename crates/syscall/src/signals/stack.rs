//! The stack for signal handlers (`sigaltstack(2)`).

use crate::{Errno, guest};

const EINVAL: Errno = Errno(libc::EINVAL);
/// The smallest stack for handlers.
const MIN_STACK: u64 = libc::MINSIGSTKSZ as u64;
const SS_AUTODISARM: u32 = 1 << 31;
/// Size of the guest's `stack_t`: base, flags, four bytes of padding, size.
pub(crate) const SIZE: usize = 24;

/// A thread's stack for handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SignalStack {
    base: u64,
    size: u64,
    /// As the guest gave them.
    flags: u32,
}

impl Default for SignalStack {
    fn default() -> Self {
        Self { base: 0, size: 0, flags: libc::SS_DISABLE as u32 }
    }
}

impl SignalStack {
    /// Reads the guest's structure.
    pub(crate) fn read(addr: u64) -> Result<Self, Errno> {
        let [base, flags, size] =
            [0, 8, 16].map(|offset| guest::read_u64(addr.wrapping_add(offset)));
        Ok(Self { base: base?, flags: flags? as u32, size: size? })
    }

    /// Lays it out as a signal's frame keeps it.
    pub(crate) fn to_guest(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[..8].copy_from_slice(&self.base.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.flags.to_le_bytes());
        bytes[16..].copy_from_slice(&self.size.to_le_bytes());
        bytes
    }

    /// Lays it out as the call reports it to a thread whose stack pointer is `sp`.
    pub(crate) fn report(self, sp: u64) -> [u8; SIZE] {
        let state = match (self.size, self.holds(sp)) {
            (0, _) => libc::SS_DISABLE as u32,
            (_, true) => libc::SS_ONSTACK as u32,
            _ => 0,
        };
        Self { flags: self.flags & SS_AUTODISARM | state, ..self }.to_guest()
    }

    /// Whether a thread with this stack pointer is on it. One that is disarmed while a
    /// handler runs does not count.
    pub(crate) fn holds(&self, sp: u64) -> bool {
        self.flags & SS_AUTODISARM == 0 && sp > self.base && sp - self.base <= self.size
    }

    /// Where a handler that wants it finds its end; none if there is none or it is in use.
    pub(crate) fn top(&self, sp: u64) -> Option<u64> {
        (self.size != 0 && !self.holds(sp)).then(|| self.base.wrapping_add(self.size))
    }

    /// A handler begins to run.
    pub(crate) fn enter(&mut self) {
        if self.flags & SS_AUTODISARM != 0 {
            *self = Self::default();
        }
    }

    /// Takes another one, for a thread with this stack pointer (kernel: `do_sigaltstack`).
    pub(crate) fn set(&mut self, wanted: Self, sp: u64) -> Result<(), Errno> {
        if self.holds(sp) {
            return Err(Errno(libc::EPERM));
        }
        match (wanted.flags & !SS_AUTODISARM) as i32 {
            libc::SS_DISABLE => *self = Self { base: 0, size: 0, ..wanted },
            0 | libc::SS_ONSTACK if *self != wanted && wanted.size < MIN_STACK => {
                return Err(Errno(libc::ENOMEM));
            }
            0 | libc::SS_ONSTACK => *self = wanted,
            _ => return Err(EINVAL),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: SignalStack = SignalStack { base: 0x1000, size: 0x1000, flags: 0 };

    #[test]
    fn the_end_belongs_to_it_and_the_base_does_not() {
        assert!(STACK.holds(0x2000) && STACK.holds(0x1001));
        assert!(!STACK.holds(0x1000) && !STACK.holds(0x2001));
        assert_eq!(STACK.top(0x3000), Some(0x2000));
        assert_eq!(STACK.top(0x1800), None);
        assert_eq!(SignalStack::default().top(0x1800), None);
    }

    #[test]
    fn it_is_not_changed_while_in_use() {
        let mut stack = STACK;
        assert_eq!(stack.set(SignalStack::default(), 0x1800), Err(Errno(libc::EPERM)));
        assert_eq!(stack.set(SignalStack::default(), 0x3000), Ok(()));
        assert_eq!(stack, SignalStack::default());
    }

    #[test]
    fn one_that_disarms_itself_is_gone_in_the_handler() {
        let mut stack = SignalStack { flags: SS_AUTODISARM, ..STACK };
        assert_eq!(stack.top(0x1800), Some(0x2000));
        stack.enter();
        assert_eq!(stack, SignalStack::default());
    }
}
