//! What an optimising compiler would do to floating point and to memory that
//! others change, and must not.

mod support;

use rvrun_jit::Mode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use support::{End, Guest, assembled};

const NX: u8 = 1;
const DZ: u8 = 8;
const NV: u8 = 16;

const FA: usize = 10;
const A: usize = 10;

fn d(value: f64) -> u64 {
    value.to_bits()
}

fn s(value: f32) -> u64 {
    0xffff_ffff_0000_0000 | u64::from(value.to_bits())
}

/// Runs a program with these values in `fa0` and so on, and in `a0` and so on. All
/// of it has to be translated, `stepped` instructions excepted.
fn run(lines: &[&str], floats: &[u64], integers: &[u64], stepped: u64) -> End {
    let guest = Guest::new(&assembled(lines));
    let mut hart = guest.hart();
    hart.f[FA..FA + floats.len()].copy_from_slice(floats);
    hart.x[A..A + integers.len()].copy_from_slice(integers);
    let (end, stats, steps) =
        guest.compare(&hart, Mode::default()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((stats.interpreted, steps, stats.refused), (1, stepped, 0), "{stats:?}");
    end
}

#[test]
fn a_loop_sees_what_another_thread_writes() {
    // The first load is what a compiler would take the second one for.
    let lines = ["lw a1, 0(s0)", "bne a1, zero, .+12", "lw a1, 0(s0)", "beq a1, zero, .-4"];
    let guest = Guest::new(&assembled(&lines));
    let attention = Arc::new(AtomicU32::new(0));
    let (flag, watchdog) = (guest.data, attention.clone());
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        // SAFETY: the guest's data page is mapped until the program has ended.
        unsafe { AtomicU32::from_ptr(flag as *mut u32) }.store(7, Ordering::Relaxed);
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(20));
            if watchdog.load(Ordering::Relaxed) != 0 {
                return;
            }
        }
        watchdog.store(1, Ordering::Relaxed);
    });
    let (end, ..) = guest.translate_until(&guest.hart(), Mode::default(), attention.clone());
    attention.store(1, Ordering::Relaxed);
    writer.join().unwrap();
    assert!(end.trap.is_some(), "the loop did not end");
    assert_eq!(end.hart.x[11], 7);
}

#[test]
fn results_that_nobody_reads_raise_their_flags() {
    let overwritten = [
        "fdiv.d fa2, fa0, fa1",
        "fadd.d fa2, fa0, fa0",
        "fadd.d fa2, fa0, fa0",
        "fsgnj.d fa2, fa0, fa0",
    ];
    assert_eq!(run(&overwritten, &[d(1.0), d(0.0)], &[], 0).hart.fflags, DZ);
    let compared = ["feq.d a0, fa0, fa0", "feq.d a0, fa1, fa1", "addi a0, zero, 0"];
    assert_eq!(run(&compared, &[0x7ff0_0000_0000_0001, d(0.0)], &[], 0).hart.fflags, NV);
    let converted = [
        "fcvt.w.d a0, fa0, rtz",
        "fcvt.w.d a0, fa1, rtz",
        "fcvt.lu.d zero, fa1, rtz",
        "addi a0, zero, 0",
    ];
    assert_eq!(run(&converted, &[d(1.5), d(1.0)], &[], 0).hart.fflags, NX);
    let unsigned = ["fcvt.lu.d a0, fa0, rtz", "fcvt.wu.d a0, fa1, rtz", "addi a0, zero, 0"];
    assert_eq!(run(&unsigned, &[d(1.5), d(1.0)], &[], 0).hart.fflags, NX);
    let fused = ["fmadd.d fa3, fa0, fa1, fa2", "fsgnj.d fa3, fa0, fa0"];
    let operands = [d(f64::INFINITY), d(0.0), 0x7ff8_0000_0000_0000];
    assert_eq!(run(&fused, &operands, &[], 0).hart.fflags, NV);
}

#[test]
fn results_that_are_read_on_one_way_only_raise_their_flags_on_both() {
    let lines = [
        "fdiv.d fa2, fa0, fa1",
        "beq a0, zero, .+8",
        "fadd.d fa3, fa2, fa2",
        "fsgnj.d fa2, fa0, fa0",
    ];
    for choice in [0, 1] {
        assert_eq!(run(&lines, &[d(1.0), d(0.0)], &[choice], 0).hart.fflags, DZ);
    }
}

/// A loop of ten passes around `body`, over which a branch leads that is always taken.
fn skipped(before: &[&'static str], body: &[&'static str]) -> Vec<&'static str> {
    let over = ["", "bne s1, zero, .+8", "bne s1, zero, .+12", "bne s1, zero, .+16"][body.len()];
    let back = ["", "bne s1, zero, .-12", "bne s1, zero, .-16", "bne s1, zero, .-20"][body.len()];
    let mut lines = before.to_vec();
    lines.push("addi s1, zero, 10");
    lines.push(over);
    lines.extend(body);
    lines.extend(["addi s1, s1, -1", back]);
    lines
}

#[test]
fn what_a_loop_skips_is_not_done_before_it() {
    let third = d(3.0);
    for body in [
        &["fdiv.d fa2, fa0, fa1"] as &[_],
        &["fsgnj.d fa3, fa0, fa0", "fdiv.d fa2, fa3, fa1"],
        &["fmv.d.x fa3, a0", "fdiv.d fa2, fa3, fa1"],
        &["addi a3, a1, 1", "fmv.d.x fa3, a3", "fdiv.d fa2, fa3, fa1"],
        &["fli.d fa3, 1.0", "fdiv.d fa2, fa3, fa1"],
        &["fcvt.d.w fa3, a0", "fdiv.d fa2, fa3, fa1"],
        &["fcvt.s.l fa2, a1"],
        &["fcvt.s.w fa2, a1"],
        &["fcvt.s.wu fa2, a1"],
        &["fcvt.d.l fa2, a1"],
        &["addi a2, a1, 0", "fcvt.d.lu fa2, a2"],
        &["fsqrt.d fa2, fa1"],
        &["fcvt.s.d fa2, fa4"],
        &["fcvt.w.d a2, fa4, rtz"],
        &["fcvt.lu.d a2, fa4, rtz"],
        &["fmadd.d fa2, fa0, fa1, fa4"],
        &["feq.d a2, fa5, fa5"],
    ] {
        let floats = [d(1.0), third, d(0.0), d(0.0), d(0.1), 0x7ff0_0000_0000_0001];
        let integers = [d(1.0), i64::MAX as u64 - 1];
        // The first pass loads the operands before the loop.
        let before = ["fmin.d fa6, fa0, fa1", "fmin.d fa6, fa4, fa4", "add a4, a0, a1"];
        let end = run(&skipped(&before, body), &floats, &integers, 0);
        assert_eq!(end.hart.fflags, 0, "{body:?}");
    }
}

/// A product that is not tested within the loop, of which `fa1` then holds the last one.
const UNTESTED: [&str; 7] = [
    "beq a0, zero, .+20",
    "fmul.d fa1, fa2, fa3",
    "fadd.d fa4, fa4, fa1",
    "addi a0, a0, -1",
    "jal zero, .-16",
    "addi a1, zero, 1",
    "fmv.x.d a2, fa1",
];

#[test]
fn a_nan_from_before_a_loop_keeps_its_payload() {
    let payload = 0x7ff8_0000_0000_0123;
    for (rounds, left) in [(0, payload), (1, d(6.0)), (100, d(6.0))] {
        let guest = Guest::new(&assembled(&UNTESTED));
        let mut hart = guest.hart();
        hart.f[FA..FA + 5].copy_from_slice(&[0, payload, d(2.0), d(3.0), payload]);
        hart.x[A] = rounds;
        let (end, stats, _) =
            guest.compare(&hart, Mode::default()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(end.hart.f[FA + 1], left, "{rounds} rounds");
        // One round is the interpreter's, all others are translated.
        assert!(stats.interpreted <= 8, "{rounds} rounds: {stats:?}");
    }
}

#[test]
fn an_untested_nan_is_canonical_behind_the_loop() {
    let nan = 0xfff8_0000_0000_0001;
    let floats = [0, d(0.0), d(0.0), nan, d(1.0)];
    let end = run(&UNTESTED, &floats, &[3], 0);
    assert_eq!(end.hart.f[FA + 1], 0x7ff8_0000_0000_0000);
    assert_eq!(end.hart.x[A + 2], 0x7ff8_0000_0000_0000);
}

/// A sum that the loop carries from round to round, which nobody reads behind it.
const SUM: [&str; 7] = [
    "beq a0, zero, .+20",
    "fadd.d fa1, fa1, fa2",
    "fmul.d fa2, fa2, fa3",
    "addi a0, a0, -1",
    "jal zero, .-16",
    "addi a1, zero, 1",
    "fmv.d.x fa1, zero",
];

#[test]
fn the_last_round_raises_its_flags_though_nobody_reads_what_it_has_made() {
    const INEXACT: u8 = 1;
    // Behind the loop the sum is held, or it is not since there is another way to there.
    let beside = [&["beq a2, zero, .+24"], &SUM[..]].concat();
    for rounds in 1..10 {
        for lines in [&SUM[..], &beside] {
            let floats = [0, d(1.0), d(2.0_f64.powi(-50)), d(0.5)];
            let end = run(lines, &floats, &[rounds, 0, 1], 0);
            // The first three sums have as many bits as there are.
            assert_eq!(end.hart.fflags, if rounds > 3 { INEXACT } else { 0 }, "{rounds} rounds");
        }
    }
}

#[test]
fn a_loop_that_carries_the_canonical_nan_is_translated() {
    let nan = 0x7ff8_0000_0000_0000;
    let guest = Guest::new(&assembled(&SUM[..6]));
    let mut hart = guest.hart();
    hart.f[FA..FA + 4].copy_from_slice(&[0, nan, d(2.0), d(3.0)]);
    hart.x[A] = 100;
    let (end, stats, _) = guest.compare(&hart, Mode::default()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(end.hart.f[FA + 1], nan);
    assert!(stats.interpreted <= 1, "{stats:?}");
}

#[test]
fn constants_are_computed_with_when_the_program_runs() {
    for lines in [
        &[
            "addi a0, zero, 1",
            "fcvt.d.w fa0, a0",
            "addi a0, zero, 3",
            "fcvt.d.w fa1, a0",
            "fdiv.d fa2, fa0, fa1",
        ] as &[_],
        &["fli.d fa0, 1.0", "fli.d fa1, 3.0", "fdiv.d fa2, fa0, fa1"],
        &["fli.s fa0, 1.0", "fli.s fa1, 3.0", "fdiv.s fa2, fa0, fa1"],
        &[
            "lui a0, 0x3ff00",
            "slli a0, a0, 32",
            "fmv.d.x fa0, a0",
            "addi a1, zero, 1",
            "fmv.d.x fa1, a1",
            "fadd.d fa2, fa0, fa1",
        ],
        &["lui a0, 0x1000", "addi a0, a0, 1", "slli a0, a0, 1", "fcvt.s.w fa2, a0"],
        &[
            "ld a0, 0(s0)",
            "andi a0, a0, 0",
            "addi a0, a0, 1",
            "fcvt.d.w fa0, a0",
            "fli.d fa1, 3.0",
            "fdiv.d fa2, fa0, fa1",
        ],
    ] {
        let mut results = Vec::new();
        for frm in 0..4 {
            let guest = Guest::new(&assembled(lines));
            let mut hart = guest.hart();
            hart.frm = frm;
            let (end, stats, stepped) = guest.compare(&hart, Mode::default()).unwrap();
            assert_eq!((stats.interpreted, stepped), (1, 0));
            assert_eq!(end.hart.fflags, NX, "{lines:?}");
            results.push(end.hart.f[12]);
        }
        assert_ne!(results[2], results[3], "{lines:?}");
    }
    let zero = ["fmv.d.x fa0, zero", "fdiv.d fa1, fa0, fa0"];
    assert_eq!(run(&zero, &[], &[], 0).hart.fflags, NV);
}

#[test]
fn operations_stay_on_their_side_of_an_access_to_the_flags() {
    for operation in [
        "fdiv.d fa2, fa0, fa1",
        "fcvt.s.l fa2, a0",
        "fcvt.w.d a5, fa0, rtz",
        "fcvt.d.lu fa2, a0",
        "fcvt.s.w fa2, a4",
    ] {
        let lines = [
            "sd a0, 0(s0)",
            "ld a0, 0(s0)",
            "csrrs a1, fflags, zero",
            operation,
            "csrrs a2, fflags, zero",
            "csrrwi zero, fflags, 0",
            operation,
            "csrrs a3, fflags, zero",
        ];
        let end = run(&lines, &[d(1.5), d(0.7)], &[i64::MAX as u64 - 5, 0, 0, 0, 0x7fff_fffe], 4);
        assert_eq!(end.hart.x[11..14], [0, 1, 1], "{operation}");
    }
    let changes = [
        "csrrsi a1, fflags, 9",
        "fdiv.d fa2, fa0, fa1",
        "csrrci a2, fflags, 8",
        "csrrw a3, fflags, a0",
        "csrrs a4, fflags, zero",
        "csrrs a5, frm, zero",
    ];
    let end = run(&changes, &[d(1.0), d(3.0)], &[0xffff], 5);
    assert_eq!(end.hart.x[11..16], [0, 9, 1, 31, 0]);
}

#[test]
fn operations_stay_on_their_side_of_a_change_of_rounding() {
    for operation in ["fdiv.d fa0, fa6, fa7", "fcvt.s.l fa0, a0"] {
        let lines = [
            operation,
            "fsgnj.d fa1, fa0, fa0",
            "csrrwi zero, frm, 3",
            operation,
            "fsgnj.d fa2, fa0, fa0",
            "csrrwi a1, frm, 2",
            operation,
        ];
        let end = run(&lines, &[0, 0, 0, 0, 0, 0, d(1.0), d(3.0)], &[i64::MAX as u64 - 5], 2);
        assert_ne!(end.hart.f[12], end.hart.f[10]);
    }
}

#[test]
fn nans_are_canonical_wherever_they_are_seen() {
    let nan = 0x7ff8_0000_0000_0000;
    for see in [
        "fsd fa2, 0(s0)",
        "fmv.x.d a0, fa2",
        "fsgnj.d fa3, fa2, fa2",
        "fmax.d fa3, fa2, fa2",
        "fclass.d a0, fa2",
    ] {
        let end = run(&["fsub.d fa2, fa0, fa0", see], &[d(f64::INFINITY)], &[], 0);
        assert_eq!((end.hart.f[12], end.hart.fflags), (nan, NV));
    }
    let single = 0xffff_ffff_7fc0_0000;
    for see in [
        "fsw fa2, 0(s0)",
        "fsd fa2, 0(s0)",
        "fmv.x.w a0, fa2",
        "fsgnjn.s fa3, fa2, fa2",
        "fmv.x.d a0, fa2",
    ] {
        let end = run(&["fsub.s fa2, fa0, fa0", see], &[s(f32::INFINITY)], &[], 0);
        assert_eq!((end.hart.f[12], end.hart.fflags), (single, NV));
    }
}

#[test]
fn a_double_nan_is_no_boxed_single() {
    let end = run(&["fadd.d fa1, fa0, fa0", "fmv.x.w a0, fa1"], &[s(1.0)], &[], 0);
    assert_eq!(end.hart.x[10], 0);
    let guest = Guest::new(&assembled(&["fadd.d fa1, fa0, fa0", "fadd.s fa2, fa1, fa1"]));
    let mut hart = guest.hart();
    hart.f[10] = s(1.0);
    let (end, ..) = guest.compare(&hart, Mode::default()).unwrap();
    assert_eq!(end.hart.f[12], 0xffff_ffff_7fc0_0000);
}

#[test]
fn a_single_that_is_not_boxed_is_a_nan() {
    let guest = Guest::new(&assembled(&[
        "fadd.s fa2, fa0, fa0",
        "fsgnj.s fa3, fa1, fa0",
        "fcvt.d.s fa4, fa0",
    ]));
    let mut hart = guest.hart();
    (hart.f[10], hart.f[11]) = (d(1.5), s(2.0));
    let (end, ..) = guest.compare(&hart, Mode::default()).unwrap();
    assert_eq!(end.hart.f[12..15], [0xffff_ffff_7fc0_0000, s(2.0), 0x7ff8_0000_0000_0000]);
}

#[test]
fn registers_are_exact_where_an_access_faults_in_precise_mode() {
    for access in [
        "ld a1, 2032(s2)",
        "sd a1, 2032(s2)",
        "fld fa1, 2032(s2)",
        "fsd fa2, 2032(s2)",
        "amoadd.d a1, a2, (s2)",
        "lr.d a1, (s2)",
    ] {
        let lines = [
            "addi a2, a2, 3",
            "xor a3, a3, a2",
            "fadd.d fa2, fa2, fa0",
            "fdiv.d fa3, fa2, fa4",
            access,
            "addi s2, s2, 512",
            "add a4, a4, a3",
            "fadd.d fa5, fa5, fa3",
            "fcvt.w.d a5, fa5, rtz",
            "jal zero, .-36",
        ];
        let guest = Guest::new(&assembled(&lines));
        let mut hart = guest.hart();
        hart.x[18] = guest.data;
        (hart.f[10], hart.f[14]) = (d(0.1), d(0.3));
        let mode = Mode { precise: true, ..Mode::default() };
        let (end, stats, _) = guest.compare(&hart, mode).unwrap();
        assert_eq!((stats.faults, stats.interpreted, end.hart.fflags), (1, 0, NX), "{access}");
        guest.compare(&hart, Mode::default()).unwrap();
    }
}

#[test]
fn a_store_without_effect_faults_itself_in_precise_mode() {
    let few = vec!["sd a0, 0(s2)", "sd a1, 0(s2)"];
    let apart = vec!["sd a0, 0(s2)", "bne a0, a1, .+8", "addi zero, zero, 0", "sd a1, 0(s2)"];
    // What is there already, at an address that can only be read.
    let same = vec!["ld a0, 0(s3)", "sd a0, 0(s3)"];
    for lines in [few, apart, same] {
        let guest = Guest::new(&assembled(&lines));
        guest.space.mprotect(guest.code, 4096, 5).unwrap();
        let mut hart = guest.hart();
        (hart.x[18], hart.x[19]) = (16, guest.code);
        let mode = Mode { precise: true, ..Mode::default() };
        let (_, stats, _) = guest.compare(&hart, mode).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(stats.faults, 1);
    }
}

#[test]
fn what_a_skip_has_computed_is_not_computed_again_by_the_interpreter() {
    let lines = [
        "csrrs a2, fflags, zero",
        "beq a1, zero, .+8",
        "addi a0, a0, 1",
        "fadd.s fa1, fa0, fa0",
        "addi s1, s1, -1",
        "bne s1, zero, .-8",
    ];
    let guest = Guest::new(&assembled(&lines));
    let mut hart = guest.hart();
    (hart.x[9], hart.x[11], hart.f[10]) = (3, 1, d(1.5));
    let (end, ..) = guest.compare(&hart, Mode::default()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(end.hart.x[10], 1);
}

#[test]
fn words_in_pieces_fault_where_a_piece_does() {
    let put_together = [
        "addi a7, a7, 1",
        "lbu a1, 2(s2)",
        "lbu a2, 0(s2)",
        "slli a1, a1, 16",
        "or a1, a1, a2",
        "lbu a2, 3(s2)",
        "lbu a3, 1(s2)",
        "slli a2, a2, 24",
        "slli a3, a3, 8",
        "or a1, a1, a3",
        "or a1, a1, a2",
        "add a5, a5, a1",
    ];
    let copied = [
        "addi a7, a7, 1",
        "lhu a1, 2(s0)",
        "lhu a2, 0(s0)",
        "sh a1, 2(s2)",
        "addi a6, a6, 1",
        "sh a2, 0(s2)",
        "addi a6, a6, 1",
    ];
    for lines in [&put_together[..], &copied] {
        let mut guest = Guest::new(&assembled(lines));
        guest.before.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * 5 + 9) as u8);
        let mut faults = Vec::new();
        for before_end in 0..6 {
            let mut hart = guest.hart();
            hart.x[18] = guest.data + 4096 - before_end;
            let mode = Mode { precise: true, ..Mode::default() };
            let compared = guest.compare(&hart, mode);
            let (_, stats, _) = compared.unwrap_or_else(|e| panic!("{before_end}: {e}"));
            faults.push(stats.faults);
        }
        assert_eq!(faults, [1, 1, 1, 1, 0, 0]);
    }
}
