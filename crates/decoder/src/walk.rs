//! How a region is found: branches and direct jumps are followed, small callees are taken in
//! as a copy each ([`Instance`]), indirect jumps go to where they have been seen to go.

use crate::block::{Block, Terminator};
use crate::lift::is_link_register;
use crate::loops::Loops;
use crate::region::{Code, Edge, End, Limits, Node, NodeId, Region, near};
use crate::skips::with_skips;
use rvrun_isa::Opcode;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

/// Instructions of a node, roughly.
const TYPICAL_NODE: usize = 5;

/// One copy of a function in the region.
struct Instance {
    /// The call that it was taken in for; none for the function of the entry.
    caller: Option<Caller>,
    depth: u32,
    /// Instructions that its callees may still have.
    budget: usize,
    /// Its nodes by their first address.
    nodes: BTreeMap<u64, NodeId>,
    /// Nodes that call the rest of it, by where that goes on.
    rests: BTreeMap<u64, NodeId>,
}

impl Instance {
    fn new(caller: Option<Caller>, depth: u32, budget: usize) -> Self {
        Self { caller, depth, budget, nodes: BTreeMap::new(), rests: BTreeMap::new() }
    }
}

#[derive(Clone, Copy)]
struct Caller {
    instance: usize,
    return_pc: u64,
    /// Whether the call is in a loop of the entry's function.
    repeats: bool,
}

struct Walk<'a, C> {
    code: &'a C,
    limits: Limits,
    /// What is in a loop of the entry's function, if that makes a difference.
    loops: Option<Loops>,
    /// What becomes part of the region even if others begin there.
    around: Option<&'a Loops>,
    fragment: bool,
    instances: Vec<Instance>,
    nodes: Vec<Option<Node>>,
    /// Where node `i` belongs.
    places: Vec<(usize, u64)>,
    /// Nodes to be filled, the next one last: what a node leads to comes before
    /// what is beside it, so that limits cut off whole ways.
    work: Vec<NodeId>,
    /// Targets of jumps through registers, in the order in which they are looked at
    /// once there is no other work: the node that jumps, its instance, where to.
    targets: VecDeque<(NodeId, usize, u64)>,
    instructions: usize,
    /// Those that are in no loop.
    straight: usize,
}

/// Instructions of a fragment.
const FRAGMENT: usize = 120;

/// The region at `entry`. With `loops`, what is in none of them counts as [straight](Limits);
/// what is `around` becomes part of it even if others begin there.
pub(crate) fn walk(
    entry: u64,
    mut limits: Limits,
    loops: Option<Loops>,
    around: Option<&Loops>,
    code: &impl Code,
) -> Region {
    let fragment = code.is_fragment(entry);
    if fragment {
        limits.instructions = limits.instructions.min(FRAGMENT);
    }
    let mut walk = Walk {
        code,
        limits,
        loops,
        around,
        fragment,
        instances: vec![Instance::new(None, 0, 0)],
        nodes: Vec::new(),
        places: Vec::new(),
        work: Vec::new(),
        targets: VecDeque::new(),
        instructions: 0,
        straight: 0,
    };
    walk.add(0, entry);
    loop {
        if let Some(id) = walk.work.pop() {
            walk.fill(id);
        } else if let Some((jump, instance, target)) = walk.targets.pop_front() {
            walk.add_target(jump, instance, target);
        } else {
            break;
        }
    }
    walk.finish(entry)
}

impl<C: Code> Walk<'_, C> {
    /// A node at `pc` of an instance, to be filled.
    fn add(&mut self, instance: usize, pc: u64) -> NodeId {
        let id = self.nodes.len() as NodeId;
        self.nodes.push(None);
        self.places.push((instance, pc));
        self.instances[instance].nodes.insert(pc, id);
        self.work.push(id);
        id
    }

    /// The edge to `pc` of an instance.
    fn edge(&mut self, instance: usize, pc: u64) -> Edge {
        match (self.node_at(instance, pc), self.instances[instance].caller) {
            (Some(id), _) => Edge::Node(id),
            (None, None) => Edge::Leave(pc),
            (None, Some(caller)) => Edge::Node(self.rest(instance, caller, pc)),
        }
    }

    /// The node at `pc` of an instance, if that is to be part of the region.
    fn node_at(&mut self, instance: usize, pc: u64) -> Option<NodeId> {
        if let Some(id) = self.instances[instance].nodes.get(&pc) {
            return Some(*id);
        }
        if let Some(id) = self.split(instance, pc) {
            return Some(id);
        }
        // A node that waits has a few instructions.
        let taken = self.instructions + self.work.len() * TYPICAL_NODE;
        let own = self.instances[instance].caller.is_some();
        if taken >= self.limits.instructions
            || self.straight >= self.limits.straight && !self.repeats(instance, pc)
            || !self.code.reached(pc)
            || !own && !self.fragment && self.ends_at(pc)
        {
            return None;
        }
        Some(self.add(instance, pc))
    }

    /// Whether the region ends at `pc` since another one begins there.
    fn ends_at(&self, pc: u64) -> bool {
        self.code.is_entry(pc) && !self.around.is_some_and(|around| around.contains(pc))
    }

    /// The node that calls the rest of a callee, which goes on at `pc`.
    fn rest(&mut self, instance: usize, caller: Caller, pc: u64) -> NodeId {
        if let Some(id) = self.instances[instance].rests.get(&pc) {
            return *id;
        }
        let id = self.nodes.len() as NodeId;
        self.nodes.push(None);
        self.places.push((instance, pc));
        self.instances[instance].rests.insert(pc, id);
        let back = self.edge(caller.instance, caller.return_pc);
        let end = End::Rest { target: pc, return_pc: caller.return_pc, back };
        self.nodes[id as usize] = Some(Node { pc, body: Vec::new(), end_pc: pc, end, count: 0 });
        id
    }

    /// Whether `pc` of an instance is in a loop, as far as that makes a difference.
    fn repeats(&self, instance: usize, pc: u64) -> bool {
        let Some(loops) = &self.loops else { return true };
        match self.instances[instance].caller {
            None => loops.contains(pc),
            Some(caller) => caller.repeats,
        }
    }

    /// If `pc` is an instruction in the middle of a node: makes that two.
    fn split(&mut self, instance: usize, pc: u64) -> Option<NodeId> {
        let (_, id) = self.instances[instance].nodes.range(..pc).next_back()?;
        let tail_id = self.nodes.len() as NodeId;
        let node = self.nodes[*id as usize].as_mut()?;
        let mut at = node.pc;
        let index = node.body.iter().position(|instruction| {
            let here = at == pc;
            at += u64::from(instruction.len);
            here
        });
        let index = match index {
            Some(index) => index,
            // The instruction that ends it.
            None if at == pc && node.count as usize > node.body.len() && !ends_in_auipc(node) => {
                node.body.len()
            }
            None => return None,
        };
        let tail = Node {
            pc,
            body: node.body.split_off(index),
            end_pc: node.end_pc,
            end: std::mem::replace(&mut node.end, End::Goto(Edge::Node(tail_id))),
            count: node.count - index as u32,
        };
        node.end_pc = pc;
        node.count = index as u32;
        self.nodes.push(Some(tail));
        self.places.push((instance, pc));
        self.instances[instance].nodes.insert(pc, tail_id);
        Some(tail_id)
    }

    /// Lifts the node that was added.
    fn fill(&mut self, id: NodeId) {
        let (instance, pc) = self.places[id as usize];
        let mut block = self.code.block(pc);
        let limit = self.instances[instance].nodes.range(pc + 1..).next().map(|(pc, _)| *pc);
        if let Some(limit) = limit.filter(|limit| *limit <= block.terminator_pc) {
            cut(&mut block, limit);
        }
        let has_instruction = block.terminator_pc != block.end;
        let count = block.body.len() as u32 + u32::from(has_instruction);
        self.instructions += count as usize;
        if !self.repeats(instance, pc) {
            self.straight += count as usize;
        }
        let end_pc = block.terminator_pc;
        // The node has to be there before its edges: one may lead into its middle.
        let (pc, terminator, block_end) = (block.pc, block.terminator, block.end);
        let known = constant_target(&block);
        self.nodes[id as usize] =
            Some(Node { pc, body: block.body, end_pc, end: End::Interpret, count });
        let mut end = self.end(instance, terminator, end_pc, block_end, known);
        if let End::Jump { link: None, others, .. } = &mut end
            && !self.fragment
        {
            let found = self.code.jump_targets(near(block_end));
            if is_scattered(&found) {
                *others = found.len();
            } else {
                self.targets.extend(found.into_iter().map(|target| (id, instance, target)));
            }
        }
        self.last_part(id).end = end;
    }

    /// Where a node that was filled ends: if it was split meanwhile, its last part.
    fn last_part(&mut self, id: NodeId) -> &mut Node {
        let mut last = id;
        while let Some(Node { end: End::Goto(Edge::Node(next)), .. }) = self.nodes[last as usize] {
            last = next;
        }
        self.nodes[last as usize].as_mut().expect("it was filled")
    }

    /// Makes `target` one of those of the jump that `jump` ends with, if there is room.
    fn add_target(&mut self, jump: NodeId, instance: usize, target: u64) {
        let node = self.node_at(instance, target);
        if let End::Jump { targets, others, .. } = &mut self.last_part(jump).end {
            match node {
                Some(node) => targets.push((target, node)),
                None => *others += 1,
            }
        }
    }

    fn end(
        &mut self,
        instance: usize,
        terminator: Terminator,
        pc: u64,
        end: u64,
        known: Option<u64>,
    ) -> End {
        match terminator {
            Terminator::FallThrough => End::Goto(self.edge(instance, end)),
            Terminator::Jump { target } => End::Goto(self.edge(instance, target)),
            Terminator::Branch { instruction, taken } => {
                let fall = self.edge(instance, end);
                End::Branch { instruction, taken: self.edge(instance, taken), fall }
            }
            Terminator::Call { link, target } => self.call(instance, pc, link, target, end),
            Terminator::IndirectCall { link, base, offset } if is_link_register(link) => {
                match known {
                    Some(target) => self.call(instance, pc, link, target, end),
                    None => {
                        let back = self.edge(instance, end);
                        End::CallIndirect { link, base, offset, return_pc: end, back }
                    }
                }
            }
            // As where procedure linkage tables jump on.
            Terminator::IndirectCall { link, base, offset } => {
                self.jump(instance, Some((link, end)), base, offset)
            }
            Terminator::IndirectJump { base, offset } => match known {
                Some(target) => End::Goto(self.edge(instance, target)),
                None => self.jump(instance, None, base, offset),
            },
            Terminator::Return { base, offset } => match self.instances[instance].caller {
                None => End::Return { base, offset },
                Some(caller) => {
                    let back = self.edge(caller.instance, caller.return_pc);
                    End::InlineReturn { base, offset, return_pc: caller.return_pc, back }
                }
            },
            Terminator::Syscall => End::Syscall(end),
            Terminator::Breakpoint
            | Terminator::FenceI
            | Terminator::Illegal { .. }
            | Terminator::FetchFault => End::Interpret,
        }
    }

    fn jump(&mut self, instance: usize, link: Option<(u8, u64)>, base: u8, offset: i32) -> End {
        let back = self.instances[instance]
            .caller
            .map(|Caller { instance, return_pc, .. }| (return_pc, self.edge(instance, return_pc)));
        End::Jump { link, base, offset, targets: Vec::new(), others: 0, back }
    }

    fn call(&mut self, instance: usize, pc: u64, link: u8, target: u64, return_pc: u64) -> End {
        let caller = Caller { instance, return_pc, repeats: self.repeats(instance, pc) };
        if let Some(callee) = self.instance_of(caller, link, target) {
            return End::Inline { link, return_pc, target: self.edge(callee, target) };
        }
        let back = self.edge(instance, return_pc);
        End::Call { link, target, return_pc, back }
    }

    /// A new instance for the callee at `target`, if it is to be taken in.
    fn instance_of(&mut self, caller: Caller, link: u8, target: u64) -> Option<usize> {
        let instance = caller.instance;
        let depth = self.instances[instance].depth + 1;
        if depth > self.limits.depth || !is_link_register(link) || !self.code.reached(target) {
            return None;
        }
        let budget = match depth {
            1 if caller.repeats => self.limits.inlined,
            1 => self.limits.inlined_once.min(self.limits.inlined),
            _ => self.instances[instance].budget,
        };
        let size = self.size(target, budget)?;
        if self.instructions + size > self.limits.instructions {
            return None;
        }
        let left = budget - size;
        if depth > 1 {
            self.instances[instance].budget = left;
        }
        let caller = Some(caller);
        self.instances.push(Instance::new(caller, depth, left));
        Some(self.instances.len() - 1)
    }

    /// Instructions of the function at `entry` without its callees, if they are
    /// at most `most` and it is one that returns.
    fn size(&self, entry: u64, most: usize) -> Option<usize> {
        let mut seen = vec![entry];
        let mut next = 0;
        let (mut size, mut returns) = (0, false);
        while let Some(pc) = seen.get(next).copied() {
            next += 1;
            let block = self.code.block(pc);
            size += block.body.len() + 1;
            if size > most || seen.len() > most {
                return None;
            }
            let known = constant_target(&block);
            let follow: &[u64] = match block.terminator {
                Terminator::FallThrough => &[block.end],
                Terminator::Jump { target } => &[target],
                Terminator::Branch { taken, .. } => &[block.end, taken],
                Terminator::Call { .. } | Terminator::IndirectCall { .. } => &[block.end],
                Terminator::IndirectJump { .. } => known.as_slice(),
                Terminator::Return { .. } => {
                    returns = true;
                    &[]
                }
                _ => &[],
            };
            for pc in follow {
                if !seen.contains(pc) && self.code.reached(*pc) {
                    seen.push(*pc);
                }
            }
        }
        returns.then_some(size)
    }

    fn finish(self, entry: u64) -> Region {
        let nodes: Vec<Node> =
            self.nodes.into_iter().map(|node| node.expect("the queue is empty")).collect();
        let mut spans: Vec<Range<u64>> = nodes
            .iter()
            .filter(|node| !matches!(node.end, End::Rest { .. }))
            // What ends a node is at most four bytes long, or missing.
            .map(|node| node.pc..node.end_pc.saturating_add(4))
            .collect();
        spans.sort_by_key(|span| span.start);
        let mut code: Vec<Range<u64>> = Vec::new();
        for span in spans {
            match code.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => code.push(span),
            }
        }
        let instructions = nodes.iter().map(|node| node.count as usize).sum();
        let nodes = with_skips(nodes);
        Region { entry, nodes, code, instructions }
    }
}

/// Ends `block` before the instruction at `limit`, if one begins there.
fn cut(block: &mut Block, limit: u64) {
    let mut at = block.pc;
    for (index, instruction) in block.body.iter().enumerate() {
        if at == limit {
            block.body.truncate(index);
            break;
        }
        at += u64::from(instruction.len);
    }
    if at == limit {
        block.terminator = Terminator::FallThrough;
        (block.terminator_pc, block.end) = (limit, limit);
    }
}

/// Whether a jump with these targets, in ascending order, had better leave the region: those
/// of an interpreter whose every instruction ends with such a jump, each to all others. A
/// table would have to have holes, and each way to a target has loads and stores of its own.
fn is_scattered(targets: &[u64]) -> bool {
    const MANY: usize = 12;
    const SPAN: u64 = 8 << 10;
    match targets {
        [first, .., last] => targets.len() > MANY && last - first > SPAN,
        _ => false,
    }
}

/// Where an indirect jump or call goes whose register the `auipc` right before
/// it has set: the far form of a direct one.
fn constant_target(block: &Block) -> Option<u64> {
    let (base, offset) = match block.terminator {
        Terminator::IndirectCall { base, offset, .. }
        | Terminator::IndirectJump { base, offset } => (base, offset),
        _ => return None,
    };
    let last = block.body.last()?;
    let pc = block.terminator_pc.wrapping_sub(last.len.into());
    (last.opcode == Opcode::Auipc && last.rd == base)
        .then(|| pc.wrapping_add_signed(last.imm.into()).wrapping_add_signed(offset.into()) & !1)
}

/// Whether what ends the node may have been decided by the `auipc` before it.
fn ends_in_auipc(node: &Node) -> bool {
    node.body.last().is_some_and(|last| last.opcode == Opcode::Auipc)
}
