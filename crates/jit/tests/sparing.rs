//! What is compiled where compiling has to be worth its time.

#[allow(dead_code, reason = "nothing is compared with the interpreter here")]
mod support;

use rvrun_isa::Extensions;
use rvrun_jit::{Options, Profile, Translator};
use std::ops::Range;
use support::{Guest, assembled};

/// Of a program of which all has run, now and perhaps in an earlier run, too.
struct Ran {
    earlier: bool,
    weight: u32,
}

const ONCE: Ran = Ran { earlier: false, weight: 1 };
const EARLIER: Ran = Ran { earlier: true, weight: 1 };

impl Profile for Ran {
    fn reached(&self, _pc: u64) -> bool {
        true
    }

    fn jump_targets(&self, _range: Range<u64>) -> Vec<u64> {
        Vec::new()
    }

    fn weight(&self, _pc: u64) -> u32 {
        self.weight
    }

    fn was_hot(&self, _pc: u64) -> bool {
        self.earlier
    }
}

/// Asks so often for a translation of a program; says whether there is one.
fn is_translated(lines: &[&str], times: usize, profile: &Ran) -> bool {
    let guest = Guest::new(&assembled(lines));
    let options = Options { synchronous: true, sparing: true, ..Options::default() };
    let mut translator = Translator::new(guest.space.clone(), Extensions::ALL, options).unwrap();
    (0..times).for_each(|_| translator.request(guest.code, profile));
    translator.is_translated(guest.code)
}

const STRAIGHT: [&str; 3] = ["addi a0, a0, 1", "addi a1, a1, 2", "ecall"];
const LOOP: [&str; 3] = ["addi a0, a0, -1", "bne a0, zero, .-4", "ecall"];

#[test]
fn code_without_a_loop_is_compiled_for_the_next_run_only() {
    assert!(!is_translated(&STRAIGHT, 9, &ONCE));
    assert!(is_translated(&STRAIGHT, 1, &EARLIER));
    assert!(is_translated(&LOOP, 1, &ONCE));
}

#[test]
fn what_is_large_has_to_be_wanted_more_than_once_unless_it_was_hot_before() {
    let mut large = vec!["addi a1, a1, 2"; 100];
    large.extend(["addi a0, a0, -1", "bne a0, zero, .-404", "ecall"]);
    assert!(!is_translated(&large, 1, &ONCE));
    assert!(is_translated(&large, 2, &ONCE));
    assert!(is_translated(&large, 1, &EARLIER));
    assert!(is_translated(&large, 1, &Ran { weight: 2, ..ONCE }), "it is for two requests");
    large.splice(0..0, ["addi a1, a1, 2"; 200]);
    large[300..].clone_from_slice(&["addi a0, a0, -1", "bne a0, zero, .-1204", "ecall"]);
    assert!(!is_translated(&large, 2, &Ran { weight: 2, ..ONCE }));
    assert!(is_translated(&large, 3, &Ran { weight: 2, ..ONCE }));
}
