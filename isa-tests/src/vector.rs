//! A parsed line.

use crate::{AccessCause, AccessKind, Layout, State, Symbol, Trap, Value};
use rvrun_isa::Opcode;

/// An instruction of a vector's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// As written in the line.
    pub text: String,
    /// Its bits.
    pub bits: u32,
    /// Its bytes: 2 or 4.
    pub len: u8,
    /// The row of the instruction table; none for raw bits.
    pub opcode: Option<Opcode>,
}

/// A place that a vector sets or compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Integer register.
    X(u8),
    /// Floating-point register.
    F(u8),
    /// Dynamic rounding mode.
    Frm,
    /// Accrued exception flags.
    Fflags,
    /// Bytes of the data page: how many, and where.
    Memory(u8, Value),
    /// Where execution went.
    Pc,
}

/// `PLACE=VALUE`; without a value if any will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// What has the value.
    pub place: Place,
    /// The value, or `None` for `*`.
    pub value: Option<Value>,
}

/// An exception, with the address as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedTrap {
    /// One without an address.
    Plain(Trap),
    /// A refused access.
    Access(AccessKind, AccessCause, Value),
}

/// What a line expects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct After {
    /// Places that have changed.
    pub changes: Vec<Assignment>,
    /// The exception that ended execution.
    pub trap: Option<ExpectedTrap>,
}

/// A line: code, what is set before, what is expected after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// The instructions.
    pub code: Vec<Code>,
    /// What is set before.
    pub before: Vec<Assignment>,
    /// What is expected; `None` if nobody has said yet.
    pub after: Option<After>,
    /// Whether the expectation is the manual's and must not be compared with QEMU.
    pub by_manual: bool,
}

impl Vector {
    /// The code's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.code.iter().flat_map(|c| c.bits.to_le_bytes().into_iter().take(c.len.into())).collect()
    }

    /// The state before.
    pub fn before(&self, layout: Layout) -> State {
        let mut state = State::unset(layout);
        for assignment in &self.before {
            set(&mut state, assignment, layout);
        }
        state
    }

    /// The state after. Places whose value does not matter have it from `got`.
    ///
    /// `None` if the line has no expectation.
    pub fn expected(&self, layout: Layout, got: &State) -> Option<State> {
        let after = self.after.as_ref()?;
        let mut state = self.before(layout);
        state.trap = after.trap.map(|trap| match trap {
            ExpectedTrap::Plain(trap) => trap,
            ExpectedTrap::Access(kind, cause, addr) => {
                Trap::Access { kind, cause, addr: addr.resolve(layout) }
            }
        });
        state.pc = self.usual_pc(layout, state.trap.is_some());
        for assignment in &after.changes {
            if assignment.value.is_some() {
                set(&mut state, assignment, layout);
                continue;
            }
            match assignment.place {
                Place::X(n) => state.x[usize::from(n)] = got.x[usize::from(n)],
                Place::F(n) => state.f[usize::from(n)] = got.f[usize::from(n)],
                _ => {}
            }
        }
        Some(state)
    }

    /// The `pc` that AFTER need not mention.
    pub fn usual_pc(&self, layout: Layout, traps: bool) -> u64 {
        let executed = if traps { self.code.len() - 1 } else { self.code.len() };
        let bytes: u64 = self.code[..executed].iter().map(|c| u64::from(c.len)).sum();
        layout.address(Symbol::Code) + bytes
    }
}

fn set(state: &mut State, assignment: &Assignment, layout: Layout) {
    let Some(value) = assignment.value else { return };
    let bits = value.resolve(layout);
    match assignment.place {
        Place::X(n) => state.x[usize::from(n)] = bits,
        Place::F(n) => state.f[usize::from(n)] = bits,
        Place::Frm => state.frm = bits as u8,
        Place::Fflags => state.fflags = bits as u8,
        Place::Pc => state.pc = bits,
        Place::Memory(width, addr) => {
            let addr = addr.resolve(layout);
            let Some(offset) = layout.data_offset(addr, width.into()) else { return };
            let bytes = bits.to_le_bytes();
            let width = usize::from(width);
            state.data[offset..offset + width].copy_from_slice(&bytes[..width]);
        }
    }
}
