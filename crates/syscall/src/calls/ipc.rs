//! System V semaphores and shared memory.

use crate::abi::semaphore::{self, GUEST_SIZE, HOST_SIZE};
use crate::row::{Args, SysResult};
use crate::task::Task;
use crate::{Errno, guest, raw};
use rvrun_memory::PAGE;

const EINVAL: Errno = Errno(libc::EINVAL);
/// Alignment of attachments (`SHMLBA`); riscv64 uses the page size.
const SHMLBA: u64 = PAGE;
/// `semctl`'s command that returns the structure even without read permission.
const SEM_STAT_ANY: i32 = 20;
const SEM_STAT: i32 = 18;

/// `semctl(id, number, cmd, arg)`: some commands pass a `struct semid64_ds`.
pub(crate) fn semctl(_: &mut Task, args: Args) -> SysResult {
    let [id, number, command, buf, ..] = args;
    let mut host = [0u8; HOST_SIZE];
    let address = host.as_mut_ptr() as u64;
    match command as i32 {
        libc::IPC_STAT | SEM_STAT | SEM_STAT_ANY => {
            let result = raw::call(libc::SYS_semctl, &[id, number, command, address])?;
            guest::write(buf, &semaphore::to_guest(&host))?;
            Ok(result)
        }
        libc::IPC_SET => {
            host = semaphore::to_host(&guest::read_array::<GUEST_SIZE>(buf)?);
            raw::call(libc::SYS_semctl, &[id, number, command, host.as_ptr() as u64])
        }
        _ => raw::call(libc::SYS_semctl, &[id, number, command, buf]),
    }
}

/// `shmat(id, address, flags)`.
///
/// The space is first reserved as a mapping of the guest's, then the segment
/// takes its place: so the address space knows of it, and an address that is
/// not the guest's is refused.
pub(crate) fn shmat(task: &mut Task, args: Args) -> SysResult {
    let [id, mut address, flags, ..] = args;
    let flags = flags as i32;
    if address % SHMLBA != 0 {
        if flags & libc::SHM_RND == 0 {
            return Err(EINVAL);
        }
        address -= address % SHMLBA;
    }
    if flags & libc::SHM_REMAP != 0 && address == 0 {
        return Err(EINVAL);
    }
    let len = segment_size(id)?;
    let prot = match (flags & libc::SHM_RDONLY != 0, flags & libc::SHM_EXEC != 0) {
        (true, false) => libc::PROT_READ,
        (true, true) => libc::PROT_READ | libc::PROT_EXEC,
        (false, false) => libc::PROT_READ | libc::PROT_WRITE,
        (false, true) => libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
    };
    let fixed = match (address, flags & libc::SHM_REMAP) {
        (0, _) => 0,
        (_, 0) => libc::MAP_FIXED_NOREPLACE,
        _ => libc::MAP_FIXED,
    };
    let space = &task.process.space;
    let map = libc::MAP_SHARED | libc::MAP_ANONYMOUS | fixed;
    let reserved =
        space.mmap(address, len, prot, map, -1, 0, None).map_err(|error| match error {
            Errno(libc::EEXIST) => EINVAL,
            other => other,
        })?;
    // The host's mapping is never executable.
    let host_flags = (flags & libc::SHM_RDONLY | libc::SHM_REMAP) as u64;
    if let Err(error) = raw::call(libc::SYS_shmat, &[id, reserved, host_flags]) {
        space.munmap(reserved, len)?;
        return Err(error);
    }
    space.attached(reserved, len);
    Ok(reserved)
}

/// The size of a segment in whole pages.
fn segment_size(id: u64) -> Result<u64, Errno> {
    /// `struct shmid64_ds` begins with the permissions and the size.
    const SIZE_AT: usize = 48;
    let mut bytes = [0u8; 112];
    raw::call(libc::SYS_shmctl, &[id, libc::IPC_STAT as u64, bytes.as_mut_ptr() as u64])?;
    let mut size = [0; 8];
    size.copy_from_slice(&bytes[SIZE_AT..SIZE_AT + 8]);
    u64::from_le_bytes(size).checked_next_multiple_of(PAGE).ok_or(EINVAL)
}

/// `shmdt(address)`: detaches by unmapping, as the kernel does.
pub(crate) fn shmdt(task: &mut Task, args: Args) -> SysResult {
    task.process.space.detach(args[0])?;
    Ok(0)
}
