//! Loops that look for a byte end as they do step by step.

mod support;

use rvrun_hart::Hart;
use rvrun_interp::{Interpreter, Stop, Warm};
use rvrun_isa::Extensions;
use support::Guest;

/// The loop of `__clzdi2`.
const SEARCH: [&str; 6] = [
    "addi a5, zero, 56",
    "srl a4, a0, a5",
    "andi a3, a4, 255",
    "bne a3, zero, .+16",
    "addi a5, a5, -8",
    "bne a5, zero, .-16",
];

fn start(guest: &Guest, value: u64) -> Hart {
    let mut hart = Hart::new();
    hart.pc = guest.code;
    hart.x[10] = value;
    (hart.x[11], hart.x[13], hart.x[14], hart.x[15]) = (16, 0x0300, 0x0100_0000, 64);
    hart
}

/// Why, where and with what a program stops.
type Outcome = (Stop, u64, String);

fn outcome(stop: Stop, guest: &Guest) -> Outcome {
    (stop, guest.offset(), format!("{:x?}", guest.hart))
}

/// What comes of executing the program as a whole with `value` in `a0`.
fn run(guest: &mut Guest, value: u64, warm: Warm) -> Outcome {
    guest.interpreter = Interpreter::new(guest.space.clone(), Extensions::ALL);
    guest.interpreter.set_warm(warm);
    guest.hart = start(guest, value);
    let stop = guest.run();
    outcome(stop, guest)
}

/// The same step by step; none if it takes too many.
fn step(guest: &mut Guest, value: u64) -> Option<Outcome> {
    guest.hart = start(guest, value);
    let stop = (0..200).find_map(|_| guest.interpreter.step(&mut guest.hart))?;
    Some(outcome(stop, guest))
}

/// Writes the program, and checks it with values that end it everywhere.
fn check(program: &[&str]) {
    let mut guest = Guest::new(&[program, &["ecall", "ecall"]].concat());
    let bits = (0..64).map(|bit| 1u64 << bit);
    for value in bits.flat_map(|bit| [bit, bit - 1, bit | 1, bit | 0x80]).chain([u64::MAX]) {
        if let Some(expected) = step(&mut guest, value) {
            for warm in [Warm::Never, Warm::AtOnce] {
                assert_eq!(run(&mut guest, value, warm), expected, "{program:?} of {value:#x}");
            }
        }
    }
}

#[test]
fn searches_end_as_step_by_step() {
    check(&SEARCH);
    check(&[&["add a0, a0, a1", "xori a1, a0, 7"], &SEARCH[..]].concat());
    // With other registers, and instructions of two bytes.
    check(&[
        "addi s1, zero, 56",
        "srl t0, a0, s1",
        "andi t0, t0, 255",
        "bne t0, zero, .+12",
        "c.addi s1, -8",
        "c.bnez s1, .-14",
    ]);
}

#[test]
fn what_looks_like_a_search_is_executed_as_it_is() {
    let others = [
        (0, "addi a5, zero, 48"),
        (0, "addi a5, a5, 56"),
        (0, "addi a4, zero, 56"),
        (1, "srl a4, a5, a5"),
        (1, "srl a4, a0, a1"),
        (1, "srl a0, a0, a5"),
        (1, "srl a5, a0, a5"),
        (1, "sra a4, a0, a5"),
        (1, "srl zero, a0, a5"),
        (1, "srl a4, zero, a5"),
        (2, "andi a3, a4, 127"),
        (2, "andi a3, a0, 255"),
        (2, "andi a0, a4, 255"),
        (2, "andi a5, a4, 255"),
        (2, "andi zero, a4, 255"),
        (3, "bne a4, zero, .+16"),
        (3, "bne a3, a1, .+16"),
        (3, "beq a3, zero, .+16"),
        (3, "bne a3, zero, .+12"),
        (4, "addi a5, a5, -16"),
        (4, "addi a5, a1, -8"),
        (4, "addi a1, a5, -8"),
        (4, "addiw a5, a5, -8"),
        (5, "bne a5, zero, .-12"),
        (5, "bne a5, zero, .-20"),
        (5, "bne a1, zero, .-16"),
        (5, "bne a5, a1, .-16"),
        (5, "beq a5, zero, .-16"),
        (5, "ecall"),
    ];
    for (at, line) in others {
        let mut program = SEARCH;
        program[at] = line;
        check(&program);
    }
    // Its registers are not as many as they should be.
    for round in [
        ["srl a0, a0, a5", "andi a3, a0, 255", SEARCH[3]],
        ["srl a5, a0, a5", "andi a3, a5, 255", SEARCH[3]],
        ["srl a4, a0, a5", "andi a0, a4, 255", "bne a0, zero, .+16"],
        ["srl a4, a0, a5", "andi a5, a4, 255", "bne a5, zero, .+16"],
    ] {
        let mut program = SEARCH;
        program[1..4].copy_from_slice(&round);
        check(&program);
    }
    // One instruction more in each round.
    for (at, line) in [(2, "addi zero, zero, 0"), (2, "addi a2, a2, 1"), (3, "addi a2, a2, 1")] {
        let (before, behind) = SEARCH.split_at(at);
        let mut program = [before, &[line], behind].concat();
        program[6] = "bne a5, zero, .-20";
        check(&program);
    }
}

#[test]
fn what_a_search_depends_on_may_change() {
    for warm in [Warm::Never, Warm::AtOnce] {
        for (at, line) in [(4, "addi a5, a5, -28"), (5, "beq a5, zero, .-16")] {
            let mut guest = Guest::new(&[&SEARCH[..], &["ecall", "ecall"]].concat());
            run(&mut guest, 0x1_0000, warm);
            guest.write(4 * at, &[line]);
            guest.interpreter.revalidate();
            guest.hart = start(&guest, 0x1_0000);
            let stop = guest.run();
            let got = outcome(stop, &guest);
            assert_eq!(Some(got), step(&mut guest, 0x1_0000), "{line}");
        }
    }
}
