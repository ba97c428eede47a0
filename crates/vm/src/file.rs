//! Program files: opening them with errors that say what is wrong.

use crate::error::Error;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rvrun_decoder::elf::{Image, Source};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf, absolute};

/// An open program and its headers.
pub struct ProgramFile {
    /// Where it was found.
    pub path: PathBuf,
    /// The open file.
    pub file: File,
    /// Its headers.
    pub image: Image,
    /// Whether the path is known to lead through no symbolic link.
    pub is_direct: bool,
}

struct Reader<'a>(&'a File);

impl Source for Reader<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.0.read_at(&mut buffer[done..], offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Offsets beyond what the kernel can express lie behind every end.
                Err(error) if error.kind() == ErrorKind::InvalidInput => break,
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
}

impl ProgramFile {
    /// Opens the program at `path` on the host and reads its headers.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let path = path.to_path_buf();
        let not_runnable = |why: &str| Error::NotRunnable { path: path.clone(), why: why.into() };
        let direct = open_directly(&path);
        let is_direct = direct.is_some();
        let file =
            direct.map_or_else(|| open(&path), Ok).map_err(|source| match source.kind() {
                _ if source.raw_os_error() == Some(libc::ELOOP) => not_runnable(
                    "too many symbolic links lead from one to the next; remove or correct them",
                ),
                _ if source.raw_os_error() == Some(libc::ENAMETOOLONG) => {
                    not_runnable("the name is too long for a file")
                }
                ErrorKind::NotFound | ErrorKind::NotADirectory => {
                    Error::NotFound { path: path.clone() }
                }
                ErrorKind::PermissionDenied => not_runnable("permission denied; it cannot be read"),
                _ => Error::Host { what: format!("cannot open {}", path.display()), source },
            })?;
        let metadata = file.metadata().map_err(|source| Error::Host {
            what: format!("cannot examine {}", path.display()),
            source,
        })?;
        if metadata.is_dir() {
            return Err(not_runnable("is a directory, not a program"));
        }
        if !metadata.is_file() {
            return Err(not_runnable("is not a regular file"));
        }
        if metadata.permissions().mode() & 0o111 == 0 {
            return Err(not_runnable("permission denied; make it executable (chmod +x)"));
        }
        let image = Image::parse(&Reader(&file)).map_err(|e| Error::elf(path.clone(), e))?;
        Ok(Self { path, file, image, is_direct })
    }

    /// The file's absolute path without symbolic links, as the host's kernel knows it.
    pub fn resolved_path(&self) -> PathBuf {
        if self.is_direct
            && let Ok(path) = absolute(&self.path)
            && !path.components().any(|component| component == Component::ParentDir)
        {
            return path;
        }
        // What the kernel says of a descriptor is for files without a path: it has to make an
        // inode of `/proc` for that, which takes it as long as all of the look-up.
        let link = || std::fs::read_link(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        self.path.canonicalize().or_else(|_| link()).unwrap_or(self.path.clone())
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Who opens a pipe waits, otherwise, for somebody who writes into it.
    File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// The same if there is no symbolic link in the path, so that nobody has to look for any afterwards;
/// nothing if there is one, and for whatever else hinders that (openat2(2)).
fn open_directly(path: &Path) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).ok()?;
    Some(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn paths_are_resolved_whatever_they_lead_through() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        let hello = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/guest/hello");
        fs::create_dir(folder.join("real")).unwrap();
        fs::copy(hello, folder.join("real/program")).unwrap();
        symlink("real", folder.join("folder")).unwrap();
        symlink("real/program", folder.join("link")).unwrap();
        let paths =
            ["real/program", "./real/./program", "real/../real/program", "folder/program", "link"];
        for path in paths {
            let file = ProgramFile::open(&folder.join(path)).unwrap();
            assert_eq!(file.is_direct, path.contains("real/"), "{path}");
            assert_eq!(file.resolved_path(), folder.join("real/program"), "{path}");
        }
        let relative = ProgramFile::open(Path::new("../../examples/guest/hello")).unwrap();
        assert_eq!(relative.resolved_path(), Path::new(hello).canonicalize().unwrap());
    }
}
