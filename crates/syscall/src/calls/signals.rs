//! What the guest wants done with signals.
//!
//! Sending, waiting and timers need nothing here: the host's process is the
//! guest's process. Dispositions and masks are recorded and set on the host
//! where they do not take from the VM what it needs.

use crate::abi::sigaction::{self, Action};
use crate::host_signals::{self, bit};
use crate::row::{Args, Flow, SysResult};
use crate::task::{SignalStack, Task};
use crate::{Errno, guest};
use rvrun_hart::Hart;

const EINVAL: Errno = Errno(libc::EINVAL);
/// Bytes in a signal set; every call names it.
const SET_SIZE: u64 = 8;
/// Signals that cannot be caught, blocked or ignored.
const UNBLOCKABLE: u64 = bit(libc::SIGKILL) | bit(libc::SIGSTOP);
/// The smallest stack for handlers.
const MIN_STACK: u64 = libc::MINSIGSTKSZ as u64;
const SS_AUTODISARM: u32 = 1 << 31;
/// Register numbers.
const SP: usize = 2;

/// `rt_sigaction(sig, new, old, masksize)`.
pub(crate) fn rt_sigaction(task: &mut Task, args: Args) -> SysResult {
    let [signal, new, old, size, ..] = args;
    let signal = signal as i32;
    if size != SET_SIZE {
        return Err(EINVAL);
    }
    let wanted = match new {
        0 => None,
        _ => Some(Action::from_guest(&guest::read_array::<{ sigaction::SIZE }>(new)?)),
    };
    let index = usize::try_from(signal - 1).ok().filter(|index| *index < 64).ok_or(EINVAL)?;
    if wanted.is_some() && UNBLOCKABLE & bit(signal) != 0 {
        return Err(EINVAL);
    }
    let previous = {
        let mut actions = task.process.actions.lock();
        let previous = actions[index];
        if let Some(action) = wanted {
            actions[index] = action;
            set_on_host(signal, action);
            let fault = signal == libc::SIGSEGV || signal == libc::SIGBUS;
            task.catches_faults |= fault && is_handled(&action);
        }
        previous
    };
    if old != 0 {
        guest::write(old, &previous.to_guest())?;
    }
    Ok(0)
}

/// Sets what stands for an action on the host. A handler of the guest cannot
/// run yet. The default action of its signal is what a program without the
/// handler would get; but `SIGPIPE` is ignored, since the write that caused it
/// then reports `EPIPE`.
fn set_on_host(signal: i32, action: Action) {
    const KEPT: i32 = libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT;
    let handler = match action.handler as usize {
        libc::SIG_IGN => libc::SIG_IGN,
        libc::SIG_DFL => libc::SIG_DFL,
        _ if signal == libc::SIGPIPE => libc::SIG_IGN,
        _ => libc::SIG_DFL,
    };
    host_signals::set_action(signal, handler as u64, action.flags & KEPT as u64);
}

/// Gives signals that have a handler their default action, as `execve` does,
/// and brings the stand-ins back when the value is dropped: `execve` has failed.
pub(crate) struct HandlersReset<'a>(&'a Task);

impl<'a> HandlersReset<'a> {
    /// Resets them.
    pub(crate) fn new(task: &'a Task) -> Self {
        if is_handled(&task.process.actions.lock()[libc::SIGPIPE as usize - 1]) {
            host_signals::set_action(libc::SIGPIPE, libc::SIG_DFL as u64, 0);
        }
        Self(task)
    }
}

impl Drop for HandlersReset<'_> {
    fn drop(&mut self) {
        set_on_host(libc::SIGPIPE, self.0.process.actions.lock()[libc::SIGPIPE as usize - 1]);
    }
}

fn is_handled(action: &Action) -> bool {
    !matches!(action.handler as usize, libc::SIG_DFL | libc::SIG_IGN)
}

/// `rt_sigprocmask(how, new, old, masksize)`.
pub(crate) fn rt_sigprocmask(task: &mut Task, args: Args) -> SysResult {
    let [how, new, old, size, ..] = args;
    if size != SET_SIZE {
        return Err(EINVAL);
    }
    let previous = task.blocked;
    if new != 0 {
        let set = guest::read_u64(new)? & !UNBLOCKABLE;
        task.blocked = match how as i32 {
            libc::SIG_BLOCK => previous | set,
            libc::SIG_UNBLOCK => previous & !set,
            libc::SIG_SETMASK => set,
            _ => return Err(EINVAL),
        };
        host_signals::set_mask(task.blocked);
    }
    if old != 0 {
        guest::write(old, &previous.to_le_bytes())?;
    }
    Ok(0)
}

/// `sigaltstack(new, old)`.
pub(crate) fn sigaltstack(task: &mut Task, hart: &mut Hart, args: Args) -> Result<Flow, Errno> {
    let [new, old, ..] = args;
    let previous = task.signal_stack;
    let inside = previous.size != 0
        && previous.flags & SS_AUTODISARM == 0
        && hart.x[SP].wrapping_sub(previous.base).wrapping_sub(1) < previous.size;
    if new != 0 {
        let wanted = read_stack(new)?;
        if inside {
            return Err(Errno(libc::EPERM));
        }
        task.signal_stack = check_stack(wanted)?;
    }
    if old != 0 {
        let state = match (previous.size, inside) {
            (0, _) => libc::SS_DISABLE as u32,
            (_, true) => libc::SS_ONSTACK as u32,
            _ => 0,
        };
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&previous.base.to_le_bytes());
        bytes[8..12].copy_from_slice(&(previous.flags | state).to_le_bytes());
        bytes[16..].copy_from_slice(&previous.size.to_le_bytes());
        guest::write(old, &bytes)?;
    }
    Ok(Flow::Return(0))
}

/// Reads the guest's `stack_t`: base, flags, four bytes of padding, size.
fn read_stack(addr: u64) -> Result<SignalStack, Errno> {
    let [base, flags, size] = [0, 8, 16].map(|offset| guest::read_u64(addr.wrapping_add(offset)));
    Ok(SignalStack { base: base?, flags: flags? as u32, size: size? })
}

/// The kernel's `do_sigaltstack`.
fn check_stack(wanted: SignalStack) -> Result<SignalStack, Errno> {
    match (wanted.flags & !SS_AUTODISARM) as i32 {
        libc::SS_DISABLE => {
            Ok(SignalStack { base: 0, size: 0, flags: wanted.flags & SS_AUTODISARM })
        }
        0 | libc::SS_ONSTACK if wanted.size < MIN_STACK => Err(Errno(libc::ENOMEM)),
        0 | libc::SS_ONSTACK => Ok(SignalStack { flags: wanted.flags & SS_AUTODISARM, ..wanted }),
        _ => Err(EINVAL),
    }
}
