//! Where the lines of `--strace` and `--dump-region` go.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf, absolute};

/// A file, or standard error.
pub struct Output {
    file: Option<PathBuf>,
}

impl Output {
    /// Appends to `file`, or writes to standard error, what is called `what`.
    ///
    /// # Errors
    /// In words, when the file cannot be written.
    pub fn new(file: Option<&Path>, what: &str) -> Result<Self, String> {
        let output = Self { file: file.map(full_path) };
        match output.open() {
            Some(Err(error)) => Err(format!("cannot write the {what}: {error}")),
            _ => Ok(output),
        }
    }

    /// The file, opened each time: a descriptor held open would be in the guest's reach.
    fn open(&self) -> Option<io::Result<File>> {
        let file = self.file.as_ref()?;
        Some(OpenOptions::new().create(true).append(true).open(file))
    }

    /// Writes all of `text` at once, so that what several processes write does not
    /// mix. There is nobody to tell if that fails.
    pub fn write(&self, text: &str) {
        let _ = match self.open() {
            Some(Ok(mut file)) => file.write_all(text.as_bytes()),
            Some(Err(_)) => Ok(()),
            None => io::stderr().write_all(text.as_bytes()),
        };
    }
}

/// The path of a file whatever directory the guest, or a program that it executes, is in.
pub fn full_path(file: &Path) -> PathBuf {
    absolute(file).unwrap_or_else(|_| file.to_path_buf())
}
