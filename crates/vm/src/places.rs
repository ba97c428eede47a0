//! Where in which file a guest address is, in words.

use rustc_hash::FxHashMap;
use rvrun_decoder::elf::{Image, Segment};
use rvrun_decoder::symbols::{Symbol, Symbols};
use rvrun_memory::AddressSpace;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that guest code comes from.
#[derive(Default)]
struct File {
    segments: Vec<Segment>,
    symbols: Symbols,
}

impl File {
    /// Reads it. A file that cannot be read has no symbols.
    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        let segments = Image::parse(&bytes.as_slice()).map(|image| image.segments);
        Self { segments: segments.unwrap_or_default(), symbols: Symbols::read(bytes) }
    }

    /// The symbol of the byte at `offset`.
    fn symbol(&self, offset: u64) -> Option<Symbol> {
        let inside = |s: &&Segment| (s.offset..s.offset + s.file_size).contains(&offset);
        let segment = self.segments.iter().find(inside)?;
        self.symbols.at(offset - segment.offset + segment.vaddr)
    }
}

/// A place in a file.
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// What is there, its name demangled.
    pub symbol: Option<Symbol>,
}

/// Finds places, and remembers the files that it has read.
pub struct Places {
    space: Arc<AddressSpace>,
    files: FxHashMap<PathBuf, File>,
}

impl Places {
    /// The places of a guest's memory.
    pub fn new(space: Arc<AddressSpace>) -> Self {
        Self { space, files: FxHashMap::default() }
    }

    /// What is at `pc`; none if no file is mapped there.
    pub fn at(&mut self, pc: u64) -> Option<Place> {
        let (path, offset) = self.space.file_at(pc)?;
        let file = self.files.entry(path.clone()).or_insert_with_key(|path| File::read(path));
        let demangled = |symbol: Symbol| Symbol {
            name: format!("{:#}", rustc_demangle::demangle(&symbol.name)),
            ..symbol
        };
        Some(Place { file: path, symbol: file.symbol(offset).map(demangled) })
    }
}
