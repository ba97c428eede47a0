//! What the guest wants done with signals, and waiting for them.
//!
//! Sending and timers need nothing here: the host's process is the guest's process.
//! SIGSEGV and SIGBUS that were sent may be held back in the VM while the guest blocks
//! them; the calls that look at pending signals look there, too.

use crate::abi::sigaction::{self, Action};
use crate::host_signals;
use crate::row::{Args, Flow, SysResult};
use crate::signals::stack::SignalStack;
use crate::signals::{Cause, frame, info};
use crate::task::Task;
use crate::{Errno, guest, raw};
use rvrun_hart::Hart;
use rvrun_host::signals::{self as host, FAULTS, bit};

const EINVAL: Errno = Errno(libc::EINVAL);
const EINTR: Errno = Errno(libc::EINTR);
/// Bytes in a signal set; every call names it.
const SET_SIZE: u64 = 8;
/// Signals that cannot be caught, blocked or ignored.
const UNBLOCKABLE: u64 = bit(libc::SIGKILL) | bit(libc::SIGSTOP);
/// Register numbers.
const SP: usize = 2;
const A0: usize = 10;

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
    if !(1..=64).contains(&signal) {
        return Err(EINVAL);
    }
    if wanted.is_some() && UNBLOCKABLE & bit(signal) != 0 {
        return Err(EINVAL);
    }
    let previous = {
        let mut actions = task.process.actions.lock();
        let current = actions.of(signal);
        let previous = *current;
        if let Some(action) = wanted {
            *current = action;
            host_signals::set_action(signal, &action);
        }
        previous
    };
    if let Some(action) = wanted {
        let fault = FAULTS & bit(signal) != 0;
        if fault && action.is_handled() {
            task.process.threads.note_fault_handler();
        }
        if action.handler == libc::SIG_IGN as u64 {
            // What is ignored does not stay pending.
            host::take_held(bit(signal));
        }
    }
    if old != 0 {
        guest::write(old, &previous.to_guest())?;
    }
    Ok(0)
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
        let blocked = match how as i32 {
            libc::SIG_BLOCK => previous | set,
            libc::SIG_UNBLOCK => previous & !set,
            libc::SIG_SETMASK => set,
            _ => return Err(EINVAL),
        };
        host_signals::change_mask(blocked)?;
        task.set_blocked(blocked);
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
    if new != 0 {
        task.signal_stack.set(SignalStack::read(new)?, hart.x[SP])?;
    }
    if old != 0 {
        guest::write(old, &previous.report(hart.x[SP]))?;
    }
    Ok(Flow::Return(0))
}

/// `rt_sigreturn()`.
pub(crate) fn rt_sigreturn(task: &mut Task, hart: &mut Hart, _: Args) -> Result<Flow, Errno> {
    let Ok((mask, stack)) = frame::leave(hart) else { return Ok(bad_frame(task, hart)) };
    task.set_blocked(mask & !UNBLOCKABLE);
    task.set_host_mask();
    let Some(stack) = stack else { return Ok(bad_frame(task, hart)) };
    // A stack that cannot be set stays what it is, says the kernel.
    let _ = task.signal_stack.set(stack, hart.x[SP]);
    Ok(Flow::Return(hart.x[A0]))
}

fn bad_frame(task: &mut Task, hart: &mut Hart) -> Flow {
    hart.x[A0] = 0;
    let outcome = task.force_segv(hart, Cause::BadFrame);
    task.set_host_mask();
    Flow::Stop(outcome)
}

/// `rt_sigpending(set, masksize)`.
pub(crate) fn rt_sigpending(task: &mut Task, args: Args) -> SysResult {
    let mut set = 0u64;
    if args[1] > SET_SIZE {
        return Err(EINVAL);
    }
    raw::check(raw::guarded(
        libc::SYS_rt_sigpending,
        [(&raw mut set) as u64, SET_SIZE, 0, 0, 0, 0],
    ))?;
    set |= host::held() & task.blocked;
    guest::write(args[0], &set.to_le_bytes()[..args[1] as usize])?;
    Ok(0)
}

/// `rt_sigtimedwait(set, info, timeout, masksize)`.
pub(crate) fn rt_sigtimedwait(_: &mut Task, args: Args) -> SysResult {
    let [set, place, _, size, ..] = args;
    if size == SET_SIZE
        && host::held() != 0
        && let Ok(set) = guest::read_u64(set)
        && let Some(arrived) = host::take_held(set)
    {
        if place != 0 {
            guest::write(place, &info::to_guest(&arrived.info))?;
        }
        return Ok(arrived.signal as u64);
    }
    raw::check(raw::guarded(libc::SYS_rt_sigtimedwait, args))
}

/// `rt_sigsuspend(mask, masksize)`.
pub(crate) fn rt_sigsuspend(task: &mut Task, args: Args) -> SysResult {
    wait_with(task, libc::SYS_rt_sigsuspend, args, args[0])
}

/// `ppoll(fds, count, timeout, mask, masksize)`.
pub(crate) fn ppoll(task: &mut Task, args: Args) -> SysResult {
    wait_with(task, libc::SYS_ppoll, args, args[3])
}

/// `pselect6(nfds, read, write, except, timeout, mask)`.
pub(crate) fn pselect6(task: &mut Task, args: Args) -> SysResult {
    wait_with(task, libc::SYS_pselect6, args, pointer_at(args[5]))
}

/// `io_pgetevents(context, min, max, events, timeout, mask)`.
pub(crate) fn io_pgetevents(task: &mut Task, args: Args) -> SysResult {
    wait_with(task, raw::young::SYS_IO_PGETEVENTS, args, pointer_at(args[5]))
}

/// The first word of the pair of mask and size that these two calls take.
fn pointer_at(pair: u64) -> u64 {
    if pair == 0 { 0 } else { guest::read_u64(pair).unwrap_or(0) }
}

/// Makes a call of the host that waits with the mask at `mask`, if that is not 0. A
/// handler that ends it runs with this mask, and returns to the guest's own.
pub(crate) fn wait_with(task: &mut Task, number: i64, args: Args, mask: u64) -> SysResult {
    // A wild address is for the kernel to refuse.
    let mask = if mask == 0 { None } else { guest::read_u64(mask).ok() };
    let mask = mask.map(|mask| mask & !UNBLOCKABLE);
    if let Some(mask) = mask
        && host::held() & !mask != 0
    {
        task.want_attention();
        task.waited_with = Some(mask);
        return Err(EINTR);
    }
    let result = raw::check(raw::guarded(number, args));
    if result == Err(EINTR) {
        task.waited_with = mask;
    }
    result
}
