//! The guest's mappings: all of them go through its address space.

use crate::row::{Args, SysResult};
use crate::strace::names::MADVICE;
use crate::task::Task;
use crate::{Errno, raw};
use rvrun_memory::PAGE;

const EINVAL: Errno = Errno(libc::EINVAL);
/// What `mprotect` knows: read, write, execute, `PROT_SEM` and the two `PROT_GROWS`.
const PROTECTIONS: i32 = 0x0f | libc::PROT_GROWSDOWN | libc::PROT_GROWSUP;

/// Flags of x86-64's `mmap` that riscv64 does not have and ignores:
/// `MAP_32BIT` and `MAP_ABOVE4G`.
const X86_FLAGS: i32 = 0x40 | 0x80;

/// `brk(address)`.
pub(crate) fn brk(task: &mut Task, args: Args) -> SysResult {
    Ok(task.process.space.brk(args[0]))
}

/// `mmap(address, len, prot, flags, fd, offset)`.
pub(crate) fn mmap(task: &mut Task, args: Args) -> SysResult {
    let [address, len, prot, flags, fd, offset] = args;
    let flags = flags as i32 & !X86_FLAGS;
    let mapped = task.process.space.mmap(address, len, prot as i32, flags, fd as i32, offset, None);
    mapped.map_err(|error| {
        // Of all that can be wrong, the kernel looks at the offset first, then for the file.
        let file = flags & libc::MAP_ANONYMOUS == 0 && offset.is_multiple_of(PAGE);
        if file && raw::call(libc::SYS_fcntl, &[fd, libc::F_GETFD as u64]).is_err() {
            Errno(libc::EBADF)
        } else {
            error
        }
    })
}

/// `munmap(address, len)`.
pub(crate) fn munmap(task: &mut Task, args: Args) -> SysResult {
    task.process.space.munmap(args[0], args[1])?;
    Ok(0)
}

/// `mprotect(address, len, prot)`.
pub(crate) fn mprotect(task: &mut Task, args: Args) -> SysResult {
    let len = args[1].checked_next_multiple_of(PAGE).filter(|len| *len > 0);
    let in_range = len.is_some_and(|len| args[0].checked_add(len).is_some());
    // The kernel looks at the bits before it looks for mappings.
    if in_range && args[2] as i32 & !PROTECTIONS != 0 {
        return Err(EINVAL);
    }
    task.process.space.mprotect(args[0], args[1], args[2] as i32)?;
    Ok(0)
}

/// `mremap(old, old_len, new_len, flags, new)`.
pub(crate) fn mremap(task: &mut Task, args: Args) -> SysResult {
    const FLAGS: i32 = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | libc::MREMAP_DONTUNMAP;
    if args[3] as i32 & !FLAGS != 0 {
        return Err(EINVAL);
    }
    task.process.space.mremap(args[0], args[1], args[2], args[3] as i32, args[4])
}

/// `madvise(address, len, advice)`.
pub(crate) fn madvise(task: &mut Task, args: Args) -> SysResult {
    if !MADVICE.values.iter().any(|(known, _)| *known == args[2] & 0xffff_ffff) {
        return Err(EINVAL);
    }
    task.process.space.madvise(args[0], args[1], args[2] as i32)?;
    Ok(0)
}

/// `mseal(address, len, flags)`.
pub(crate) fn mseal(task: &mut Task, args: Args) -> SysResult {
    task.process.space.seal(args[0], args[1], args[2])?;
    Ok(0)
}

/// `remap_file_pages(address, size, prot, offset, flags)`.
pub(crate) fn remap_file_pages(task: &mut Task, args: Args) -> SysResult {
    let [address, size, prot, offset, flags, _] = args;
    task.process.space.remap_file_pages(address, size, prot, offset, flags)?;
    Ok(0)
}

/// `pkey_mprotect(address, len, prot, key)`: no riscv64 machine has protection
/// keys, so only the key -1, "none", is valid (`pkeys(7)`).
pub(crate) fn pkey_mprotect(task: &mut Task, args: Args) -> SysResult {
    if args[3] as i32 != -1 {
        return Err(EINVAL);
    }
    mprotect(task, args)
}

/// `pkey_alloc(flags, rights)`: there are none to allocate.
pub(crate) fn pkey_alloc(_: &mut Task, args: Args) -> SysResult {
    const RIGHTS: u64 = 3;
    let error = if args[0] != 0 || args[1] & !RIGHTS != 0 { libc::EINVAL } else { libc::ENOSPC };
    Err(Errno(error))
}

/// `pkey_free(key)`: none was allocated.
pub(crate) fn pkey_free(_: &mut Task, _: Args) -> SysResult {
    Err(EINVAL)
}
