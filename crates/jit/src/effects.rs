//! What an instruction does to the registers that a translation holds in SSA values.

use rvrun_isa::effect::Registers;
use rvrun_isa::{Instruction, Kind, Opcode, RM_DYNAMIC};

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
    use Opcode::*;
    let dynamic = instruction.rm == RM_DYNAMIC;
    let truncates = instruction.rm == 1;
    let lowered = match instruction.row().kind {
        Kind::Alu => !matches!(instruction.opcode, Clmul | Clmulr | Clmulh),
        Kind::Branch | Kind::Jump => true,
        Kind::Load | Kind::Store => {
            !matches!(instruction.opcode, Flh | Fsh | CboInval | CboClean | CboFlush | CboZero)
        }
        Kind::Atomic => matches!(
            instruction.opcode,
            AmoswapW
                | AmoswapD
                | AmoaddW
                | AmoaddD
                | AmoxorW
                | AmoxorD
                | AmoandW
                | AmoandD
                | AmoorW
                | AmoorD
                | AmominW
                | AmominD
                | AmomaxW
                | AmomaxD
                | AmominuW
                | AmominuD
                | AmomaxuW
                | AmomaxuD
        ),
        Kind::Fence => !matches!(instruction.opcode, FenceI),
        Kind::Float => match instruction.opcode {
            FaddS | FsubS | FmulS | FdivS | FsqrtS | FaddD | FsubD | FmulD | FdivD | FsqrtD
            | FmaddS | FmsubS | FnmsubS | FnmaddS | FmaddD | FmsubD | FnmsubD | FnmaddD
            | FcvtSD | FcvtSW | FcvtSWu | FcvtSL | FcvtDL => dynamic,
            FcvtDW | FcvtDWu | FcvtDS => true,
            FcvtWS | FcvtLS | FcvtWD | FcvtLD => truncates,
            FsgnjS | FsgnjnS | FsgnjxS | FsgnjD | FsgnjnD | FsgnjxD | FeqS | FltS | FleS | FeqD
            | FltD | FleD | FmvXW | FmvWX | FmvXD | FmvDX | FminS | FmaxS | FminD | FmaxD => true,
            _ => false,
        },
        Kind::Csr | Kind::System => false,
    };
    if lowered { Way::Lowered } else { Way::Stepped }
}

/// The registers that values do not hold behind a stepped instruction: what it
/// writes, and for one that touches fcsr all that floating-point operations
/// take, so that none behind it is taken for one before it.
pub fn forgotten(instruction: &Instruction) -> Registers {
    let floats = if instruction.row().kind == Kind::Csr { FLOATS } else { 0 };
    instruction.writes() | floats
}

/// Whether the instruction accesses memory that the guest may have made inaccessible.
pub fn accesses_memory(instruction: &Instruction) -> bool {
    matches!(instruction.row().kind, Kind::Load | Kind::Store | Kind::Atomic)
}

/// The floating-point registers that the instruction reads as single precision.
pub fn reads_single(instruction: &Instruction) -> Registers {
    use Opcode::*;
    match instruction.opcode {
        FmaddS | FmsubS | FnmsubS | FnmaddS | FaddS | FsubS | FmulS | FdivS | FsqrtS | FsgnjS
        | FsgnjnS | FsgnjxS | FeqS | FltS | FleS | FminS | FmaxS | FcvtWS | FcvtLS | FcvtDS => {
            instruction.reads() & FLOATS
        }
        _ => 0,
    }
}

/// The floating-point registers that the instruction writes as single precision.
pub fn writes_single(instruction: &Instruction) -> Registers {
    use Opcode::*;
    match instruction.opcode {
        Flw | FmaddS | FmsubS | FnmsubS | FnmaddS | FaddS | FsubS | FmulS | FdivS | FsqrtS
        | FsgnjS | FsgnjnS | FsgnjxS | FminS | FmaxS | FcvtSD | FcvtSW | FcvtSWu | FcvtSL
        | FmvWX => instruction.writes() & FLOATS,
        _ => 0,
    }
}

/// All floating-point registers.
pub const FLOATS: Registers = !0 << 32;
