//! Every floating-point instruction that computes, on every engine, against the integer
//! arithmetic that `crates/hart/tests` compares with Berkeley SoftFloat.
//!
//! The instruction stands in a loop over operands in memory, with its mode in the
//! instruction or in `frm`. Flags are read and cleared in each round, or raised in a few
//! rounds and read at the end: engines treat the two differently.
//!
//! With `RVRUN_TEST_ALL` set, each instruction has more than 100,000 operands in each
//! mode; else a small part of them, in two modes.

#[path = "../../hart/tests/berkeley/operands.rs"]
mod operands;
#[path = "float/runner.rs"]
mod runner;
// The functions of the host's unit are for the other test.
#[allow(dead_code)]
#[path = "../../hart/tests/berkeley/table.rs"]
mod table;

use operands::Operands;
use runner::{ENGINES, Runner};
use rvrun_hart::Hart;
use rvrun_hart::float::{Flags, RoundingMode};
use rvrun_isa::ROUNDING_NAMES;
use table::{OPERATIONS, Operation};

/// Operands that are in memory at once.
const BATCH: usize = 512;

/// A case: three registers, what the result is, and which flags are raised.
#[derive(Clone, Copy)]
struct Case {
    operands: [u64; 3],
    result: u64,
    flags: u8,
}

/// How flags are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flagged {
    /// In each round.
    Each,
    /// At the end of a few rounds.
    Last,
}

/// Where the mode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Static(RoundingMode),
    Dynamic(RoundingMode),
}

/// The loop: `a0` is the next case, `a1` counts rounds.
fn program(operation: &Operation, mode: Mode, flagged: Flagged) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut sources = Vec::new();
    for (index, kind) in operation.kinds.chars().enumerate() {
        let (load, register) = match kind {
            'x' => ("ld", format!("a{}", index + 2)),
            _ => ("fld", format!("fa{index}")),
        };
        lines.push(format!("{load} {register}, {}(a0)", 8 * index));
        sources.push(register);
    }
    if flagged == Flagged::Each {
        lines.push("csrrwi zero, fflags, 0".into());
    }
    let (destination, store) = if gives_integer(operation) { ("a6", "sd") } else { ("fa4", "fsd") };
    let mut text = format!("{} {destination}, {}", operation.name, sources.join(", "));
    if let Mode::Static(mode) = mode
        && rounds(operation)
    {
        text += &format!(", {}", ROUNDING_NAMES[mode as usize]);
    }
    lines.push(text);
    if flagged == Flagged::Each {
        lines.push("csrrs a7, fflags, zero".into());
        lines.push("sd a7, 32(a0)".into());
    }
    lines.push(format!("{store} {destination}, 24(a0)"));
    lines.push("addi a0, a0, 40".into());
    lines.push("addi a1, a1, -1".into());
    lines.push(format!("bne a1, zero, .-{}", 4 * lines.len()));
    lines.push("ebreak".into());
    lines
}

fn gives_integer(operation: &Operation) -> bool {
    let name = operation.name;
    ["feq", "flt", "fle", "fclass", "fcvtmod", "fcvt.w", "fcvt.l"]
        .iter()
        .any(|p| name.starts_with(p))
}

/// Whether the instruction has a rounding mode.
fn rounds(operation: &Operation) -> bool {
    let without = ["feq", "flt", "fle", "fmin", "fmax", "fclass", "fcvtmod"];
    let exact = ["fcvt.d.s", "fcvt.d.h", "fcvt.s.h", "fcvt.d.w", "fcvt.d.wu"];
    let name = operation.name;
    !without.iter().any(|p| name.starts_with(p)) && !exact.contains(&name)
}

/// The cases of an operation: one in `every` of those that SoftFloat was asked about, and
/// some whose registers hold no number of the format.
fn cases(operation: &Operation, mode: RoundingMode, all: &mut Operands, every: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut number = 0;
    all.each(operation.kinds, |a, b, c| {
        number += 1;
        if number % every != 0 {
            return;
        }
        let mut operands = [a, b, c];
        if number / every % 16 == 15 {
            let position = number / every / 16 % operation.kinds.len();
            operands[position] &= !(1 << (32 + number % 32));
        }
        let mut flags = Flags::new();
        let [a, b, c] = operands;
        let result = (operation.soft)(a, b, c, mode, &mut flags);
        cases.push(Case { operands, result, flags: flags.bits() });
    });
    cases
}

/// Runs `cases`, `rounds` of them at a time. Gives how many were wrong, and the first of them.
fn run(
    runner: &mut dyn Runner,
    operation: &Operation,
    mode: Mode,
    flagged: Flagged,
    cases: &[Case],
) -> (usize, Option<String>) {
    let code = runner.load(&program(operation, mode, flagged));
    let data = runner.data();
    let frm = match mode {
        // Another one than the instruction's.
        Mode::Static(mode) => (mode as u8 + 1) % 5,
        Mode::Dynamic(mode) => mode as u8,
    };
    let rounds = if flagged == Flagged::Each { BATCH } else { 3 };
    let (mut wrong, mut first) = (0, None);
    for batch in cases.chunks(rounds) {
        let mut words: Vec<u64> = Vec::with_capacity(5 * batch.len());
        for case in batch {
            words.extend(case.operands);
            words.extend([0, 0]);
        }
        runner.write(&words);
        let mut hart = Hart::new();
        (hart.pc, hart.frm, hart.x[10], hart.x[11]) = (code, frm, data, batch.len() as u64);
        let hart = runner.run(hart);
        let words = runner.read(words.len());
        let raised = batch.iter().fold(0, |flags, case| flags | case.flags);
        for (case, words) in batch.iter().zip(words.chunks_exact(5)) {
            let flags = if flagged == Flagged::Each { words[4] as u8 } else { hart.fflags };
            let expected = if flagged == Flagged::Each { case.flags } else { raised };
            if (words[3], flags) != (case.result, expected) {
                wrong += 1;
                first.get_or_insert_with(|| {
                    format!(
                        "{} {mode:?} {flagged:?} {:#x?}: {:#x} {flags:#x}, not {:#x} {expected:#x}",
                        operation.name, case.operands, words[3], case.result
                    )
                });
            }
        }
    }
    (wrong, first)
}

/// Checks every `share.1`th operation from `share.0` on: tests run in parallel.
fn check(share: (usize, usize)) {
    let all = std::env::var_os("RVRUN_TEST_ALL").is_some();
    let every = if all { 1 } else { 499 };
    let mut operands = Operands::new(include_str!("../../hart/tests/berkeley/operands.txt"));
    let mut runners: Vec<_> = ENGINES.iter().map(|(name, make)| (*name, make())).collect();
    let (mut count, mut failures) = (0, Vec::new());
    for (index, operation) in OPERATIONS.iter().enumerate().skip(share.0).step_by(share.1) {
        for (number, rounding) in RoundingMode::ALL.into_iter().enumerate() {
            // Two of them for each operation, others for the next one.
            if !all && (index + number) % 5 > 1 {
                continue;
            }
            let cases = cases(operation, rounding, &mut operands, every);
            for mode in [Mode::Static(rounding), Mode::Dynamic(rounding)] {
                for flagged in [Flagged::Each, Flagged::Last] {
                    for (name, runner) in &mut runners {
                        let (wrong, first) = run(runner.as_mut(), operation, mode, flagged, &cases);
                        count += cases.len();
                        failures.extend(first.map(|first| format!("{name}: {first} ({wrong})")));
                    }
                }
            }
        }
    }
    println!("{count} cases, {} failures", failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn one_half_is_the_same_on_every_engine() {
    check((0, 2));
}

#[test]
fn the_other_half_is_the_same_on_every_engine() {
    check((1, 2));
}
