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
use rustix::buffer::spare_capacity;
use rustix::fs::FileType;
use rvrun_host::lock::Mutex;
use shelf::Shelf;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use xxhash_rust::xxh3::{Xxh3, xxh3_128_with_seed};

/// Bytes of an object's beginning that are part of its name.
const PAGE: usize = 4096;

/// Objects of a process that are remembered.
const MAX_OBJECTS: usize = 4096;

/// Bytes of new entries that a process remembers.
const MAX_NEW: usize = 128 << 20;

/// Gives what all entries depend on.
pub type Version = Box<dyn FnOnce() -> Vec<u8> + Send>;

/// The directory, and what of it is for this version.
struct Files {
    directory: Directory,
    version: LazyLock<Vec<u8>, Version>,
}

impl Files {
    /// The name of the file for an object with this content.
    fn name(&self, content: u128) -> u128 {
        let mut hasher = Xxh3::new();
        hasher.update(&self.version);
        hasher.update(&content.to_le_bytes());
        hasher.digest128()
    }
}

/// A process's way to the directory.
pub struct Cache {
    files: Files,
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
    /// are only for who asks with the same version, which is what `version` gives: most short
    /// programs look for none.
    pub fn new(directory: Directory, version: Version, writes: bool) -> Self {
        Self {
            files: Files { directory, version: LazyLock::new(version) },
            writes,
            closed: AtomicBool::new(false),
            shelves: Mutex::default(),
        }
    }

    /// The number of an object that is open for reading; the same one for the same contents.
    /// None if it cannot be read, is no regular file with a name, or if there are too many.
    pub fn number(&self, object: BorrowedFd) -> Option<u32> {
        if self.is_closed() {
            return None;
        }
        let name = content(object)?;
        let mut all = self.shelves.lock();
        if let Some(number) = all.numbers.get(&name) {
            return Some(*number);
        }
        if all.shelves.len() == MAX_OBJECTS {
            return None;
        }
        let number = all.shelves.len() as u32;
        all.shelves.push(Shelf::new(name));
        all.numbers.insert(name, number);
        Some(number)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Whether the object with this number may have such an entry.
    pub fn has(&self, number: u32, entry: u64) -> bool {
        if self.is_closed() {
            return false;
        }
        let all = self.shelves.lock();
        all.shelves.get(number as usize).is_some_and(|shelf| shelf.has(&self.files, entry))
    }

    /// That entry, if it is there as it was written, in `room`, which is made larger if it has to.
    pub fn get<'a>(&self, number: u32, entry: u64, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        if self.is_closed() {
            return None;
        }
        let all = self.shelves.lock();
        all.shelves.get(number as usize)?.get(&self.files, entry, room)
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

    /// Writes what is new; if somebody else writes just now, or there is no place for the
    /// directory, only if it `waits`, as who was asked to do just this. What cannot be written is
    /// forgotten. `labels` gives what users may know objects by, by their numbers, which is asked for
    /// only if there is something to be written.
    pub fn save(&self, waits: bool, labels: impl FnOnce() -> FxHashMap<u32, Vec<u8>>) {
        if self.is_closed() {
            return;
        }
        let mut all = self.shelves.lock();
        if std::mem::take(&mut all.new) == 0 {
            return;
        }
        let directory = &self.files.directory;
        let Ok(Some(_lock)) = directory.make(waits).and_then(|()| directory.lock(waits)) else {
            return;
        };
        let labels = labels();
        for (number, shelf) in (0..).zip(&mut all.shelves) {
            // A full disk, say: the next one may be smaller.
            let _ = shelf.save(&self.files, labels.get(&number).map(Vec::as_slice));
        }
        let _ = directory.shrink();
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

/// What an object is known by; none if it cannot be read, or is no regular file with a name.
fn content(object: BorrowedFd) -> Option<u128> {
    let attributes = rustix::fs::fstat(object).ok()?;
    // Reading a device may change something. A file without a name is some program's own
    // code, which it makes anew each time.
    if !FileType::from_raw_mode(attributes.st_mode).is_file() || attributes.st_nlink == 0 {
        return None;
    }
    let mut page = Vec::with_capacity(PAGE);
    rustix::io::pread(object, spare_capacity(&mut page), 0).ok()?;
    Some(xxh3_128_with_seed(&page, attributes.st_size as u64))
}

/// How a path is shown.
pub fn shown(label: &[u8]) -> String {
    Path::new(std::ffi::OsStr::from_bytes(label)).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::fd::AsFd;
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};
    use tempfile::TempDir;

    struct Place(TempDir);

    impl Place {
        fn new() -> Self {
            Self(TempDir::new().unwrap())
        }

        /// A process's cache of so many bytes.
        fn cache(&self, bytes: u64) -> Cache {
            let directory = Directory::new(self.0.path().join("cache"), bytes);
            Cache::new(directory, Box::new(|| b"version".to_vec()), true)
        }

        /// An object with these contents.
        fn object(&self, name: &str, contents: &[u8]) -> File {
            let path = self.0.path().join(name);
            fs::write(&path, contents).unwrap();
            File::open(path).unwrap()
        }

        fn files(&self) -> Vec<PathBuf> {
            let found = Directory::new(self.0.path().join("cache"), 0).list().unwrap();
            found.into_iter().map(|found| found.path).collect()
        }
    }

    const MUCH: u64 = 1 << 20;

    fn got(cache: &Cache, object: u32, entry: u64) -> Option<Vec<u8>> {
        cache.get(object, entry, &mut Vec::new()).map(<[u8]>::to_vec)
    }

    fn modified(file: &PathBuf) -> SystemTime {
        fs::metadata(file).unwrap().modified().unwrap()
    }

    #[test]
    fn the_next_process_finds_what_the_last_one_has_put() {
        let place = Place::new();
        let object = place.object("a", b"some code");
        let put = |number: u64, bytes: &[u8]| {
            let cache = place.cache(MUCH);
            let object = cache.number(object.as_fd()).unwrap();
            cache.put(object, number, bytes.to_vec());
            assert_eq!(got(&cache, object, number).as_deref(), Some(bytes), "before it is saved");
            cache.save(true, FxHashMap::default);
        };
        // More often than a file has chunks.
        for round in 0..40u8 {
            put(u64::from(round), &[round; 10]);
            put(1000, &[round; 20]);
        }
        let cache = place.cache(MUCH);
        let object = cache.number(object.as_fd()).unwrap();
        assert!((0..40u8).all(|n| got(&cache, object, n.into()) == Some(vec![n; 10])));
        assert_eq!(got(&cache, object, 1000), Some(vec![39; 20]));
        assert!(cache.has(object, 7) && !cache.has(object, 70));
        assert_eq!(got(&cache, object, 70), None);
    }

    #[test]
    fn objects_are_known_by_content() {
        let place = Place::new();
        let cache = place.cache(MUCH);
        let number = |name: &str, contents: &[u8]| {
            cache.number(place.object(name, contents).as_fd()).unwrap()
        };
        let first = number("a", b"some code");
        assert_eq!(number("b", b"some code"), first);
        assert_ne!(number("c", b"more code"), first);
        let long = |last: usize| [vec![1; 5000], vec![2; last]].concat();
        assert_ne!(number("d", &long(1)), number("e", &long(2)), "another size");
        assert_eq!(cache.number(File::open("/dev/zero").unwrap().as_fd()), None);
        let unnamed = tempfile::tempfile().unwrap();
        assert_eq!(cache.number(unnamed.as_fd()), None);
    }

    #[test]
    fn a_label_stays_until_there_is_another() {
        let place = Place::new();
        let object = place.object("a", b"some code");
        let label = |entry: u64, label: Option<&str>| {
            let cache = place.cache(MUCH);
            let number = cache.number(object.as_fd()).unwrap();
            cache.put(number, entry, vec![1]);
            let labels = label.map(|label| (number, label.into()));
            cache.save(true, || labels.into_iter().collect());
            let found = Directory::new(place.0.path().join("cache"), 0).list().unwrap();
            shown(&found[0].label)
        };
        assert_eq!(label(1, None), "");
        assert_eq!(label(2, Some("/lib/a")), "/lib/a");
        assert_eq!(label(3, None), "/lib/a");
        assert_eq!(label(4, Some("/lib/b")), "/lib/b");
    }

    #[test]
    fn another_version_finds_nothing() {
        let place = Place::new();
        let object = place.object("a", b"some code");
        let cache = place.cache(MUCH);
        cache.put(cache.number(object.as_fd()).unwrap(), 1, vec![1]);
        cache.save(true, FxHashMap::default);
        let directory = Directory::new(place.0.path().join("cache"), MUCH);
        let other = Cache::new(directory, Box::new(|| b"versiom".to_vec()), true);
        assert!(!other.has(other.number(object.as_fd()).unwrap(), 1));
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let place = Place::new();
        const BYTES: u64 = 40_000;
        let object = |n: u8| place.object(&n.to_string(), &[n; 100]);
        let is_there = |n: u8| {
            let cache = place.cache(BYTES);
            cache.has(cache.number(object(n).as_fd()).unwrap(), 1)
        };
        for n in 0..10 {
            let cache = place.cache(BYTES);
            cache.put(cache.number(object(n).as_fd()).unwrap(), 1, vec![n; 8000]);
            cache.save(true, FxHashMap::default);
            // Within the hour, so that looking does not make it newer.
            let then = SystemTime::now() - Duration::from_secs(60 * (20 - u64::from(n)));
            let newest = place.files().into_iter().max_by_key(modified).unwrap();
            File::options().write(true).open(newest).unwrap().set_modified(then).unwrap();
        }
        assert!(is_there(9) && is_there(8) && !is_there(0) && !is_there(4));
    }

    #[test]
    fn one_object_takes_no_more_than_its_part() {
        let place = Place::new();
        let object = place.object("a", b"some code");
        for n in 0..10 {
            let cache = place.cache(40_000);
            cache.put(cache.number(object.as_fd()).unwrap(), n, vec![n as u8; 3000]);
            cache.put(cache.number(object.as_fd()).unwrap(), 100 + n, vec![0; 50_000]);
            cache.save(true, FxHashMap::default);
            let size: u64 = place.files().iter().map(|f| fs::metadata(f).unwrap().len()).sum();
            assert!(size <= 10_000, "{size} bytes");
        }
        let cache = place.cache(40_000);
        let object = cache.number(object.as_fd()).unwrap();
        assert_eq!(got(&cache, object, 9), Some(vec![9; 3000]), "the newest is there");
    }

    #[test]
    fn a_child_leaves_what_is_new_to_its_parent() {
        let place = Place::new();
        let object = place.object("a", b"some code");
        let cache = place.cache(MUCH);
        cache.put(cache.number(object.as_fd()).unwrap(), 1, vec![1]);
        cache.forked();
        cache.save(true, FxHashMap::default);
        assert!(place.files().is_empty());
    }
}
