//! What is computed from words: translated as interpreted, be they extended, loaded, known or
//! no words at all.

mod support;

use rvrun_jit::Mode;
use support::{Guest, assembled};

/// Numbers around those that words can be.
const VALUES: [u64; 14] = [
    0,
    1,
    7,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_ffff,
    0x1_0000_0000,
    0x1_8000_0000,
    0x1234_5678_9abc_def0,
    i64::MAX as u64,
    i64::MIN as u64,
    i32::MIN as u64,
    u64::MAX,
];

/// `{}` becomes one of these, from the numbers in `a0` and `a1`, which `s1` is the address of.
const MADE: [&str; 11] = [
    "addiw {}, a0, 0",
    "addw {}, a1, a0",
    "srliw {}, a1, 3",
    "sraiw {}, a0, 1",
    "lw {}, 0(s1)",
    "lhu {}, 8(s1)",
    "lb {}, 8(s1)",
    "addi {}, a1, 0",
    "addi {}, zero, -7",
    "lui {}, 0x80000",
    "sltu {}, a0, a1",
];

/// `a4` becomes one of these, from `a2` and `a3`.
const USED: [&[&str]; 24] = [
    &["slt a4, a2, a3"],
    &["sltu a4, a3, a2"],
    &["slti a4, a2, -7"],
    &["sltiu a4, a2, -7"],
    &["and a4, a2, a3"],
    &["or a4, a2, a3"],
    &["xor a4, a2, a3"],
    &["andi a4, a2, 2047"],
    &["andi a4, a2, -256"],
    &["ori a4, a2, -2048"],
    &["ori a4, a2, 3"],
    &["xori a4, a2, -1"],
    &["xori a4, a2, 1000"],
    &["addi a4, a2, 0", "bltu a2, a3, .+8", "addi a4, a3, 0"],
    &["addi a4, a2, 0", "bge a3, a2, .+8", "addi a4, a3, 0"],
    &["addi a4, zero, 5", "beq a2, a3, .+8", "addi a4, zero, 6"],
    &["addi a4, a3, 0", "bne a2, zero, .+8", "addi a4, a2, 0"],
    &["sw a2, 8(s1)", "addi a4, a3, 0"],
    &["slli a4, a2, 32", "srli a4, a4, 32"],
    &["slli a4, a2, 32", "srli a4, a4, 30"],
    &["slli a4, a2, 32", "srli a4, a4, 1", "add a4, a4, a3"],
    &["slli a4, a2, 32", "srli a4, a4, 35"],
    &["slli a4, a2, 32", "srai a4, a4, 28"],
    &["slli a4, a2, 32", "srai a4, a4, 63"],
];

#[test]
fn words_are_what_they_are_interpreted() {
    let pairs = || VALUES.iter().flat_map(|a| VALUES.map(|b| [*a, b]));
    let count = format!("addi s2, zero, {}", pairs().count());
    for (n, used) in USED.iter().enumerate() {
        for (m, made) in MADE.iter().enumerate() {
            // Each with itself and with another one.
            for other in [made, &MADE[(m + n + 1) % MADE.len()]] {
                let (first, second) = (made.replace("{}", "a2"), other.replace("{}", "a3"));
                let begin = ["addi s1, s0, 0", &count];
                let body = ["ld a0, 0(s1)", "ld a1, 8(s1)", &first, &second];
                let step = ["sd a4, 0(s1)", "addi s1, s1, 16", "addi s2, s2, -1"];
                let back = 4 * (body.len() + used.len() + step.len());
                let back = format!("bne s2, zero, .-{back}");
                let lines = [&begin[..], &body, used, &step, &[&back]].concat();
                let mut guest = Guest::new(&assembled(&lines));
                for (place, number) in guest.before.chunks_mut(8).zip(pairs().flatten()) {
                    place.copy_from_slice(&number.to_le_bytes());
                }
                let result = guest.compare(&guest.hart(), Mode::default());
                let (_, stats, _) = result.unwrap_or_else(|wrong| panic!("{lines:?}:\n{wrong}"));
                assert!(stats.translated > 0, "{lines:?}");
            }
        }
    }
}
