//! Where a thread's paths begin, and how the VM is found when that has changed.
//!
//! The sysroot is a directory of the root that the VM was started in. Below another root, to
//! which `chroot`, `pivot_root` or `setns` lead, paths are what the kernel finds there. The VM
//! itself may be out of reach then: before its root changes, a process opens it, and hands the
//! descriptor on to the VMs that it starts through it. Programs of the host do not inherit it.

use crate::calls::exec::HIGH_FD;
use crate::path::Sysroot;
use crate::row::SysResult;
use crate::task::Task;
use crate::{abi, raw};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

/// What the kernel keeps in its `fs_struct`, which threads share unless they ask for their own.
pub(crate) struct Fs {
    /// Where absolute paths are looked up first, below the root that the VM was started in.
    sysroot: Option<Sysroot>,
    /// Whether the root is another one by now.
    moved: AtomicBool,
    /// Whether the working directory lies below the sysroot.
    inside_sysroot: AtomicBool,
}

impl Fs {
    /// Of a process that has just been started.
    pub(crate) fn new(sysroot: Option<Sysroot>) -> Self {
        let inside_sysroot = AtomicBool::new(false);
        let fs = Self { sysroot, moved: AtomicBool::new(false), inside_sysroot };
        fs.note_directory();
        fs
    }

    /// The same, which changes by itself from now on.
    pub(crate) fn copy(&self) -> Self {
        Self {
            sysroot: self.sysroot.clone(),
            moved: AtomicBool::new(self.moved.load(Ordering::Relaxed)),
            inside_sysroot: AtomicBool::new(self.is_inside_sysroot()),
        }
    }

    /// Where absolute paths are looked up first.
    pub(crate) fn sysroot(&self) -> Option<&Sysroot> {
        self.sysroot.as_ref().filter(|_| !self.moved.load(Ordering::Relaxed))
    }

    /// Whether the working directory lies below the sysroot.
    pub(crate) fn is_inside_sysroot(&self) -> bool {
        self.inside_sysroot.load(Ordering::Relaxed)
    }

    /// Remembers whether the working directory lies below the sysroot.
    pub(crate) fn note_directory(&self) {
        let inside = self.sysroot().is_some_and(|sysroot| {
            std::env::current_dir()
                .is_ok_and(|directory| sysroot.holds_directory(directory.as_os_str().as_bytes()))
        });
        self.inside_sysroot.store(inside, Ordering::Relaxed);
    }

    /// The guest's view of a path on the host.
    pub(crate) fn guest_view<'a>(&self, host: &'a [u8]) -> &'a [u8] {
        self.sysroot().and_then(|sysroot| sysroot.strip(host)).unwrap_or(host)
    }
}

impl Task {
    /// Makes a call that may change the root.
    pub(crate) fn change_root(&self, call: impl FnOnce(&Self) -> SysResult) -> SysResult {
        let process = &self.process;
        let root = || identity(Path::new("/"));
        let before = root();
        let path = &process.config.exec.vm;
        let vm = match process.vm_file.usable() {
            Some(_) => None,
            None => File::options().read(true).custom_flags(libc::O_PATH).open(path).ok(),
        };
        let result = call(self)?;
        if root() != before {
            self.fs.moved.store(true, Ordering::Relaxed);
            self.fs.note_directory();
            if let Some(vm) = vm {
                process.vm_file.keep(&vm);
            }
        }
        Ok(result)
    }
}

type Identity = (u64, u64);

/// Device and inode of the file at a path.
pub(crate) fn identity(path: &Path) -> Option<Identity> {
    path.metadata().ok().map(|data| (data.dev(), data.ino()))
}

/// Device and inode of an open file.
pub(crate) fn identity_of(fd: u64) -> Option<Identity> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    raw::call(libc::SYS_fstat, &[fd, stat.as_mut_ptr() as u64]).ok()?;
    let stat = abi::stat::assume_filled(stat);
    Some((stat.st_dev, stat.st_ino))
}

/// A descriptor of the VM's executable, of a process whose root has changed. No lock: the
/// process may fork meanwhile.
pub(crate) struct VmFile {
    fd: AtomicI32,
    /// Which file it is: the guest can close the descriptor, and give the number to another one.
    identity: [AtomicU64; 2],
}

impl VmFile {
    /// What the VM that started this one has handed on.
    pub(crate) fn inherited(fd: Option<i32>) -> Self {
        let file = Self { fd: AtomicI32::new(-1), identity: [const { AtomicU64::new(0) }; 2] };
        if let Some(fd) = fd {
            file.note(fd);
            file.close_on_exec(true);
        }
        file
    }

    /// The same in a process with descriptors of its own.
    pub(crate) fn copy(&self) -> Self {
        let fd = self.fd.load(Ordering::Acquire).into();
        let (device, inode) = self.identity();
        Self { fd, identity: [device.into(), inode.into()] }
    }

    fn identity(&self) -> Identity {
        self.identity.each_ref().map(|part| part.load(Ordering::Relaxed)).into()
    }

    fn note(&self, fd: i32) {
        let Some((device, inode)) = identity_of(fd as u64) else { return };
        self.identity[0].store(device, Ordering::Relaxed);
        self.identity[1].store(inode, Ordering::Relaxed);
        self.fd.store(fd, Ordering::Release);
    }

    /// Keeps an open file out of the way of the guest's descriptors, if the guest may have so many.
    fn keep(&self, vm: &File) {
        let args = [vm.as_raw_fd() as u64, libc::F_DUPFD_CLOEXEC as u64, HIGH_FD];
        if let Ok(fd) = raw::call(libc::SYS_fcntl, &args) {
            self.note(fd as i32);
        }
    }

    /// The descriptor, if there is one and the guest has left it alone.
    pub(crate) fn usable(&self) -> Option<i32> {
        let fd = self.fd.load(Ordering::Acquire);
        (fd >= 0 && identity_of(fd as u64) == Some(self.identity())).then_some(fd)
    }

    /// Whether it is this descriptor.
    pub(crate) fn is(&self, fd: i32) -> bool {
        self.fd.load(Ordering::Acquire) == fd && self.usable().is_some()
    }

    /// The descriptor, if the VM cannot be executed by its path.
    pub(crate) fn instead_of(&self, path: &Path) -> Option<i32> {
        self.usable().filter(|_| identity(path) != Some(self.identity()))
    }

    /// Whether programs that are executed inherit the descriptor or not.
    pub(crate) fn close_on_exec(&self, close: bool) {
        let flags = if close { libc::FD_CLOEXEC as u64 } else { 0 };
        let fd = self.fd.load(Ordering::Acquire) as u64;
        raw::syscall(libc::SYS_fcntl, [fd, libc::F_SETFD as u64, flags, 0, 0, 0]);
    }
}
