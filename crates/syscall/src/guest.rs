//! Typed copies between the guest's memory and the VM's.
//!
//! Used only where this crate itself has to see the bytes. A wild address is
//! `EFAULT`, as from the kernel's `copy_from_user`.

use crate::Errno;
use rvrun_memory::{GuestAddr, PAGE, access};

/// The longest path, with its NUL (`linux/limits.h`).
pub(crate) const PATH_MAX: usize = 4096;

const EFAULT: Errno = Errno(libc::EFAULT);

/// Reads `buf.len()` bytes.
pub(crate) fn read(addr: GuestAddr, buf: &mut [u8]) -> Result<(), Errno> {
    access::copy_in(addr, buf).map_err(|_| EFAULT)
}

/// Reads a fixed number of bytes.
pub(crate) fn read_array<const N: usize>(addr: GuestAddr) -> Result<[u8; N], Errno> {
    let mut bytes = [0; N];
    read(addr, &mut bytes)?;
    Ok(bytes)
}

/// Reads a 64-bit word at any alignment.
pub(crate) fn read_u64(addr: GuestAddr) -> Result<u64, Errno> {
    read_array(addr).map(u64::from_le_bytes)
}

/// Writes bytes.
pub(crate) fn write(addr: GuestAddr, bytes: &[u8]) -> Result<(), Errno> {
    access::copy_out(addr, bytes).map_err(|_| EFAULT)
}

/// Reads as much of `buf.len()` bytes as lies on readable pages; returns how much.
pub(crate) fn read_some(addr: GuestAddr, buf: &mut [u8]) -> usize {
    let mut done = 0;
    while done < buf.len() {
        let Some(at) = addr.checked_add(done as u64) else { break };
        let chunk = ((PAGE - at % PAGE) as usize).min(buf.len() - done);
        if access::copy_in(at, &mut buf[done..done + chunk]).is_err() {
            break;
        }
        done += chunk;
    }
    done
}

/// Reads a NUL-terminated string of fewer than `limit` bytes, without its NUL.
///
/// # Errors
/// `EFAULT` when it runs into unreadable memory, `too_long` when there is no
/// NUL in its first `limit` bytes.
pub(crate) fn read_string(
    addr: GuestAddr,
    limit: usize,
    too_long: Errno,
) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 256];
    while bytes.len() < limit {
        let want = chunk.len().min(limit - bytes.len());
        let at = addr.checked_add(bytes.len() as u64).ok_or(EFAULT)?;
        let got = read_some(at, &mut chunk[..want]);
        if let Some(end) = chunk[..got].iter().position(|byte| *byte == 0) {
            bytes.extend_from_slice(&chunk[..end]);
            return Ok(bytes);
        }
        if got < want {
            return Err(EFAULT);
        }
        bytes.extend_from_slice(&chunk[..got]);
    }
    Err(too_long)
}

/// Reads a path.
pub(crate) fn read_path(addr: GuestAddr) -> Result<Vec<u8>, Errno> {
    read_string(addr, PATH_MAX, Errno(libc::ENAMETOOLONG))
}
