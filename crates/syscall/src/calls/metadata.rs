//! `struct stat`. `statx` needs no conversion and has no code here.

use crate::abi::stat;
use crate::path::Intent;
use crate::row::{Args, SysResult};
use crate::task::Task;
use crate::{Errno, guest, raw};
use std::mem::MaybeUninit;

/// `newfstatat(dirfd, path, stat, flags)`.
pub(crate) fn newfstatat(task: &mut Task, args: Args) -> SysResult {
    let intent = if args[3] & libc::AT_SYMLINK_NOFOLLOW as u64 != 0 {
        Intent::NoFollow
    } else {
        Intent::Follow
    };
    let path = task.host_path(args[0], args[1], intent)?;
    let address = path.as_ref().map_or(args[1], |path| path.as_ptr() as u64);
    converted(args[2], |buf| raw::call(libc::SYS_newfstatat, &[args[0], address, buf, args[3]]))
}

/// `fstat(fd, stat)`.
pub(crate) fn fstat(_: &mut Task, args: Args) -> SysResult {
    converted(args[1], |buf| raw::call(libc::SYS_fstat, &[args[0], buf]))
}

/// Has the host fill its structure and gives the guest its own.
fn converted(guest_address: u64, fill: impl FnOnce(u64) -> Result<u64, Errno>) -> SysResult {
    let mut host = MaybeUninit::<libc::stat>::zeroed();
    fill(host.as_mut_ptr() as u64)?;
    let host = stat::assume_filled(host);
    guest::write(guest_address, &stat::to_guest(&host))?;
    Ok(0)
}
