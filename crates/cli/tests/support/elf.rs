//! Small ELF programs, made byte by byte.

use rvrun_isa::{assemble, encode};

/// Where the file is loaded.
pub const BASE: u64 = 0x10000;
/// Where its code begins in the file.
const CODE: usize = 0x1000;
/// The name of the function that the code is.
pub const SYMBOL: &str = "beginning";

/// Offsets of fields in the file's header.
pub mod header {
    pub const CLASS: usize = 4;
    pub const DATA: usize = 5;
    pub const KIND: usize = 16;
    pub const MACHINE: usize = 18;
    pub const ENTRY: usize = 24;
    pub const PROGRAM_HEADER_SIZE: usize = 54;
    pub const PROGRAM_HEADERS: usize = 56;
    /// Bytes of it.
    pub const SIZE: usize = 64;
}

/// A program header of type `PT_LOAD` (or another).
#[derive(Clone, Copy)]
pub struct Segment {
    pub kind: u32,
    pub flags: u32,
    pub offset: u64,
    pub address: u64,
    pub file_size: u64,
    pub memory_size: u64,
}

pub const LOAD: u32 = 1;
const INTERP: u32 = 3;
const READ_EXECUTE: u32 = 5;
pub const READ_WRITE: u32 = 6;
/// Bytes of a program header and of a section header.
const SEGMENT: usize = 56;
const SECTION: usize = 64;

/// A program under construction.
pub struct Program {
    code: Vec<u8>,
    interpreter: Option<String>,
    more: Vec<Segment>,
}

impl Program {
    /// One that runs these instructions, in the syntax of `rvrun-isa`.
    pub fn new(lines: &[&str]) -> Self {
        let words = lines.iter().map(|line| {
            let instruction = assemble(line).unwrap_or_else(|error| panic!("{line}: {error:?}"));
            encode(&instruction).unwrap_or_else(|| panic!("{line} has no encoding"))
        });
        Self::of_words(&words.collect::<Vec<_>>())
    }

    /// One that runs these words.
    pub fn of_words(words: &[u32]) -> Self {
        let code = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Self { code, interpreter: None, more: Vec::new() }
    }

    /// Adds words behind the code.
    pub fn words(mut self, words: &[u32]) -> Self {
        self.code.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        self
    }

    /// Names a dynamic linker.
    pub fn interpreter(mut self, path: &str) -> Self {
        self.interpreter = Some(path.into());
        self
    }

    /// Adds a segment.
    pub fn segment(mut self, segment: Segment) -> Self {
        self.more.push(segment);
        self
    }

    /// The file's bytes: headers, code, symbols.
    pub fn bytes(&self) -> Vec<u8> {
        let mut body = vec![0; CODE];
        body.extend(&self.code);
        let mut segments = Vec::new();
        if let Some(path) = &self.interpreter {
            let offset = body.len() as u64;
            body.extend(path.as_bytes());
            body.push(0);
            let size = path.len() as u64 + 1;
            let address = BASE + offset;
            segments.push(Segment {
                kind: INTERP,
                flags: 4,
                offset,
                address,
                file_size: size,
                memory_size: size,
            });
        }
        let loaded = body.len() as u64;
        segments.push(Segment {
            kind: LOAD,
            flags: READ_EXECUTE,
            offset: 0,
            address: BASE,
            file_size: loaded,
            memory_size: loaded,
        });
        segments.extend(&self.more);
        let names = body.len();
        body.extend([b"\0", SYMBOL.as_bytes(), b"\0"].concat());
        let names_size = body.len() - names;
        body.resize(body.len().next_multiple_of(8), 0);
        let symbols = body.len();
        body.extend([0; 24]);
        // Name, function with global binding, section, value, size.
        body.extend(1u32.to_le_bytes());
        body.extend([0x12, 0, 1, 0]);
        body.extend((BASE + CODE as u64).to_le_bytes());
        body.extend((self.code.len() as u64).to_le_bytes());
        let sections = body.len();
        let mut section = |kind: u32, offset: usize, size: usize, link: u32, entry: u64| {
            let mut header = [0; SECTION];
            header[4..8].copy_from_slice(&kind.to_le_bytes());
            header[24..32].copy_from_slice(&(offset as u64).to_le_bytes());
            header[32..40].copy_from_slice(&(size as u64).to_le_bytes());
            header[40..44].copy_from_slice(&link.to_le_bytes());
            header[56..64].copy_from_slice(&entry.to_le_bytes());
            body.extend(header);
        };
        section(0, 0, 0, 0, 0);
        section(1, CODE, self.code.len(), 0, 0);
        section(2, symbols, 48, 3, 24);
        section(3, names, names_size, 0, 0);
        self.write_header(&mut body, &segments, sections as u64);
        body
    }

    fn write_header(&self, body: &mut [u8], segments: &[Segment], sections: u64) {
        let mut put = |at: usize, bytes: &[u8]| body[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"\x7fELF\x02\x01\x01");
        put(header::KIND, &2u16.to_le_bytes());
        put(header::MACHINE, &243u16.to_le_bytes());
        put(20, &1u32.to_le_bytes());
        put(header::ENTRY, &(BASE + CODE as u64).to_le_bytes());
        put(32, &(header::SIZE as u64).to_le_bytes());
        put(40, &sections.to_le_bytes());
        put(52, &(header::SIZE as u16).to_le_bytes());
        put(header::PROGRAM_HEADER_SIZE, &(SEGMENT as u16).to_le_bytes());
        put(header::PROGRAM_HEADERS, &(segments.len() as u16).to_le_bytes());
        put(58, &(SECTION as u16).to_le_bytes());
        put(60, &4u16.to_le_bytes());
        put(62, &3u16.to_le_bytes());
        for (index, segment) in segments.iter().enumerate() {
            let at = header::SIZE + index * SEGMENT;
            put(at, &segment.kind.to_le_bytes());
            put(at + 4, &segment.flags.to_le_bytes());
            put(at + 8, &segment.offset.to_le_bytes());
            put(at + 16, &segment.address.to_le_bytes());
            put(at + 24, &segment.address.to_le_bytes());
            put(at + 32, &segment.file_size.to_le_bytes());
            put(at + 40, &segment.memory_size.to_le_bytes());
            put(at + 48, &4096u64.to_le_bytes());
        }
    }
}

/// A program's bytes with some of them replaced.
pub fn patched(mut bytes: Vec<u8>, at: usize, new: &[u8]) -> Vec<u8> {
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}
