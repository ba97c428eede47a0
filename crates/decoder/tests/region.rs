//! Which code a region takes in, and how its nodes are connected.

use rvrun_decoder::region::{self, Edge, End, Limits, Node, Region};
use rvrun_decoder::{Block, lift};
use rvrun_isa::{Extensions, assemble, encode};
use std::fmt::Debug;
use std::ops::Range;

/// Where programs begin; instructions are four bytes long, so that the third one
/// stands at `at(2)`.
const START: u64 = 0x1000;

fn at(index: u64) -> u64 {
    START + 4 * index
}

#[derive(Default)]
struct Program {
    bytes: Vec<u8>,
    cold: Vec<u64>,
    entries: Vec<u64>,
    targets: Vec<u64>,
    fragments: Vec<u64>,
    limits: Limits,
}

impl Program {
    fn new(lines: &[&str]) -> Self {
        let bytes = |line: &&str| encode(&assemble(line).unwrap()).unwrap().to_le_bytes();
        Self { bytes: lines.iter().flat_map(bytes).collect(), ..Self::default() }
    }

    fn region(&self) -> Region {
        let region = region::region(START, self.limits, self);
        check(&region);
        region
    }

    fn fetch(&self, pc: u64) -> Option<u32> {
        let from = pc.checked_sub(START)? as usize;
        let mut bits = [0; 4];
        for (bit, byte) in bits.iter_mut().zip(self.bytes.get(from..).filter(|b| !b.is_empty())?) {
            *bit = *byte;
        }
        Some(u32::from_le_bytes(bits))
    }
}

impl region::Code for Program {
    fn block(&self, pc: u64) -> Block {
        lift(pc, Extensions::ALL, Vec::new(), |pc| self.fetch(pc))
    }

    fn reached(&self, pc: u64) -> bool {
        !self.cold.contains(&pc)
    }

    fn is_entry(&self, pc: u64) -> bool {
        self.entries.contains(&pc)
    }

    fn is_fragment(&self, pc: u64) -> bool {
        self.fragments.contains(&pc)
    }

    fn jump_targets(&self, range: Range<u64>) -> Vec<u64> {
        self.targets.iter().copied().filter(|target| range.contains(target)).collect()
    }
}

/// What holds for every region.
fn check(region: &Region) {
    assert_eq!(region.nodes[0].pc, region.entry);
    let mut instructions = 0;
    for node in &region.nodes {
        let body: u64 = node.body.iter().map(|instruction| u64::from(instruction.len)).sum();
        assert_eq!(node.pc + body, node.end_pc);
        assert!(node.count as usize - node.body.len() <= 1);
        instructions += node.count as usize;
        for pc in node.pc..node.end_pc {
            assert!(region.code.iter().any(|range| range.contains(&pc)));
        }
    }
    assert_eq!(region.instructions, instructions);
    assert!(region.code.windows(2).all(|pair| pair[0].end < pair[1].start));
}

/// What a list has one of.
fn only<T: Clone + Debug>(things: &[T]) -> T {
    assert_eq!(things.len(), 1, "{things:x?}");
    things[0].clone()
}

/// The node that an edge leads to.
fn node<'a>(region: &'a Region, edge: &Edge) -> &'a Node {
    match edge {
        Edge::Node(id) => &region.nodes[*id as usize],
        Edge::Leave(pc) => panic!("the region is left to {pc:#x}"),
    }
}

/// The edges of a branch.
fn branch(node: &Node) -> (&Edge, &Edge) {
    match &node.end {
        End::Branch { taken, fall, .. } => (taken, fall),
        other => panic!("{other:?} is no branch"),
    }
}

fn goto(node: &Node) -> &Edge {
    match &node.end {
        End::Goto(edge) => edge,
        other => panic!("{other:?} does not simply go on"),
    }
}

#[test]
fn both_ways_of_a_branch_are_followed() {
    let region = Program::new(&["beq a0, a1, .+12", "addi a0, a0, 1", "ecall", "ecall"]).region();
    let (taken, fall) = branch(&region.nodes[0]);
    assert_eq!(node(&region, fall).pc, at(1));
    assert_eq!(node(&region, fall).end, End::Syscall(at(3)));
    assert_eq!(node(&region, taken).end, End::Syscall(at(4)));
    assert_eq!(only(&region.code), at(0)..at(4));
    assert_eq!(region.instructions, 4);
}

#[test]
fn a_jump_back_into_a_node_splits_it() {
    let lines = ["addi a0, a0, 1", "addi a1, a1, 1", "addi a2, a2, 1", "bne a0, a1, .-8", "ecall"];
    let region = Program::new(&lines).region();
    let first = &region.nodes[0];
    assert_eq!((first.body.len(), first.count, first.end_pc), (1, 1, at(1)));
    let second = node(&region, goto(first));
    assert_eq!((second.pc, second.body.len(), second.count), (at(1), 2, 3));
    let (taken, fall) = branch(second);
    assert_eq!(node(&region, taken), second);
    assert_eq!(node(&region, fall).end, End::Syscall(at(5)));
}

#[test]
fn a_jump_to_the_instruction_that_ends_a_node_splits_it() {
    let region = Program::new(&["addi a0, a0, 1", "bne a0, a1, .+0", "ecall"]).region();
    let second = node(&region, goto(&region.nodes[0]));
    assert_eq!((second.pc, second.body.len(), second.count), (at(1), 0, 1));
    assert_eq!(node(&region, branch(second).0), second);
}

#[test]
fn a_node_ends_where_another_one_begins() {
    let one = "addi a0, a0, 1";
    let region = Program::new(&["beq a0, a1, .+16", one, one, one, one, "ecall"]).region();
    let (taken, fall) = branch(&region.nodes[0]);
    let (taken, fall) = (node(&region, taken), node(&region, fall));
    assert_eq!((fall.pc, fall.body.len()), (at(1), 3));
    assert_eq!(node(&region, goto(fall)), taken);
    assert_eq!((taken.pc, taken.count), (at(4), 2));
    assert_eq!(region.instructions, 6);
}

/// What the first node skips, as text.
fn skipped(lines: &[&str]) -> Option<Vec<String>> {
    let region = Program::new(lines).region();
    match &region.nodes[0].end {
        End::Skip { skipped, to, .. } => {
            assert!(matches!(to, Edge::Node(_)));
            Some(skipped.iter().map(ToString::to_string).collect())
        }
        _ => None,
    }
}

#[test]
fn a_branch_around_a_few_cheap_instructions_is_a_skip() {
    let branch = "beq a0, a1, .+8";
    assert_eq!(skipped(&[branch, "addi a2, a2, 1", "ecall"]), Some(vec!["addi a2, a2, 1".into()]));
    for costly in ["lw a2, 0(a3)", "div a2, a2, a3", "auipc a2, 0x0"] {
        assert_eq!(skipped(&[branch, costly, "ecall"]), None, "{costly}");
    }
    let one = "addi a2, a2, 1";
    assert!(skipped(&["beq a0, a1, .+12", one, one, "ecall"]).is_some());
    assert_eq!(skipped(&["beq a0, a1, .+16", one, one, one, "ecall"]), None);
}

#[test]
fn code_that_is_also_jumped_to_is_not_skipped() {
    let lines = ["beq a0, a1, .+8", "addi a2, a2, 1", "bne a2, a3, .-4", "ecall"];
    assert_eq!(skipped(&lines), None);
}

#[test]
fn code_that_overlaps_other_code_is_a_node_of_its_own() {
    // The branch leads to the upper half of the `lui`, which is a `c.nop`.
    let region = Program::new(&["beq a0, a1, .+6", "lui a0, 0x10", "ecall"]).region();
    let (taken, fall) = branch(&region.nodes[0]);
    assert_eq!((node(&region, taken).pc, node(&region, taken).count), (at(1) + 2, 2));
    assert_eq!((node(&region, fall).pc, node(&region, fall).count), (at(1), 2));
}

#[test]
fn code_that_has_not_run_is_left_out() {
    let mut program = Program::new(&["beq a0, a1, .+8", "ecall", "ecall"]);
    program.cold = vec![at(2)];
    let region = program.region();
    assert_eq!(branch(&region.nodes[0]).0, &Edge::Leave(at(2)));
    assert_eq!(only(&region.code), at(0)..at(2));
}

#[test]
fn a_region_ends_where_another_one_is_entered() {
    let mut program = Program::new(&["beq a0, a1, .+8", "ecall", "ecall"]);
    program.entries = vec![at(2)];
    assert_eq!(branch(&program.region().nodes[0]).0, &Edge::Leave(at(2)));
}

#[test]
fn a_loop_around_the_entry_is_whole_though_another_region_has_a_part_of_it() {
    let turn = ["beq a0, a1, .+12", "addi a0, a0, 1", "jal zero, .-8", "addi a0, a0, 2"];
    let mut program = Program::new(&[&turn[..], &["beq a0, a2, .-16", "ecall"]].concat());
    program.entries = vec![at(3), at(5)];
    let region = program.region();
    let other = node(&region, branch(&region.nodes[0]).0);
    assert_eq!(other.pc, at(3));
    assert_eq!(
        branch(other),
        (&Edge::Node(0), &Edge::Leave(at(5))),
        "no way leads back from there"
    );

    program.limits.whole_loop = 3;
    assert_eq!(branch(&program.region().nodes[0]).0, &Edge::Leave(at(3)), "it is too large");
}

#[test]
fn a_region_has_hardly_more_instructions_than_wanted() {
    let lines = ["addi a0, a0, 1", "beq a0, a1, .+4"].repeat(100);
    let mut program = Program::new(&lines);
    program.limits.instructions = 40;
    let region = program.region();
    assert!((30..=50).contains(&region.instructions), "{}", region.instructions);
    let last = region.nodes.iter().max_by_key(|node| node.pc).unwrap();
    assert_eq!(branch(last).1, &Edge::Leave(last.end_pc + 4));
}

const RETURN: &str = "jalr zero, 0(ra)";

#[test]
fn a_small_callee_is_taken_in_once_for_each_call() {
    let lines = ["jal ra, .+12", "jal ra, .+8", "ecall", "addi a0, a0, 1", RETURN];
    let region = Program::new(&lines).region();
    let call = |node: &Node| match &node.end {
        End::Inline { link: 1, return_pc, target: Edge::Node(target) } => (*return_pc, *target),
        other => panic!("{other:?} is no call that is taken in"),
    };
    let (first_return, first) = call(&region.nodes[0]);
    let End::InlineReturn { return_pc, back, .. } = &region.nodes[first as usize].end else {
        panic!("the callee returns");
    };
    assert_eq!((first_return, *return_pc), (at(1), at(1)));
    let (second_return, second) = call(node(&region, back));
    assert_eq!(second_return, at(2));
    assert_ne!(first, second);
    assert_eq!(region.nodes[first as usize].pc, region.nodes[second as usize].pc);
    assert_eq!(only(&region.code), at(0)..at(5));
    assert_eq!(region.instructions, 7);
}

/// Where the first node calls something that is not taken in.
fn outer_callee(region: &Region) -> Option<u64> {
    match region.nodes[0].end {
        End::Call { target, .. } => Some(target),
        _ => None,
    }
}

#[test]
fn a_callee_stays_outside_if_it_is_large_or_cold_or_does_not_return() {
    let lines = ["jal ra, .+8", "ecall", "addi a0, a0, 1", "addi a0, a0, 1", RETURN];
    assert_eq!(outer_callee(&Program::new(&lines).region()), None);
    let mut large = Program::new(&lines);
    large.limits.inlined = 2;
    assert_eq!(outer_callee(&large.region()), Some(at(2)));
    let mut cold = Program::new(&lines);
    cold.cold = vec![at(2)];
    assert_eq!(outer_callee(&cold.region()), Some(at(2)));
    let endless = ["jal ra, .+8", "ecall", "addi a0, a0, 1", "jal zero, .-4"];
    assert_eq!(outer_callee(&Program::new(&endless).region()), Some(at(2)));
}

#[test]
fn a_call_that_links_elsewhere_stays_a_call() {
    let region = Program::new(&["jal a0, .+8", "ecall", RETURN]).region();
    assert_eq!(outer_callee(&region), Some(at(2)));
}

/// A call, and from 2 on a callee: from 3 on it may go on elsewhere, at 4 it returns.
const CALL: [&str; 2] = ["jal ra, .+8", "ecall"];

/// Where the rest of a callee is, where it returns to, and what is there.
fn rest(region: &Region) -> (u64, u64, Edge) {
    let rest = |node: &Node| match node.end {
        End::Rest { target, return_pc, back } => Some((target, return_pc, back)),
        _ => None,
    };
    let rests: Vec<_> = region.nodes.iter().filter_map(rest).collect();
    only(&rests)
}

#[test]
fn the_rest_of_a_callee_stays_a_call() {
    let callee = ["beq a0, a1, .+12", "addi a1, a1, 1", RETURN, "addi a2, a2, 1", RETURN];
    let mut program = Program::new(&[CALL.as_slice(), &callee].concat());
    program.cold = vec![at(5)];
    let region = program.region();
    let (target, return_pc, back) = rest(&region);
    assert_eq!((target, return_pc), (at(5), at(1)));
    assert_eq!(node(&region, &back).end, End::Syscall(at(2)));
    // What is not part of the region is none of its code.
    assert_eq!(only(&region.code), at(0)..at(5));
    assert_eq!(region.instructions, 5);
}

#[test]
fn the_rest_of_a_callees_callee_returns_to_the_callee() {
    let callee = ["jal ra, .+8", RETURN];
    let inner = ["beq a0, a1, .+8", RETURN, "addi a2, a2, 1", RETURN];
    let mut program = Program::new(&[CALL.as_slice(), &callee, &inner].concat());
    program.cold = vec![at(6)];
    let region = program.region();
    let (target, return_pc, back) = rest(&region);
    assert_eq!((target, return_pc), (at(6), at(3)));
    assert!(
        matches!(node(&region, &back).end, End::InlineReturn { return_pc, .. } if return_pc == at(1))
    );
}

#[test]
fn a_callee_that_jumps_through_a_register_comes_back() {
    for jump in ["jalr zero, 0(t1)", "jalr t1, 0(t3)"] {
        let callee = ["beq a0, a1, .+8", jump, RETURN];
        let region = Program::new(&[CALL.as_slice(), &callee].concat()).region();
        let back = |node: &Node| match &node.end {
            End::Jump { back, .. } => *back,
            _ => None,
        };
        let backs: Vec<_> = region.nodes.iter().filter_map(back).collect();
        let (return_pc, back) = only(&backs);
        assert_eq!((return_pc, &node(&region, &back).end), (at(1), &End::Syscall(at(2))));
    }
}

/// How many calls were taken in.
fn inlined(region: &Region) -> usize {
    region.nodes.iter().filter(|node| matches!(node.end, End::Inline { .. })).count()
}

#[test]
fn recursion_is_taken_in_to_the_depth_allowed() {
    let lines = ["jal ra, .+8", "ecall", "addi a0, a0, -1", "jal ra, .-4", RETURN];
    for depth in 1..5 {
        let mut program = Program::new(&lines);
        program.limits.depth = depth;
        let region = program.region();
        let calls = |node: &&Node| matches!(node.end, End::Call { .. });
        assert_eq!(inlined(&region), depth as usize);
        assert_eq!(region.nodes.iter().filter(calls).count(), 1);
    }
}

#[test]
fn callees_of_callees_share_what_is_allowed() {
    // The callee has three instructions, its own callee two.
    let outer = ["jal ra, .+8", "ecall", "addi a0, a0, 1", "jal ra, .+8", RETURN];
    let lines: Vec<&str> = outer.into_iter().chain(["addi a1, a1, 1", RETURN]).collect();
    let with_most = |most| {
        let mut program = Program::new(&lines);
        program.limits.inlined = most;
        inlined(&program.region())
    };
    assert_eq!((with_most(2), with_most(4), with_most(5)), (0, 1, 2));
}

#[test]
fn a_larger_callee_is_taken_in_if_the_call_is_in_a_loop() {
    let callee = [["addi a1, a1, 1"; 30].as_slice(), &[RETURN]].concat();
    let calls = |lines: &[&str]| {
        let all: Vec<&str> = lines.iter().chain(&callee).copied().collect();
        inlined(&Program::new(&all).region())
    };
    assert_eq!(calls(&["jal ra, .+8", "ecall"]), 0);
    assert_eq!(calls(&["jal ra, .+12", "bne a0, a1, .-4", "ecall"]), 1);
    // The callee of a callee is in the loop, too.
    let lines = ["jal ra, .+12", "bne a0, a1, .-4", "ecall", "jal ra, .+8", RETURN];
    assert_eq!(calls(&lines), 2);
}

#[test]
fn of_code_beside_a_loop_there_is_as_much_as_without_one() {
    let with = |loop_len: usize, behind: usize| {
        let begin = format!("beq a0, a1, .+{}", 4 * loop_len);
        let back = format!("jal zero, .-{}", 4 * (loop_len - 1));
        let body = vec!["addi a0, a0, 1"; loop_len - 2];
        let behind = vec!["addi a2, a2, 1"; behind];
        let mut lines = vec![begin.as_str()];
        lines.extend(body);
        lines.push(&back);
        lines.extend(behind);
        lines.push(RETURN);
        Program::new(&lines).region()
    };
    let straight = Limits::default().straight;
    let all = with(300, straight / 2);
    assert_eq!(all.instructions, 300 + straight / 2 + 1);
    let part = with(300, 3 * straight);
    assert!(part.repeats());
    assert!((300 + straight..300 + 2 * straight).contains(&part.instructions));
}

#[test]
fn a_return_of_the_entrys_function_leaves_the_region() {
    let region = Program::new(&["addi a0, a0, 1", RETURN]).region();
    assert_eq!(region.nodes[0].end, End::Return { base: 1, offset: 0 });
    assert_eq!(region.nodes.len(), 1);
}

#[test]
fn far_forms_of_calls_and_jumps_are_direct_ones() {
    let call = ["auipc ra, 0x0", "jalr ra, 12(ra)", "ecall", RETURN];
    let region = Program::new(&call).region();
    let End::Inline { return_pc, target, .. } = &region.nodes[0].end else {
        panic!("the call's target is known");
    };
    assert_eq!((*return_pc, node(&region, target).pc), (at(2), at(3)));
    let jump = ["auipc t1, 0x0", "jalr zero, 12(t1)", "ecall", "ecall"];
    let region = Program::new(&jump).region();
    assert_eq!(node(&region, goto(&region.nodes[0])).pc, at(3));
}

#[test]
fn a_jump_into_a_far_form_does_not_know_its_target() {
    let lines = ["auipc t1, 0x0", "jalr zero, 8(t1)", "beq a0, a1, .-4", "ecall"];
    let region = Program::new(&lines).region();
    let second = node(&region, goto(&region.nodes[0]));
    assert_eq!((region.nodes[0].count, second.pc), (2, at(2)));
    let into = node(&region, branch(second).0);
    assert_eq!(into.pc, at(1));
    assert!(matches!(into.end, End::Jump { base: 6, .. }));
}

#[test]
fn indirect_calls_go_on_behind_themselves() {
    let region = Program::new(&["jalr ra, 8(a0)", "ecall"]).region();
    let End::CallIndirect { link: 1, base: 10, offset: 8, return_pc, back } = &region.nodes[0].end
    else {
        panic!("it calls");
    };
    assert_eq!((*return_pc, &node(&region, back).end), (at(1), &End::Syscall(at(2))));
}

#[test]
fn indirect_jumps_to_many_scattered_places_leave() {
    let lines: Vec<&str> =
        std::iter::once("jalr zero, 0(a0)").chain(std::iter::repeat_n("ecall", 4000)).collect();
    let seen = |distance: u64| {
        let mut program = Program::new(&lines);
        program.targets = (1..=40).map(|n| at(n * distance)).collect();
        let region = program.region();
        match &region.nodes[0].end {
            End::Jump { targets, others, .. } => (targets.len(), *others),
            end => panic!("{end:?}"),
        }
    };
    assert_eq!(seen(4), (40, 0));
    assert_eq!(seen(80), (0, 40));
}

#[test]
fn indirect_jumps_go_where_they_have_been_seen_to_go() {
    let mut program = Program::new(&["jalr zero, 0(a0)", "ecall", "ecall", "ecall"]);
    program.targets = vec![at(1), at(3), START + (1 << 20)];
    program.cold = vec![at(1)];
    let region = program.region();
    let End::Jump { link: None, targets, others, .. } = &region.nodes[0].end else {
        panic!("it jumps");
    };
    assert_eq!(targets.iter().map(|(pc, _)| *pc).collect::<Vec<_>>(), [at(3)]);
    assert_eq!(*others, 1);
}

#[test]
fn a_fragment_is_short_and_jumps_on() {
    let mut lines = vec!["beq a0, a1, .+8"; 1000];
    lines[1] = "jalr zero, 0(a0)";
    let mut program = Program::new(&lines);
    program.targets = vec![at(500)];
    program.entries = vec![at(2)];
    program.fragments = vec![START];
    let region = program.region();
    let jumps = |node: &&Node| matches!(&node.end, End::Jump { targets, .. } if targets.is_empty());
    assert_eq!(region.nodes.iter().filter(jumps).count(), 1);
    // It does not end where another region begins.
    assert!(region.nodes.iter().any(|node| node.pc == at(2)));
    assert!((20..200).contains(&region.instructions), "{}", region.instructions);
}

#[test]
fn what_cannot_be_done_is_left_to_the_interpreter() {
    for lines in [&["ebreak"][..], &["fence.i"], &[]] {
        assert_eq!(Program::new(lines).region().nodes[0].end, End::Interpret);
    }
}

#[test]
fn a_region_repeats_if_it_has_a_loop_or_calls_itself() {
    let repeats = |lines: &[&str]| Program::new(lines).region().repeats();
    let ret = "jalr zero, 0(ra)";
    assert!(!repeats(&["addi a0, a0, 1", ret]));
    assert!(!repeats(&["beq a0, zero, .+8", "addi a0, a0, 1", ret]), "ways that meet");
    assert!(repeats(&["addi a0, a0, 1", "bne a0, a1, .-4", ret]));
    assert!(repeats(&[
        "jal t0, .+8",
        ret,
        "addi a0, a0, 1",
        "bne a0, a1, .-4",
        "jalr zero, 0(t0)"
    ]));
    let calls_itself = ["addi a0, a0, 1", "jal ra, .-4", ret];
    let limits = Limits { inlined: 0, ..Limits::default() };
    assert!(Program { limits, ..Program::new(&calls_itself) }.region().repeats());
}
