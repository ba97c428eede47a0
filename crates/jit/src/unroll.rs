//! Small loops, some rounds at once.
//!
//! A round of a small loop is a few instructions, and as many go to the look at the attention
//! flag and to the jump back. So innermost loops are repeated: control goes from one copy to the
//! next, and looks at the flag on the way back from the last one only. Each copy is left where
//! the loop is.

use crate::analysis::{Successor, depth_first, predecessors, successors};
use crate::effects::{self, Way};
use rustc_hash::FxHashSet;
use rvrun_decoder::region::{Edge, End, Node, NodeId, Region};
use rvrun_isa::{Instruction, Kind};
use std::collections::BTreeSet;

/// Copies of a loop.
const MOST_COPIES: usize = 4;

/// Instructions of all copies.
const MOST_INSTRUCTIONS: usize = 64;

/// Repeats what is worth it.
pub fn unroll(region: &mut Region) {
    let ways: Vec<Vec<Successor>> = region.nodes.iter().map(|node| successors(&node.end)).collect();
    let (order, back_edges) = depth_first(&ways);
    let predecessors = predecessors(&ways, &order);
    let heads: BTreeSet<NodeId> = back_edges.iter().map(|(_, head)| *head).collect();
    for head in heads {
        let members = innermost_loop(head, &back_edges, &predecessors);
        let is_simple = |id: &NodeId| is_simple(&region.nodes[*id as usize]);
        let Some(mut members) = members.filter(|members| members.iter().all(is_simple)) else {
            continue;
        };
        let is_outer = |edge: &(NodeId, NodeId)| edge.1 == head && !members.contains(&edge.0);
        let head = match back_edges.iter().any(is_outer) {
            true => nest(region, &mut members, head),
            false => head,
        };
        repeat(region, &members, head);
    }
}

/// Whether the node only computes, and control goes from it along [`branches`] only.
fn is_simple(node: &Node) -> bool {
    let is_long = |i: &Instruction| effects::way(i) == Way::Stepped || i.row().kind == Kind::Atomic;
    matches!(node.end, End::Goto(_) | End::Branch { .. } | End::Skip { .. })
        && !node.body.iter().any(is_long)
}

/// The edges of a simple node's end.
pub fn branches(end: &mut End) -> impl Iterator<Item = &mut Edge> {
    let edges = match end {
        End::Branch { taken, fall, .. } => [Some(taken), Some(fall)],
        End::Goto(to) | End::Skip { to, .. } => [Some(to), None],
        _ => [None, None],
    };
    edges.into_iter().flatten()
}

/// Makes the loop of these nodes begin at a node of its own, which only the one leads to where it
/// has begun as yet: that stays the head of the loops around it. Gives the new head.
fn nest(region: &mut Region, members: &mut [NodeId], head: NodeId) -> NodeId {
    let new = region.nodes.len() as NodeId;
    let empty = Node {
        pc: region.nodes[head as usize].pc,
        body: Vec::new(),
        end_pc: region.nodes[head as usize].pc,
        end: End::Goto(Edge::Node(new)),
        count: 0,
    };
    let own = std::mem::replace(&mut region.nodes[head as usize], empty);
    region.nodes.push(own);
    for member in members {
        if *member == head {
            *member = new;
        }
        for edge in branches(&mut region.nodes[*member as usize].end) {
            if *edge == Edge::Node(head) {
                *edge = Edge::Node(new);
            }
        }
    }
    new
}

/// The nodes of the loop that begins at `head`, if control comes to it by that only and no other
/// loop is in it. It may be in one that begins there, too: a region is entered where it is hot.
fn innermost_loop(
    head: NodeId,
    back_edges: &FxHashSet<(NodeId, NodeId)>,
    predecessors: &[Vec<NodeId>],
) -> Option<Vec<NodeId>> {
    let latches: Vec<NodeId> =
        back_edges.iter().filter(|edge| edge.1 == head).map(|edge| edge.0).collect();
    // A way back that another latch is on is that of a loop around the other one's.
    let is_inner = |latch: NodeId, nodes: &Vec<NodeId>| {
        latches.iter().all(|other| *other == latch || !nodes.contains(other))
    };
    let way_back = |latch: &NodeId| {
        nodes_between(head, *latch, predecessors).filter(|nodes| is_inner(*latch, nodes))
    };
    let mut members: Vec<NodeId> = latches.iter().filter_map(way_back).flatten().collect();
    members.sort_unstable();
    members.dedup();
    let is_other = |edge: &(NodeId, NodeId)| edge.1 != head && members.contains(&edge.1);
    (!members.is_empty() && !back_edges.iter().any(is_other)).then_some(members)
}

/// The nodes that lead from `head` to `latch`, both of them included, if there are not too many
/// and all ways to them are by `head`.
fn nodes_between(head: NodeId, latch: NodeId, predecessors: &[Vec<NodeId>]) -> Option<Vec<NodeId>> {
    let mut members = vec![head];
    let mut work = vec![latch];
    while let Some(node) = work.pop() {
        if members.contains(&node) {
            continue;
        }
        // No loop that is repeated has as many nodes.
        if node == 0 || members.len() == MOST_INSTRUCTIONS {
            return None;
        }
        members.push(node);
        work.extend(&predecessors[node as usize]);
    }
    Some(members)
}

/// Repeats a loop of these nodes, which are simple, if it is small.
fn repeat(region: &mut Region, members: &[NodeId], head: NodeId) {
    let nodes = || members.iter().map(|id| &region.nodes[*id as usize]);
    let instructions: usize = nodes().map(|node| node.count as usize).sum();
    let copies = MOST_COPIES.min(MOST_INSTRUCTIONS / instructions.max(1));
    if copies < 2 {
        return;
    }
    let first = region.nodes.len();
    // What a member is in a copy. The loop itself is the first copy.
    let in_copy = |copy: usize, id: NodeId| match members.iter().position(|member| *member == id) {
        Some(place) if copy > 0 => (first + (copy - 1) * members.len() + place) as NodeId,
        _ => id,
    };
    let originals: Vec<Node> = nodes().cloned().collect();
    for copy in 0..copies {
        for (id, original) in members.iter().zip(&originals) {
            let mut node = original.clone();
            let lead = |edge: &mut Edge| {
                if let Edge::Node(to) = edge {
                    let copy = if *to == head { (copy + 1) % copies } else { copy };
                    *to = in_copy(copy, *to);
                }
            };
            branches(&mut node.end).for_each(lead);
            if copy == 0 {
                region.nodes[*id as usize] = node;
            } else {
                region.nodes.push(node);
            }
        }
    }
    region.instructions += (copies - 1) * instructions;
}

#[cfg(test)]
mod tests {
    use super::*;
    use rvrun_isa::Opcode;

    /// A node of so many instructions that ends so.
    fn node(pc: u64, count: u32, end: End) -> Node {
        let body = vec![Instruction::new(Opcode::Add); count as usize - 1];
        Node { pc, body, end_pc: pc + 4 * u64::from(count - 1), end, count }
    }

    fn branch(taken: Edge, fall: Edge) -> End {
        End::Branch { instruction: Instruction::new(Opcode::Bne), taken, fall }
    }

    fn region(nodes: Vec<Node>) -> Region {
        let instructions = nodes.iter().map(|node| node.count as usize).sum();
        Region { entry: nodes[0].pc, nodes, code: Vec::new(), instructions }
    }

    const OUT: Edge = Edge::Leave(0x100);

    /// The ways of each node, which all end with a branch: if it is taken, and else.
    fn ways(region: &Region) -> Vec<(Edge, Edge)> {
        let ways = |node: &Node| match node.end {
            End::Branch { taken, fall, .. } => (taken, fall),
            _ => panic!("{node:?}"),
        };
        region.nodes.iter().map(ways).collect()
    }

    #[test]
    fn a_loop_goes_around_all_its_copies() {
        let mut region = region(vec![node(0x10, 16, branch(Edge::Node(0), OUT))]);
        let before = region.nodes[0].clone();
        unroll(&mut region);
        let expected = [1, 2, 3, 0].map(|to| (Edge::Node(to), OUT));
        assert_eq!(ways(&region), expected);
        assert!(region.nodes.iter().all(|node| (node.pc, &node.body) == (0x10, &before.body)));
        assert_eq!(region.instructions, 64);
    }

    #[test]
    fn only_the_inner_one_of_two_loops_is_repeated() {
        let [zero, one, two] = [0, 1, 2].map(Edge::Node);
        let inner = [node(0x20, 10, branch(OUT, two)), node(0x30, 11, branch(one, zero))];
        let mut region = region([vec![node(0x10, 2, branch(one, OUT))], inner.to_vec()].concat());
        unroll(&mut region);
        // Node 1 leads to 2, 3 to 4 and 5 to 6.
        let [three, four, five, six] = [3, 4, 5, 6].map(Edge::Node);
        let expected =
            [(one, OUT), (OUT, two), (three, zero), (OUT, four), (five, zero), (OUT, six)];
        assert_eq!(ways(&region)[..6], expected);
        assert_eq!((ways(&region)[6], region.nodes.len()), ((one, zero), 7));
    }

    #[test]
    fn the_inner_one_of_two_loops_that_begin_at_the_same_place_is_repeated() {
        let [zero, one, two, three, four, five] = [0, 1, 2, 3, 4, 5].map(Edge::Node);
        let outer = node(0x20, 2, branch(zero, OUT));
        let mut region = region(vec![node(0x10, 16, branch(zero, one)), outer]);
        unroll(&mut region);
        let head = &region.nodes[0];
        assert_eq!((head.pc, head.end_pc, head.count, &head.end), (0x10, 0x10, 0, &End::Goto(two)));
        region.nodes[0].end = branch(two, two);
        let expected =
            [(two, two), (zero, OUT), (three, one), (four, one), (five, one), (two, one)];
        assert_eq!(ways(&region), expected);
    }

    #[test]
    fn a_loop_with_two_ways_back_is_repeated_as_a_whole() {
        let [zero, one, two, three, four, five] = [0, 1, 2, 3, 4, 5].map(Edge::Node);
        let back = |pc| node(pc, 7, branch(zero, OUT));
        let mut region = region(vec![node(0x10, 7, branch(one, two)), back(0x20), back(0x30)]);
        unroll(&mut region);
        let expected = [
            (one, two),
            (three, OUT),
            (three, OUT),
            (four, five),
            (Edge::Node(6), OUT),
            (Edge::Node(6), OUT),
        ];
        assert_eq!(ways(&region)[..6], expected);
        assert_eq!(ways(&region)[7..], [(zero, OUT); 2], "three copies have 63 instructions");
    }

    #[test]
    fn what_is_large_or_does_more_than_compute_stays_as_it_is() {
        let round = || branch(Edge::Node(0), OUT);
        let interpreted = {
            let mut node = node(0x10, 4, round());
            node.body[0] = Instruction::new(Opcode::Ecall);
            node
        };
        let call = End::Call { link: 1, target: 0x80, return_pc: 0x20, back: Edge::Node(0) };
        let entered_twice = vec![
            node(0x10, 2, branch(Edge::Node(1), Edge::Node(2))),
            node(0x20, 2, branch(Edge::Node(2), OUT)),
            node(0x30, 2, branch(Edge::Node(1), OUT)),
        ];
        for nodes in [
            vec![node(0x10, 33, round())],
            vec![interpreted],
            vec![node(0x10, 4, call)],
            entered_twice,
        ] {
            let mut region = region(nodes);
            let before = region.clone();
            unroll(&mut region);
            assert_eq!(region, before);
        }
    }
}
