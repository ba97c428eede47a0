//! ELF files: what a loader needs of their headers.
//!
//! Parsing the formats is goblin's work; this module decides what rvrun can
//! run, and bounds everything that a hostile file could inflate.

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS32, ELFCLASS64, ELFDATA2LSB, ELFMAG};
use goblin::elf::header::{EM_RISCV, EM_X86_64, ET_DYN, ET_EXEC, Header, SIZEOF_IDENT};
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_PHDR};
use goblin::elf::{Elf, ProgramHeader};
use std::io;

/// Linux reads no more program headers than fit this many bytes (`elf_phdrs` in fs/binfmt_elf.c).
const MAX_PHDRS_BYTES: usize = 65536;
/// `PATH_MAX`: an interpreter's path cannot be longer.
const MAX_INTERP_BYTES: u64 = 4096;
/// End of user addresses with four-level page tables (sv48).
const TASK_SIZE: u64 = 1 << 47;
const PHDR_BYTES: usize = 56;
const HEADER_BYTES: usize = 64;

/// Random access to a file's bytes.
pub trait Source {
    /// Reads up to `buffer.len()` bytes at `offset`; fewer only at the end of the file.
    ///
    /// # Errors
    /// The host's.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// A file that is in memory.
impl Source for &[u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..)).unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// Why a file is not a program that rvrun can run.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// The host could not read it.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It does not begin with `\x7fELF`.
    #[error("not an ELF file{0}")]
    NotElf(&'static str),
    /// Its machine is another.
    #[error("built for {0}, not for RISC-V; rvrun runs riscv64 programs")]
    OtherMachine(String),
    /// A 32-bit RISC-V program.
    #[error("a 32-bit program; rvrun runs 64-bit ones (build it for riscv64)")]
    ThirtyTwoBit,
    /// Data is not little-endian.
    #[error("a big-endian program; rvrun runs little-endian ones")]
    BigEndian,
    /// Relocatable objects, core files and the like.
    #[error("{0}, not an executable; link it first")]
    NotExecutable(&'static str),
    /// Its headers contradict themselves or the file.
    #[error("malformed ELF file: {0}")]
    Malformed(&'static str),
}

impl ElfError {
    /// Whether the file could be read and is just nothing to run: exit status 126 rather than 125.
    pub fn is_not_runnable(&self) -> bool {
        !matches!(self, ElfError::Io(_))
    }
}

/// A `PT_LOAD` segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Address, relative to the load bias.
    pub vaddr: u64,
    /// Bytes in memory, at least `file_size`; what the file does not give is zero.
    pub mem_size: u64,
    /// Where its bytes stand in the file; congruent to `vaddr` modulo the page size.
    pub offset: u64,
    /// Bytes in the file.
    pub file_size: u64,
    /// May be read.
    pub readable: bool,
    /// May be written.
    pub writable: bool,
    /// May be executed.
    pub executable: bool,
}

/// What a loader needs to know of a program.
#[derive(Clone, Debug)]
pub struct Image {
    /// Whether it may be loaded anywhere (`ET_DYN`).
    pub position_independent: bool,
    /// Entry point, relative to the load bias.
    pub entry: u64,
    /// Its segments in ascending order; not empty, not overlapping.
    pub segments: Vec<Segment>,
    /// Path of the dynamic linker.
    pub interpreter: Option<Vec<u8>>,
    /// Address of the program headers relative to the load bias (`AT_PHDR`), 0 if no segment holds them.
    pub phdr_address: u64,
    /// Number of program headers.
    pub phdr_count: u16,
    /// Greatest alignment that a segment asks for: a power of two, at least the page size.
    pub alignment: u64,
    /// Whether `PT_GNU_STACK` asks for an executable stack.
    pub executable_stack: bool,
}

impl Image {
    /// Reads the headers of `source`.
    ///
    /// # Errors
    /// See [`ElfError`].
    pub fn parse(source: &impl Source) -> Result<Self, ElfError> {
        let header = parse_header(source)?;
        let phdrs = parse_program_headers(source, &header)?;
        let mut image = Image {
            position_independent: header.e_type == ET_DYN,
            entry: header.e_entry,
            segments: Vec::new(),
            interpreter: None,
            phdr_address: 0,
            phdr_count: header.e_phnum,
            alignment: PAGE,
            executable_stack: false,
        };
        for phdr in &phdrs {
            match phdr.p_type {
                PT_LOAD if phdr.p_memsz != 0 => {
                    image.segments.push(segment(phdr)?);
                    if phdr.p_align.is_power_of_two() && phdr.p_align < TASK_SIZE {
                        image.alignment = image.alignment.max(phdr.p_align);
                    }
                }
                PT_INTERP if image.interpreter.is_none() => {
                    image.interpreter = Some(read_interpreter(source, phdr)?);
                }
                PT_PHDR => image.phdr_address = phdr.p_vaddr,
                PT_GNU_STACK => image.executable_stack = phdr.p_flags & PF_X != 0,
                _ => {}
            }
        }
        check_layout(&image.segments)?;
        if image.phdr_address == 0 {
            image.phdr_address = address_of_offset(&image.segments, header.e_phoff);
        }
        Ok(image)
    }

    /// The page-aligned range of addresses that the segments span, relative to the load bias.
    pub fn span(&self) -> std::ops::Range<u64> {
        let start = self.segments.first().map_or(0, |s| s.vaddr & !(PAGE - 1));
        let end = self.segments.last().map_or(0, |s| s.vaddr + s.mem_size);
        start..end.next_multiple_of(PAGE)
    }
}

const PAGE: u64 = 4096;

fn parse_header(source: &impl Source) -> Result<Header, ElfError> {
    let mut bytes = [0; HEADER_BYTES];
    let n = source.read_at(0, &mut bytes)?;
    if n == 0 {
        return Err(ElfError::Empty);
    }
    if !bytes.starts_with(ELFMAG) {
        return Err(ElfError::NotElf(match &bytes[..n] {
            [b'#', b'!', ..] => " but a script",
            [0xff, 0xd8, ..] | [0x89, b'P', b'N', b'G', ..] => " but an image",
            [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] => " but an archive",
            _ => "",
        }));
    }
    if n < SIZEOF_IDENT + 4 {
        return Err(ElfError::Malformed("it ends within its header"));
    }
    let machine = u16::from_le_bytes([bytes[18], bytes[19]]);
    if bytes[EI_DATA] != ELFDATA2LSB {
        return Err(ElfError::BigEndian);
    }
    if machine != EM_RISCV {
        return Err(ElfError::OtherMachine(machine_name(machine)));
    }
    match bytes[EI_CLASS] {
        ELFCLASS64 => {}
        ELFCLASS32 => return Err(ElfError::ThirtyTwoBit),
        _ => return Err(ElfError::Malformed("its class is neither 32 nor 64 bits")),
    }
    if n < HEADER_BYTES {
        return Err(ElfError::Malformed("it ends within its header"));
    }
    let header = Elf::parse_header(&bytes)
        .map_err(|_| ElfError::Malformed("its header cannot be parsed"))?;
    match header.e_type {
        ET_EXEC | ET_DYN => Ok(header),
        1 => Err(ElfError::NotExecutable("a relocatable object")),
        4 => Err(ElfError::NotExecutable("a core file")),
        _ => Err(ElfError::NotExecutable("an ELF file of unknown type")),
    }
}

fn machine_name(machine: u16) -> String {
    match machine {
        EM_X86_64 => "x86-64".into(),
        3 => "x86".into(),
        40 => "Arm".into(),
        183 => "AArch64".into(),
        other => goblin::elf::header::machine_to_str(other).into(),
    }
}

fn parse_program_headers(
    source: &impl Source,
    header: &Header,
) -> Result<Vec<ProgramHeader>, ElfError> {
    let count = usize::from(header.e_phnum);
    if usize::from(header.e_phentsize) != PHDR_BYTES {
        return Err(ElfError::Malformed("its program headers have an unknown size"));
    }
    if count == 0 || count * PHDR_BYTES > MAX_PHDRS_BYTES {
        return Err(ElfError::Malformed("it has no program headers, or too many"));
    }
    let mut bytes = vec![0; count * PHDR_BYTES];
    if source.read_at(header.e_phoff, &mut bytes)? < bytes.len() {
        return Err(ElfError::Malformed("it ends within its program headers"));
    }
    ProgramHeader::parse(&bytes, 0, count, Ctx::new(Container::Big, Endian::Little))
        .map_err(|_| ElfError::Malformed("its program headers cannot be parsed"))
}

fn segment(phdr: &ProgramHeader) -> Result<Segment, ElfError> {
    if phdr.p_filesz > phdr.p_memsz {
        return Err(ElfError::Malformed("a segment has more bytes in the file than in memory"));
    }
    let end = phdr.p_vaddr.checked_add(phdr.p_memsz).filter(|end| *end <= TASK_SIZE - PAGE);
    if end.is_none() {
        return Err(ElfError::Malformed("a segment reaches past the end of user addresses"));
    }
    if phdr.p_offset.checked_add(phdr.p_filesz).is_none_or(|end| end > i64::MAX as u64) {
        return Err(ElfError::Malformed("a segment lies outside of any file"));
    }
    if phdr.p_filesz != 0 && phdr.p_offset % PAGE != phdr.p_vaddr % PAGE {
        return Err(ElfError::Malformed("a segment's address and file offset do not agree"));
    }
    Ok(Segment {
        vaddr: phdr.p_vaddr,
        mem_size: phdr.p_memsz,
        offset: phdr.p_offset,
        file_size: phdr.p_filesz,
        readable: phdr.p_flags & PF_R != 0,
        writable: phdr.p_flags & PF_W != 0,
        executable: phdr.p_flags & PF_X != 0,
    })
}

fn read_interpreter(source: &impl Source, phdr: &ProgramHeader) -> Result<Vec<u8>, ElfError> {
    if !(2..=MAX_INTERP_BYTES).contains(&phdr.p_filesz) {
        return Err(ElfError::Malformed("the path of its dynamic linker is empty or too long"));
    }
    let mut path = vec![0; phdr.p_filesz as usize];
    if source.read_at(phdr.p_offset, &mut path)? < path.len() {
        return Err(ElfError::Malformed("it ends within the path of its dynamic linker"));
    }
    if path.pop() != Some(0) {
        return Err(ElfError::Malformed("the path of its dynamic linker has no end"));
    }
    path.truncate(path.iter().position(|b| *b == 0).unwrap_or(path.len()));
    Ok(path)
}

fn check_layout(segments: &[Segment]) -> Result<(), ElfError> {
    if segments.is_empty() {
        return Err(ElfError::Malformed("it has nothing to load"));
    }
    for pair in segments.windows(2) {
        if pair[0].vaddr + pair[0].mem_size > pair[1].vaddr {
            return Err(ElfError::Malformed("its segments overlap or are not in order"));
        }
    }
    Ok(())
}

fn address_of_offset(segments: &[Segment], offset: u64) -> u64 {
    segments
        .iter()
        .find(|s| (s.offset..s.offset + s.file_size).contains(&offset))
        .map_or(0, |s| offset - s.offset + s.vaddr)
}
