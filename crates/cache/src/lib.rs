//! What rvrun keeps on disk of the programs that it has run: for each object, which is a
//! program or a library, a file of *entries*, found by number. What entries are is their
//! owner's business; here they are bytes.
//!
//! - An object is known by its content: by a hash of its first page, where linkers put what
//!   identifies a build, and its size. That two may be taken for one does no harm as long as
//!   entries say what they were made from.
//! - Any number of processes may write, and be killed while they do. What is new is added at a
//!   file's end, or the file is written anew under another name and renamed; one process
//!   writes at a time, and the others do without.
//! - Files are mapped, and read with care: any of their bytes may be wrong or missing. What has
//!   a wrong checksum is not there.
//! - The directory must belong to the user who runs the VM, and nobody else may write there.
//!
//! [`file`](mod@file) has the format, [`directory`] what is done with many of them.

pub mod directory;
pub mod file;
mod shelf;

use directory::Directory;
use rustc_hash::FxHashMap;
use rustix::fs::readlink;
use rvrun_host::lock::Mutex;
use shelf::Shelf;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use xxhash_rust::xxh3::Xxh3;

/// Bytes of an object's beginning that are part of its name.
const PAGE: usize = 4096;

/// Objects of a process that are remembered.
const MAX_OBJECTS: usize = 4096;

/// Bytes of new entries that a process remembers.
const MAX_NEW: usize = 64 << 20;

/// A process's way to the directory.
pub struct Cache {
    directory: Directory,
    /// What all entries depend on.
    version: Vec<u8>,
    writes: bool,
    /// Whether it is not used any more.
    closed: AtomicBool,
    shelves: Mutex<Shelves>,
}

#[derive(Default)]
struct Shelves {
    numbers: FxHashMap<u128, u32>,
    shelves: Vec<Shelf>,
    /// Bytes of new entries.
    new: usize,
}

impl Cache {
    /// The cache in `directory`, which is made when there is something to be written. Entries
    /// are only for who asks with the same `version`.
    pub fn new(directory: Directory, version: Vec<u8>, writes: bool) -> Self {
        Self {
            directory,
            version,
            writes,
            closed: AtomicBool::new(false),
            shelves: Mutex::default(),
        }
    }

    /// The number of an object that is open for reading; the same one for the same contents.
    /// None if it cannot be read, or if there are too many.
    pub fn number(&self, object: BorrowedFd) -> Option<u32> {
        if self.is_closed() {
            return None;
        }
        let name = self.name(object)?;
        let mut all = self.shelves.lock();
        if let Some(number) = all.numbers.get(&name) {
            return Some(*number);
        }
        if all.shelves.len() == MAX_OBJECTS {
            return None;
        }
        let number = all.shelves.len() as u32;
        all.shelves.push(Shelf::open(&self.directory, name, label(object)));
        all.numbers.insert(name, number);
        Some(number)
    }

    fn name(&self, object: BorrowedFd) -> Option<u128> {
        let mut page = [0; PAGE];
        let n = rustix::io::pread(object, &mut page, 0).ok()?;
        let size = rustix::fs::fstat(object).ok()?.st_size;
        let mut hasher = Xxh3::new();
        hasher.update(&(self.version.len() as u64).to_le_bytes());
        hasher.update(&self.version);
        hasher.update(&size.to_le_bytes());
        hasher.update(&page[..n]);
        Some(hasher.digest128())
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether the object with this number had any entries when it was first seen.
    pub fn has_any(&self, number: u32) -> bool {
        !self.is_closed()
            && self.shelves.lock().shelves.get(number as usize).is_some_and(Shelf::has_old)
    }

    /// Whether the object with this number may have such an entry.
    pub fn has(&self, number: u32, entry: u64) -> bool {
        !self.is_closed()
            && self.shelves.lock().shelves.get(number as usize).is_some_and(|s| s.has(entry))
    }

    /// That entry, if it is there as it was written.
    pub fn get(&self, number: u32, entry: u64) -> Option<Vec<u8>> {
        if self.is_closed() {
            return None;
        }
        self.shelves.lock().shelves.get(number as usize)?.get(entry)
    }

    /// A new entry, in place of another one that there may be, for [`save`](Self::save).
    pub fn put(&self, number: u32, entry: u64, bytes: Vec<u8>) {
        if !self.writes || self.is_closed() {
            return;
        }
        let mut all = self.shelves.lock();
        if all.new + bytes.len() > MAX_NEW {
            return;
        }
        if let Some(shelf) = all.shelves.get_mut(number as usize) {
            let len = bytes.len();
            shelf.put(entry, bytes);
            all.new += len;
        }
    }

    /// Writes what is new; if somebody else writes just now, only if it is to wait for that.
    /// What cannot be written is forgotten.
    pub fn save(&self, waits: bool) {
        if self.is_closed() {
            return;
        }
        let mut all = self.shelves.lock();
        if std::mem::take(&mut all.new) == 0 {
            return;
        }
        let Ok(Some(_lock)) = self.directory.make().and_then(|()| self.directory.lock(waits))
        else {
            return;
        };
        for shelf in &mut all.shelves {
            // A full disk, say: the next one may be smaller.
            let _ = shelf.save(&self.directory);
        }
        let _ = self.directory.shrink();
    }

    /// In the child of a fork: what is new is the parent's to write. If another thread of the
    /// parent's was using the cache, the child does without.
    pub fn forked(&self) {
        match self.shelves.try_lock() {
            Some(mut all) => {
                all.new = 0;
                all.shelves.iter_mut().for_each(Shelf::forget_new);
            }
            None => self.closed.store(true, Ordering::Relaxed),
        }
    }
}

/// What users may know an open file by.
fn label(object: BorrowedFd) -> Vec<u8> {
    let link = format!("/proc/self/fd/{}", object.as_fd().as_raw_fd());
    readlink(Path::new(&link), Vec::new()).map(|path| path.into_bytes()).unwrap_or_default()
}

/// How a path is shown.
pub fn shown(label: &[u8]) -> String {
    Path::new(std::ffi::OsStr::from_bytes(label)).display().to_string()
}
