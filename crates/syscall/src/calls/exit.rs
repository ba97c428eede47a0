//! The end of a program.

use crate::row::{Args, Flow};
use crate::task::Task;
use crate::{Errno, Outcome, raw, strace};
use rvrun_hart::Hart;

/// `exit(status)` and `exit_group(status)`: the same while a process has one thread.
pub(crate) fn exit(task: &mut Task, _: &mut Hart, args: Args) -> Result<Flow, Errno> {
    if let Some(pending) = task.pending.take() {
        strace::emit(task, &pending.endless("?"));
    }
    task.announce_end();
    Ok(Flow::Stop(Outcome::Exit(args[0] as i32 & 0xff)))
}

/// `set_tid_address(address)`.
pub(crate) fn set_tid_address(task: &mut Task, args: Args) -> Result<u64, Errno> {
    task.clear_child_tid = args[0];
    Ok(raw::syscall(libc::SYS_gettid, [0; 6]))
}
