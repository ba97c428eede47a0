//! The entries of one object, as a process has them.

use crate::Files;
use crate::file::{self, Index};
use rustc_hash::FxHashMap;
use rvrun_host::file_map::FileMap;
use rvrun_memory::access;
use std::cell::OnceCell;
use std::io;

/// See the module's documentation.
pub struct Shelf {
    /// What the object is known by.
    content: u128,
    /// What was on disk when an entry was first looked for: most short programs look for none.
    old: OnceCell<Option<Old>>,
    new: FxHashMap<u64, Vec<u8>>,
}

struct Old {
    map: FileMap,
    index: Index,
}

impl Old {
    fn read(&self, at: u64, buffer: &mut [u8]) -> Option<()> {
        let end = at.checked_add(buffer.len() as u64)?;
        if end > self.map.len() as u64 {
            return None;
        }
        access::copy_in(self.map.address() + at, buffer).ok()
    }

    fn open(files: &Files, name: u128) -> Option<Self> {
        let (file, len) = files.directory.open(name)?;
        let map = FileMap::new(&file, usize::try_from(len).ok()?).ok()?;
        let mut old = Self { map, index: Index::default() };
        old.index = Index::read(name, &|at, buffer| old.read(at, buffer))?;
        Some(old)
    }

    fn get<'a>(&self, number: u64, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        self.index.get(number, &|at, buffer| self.read(at, buffer), room)
    }
}

/// Takes so many bytes of `room`, if there are as many; gives whether there were.
fn take(room: &mut u64, bytes: usize) -> bool {
    let rest = room.checked_sub(bytes as u64);
    *room = rest.unwrap_or(*room);
    rest.is_some()
}

impl Shelf {
    /// The shelf of the object with this content.
    pub fn new(content: u128) -> Self {
        Self { content, old: OnceCell::new(), new: FxHashMap::default() }
    }

    fn old(&self, files: &Files) -> Option<&Old> {
        self.old.get_or_init(|| Old::open(files, files.name(self.content))).as_ref()
    }

    pub fn has(&self, files: &Files, number: u64) -> bool {
        let is_old = || self.old(files).is_some_and(|old| old.index.has(number));
        self.new.contains_key(&number) || is_old()
    }

    /// The entry with this number, in `room`.
    pub fn get<'a>(&self, files: &Files, number: u64, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        let Some(new) = self.new.get(&number) else {
            return self.old(files)?.get(number, room);
        };
        new.clone_into(room);
        Some(room)
    }

    pub fn put(&mut self, number: u64, bytes: Vec<u8>) {
        self.new.insert(number, bytes);
    }

    /// Writes what is new behind what there is by now, or all of it anew, with this label or the one
    /// that was there.
    pub fn save(&mut self, files: &Files, label: Option<&[u8]>) -> io::Result<()> {
        let (name, directory) = (files.name(self.content), &files.directory);
        let mut room = directory.file_bytes();
        let mut new: Vec<(u64, Vec<u8>)> = std::mem::take(&mut self.new).into_iter().collect();
        new.retain(|(_, bytes)| take(&mut room, bytes.len()));
        if new.is_empty() {
            return Ok(());
        }
        new.sort_unstable_by_key(|(number, _)| *number);
        let there = Old::open(files, name);
        let old_label = there.as_ref().map(|old| old.index.label.clone());
        let label = label.or(old_label.as_deref()).unwrap_or_default();
        let chunk = file::chunk(name, label, &new);
        let Some(old) = there else {
            return directory.replace(name, &chunk);
        };
        let room = directory.file_bytes();
        if let Some(end) = old.index.end().filter(|end| end + chunk.len() as u64 <= room) {
            return directory.add(name, end, &chunk);
        }
        // What is new is kept, and of what is old as much as has room beside it.
        let mut room = (room / 2).saturating_sub(chunk.len() as u64);
        let mut entries = new;
        let mut read = Vec::new();
        for number in old.index.numbers() {
            if let Some(entry) = old.get(number, &mut read)
                && take(&mut room, entry.len())
            {
                entries.push((number, entry.to_vec()));
            }
        }
        // Sorting is stable: what is new stays before what is old.
        entries.sort_by_key(|(number, _)| *number);
        entries.dedup_by_key(|(number, _)| *number);
        directory.replace(name, &file::chunk(name, label, &entries))
    }

    pub fn forget_new(&mut self) {
        self.new.clear();
    }
}
