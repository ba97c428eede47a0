//! Comparisons that are to be quiet, between a read of `fflags` and a write of that: translated as
//! interpreted, also where something else is between the two.

mod support;

use rvrun_jit::Mode;
use support::{Guest, assembled};

/// The number after numbers, quiet and signalling, among others.
const VALUES: [u64; 10] = [
    0,
    1 << 63,
    1,
    0x3ff0_0000_0000_0000,
    0x3ff0_0000_0000_0001,
    0x7ff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0xffff_ffff_3f80_0000,
    0xffff_ffff_7f80_0001,
];

/// What is between, with `fa0` and `fa1`, and the flags in `a2`.
const BETWEEN: [&[&str]; 13] = [
    &["flt.d a3, fa0, fa1"],
    &["fle.d a3, fa0, fa1"],
    &["feq.d a3, fa0, fa1"],
    &["flt.s a3, fa0, fa1"],
    &["flt.d zero, fa0, fa1"],
    &["flt.d a2, fa0, fa1"],
    &["flt.d a3, fa0, fa1", "addi a2, zero, 5"],
    &["flt.d a3, fa0, fa1", "fle.d a4, fa1, fa0", "fsgnjx.d fa1, fa0, fa1"],
    &["fadd.d fa3, fa0, fa1", "flt.d a3, fa0, fa1"],
    &["flt.d a3, fa0, fa1", "fcvt.s.d fa3, fa0"],
    &["csrrwi zero, fflags, 3", "flt.d a3, fa0, fa1"],
    &["addi a3, zero, 1"],
    // Read at once.
    &["lbu a2, 16(s1)", "lbu a3, 17(s1)", "slli a3, a3, 8", "or a2, a2, a3"],
];

/// Raises an exception after some of the pairs, or none.
const BEFORE: [&str; 3] = ["addi zero, zero, 0", "fdiv.d fa2, fa0, fa1", "csrrwi zero, fflags, 0"];

#[test]
fn flags_are_what_they_are_interpreted() {
    let pairs = || VALUES.iter().flat_map(|a| VALUES.map(|b| [*a, b]));
    let count = format!("addi s2, zero, {}", pairs().count());
    for between in BETWEEN {
        for before in BEFORE {
            let begin = ["addi s1, s0, 0", &count];
            let body = ["fld fa0, 0(s1)", "fld fa1, 8(s1)", before, "csrrs a2, fflags, zero"];
            let step = [
                "csrrw zero, fflags, a2",
                "csrrs a4, fflags, zero",
                "slli a4, a4, 8",
                "or a4, a4, a3",
                "sd a4, 0(s1)",
                "sd a2, 8(s1)",
                "addi s1, s1, 16",
                "addi s2, s2, -1",
            ];
            let back = 4 * (body.len() + between.len() + step.len());
            let back = format!("bne s2, zero, .-{back}");
            let lines = [&begin[..], &body, between, &step, &[&back]].concat();
            let mut guest = Guest::new(&assembled(&lines));
            for (place, number) in guest.before.chunks_mut(8).zip(pairs().flatten()) {
                place.copy_from_slice(&number.to_le_bytes());
            }
            for counting in [false, true] {
                let mode = Mode { counting, ..Mode::default() };
                let result = guest.compare(&guest.hart(), mode);
                let (_, stats, _) = result.unwrap_or_else(|wrong| panic!("{lines:?}:\n{wrong}"));
                assert!(stats.translated > 0, "{lines:?}");
            }
        }
    }
}
