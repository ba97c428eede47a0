//! Branches that choose values.

use crate::region::{Edge, End, Node};
use rvrun_isa::{Instruction, Kind, Opcode};

/// Instructions that a branch may jump over to be a [`End::Skip`].
const MAX_SKIPPED: usize = 2;

/// Makes branches around a few cheap instructions into skips: a branch that depends
/// on data is often taken for another one by the host, where a choice of values
/// cannot be.
pub(crate) fn with_skips(mut nodes: Vec<Node>) -> Vec<Node> {
    let mut arrivals = vec![0u32; nodes.len()];
    arrivals[0] = 1;
    for node in &nodes {
        for to in node.end.nodes() {
            arrivals[to as usize] += 1;
        }
    }
    for id in 0..nodes.len() {
        let End::Branch { instruction, taken: Edge::Node(to), fall: Edge::Node(over) } =
            nodes[id].end
        else {
            continue;
        };
        let skipped = &nodes[over as usize];
        let cheap = skipped.body.len() <= MAX_SKIPPED && skipped.body.iter().all(is_cheap);
        let alone = arrivals[over as usize] == 1 && skipped.end == End::Goto(Edge::Node(to));
        if cheap && alone && over as usize != id {
            let (skipped, count) = (skipped.body.clone(), skipped.count);
            nodes[id].end = End::Skip { instruction, skipped, count, to: Edge::Node(to) };
        }
    }
    nodes
}

/// Whether executing the instruction costs less than a branch that goes wrong.
fn is_cheap(instruction: &Instruction) -> bool {
    use Opcode::*;
    let costly = matches!(
        instruction.opcode,
        Auipc
            | Mul
            | Mulh
            | Mulhu
            | Mulhsu
            | Mulw
            | Div
            | Divu
            | Divw
            | Divuw
            | Rem
            | Remu
            | Remw
            | Remuw
            | Clmul
            | Clmulh
            | Clmulr
    );
    instruction.row().kind == Kind::Alu && !costly
}
