//! The end of a program.

use crate::row::{Args, Flow};
use crate::task::Task;
use crate::{Errno, Outcome, raw, strace};
use rvrun_hart::Hart;

/// `exit(status)`: the thread ends, and with the last one the process.
pub(crate) fn exit(task: &mut Task, _: &mut Hart, args: Args) -> Result<Flow, Errno> {
    show(task);
    let status = args[0] as i32 & 0xff;
    if !task.resign() {
        return Ok(Flow::Stop(Outcome::ThreadEnds(status)));
    }
    task.announce_end();
    Ok(Flow::Stop(Outcome::Exit(status)))
}

/// `exit_group(status)`: the process ends.
pub(crate) fn exit_group(task: &mut Task, _: &mut Hart, args: Args) -> Result<Flow, Errno> {
    show(task);
    if !task.has_company() {
        task.announce_end();
    }
    Ok(Flow::Stop(Outcome::Exit(args[0] as i32 & 0xff)))
}

fn show(task: &mut Task) {
    if let Some(pending) = task.pending.take() {
        strace::emit(task, &pending.endless("?"));
    }
}

/// `set_tid_address(address)`.
pub(crate) fn set_tid_address(task: &mut Task, args: Args) -> Result<u64, Errno> {
    task.clear_child_tid = args[0];
    Ok(raw::syscall(libc::SYS_gettid, [0; 6]))
}
