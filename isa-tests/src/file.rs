//! Files of vectors.

use crate::{ParseError, Vector};
use std::path::{Path, PathBuf};
use std::{fs, io};
use thiserror::Error;

/// Where the files are.
pub fn directory() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors"))
}

/// A line of a file.
#[derive(Clone, Debug)]
pub enum Line {
    /// A comment or an empty line.
    Other(String),
    /// A vector.
    Vector(Box<Vector>),
}

/// A file of vectors.
#[derive(Clone, Debug)]
pub struct VectorFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its name without the suffix: an extension's.
    pub name: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// Why the files cannot be read.
#[derive(Debug, Error)]
pub enum FileError {
    /// The operating system says so.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// A line is not a vector.
    #[error("{0}:{1}: {2}")]
    Parse(PathBuf, usize, ParseError),
}

impl VectorFile {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or a line is not a vector.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let text = fs::read_to_string(path).map_err(|e| FileError::Io(path.into(), e))?;
        Self::parse(path, &text)
    }

    /// The file at `path`, which has this text.
    ///
    /// # Errors
    /// If a line is not a vector.
    pub fn parse(path: &Path, text: &str) -> Result<Self, FileError> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let lines = text.lines().enumerate().map(|(i, line)| {
            if line.trim().is_empty() || line.starts_with('#') {
                return Ok(Line::Other(line.into()));
            }
            let vector = line.parse().map_err(|e| FileError::Parse(path.into(), i + 1, e))?;
            Ok(Line::Vector(Box::new(vector)))
        });
        Ok(Self { path: path.into(), name, lines: lines.collect::<Result<_, _>>()? })
    }

    /// The vectors, with the numbers of their lines.
    pub fn vectors(&self) -> impl Iterator<Item = (usize, &Vector)> {
        self.lines.iter().enumerate().filter_map(|(i, line)| match line {
            Line::Vector(vector) => Some((i + 1, vector.as_ref())),
            Line::Other(_) => None,
        })
    }

    /// Writes the file.
    ///
    /// # Errors
    /// If the operating system says so.
    pub fn write(&self) -> Result<(), FileError> {
        let mut text = String::new();
        for line in &self.lines {
            match line {
                Line::Other(line) => text += line,
                Line::Vector(vector) => text += &vector.to_string(),
            }
            text.push('\n');
        }
        fs::write(&self.path, text).map_err(|e| FileError::Io(self.path.clone(), e))
    }
}

/// All files, sorted by name.
///
/// # Errors
/// If one cannot be read or has a line that is not a vector.
pub fn read_all() -> Result<Vec<VectorFile>, FileError> {
    let io = |e| FileError::Io(directory().into(), e);
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory()).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|e| e == "txt") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| VectorFile::read(path)).collect()
}
