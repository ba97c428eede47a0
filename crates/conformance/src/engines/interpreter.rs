//! The interpreter, with host code or without.

use super::guest::{self, Guest};
use rvrun_interp::{Interpreter, Warm};
use rvrun_isa::Extensions;
use rvrun_isa_tests::{Engine, Layout, State, Symbol, Trap};

/// The interpreter, with the memory of a vector.
pub struct InterpreterEngine {
    guest: Guest,
    interpreter: Interpreter,
}

impl InterpreterEngine {
    /// An interpreter whose memory is its own: many can run at the same time.
    pub fn new(warm: Warm) -> Self {
        let guest = Guest::new();
        let mut interpreter = Interpreter::new(guest.space.clone(), Extensions::ALL);
        interpreter.set_warm(warm);
        Self { guest, interpreter }
    }
}

impl Engine for InterpreterEngine {
    fn layout(&self) -> Layout {
        self.guest.layout
    }

    fn run(&mut self, code: &[u8], before: &State) -> State {
        let start = self.guest.layout.address(Symbol::Code);
        self.guest.set(start, code, &before.data);
        let mut hart = guest::hart(before);
        let stop = self.interpreter.run(&mut hart);
        let mut trap = guest::trap(stop);
        match trap {
            Some(Trap::Ecall) => hart.pc -= 4,
            Some(Trap::Breakpoint) if !(start..start + code.len() as u64).contains(&hart.pc) => {
                trap = None;
            }
            _ => {}
        }
        self.guest.state(&hart, trap)
    }
}
