//! A hart with a little memory for programs in assembly. In the tests of host code, all of
//! it is executed as such.

use rvrun_hart::Hart;
use rvrun_host::fault;
use rvrun_interp::{Interpreter, Stop, Warm};
use rvrun_isa::{Extensions, assemble, encode};
use rvrun_memory::{AddressSpace, access};
use std::sync::Arc;

pub const READ: i32 = 1;
pub const WRITE: i32 = 2;
pub const EXEC: i32 = 4;
const PRIVATE_ANONYMOUS: i32 = 0x22;
pub const CODE_BYTES: u64 = 64 << 10;

/// Whether blocks get host code at once.
pub fn has_host_code() -> bool {
    env!("CARGO_CRATE_NAME") == "baseline"
}

/// An interpreter, of which the tests of host code have all blocks get that at once.
pub fn interpreter(space: Arc<AddressSpace>) -> Interpreter {
    let mut interpreter = Interpreter::new(space, Extensions::ALL);
    if has_host_code() {
        interpreter.set_warm(Warm::AtOnce);
    }
    interpreter
}

pub struct Guest {
    pub space: Arc<AddressSpace>,
    pub interpreter: Interpreter,
    pub hart: Hart,
    pub code: u64,
}

impl Guest {
    pub fn new(lines: &[&str]) -> Self {
        fault::install().unwrap();
        let space = Arc::new(AddressSpace::new());
        let prot = READ | WRITE | EXEC;
        let code = space.mmap(0, CODE_BYTES, prot, PRIVATE_ANONYMOUS, -1, 0, None).unwrap();
        let interpreter = interpreter(space.clone());
        let mut hart = Hart::new();
        hart.pc = code;
        let guest = Self { space, interpreter, hart, code };
        guest.write(0, lines);
        guest
    }

    /// Puts code at an offset, and returns the offset behind it.
    pub fn write(&self, offset: u64, lines: &[&str]) -> u64 {
        let mut at = self.code + offset;
        for line in lines {
            let instruction = assemble(line).unwrap_or_else(|e| panic!("{line}: {e}"));
            let bits = encode(&instruction).unwrap().to_le_bytes();
            access::copy_out(at, &bits[..instruction.len.into()]).unwrap();
            at += u64::from(instruction.len);
        }
        at - self.code
    }

    pub fn run(&mut self) -> Stop {
        self.interpreter.run(&mut self.hart)
    }

    pub fn offset(&self) -> u64 {
        self.hart.pc - self.code
    }
}
