//! Which floating-point registers may hold a NaN that is not the canonical one, from node to node.

use crate::analysis::{NodePlan, Plan, Successor, run_starts};
use crate::effects::{self, FLOATS, Way};
use rvrun_decoder::region::{End, Node, NodeId};
use rvrun_isa::Instruction;
use rvrun_isa::effect::Registers;

/// Finds which floating-point registers need not be made canonical before each node:
/// what is raw on every way there or, where a loop begins, behind one round of it.
/// A change of precision makes them canonical anyway.
pub(crate) fn find(
    plan: &mut Plan,
    nodes: &[Node],
    ways: &[Vec<Successor>],
    predecessors: &[Vec<NodeId>],
    precise: bool,
) {
    let computes = |node: &Node| node.body.iter().any(effects::makes_raw);
    if !nodes.iter().any(computes) {
        return;
    }
    find_carried(plan, nodes);
    let mut behind = vec![Raw::default(); nodes.len()];
    let mut changed = true;
    while changed {
        changed = false;
        for id in &plan.order {
            let index = *id as usize;
            if !ways[index].iter().any(|way| way.through_call) {
                behind[index] = raw_behind(&nodes[index], &plan.nodes[index], precise);
            }
        }
        for id in &plan.order {
            let index = *id as usize;
            let node = &mut plan.nodes[index];
            let (mut every, mut round) = (if *id == 0 { 0 } else { !0 }, 0);
            for from in &predecessors[index] {
                let Raw { single, double } = behind[*from as usize];
                let raw = single & node.held.single | double & !node.held.single;
                every &= raw;
                if plan.back_edges.contains(&(*from, *id)) {
                    round |= raw;
                }
            }
            // A NaN that is there when the loop begins is the interpreter's, for one round.
            let raw = (every | round & node.rewritten) & node.held.available & FLOATS;
            changed |= raw & !node.raw != 0;
            node.raw |= raw;
        }
    }
}

/// Finds which floating-point registers loops carry from round to round and only compute with.
fn find_carried(plan: &mut Plan, nodes: &[Node]) {
    let heads: Vec<usize> = (0..nodes.len()).filter(|id| plan.nodes[*id].loop_head).collect();
    for head in heads {
        let is_inside = |node: &NodePlan| node.innermost == Some(head as NodeId);
        let inside = plan.nodes.iter().zip(nodes).filter(|(node, _)| is_inside(node));
        let other_use = |instruction: &Instruction| match effects::makes_raw(instruction) {
            true => effects::shows(instruction),
            false => effects::shows(instruction) | instruction.writes(),
        };
        let (mut other, mut single, mut double) = (0, 0, 0);
        for instruction in inside.flat_map(|(_, node)| &node.body) {
            other |= other_use(instruction);
            let in_single = [effects::reads_single, effects::writes_single].map(|f| f(instruction));
            single |= in_single[0] | in_single[1];
            double |= instruction.reads() & !in_single[0] | instruction.writes() & !in_single[1];
        }
        // A change of precision tests them anyway.
        other |= single & double;
        let carried = plan.nodes[head].rewritten & plan.nodes[head].live & FLOATS & !other;
        plan.nodes.iter_mut().filter(|node| is_inside(node)).for_each(|n| n.carried = carried);
    }
}

/// Floating-point registers that are raw, by precision.
#[derive(Clone, Copy, Default)]
struct Raw {
    single: Registers,
    double: Registers,
}

/// Registers that may be raw at the end of `node`, and are tied to their places.
fn raw_behind(node: &Node, plan: &NodePlan, precise: bool) -> Raw {
    let starts = if precise { run_starts(&node.body) } else { Vec::new() };
    let mut raw = Raw { single: plan.raw & plan.held.single, double: plan.raw & !plan.held.single };
    let mut unused = plan.raw & plan.carried;
    for (index, instruction) in node.body.iter().enumerate() {
        if effects::way(instruction) == Way::Stepped || starts.get(index) == Some(&true) {
            (raw, unused) = (Raw::default(), 0);
        }
        let settled = effects::shows(instruction) | instruction.writes();
        raw = Raw { single: raw.single & !settled, double: raw.double & !settled };
        unused &= !instruction.reads() & !instruction.writes();
        if effects::makes_raw(instruction) {
            let single = effects::writes_single(instruction);
            raw.single |= single;
            raw.double |= instruction.writes() & !single;
            unused |= instruction.writes();
        }
    }
    unused &= !carried_on(node, plan);
    Raw { single: raw.single & !unused, double: raw.double & !unused }
}

/// Registers that need not be tested at the end of `node` although nothing has read them.
pub(crate) fn carried_on(node: &Node, plan: &NodePlan) -> Registers {
    match node.end {
        End::Goto(_) | End::Branch { .. } | End::Skip { .. } => plan.carried,
        _ => 0,
    }
}
