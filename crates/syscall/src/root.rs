//! Where a thread's paths begin.
//!
//! The sysroot is a directory of the root that the VM was started in. Below another root, to
//! which `chroot`, `pivot_root` or `setns` lead, paths are what the kernel finds there.

use crate::path::Sysroot;
use crate::row::SysResult;
use crate::task::Task;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

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
        let root = || identity(Path::new("/"));
        let before = root();
        let result = call(self)?;
        if root() != before {
            self.fs.moved.store(true, Ordering::Relaxed);
            self.fs.note_directory();
        }
        Ok(result)
    }
}

type Identity = (u64, u64);

fn identity(path: &Path) -> Option<Identity> {
    path.metadata().ok().map(|data| (data.dev(), data.ino()))
}
