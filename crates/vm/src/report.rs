//! What a guest's death was about, in words: the instruction, where it stands,
//! what it would need.

use crate::places::Places;
use rvrun_decoder::symbols::Symbol;
use rvrun_hart::{Hart, Trap};
use rvrun_isa::{Extensions, decode};
use rvrun_memory::{AccessKind, AddressSpace, FaultCause};
use rvrun_syscall::Cause;
use std::fmt::Write;
use std::sync::Arc;

/// Register number.
const SP: usize = 2;

/// Describes `trap` at the hart's pc.
pub fn describe(
    trap: &Trap,
    hart: &Hart,
    space: &Arc<AddressSpace>,
    enabled: Extensions,
) -> String {
    let place = place(space, hart.pc);
    match trap {
        Trap::IllegalInstruction { bits } => {
            format!("illegal instruction {} at {place}{}", hex(*bits), reason(*bits, enabled))
        }
        Trap::Breakpoint => {
            format!("breakpoint at {place}; programs stop like this in abort paths and debug traps")
        }
        Trap::InstructionMisaligned { addr } => {
            format!("jump to the misaligned address {addr:#x} at {place}")
        }
        Trap::AmoMisaligned { addr, .. } => format!(
            "atomic access to the misaligned address {addr:#x} at {place}; \
             RISC-V wants atomics aligned to their width"
        ),
        Trap::Memory(fault) => {
            let what = match fault.kind {
                AccessKind::Fetch => "execute",
                AccessKind::Load => "read",
                AccessKind::Store => "write",
            };
            let why = match fault.cause {
                FaultCause::NotMapped => "nothing is mapped there",
                FaultCause::Protection => "the mapping does not allow it",
                FaultCause::BusError => "it lies behind the end of the mapped file",
            };
            format!("cannot {what} address {:#x} at {place}: {why}", fault.addr)
        }
    }
}

/// Describes a signal that kills without a trap of the hart's.
pub fn describe_signal(
    signal: i32,
    cause: Cause,
    hart: &Hart,
    space: &Arc<AddressSpace>,
) -> String {
    let place = place(space, hart.pc);
    match cause {
        // Whoever sent it knows.
        Cause::Sent => String::new(),
        Cause::NoFrame(handled) => format!(
            "no room on the stack at {:#x} for the handler of signal {handled}, at {place}",
            hart.x[SP]
        ),
        Cause::BadFrame => format!(
            "a signal's handler returned with a stack pointer, {:#x}, where its frame is not; \
             at {place}",
            hart.x[SP]
        ),
        _ => format!("signal {signal} at {place}"),
    }
}

/// The bits of an instruction, in as many digits as it is long.
fn hex(bits: u32) -> String {
    if bits & 3 == 3 { format!("{bits:#010x}") } else { format!("{:#06x}", bits & 0xffff) }
}

/// Why the bits are illegal, as far as it can be known.
fn reason(bits: u32, enabled: Extensions) -> String {
    if bits == 0 {
        return ": all zeros, which is no instruction; a jump went astray or code is missing"
            .into();
    }
    if let Some(instruction) = decode(bits, Extensions::ALL) {
        let extensions = instruction.row().extensions;
        let names: Vec<_> = extensions.names().collect();
        return if extensions.intersects(enabled) {
            format!(": `{instruction}` with a reserved rounding mode or CSR")
        } else {
            format!(
                ": `{instruction}` needs the extension {}, which --cpu leaves out",
                names.join(" or ")
            )
        };
    }
    match bits & 0x7f {
        0x57 => " of the vector extension V, which rvrun does not have yet; \
                 build the program without it (-march=rv64gc)"
            .into(),
        0x0b | 0x2b | 0x5b | 0x7b => ", a vendor's custom instruction; \
                 build the program for standard RISC-V"
            .into(),
        0x77 => " of the vector cryptography extensions, which rvrun does not have yet".into(),
        _ => ", which no extension that rvrun knows defines".into(),
    }
}

/// An address with its file and symbol.
fn place(space: &Arc<AddressSpace>, pc: u64) -> String {
    let mut text = format!("pc {pc:#x}");
    let Some(place) = Places::new(space.clone()).at(pc) else { return text };
    let _ = write!(text, " in {}", place.file.display());
    if let Some(Symbol { name, offset }) = place.symbol {
        let _ = write!(text, " ({name}+{offset:#x})");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_have_the_digits_of_their_length() {
        assert_eq!(hex(0x0000_000b), "0x0000000b");
        assert_eq!(hex(0x8000), "0x8000");
        assert_eq!(hex(0), "0x0000");
    }

    #[test]
    fn the_reason_names_the_extension() {
        let base = Extensions::I | Extensions::C;
        assert!(reason(0x02c5_8533, base).contains("`mul a0, a1, a2` needs the extension m"));
        assert!(reason(0x0205_f557, base).contains("vector extension V"));
        assert!(reason(0, base).contains("all zeros"));
        assert!(reason(0x0000_000b, base).contains("vendor"));
        assert!(reason(0xffff_ffff, base).contains("no extension that rvrun knows"));
    }
}
