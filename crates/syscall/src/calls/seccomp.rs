//! `seccomp`, and the options of `prctl` that do the same.

use crate::row::{Args, SysResult};
use crate::seccomp::bpf::{self, Program};
use crate::seccomp::{action, add_to_all};
use crate::task::Task;
use crate::{Errno, guest, raw};

const EINVAL: Errno = Errno(libc::EINVAL);

/// What users should know of it.
pub(crate) const NOTE: &str = "filters bind the guest's calls, not the VM; no listener can be had for \
     SECCOMP_RET_USER_NOTIF; a thread with a filter cannot execute programs of the host (EACCES)";

/// Flags of `SECCOMP_SET_MODE_FILTER`.
mod flag {
    pub(super) const TSYNC: u64 = 1;
    pub(super) const LOG: u64 = 1 << 1;
    pub(super) const SPEC_ALLOW: u64 = 1 << 2;
    pub(super) const TSYNC_ESRCH: u64 = 1 << 4;
    /// What goes without a listener.
    pub(super) const KNOWN: u64 = TSYNC | LOG | SPEC_ALLOW | TSYNC_ESRCH;
}

/// `seccomp(op, flags, args)`.
pub(crate) fn seccomp(task: &mut Task, args: Args) -> SysResult {
    const STRICT: u32 = 0;
    const FILTER: u32 = 1;
    const ACTION: u32 = 2;
    let [op, flags, at, ..] = args;
    let flags = flags & 0xffff_ffff;
    match op as u32 {
        STRICT if flags == 0 && at == 0 => strict(task),
        FILTER => filter(task, flags, at),
        ACTION if flags == 0 => {
            let wanted = u32::from_le_bytes(guest::read_array(at)?);
            let known = action::ALL.contains(&wanted);
            if known { Ok(0) } else { Err(Errno(libc::EOPNOTSUPP)) }
        }
        _ => Err(EINVAL),
    }
}

/// `prctl(PR_SET_SECCOMP, mode, filter)`.
pub(crate) fn set_mode(task: &mut Task, mode: u64, at: u64) -> SysResult {
    match mode {
        1 => strict(task),
        2 => filter(task, 0, at),
        _ => Err(EINVAL),
    }
}

fn strict(task: &Task) -> SysResult {
    task.sandbox.make_strict()?;
    Ok(0)
}

/// Adds the filter that a `struct sock_fprog` at `at` describes.
fn filter(task: &mut Task, flags: u64, at: u64) -> SysResult {
    if flags & !flag::KNOWN != 0 {
        return Err(EINVAL);
    }
    let header = guest::read_array::<16>(at)?;
    let count = usize::from(u16::from_le_bytes([header[0], header[1]]));
    if !(1..=bpf::MAX).contains(&count) {
        return Err(EINVAL);
    }
    if !may_filter()? {
        return Err(Errno(libc::EACCES));
    }
    let mut bytes = vec![0; count * bpf::SIZE];
    guest::read(guest::read_u64(at.wrapping_add(8))?, &mut bytes)?;
    let program = Program::new(&bytes)?;
    if flags & flag::TSYNC == 0 {
        task.sandbox.add(program)?;
        return Ok(0);
    }
    match add_to_all(task, program)? {
        None => Ok(0),
        Some(_) if flags & flag::TSYNC_ESRCH != 0 => Err(Errno(libc::ESRCH)),
        Some(thread) => Ok(thread as u64),
    }
}

/// Whether the thread can gain no privileges, or has the one that this takes.
fn may_filter() -> Result<bool, Errno> {
    const VERSION: u64 = 0x2008_0522;
    const SYS_ADMIN: u32 = 21;
    if raw::call(libc::SYS_prctl, &[libc::PR_GET_NO_NEW_PRIVS as u64])? == 1 {
        return Ok(true);
    }
    let header = [VERSION];
    let mut sets = [0u32; 6];
    raw::call(libc::SYS_capget, &[header.as_ptr() as u64, sets.as_mut_ptr() as u64])?;
    Ok(sets[0] & 1 << SYS_ADMIN != 0)
}
