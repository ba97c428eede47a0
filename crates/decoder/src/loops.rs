//! Which code of a region is in a loop.

use crate::region::Node;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::ops::Range;

/// The addresses from which control may come back to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loops(Vec<Range<u64>>);

impl Loops {
    /// Those of a region's nodes.
    pub fn of(nodes: &[Node]) -> Self {
        Self::some_of(nodes, |_| true)
    }

    /// The largest one that the first of a region's nodes is in, if it is in one.
    pub fn around_first(nodes: &[Node]) -> Option<Self> {
        let around = Self::some_of(nodes, |component| component.contains(&NodeIndex::new(0)));
        (!around.is_empty()).then_some(around)
    }

    /// Every address, as if control came back to all.
    pub fn everywhere() -> Self {
        Self(std::iter::once(0..u64::MAX).collect())
    }

    fn some_of(nodes: &[Node], wanted: impl Fn(&[NodeIndex]) -> bool) -> Self {
        let ways = nodes
            .iter()
            .zip(0..)
            .flat_map(|(node, from)| node.end.nodes().into_iter().map(move |to| (from, to)));
        let graph = DiGraph::<(), ()>::from_edges(ways);
        let components = kosaraju_scc(&graph);
        let in_loops = components.iter().filter(|component| match component[..] {
            [alone] => graph.contains_edge(alone, alone),
            _ => true,
        });
        let mut code: Vec<Range<u64>> = in_loops
            .filter(|component| wanted(component))
            .flatten()
            .map(|id| &nodes[id.index()])
            .map(|node| node.pc..node.end_pc + 1)
            .collect();
        code.sort_unstable_by_key(|range| range.start);
        Self(code)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the instruction at `pc` is in one.
    pub fn contains(&self, pc: u64) -> bool {
        let after = self.0.partition_point(|range| range.start <= pc);
        after.checked_sub(1).is_some_and(|at| self.0[at].contains(&pc))
    }
}
