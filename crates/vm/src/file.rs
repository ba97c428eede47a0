//! Program files: opening them with errors that say what is wrong.

use crate::error::Error;
use rvrun_decoder::elf::{Image, Source};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// An open program and its headers.
pub struct ProgramFile {
    /// Where it was found.
    pub path: PathBuf,
    /// The open file.
    pub file: File,
    /// Its headers.
    pub image: Image,
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
        // Who opens a pipe waits, otherwise, for somebody who writes into it.
        let mut options = File::options();
        options.read(true).custom_flags(libc::O_NONBLOCK);
        let file = options.open(&path).map_err(|source| match source.kind() {
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
        Ok(Self { path, file, image })
    }

    /// The file's absolute path without symbolic links, as the host's kernel knows it.
    pub fn resolved_path(&self) -> PathBuf {
        // What the kernel says of a descriptor is for files without a path: it has to make an
        // inode of `/proc` for that, which takes it as long as all of the look-up.
        let link = || std::fs::read_link(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        self.path.canonicalize().or_else(|_| link()).unwrap_or(self.path.clone())
    }
}
