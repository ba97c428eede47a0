//! Blocks and the closed set of ways in which they end.

use rvrun_isa::Instruction;

/// Straight-line guest code with one entry and one terminator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Address of the first instruction.
    pub pc: u64,
    /// The instructions before the terminator, expanded.
    pub body: Vec<Instruction>,
    /// How the block ends.
    pub terminator: Terminator,
    /// Address of the terminator's instruction; where it has none, of the
    /// instruction that would come next.
    pub terminator_pc: u64,
    /// Address behind the last instruction.
    pub end: u64,
}

/// How a block ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminator {
    /// The block was cut for its length: continues at the block's `end`.
    FallThrough,
    /// Continues at `target`.
    Jump {
        /// Where to.
        target: u64,
    },
    /// Continues at `taken` if the condition of `instruction` (a `b*` row)
    /// holds, else at the block's `end`.
    Branch {
        /// The branch.
        instruction: Instruction,
        /// Where to if it is taken.
        taken: u64,
    },
    /// Writes the block's `end` to the register `link` and continues at `target`.
    Call {
        /// Receives the return address; never `x0`.
        link: u8,
        /// Where to.
        target: u64,
    },
    /// Continues at `x[base] + offset` with bit 0 cleared.
    IndirectJump {
        /// Register with the address.
        base: u8,
        /// Added to it.
        offset: i32,
    },
    /// Writes the block's `end` to `link`, continues at what was `x[base] + offset`
    /// before, with bit 0 cleared.
    IndirectCall {
        /// Receives the return address; never `x0`.
        link: u8,
        /// Register with the address; may be `link`.
        base: u8,
        /// Added to it.
        offset: i32,
    },
    /// An [`IndirectJump`](Self::IndirectJump) that the manual's return-address
    /// stack hints mark as a return.
    Return {
        /// Register with the address: `ra` or `t0`.
        base: u8,
        /// Added to it.
        offset: i32,
    },
    /// Environment call; continues at the block's `end`.
    Syscall,
    /// Breakpoint trap at `terminator_pc`.
    Breakpoint,
    /// Instruction fences: the code behind it may have changed; continues at the block's `end`.
    FenceI,
    /// Illegal-instruction trap at `terminator_pc`.
    Illegal {
        /// What stands there; a compressed instruction in the low half.
        bits: u32,
    },
    /// The instruction at `terminator_pc` cannot be fetched as a whole.
    FetchFault,
}
