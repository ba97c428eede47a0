//! Loops that divide by what they do not write: translated for the divisor that is there, and
//! right for any other.

use rvrun_hart::{Hart, float};
use rvrun_host::fault;
use rvrun_isa::{Extensions, assemble, encode};
use rvrun_jit::{Options, Outcome, Profile, State, Stepped, Translator};
use rvrun_memory::{AddressSpace, access};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

const READ_WRITE_EXECUTE: i32 = 7;
const PRIVATE_ANONYMOUS: i32 = 0x22;

/// Everything is worth translating, and all registers hold the same.
struct Holding(u64);

impl Profile for Holding {
    fn reached(&self, _pc: u64) -> bool {
        true
    }

    fn jump_targets(&self, _range: Range<u64>) -> Vec<u64> {
        Vec::new()
    }

    fn register(&self, _pc: u64, _register: u8) -> Option<u64> {
        Some(self.0)
    }
}

const VALUES: [u64; 14] = [
    0,
    1,
    2,
    3,
    7,
    10,
    998_244_353,
    i32::MAX as u64,
    i32::MIN as u64,
    0x1_0000_0000,
    0xffff_ffff_0000_0007,
    i64::MAX as u64,
    i64::MIN as u64,
    u64::MAX,
];

/// What the manual says, section "Division Operations".
fn expected(name: &str, a: u64, b: u64) -> u64 {
    let (signed_a, signed_b) = (a as i64, b as i64);
    let (word_a, word_b) = (a as i32, b as i32);
    let word = |value: i32| i64::from(value) as u64;
    match name {
        "div" if b == 0 => u64::MAX,
        "div" => signed_a.wrapping_div(signed_b) as u64,
        "divu" => a.checked_div(b).unwrap_or(u64::MAX),
        "rem" if b == 0 => a,
        "rem" => signed_a.wrapping_rem(signed_b) as u64,
        "remu" => a.checked_rem(b).unwrap_or(a),
        "divw" if word_b == 0 => u64::MAX,
        "divw" => word(word_a.wrapping_div(word_b)),
        "divuw" => word((a as u32).checked_div(b as u32).unwrap_or(u32::MAX) as i32),
        "remw" if word_b == 0 => word(word_a),
        "remw" => word(word_a.wrapping_rem(word_b)),
        "remuw" => word((a as u32).checked_rem(b as u32).unwrap_or(a as u32) as i32),
        other => panic!("{other} does not divide"),
    }
}

#[test]
fn quotients_are_right_whatever_was_expected_to_divide_by() {
    fault::install().unwrap();
    for name in ["div", "divu", "rem", "remu", "divw", "divuw", "remw", "remuw"] {
        let space = Arc::new(AddressSpace::new());
        let code = space.mmap(0, 4096, READ_WRITE_EXECUTE, PRIVATE_ANONYMOUS, -1, 0, None).unwrap();
        let division = format!("{name} a3, a0, a1");
        let lines = [&*division, "addi a2, a2, -1", "bne a2, zero, .-8", "ecall"];
        for (at, line) in (code..).step_by(4).zip(lines) {
            let bits = encode(&assemble(line).unwrap()).unwrap();
            access::copy_out(at, &bits.to_le_bytes()).unwrap();
        }
        let options = Options { synchronous: true, code_bytes: 1 << 20, ..Options::default() };
        let mut translator = Translator::new(space, Extensions::ALL, options).unwrap();
        for expects in VALUES {
            translator.clear();
            translator.request(code, &Holding(expects));
            let divisors = translator.sources()[0].divisors.clone();
            assert_eq!(divisors, [(11, expects)], "{name}");
            for (a, b) in VALUES.iter().flat_map(|a| VALUES.map(|b| (*a, b))) {
                let mut hart = Hart::new();
                hart.pc = code;
                (hart.x[10], hart.x[11], hart.x[12]) = (a, b, 2);
                let attention = Arc::new(AtomicU32::new(0));
                let mut state = State::new(hart, attention, Box::new(|_| Stepped::Not));
                float::host::enter(0);
                let outcome = translator.run(&mut state);
                float::host::leave();
                assert_eq!(outcome, Outcome::Syscall);
                let found = state.hart.x[13];
                assert_eq!(found, expected(name, a, b), "{name} {a:#x}, {b:#x} ({expects:#x})");
            }
        }
    }
}

#[test]
fn what_the_loop_writes_is_not_expected() {
    fault::install().unwrap();
    let space = Arc::new(AddressSpace::new());
    let code = space.mmap(0, 4096, READ_WRITE_EXECUTE, PRIVATE_ANONYMOUS, -1, 0, None).unwrap();
    let lines = ["divu a3, a0, a1", "addi a1, a1, -1", "bne a1, zero, .-8", "ecall"];
    for (at, line) in (code..).step_by(4).zip(lines) {
        let bits = encode(&assemble(line).unwrap()).unwrap();
        access::copy_out(at, &bits.to_le_bytes()).unwrap();
    }
    let options = Options { synchronous: true, code_bytes: 1 << 20, ..Options::default() };
    let mut translator = Translator::new(space, Extensions::ALL, options).unwrap();
    translator.request(code, &Holding(3));
    assert!(translator.sources()[0].divisors.is_empty());
}
