//! The interpreter.

use rvrun_hart::{Hart, Trap as HartTrap};
use rvrun_host::fault;
use rvrun_interp::{Interpreter, Stop};
use rvrun_isa::Extensions;
use rvrun_isa_tests::{AccessCause, AccessKind, Engine, Layout, State, Symbol, Trap};
use rvrun_memory::{self as memory, AddressSpace, FaultCause, access};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const READ: i32 = 1;
const WRITE: i32 = 2;
const EXEC: i32 = 4;
const PRIVATE_ANONYMOUS_FIXED: i32 = 0x22 | 0x10_0000;

/// The interpreter, with the memory of a vector.
pub struct InterpreterEngine {
    space: Arc<AddressSpace>,
    interpreter: Interpreter,
    layout: Layout,
}

impl InterpreterEngine {
    /// An interpreter whose memory is its own: many can run at the same time.
    pub fn new() -> Self {
        static NEXT_BASE: AtomicU64 = AtomicU64::new(0x2_0000_0000);
        fault::install().expect("signal handlers can be installed");
        let layout = Layout { base: NEXT_BASE.fetch_add(0x100_0000, Ordering::Relaxed) };
        let space = Arc::new(AddressSpace::new());
        let map = |addr, len, prot| {
            space
                .mmap(addr, len, prot, PRIVATE_ANONYMOUS_FIXED, -1, 0, None)
                .expect("the host has not mapped this address");
        };
        map(layout.code_area(), Layout::CODE_BYTES, READ | WRITE | EXEC);
        map(layout.address(Symbol::Data), Layout::PAGE, READ | WRITE);
        let rom = layout.address(Symbol::Rom);
        map(rom, Layout::PAGE, READ | WRITE);
        write(rom, &[Layout::FILL; Layout::PAGE as usize]);
        space.mprotect(rom, Layout::PAGE, READ).expect("the page is mapped");
        write(layout.code_area(), &Layout::LANDING.to_le_bytes().repeat(4096));
        let interpreter = Interpreter::new(space.clone(), Extensions::ALL);
        Self { space, interpreter, layout }
    }

    fn trap(&self, stop: Stop) -> Option<Trap> {
        Some(match stop {
            Stop::Syscall => Trap::Ecall,
            Stop::Trap(HartTrap::IllegalInstruction { .. }) => Trap::Illegal,
            Stop::Trap(HartTrap::Breakpoint) => Trap::Breakpoint,
            Stop::Trap(HartTrap::AmoMisaligned { addr, kind }) => {
                Trap::Access { kind: access_kind(kind), cause: AccessCause::Misaligned, addr }
            }
            Stop::Trap(HartTrap::Memory(fault)) => {
                let cause = match fault.cause {
                    FaultCause::NotMapped => AccessCause::Unmapped,
                    _ => AccessCause::Protected,
                };
                Trap::Access { kind: access_kind(fault.kind), cause, addr: fault.addr }
            }
            _ => return None,
        })
    }
}

fn access_kind(kind: memory::AccessKind) -> AccessKind {
    match kind {
        memory::AccessKind::Fetch => AccessKind::Fetch,
        memory::AccessKind::Load => AccessKind::Load,
        memory::AccessKind::Store => AccessKind::Store,
    }
}

fn write(addr: u64, bytes: &[u8]) {
    access::copy_out(addr, bytes).expect("the page is mapped and writable");
}

impl Engine for InterpreterEngine {
    fn layout(&self) -> Layout {
        self.layout
    }

    fn run(&mut self, code: &[u8], before: &State) -> State {
        let (code_addr, data) =
            (self.layout.address(Symbol::Code), self.layout.address(Symbol::Data));
        let code_end = code_addr + code.len() as u64;
        write(code_addr, code);
        self.space.invalidate_code(code_addr, code_end);
        write(data, &before.data);

        let mut hart = Hart::new();
        hart.x[..32].copy_from_slice(&before.x);
        hart.f = before.f;
        (hart.frm, hart.fflags, hart.pc) = (before.frm, before.fflags, before.pc);
        let stop = self.interpreter.run(&mut hart);
        let mut trap = self.trap(stop);
        match trap {
            Some(Trap::Ecall) => hart.pc -= 4,
            Some(Trap::Breakpoint) if !(code_addr..code_end).contains(&hart.pc) => trap = None,
            _ => {}
        }

        write(code_addr, &Layout::LANDING.to_le_bytes().repeat(code.len() / 2));
        self.space.invalidate_code(code_addr, code_end);
        let mut page = vec![0; before.data.len()];
        access::copy_in(data, &mut page).expect("the page is mapped");
        let mut x = [0; 32];
        x.copy_from_slice(&hart.x[..32]);
        let (frm, fflags, pc) = (hart.frm, hart.fflags, hart.pc);
        State { x, f: hart.f, frm, fflags, pc, data: page, trap }
    }
}
