//! The memory of a vector, as engines of this repository have it.

use rvrun_hart::{Hart, Trap as HartTrap};
use rvrun_host::fault;
use rvrun_interp::Stop;
use rvrun_isa_tests::{AccessCause, AccessKind, Layout, State, Symbol, Trap};
use rvrun_memory::{self as memory, AddressSpace, FaultCause, access};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const READ: i32 = 1;
const WRITE: i32 = 2;
const EXEC: i32 = 4;
const PRIVATE_ANONYMOUS_FIXED: i32 = 0x22 | 0x10_0000;

/// An address space with the mappings of a [`Layout`].
pub struct Guest {
    /// The address space.
    pub space: Arc<AddressSpace>,
    /// Where its mappings are.
    pub layout: Layout,
    /// Where there is code now.
    code: Range<u64>,
    /// Whether nobody can write it in place.
    is_fixed: bool,
}

impl Guest {
    /// Memory that nobody else has: many can be in use at the same time.
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
        Self { space, layout, code: 0..0, is_fixed: false }
    }

    /// Puts `code` at `addr`, landings around it, and `data` into the data page.
    pub fn set(&mut self, addr: u64, code: &[u8], data: &[u8]) {
        let range = addr..addr + code.len() as u64;
        if self.code != range || read(addr, code.len()) != code {
            let old = std::mem::replace(&mut self.code, range.clone());
            if self.is_fixed {
                self.protect_code(READ | WRITE | EXEC);
                self.is_fixed = false;
            }
            write(
                old.start,
                &Layout::LANDING.to_le_bytes().repeat((old.end - old.start) as usize / 2),
            );
            self.space.invalidate_code(old.start, old.end);
            write(addr, code);
            self.space.invalidate_code(range.start, range.end);
        }
        write(self.layout.address(Symbol::Data), data);
    }

    /// Has nobody write the code that is there in place.
    pub fn fix_code(&mut self) {
        if !self.is_fixed {
            self.protect_code(READ | EXEC);
            self.is_fixed = true;
        }
    }

    fn protect_code(&self, prot: i32) {
        let area = self.layout.code_area();
        self.space.mprotect(area, Layout::CODE_BYTES, prot).expect("the pages are mapped");
    }

    /// The state of `hart` and of the data page.
    pub fn state(&self, hart: &Hart, trap: Option<Trap>) -> State {
        let data = read(self.layout.address(Symbol::Data), Layout::PAGE as usize);
        let mut x = [0; 32];
        x.copy_from_slice(&hart.x[..32]);
        let (frm, fflags, pc) = (hart.frm, hart.fflags, hart.pc);
        State { x, f: hart.f, frm, fflags, pc, data, trap }
    }
}

/// A hart in this state.
pub fn hart(state: &State) -> Hart {
    let mut hart = Hart::new();
    hart.x[..32].copy_from_slice(&state.x);
    hart.f = state.f;
    (hart.frm, hart.fflags, hart.pc) = (state.frm, state.fflags, state.pc);
    hart
}

/// The exception that stopped the interpreter.
pub fn trap(stop: Stop) -> Option<Trap> {
    match stop {
        Stop::Syscall => Some(Trap::Ecall),
        Stop::Trap(trap) => hart_trap(trap),
        _ => None,
    }
}

/// The exception that a hart has.
pub fn hart_trap(trap: HartTrap) -> Option<Trap> {
    Some(match trap {
        HartTrap::IllegalInstruction { .. } => Trap::Illegal,
        HartTrap::Breakpoint => Trap::Breakpoint,
        HartTrap::AmoMisaligned { addr, kind } => {
            Trap::Access { kind: access_kind(kind), cause: AccessCause::Misaligned, addr }
        }
        HartTrap::Memory(fault) => {
            let cause = match fault.cause {
                FaultCause::NotMapped => AccessCause::Unmapped,
                _ => AccessCause::Protected,
            };
            Trap::Access { kind: access_kind(fault.kind), cause, addr: fault.addr }
        }
        _ => return None,
    })
}

fn access_kind(kind: memory::AccessKind) -> AccessKind {
    match kind {
        memory::AccessKind::Fetch => AccessKind::Fetch,
        memory::AccessKind::Load => AccessKind::Load,
        memory::AccessKind::Store => AccessKind::Store,
    }
}

fn read(addr: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    access::copy_in(addr, &mut bytes).expect("the page is mapped");
    bytes
}

fn write(addr: u64, bytes: &[u8]) {
    if !bytes.is_empty() {
        access::copy_out(addr, bytes).expect("the page is mapped and writable");
    }
}
