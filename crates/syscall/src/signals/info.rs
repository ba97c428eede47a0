//! `siginfo_t`: the same bytes on both architectures (`asm-generic/siginfo.h`).

use crate::seccomp::ARCHITECTURE;
use rvrun_hart::Trap;
use rvrun_host::signals::{Arrived, Info};
use rvrun_memory::FaultCause;

/// `si_code` of what the kernel itself sends without saying more.
const SI_KERNEL: i32 = 0x80;
const SEGV_MAPERR: i32 = 1;
const SEGV_ACCERR: i32 = 2;
const BUS_ADRALN: i32 = 1;
const BUS_ADRERR: i32 = 2;
const ILL_ILLOPC: i32 = 1;
const TRAP_BRKPT: i32 = 1;

/// A signal's information of which only these fields are not 0. The union of what
/// depends on the signal begins at the third word.
fn arrived(signal: i32, code: i32, address: u64) -> Arrived {
    let mut info: Info = [0; 16];
    info[0] = u64::from(signal as u32);
    info[1] = u64::from(code as u32);
    info[2] = address;
    Arrived { signal, info }
}

/// What the kernel forces on a thread whose stack or frame it cannot use.
pub(crate) fn forced_segv() -> Arrived {
    arrived(libc::SIGSEGV, SI_KERNEL, 0)
}

/// What the kernel says of a system call that the guest itself does not let pass. `pc` is
/// behind the call.
pub(crate) fn forbidden_call(code: i32, value: u16, pc: u64, number: u64) -> Arrived {
    let mut arrived = arrived(libc::SIGSYS, code, pc);
    arrived.info[0] |= u64::from(value) << 32;
    arrived.info[3] = u64::from(number as u32) | u64::from(ARCHITECTURE) << 32;
    arrived
}

/// The signal of a trap at `pc` (kernel: `arch/riscv/kernel/traps.c`, `arch/riscv/mm/fault.c`).
/// Misaligned accesses are told with the instruction's address.
pub(crate) fn of_trap(trap: &Trap, pc: u64) -> Arrived {
    match trap {
        Trap::IllegalInstruction { .. } => arrived(libc::SIGILL, ILL_ILLOPC, pc),
        Trap::Breakpoint => arrived(libc::SIGTRAP, TRAP_BRKPT, pc),
        Trap::InstructionMisaligned { .. } | Trap::AmoMisaligned { .. } => {
            arrived(libc::SIGBUS, BUS_ADRALN, pc)
        }
        Trap::Memory(fault) => match fault.cause {
            FaultCause::BusError => arrived(libc::SIGBUS, BUS_ADRERR, fault.addr),
            FaultCause::Protection => arrived(libc::SIGSEGV, SEGV_ACCERR, fault.addr),
            FaultCause::NotMapped => arrived(libc::SIGSEGV, SEGV_MAPERR, fault.addr),
        },
    }
}

/// `si_code`.
pub(crate) fn code(info: &Info) -> i32 {
    info[1] as i32
}

/// Fields of the union, as 32-bit halves from its beginning.
pub(crate) fn half(info: &Info, index: usize) -> u32 {
    let word = info[2 + index / 2];
    if index.is_multiple_of(2) { word as u32 } else { (word >> 32) as u32 }
}

/// As the guest reads it.
pub(crate) fn to_guest(info: &Info) -> [u8; 128] {
    let mut bytes = [0; 128];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(info) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}
