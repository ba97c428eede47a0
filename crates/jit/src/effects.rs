//! What an instruction does to the registers that a translation holds in SSA values.

use crate::helper;
use rvrun_hart::float::RoundingMode;
use rvrun_host::time;
use rvrun_isa::effect::Registers;
use rvrun_isa::{Instruction, Kind, Opcode, RM_DYNAMIC, csr};

/// How an instruction is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To host code.
    Lowered,
    /// The interpreter executes it: all registers are in memory before, and what
    /// is [`forgotten`] is not held in values behind.
    Stepped,
}

/// The way of `instruction`.
pub fn way(instruction: &Instruction) -> Way {
    let lowered = match instruction.row().kind {
        Kind::Branch | Kind::Jump => true,
        Kind::Alu | Kind::Float => is_computed_here(instruction) || is_helped(instruction),
        Kind::Load | Kind::Store => !matches!(
            instruction.opcode,
            Opcode::CboInval | Opcode::CboClean | Opcode::CboFlush | Opcode::CboZero
        ),
        Kind::Atomic => instruction.opcode != Opcode::AmocasQ,
        Kind::Fence => instruction.opcode != Opcode::FenceI,
        Kind::Csr => is_clock_read(instruction),
        Kind::System => false,
    };
    if lowered { Way::Lowered } else { Way::Stepped }
}

/// Whether the region may be left at `instruction`, before it is executed: for the interpreter, or
/// because somebody looks at all registers.
pub fn may_leave(instruction: &Instruction) -> bool {
    way(instruction) == Way::Stepped
        || matches!(instruction.row().kind, Kind::Atomic | Kind::Float)
        // What is not boxed is the interpreter's.
        || (instruction.reads() | instruction.writes()) & FLOATS != 0
}

/// Whether `instruction` divides integers.
pub fn is_division(instruction: &Instruction) -> bool {
    use Opcode::*;
    matches!(instruction.opcode, Div | Divu | Rem | Remu | Divw | Divuw | Remw | Remuw)
}

/// Whether a helper computes the instruction from its operands.
pub fn is_helped(instruction: &Instruction) -> bool {
    !is_computed_here(instruction) && helper::computes(instruction.opcode)
}

/// Whether host code in the translation computes the instruction, but for rare operands.
fn is_computed_here(instruction: &Instruction) -> bool {
    use Opcode::*;
    let dynamic = instruction.rm == RM_DYNAMIC;
    let truncates = instruction.rm == 1;
    let valid = dynamic || RoundingMode::from_bits(instruction.rm).is_some();
    match instruction.row().kind {
        Kind::Alu => !matches!(instruction.opcode, Clmul | Clmulr | Clmulh),
        Kind::Float => match instruction.opcode {
            FaddS | FsubS | FmulS | FdivS | FsqrtS | FaddD | FsubD | FmulD | FdivD | FsqrtD
            | FmaddS | FmsubS | FnmsubS | FnmaddS | FmaddD | FmsubD | FnmsubD | FnmaddD
            | FcvtSD | FcvtSWu | FcvtSLu | FcvtDLu => dynamic,
            FcvtDW | FcvtDWu | FcvtDS => true,
            FcvtSW | FcvtSL | FcvtDL => valid,
            FcvtWS | FcvtLS | FcvtWD | FcvtLD => {
                truncates || valid && is_x86_feature_detected!("sse4.1")
            }
            FcvtWuS | FcvtLuS | FcvtWuD | FcvtLuD => truncates,
            FsgnjS | FsgnjnS | FsgnjxS | FsgnjD | FsgnjnD | FsgnjxD | FeqS | FltS | FleS | FeqD
            | FltD | FleD | FmvXW | FmvWX | FmvXD | FmvDX | FmvXH | FmvHX | FminS | FmaxS
            | FminD | FmaxD | FliS | FliD | FliH => true,
            _ => false,
        },
        _ => false,
    }
}

/// Whether the instruction does nothing but read or change `fflags`, or read `frm`.
pub fn is_flags_access(instruction: &Instruction) -> bool {
    use Opcode::*;
    let reads_only =
        matches!(instruction.opcode, Csrrs | Csrrc | Csrrsi | Csrrci) && instruction.rs1 == 0;
    instruction.row().kind == Kind::Csr
        && match instruction.imm as u16 {
            csr::FFLAGS => true,
            csr::FRM => reads_only,
            _ => false,
        }
}

/// Whether the host does all of an atomic instruction by one that is locked.
pub fn is_locked(instruction: &Instruction) -> bool {
    !matches!(instruction.opcode, Opcode::LrW | Opcode::LrD | Opcode::ScW | Opcode::ScD)
}

/// Whether a floating-point instruction compares, by what translated code sees of it, or raises no
/// exceptions.
pub fn compares_or_moves(instruction: &Instruction) -> bool {
    use Opcode::*;
    matches!(
        instruction.opcode,
        FeqS | FltS
            | FleS
            | FeqD
            | FltD
            | FleD
            | FsgnjS
            | FsgnjnS
            | FsgnjxS
            | FsgnjD
            | FsgnjnD
            | FsgnjxD
            | FmvXW
            | FmvWX
            | FmvXD
            | FmvDX
    )
}

/// Whether the instruction does nothing but read one of the clocks that there are.
pub fn is_clock_read(instruction: &Instruction) -> bool {
    let number = instruction.imm as u16;
    instruction.opcode == Opcode::Csrrs
        && instruction.rs1 == 0
        && (csr::CLOCK..=csr::LAST_CLOCK).contains(&number)
        && time::is_quick(i32::from(number - csr::CLOCK))
}

/// The registers that values do not hold behind a stepped instruction: what it
/// writes, and for one that touches fcsr all, so that no operation behind it is
/// taken for one before it.
pub fn forgotten(instruction: &Instruction) -> Registers {
    if instruction.row().kind == Kind::Csr { !0 } else { instruction.writes() }
}

/// Whether the instruction accesses memory that the guest may have made inaccessible.
pub fn accesses_memory(instruction: &Instruction) -> bool {
    matches!(instruction.row().kind, Kind::Load | Kind::Store | Kind::Atomic)
}

/// The floating-point registers that the instruction reads as single precision.
pub fn reads_single(instruction: &Instruction) -> Registers {
    use Opcode::*;
    match instruction.opcode {
        _ if is_helped(instruction) => 0,
        FmaddS | FmsubS | FnmsubS | FnmaddS | FaddS | FsubS | FmulS | FdivS | FsqrtS | FsgnjS
        | FsgnjnS | FsgnjxS | FeqS | FltS | FleS | FminS | FmaxS | FcvtWS | FcvtWuS | FcvtLS
        | FcvtLuS | FcvtDS => instruction.reads() & FLOATS,
        _ => 0,
    }
}

/// The floating-point registers that the instruction writes as single precision.
pub fn writes_single(instruction: &Instruction) -> Registers {
    use Opcode::*;
    match instruction.opcode {
        Flw | FmaddS | FmsubS | FnmsubS | FnmaddS | FaddS | FsubS | FmulS | FdivS | FsqrtS
        | FsgnjS | FsgnjnS | FsgnjxS | FminS | FmaxS | FminmS | FmaxmS | FroundS | FroundnxS
        | FcvtSD | FcvtSH | FcvtSW | FcvtSWu | FcvtSL | FcvtSLu | FmvWX | FliS => {
            instruction.writes() & FLOATS
        }
        _ => 0,
    }
}

/// Whether a NaN that the instruction computes may be another one than the canonical one.
pub fn makes_raw(instruction: &Instruction) -> bool {
    use Opcode::*;
    let computes = matches!(
        instruction.opcode,
        FaddS
            | FsubS
            | FmulS
            | FdivS
            | FsqrtS
            | FaddD
            | FsubD
            | FmulD
            | FdivD
            | FsqrtD
            | FcvtSD
            | FcvtDS
            | FcvtSW
            | FcvtSWu
            | FcvtSL
            | FcvtSLu
            | FcvtDL
            | FcvtDLu
    );
    computes && !is_helped(instruction)
}

/// The floating-point registers whose bits the instruction shows to somebody, or copies.
pub fn shows(instruction: &Instruction) -> Registers {
    use Opcode::*;
    let moves = matches!(
        instruction.opcode,
        FsgnjS | FsgnjnS | FsgnjxS | FsgnjD | FsgnjnD | FsgnjxD | FmvXH | FmvXW | FmvXD
    );
    let stores = instruction.row().kind == Kind::Store;
    if moves || stores || is_helped(instruction) { instruction.reads() & FLOATS } else { 0 }
}

/// All floating-point registers.
pub const FLOATS: Registers = !0 << 32;
