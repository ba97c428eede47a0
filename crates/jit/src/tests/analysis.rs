//! What is held where, in small regions.

use super::program::Program;
use crate::analysis::{Plan, analyse, run_starts};
use crate::listing::held;
use rvrun_isa::assemble;
use rvrun_isa::effect::integer;

/// The program's nodes as they are entered: label or address, and what is held.
fn entered(text: &str) -> Vec<(u64, String)> {
    let (plan, addresses) = planned(text);
    addresses.into_iter().zip(&plan.nodes).map(|(pc, node)| (pc, held(&node.held))).collect()
}

fn planned(text: &str) -> (Plan, Vec<u64>) {
    let program = Program::parse(text);
    let region = program.region();
    let addresses = region.nodes.iter().map(|node| node.pc).collect();
    (analyse(&region, program.job().mode.precise), addresses)
}

/// What is held at the beginning of the node at `pc`.
fn held_at(text: &str, pc: u64) -> String {
    let entered = entered(text);
    let of_it = |(at, _): &&(u64, String)| *at == pc;
    entered.iter().find(of_it).unwrap_or_else(|| panic!("{entered:x?}")).1.clone()
}

#[test]
fn what_every_way_reads_is_held_from_the_beginning() {
    let text = "
        addi a0, a0, 1
        beq a1, zero, other
        add a2, a3, a4
        ecall
    other:
        add a2, a3, a5
        ecall";
    assert_eq!(held_at(text, 0x1000), "a0 a1 a3");
    assert_eq!(held_at(text, 0x1008), "a0* a1 a3 a4");
}

#[test]
fn what_is_written_first_is_not_loaded() {
    assert_eq!(held_at("addi a0, zero, 1\n add a1, a0, a2\n ecall", 0x1000), "a2");
}

#[test]
fn a_loop_holds_what_it_reads_and_owes_memory_only_what_it_writes() {
    let text = "
        addi a0, a0, 1
        addi a3, a3, 1
    loop:
        add a1, a1, a2
        addi a0, a0, -1
        bne a0, zero, loop
        ecall";
    // a3 gets to memory before the loop, a0 not.
    assert_eq!(held_at(text, 0x1008), "a0* a1* a2 a3");
    let (plan, addresses) = planned(text);
    let head = addresses.iter().position(|pc| *pc == 0x1008).unwrap();
    assert!(plan.nodes[head].loop_head);
    assert_eq!(plan.nodes[head].loop_writes, integer(10) | integer(11));
    assert!(plan.back_edges.contains(&(head as u32, head as u32)));
}

#[test]
fn memory_gets_what_is_not_dirty_on_all_ways_that_meet() {
    let text = "
        beq a0, zero, other
        addi a1, a1, 1
        addi a2, a2, 1
        jal zero, both
    other:
        addi a1, a1, 2
    both:
        add a3, a1, a2
        ecall";
    assert_eq!(held_at(text, 0x1014), "a0 a1* a2");
}

#[test]
fn what_is_written_before_anybody_can_see_it_is_dead() {
    let text = |between| {
        format!(
            "
        addi a1, a1, 1
        beq a0, zero, other
        {between}
        addi a1, zero, 2
        ecall
    other:
        addi a1, zero, 3
        ecall"
        )
    };
    let live = |text: &str, pc| {
        let (plan, addresses) = planned(text);
        plan.nodes[addresses.iter().position(|at| *at == pc).unwrap()].live & integer(11) != 0
    };
    let dead = text("addi a2, zero, 1");
    assert!(live(&dead, 0x1000) && !live(&dead, 0x1008));
    assert_eq!(held_at(&dead, 0x1008), "a0 a1");
    // An access that is not aligned is the interpreter's.
    assert!(live(&text("amoadd.w a2, a3, (a4)"), 0x1008));
    assert!(live(&text("fadd.d fa0, fa0, fa1"), 0x1008));
    assert!(live(&format!("#! precise\n{dead}"), 0x1008));
}

#[test]
fn the_innermost_loop_of_a_node_is_the_smallest() {
    let text = "
    outer:
        addi a1, a1, -1
    inner:
        addi a0, a0, -1
        bne a0, zero, inner
        bne a1, zero, outer
        ecall";
    let (plan, addresses) = planned(text);
    let node = |pc| addresses.iter().position(|at| *at == pc).unwrap();
    assert_eq!(plan.nodes[node(0x1004)].innermost, Some(node(0x1004) as u32));
    assert_eq!(plan.nodes[node(0x100c)].innermost, Some(node(0x1000) as u32));
    assert_eq!(plan.nodes[node(0x1010)].innermost, None);
}

#[test]
fn nothing_is_held_behind_a_call() {
    let text = "
    #! inline 0
        addi a0, a0, 1
        jal ra, callee
        add a1, a0, a2
        ecall
    callee:
        jalr zero, 0(ra)";
    assert_eq!(held_at(text, 0x1000), "a0");
    assert_eq!(held_at(text, 0x1008), "a0 a2");
}

#[test]
fn values_stay_across_a_callee_that_is_taken_in() {
    let text = "
        addi a0, a0, 1
        jal ra, callee
        add a1, a0, a2
        ecall
    callee:
        jalr zero, 0(ra)";
    assert_eq!(held_at(text, 0x1008), "ra* a0* a2");
}

#[test]
fn an_interpreted_instruction_finds_all_in_memory() {
    let text = "
        addi a0, a0, 1
        csrrs a1, cycle, zero
        beq a2, zero, other
        add a3, a0, a1
        ecall
    other:
        ecall";
    // What it writes is in memory alone.
    assert_eq!(held_at(text, 0x100c), "a0 a1 a2");
    let (plan, _) = planned(text);
    assert_eq!(plan.nodes[1].held.dirty, 0);
}

#[test]
fn an_access_that_can_be_caught_finds_all_in_memory() {
    let text = "
        addi a0, a0, 1
        sd a1, 0(a2)
        beq a2, zero, other
        ecall
    other:
        ecall";
    assert_eq!(held_at(text, 0x100c), "a0* a1 a2");
    assert_eq!(held_at(&format!("#! precise\n{text}"), 0x100c), "a0 a1 a2");
}

#[test]
fn a_float_is_held_in_single_precision_if_every_way_has_it_so() {
    let text = "
        flw fa0, 0(a0)
        beq a1, zero, other
        flw fa1, 4(a0)
        jal zero, join
    other:
        fld fa1, 8(a0)
    join:
        fadd.s fa2, fa0, fa1
        ecall";
    assert_eq!(held_at(text, 0x1014), "a0 a1 fa0.s* fa1*");
}

#[test]
fn a_run_of_accesses_ends_with_its_first_store() {
    let lines = ["lw a0, 0(a1)", "add a0, a0, a2", "lw a2, 0(a0)", "sw a2, 0(a1)", "sw a2, 4(a1)"];
    let run = |lines: &[&str]| {
        run_starts(&lines.iter().map(|line| assemble(line).unwrap()).collect::<Vec<_>>())
    };
    assert_eq!(run(&lines), [true, false, false, false, true]);
    assert_eq!(run(&["lw a0, 0(a1)", "lr.w a2, (a1)", "lw a0, 0(a1)"]), [true, false, true]);
}

#[test]
fn each_node_comes_after_its_predecessors_but_for_loops() {
    let text = "
        beq a0, zero, other
        addi a1, a1, 1
        jal zero, join
    other:
        addi a1, a1, 2
    join:
        addi a1, a1, 3
        bne a1, zero, join
        ecall";
    let (plan, addresses) = planned(text);
    let order: Vec<u64> = plan.order.iter().map(|node| addresses[*node as usize]).collect();
    assert_eq!(order.len(), 5);
    let place = |pc| order.iter().position(|at| *at == pc).unwrap();
    assert!(place(0x1010) > place(0x1004) && place(0x1010) > place(0x100c));
    assert_eq!((order[0], order[4]), (0x1000, 0x1018));
}
