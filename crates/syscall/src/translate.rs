//! A path argument of the guest, turned into one for the host's kernel.

use crate::path::{Intent, Sysroot};
use crate::procfs::{self, Place};
use crate::row::{Args, Last, PathArg};
use crate::task::Task;
use crate::{Errno, guest, raw};
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The host's path for a guest's absolute path.
///
/// Without a sysroot, or where nothing is found below it, that is the path itself.
pub fn resolve(sysroot: Option<&Sysroot>, guest: &Path) -> PathBuf {
    let bytes = guest.as_os_str().as_bytes();
    let found = match sysroot {
        Some(sysroot) if bytes.starts_with(b"/") => sysroot.resolve(bytes, Intent::Follow),
        _ => Ok(None),
    };
    found.ok().flatten().unwrap_or_else(|| guest.to_path_buf())
}

impl Task {
    /// The host's path for the path at `addr`, relative to the directory `dir`;
    /// none if the kernel may read the guest's bytes as they are.
    ///
    /// # Errors
    /// `ENAMETOOLONG` and `ELOOP`. A wild address is left for the kernel to
    /// find: some calls allow a null pointer.
    pub(crate) fn host_path(
        &self,
        dir: u64,
        addr: u64,
        intent: Intent,
    ) -> Result<Option<CString>, Errno> {
        let named = procfs::path_at(dir, addr);
        self.host_path_named(dir, addr, intent, named.as_deref())
    }

    /// As [`Task::host_path`], where [`procfs::path_at`] has been asked already.
    pub(crate) fn host_path_named(
        &self,
        dir: u64,
        addr: u64,
        intent: Intent,
        named: Option<&[u8]>,
    ) -> Result<Option<CString>, Errno> {
        if let Some(path) = named {
            return self.host_path_of(path, intent);
        }
        let mut start = [0; 6];
        let readable = guest::read_some(addr, &mut start);
        let start = &start[..readable];
        let absolute = start.first() == Some(&b'/');
        let inside = self.fs.is_inside_sysroot();
        let translated = match self.fs.sysroot() {
            Some(_) => absolute || (inside && dir as i32 == libc::AT_FDCWD),
            None => false,
        };
        if !translated || start.first() == Some(&0) {
            return Ok(None);
        }
        let mut path = match guest::read_path(addr) {
            Err(Errno(libc::EFAULT)) => return Ok(None),
            path => path?,
        };
        if !absolute {
            let Some(directory) = self.guest_directory() else { return Ok(None) };
            path = [directory.as_slice(), b"/", &path].concat();
        }
        self.host_path_of(&path, intent)
    }

    /// As [`Task::host_path`], for an absolute path that has been read.
    pub(crate) fn host_path_of(
        &self,
        path: &[u8],
        intent: Intent,
    ) -> Result<Option<CString>, Errno> {
        if let Some(place) = Place::of(path) {
            if place.is_hidden() {
                return Err(Errno(libc::ENOENT));
            }
            if intent.follows()
                && let Some(program) = place.program(self)
            {
                return Ok(c_string(program));
            }
        }
        let Some(sysroot) = self.fs.sysroot() else { return Ok(None) };
        let host = sysroot.resolve(path, intent)?;
        Ok(c_string(host.map_or_else(|| path.to_vec(), |host| host.into_os_string().into_vec())))
    }

    /// The guest's view of the working directory.
    fn guest_directory(&self) -> Option<Vec<u8>> {
        let directory = std::env::current_dir().ok()?.into_os_string().into_vec();
        Some(self.fs.guest_view(&directory).to_vec())
    }

    /// Carries out a call of the host with its paths translated.
    pub(crate) fn with_paths(
        &self,
        number: i64,
        mut args: Args,
        paths: &[PathArg],
    ) -> Result<u64, Errno> {
        // Holds the translated paths until the call has been made.
        let mut owned: [Option<CString>; 2] = [None, None];
        let guest_args = args;
        for (arg, slot) in paths.iter().zip(owned.iter_mut()) {
            let flag = |index: u8, flag: i32| {
                guest_args.get(usize::from(index)).is_some_and(|flags| flags & flag as u64 != 0)
            };
            let intent = match arg.last {
                Last::Follow => Intent::Follow,
                Last::NoFollow => Intent::NoFollow,
                Last::Create => Intent::Create,
                Last::Replace => Intent::Replace,
                Last::UnlessFlag(index) if flag(index, libc::AT_SYMLINK_NOFOLLOW) => {
                    Intent::NoFollow
                }
                Last::UnlessFlag(_) => Intent::Follow,
                Last::IfFlag(index) if flag(index, libc::AT_SYMLINK_FOLLOW) => Intent::Follow,
                Last::IfFlag(_) => Intent::NoFollow,
            };
            let dir = arg.dir.map_or(libc::AT_FDCWD as u64, |dir| guest_args[usize::from(dir)]);
            if let Some(path) = self.host_path(dir, guest_args[usize::from(arg.path)], intent)? {
                let path = slot.insert(path);
                args[usize::from(arg.path)] = path.as_ptr() as u64;
            }
        }
        raw::check(raw::guarded(number, args))
    }
}

/// A path as the kernel reads it. It cannot hold a NUL: it came from a C string and links.
fn c_string(path: Vec<u8>) -> Option<CString> {
    CString::new(path).ok()
}

/// Reads where a symbolic link of the host leads.
pub(crate) fn read_link(path: &[u8]) -> Option<Vec<u8>> {
    std::fs::read_link(Path::new(OsStr::from_bytes(path)))
        .ok()
        .map(|target| target.into_os_string().into_vec())
}
