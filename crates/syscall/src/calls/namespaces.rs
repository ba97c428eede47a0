//! Namespaces, some of which the kernel lets only processes with one thread enter: for
//! these calls, a guest that has one gets rid of the VM's own.

use crate::row::Last::Follow;
use crate::row::{Args, Flow, SysResult, cwd};
use crate::task::Task;
use crate::{Errno, Outcome, raw};
use rvrun_hart::Hart;

/// Bytes of an `ecall`.
const ECALL: u64 = 4;
/// What `unshare` does for a single thread only.
const SINGLE: i32 = libc::CLONE_NEWUSER | libc::CLONE_THREAD | libc::CLONE_SIGHAND | libc::CLONE_VM;
/// What gives a thread a root and a working directory of its own.
const WITH_FS: i32 = libc::CLONE_FS | libc::CLONE_NEWNS | libc::CLONE_NEWUSER;

/// `unshare(flags)`.
pub(crate) fn unshare(task: &mut Task, hart: &mut Hart, args: Args) -> Result<Flow, Errno> {
    if args[0] & SINGLE as u64 != 0 && !is_alone(task) {
        return Ok(wait_alone(hart));
    }
    let result = raw::check(raw::guarded(libc::SYS_unshare, args))?;
    if args[0] & WITH_FS as u64 != 0 {
        task.unshare_fs();
    }
    Ok(Flow::Return(result))
}

/// `setns(fd, flags)`: the namespaces of users and of time are for single threads.
pub(crate) fn setns(task: &mut Task, hart: &mut Hart, args: Args) -> Result<Flow, Errno> {
    if !is_alone(task) {
        return Ok(wait_alone(hart));
    }
    task.change_root(|_| raw::check(raw::guarded(libc::SYS_setns, args))).map(Flow::Return)
}

/// `chroot(path)`.
pub(crate) fn chroot(task: &mut Task, args: Args) -> SysResult {
    task.change_root(|task| task.with_paths(libc::SYS_chroot, args, &[cwd(0, Follow)]))
}

/// `pivot_root(new_root, put_old)`.
pub(crate) fn pivot_root(task: &mut Task, args: Args) -> SysResult {
    let paths = [cwd(0, Follow), cwd(1, Follow)];
    task.change_root(|task| task.with_paths(libc::SYS_pivot_root, args, &paths))
}

/// Whether the VM has no thread but the guest's, if that has one.
fn is_alone(task: &mut Task) -> bool {
    std::mem::take(&mut task.alone) || task.has_company()
}

/// Makes the call again once that is so.
fn wait_alone(hart: &mut Hart) -> Flow {
    hart.pc = hart.pc.wrapping_sub(ECALL);
    Flow::Stop(Outcome::Alone)
}
