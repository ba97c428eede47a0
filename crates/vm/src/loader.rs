//! Maps a program and its dynamic linker into the guest's address space.

use crate::error::Error;
use crate::file::ProgramFile;
use rvrun_decoder::elf::Segment;
use rvrun_memory::{AddressSpace, Errno, GuestAddr, access};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;

const PAGE: u64 = 4096;

/// `PROT_*` and `MAP_*` of `mmap(2)`, equal on both architectures.
mod map {
    pub const READ: i32 = 1;
    pub const WRITE: i32 = 2;
    pub const EXEC: i32 = 4;
    pub const PRIVATE: i32 = 0x02;
    pub const FIXED: i32 = 0x10;
    pub const ANONYMOUS: i32 = 0x20;
    pub const NORESERVE: i32 = 0x4000;
    pub const STACK: i32 = 0x2_0000;
    pub const FIXED_NOREPLACE: i32 = 0x10_0000;
}

/// Position-independent programs go to two thirds of the sv39 address space, as
/// Linux places them, which leaves their heap room to grow.
const PROGRAM_BASE: u64 = 0x2a_aaaa_a000;
/// Pages by which a program's place and its heap's vary (`mmap_rnd_bits` of sv39 is 24).
const PROGRAM_RANDOM_PAGES: u64 = 1 << 24;
const HEAP_RANDOM_PAGES: u64 = 1 << 13;
/// Linux keeps as much free below a stack.
const STACK_GUARD: u64 = 256 * PAGE;

/// Where a file was loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Added to the file's addresses.
    pub bias: u64,
    /// Entry point.
    pub entry: GuestAddr,
    /// The program headers.
    pub phdr: GuestAddr,
    /// The end of the last segment.
    pub end: GuestAddr,
    /// Its code, by the segments that may be executed.
    pub code: Range<GuestAddr>,
    /// Its data, by the segments that are last.
    pub data: Range<GuestAddr>,
}

/// Gives random numbers of pages, or always 0 with randomisation off.
pub type RandomPages<'a> = dyn FnMut(u64) -> u64 + 'a;

/// Maps the program; a position-independent one somewhere in the range for programs.
pub fn load_program(
    space: &AddressSpace,
    program: &ProgramFile,
    random: &mut RandomPages<'_>,
) -> Result<Loaded, Error> {
    let image = &program.image;
    if !image.position_independent {
        return load(space, program, 0);
    }
    let wanted = PROGRAM_BASE + random(PROGRAM_RANDOM_PAGES) * PAGE;
    load(space, program, wanted.next_multiple_of(image.alignment).wrapping_sub(image.span().start))
        .or_else(|_| load_anywhere(space, program))
}

/// Maps a dynamic linker where the host's kernel finds room.
pub fn load_anywhere(space: &AddressSpace, program: &ProgramFile) -> Result<Loaded, Error> {
    let image = &program.image;
    let span = image.span();
    if let Some(first) = first_mapping(program).filter(|_| image.alignment == PAGE) {
        let start = map_first(space, program, first, 0, span.end - span.start, 0)
            .map_err(|errno| no_room(&program.path, errno))?;
        return load_into(space, program, start.wrapping_sub(span.start), true);
    }
    // Room enough to find an aligned place in.
    let room = (span.end - span.start).saturating_add(image.alignment - PAGE);
    let anonymous = map::PRIVATE | map::ANONYMOUS | map::NORESERVE;
    let found = space
        .mmap(0, room, 0, anonymous, -1, 0, None)
        .map_err(|errno| no_room(&program.path, errno))?;
    let start = found.next_multiple_of(image.alignment);
    let end = start + (span.end - span.start);
    for (from, to) in [(found, start), (end, found + room)] {
        if from < to {
            space.munmap(from, to - from).map_err(|errno| no_room(&program.path, errno))?;
        }
    }
    load_into(space, program, start.wrapping_sub(span.start), false)
}

/// The first segment, if all of a program's place may be mapped as that is: the others take theirs of
/// it then, and the place need not be reserved before.
fn first_mapping(program: &ProgramFile) -> Option<&Segment> {
    let first = program.image.segments.first();
    // What is to be written counts as memory that may be needed.
    first.filter(|segment| segment.file_size != 0 && !segment.writable)
}

/// Maps so many bytes as the first segment is, from the file.
fn map_first(
    space: &AddressSpace,
    program: &ProgramFile,
    first: &Segment,
    start: GuestAddr,
    len: u64,
    flags: i32,
) -> Result<GuestAddr, Errno> {
    let (fd, offset) = (program.file.as_raw_fd(), first.offset - first.vaddr % PAGE);
    space.mmap(start, len, protection(first), map::PRIVATE | flags, fd, offset, Some(name(program)))
}

fn name(program: &ProgramFile) -> Arc<str> {
    program.path.to_string_lossy().into()
}

fn load(space: &AddressSpace, program: &ProgramFile, bias: u64) -> Result<Loaded, Error> {
    let image = &program.image;
    let span = image.span();
    let (start, len) = (span.start.wrapping_add(bias), span.end - span.start);
    // All of it first: the segments then replace only what is the guest's.
    let first = first_mapping(program);
    let mapped = match first {
        Some(first) => map_first(space, program, first, start, len, map::FIXED_NOREPLACE),
        None => {
            let reserve = map::PRIVATE | map::ANONYMOUS | map::NORESERVE | map::FIXED_NOREPLACE;
            space.mmap(start, len, 0, reserve, -1, 0, None)
        }
    };
    mapped.map_err(|errno| match errno.0 {
        libc::EEXIST => Error::NotRunnable {
            path: program.path.clone(),
            why: format!(
                "rvrun itself has memory between {start:#x} and {:#x}, where the program is \
                 linked to; link it elsewhere, or position-independent (-static-pie)",
                start + len
            ),
        },
        _ => no_room(&program.path, errno),
    })?;
    load_into(space, program, bias, first.is_some())
}

/// Maps a program where room is reserved for it, with the first segment's part of the file if that
/// `is_mapped`.
fn load_into(
    space: &AddressSpace,
    program: &ProgramFile,
    bias: u64,
    mut is_mapped: bool,
) -> Result<Loaded, Error> {
    let image = &program.image;
    let span = image.span();
    let (start, len) = (span.start.wrapping_add(bias), span.end - span.start);
    let name = name(program);
    let mut mapped_to = start;
    for segment in &image.segments {
        let segment = Segment { vaddr: segment.vaddr.wrapping_add(bias), ..*segment };
        let file = (!std::mem::take(&mut is_mapped)).then_some(&program.file);
        load_segment(space, file, &segment, &name).map_err(|errno| {
            let _ = space.munmap(start, len);
            no_room(&program.path, errno)
        })?;
        let from = segment.vaddr & !(PAGE - 1);
        unmap_gap(space, mapped_to, from);
        mapped_to = (segment.vaddr + segment.mem_size).next_multiple_of(PAGE);
    }
    Ok(Loaded {
        bias,
        entry: image.entry.wrapping_add(bias),
        phdr: image.phdr_address.wrapping_add(bias),
        end: span.end.wrapping_add(bias),
        code: code(&image.segments, bias),
        data: data(&image.segments, bias),
    })
}

/// What the kernel calls a program's code (`load_elf_binary`).
fn code(segments: &[Segment], bias: u64) -> Range<GuestAddr> {
    let code = segments.iter().filter(|segment| segment.executable);
    let start = code.clone().map(|segment| segment.vaddr).min().unwrap_or(0);
    let end = code.map(|segment| segment.vaddr + segment.file_size).max().unwrap_or(0);
    start.wrapping_add(bias)..end.wrapping_add(bias)
}

/// What the kernel calls its data.
fn data(segments: &[Segment], bias: u64) -> Range<GuestAddr> {
    let start = segments.iter().map(|segment| segment.vaddr).max().unwrap_or(0);
    let end = segments.iter().map(|segment| segment.vaddr + segment.file_size).max().unwrap_or(0);
    start.wrapping_add(bias)..end.wrapping_add(bias)
}

/// Gives back what the reservation has between two segments.
fn unmap_gap(space: &AddressSpace, from: u64, to: u64) {
    if from < to {
        // A reservation that stays is harmless: nothing can be reached through it.
        let _ = space.munmap(from, to - from);
    }
}

/// Maps a segment; that is, what it has of `file`, unless that is there, and the zeroes behind it.
fn load_segment(
    space: &AddressSpace,
    file: Option<&File>,
    segment: &Segment,
    name: &Arc<str>,
) -> Result<(), Errno> {
    let protection = protection(segment);
    let start = segment.vaddr & !(PAGE - 1);
    let file_end = segment.vaddr + segment.file_size;
    let end = (segment.vaddr + segment.mem_size).next_multiple_of(PAGE);
    let file_pages_end = file_end.next_multiple_of(PAGE);
    if let Some(file) = file.filter(|_| segment.file_size != 0) {
        let offset = segment.offset - segment.vaddr % PAGE;
        let flags = map::PRIVATE | map::FIXED;
        let len = file_pages_end - start;
        space.mmap(start, len, protection, flags, file.as_raw_fd(), offset, Some(name.clone()))?;
    }
    let zero_from = if segment.file_size == 0 { start } else { file_pages_end };
    if zero_from < end {
        let flags = map::PRIVATE | map::FIXED | map::ANONYMOUS;
        space.mmap(zero_from, end - zero_from, protection, flags, -1, 0, None)?;
    }
    if segment.mem_size > segment.file_size && file_end < zero_from {
        // The file's last page goes on with whatever the file has there. It becomes
        // zero to its end, past the segment's: glibc's dynamic linker takes its first
        // memory from there. A segment that may not be written keeps it, as under Linux.
        if segment.writable {
            access::zero(file_end, (zero_from - file_end) as usize).map_err(|_| Errno(EFAULT))?;
        }
    }
    Ok(())
}

const EFAULT: i32 = 14;

fn protection(segment: &Segment) -> i32 {
    let mut protection = 0;
    for (allowed, bit) in [
        (segment.readable, map::READ),
        (segment.writable, map::WRITE),
        (segment.executable, map::EXEC),
    ] {
        if allowed {
            protection |= bit;
        }
    }
    protection
}

fn no_room(path: &Path, errno: Errno) -> Error {
    Error::Host {
        what: format!("cannot map {} into memory", path.display()),
        source: io::Error::from_raw_os_error(errno.0),
    }
}

/// The first address of the heap.
pub fn heap_start(program: &Loaded, random: &mut RandomPages<'_>) -> GuestAddr {
    program.end + random(HEAP_RANDOM_PAGES) * PAGE
}

/// Maps a stack of `size` bytes and returns the address behind its end.
pub fn map_stack(space: &AddressSpace, size: u64, executable: bool) -> Result<GuestAddr, Error> {
    let failed = |errno: Errno| Error::Host {
        what: format!("cannot map a stack of {size} bytes (ulimit -s sets its size)"),
        source: io::Error::from_raw_os_error(errno.0),
    };
    let anonymous = map::PRIVATE | map::ANONYMOUS | map::NORESERVE;
    let base = space.mmap(0, size + STACK_GUARD, 0, anonymous, -1, 0, None).map_err(failed)?;
    let protection = map::READ | map::WRITE | if executable { map::EXEC } else { 0 };
    let flags = anonymous | map::FIXED | map::STACK;
    let bottom = base + STACK_GUARD;
    space.mmap(bottom, size, protection, flags, -1, 0, Some("[stack]".into())).map_err(failed)?;
    Ok(bottom + size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rvrun_decoder::elf::Image;

    /// The bytes from the end of a segment's file part to the end of its page.
    fn tail(writable: bool, mem_size: u64) -> Vec<u8> {
        const FILE_SIZE: u64 = 0x100;
        rvrun_host::fault::install().unwrap();
        let path = std::env::temp_dir()
            .join(format!("rvrun-loader-{}-{writable}-{mem_size}", std::process::id()));
        std::fs::write(&path, [0xff; PAGE as usize]).unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let segment = Segment {
            vaddr: 0,
            mem_size,
            offset: 0,
            file_size: FILE_SIZE,
            readable: true,
            writable,
            executable: false,
        };
        let image = Image {
            position_independent: true,
            entry: 0,
            segments: vec![segment],
            interpreter: None,
            phdr_address: 0,
            phdr_count: 1,
            alignment: PAGE,
            executable_stack: false,
        };
        let space = AddressSpace::new();
        let loaded =
            load_anywhere(&space, &ProgramFile { path, file, image, is_direct: false }).unwrap();
        let mut bytes = vec![0; (PAGE - FILE_SIZE) as usize];
        access::copy_in(loaded.bias + FILE_SIZE, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_writable_segments_last_page_is_zero_behind_its_file_part() {
        assert!(tail(true, 0x200).iter().all(|byte| *byte == 0));
        // Without anything to zero, and where nothing may be written, the file shows.
        assert!(tail(true, 0x100).iter().all(|byte| *byte == 0xff));
        assert!(tail(false, 0x200).iter().all(|byte| *byte == 0xff));
    }
}
