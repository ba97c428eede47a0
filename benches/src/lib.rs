//! Runs a kernel (`kernels/`) on an engine alone: no Linux but the few calls
//! that kernels make, so that what is measured is the engine.

#![forbid(unsafe_code)]

mod engine;

pub use engine::{ENGINES, Engine};

use rvrun::Event;
use rvrun_decoder::elf::Image;
use rvrun_hart::Hart;
use rvrun_host::fault;
use rvrun_memory::{AddressSpace, access};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// `PROT_READ`, `PROT_WRITE` and `PROT_EXEC`.
const PROTECTIONS: [i32; 3] = [1, 2, 4];
/// `MAP_PRIVATE | MAP_ANONYMOUS`.
const PRIVATE_ANONYMOUS: i32 = 0x22;
/// `MAP_FIXED_NOREPLACE`.
const FIXED: i32 = 0x10_0000;
const PAGE: u64 = 4096;
const STACK_BYTES: u64 = 256 << 10;
/// riscv64's system calls.
const WRITE: u64 = 64;
const EXIT: u64 = 93;
const MMAP: u64 = 222;
const RISCV_FLUSH_ICACHE: u64 = 259;

/// A kernel's ELF file.
pub struct Kernel {
    bytes: Vec<u8>,
    image: Image,
}

/// What a kernel did until it exited.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// All that it wrote.
    pub output: Vec<u8>,
    /// Its exit status.
    pub status: u64,
    /// Instructions that it retired; the interpreter alone counts them.
    pub instructions: u64,
}

impl Kernel {
    /// Reads the kernel called `name`.
    ///
    /// # Errors
    /// When there is no such kernel or its file is no program.
    pub fn open(name: &str) -> io::Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels").join(name);
        let bytes = std::fs::read(path)?;
        let image = Image::parse(&bytes.as_slice()).map_err(io::Error::other)?;
        Ok(Self { bytes, image })
    }

    /// Loads the kernel and runs it to its end on `engine`, with `rounds` as its argument.
    ///
    /// # Panics
    /// When the kernel cannot be loaded or does not exit: it is broken, or the engine is.
    pub fn run(&self, engine: &Engine, rounds: u64) -> Outcome {
        fault::install().expect("the handler for memory faults");
        let guest = Guest::load(self, rounds);
        guest.run(engine)
    }
}

/// A loaded kernel; its memory is given back when it is dropped.
struct Guest {
    space: Arc<AddressSpace>,
    mapped: Vec<(u64, u64)>,
    hart: Hart,
}

impl Guest {
    fn load(kernel: &Kernel, rounds: u64) -> Self {
        let mut guest =
            Self { space: Arc::new(AddressSpace::new()), mapped: Vec::new(), hart: Hart::new() };
        assert!(!kernel.image.position_independent, "kernels are linked to fixed addresses");
        for segment in &kernel.image.segments {
            let start = segment.vaddr & !(PAGE - 1);
            let end = (segment.vaddr + segment.mem_size).next_multiple_of(PAGE);
            guest.map(start, end - start, PROTECTIONS[0] | PROTECTIONS[1], FIXED);
            let from = segment.offset as usize;
            let bytes = &kernel.bytes[from..from + segment.file_size as usize];
            access::copy_out(segment.vaddr, bytes).expect("the segment was just mapped");
            let allowed = [segment.readable, segment.writable, segment.executable];
            let protection =
                PROTECTIONS.iter().zip(allowed).filter(|(_, a)| *a).map(|(bit, _)| bit).sum();
            guest.space.mprotect(start, end - start, protection).expect("pages of the guest");
        }
        let stack = guest.map(0, STACK_BYTES, PROTECTIONS[0] | PROTECTIONS[1], 0);
        guest.hart.x[2] = lay_out_arguments(stack + STACK_BYTES, rounds);
        guest.hart.pc = kernel.image.entry;
        guest
    }

    fn map(&mut self, addr: u64, len: u64, protection: i32, flags: i32) -> u64 {
        let flags = flags | PRIVATE_ANONYMOUS;
        let mapped = self.space.mmap(addr, len, protection, flags, -1, 0, None);
        let mapped = mapped.unwrap_or_else(|errno| panic!("cannot map {addr:#x}: {errno:?}"));
        self.mapped.push((mapped, len));
        mapped
    }

    fn run(mut self, engine: &Engine) -> Outcome {
        let mut engines = engine.start(self.space.clone(), self.hart.clone());
        let mut output = Vec::new();
        loop {
            let event = engines.run();
            let hart = engines.hart();
            assert_eq!(event, Event::Syscall, "at {:#x}", hart.pc);
            let [a0, a1, a2] = [10, 11, 12].map(|r| hart.x[r]);
            match hart.x[17] {
                WRITE => {
                    let mut written = vec![0; a2 as usize];
                    access::copy_in(a1, &mut written).expect("memory of the guest");
                    output.extend(written);
                    hart.x[10] = a2;
                }
                EXIT => {
                    return Outcome { output, status: a0, instructions: hart.instret };
                }
                MMAP => {
                    let [protection, flags] = [a2, hart.x[13]].map(|argument| argument as i32);
                    assert_eq!((a0, flags), (0, PRIVATE_ANONYMOUS), "what kernels ask for");
                    hart.x[10] = self.map(a0, a1, protection, 0);
                }
                RISCV_FLUSH_ICACHE => {
                    self.space.invalidate_code(a0, a1);
                    hart.x[10] = 0;
                }
                other => panic!("kernels do not make system call {other}"),
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        for (addr, len) in self.mapped.drain(..) {
            self.space.munmap(addr, len).expect("pages of the guest");
        }
    }
}

/// Puts argc, argv and the argument itself below `top`; returns the stack pointer.
fn lay_out_arguments(top: u64, rounds: u64) -> u64 {
    let text = format!("{rounds}\0");
    let argument = top - 32;
    let pointer = top - 96;
    let words = [2, argument, argument, 0, 0, 0];
    let bytes: Vec<u8> = words.iter().flat_map(|word: &u64| word.to_le_bytes()).collect();
    access::copy_out(pointer, &bytes).expect("the stack was just mapped");
    access::copy_out(argument, text.as_bytes()).expect("the stack was just mapped");
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_print_a_checksum_and_more_rounds_take_more_instructions() {
        let kernel = Kernel::open("crc32").unwrap();
        let engine = &ENGINES[0];
        let [one, two] = [1, 2].map(|rounds| kernel.run(engine, rounds));
        assert_eq!(one.status, 0);
        assert_eq!(one.output.len(), 17);
        assert!(two.instructions > one.instructions + 100_000);
        assert_ne!(one.output, two.output);
        assert_eq!(kernel.run(engine, 1), one);
    }
}
