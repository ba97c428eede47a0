//! Copies of small nodes that jump on to many places.
//!
//! The host predicts where a jump goes from, among other things, which jump it is. Where all
//! operations of an interpreter go on to the next one by the same code, since their compiler has
//! merged what they have in common at their ends, it is one jump for all of them. So some of the
//! ways there lead to copies (*tail duplication*).

use crate::analysis::{depth_first, predecessors, successors};
use crate::unroll::branches;
use rvrun_decoder::region::{Edge, End, NodeId, Region};

/// Instructions of a node that is copied.
const MOST_INSTRUCTIONS: u32 = 16;

/// With fewer targets it is not worth it: such a jump becomes branches.
const FEWEST_TARGETS: usize = 3;

/// Targets of all copies in a region: each may take code of its own. With 64, `bytecode_goto`
/// took 0.8 of the time; with 256 no less, and three times the code.
const MOST_TARGETS: usize = 64;

/// Copies what is worth it.
pub fn duplicate_tails(region: &mut Region) {
    let ways: Vec<_> = region.nodes.iter().map(|node| successors(&node.end)).collect();
    let (order, _) = depth_first(&ways);
    let predecessors = predecessors(&ways, &order);
    let mut left = MOST_TARGETS;
    for tail in order {
        let node = &region.nodes[tail as usize];
        let End::Jump { targets, .. } = &node.end else { continue };
        let width = targets.len();
        if width < FEWEST_TARGETS || node.count > MOST_INSTRUCTIONS {
            continue;
        }
        // One way stays, that into the region if there is one.
        let ways = predecessors[tail as usize].iter().skip(usize::from(tail != 0));
        for from in ways {
            if left < width {
                break;
            }
            if lead_to_copy(region, *from, tail) {
                left -= width;
            }
        }
    }
}

/// Leads the ways from `from` to `tail` to a copy of it; says whether there are any, other than of
/// calls and jumps through registers.
fn lead_to_copy(region: &mut Region, from: NodeId, tail: NodeId) -> bool {
    let copy = Edge::Node(region.nodes.len() as NodeId);
    let mut leads = false;
    for edge in branches(&mut region.nodes[from as usize].end) {
        if *edge == Edge::Node(tail) {
            *edge = copy;
            leads = true;
        }
    }
    if leads {
        let node = region.nodes[tail as usize].clone();
        region.instructions += node.count as usize;
        region.nodes.push(node);
    }
    leads
}

#[cfg(test)]
mod tests {
    use super::*;
    use rvrun_decoder::region::Node;
    use rvrun_isa::{Instruction, Opcode};

    /// A node of so many instructions that ends so.
    fn node(count: u32, end: End) -> Node {
        let body = vec![Instruction::new(Opcode::Add); count as usize - 1];
        Node { pc: 0x10, body, end_pc: 0x10 + 4 * u64::from(count - 1), end, count }
    }

    /// A jump to so many places, all of them node 1.
    fn jump(targets: u64) -> End {
        let targets = (0..targets).map(|place| (0x20 + 4 * place, 1)).collect();
        End::Jump { link: None, base: 5, offset: 0, targets, others: 0, back: None }
    }

    /// The region whose node 0 is `tail`, to which nodes that end so lead, from 1 on.
    fn region(tail: Node, ends: Vec<End>) -> Region {
        let nodes: Vec<_> =
            [tail].into_iter().chain(ends.into_iter().map(|e| node(2, e))).collect();
        let instructions = nodes.iter().map(|node| node.count as usize).sum();
        Region { entry: 0x10, nodes, code: Vec::new(), instructions }
    }

    #[test]
    fn each_way_to_a_jump_gets_its_own() {
        let branch = |taken, fall| {
            let instruction = Instruction::new(Opcode::Bne);
            End::Branch { instruction, taken, fall }
        };
        let [zero, two] = [0, 2].map(Edge::Node);
        let tail = node(3, jump(4));
        let mut region = region(tail.clone(), vec![branch(zero, two), End::Goto(zero)]);
        duplicate_tails(&mut region);
        let mut copies: Vec<_> =
            region.nodes[1..3].iter().flat_map(|node| node.end.nodes()).collect();
        copies.sort_unstable();
        assert_eq!(copies, [2, 3, 4], "a branch goes on to the other node");
        assert_eq!(region.nodes[3..], [tail.clone(), tail]);
        assert_eq!(region.instructions, 3 + 2 + 2 + 2 * 3);
    }

    #[test]
    fn one_of_the_ways_to_a_node_inside_stays() {
        let [two] = [2].map(Edge::Node);
        let ends = vec![End::Goto(two), jump(4), End::Goto(two)];
        let mut region = region(node(2, jump(4)), ends);
        if let End::Jump { targets, .. } = &mut region.nodes[0].end {
            targets[3].1 = 3;
        }
        duplicate_tails(&mut region);
        let mut ways = [1, 3].map(|from| region.nodes[from].end.nodes()[0]);
        ways.sort_unstable();
        assert_eq!((ways, region.nodes.len()), ([2, 4], 5));
    }

    #[test]
    fn what_is_large_or_jumps_to_few_has_no_copies_and_others_not_many() {
        let copies = |tail: Node, ways: usize| {
            let mut region = region(tail, vec![End::Goto(Edge::Node(0)); ways]);
            if let End::Jump { targets, .. } = &mut region.nodes[0].end {
                for (index, target) in targets.iter_mut().enumerate() {
                    target.1 = 1 + (index % ways) as NodeId;
                }
            }
            let before = region.nodes.len();
            duplicate_tails(&mut region);
            region.nodes.len() - before
        };
        assert_eq!(copies(node(16, jump(3)), 3), 3);
        assert_eq!(copies(node(17, jump(3)), 3), 0);
        assert_eq!(copies(node(3, jump(2)), 2), 0);
        assert_eq!(copies(node(3, jump(16)), 16), 4);
    }
}
