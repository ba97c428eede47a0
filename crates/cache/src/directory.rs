//! The directory of all files.

use crate::file::{Index, reader};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::process::{Resource, getrlimit};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// The file that is locked while files are written.
const LOCK: &str = "lock";
/// What files begin with that are being written.
const UNFINISHED: &str = "unfinished-";
/// When such a file's writer is certainly gone.
const ABANDONED: Duration = Duration::from_secs(600);
/// How much older than its last use a file may look.
const USE_GRAIN: Duration = Duration::from_secs(3600);
/// Part of the directory's size that one file may take.
const LARGEST_PART: u64 = 4;

/// A directory of files, of which all together take so much room at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    path: PathBuf,
    bytes: u64,
    safe: OnceLock<bool>,
}

/// A file of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// The path of an object that it is for.
    pub label: Vec<u8>,
    /// Its size.
    pub bytes: u64,
    /// How many entries it has.
    pub entries: usize,
    /// Those that are not as they were written; all of them in a file that has no index.
    pub bad: usize,
    /// When it was last used, about.
    pub used: SystemTime,
}

/// Whether the user who runs the VM owns what has these attributes, and nobody else may
/// change it.
fn is_own(metadata: &Metadata) -> bool {
    let user = rustix::process::geteuid().as_raw();
    metadata.uid() == user && metadata.mode() & 0o022 == 0
}

fn not_own(path: &Path) -> io::Error {
    let why =
        format!("{} is not a directory that only its owner, this user, may change", path.display());
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

impl Directory {
    /// The directory at `path`, be it there or not, for so many bytes.
    pub fn new(path: PathBuf, bytes: u64) -> Self {
        Self { path, bytes, safe: OnceLock::new() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that a file may have.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.bytes / LARGEST_PART
    }

    /// Whether it is there and safe to use.
    ///
    /// # Errors
    /// If it is there and not safe, or if that cannot be told.
    pub fn check(&self) -> io::Result<bool> {
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) if metadata.is_dir() && is_own(&metadata) => Ok(true),
            Ok(_) => Err(not_own(&self.path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether it is there and safe to use, as it was when that was first asked.
    fn is_safe(&self) -> bool {
        *self.safe.get_or_init(|| self.check().unwrap_or(false))
    }

    /// Makes it, if it is not there; `with_parents` says whether also what it is in. In a system
    /// that somebody is building, a user's cache would be litter.
    pub(crate) fn make(&self, with_parents: bool) -> io::Result<()> {
        if !self.check()? {
            DirBuilder::new().recursive(with_parents).mode(0o700).create(&self.path)?;
            self.check()?;
        }
        Ok(())
    }

    /// Keeps others from writing; waits for who does, or gives nothing.
    pub(crate) fn lock(&self, waits: bool) -> io::Result<Option<File>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32)
            .open(self.path.join(LOCK))?;
        let way = match waits {
            true => FlockOperation::LockExclusive,
            false => FlockOperation::NonBlockingLockExclusive,
        };
        match flock(&file, way) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn path_of(&self, name: u128) -> PathBuf {
        self.path.join(format!("{name:032x}"))
    }

    /// Opens the file with this name, if it is there and safe to use, and gives its size.
    pub(crate) fn open(&self, name: u128) -> Option<(File, u64)> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32)
            .open(self.path_of(name))
            .ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || !is_own(&metadata) || metadata.len() == 0 || !self.is_safe() {
            return None;
        }
        let now = SystemTime::now();
        let used = metadata.modified().ok()?;
        if now.duration_since(used).is_ok_and(|age| age > USE_GRAIN) {
            // If it is not to be changed, it is evicted sooner.
            let _ = file.set_modified(now);
        }
        Some((file, metadata.len()))
    }

    /// Writes the file with this name anew, all of it or not at all.
    pub(crate) fn replace(&self, name: u128, contents: &[u8]) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        check_limit(contents.len() as u64)?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.path.join(format!("{UNFINISHED}{}-{count}", process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32)
            .open(&unfinished)?;
        // Whatever the guest's umask is.
        let mode = Permissions::from_mode(0o600);
        let written = file.set_permissions(mode).and_then(|()| file.write_all(contents));
        written.and_then(|()| fs::rename(&unfinished, self.path_of(name))).inspect_err(|_| {
            // It is removed some time, if not now.
            let _ = fs::remove_file(&unfinished);
        })
    }

    /// Writes a chunk at the end of the file with this name, which is at `end`. Only with the
    /// [lock](Self::lock).
    pub(crate) fn add(&self, name: u128, end: u64, chunk: &[u8]) -> io::Result<()> {
        check_limit(end + chunk.len() as u64)?;
        let file = OpenOptions::new()
            .write(true)
            .custom_flags(OFlags::NOFOLLOW.bits() as i32)
            .open(self.path_of(name))?;
        // What is there is the rest of what somebody could not write to its end.
        file.write_all_at(chunk, end)
    }

    /// The directory's files with what is known of them; those that are not ours are left out.
    fn files(&self) -> io::Result<Vec<(PathBuf, Metadata)>> {
        if !self.check()? {
            return Ok(Vec::new());
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_ours = name.starts_with(UNFINISHED) || name_of(&path).is_some();
            // Others may remove files at the same time.
            if is_ours
                && let Ok(metadata) = fs::symlink_metadata(&path)
                && metadata.is_file()
            {
                files.push((path, metadata));
            }
        }
        Ok(files)
    }

    /// Removes what was used longest ago, as long as there is too much, and what was abandoned.
    pub(crate) fn shrink(&self) -> io::Result<()> {
        let now = SystemTime::now();
        let age = |metadata: &Metadata| {
            let modified = metadata.modified().unwrap_or(now);
            now.duration_since(modified).unwrap_or_default()
        };
        let mut files = self.files()?;
        files.retain(|(path, metadata)| {
            let gone = name_of(path).is_none() && age(metadata) > ABANDONED;
            !(gone && fs::remove_file(path).is_ok())
        });
        files.sort_by_key(|(_, metadata)| std::cmp::Reverse(age(metadata)));
        let mut total: u64 = files.iter().map(|(_, metadata)| metadata.len()).sum();
        for (path, metadata) in files {
            if total <= self.bytes {
                break;
            }
            if fs::remove_file(path).is_ok() {
                total -= metadata.len();
            }
        }
        Ok(())
    }

    /// Everything that is there, the largest first, each entry read.
    ///
    /// # Errors
    /// If the directory is not safe to use, or cannot be read.
    pub fn list(&self) -> io::Result<Vec<Found>> {
        let look = |(path, metadata): (PathBuf, Metadata)| {
            let name = name_of(&path)?;
            let contents = fs::read(&path).ok()?;
            let read = reader(&contents);
            let index = Index::read(name, &read);
            let is_bad = |number: &u64| {
                let mut bytes = Vec::new();
                let index = index.as_ref();
                index.and_then(|index| index.get(*number, &read, &mut bytes)).is_none()
            };
            let numbers: Vec<u64> = index.iter().flat_map(Index::numbers).collect();
            Some(Found {
                label: index.as_ref().map(|index| index.label.clone()).unwrap_or_default(),
                bytes: metadata.len(),
                entries: numbers.len(),
                bad: numbers.iter().filter(|n| is_bad(n)).count() + usize::from(index.is_none()),
                used: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                path,
            })
        };
        let mut found: Vec<Found> = self.files()?.into_iter().filter_map(look).collect();
        found.sort_by_key(|found| std::cmp::Reverse(found.bytes));
        Ok(found)
    }

    /// Removes all files; gives how many, and their bytes.
    ///
    /// # Errors
    /// If the directory is not safe to use, or a file cannot be removed.
    pub fn purge(&self) -> io::Result<(usize, u64)> {
        let files = self.files()?;
        let mut bytes = 0;
        for (path, metadata) in &files {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => bytes += metadata.len(),
            }
        }
        Ok((files.len(), bytes))
    }
}

/// The name of the file of entries at `path`, if it is one.
fn name_of(path: &Path) -> Option<u128> {
    let name = path.file_name()?.to_str()?;
    (name.len() == 32).then(|| u128::from_str_radix(name, 16).ok()).flatten()
}

/// Refuses a file of so many bytes if the process may not write it: trying would be a signal to
/// the guest (setrlimit(2), `RLIMIT_FSIZE`).
fn check_limit(bytes: u64) -> io::Result<()> {
    match getrlimit(Resource::Fsize).current {
        Some(limit) if limit < bytes => Err(io::ErrorKind::FileTooLarge.into()),
        _ => Ok(()),
    }
}
