//! From an `ecall` to a handler and back.

use crate::row::{Args, Flow, Handler, Row};
use crate::seccomp::Verdict;
use crate::signals::{Cause, info};
use crate::strace::{self, Pending};
use crate::table::SYSCALLS;
use crate::task::Task;
use crate::{Errno, host_signals, raw};
use rvrun_hart::Hart;

/// Register numbers.
const A0: usize = 10;
const A7: usize = 17;
/// Bytes of the instruction that makes a call; it has no compressed form.
const ECALL: u64 = 4;

/// What the VM does after a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Go on at the hart's pc.
    Continue,
    /// The guest process ends with this exit status, 0 to 255.
    Exit(i32),
    /// The thread ends, and others go on. Its last act is [`Task::end`].
    ThreadEnds(i32),
    /// The process [`Task::take_borrower`] is to be made in this one's memory, while this
    /// thread waits; [`Task::lent`] then says that it is over.
    Borrow,
    /// The thread [`Task::take_newborn`] is to be started; [`Task::spawned`] then says
    /// what became of it.
    Spawn,
    /// The VM's own threads are to end, so that the guest's process has one thread for the
    /// host as well; [`Task::left_alone`] then says that they have. The call is made again.
    Alone,
    /// A signal ends it, other than by the host's own doing.
    Killed {
        /// The signal's number.
        signal: i32,
        /// Why.
        cause: Cause,
    },
}

/// One more than the largest number in the table.
const NUMBERS: usize = 463;

/// The table by number.
static BY_NUMBER: [Option<&'static Row>; NUMBERS] = {
    let mut by_number: [Option<&'static Row>; NUMBERS] = [None; NUMBERS];
    let mut index = 0;
    while index < SYSCALLS.len() {
        let row = &SYSCALLS[index];
        let place = &mut by_number[row.number as usize];
        assert!(place.is_none(), "two rows have the same number");
        *place = Some(row);
        index += 1;
    }
    by_number
};

/// The row of a system call's number.
pub(crate) fn row(number: u64) -> Option<&'static Row> {
    BY_NUMBER.get(usize::try_from(number).ok()?).copied().flatten()
}

/// Carries out the system call that `hart` asks for, and has the guest's handlers run
/// for the signals that come before it, with it or after it.
///
/// Called with the pc behind the `ecall`; reads `a7` and `a0` to `a5`, and
/// writes `a0`. A call that a signal comes before is made again: the pc is the `ecall`'s.
pub fn dispatch(task: &mut Task, hart: &mut Hart) -> Outcome {
    if task.wants_attention() {
        hart.pc = hart.pc.wrapping_sub(ECALL);
        return task.deliver(hart);
    }
    let number = hart.x[A7];
    let args = [hart.x[10], hart.x[11], hart.x[12], hart.x[13], hart.x[14], hart.x[15]];
    if task.sandbox.is_on() {
        match task.sandbox.judge(number, hart.pc, &args) {
            Verdict::Allow => {}
            verdict => return refuse(task, hart, number, verdict),
        }
    }
    let row = row(number);
    let flow = if task.process.config.strace.is_some() {
        traced(task, hart, row, number, args)
    } else {
        carry_out(task, hart, row, args)
    };
    match flow {
        Flow::Return(value) => hart.x[A0] = value,
        Flow::Restart => hart.pc = hart.pc.wrapping_sub(ECALL),
        Flow::Stop(Outcome::Continue) => {}
        Flow::Stop(outcome) => return outcome,
    }
    if task.wants_attention() { task.deliver(hart) } else { Outcome::Continue }
}

/// Does about a call what the guest's filters want.
#[cold]
fn refuse(task: &mut Task, hart: &mut Hart, number: u64, verdict: Verdict) -> Outcome {
    /// `SYS_SECCOMP`, the `si_code`.
    const BY_FILTER: i32 = 1;
    match verdict {
        Verdict::Fail(Errno(error)) => hart.x[A0] = i64::from(-error) as u64,
        Verdict::Trap(value) => {
            let arrived = info::forbidden_call(BY_FILTER, value, hart.pc, number);
            return task.forbid(hart, &arrived);
        }
        Verdict::KillThread(signal) if task.has_company() && !task.resign() => {
            return Outcome::ThreadEnds(signal);
        }
        Verdict::KillThread(signal) => return Outcome::Killed { signal, cause: Cause::Sent },
        Verdict::KillProcess => {
            return Outcome::Killed { signal: libc::SIGSYS, cause: Cause::Sent };
        }
        Verdict::Allow => {}
    }
    if task.wants_attention() { task.deliver(hart) } else { Outcome::Continue }
}

/// Calls the row's handler; an error becomes the negative number that the guest reads.
#[inline]
fn carry_out(task: &mut Task, hart: &mut Hart, row: Option<&'static Row>, args: Args) -> Flow {
    let result = match row.map_or(Handler::Missing, |row| row.handler) {
        Handler::Host(number) => raw::check(raw::guarded(number, args)),
        Handler::Call(function) => function(task, args),
        Handler::Paths(number, paths) => task.with_paths(number, args, paths),
        Handler::Control(function) => match function(task, hart, args) {
            Ok(flow) => return flow,
            Err(error) => Err(error),
        },
        Handler::Missing => Err(Errno(libc::ENOSYS)),
    };
    match result {
        Ok(value) => Flow::Return(value),
        Err(raw::RESTART) => Flow::Restart,
        Err(Errno(number)) => Flow::Return(i64::from(-number) as u64),
    }
}

/// Calls that send a signal, be it to the caller itself; the index of its number.
const SENDERS: [(u16, usize); 6] = [(129, 1), (130, 1), (131, 2), (138, 1), (240, 2), (424, 1)];

/// As [`carry_out`], with a line for the call.
#[cold]
fn traced(
    task: &mut Task,
    hart: &mut Hart,
    row: Option<&'static Row>,
    number: u64,
    args: Args,
) -> Flow {
    let sender = SENDERS.iter().find(|(sender, _)| u64::from(*sender) == number);
    // What the call sends to its own process waits until the line is written.
    if sender.is_some() && host_signals::change_mask(u64::MAX).is_err() {
        return Flow::Restart;
    }
    let pending = Pending::new(row, number, args);
    if let Some((_, signal)) = sender
        && args[*signal] as i32 == libc::SIGKILL
        && args[0] as u32 == std::process::id()
    {
        strace::emit(task, &pending.endless("?"));
    }
    task.pending = Some(Box::new(pending));
    let flow = carry_out(task, hart, row, args);
    if let Some(pending) = task.pending.take() {
        match flow {
            Flow::Return(value) => strace::emit(task, &pending.finished(value)),
            Flow::Restart => strace::emit(task, &pending.endless("? (to be restarted)")),
            Flow::Stop(_) => {}
        }
    }
    if sender.is_some() {
        task.set_host_mask();
    }
    flow
}
