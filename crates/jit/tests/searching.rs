//! Loops that look for a byte end, translated, as they do step by step.

mod support;

use rvrun_hart::Hart;
use rvrun_interp::{Interpreter, Stop};
use rvrun_isa::Extensions;
use rvrun_jit::Mode;
use support::{Guest, assembled};

/// The loop of `__clzdi2`, and something behind each of its ends.
const SEARCH: [&str; 9] = [
    "addi a5, zero, 56",
    "srl a4, a0, a5",
    "andi a3, a4, 255",
    "bne a3, zero, .+20",
    "addi a5, a5, -8",
    "bne a5, zero, .-16",
    "addi a2, zero, 64",
    "ebreak",
    "sub a2, zero, a5",
];

fn state(hart: &Hart) -> (u64, u64, [u64; 32]) {
    (hart.pc, hart.instret, hart.x[..32].try_into().expect("there are so many"))
}

/// Checks the program with values that end it everywhere, each executed several times.
fn check(program: &[&str]) {
    let mut looping = program.to_vec();
    // Around it is a loop, so that regions are what they are in programs.
    looping.extend(["addi s1, s1, -1"]);
    let back = format!("bne s1, zero, .-{}", 4 * looping.len());
    looping.push(&back);
    let guest = Guest::new(&assembled(&looping));
    let bits = (0..64).step_by(7).map(|bit| 1u64 << bit);
    for value in bits.flat_map(|bit| [bit, bit - 1, bit | 0x80]) {
        let mut hart = guest.hart();
        (hart.x[9], hart.x[10], hart.x[11]) = (2, value, 48);
        let mut steps = hart.clone();
        let mut interpreter = Interpreter::new(guest.space.clone(), Extensions::ALL);
        let stop = (0..1000).find_map(|_| interpreter.step(&mut steps));
        if let Some(stop) = stop {
            assert!(matches!(stop, Stop::Trap(_)));
            for precise in [false, true] {
                let mode = Mode { precise, counting: true };
                let (end, ..) = guest.compare(&hart, mode).unwrap_or_else(|e| panic!("{e}"));
                assert_eq!(state(&end.hart), state(&steps), "{program:?} of {value:#x}");
            }
        }
    }
}

#[test]
fn searches_end_as_step_by_step() {
    check(&SEARCH);
    check(&[&["add a0, a0, a1", "xori a1, a0, 7"], &SEARCH[..]].concat());
}

#[test]
fn what_looks_like_a_search_is_executed_as_it_is() {
    let others = [
        (0, "addi a5, zero, 48"),
        (0, "addi a5, a1, 8"),
        (1, "srl a4, a0, a1"),
        (2, "andi a3, a4, 127"),
        (2, "andi a3, a0, 255"),
        (3, "bne a4, zero, .+20"),
        (3, "beq a3, zero, .+20"),
        (4, "addi a5, a5, -28"),
        (4, "addi a5, a1, -48"),
        (5, "bne a5, zero, .-12"),
        (5, "bne a5, a1, .-16"),
        (5, "beq a5, zero, .-16"),
    ];
    for (at, line) in others {
        let mut program = SEARCH;
        program[at] = line;
        check(&program);
    }
    // One instruction more before the loop, in each round, and before the next one.
    for (at, back) in [(1, 16), (2, 20), (3, 20), (4, 20), (5, 20)] {
        let (before, behind) = SEARCH.split_at(at);
        let mut program = [before, &["addi a6, a6, 1"], behind].concat();
        let back = format!("bne a5, zero, .-{back}");
        let out = if at == 4 || at == 5 { "bne a3, zero, .+24" } else { SEARCH[3] };
        let branch = program.iter().position(|line| *line == SEARCH[3]).expect("it is there");
        (program[branch], program[6]) = (out, &back);
        check(&program);
    }
    // The loop is elsewhere.
    let (first, rest) = SEARCH.split_at(1);
    let elsewhere = ["jal zero, .+8", "addi a0, a0, 1"];
    check(&[first, &elsewhere, rest].concat());
    // And each round goes there anew.
    let mut program = [first, &elsewhere, rest].concat();
    program[7] = "bne a5, zero, .-24";
    check(&program);
}
