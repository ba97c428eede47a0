//! Callees that are part of a region, but for what they end with.

#[allow(dead_code, reason = "nothing is compared with the interpreter here")]
mod support;

use rvrun_hart::{Hart, float};
use rvrun_isa::Extensions;
use rvrun_jit::{All, Options, Outcome, Profile, State, Stepped, Translator};
use std::ops::Range;
use std::sync::Arc;
use support::{Guest, assembled};

/// Where the rest is, behind the program's beginning.
const REST: u64 = 0x100;

/// Calls a callee `s0` times, which counts in `a1` and goes on as `onward` has it.
fn rounds(onward: &str) -> Guest {
    let caller = ["jal ra, .+16", "addi s0, s0, -1", "bne s0, zero, .-8", "ebreak"];
    let callee = ["addi a1, a1, 1", "beq a1, zero, .+8", onward, "jalr zero, 0(ra)"];
    Guest::new(&assembled(&[caller, callee].concat()))
}

const DIRECTLY: &str = "jal zero, .+232";
const THROUGH_A_REGISTER: &str = "jalr zero, 0(t1)";
const AS_A_LINKAGE_TABLE: &str = "jalr t1, 0(t3)";

/// Of a program of which all but the code at an address has run.
struct AllBut(u64);

impl Profile for AllBut {
    fn reached(&self, pc: u64) -> bool {
        pc != self.0
    }

    fn jump_targets(&self, _range: Range<u64>) -> Vec<u64> {
        Vec::new()
    }
}

/// Runs it for so many rounds, with the rest translated by itself; gives the hart behind
/// that, and how often translations were entered.
fn run(guest: &Guest, rest: &[&str], rounds: u64) -> (Hart, u64) {
    let rest_pc = guest.code + REST;
    guest.put(rest_pc, &assembled(rest));
    let options = Options { synchronous: true, stack_bytes: 64 << 10, ..Options::default() };
    let mut translator = Translator::new(guest.space.clone(), Extensions::ALL, options).unwrap();
    translator.request(guest.code, &AllBut(rest_pc));
    translator.request(rest_pc, &All);
    let mut hart = guest.hart();
    (hart.x[6], hart.x[8], hart.x[28]) = (rest_pc, rounds, rest_pc);
    let mut state = State::new(hart, Arc::default(), Box::new(|_| Stepped::Leave));
    float::host::enter(state.hart.frm);
    let outcome = translator.run(&mut state);
    float::host::leave();
    assert_eq!(outcome, Outcome::Interpret, "at the ebreak");
    (state.hart.clone(), translator.own_stats().entries)
}

#[test]
fn the_rest_of_a_callee_returns_to_the_region() {
    for onward in [DIRECTLY, THROUGH_A_REGISTER, AS_A_LINKAGE_TABLE] {
        let guest = rounds(onward);
        let (hart, entries) = run(&guest, &["addi a2, a2, 1", "jalr zero, 0(ra)"], 1000);
        assert_eq!((hart.pc - guest.code, hart.x[11], hart.x[12]), (12, 1000, 1000), "{onward}");
        assert_eq!(entries, 1, "{onward}");
    }
}

#[test]
fn a_rest_that_never_returns_takes_no_more_of_the_stack() {
    let rest = ["addi s0, s0, -1", "beq s0, zero, .+8", "jal zero, .-264", "ebreak"];
    for onward in [DIRECTLY, THROUGH_A_REGISTER, AS_A_LINKAGE_TABLE] {
        let guest = rounds(onward);
        let (hart, _) = run(&guest, &rest, 1_000_000);
        assert_eq!((hart.pc - guest.code, hart.x[11]), (REST + 12, 1_000_000), "{onward}");
    }
}
