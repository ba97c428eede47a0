//! `struct stat`. `statx` needs no conversion and has no code here.

use crate::abi::stat;
use crate::path::Intent;
use crate::procfs::{self, Place};
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
    let named = procfs::path_at(args[0], args[1]);
    let path = task.host_path_named(args[0], args[1], intent, named.as_deref())?;
    let address = path.as_ref().map_or(args[1], |path| path.as_ptr() as u64);
    let hidden = named.as_deref().and_then(Place::of).map_or(0, |place| place.hidden_directories());
    converted(args[2], hidden, |buf| {
        raw::call(libc::SYS_newfstatat, &[args[0], address, buf, args[3]])
    })
}

/// `fstat(fd, stat)`.
pub(crate) fn fstat(_: &mut Task, args: Args) -> SysResult {
    converted(args[1], 0, |buf| raw::call(libc::SYS_fstat, &[args[0], buf]))
}

/// Has the host fill its structure and gives the guest its own, without some of the links
/// that a directory has from those in it.
fn converted(
    guest_address: u64,
    hidden: usize,
    fill: impl FnOnce(u64) -> Result<u64, Errno>,
) -> SysResult {
    let mut host = MaybeUninit::<libc::stat>::zeroed();
    fill(host.as_mut_ptr() as u64)?;
    let mut host = stat::assume_filled(host);
    host.st_nlink = host.st_nlink.saturating_sub(hidden as u64);
    guest::write(guest_address, &stat::to_guest(&host))?;
    Ok(0)
}
