//! Memory that random code runs in, and what must hold after it ran.
//!
//! Guest addresses are host addresses, so a stray store could hit the process that
//! runs the code. The arena lies where the host has nothing for many gigabytes, and
//! registers point into it or to where nothing can be: code of a few instructions
//! makes no other address but by chance. Who wants certainty runs cases in a process
//! of their own.
//!
//! [`Arena`] runs a case on the interpreter alone; [`crate::twin`] runs it on the
//! translator as well.

use crate::Random;
use crate::bytes::Case;
use crate::code::{FIRST_POINTER, code};
use rvrun_hart::{Hart, Trap};
use rvrun_host::fault;
use rvrun_interp::{Interpreter, Stop, Warm};
use rvrun_isa::{Extensions, Kind, decode, length};
use rvrun_memory::{AccessKind, AddressSpace, Errno, Fault, GuestAddr, PAGE, access};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const READ: i32 = 1;
const WRITE: i32 = 2;
const EXEC: i32 = 4;
/// `MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE`.
const PRIVATE_ANONYMOUS_FIXED: i32 = 0x22 | 0x10_0000;

pub(crate) const CODE_BYTES: u64 = PAGE;
const DATA_BYTES: u64 = 2 * PAGE;
/// From the arena's beginning: code that may be written, code that may not, data, and
/// data that may only be read. Between them nothing is mapped.
const WRITABLE_CODE: u64 = 0;
const FIXED_CODE: u64 = 0x10_000;
const DATA: u64 = 0x20_000;
const CONSTANTS: u64 = 0x30_000;
/// All of it, and what lies unmapped behind the constants.
const ARENA_BYTES: u64 = 0x40_000;
/// What data is filled with.
const FILL: u8 = 0xa5;
/// `c.ebreak`, which code is followed by.
const BREAK: [u8; 2] = [0x02, 0x90];
/// How often code is resumed after it trapped, or stopped at a backward jump or an environment call.
pub(crate) const RUNS: usize = 32;
/// No case gets as far as this without a backward jump.
const RETIRED_MAX: u64 = RUNS as u64 * CODE_BYTES;

/// Memory of the guest, and an interpreter.
pub struct Arena {
    memory: Memory,
    interpreter: Interpreter,
}

/// Memory of the guest.
pub(crate) struct Memory {
    pub space: Arc<AddressSpace>,
    base: GuestAddr,
    /// The bytes of a page of code that has none.
    blank: Vec<u8>,
}

/// What a case begins with.
#[derive(Clone)]
pub(crate) struct Beginning {
    pub code: Vec<u8>,
    /// Where the page of the code is.
    page: GuestAddr,
    /// Whether the guest may write it.
    pub writable: bool,
    /// The hart, at the code's first instruction.
    pub hart: Hart,
}

/// How a case ended.
pub struct Ending {
    /// Instructions that it retired.
    pub retired: u64,
    /// How often it trapped; it went on behind the instruction unless that could not be fetched.
    pub traps: u64,
}

impl Arena {
    /// An arena apart from all others of this process.
    ///
    /// # Errors
    /// The host refuses the memory or the handler of faults.
    pub fn new() -> std::io::Result<Self> {
        let memory = Memory::new()?;
        let interpreter = Interpreter::new(memory.space.clone(), Extensions::ALL);
        // With the flag raised, code stops at each backward jump: no case takes long.
        interpreter.attention().store(1, Ordering::Relaxed);
        Ok(Self { memory, interpreter })
    }

    /// Runs a case: until it loses its way, or has stopped often enough.
    ///
    /// # Errors
    /// What is wrong with how it ended.
    pub fn run(&mut self, seed: u64, case: u64) -> Result<Ending, String> {
        let beginning = self.memory.beginning(seed, case);
        self.run_from(&beginning, if case & 1 == 0 { Warm::Never } else { Warm::AtOnce })
    }

    /// Runs the case that `bytes` describe ([`crate::bytes`]), with handlers and with host code.
    ///
    /// # Errors
    /// As [`Arena::run`].
    pub fn run_bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        let beginning = self.memory.beginning_of(&Case::of(bytes));
        for warm in [Warm::Never, Warm::AtOnce] {
            self.run_from(&beginning, warm).map_err(|why| format!("{warm:?}: {why}"))?;
        }
        Ok(())
    }

    fn run_from(&mut self, beginning: &Beginning, warm: Warm) -> Result<Ending, String> {
        self.memory.prepare(beginning)?;
        let mut hart = beginning.hart.clone();
        let mut traps = 0;
        self.interpreter.set_warm(warm);
        for _ in 0..RUNS {
            let stop = self.interpreter.run(&mut hart);
            check_hart(&hart)?;
            match stop {
                Stop::Attention => {}
                Stop::Sample | Stop::Gate | Stop::Passed => {
                    return Err(format!("{stop:?} that nobody asked for"));
                }
                Stop::Syscall => self.memory.check_syscall(hart.pc)?,
                Stop::Trap(trap) => {
                    traps += 1;
                    self.memory.check_trap(&hart, &trap)?;
                    if !self.memory.skip(&mut hart, &trap) {
                        break;
                    }
                }
            }
        }
        Ok(Ending { retired: hart.instret, traps })
    }
}

impl Memory {
    pub fn new() -> std::io::Result<Self> {
        static NEXT_BASE: AtomicU64 = AtomicU64::new(0x100_0000_0000);
        fault::install()?;
        let base = NEXT_BASE.fetch_add(0x10_0000_0000, Ordering::Relaxed);
        let space = Arc::new(AddressSpace::new());
        for (offset, len, prot) in [
            (WRITABLE_CODE, CODE_BYTES, READ | WRITE | EXEC),
            (FIXED_CODE, CODE_BYTES, READ | WRITE),
            (DATA, DATA_BYTES, READ | WRITE),
            (CONSTANTS, PAGE, READ),
        ] {
            space
                .mmap(base + offset, len, prot, PRIVATE_ANONYMOUS_FIXED, -1, 0, None)
                .map_err(|Errno(number)| std::io::Error::from_raw_os_error(number))?;
        }
        Ok(Self { space, base, blank: BREAK.repeat(CODE_BYTES as usize / 2) })
    }

    /// How a case begins.
    pub fn beginning(&self, seed: u64, case: u64) -> Beginning {
        let mut random = Random::of_case(seed, case);
        let writable = random.once_in(2);
        let page = self.base + if writable { WRITABLE_CODE } else { FIXED_CODE };
        let place = page + 2 * random.below(CODE_BYTES as usize / 4) as u64;
        let code = code(&mut random);
        let mut hart = self.hart(&mut random);
        hart.pc = place;
        Beginning { code, page, writable, hart }
    }

    /// How the case begins that bytes describe.
    pub fn beginning_of(&self, case: &Case<'_>) -> Beginning {
        let page = self.base + if case.writable { WRITABLE_CODE } else { FIXED_CODE };
        let mut hart = self.hart(&mut Random::of_case(case.seed.into(), 0));
        case.set_registers(&mut hart, |offset| self.base + offset % ARENA_BYTES);
        hart.pc = page + case.place;
        Beginning { code: case.code(), page, writable: case.writable, hart }
    }

    /// Writes the code and fills the data.
    pub fn prepare(&self, beginning: &Beginning) -> Result<(), String> {
        let Beginning { code, page, writable, hart } = beginning;
        let failed = |error: &dyn std::fmt::Debug| format!("the arena is damaged: {error:?}");
        let protect = |prot| self.space.mprotect(*page, CODE_BYTES, prot);
        if !writable {
            protect(READ | WRITE).map_err(|e| failed(&e))?;
        }
        access::copy_out(*page, &self.blank).map_err(|e| failed(&e))?;
        access::copy_out(hart.pc, code).map_err(|e| failed(&e))?;
        let can_change = self.base + WRITABLE_CODE;
        if !writable {
            protect(READ | EXEC).map_err(|e| failed(&e))?;
            // A case before this one may have written there, or this one on another engine.
            access::copy_out(can_change, &self.blank).map_err(|e| failed(&e))?;
        }
        self.space.invalidate_code(can_change, can_change + CODE_BYTES);
        access::copy_out(self.base + DATA, &[FILL; DATA_BYTES as usize]).map_err(|e| failed(&e))
    }

    /// What can be written, as it is now: code first.
    pub fn contents(&self) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; (CODE_BYTES + DATA_BYTES) as usize];
        let (code, data) = bytes.split_at_mut(CODE_BYTES as usize);
        access::copy_in(self.base + WRITABLE_CODE, code)
            .and_then(|_| access::copy_in(self.base + DATA, data))
            .map_err(|error| format!("the arena is damaged: {error:?}"))?;
        Ok(bytes)
    }

    /// Registers with pointers into the arena, and numbers of all sizes.
    fn hart(&self, random: &mut Random) -> Hart {
        let mut hart = Hart::new();
        for (register, value) in hart.x.iter_mut().enumerate().take(32).skip(1) {
            *value = if register >= FIRST_POINTER || random.once_in(3) {
                self.pointer(random)
            } else {
                wild(random)
            };
        }
        for value in &mut hart.f {
            *value = match random.below(3) {
                0 => random.number(),
                1 => 0xffff_ffff_0000_0000 | random.number(),
                _ => (random.number() as i32 as f64 / 256.0).to_bits(),
            };
        }
        hart.frm = random.of(&[0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7]);
        hart.fflags = random.below(32) as u8;
        hart
    }

    /// An address in the arena, near its edges or behind them included.
    fn pointer(&self, random: &mut Random) -> GuestAddr {
        let area = random.of(&[DATA, DATA, DATA, DATA, CONSTANTS, WRITABLE_CODE, FIXED_CODE]);
        let offset = match random.below(8) {
            0 => random.below(DATA_BYTES as usize) as u64,
            1 => DATA_BYTES - 1 - random.below(16) as u64,
            2 => DATA_BYTES + random.below(64) as u64,
            _ => 16 * random.below(DATA_BYTES as usize / 16) as u64,
        };
        self.base + area + offset
    }

    /// Goes on behind an instruction that trapped, as a guest's handler might. Says
    /// whether there is something to go on with.
    pub fn skip(&self, hart: &mut Hart, trap: &Trap) -> bool {
        match self.fetch(hart.pc) {
            Some(bits) if *trap != Trap::Breakpoint => {
                hart.pc += u64::from(length(bits as u16));
                true
            }
            _ => false,
        }
    }

    fn fetch(&self, addr: GuestAddr) -> Option<u32> {
        let mut bytes = [0; 4];
        match self.space.fetch(addr, &mut bytes) {
            Ok(2..) => Some(u32::from_le_bytes(bytes)),
            _ => None,
        }
    }

    /// Whether the code at `pc` may have been written since it was executed, wherever the case
    /// began.
    fn may_have_changed(&self, pc: GuestAddr) -> bool {
        let page = self.base + WRITABLE_CODE;
        (page..page + CODE_BYTES).contains(&pc)
    }

    fn check_syscall(&self, pc: GuestAddr) -> Result<(), String> {
        let at = pc.wrapping_sub(4);
        let bits = self.fetch(at);
        if bits == Some(0x73) || self.may_have_changed(at) {
            Ok(())
        } else {
            Err(format!("no ecall ends at {pc:#x}: {bits:x?}"))
        }
    }

    /// Whether the trap can come from the instruction at the pc, where that cannot have changed since.
    fn check_trap(&self, hart: &Hart, trap: &Trap) -> Result<(), String> {
        let wrong = |why: &str| Err(format!("{trap:?} at {:#x}: {why}", hart.pc));
        let bits = self.fetch(hart.pc);
        if let Trap::Memory(Fault { addr, kind: AccessKind::Fetch, .. }) = *trap {
            let near = addr == hart.pc || addr == hart.pc.wrapping_add(2);
            return if near { Ok(()) } else { wrong("something else could not be fetched") };
        }
        let Some(bits) = bits else { return wrong("there is no code") };
        if self.may_have_changed(hart.pc) {
            return Ok(());
        }
        let instruction = decode(bits, Extensions::ALL);
        let kind = instruction.map(|instruction| instruction.row().kind);
        let accesses = matches!(
            kind,
            Some(Kind::Load | Kind::Store | Kind::Atomic | Kind::Fence | Kind::Float)
        );
        let right = match trap {
            Trap::IllegalInstruction { bits: named } => {
                let same = *named == bits || *named == bits & 0xffff;
                let may = matches!(kind, None | Some(Kind::Csr | Kind::Float));
                same && may
            }
            Trap::Breakpoint => bits & 0xffff == 0x9002 || bits == 0x10_0073,
            Trap::InstructionMisaligned { .. } => false,
            Trap::AmoMisaligned { .. } => kind == Some(Kind::Atomic),
            Trap::Memory(_) => accesses,
        };
        if right { Ok(()) } else { wrong(&format!("the code there is {bits:#010x}, {kind:?}")) }
    }
}

/// What holds of a hart whenever somebody looks.
fn check_hart(hart: &Hart) -> Result<(), String> {
    if hart.x[0] != 0 {
        return Err(format!("x0 is {:#x}", hart.x[0]));
    }
    if !hart.pc.is_multiple_of(2) {
        return Err(format!("the pc is odd: {:#x}", hart.pc));
    }
    if hart.frm > 7 || hart.fflags > 31 {
        return Err(format!("fcsr has frm {} and fflags {:#x}", hart.frm, hart.fflags));
    }
    if hart.instret > RETIRED_MAX {
        return Err(format!("{} instructions were retired", hart.instret));
    }
    Ok(())
}

/// A number that points to nothing of the host.
fn wild(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => random.of(&[0, 1, 2, 63, 64, u64::MAX, i64::MIN as u64, i64::MAX as u64, 1 << 47]),
        1 => random.number() as i8 as u64,
        // Below what this process is linked to.
        2 => random.number() as i32 as u64 & !0x4000_ffff,
        // Not canonical, whatever is added to it.
        _ => random.number() & !(1 << 63) | 1 << 62,
    }
}
