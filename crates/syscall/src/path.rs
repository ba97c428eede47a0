//! Where a guest's path lies on the host.
//!
//! The guest sees the sysroot laid over the host's own files. An absolute path
//! is walked below the sysroot first, component by component, so that a link
//! to `/etc/alternatives/awk` stays inside. Where a component is missing there,
//! the host's own path is meant.
//!
//! * `/dev`, `/proc`, `/sys`, `/run`, `/tmp` and `/` itself are the host's.
//! * A directory that is empty in the sysroot and exists on the host is the
//!   host's: distributions pack `/home`, `/srv`, `/var/tmp` and others as empty
//!   mount points, and a program that changes into one of them expects to find
//!   what is there.
//! * Of a sysroot with programs and libraries, `/usr`, `/bin`, `/sbin` and `/lib` have no
//!   other directories than the sysroot's, be they empty. A compiler that looks for its linker where
//!   only the host has such a directory would take the host's.
//! * A new file goes where its directory is, by these rules. So what a program
//!   writes into `/etc` ends up in a sysroot's `/etc`, not in the host's.
//!
//! Paths that are relative to a descriptor go to the host as they are.

use crate::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Directories that are never looked up below the sysroot.
const HOST_ONLY: [&[u8]; 5] = [b"dev", b"proc", b"sys", b"run", b"tmp"];
/// Directories that a whole system has for itself, with what their names begin with.
const SYSTEM: [&[u8]; 4] = [b"/usr/", b"/bin/", b"/sbin/", b"/lib"];
/// Symbolic links that a path may lead through (`MAXSYMLINKS`).
const MAX_LINKS: u32 = 40;

/// How the last component of a path is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// An existing file, through a symbolic link.
    Follow,
    /// An existing file or link.
    NoFollow,
    /// A file to be made; an existing one is meant as with `NoFollow`.
    Create,
    /// A file to be made unless it exists; an existing link is followed.
    CreateFollow,
    /// A name that another file gets: even if the host has such a file, it is
    /// not the host's that gets replaced.
    Replace,
}

impl Intent {
    /// Whether it means what a link leads to.
    pub(crate) fn follows(self) -> bool {
        matches!(self, Intent::Follow | Intent::CreateFollow)
    }

    fn creates(self) -> bool {
        matches!(self, Intent::Create | Intent::CreateFollow | Intent::Replace)
    }
}

/// A directory that holds a riscv64 system.
#[derive(Clone, Debug)]
pub struct Sysroot {
    /// Its path on the host, absolute, without links and without a final slash.
    root: PathBuf,
    /// Whether it is a whole system, rather than libraries only.
    whole: bool,
}

/// A path that has been walked below the sysroot.
enum Walk {
    /// All of it exists there.
    Found,
    /// A component is missing; was it the last one?
    Missing { last: bool },
}

impl Sysroot {
    /// Takes a directory as sysroot. A directory that does not exist is kept as
    /// it is given: nothing will be found below it.
    pub fn new(root: &Path) -> Self {
        let root = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf());
        let whole = ["usr/bin", "usr/lib"].iter().all(|directory| root.join(directory).is_dir());
        Self { root, whole }
    }

    /// Its path on the host.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The guest's view of a path on the host: without the sysroot.
    pub(crate) fn strip<'a>(&self, host: &'a [u8]) -> Option<&'a [u8]> {
        match host.strip_prefix(self.root.as_os_str().as_bytes())? {
            b"" => Some(b"/"),
            rest if rest[0] == b'/' => Some(rest),
            _ => None,
        }
    }

    /// Whether the guest knows a directory of the host by its path without the
    /// sysroot. One that the rules above leave to the host keeps the host's name.
    pub(crate) fn holds_directory(&self, host: &[u8]) -> bool {
        self.strip(host).is_some_and(|guest| {
            self.is_own(guest) || !is_mount_point(Path::new(OsStr::from_bytes(host)), guest)
        })
    }

    /// The host's path for an absolute path of the guest; none if it is the same.
    ///
    /// # Errors
    /// `ELOOP` when it leads through more than 40 symbolic links.
    pub(crate) fn resolve(&self, path: &[u8], intent: Intent) -> Result<Option<PathBuf>, Errno> {
        let mut components = path.split(|byte| *byte == b'/');
        let first = components.find(|component| !matches!(*component, b"" | b"."));
        if first.is_some_and(|first| HOST_ONLY.contains(&first)) {
            return Ok(None);
        }
        let mut guest = Vec::with_capacity(path.len());
        let walk = self.walk(path, intent.follows(), &mut guest)?;
        let slash = path.ends_with(b"/") && guest.len() > 1;
        let host = Path::new(OsStr::from_bytes(&guest));
        let below = self.below(&guest);
        let use_sysroot = match walk {
            Walk::Found => {
                self.is_own(&guest) || guest.as_slice() != b"/" && !is_mount_point(&below, &guest)
            }
            Walk::Missing { last: true } if intent.creates() => {
                let fresh = intent == Intent::Replace || host.symlink_metadata().is_err();
                fresh && self.owns_parent(&guest)
            }
            Walk::Missing { .. } => false,
        };
        let no_directory = || match walk {
            Walk::Found => false,
            Walk::Missing { last } => !last || host.is_dir(),
        };
        let use_sysroot = use_sysroot || self.is_own(&guest) && no_directory();
        let mut chosen = if use_sysroot { below } else { host.to_path_buf() };
        if !use_sysroot && guest == path {
            return Ok(None);
        }
        if slash {
            // Keeps the demand that it be a directory.
            chosen.as_mut_os_string().push("/");
        }
        Ok(Some(chosen))
    }

    /// Walks an absolute path below the sysroot. `guest` becomes the path with
    /// its links resolved as far as the walk came, and the rest behind it.
    fn walk(&self, path: &[u8], follow: bool, guest: &mut Vec<u8>) -> Result<Walk, Errno> {
        let mut links = 0;
        let mut pending: Vec<Vec<u8>> = Vec::new();
        push_components(&mut pending, path);
        while let Some(component) = pending.pop() {
            if component == b".." {
                let parent = guest.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                guest.truncate(parent);
                continue;
            }
            // Links and `..` lead there, too.
            let host_only = guest.is_empty() && HOST_ONLY.contains(&component.as_slice());
            let parent = guest.len();
            guest.push(b'/');
            guest.extend_from_slice(&component);
            let last = pending.is_empty();
            if host_only {
                append(guest, &mut pending);
                return Ok(Walk::Missing { last: false });
            }
            match std::fs::read_link(self.below(guest)) {
                Ok(_) if last && !follow => {}
                Ok(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno(libc::ELOOP));
                    }
                    let target = target.into_os_string().into_vec();
                    guest.truncate(if target.starts_with(b"/") { 0 } else { parent });
                    push_components(&mut pending, &target);
                }
                // It exists and is no link.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
                Err(_) => {
                    append(guest, &mut pending);
                    return Ok(Walk::Missing { last });
                }
            }
        }
        if guest.is_empty() {
            guest.push(b'/');
        }
        Ok(Walk::Found)
    }

    /// Whether the sysroot is a whole system and a path lies in what such a one has for itself.
    fn is_own(&self, guest: &[u8]) -> bool {
        self.whole && SYSTEM.iter().any(|directory| guest.starts_with(directory))
    }

    fn below(&self, guest: &[u8]) -> PathBuf {
        let mut path = self.root.clone().into_os_string();
        path.push(OsStr::from_bytes(guest));
        path.into()
    }

    /// Whether a file made at this path, whose directory exists in the sysroot, belongs there.
    fn owns_parent(&self, guest: &[u8]) -> bool {
        let end = guest.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let parent = &guest[..end];
        !parent.is_empty() && (self.is_own(parent) || !is_mount_point(&self.below(parent), parent))
    }
}

/// Puts a path's components on a stack, the first on top.
fn push_components(pending: &mut Vec<Vec<u8>>, path: &[u8]) {
    let components = path.split(|byte| *byte == b'/');
    pending
        .extend(components.rev().filter(|part| !matches!(*part, b"" | b".")).map(<[u8]>::to_vec));
}

/// Appends what has not been walked.
fn append(guest: &mut Vec<u8>, pending: &mut Vec<Vec<u8>>) {
    while let Some(component) = pending.pop() {
        guest.push(b'/');
        guest.extend_from_slice(&component);
    }
}

/// Whether a path of the sysroot is an empty directory that the host has, too.
fn is_mount_point(below: &Path, host: &[u8]) -> bool {
    let host = Path::new(OsStr::from_bytes(host));
    match std::fs::read_dir(below) {
        Ok(mut entries) => entries.next().is_none() && host.is_dir(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests;
