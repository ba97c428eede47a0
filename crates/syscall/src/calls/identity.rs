//! `prctl`. Users, groups and capabilities are the host's and have no code here.

use super::seccomp;
use crate::row::{Args, SysResult};
use crate::task::Task;
use crate::{Errno, guest, raw};
use libc::*;

/// Options that mean the same to the host's process as to the guest's.
const PASSED: [i32; 36] = [
    PR_SET_PDEATHSIG,
    PR_GET_PDEATHSIG,
    PR_GET_DUMPABLE,
    PR_SET_DUMPABLE,
    PR_GET_KEEPCAPS,
    PR_SET_KEEPCAPS,
    PR_GET_TIMING,
    PR_SET_TIMING,
    PR_SET_NAME,
    PR_GET_NAME,
    PR_CAPBSET_READ,
    PR_CAPBSET_DROP,
    PR_GET_SECUREBITS,
    PR_SET_SECUREBITS,
    PR_SET_TIMERSLACK,
    PR_GET_TIMERSLACK,
    PR_TASK_PERF_EVENTS_DISABLE,
    PR_TASK_PERF_EVENTS_ENABLE,
    PR_MCE_KILL,
    PR_MCE_KILL_GET,
    PR_SET_PTRACER,
    PR_SET_CHILD_SUBREAPER,
    PR_GET_CHILD_SUBREAPER,
    PR_SET_NO_NEW_PRIVS,
    PR_GET_NO_NEW_PRIVS,
    PR_SET_THP_DISABLE,
    PR_GET_THP_DISABLE,
    PR_CAP_AMBIENT,
    PR_GET_SPECULATION_CTRL,
    PR_SET_SPECULATION_CTRL,
    PR_SET_IO_FLUSHER,
    PR_GET_IO_FLUSHER,
    PR_SCHED_CORE,
    PR_SET_VMA,
    PR_SET_MEMORY_MERGE,
    PR_GET_MEMORY_MERGE,
];
const PR_SET_IO_FLUSHER: i32 = 57;
const PR_GET_IO_FLUSHER: i32 = 58;
const PR_SET_MEMORY_MERGE: i32 = 67;
const PR_GET_MEMORY_MERGE: i32 = 68;
const PR_GET_AUXV: i32 = 0x4155_5856;
/// Sets how `fence.i` of a process is meant; the effect of every form is had always.
const PR_RISCV_SET_ICACHE_FLUSH_CTX: i32 = 71;

/// `prctl(option, …)`.
pub(crate) fn prctl(task: &mut Task, args: Args) -> SysResult {
    let option = args[0] as i32;
    match option {
        PR_GET_TID_ADDRESS => {
            guest::write(args[1], &task.clear_child_tid.to_le_bytes())?;
            Ok(0)
        }
        PR_GET_SECCOMP => Ok(task.sandbox.state().0),
        PR_SET_SECCOMP => seccomp::set_mode(task, args[1], args[2]),
        PR_GET_AUXV => auxv(task, args),
        PR_RISCV_SET_ICACHE_FLUSH_CTX => match (args[1], args[2]) {
            (0 | 1, 0 | 1) => Ok(0),
            _ => Err(Errno(EINVAL)),
        },
        _ if PASSED.contains(&option) => raw::check(raw::syscall(SYS_prctl, args)),
        _ => Err(Errno(EINVAL)),
    }
}

/// Copies as much of the auxiliary vector as fits, and returns its size.
fn auxv(task: &Task, args: Args) -> SysResult {
    if args[3] != 0 || args[4] != 0 {
        return Err(Errno(EINVAL));
    }
    let auxv = &task.process.image.auxv;
    let length = auxv.len().min(usize::try_from(args[2]).unwrap_or(usize::MAX));
    guest::write(args[1], &auxv[..length])?;
    Ok(auxv.len() as u64)
}
