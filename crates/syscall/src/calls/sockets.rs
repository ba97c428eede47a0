//! Sockets: the ABI is the same; only the paths of Unix sockets are the guest's.

use crate::path::Intent;
use crate::row::{Args, SysResult};
use crate::task::Task;
use crate::{Errno, guest, raw};

/// Bytes of `struct sockaddr_un` before its path.
const FAMILY: usize = 2;
/// Bytes of its path.
const PATH: usize = 108;

/// `bind(fd, address, len)`.
pub(crate) fn bind(task: &mut Task, args: Args) -> SysResult {
    with_address(task, libc::SYS_bind, args, Intent::Create)
}

/// `connect(fd, address, len)`.
pub(crate) fn connect(task: &mut Task, args: Args) -> SysResult {
    with_address(task, libc::SYS_connect, args, Intent::Follow)
}

fn with_address(task: &Task, number: i64, mut args: Args, intent: Intent) -> SysResult {
    let mut host = [0u8; FAMILY + PATH];
    if let Some(path) = unix_path(task, args[1], args[2] as u32)?
        && let Some(path) = task.host_path_of(&path, intent)?
    {
        let path = path.as_bytes_with_nul();
        if path.len() > PATH {
            return Err(Errno(libc::ENAMETOOLONG));
        }
        host[..FAMILY].copy_from_slice(&(libc::AF_UNIX as u16).to_le_bytes());
        host[FAMILY..FAMILY + path.len()].copy_from_slice(path);
        args[1] = host.as_ptr() as u64;
        args[2] = (FAMILY + path.len()) as u64;
    }
    raw::check(raw::guarded(number, args))
}

/// The absolute path of a Unix socket's address, where there is a sysroot to look below.
fn unix_path(task: &Task, address: u64, len: u32) -> Result<Option<Vec<u8>>, Errno> {
    let mut bytes = [0u8; FAMILY + PATH];
    let len = len as usize;
    if task.fs.sysroot().is_none() || !(FAMILY + 1..=bytes.len()).contains(&len) {
        return Ok(None);
    }
    guest::read(address, &mut bytes[..len])?;
    let (family, path) = bytes[..len].split_at(FAMILY);
    if family != (libc::AF_UNIX as u16).to_le_bytes() || path[0] != b'/' {
        return Ok(None);
    }
    Ok(path.split(|byte| *byte == 0).next().map(<[u8]>::to_vec))
}
