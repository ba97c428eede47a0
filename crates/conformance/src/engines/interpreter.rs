//! The interpreter, with host code or without.

use super::guest::{self, Guest};
use rvrun_interp::{Interpreter, Warm};
use rvrun_isa::{Extensions, Opcode, ROWS};
use rvrun_isa_tests::{Engine, Layout, State, Symbol, Trap};

/// The interpreter, with the memory of a vector.
pub struct InterpreterEngine {
    guest: Guest,
    interpreter: Interpreter,
    /// Whether control comes to all code for the first time, and nobody can write it.
    is_first: bool,
}

impl InterpreterEngine {
    /// An interpreter whose memory is its own: many can run at the same time.
    pub fn new(warm: Warm) -> Self {
        let guest = Guest::new();
        let mut interpreter = Interpreter::new(guest.space.clone(), Extensions::ALL);
        interpreter.set_warm(warm);
        Self { guest, interpreter, is_first: false }
    }

    /// One that has executed nothing yet when it comes to a vector, which it executes where it stands.
    pub fn first() -> Self {
        Self { is_first: true, ..Self::new(Warm::Never) }
    }
}

impl Engine for InterpreterEngine {
    fn layout(&self) -> Layout {
        self.guest.layout
    }

    /// Code that changes itself has to be writable.
    fn takes(&self, code: &[u8], _before: &State) -> bool {
        let fence = ROWS[Opcode::FenceI as usize].value.to_le_bytes();
        !self.is_first || !code.windows(fence.len()).any(|bytes| bytes == fence)
    }

    fn run(&mut self, code: &[u8], before: &State) -> State {
        let start = self.guest.layout.address(Symbol::Code);
        self.guest.set(start, code, &before.data);
        if self.is_first {
            self.guest.fix_code();
            self.interpreter = Interpreter::new(self.guest.space.clone(), Extensions::ALL);
        }
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
