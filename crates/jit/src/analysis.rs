//! Where registers are held in SSA values, decided before lowering.
//!
//! A register is *available* where a value holds it, and *dirty* where memory
//! (the hart) does not have that value yet. Loads from the hart are placed where
//! a register is needed on every way on, and before loops that read it; stores
//! to the hart where the region is left, where ways meet for what is not dirty on all of
//! them, and before loops for what they do not
//! write: there the exits for attention need only little. What is written before anybody can
//! see it is *dead*, and not stored. A floating-point
//! register is held in *single* precision or as its 64 bits.
//!
//! Lowering follows [`Held::apply`] instruction by instruction, as the analysis
//! does; so both agree on what is held where.

use crate::effects::{self, FLOATS, Way};
use crate::raw;
use rustc_hash::FxHashSet;
use rvrun_decoder::region::{Edge, End, Node, NodeId, Region};
use rvrun_isa::effect::{Registers, float, integer};
use rvrun_isa::{Instruction, Kind};

/// What is held in values at one point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Registers that values hold.
    pub available: Registers,
    /// Those of them that memory has not got.
    pub dirty: Registers,
    /// Those of them that are held in single precision.
    pub single: Registers,
}

impl Held {
    /// What `instruction` makes of it.
    pub fn apply(&mut self, instruction: &Instruction) {
        if effects::way(instruction) == Way::Stepped {
            self.available &= !effects::forgotten(instruction);
            self.single &= self.available;
            self.dirty = 0;
            return;
        }
        self.read(instruction.reads(), effects::reads_single(instruction));
        self.write(instruction.writes(), effects::writes_single(instruction));
    }

    /// Registers were read, some of them as single precision.
    pub fn read(&mut self, registers: Registers, as_single: Registers) {
        self.single |= registers & !self.available & as_single;
        self.available |= registers;
    }

    /// Registers were written, some of them in single precision.
    pub fn write(&mut self, registers: Registers, in_single: Registers) {
        self.available |= registers;
        self.dirty |= registers;
        self.single = self.single & !registers | in_single;
    }
}

/// The way from a node to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Successor {
    /// Where to.
    pub to: NodeId,
    /// Whether a call lies between: nothing is held behind it.
    pub through_call: bool,
    /// Whether it is a rare one, on which all is loaded that other ways to there hold.
    aside: bool,
}

/// What lowering needs to know of a node.
#[derive(Clone, Debug, Default)]
pub struct NodePlan {
    /// What is held at its beginning.
    pub held: Held,
    /// Whether a loop begins here.
    pub loop_head: bool,
    /// Registers that the loop writes.
    pub loop_writes: Registers,
    /// Registers that every round of the loop that begins here writes; where none
    /// does, nothing.
    pub rewritten: Registers,
    /// Floating-point registers whose next use is in single precision.
    pub single_next: Registers,
    /// Floating-point registers of which a NaN stands for the canonical one: the
    /// ways here see to it that it does, or that there is none.
    pub raw: Registers,
    /// Of these, those that the innermost loop around only computes with, each round with what
    /// the last one made: it need not be tested in the loop whether they are NaNs.
    pub carried: Registers,
    /// The head of the innermost loop that it is in.
    pub innermost: Option<NodeId>,
    /// Registers that may be seen before they are written: those that are read, and all of them
    /// where the region may be left.
    pub live: Registers,
    /// Registers that are read by the loop that begins here, or on every way on.
    wanted: Registers,
}

/// What lowering needs to know of a region.
#[derive(Clone, Debug)]
pub struct Plan {
    /// By node.
    pub nodes: Vec<NodePlan>,
    /// The nodes that can be reached, each after its predecessors but for loops.
    pub order: Vec<NodeId>,
    /// Edges that lead to the head of a loop that they are in.
    pub back_edges: FxHashSet<(NodeId, NodeId)>,
}

/// Where runs of accesses begin in a node's body, by index. A run ends with the
/// first store or atomic; its loads and arithmetic may be done again.
pub fn run_starts(body: &[Instruction]) -> Vec<bool> {
    let mut inside = false;
    let start = |instruction: &Instruction| {
        if effects::way(instruction) == Way::Stepped {
            inside = false;
            return false;
        }
        if !effects::accesses_memory(instruction) {
            return false;
        }
        let starts = !inside;
        inside = instruction.row().kind == Kind::Load;
        starts
    };
    body.iter().map(start).collect()
}

/// Registers that the end of a node reads.
pub fn end_reads(end: &End) -> Registers {
    match end {
        End::Branch { instruction, .. } => instruction.reads(),
        End::Skip { instruction, skipped, .. } => {
            // What is skipped keeps its value.
            let each = |set, i: &Instruction| set | i.reads() | i.writes();
            skipped.iter().fold(instruction.reads(), each)
        }
        End::CallIndirect { base, .. }
        | End::InlineReturn { base, .. }
        | End::Return { base, .. }
        | End::Jump { base, .. } => integer(*base),
        End::Goto(_)
        | End::Call { .. }
        | End::Inline { .. }
        | End::Rest { .. }
        | End::Syscall(_)
        | End::Interpret => 0,
    }
}

/// Registers that the end of a node writes, where it goes on in the region.
pub fn end_writes(end: &End) -> Registers {
    match end {
        End::Inline { link, .. } => integer(*link),
        End::Skip { skipped, .. } => skipped.iter().fold(0, |set, i| set | i.writes()),
        End::Jump { link: Some((link, _)), .. } => integer(*link),
        _ => 0,
    }
}

/// The ways from a node to others.
pub fn successors(end: &End) -> Vec<Successor> {
    let calls = matches!(end, End::Call { .. } | End::CallIndirect { .. } | End::Rest { .. });
    let back_from_jump = match end {
        End::Jump { back: Some((_, Edge::Node(node))), .. } => Some(*node),
        _ => None,
    };
    let successor = |to| {
        let jumped = back_from_jump == Some(to);
        let aside = jumped || matches!(end, End::Rest { .. });
        Successor { to, through_call: calls || jumped, aside }
    };
    end.nodes().into_iter().map(successor).collect()
}

/// Analyses `region`. With `precise`, memory has all registers at the beginning
/// of each run of accesses.
pub fn analyse(region: &Region, precise: bool) -> Plan {
    let mut ways: Vec<Vec<Successor>> =
        region.nodes.iter().map(|node| successors(&node.end)).collect();
    let (order, back_edges) = depth_first(&ways);
    let mut plan = Plan { nodes: vec![NodePlan::default(); region.nodes.len()], order, back_edges };
    let facts: Vec<Facts> = region.nodes.iter().map(|node| Facts::new(node, precise)).collect();
    let predecessors = predecessors(&ways, &plan.order);
    keep_main_ways(&mut ways, &plan);
    find_loops(&mut plan, &facts, &predecessors);
    find_rewritten(&mut plan, &facts, &predecessors);
    find_wanted(&mut plan, &facts, &ways, &predecessors);
    find_live(&mut plan, region, &facts, &ways, precise);
    find_dirty(&mut plan, &facts, &ways, &predecessors);
    find_available(&mut plan, &region.nodes, &ways, precise);
    raw::find(&mut plan, &region.nodes, &ways, &predecessors, precise);
    plan
}

/// What the backward analyses know of a node.
struct Facts {
    /// Read before anything is written or forgotten.
    reads: Registers,
    /// Of these, read first as single precision.
    single: Registers,
    /// Seen before it is written: as `reads`, and all where an instruction may leave the region.
    sees: Registers,
    /// Written, anywhere in the node.
    writes: Registers,
    /// Written in single precision; floating-point registers written otherwise.
    writes_single: Registers,
    writes_double: Registers,
    /// Whether all values are forgotten at the end.
    forgets: bool,
    /// Written and not yet in memory at the end.
    dirty: Registers,
    /// Whether memory gets all that was dirty at the beginning.
    cleans: bool,
}

impl Facts {
    fn new(node: &Node, precise: bool) -> Self {
        let mut facts = Self {
            reads: 0,
            single: 0,
            sees: 0,
            writes: 0,
            writes_single: 0,
            writes_double: 0,
            forgets: false,
            dirty: 0,
            cleans: false,
        };
        let starts = if precise { run_starts(&node.body) } else { Vec::new() };
        for (index, instruction) in node.body.iter().enumerate() {
            let seen = if effects::may_leave(instruction) { !0 } else { instruction.reads() };
            facts.sees |= seen & !facts.writes;
            if effects::way(instruction) == Way::Stepped {
                facts.cleans = true;
                facts.dirty = 0;
                facts.writes |= effects::forgotten(instruction);
                continue;
            }
            if starts.get(index) == Some(&true) {
                facts.cleans = true;
                facts.dirty = 0;
            }
            facts.read(instruction.reads(), effects::reads_single(instruction));
            let single = effects::writes_single(instruction);
            facts.writes |= instruction.writes();
            facts.writes_single |= single;
            facts.writes_double |= instruction.writes() & FLOATS & !single;
            facts.dirty |= instruction.writes();
        }
        facts.read(end_reads(&node.end), 0);
        facts.sees |= end_reads(&node.end) & !facts.writes;
        facts.writes |= end_writes(&node.end);
        facts.dirty |= end_writes(&node.end);
        if let End::Call { .. } | End::CallIndirect { .. } | End::Rest { .. } = node.end {
            facts.forgets = true;
        }
        facts
    }

    fn read(&mut self, registers: Registers, single: Registers) {
        if !self.forgets {
            let first = registers & !self.writes & !self.reads;
            self.reads |= first;
            self.single |= first & single;
        }
    }

    /// Which of the registers `after` the node matter before it.
    fn before(&self, after: Registers) -> Registers {
        if self.forgets { self.reads } else { self.reads | after & !self.writes }
    }
}

/// The nodes that can be reached, each after its predecessors but for loops; and the edges that
/// lead back in loops.
pub fn depth_first(ways: &[Vec<Successor>]) -> (Vec<NodeId>, FxHashSet<(NodeId, NodeId)>) {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; ways.len()];
    let mut order = Vec::with_capacity(ways.len());
    let mut back_edges = FxHashSet::default();
    let mut stack: Vec<(NodeId, usize)> = vec![(0, 0)];
    marks[0] = Mark::Open;
    while let Some((node, next)) = stack.last_mut() {
        match ways[*node as usize].get(*next) {
            Some(way) => {
                *next += 1;
                match marks[way.to as usize] {
                    Mark::New => {
                        marks[way.to as usize] = Mark::Open;
                        stack.push((way.to, 0));
                    }
                    Mark::Open => {
                        back_edges.insert((*node, way.to));
                    }
                    Mark::Done => {}
                }
            }
            None => {
                marks[*node as usize] = Mark::Done;
                order.push(*node);
                stack.pop();
            }
        }
    }
    order.reverse();
    (order, back_edges)
}

/// From where ways lead to each node.
pub fn predecessors(ways: &[Vec<Successor>], order: &[NodeId]) -> Vec<Vec<NodeId>> {
    let mut predecessors = vec![Vec::new(); ways.len()];
    for from in order {
        for way in &ways[*from as usize] {
            predecessors[way.to as usize].push(*from);
        }
    }
    predecessors
}

/// What is on no way but rare ones to a node is not held there.
fn keep_main_ways(ways: &mut [Vec<Successor>], plan: &Plan) {
    let mut others = vec![false; ways.len()];
    others[0] = true;
    for from in &plan.order {
        for way in &ways[*from as usize] {
            let goes_round = plan.back_edges.contains(&(*from, way.to));
            others[way.to as usize] |= !way.aside && !goes_round;
        }
    }
    for way in ways.iter_mut().flatten() {
        way.aside &= others[way.to as usize];
    }
}

/// Finds the heads of loops, what the loops write, and (in `wanted`, for now)
/// what they read.
fn find_loops(plan: &mut Plan, facts: &[Facts], predecessors: &[Vec<NodeId>]) {
    let mut heads: Vec<NodeId> = plan.back_edges.iter().map(|(_, head)| *head).collect();
    heads.sort_unstable();
    heads.dedup();
    let mut sizes = vec![usize::MAX; facts.len()];
    for head in heads {
        let mut inside = vec![false; facts.len()];
        inside[head as usize] = true;
        let mut work: Vec<NodeId> =
            plan.back_edges.iter().filter(|(_, to)| *to == head).map(|(latch, _)| *latch).collect();
        while let Some(node) = work.pop() {
            if !std::mem::replace(&mut inside[node as usize], true) {
                work.extend(&predecessors[node as usize]);
            }
        }
        let members = || facts.iter().zip(&inside).filter(|(_, inside)| **inside);
        let size = members().count();
        for (node, _) in inside.iter().enumerate().filter(|(_, inside)| **inside) {
            if size < sizes[node] {
                sizes[node] = size;
                plan.nodes[node].innermost = Some(head);
            }
        }
        let plan = &mut plan.nodes[head as usize];
        plan.loop_head = true;
        plan.loop_writes = members().fold(0, |set, (facts, _)| set | facts.writes);
        plan.wanted = members().fold(0, |set, (facts, _)| set | facts.reads);
    }
}

/// Finds what loops certainly write.
fn find_rewritten(plan: &mut Plan, facts: &[Facts], predecessors: &[Vec<NodeId>]) {
    // Written on every way here from the beginning of a loop.
    let mut before: Vec<Registers> = vec![0; facts.len()];
    for id in &plan.order {
        let index = *id as usize;
        if *id != 0 && !plan.nodes[index].loop_head {
            let behind = |from: &NodeId| before[*from as usize] | facts[*from as usize].writes;
            before[index] = predecessors[index].iter().fold(!0, |set, from| set & behind(from));
        }
    }
    for (index, node) in plan.nodes.iter_mut().enumerate().filter(|(_, node)| node.loop_head) {
        let rounds = predecessors[index]
            .iter()
            .filter(|from| plan.back_edges.contains(&(**from, index as NodeId)));
        let behind = |from: &NodeId| before[*from as usize] | facts[*from as usize].writes;
        node.rewritten = rounds.fold(!0, |set, from| set & behind(from));
    }
}

/// Finds which registers are to be held at the beginning of each node.
fn find_wanted(
    plan: &mut Plan,
    facts: &[Facts],
    ways: &[Vec<Successor>],
    predecessors: &[Vec<NodeId>],
) {
    let count = facts.len();
    let in_single = facts.iter().fold(0, |set, facts| set | facts.writes_single);
    let otherwise = facts.iter().fold(0, |set, facts| set | facts.writes_double);
    let single_only = in_single & !otherwise;
    // Read on some way on; read on every way on; read next as single precision.
    let mut some: Vec<Registers> = vec![0; count];
    let mut every: Vec<Registers> = vec![!0; count];
    let mut single: Vec<Registers> = vec![0; count];
    let mut work: Vec<NodeId> = plan.order.clone();
    let mut queued = vec![true; count];
    while let Some(node) = work.pop() {
        let index = node as usize;
        queued[index] = false;
        let (facts, ways) = (&facts[index], &ways[index]);
        let behind = ways.iter().filter(|way| !way.through_call);
        let any = behind.clone().fold(0, |set, way| set | some[way.to as usize]);
        // An exit reads nothing.
        let all = match behind.clone().next().is_none() || facts.forgets {
            true => 0,
            false => behind.clone().fold(!0, |set, way| set & every[way.to as usize]),
        };
        let next = behind.fold(0, |set, way| set | single[way.to as usize]);
        let before = (
            facts.before(any),
            facts.before(all),
            facts.single | facts.before(next) & !facts.reads & FLOATS,
        );
        if before != (some[index], every[index], single[index]) {
            (some[index], every[index], single[index]) = before;
            for previous in &predecessors[index] {
                if !std::mem::replace(&mut queued[*previous as usize], true) {
                    work.push(*previous);
                }
            }
        }
    }
    for (index, node) in plan.nodes.iter_mut().enumerate() {
        let in_loop = if node.loop_head { node.wanted } else { 0 };
        node.wanted = some[index] & (in_loop | every[index]);
        // What nobody reads is best held as it is written, if it soon is.
        node.single_next = single[index] | single_only & node.rewritten & !some[index];
    }
}

/// Finds which registers are live at the beginning of each node. With `precise`, all are: the
/// interpreter may go on anywhere.
fn find_live(
    plan: &mut Plan,
    region: &Region,
    facts: &[Facts],
    ways: &[Vec<Successor>],
    precise: bool,
) {
    let has = |what: fn(&Instruction) -> bool| region.nodes.iter().any(|n| n.body.iter().any(what));
    // Ways on which single precision is loaded may be left where they begin.
    let all = precise || has(|i| effects::reads_single(i) != 0);
    // So may those into loops that want no NaN there.
    let computes = has(effects::makes_raw);
    let mut live: Vec<Registers> = vec![if all { !0 } else { 0 }; facts.len()];
    let mut changed = !all;
    while changed {
        changed = false;
        for id in plan.order.iter().rev() {
            let index = *id as usize;
            let leaves = may_be_left(&region.nodes[index].end);
            let may_leave = |way: &Successor| {
                plan.back_edges.contains(&(*id, way.to))
                    || computes && plan.nodes[way.to as usize].loop_head
            };
            let behind = if leaves || ways[index].iter().any(may_leave) {
                !0
            } else {
                ways[index].iter().fold(0, |set, way| set | live[way.to as usize])
            };
            let before = facts[index].sees | behind & !facts[index].writes;
            changed |= before != live[index];
            live[index] = before;
        }
    }
    for (node, live) in plan.nodes.iter_mut().zip(live) {
        node.live = live;
    }
}

/// Whether a node with this end may be left to something else than nodes.
fn may_be_left(end: &End) -> bool {
    let leaves = |edge: &Edge| matches!(edge, Edge::Leave(_));
    match end {
        End::Goto(edge) | End::Skip { to: edge, .. } | End::Inline { target: edge, .. } => {
            leaves(edge)
        }
        End::Branch { taken, fall, .. } => leaves(taken) || leaves(fall),
        End::Call { .. }
        | End::CallIndirect { .. }
        | End::Rest { .. }
        | End::InlineReturn { .. }
        | End::Return { .. }
        | End::Jump { .. }
        | End::Syscall(_)
        | End::Interpret => true,
    }
}

/// Finds what is dirty at the beginning of each node.
fn find_dirty(
    plan: &mut Plan,
    facts: &[Facts],
    ways: &[Vec<Successor>],
    predecessors: &[Vec<NodeId>],
) {
    let mut changed = true;
    while changed {
        changed = false;
        for at in 0..plan.order.len() {
            let id = plan.order[at];
            let is_way = |from: NodeId, what: fn(&Successor) -> bool| {
                ways[from as usize].iter().any(|way| way.to == id && what(way))
            };
            let node = &plan.nodes[id as usize];
            // From below: more that is dirty before makes no less of it dirty behind.
            let out = |from: &NodeId| {
                let facts = &facts[*from as usize];
                let kept = if facts.cleans { 0 } else { plan.nodes[*from as usize].held.dirty };
                if is_way(*from, |way| way.through_call) { 0 } else { kept | facts.dirty }
            };
            let ways =
                predecessors[id as usize].iter().filter(|from| !is_way(**from, |way| way.aside));
            let dirty = if node.loop_head {
                ways.fold(0, |set, from| {
                    let goes_round = plan.back_edges.contains(&(*from, id));
                    set | out(from) & if goes_round { !0 } else { node.loop_writes }
                })
            } else if id == 0 {
                0
            } else {
                ways.fold(!0, |set, from| set & out(from))
            };
            let dirty = dirty & node.live;
            if dirty != node.held.dirty {
                plan.nodes[id as usize].held.dirty = dirty;
                changed = true;
            }
        }
    }
}

/// Finds what is available at the beginning of each node, and in which precision.
fn find_available(plan: &mut Plan, nodes: &[Node], ways: &[Vec<Successor>], precise: bool) {
    // From above: a node's first value is everything, what its predecessors do
    // not have is taken away until nothing changes.
    let mut available: Vec<Registers> = vec![!0; nodes.len()];
    available[0] = 0;
    let least = |plan: &Plan, node: usize| plan.nodes[node].wanted | plan.nodes[node].held.dirty;
    let mut changed = true;
    while changed {
        changed = false;
        for from in &plan.order {
            let from = *from as usize;
            let held = Held { available: available[from] | least(plan, from), ..Held::default() };
            let out = held_behind(&nodes[from], held, precise).available;
            for way in &ways[from] {
                if way.aside {
                    continue;
                }
                let out = if way.through_call { 0 } else { out };
                let to = &mut available[way.to as usize];
                if *to & out != *to {
                    *to &= out;
                    changed = true;
                }
            }
        }
    }
    for (index, available) in available.iter().enumerate() {
        plan.nodes[index].held.available = available | least(plan, index);
        plan.nodes[index].held.single = plan.nodes[index].held.available & FLOATS;
    }
    let entry = &mut plan.nodes[0];
    entry.held.single &= entry.single_next;
    let mut changed = true;
    while changed {
        changed = false;
        for from in &plan.order {
            let from = *from as usize;
            let out = held_behind(&nodes[from], plan.nodes[from].held, precise);
            for way in &ways[from] {
                let out = if way.through_call { Held::default() } else { out };
                let to = &mut plan.nodes[way.to as usize];
                let single = out.single | !out.available & to.single_next;
                if to.held.single & single != to.held.single {
                    to.held.single &= single;
                    changed = true;
                }
            }
        }
    }
}

/// What is held at the end of `node`.
fn held_behind(node: &Node, mut held: Held, precise: bool) -> Held {
    let starts = if precise { run_starts(&node.body) } else { Vec::new() };
    for (index, instruction) in node.body.iter().enumerate() {
        if starts.get(index) == Some(&true) {
            held.dirty = 0;
        }
        held.apply(instruction);
    }
    held.read(end_reads(&node.end), 0);
    held.write(end_writes(&node.end), 0);
    held
}

/// The integer registers of a set.
pub fn integers_in(set: Registers) -> impl Iterator<Item = u8> {
    (1..32).filter(move |register| set & integer(*register) != 0)
}

/// The floating-point registers of a set.
pub fn floats_in(set: Registers) -> impl Iterator<Item = u8> {
    (0..32).filter(move |register| set & float(*register) != 0)
}
