//! Engines that run a small program on a page of data.

use rvrun::{Engine, Engines, Event, Extensions, Tiers, Translation};
use rvrun_hart::{Hart, Trap};
use rvrun_host::fault;
use rvrun_interp::{Interpreter, Stop, Warm};
use rvrun_isa::{assemble, encode};
use rvrun_memory::{AddressSpace, GuestAddr, access};
use std::sync::Arc;

const CODE_BYTES: u64 = 4096;
const DATA_BYTES: u64 = 32 << 10;

/// Something that runs programs which end with a breakpoint.
pub trait Runner {
    /// The memory.
    fn memory(&self) -> &Memory;

    /// Runs a hart to its breakpoint.
    fn run(&mut self, hart: Hart) -> Hart;

    /// Puts a program into memory; gives its address.
    fn load(&mut self, lines: &[String]) -> GuestAddr {
        let memory = self.memory();
        let mut bytes = Vec::new();
        for line in lines {
            let instruction = assemble(line).unwrap_or_else(|error| panic!("{line}: {error:?}"));
            let bits = encode(&instruction).unwrap_or_else(|| panic!("{line} has no encoding"));
            bytes.extend(bits.to_le_bytes());
        }
        access::copy_out(memory.code, &bytes).unwrap();
        memory.space.invalidate_code(memory.code, memory.code + CODE_BYTES);
        memory.code
    }

    /// Where the data is.
    fn data(&self) -> GuestAddr {
        self.memory().data
    }

    /// Puts words there.
    fn write(&mut self, words: &[u64]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        access::copy_out(self.data(), &bytes).unwrap();
    }

    /// Takes `count` words from there.
    fn read(&self, count: usize) -> Vec<u64> {
        let mut bytes = vec![0; 8 * count];
        access::copy_in(self.data(), &mut bytes).unwrap();
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        bytes.chunks_exact(8).map(word).collect()
    }
}

/// A page of code, and data.
pub struct Memory {
    space: Arc<AddressSpace>,
    code: GuestAddr,
    data: GuestAddr,
}

impl Memory {
    fn new() -> Self {
        fault::install().unwrap();
        let space = Arc::new(AddressSpace::new());
        let map = |len, prot| {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            space.mmap(0, len, prot, flags, -1, 0, None).unwrap()
        };
        let read_write = libc::PROT_READ | libc::PROT_WRITE;
        let (code, data) =
            (map(CODE_BYTES, read_write | libc::PROT_EXEC), map(DATA_BYTES, read_write));
        Self { space, code, data }
    }
}

struct Interpreted {
    memory: Memory,
    interpreter: Interpreter,
}

impl Interpreted {
    fn new(warm: Warm) -> Self {
        let memory = Memory::new();
        let mut interpreter = Interpreter::new(memory.space.clone(), Extensions::ALL);
        interpreter.set_warm(warm);
        Self { memory, interpreter }
    }
}

impl Runner for Interpreted {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn run(&mut self, mut hart: Hart) -> Hart {
        let stop = self.interpreter.run(&mut hart);
        assert_eq!(stop, Stop::Trap(Trap::Breakpoint));
        hart
    }
}

struct Translated {
    memory: Memory,
    tiers: Tiers,
}

impl Translated {
    fn new() -> Self {
        let memory = Memory::new();
        let (extensions, engine) = (Extensions::ALL, Engine::Translator);
        let translation = Translation::default();
        let engines =
            Engines::new(memory.space.clone(), extensions, engine, &translation, None, false);
        Self { memory, tiers: Tiers::new(engines, Hart::new()) }
    }
}

impl Runner for Translated {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn run(&mut self, hart: Hart) -> Hart {
        *self.tiers.hart() = hart;
        assert_eq!(self.tiers.run(), Event::Trap(Trap::Breakpoint));
        self.tiers.hart().clone()
    }
}

/// Makes a runner.
type Make = fn() -> Box<dyn Runner>;

/// The engines.
pub const ENGINES: [(&str, Make); 3] = [
    ("interp", || Box::new(Interpreted::new(Warm::Never))),
    ("baseline", || Box::new(Interpreted::new(Warm::AtOnce))),
    ("jit", || Box::new(Translated::new())),
];
