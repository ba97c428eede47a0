//! Opening files, symbolic links, the working directory.

use crate::path::Intent;
use crate::procfs::{self, Place};
use crate::row::{Args, SysResult};
use crate::task::Task;
use crate::{Errno, guest, raw};

const EINVAL: Errno = Errno(libc::EINVAL);

/// `openat(dirfd, path, flags, mode)`.
pub(crate) fn openat(task: &mut Task, args: Args) -> SysResult {
    open(task, libc::SYS_openat, args, args[2])
}

/// `openat2(dirfd, path, how, size)`.
pub(crate) fn openat2(task: &mut Task, args: Args) -> SysResult {
    // Too small a structure or a wild one is for the kernel to refuse.
    let flags = if args[3] >= 24 { guest::read_u64(args[2]).unwrap_or(0) } else { 0 };
    open(task, libc::SYS_openat2, args, flags)
}

fn open(task: &Task, number: i64, mut args: Args, flags: u64) -> SysResult {
    let flags = flags as i32;
    let link_itself = flags & libc::O_NOFOLLOW != 0 || flags & libc::O_EXCL != 0;
    let intent = match (flags & libc::O_CREAT != 0, link_itself) {
        (true, true) => Intent::Create,
        (true, false) => Intent::CreateFollow,
        (false, _) if flags & libc::O_NOFOLLOW != 0 => Intent::NoFollow,
        (false, _) => Intent::Follow,
    };
    let named = procfs::path_at(args[0], args[1]);
    let place = named.as_deref().and_then(Place::of).filter(|_| flags & libc::O_PATH == 0);
    if let Some(content) =
        place.filter(|place| !place.is_hidden()).and_then(|place| place.content(task))
    {
        if flags & libc::O_ACCMODE != libc::O_RDONLY {
            return Err(Errno(libc::EACCES));
        }
        if flags & libc::O_DIRECTORY != 0 {
            return Err(Errno(libc::ENOTDIR));
        }
        return procfs::open_memory(c"proc", &content, flags & libc::O_CLOEXEC != 0);
    }
    let path = task.host_path_named(args[0], args[1], intent, named.as_deref())?;
    if let Some(path) = &path {
        args[1] = path.as_ptr() as u64;
    }
    raw::check(raw::guarded(number, args))
}

/// `close(fd)`: of the VM's descriptor the guest does not know.
pub(crate) fn close(task: &mut Task, args: Args) -> SysResult {
    if task.process.vm_file.is(args[0] as i32) {
        return Err(Errno(libc::EBADF));
    }
    raw::check(raw::guarded(libc::SYS_close, args))
}

/// `close_range(first, last, flags)`.
pub(crate) fn close_range(task: &mut Task, args: Args) -> SysResult {
    let [first, last, flags] = [args[0], args[1], args[2]].map(|arg| arg as u32);
    let close = |first: u32, last: u32| {
        let args = [first.into(), last.into(), flags.into(), 0, 0, 0];
        raw::check(raw::guarded(libc::SYS_close_range, args))
    };
    let kept = task.process.vm_file.usable().map(|fd| fd as u32);
    match kept.filter(|fd| (first..=last).contains(fd)) {
        Some(fd) => {
            if first < fd {
                close(first, fd - 1)?;
            }
            if fd < last { close(fd + 1, last) } else { Ok(0) }
        }
        None => close(first, last),
    }
}

/// `readlinkat(dirfd, path, buf, size)`.
pub(crate) fn readlinkat(task: &mut Task, mut args: Args) -> SysResult {
    let named = procfs::path_at(args[0], args[1]);
    if let Some(path) = named.as_deref()
        && args[3] as i32 > 0
    {
        let program = Place::of(path).and_then(|place| place.program(task));
        let target = match program {
            // Links to open files and to the working directory name the host's paths.
            None if task.fs.sysroot().is_some() => crate::translate::read_link(path),
            program => program,
        };
        if let Some(target) = target {
            let shown = task.fs.guest_view(&target);
            let length = shown.len().min(args[3] as i32 as usize);
            guest::write(args[2], &shown[..length])?;
            return Ok(length as u64);
        }
    }
    let path = task.host_path_named(args[0], args[1], Intent::NoFollow, named.as_deref())?;
    if let Some(path) = &path {
        args[1] = path.as_ptr() as u64;
    }
    raw::check(raw::syscall(libc::SYS_readlinkat, args))
}

/// `getcwd(buf, size)`.
pub(crate) fn getcwd(task: &mut Task, args: Args) -> SysResult {
    if !task.fs.is_inside_sysroot() {
        return raw::check(raw::syscall(libc::SYS_getcwd, args));
    }
    let mut buf = [0u8; guest::PATH_MAX];
    let length =
        raw::call(libc::SYS_getcwd, &[buf.as_mut_ptr() as u64, buf.len() as u64])? as usize;
    // The kernel counts the NUL.
    let host = buf.get(..length.saturating_sub(1)).ok_or(EINVAL)?;
    let mut shown = task.fs.guest_view(host).to_vec();
    shown.push(0);
    if shown.len() as u64 > args[1] {
        return Err(Errno(libc::ERANGE));
    }
    guest::write(args[0], &shown)?;
    Ok(shown.len() as u64)
}

/// `chdir(path)`.
pub(crate) fn chdir(task: &mut Task, args: Args) -> SysResult {
    let path = task.host_path(libc::AT_FDCWD as u64, args[0], Intent::Follow)?;
    let address = path.as_ref().map_or(args[0], |path| path.as_ptr() as u64);
    raw::call(libc::SYS_chdir, &[address])?;
    task.fs.note_directory();
    Ok(0)
}

/// `fchdir(fd)`.
pub(crate) fn fchdir(task: &mut Task, args: Args) -> SysResult {
    raw::call(libc::SYS_fchdir, &[args[0]])?;
    task.fs.note_directory();
    Ok(0)
}
