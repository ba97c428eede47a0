//! Mutations of ELF files.

use crate::Random;
use rvrun_decoder::elf::{ElfError, Image};
use rvrun_decoder::symbols::Symbols;
use std::io;
use std::path::{Path, PathBuf};

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const SECTION_HEADER: usize = 64;
const PAGE: u64 = 4096;

/// The offset and width in bytes of a field.
type Field = (usize, usize);

/// `Elf64_Ehdr`, behind its magic number.
const HEADER_FIELDS: [Field; 18] = [
    (4, 1),
    (5, 1),
    (6, 1),
    (7, 1),
    (8, 1),
    (16, 2),
    (18, 2),
    (20, 4),
    (24, 8),
    (32, 8),
    (40, 8),
    (48, 4),
    (52, 2),
    (54, 2),
    (56, 2),
    (58, 2),
    (60, 2),
    (62, 2),
];
/// `Elf64_Phdr`.
const PROGRAM_FIELDS: [Field; 8] =
    [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8)];
/// `Elf64_Shdr`.
const SECTION_FIELDS: [Field; 10] =
    [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)];
const E_PHOFF: Field = (32, 8);
const E_SHOFF: Field = (40, 8);
const E_PHNUM: Field = (56, 2);
const E_SHNUM: Field = (60, 2);

/// The guest programs of the repository, built, in the order of their names.
///
/// # Errors
/// The host's.
pub fn programs() -> io::Result<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for directory in ["examples/guest", "benches/kernels"] {
        for entry in root.join(directory).read_dir()? {
            let path = entry?.path();
            if path.extension().is_none() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A copy of `file` with one mutation or a few.
pub fn mutated(file: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..1 + random.below(4) {
        mutate(&mut bytes, random);
    }
    bytes
}

/// One mutation; most are of what a loader reads.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.len() < HEADER {
        bytes.resize(HEADER, 0);
    }
    match random.below(32) {
        0..=6 => set_field(bytes, 0, random, &HEADER_FIELDS),
        7..=16 => {
            if let Some(at) = table_entry(bytes, random, E_PHOFF, E_PHNUM, PROGRAM_HEADER) {
                set_field(bytes, at, random, &PROGRAM_FIELDS);
            }
        }
        17 => {
            if let Some(at) = table_entry(bytes, random, E_SHOFF, E_SHNUM, SECTION_HEADER) {
                set_field(bytes, at, random, &SECTION_FIELDS);
            }
        }
        18..=20 => {
            let at = offset_in_headers(bytes, random);
            bytes[at] ^= 1 << random.below(8);
        }
        21..=22 => {
            let at = offset_in_headers(bytes, random);
            bytes[at] = random.number() as u8;
        }
        23 => bytes.truncate(random.below(bytes.len() + 1)),
        24 => bytes.truncate(random.below(HEADER + 12 * PROGRAM_HEADER).min(bytes.len())),
        25 => {
            let more = 1 + random.below(2 * PAGE as usize);
            bytes.extend((0..more).map(|_| random.number() as u8));
        }
        26..=27 => add_segment(bytes, random),
        28 => swap_segments(bytes, random),
        29 => splice(bytes, random),
        30 => {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        _ => {
            let (at, value) = (random.below(bytes.len()), random.number());
            let width = 8.min(bytes.len() - at);
            put(bytes, (at, width), value);
        }
    }
}

/// A place within the ELF header or the program headers, if those follow it.
fn offset_in_headers(bytes: &[u8], random: &mut Random) -> usize {
    let end = HEADER + PROGRAM_HEADER * get(bytes, E_PHNUM).min(16) as usize;
    random.below(end.min(bytes.len()))
}

/// The offset of some entry of a table of headers, if the file has it.
fn table_entry(
    bytes: &[u8],
    random: &mut Random,
    offset: Field,
    count: Field,
    size: usize,
) -> Option<usize> {
    let count = get(bytes, count) as usize;
    let start = usize::try_from(get(bytes, offset)).ok()?;
    let at = start.checked_add(size * random.below(count.max(1)))?;
    (at.checked_add(size)? <= bytes.len()).then_some(at)
}

/// Gives a field of the structure at `at` another value.
fn set_field(bytes: &mut [u8], at: usize, random: &mut Random, fields: &[Field]) {
    let (offset, width) = random.of(fields);
    let field = (at + offset, width);
    let value = another(get(bytes, field), bytes.len() as u64, random);
    put(bytes, field, value);
}

/// A value that is near the old one, or at one of the ends of what makes sense.
fn another(old: u64, file_len: u64, random: &mut Random) -> u64 {
    const USER_END: u64 = 1 << 47;
    match random.below(4) {
        0 => {
            let step = random.of(&[1, 2, 8, PAGE - 1, PAGE, PAGE + 1, 1 << 20, 1 << 32]);
            if random.once_in(2) { old.wrapping_add(step) } else { old.wrapping_sub(step) }
        }
        1 => old ^ 1 << random.below(64),
        2 => random.of(&[
            0,
            1,
            2,
            7,
            PAGE - 1,
            PAGE,
            0x7fff,
            0xffff,
            i32::MAX as u64,
            u32::MAX.into(),
            file_len,
            file_len.wrapping_sub(1),
            file_len + PAGE,
            USER_END - 2 * PAGE,
            USER_END - PAGE,
            USER_END - 1,
            USER_END,
            1 << 46,
            i64::MAX as u64,
            1 << 63,
            u64::MAX - PAGE + 1,
            u64::MAX,
        ]),
        _ => random.number() >> random.below(64),
    }
}

/// Moves the program headers to the end of the file and adds a copy of one, or of none.
fn add_segment(bytes: &mut Vec<u8>, random: &mut Random) {
    let Some(copied) = table_entry(bytes, random, E_PHOFF, E_PHNUM, PROGRAM_HEADER) else { return };
    let count = get(bytes, E_PHNUM);
    let start = get(bytes, E_PHOFF) as usize;
    let Some(table) = bytes.get(start..start + count as usize * PROGRAM_HEADER) else { return };
    let mut table = table.to_vec();
    let copy = bytes[copied..copied + PROGRAM_HEADER].to_vec();
    let copies = random.of(&[1, 1, 1, 2, 100, 1200]);
    let at = PROGRAM_HEADER * random.below(count as usize + 1);
    table.splice(at..at, copy.repeat(copies));
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let end = bytes.len() as u64;
    put(bytes, E_PHOFF, end);
    put(bytes, E_PHNUM, count + copies as u64);
    bytes.extend(table);
}

/// Exchanges two program headers, or puts one over the other.
fn swap_segments(bytes: &mut [u8], random: &mut Random) {
    let mut entry = || table_entry(bytes, random, E_PHOFF, E_PHNUM, PROGRAM_HEADER);
    let (Some(one), Some(other)) = (entry(), entry()) else { return };
    let copy = bytes[one..one + PROGRAM_HEADER].to_vec();
    if random.once_in(2) {
        bytes.copy_within(other..other + PROGRAM_HEADER, one);
    }
    bytes[other..other + PROGRAM_HEADER].copy_from_slice(&copy);
}

/// Copies some bytes to another place.
fn splice(bytes: &mut [u8], random: &mut Random) {
    let len = 1 + random.below(256.min(bytes.len()));
    let (from, to) = (random.below(bytes.len() - len + 1), random.below(bytes.len() - len + 1));
    bytes.copy_within(from..from + len, to);
}

/// The little-endian number in a field; 0 if the file does not reach there.
fn get(bytes: &[u8], (at, width): Field) -> u64 {
    let field = bytes.get(at..at + width).unwrap_or(&[]);
    field.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn put(bytes: &mut [u8], (at, width): Field, value: u64) {
    bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
}

/// Reads a file's headers, and looks for the symbol of its entry as a report would.
///
/// # Errors
/// The file is no program that rvrun can run.
///
/// # Panics
/// When the headers that were accepted break a promise of [`Image`].
pub fn examine(file: &[u8]) -> Result<(), ElfError> {
    // Reports look for symbols only in what could be loaded; but those of others are no less hostile.
    let entry = get(file, (24, 8));
    if let Some(symbol) = Symbols::read(file.to_vec()).at(entry) {
        assert!(symbol.offset <= entry, "{symbol:?} lies behind {entry:#x}");
    }
    let image = Image::parse(&file)?;
    assert!(!image.segments.is_empty(), "nothing to load");
    assert!(image.alignment.is_power_of_two() && image.alignment >= PAGE);
    let span = image.span();
    let mut end = span.start;
    for segment in &image.segments {
        assert!(segment.vaddr >= end, "{segment:x?} overlaps what ends at {end:#x}");
        assert!(segment.file_size <= segment.mem_size, "{segment:x?}");
        end = segment.vaddr + segment.mem_size;
    }
    assert!(end <= span.end && span.end < 1 << 47, "{span:x?}");
    Ok(())
}
