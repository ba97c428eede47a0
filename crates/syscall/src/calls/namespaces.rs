//! Namespaces, some of which the kernel lets only processes with one thread enter: for
//! these calls, a guest that has one gets rid of the VM's own.

use crate::row::{Args, Flow};
use crate::task::Task;
use crate::{Errno, Outcome, raw};
use rvrun_hart::Hart;

/// Bytes of an `ecall`.
const ECALL: u64 = 4;
/// What `unshare` does for a single thread only.
const SINGLE: i32 = libc::CLONE_NEWUSER | libc::CLONE_THREAD | libc::CLONE_SIGHAND | libc::CLONE_VM;

/// `unshare(flags)`.
pub(crate) fn unshare(task: &mut Task, hart: &mut Hart, args: Args) -> Result<Flow, Errno> {
    if args[0] & SINGLE as u64 != 0 {
        alone(task, hart, libc::SYS_unshare, args)
    } else {
        raw::check(raw::guarded(libc::SYS_unshare, args)).map(Flow::Return)
    }
}

/// `setns(fd, flags)`: the namespaces of users and of time are for single threads.
pub(crate) fn setns(task: &mut Task, hart: &mut Hart, args: Args) -> Result<Flow, Errno> {
    alone(task, hart, libc::SYS_setns, args)
}

/// Makes a call of the host once the VM has no thread but the guest's, if that has one.
fn alone(task: &mut Task, hart: &mut Hart, number: i64, args: Args) -> Result<Flow, Errno> {
    if !task.alone && !task.has_company() {
        hart.pc = hart.pc.wrapping_sub(ECALL);
        return Ok(Flow::Stop(Outcome::Alone));
    }
    task.alone = false;
    raw::check(raw::guarded(number, args)).map(Flow::Return)
}
