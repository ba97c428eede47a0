//! Regions: what a translator compiles as one function.
//!
//! A region is a control-flow graph of [`Node`]s found by a static [`walk`] from its
//! entry. What that leaves out (code that has never run, code beyond the limits)
//! becomes an [`Edge::Leave`], or in a callee an [`End::Rest`].

use crate::block::Block;
use crate::loops::Loops;
use crate::walk::walk;
use rvrun_isa::Instruction;
use std::ops::Range;

/// Index of a node in its region.
pub type NodeId = u32;

/// Where control goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// To a node of the region.
    Node(NodeId),
    /// Out of the region, to this guest address.
    Leave(u64),
}

/// How a node ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Goes on.
    Goto(Edge),
    /// A conditional branch.
    Branch {
        /// The branch, a `b*` row.
        instruction: Instruction,
        /// If its condition holds.
        taken: Edge,
        /// If it does not.
        fall: Edge,
    },
    /// A branch around a few cheap instructions: they are executed unless the
    /// condition of the branch holds, and the node goes on in either case.
    Skip {
        /// The branch, a `b*` row.
        instruction: Instruction,
        /// What it jumps over: integer computation.
        skipped: Vec<Instruction>,
        /// How many instructions that is, with a jump at their end.
        count: u32,
        /// Where both ways meet.
        to: Edge,
    },
    /// A call that stays a call.
    Call {
        /// Receives the return address.
        link: u8,
        /// Where to.
        target: u64,
        /// The return address.
        return_pc: u64,
        /// What is there.
        back: Edge,
    },
    /// A call through a register, of `x[base] + offset` with bit 0 cleared.
    CallIndirect {
        /// Receives the return address.
        link: u8,
        /// Register with the address.
        base: u8,
        /// Added to it.
        offset: i32,
        /// The return address.
        return_pc: u64,
        /// What is there.
        back: Edge,
    },
    /// A call whose callee is part of the region.
    Inline {
        /// Receives the return address.
        link: u8,
        /// The return address.
        return_pc: u64,
        /// The callee's first node.
        target: Edge,
    },
    /// A return out of a callee that is part of the region: to `x[base] + offset`,
    /// which is nearly always `return_pc`.
    InlineReturn {
        /// Register with the address.
        base: u8,
        /// Added to it.
        offset: i32,
        /// Where the call wants it to go.
        return_pc: u64,
        /// What is there.
        back: Edge,
    },
    /// A return out of the region.
    Return {
        /// Register with the address.
        base: u8,
        /// Added to it.
        offset: i32,
    },
    /// A jump through a register.
    Jump {
        /// Register that receives the address behind the jump, and that address.
        link: Option<(u8, u64)>,
        /// Register with the address.
        base: u8,
        /// Added to it.
        offset: i32,
        /// Where it has been seen to go, in ascending order.
        targets: Vec<(u64, NodeId)>,
        /// How many more such places are not part of the region.
        others: usize,
        /// In a callee that is part of the region: where that returns to, and what is there.
        back: Option<(u64, Edge)>,
    },
    /// The rest of a callee that is part of the region, but for this rest: it stays a call, so
    /// that its return is one to the region.
    Rest {
        /// Where it goes on.
        target: u64,
        /// Where the callee returns to.
        return_pc: u64,
        /// What is there.
        back: Edge,
    },
    /// An environment call; the program goes on at this address.
    Syscall(u64),
    /// Something else that the region does not do itself: it is left at the
    /// instruction, which is to be interpreted.
    Interpret,
}

/// Instructions without control flow, and how they end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Address of the first instruction.
    pub pc: u64,
    /// The instructions, expanded.
    pub body: Vec<Instruction>,
    /// Address behind them: that of the instruction which ends the node, if one does.
    pub end_pc: u64,
    /// How the node ends.
    pub end: End,
    /// Instructions of the node, the one that ends it included.
    pub count: u32,
}

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Guest address of the entry, which is the first node's.
    pub entry: u64,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The guest code that the region was made from, sorted, without overlaps.
    pub code: Vec<Range<u64>>,
    /// Instructions of all nodes.
    pub instructions: usize,
}

/// Bounds of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Instructions of a region: compile time grows with them.
    pub instructions: usize,
    /// About how many of those are in no loop. More are no faster, and regions hold much of
    /// each other then: python's translations took 6.1 MiB with 100 and 15.8 with 2000.
    pub straight: usize,
    /// Instructions of a loop around the entry that becomes part of the region as a whole, even
    /// where other regions begin.
    pub whole_loop: usize,
    /// Instructions that the callees of one call, their own included, may have
    /// to be taken in.
    pub inlined: usize,
    /// The same of a call that is in no loop, if it is less.
    pub inlined_once: usize,
    /// How deep calls are taken in.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            instructions: 2000,
            straight: 120,
            whole_loop: 200,
            inlined: 100,
            inlined_once: 20,
            depth: 4,
        }
    }
}

/// What the walk asks of the one who knows the program.
pub trait Code {
    /// The block at `pc`.
    fn block(&self, pc: u64) -> Block;
    /// Whether the code at `pc` is worth translating: whether it has run.
    fn reached(&self, pc: u64) -> bool;
    /// Whether there is another region that is entered at `pc`: this one ends there.
    fn is_entry(&self, pc: u64) -> bool;
    /// Whether `pc` is where a jump through a register goes from a region that had no
    /// room for it. The region there is to be a *fragment*: short, with the code that
    /// jumps on, and without what it may jump to.
    fn is_fragment(&self, pc: u64) -> bool;
    /// Addresses in `range` where jumps through a register have gone to, in ascending order.
    fn jump_targets(&self, range: Range<u64>) -> Vec<u64>;
}

/// A jump through a register is expected to stay this close to itself, in bytes.
const JUMP_REACH: u64 = 32 << 10;

/// Where a jump through a register at `pc` is expected to go.
pub fn near(pc: u64) -> Range<u64> {
    pc.saturating_sub(JUMP_REACH)..pc.saturating_add(JUMP_REACH)
}

/// Finds the region at `entry`.
pub fn region(entry: u64, limits: Limits, code: &impl Code) -> Region {
    // Without callees, what repeats is a loop of the entry's function, or calls itself.
    let flat = Limits { depth: 0, ..limits };
    let mut plain = walk(entry, flat, None, None, code);
    let around = loop_around(&plain, flat, code);
    if around.is_some() {
        plain = walk(entry, flat, None, around.as_ref(), code);
    }
    let calls = plain.nodes.iter().any(|node| matches!(node.end, End::Call { .. }));
    if !calls && plain.instructions < limits.straight {
        return plain;
    }
    let loops = (!plain.calls_itself()).then(|| Loops::of(&plain.nodes));
    walk(entry, limits, loops, around.as_ref(), code)
}

/// The loop around the entry of a region without callees, if that would end where others begin
/// which have parts of the loop. Each turn would go from one to the other: some of it had not run
/// when the first of them was compiled.
fn loop_around(plain: &Region, flat: Limits, code: &impl Code) -> Option<Loops> {
    let ends_at_entry = |node: &Node| node.end.leaves().any(|pc| code.is_entry(pc));
    if !plain.nodes.iter().any(ends_at_entry) {
        return None;
    }
    let limits = Limits { instructions: flat.whole_loop.min(flat.instructions), ..flat };
    let whole = walk(plain.entry, limits, None, Some(&Loops::everywhere()), code);
    Loops::around_first(&whole.nodes)
}

impl End {
    /// Where control may leave the region to, calls and jumps through registers aside; what is
    /// behind a call is such a place.
    pub fn leaves(&self) -> impl Iterator<Item = u64> {
        let edges = match self {
            End::Goto(edge)
            | End::Skip { to: edge, .. }
            | End::Call { back: edge, .. }
            | End::CallIndirect { back: edge, .. }
            | End::InlineReturn { back: edge, .. }
            | End::Rest { back: edge, .. } => [Some(edge), None],
            End::Branch { taken, fall, .. } => [Some(taken), Some(fall)],
            _ => [None, None],
        };
        edges.into_iter().flatten().filter_map(|edge| match edge {
            Edge::Node(_) => None,
            Edge::Leave(pc) => Some(*pc),
        })
    }

    /// The nodes to which control may go next.
    pub fn nodes(&self) -> Vec<NodeId> {
        let edges: &[&Edge] = match self {
            End::Goto(edge) | End::Inline { target: edge, .. } | End::Skip { to: edge, .. } => {
                &[edge]
            }
            End::Branch { taken, fall, .. } => &[fall, taken],
            End::Call { back, .. }
            | End::CallIndirect { back, .. }
            | End::Rest { back, .. }
            | End::InlineReturn { back, .. } => &[back],
            End::Jump { targets, back, .. } => {
                let back = match back {
                    Some((_, Edge::Node(node))) => Some(*node),
                    _ => None,
                };
                return targets.iter().map(|(_, node)| *node).chain(back).collect();
            }
            End::Return { .. } | End::Syscall(_) | End::Interpret => &[],
        };
        let node = |edge: &&Edge| match edge {
            Edge::Node(node) => Some(*node),
            Edge::Leave(_) => None,
        };
        edges.iter().filter_map(node).collect()
    }
}

impl Region {
    /// Whether control may come by the same place again without a jump through a register: the
    /// region has a loop, or calls itself or goes to its entry.
    pub fn repeats(&self) -> bool {
        self.calls_itself() || !Loops::of(&self.nodes).is_empty()
    }

    /// Whether it calls itself, or goes to its entry from outside.
    fn calls_itself(&self) -> bool {
        let begins_anew = |node: &Node| match &node.end {
            End::Call { target, .. } | End::Rest { target, .. } => *target == self.entry,
            End::Goto(edge) | End::Inline { target: edge, .. } => *edge == Edge::Leave(self.entry),
            _ => false,
        };
        self.nodes.iter().any(begins_anew)
    }
}
