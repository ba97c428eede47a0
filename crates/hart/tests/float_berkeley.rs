//! Every floating-point instruction against Berkeley SoftFloat: results and
//! flags, in each rounding mode, on the host's unit and in integers.
//!
//! SoftFloat's results for some 100,000 operands of each instruction and mode
//! are kept as a digest (`berkeley/digests.txt`, made by `berkeley/generate.c`).

#[path = "berkeley/operands.rs"]
mod operands;
#[path = "berkeley/table.rs"]
mod table;

use operands::Operands;
use rvrun_hart::float::{Flags, RoundingMode, host};
use table::{OPERATIONS, Operation};

const MODE_NAMES: [&str; 5] = ["rne", "rtz", "rdn", "rup", "rmm"];

/// The same sum as `run` in `generate.c`.
struct Digest {
    count: u64,
    sum: u64,
}

impl Digest {
    fn new() -> Self {
        Self { count: 0, sum: 0xcbf2_9ce4_8422_2325 }
    }

    fn add(&mut self, result: u64, flags: u8) {
        self.sum = (self.sum ^ result).wrapping_mul(0x100_0000_01b3);
        self.sum = (self.sum ^ self.sum >> 32 ^ u64::from(flags)).wrapping_mul(0x100_0000_01b3);
        self.count += 1;
    }
}

fn check(operation: &Operation, mode: RoundingMode, operands: &mut Operands) -> Digest {
    let mut digest = Digest::new();
    let frm = mode as u8;
    operands.each(operation.kinds, |a, b, c| {
        let mut flags = Flags::new();
        let result = (operation.soft)(a, b, c, mode, &mut flags);
        let soft = (result, flags.bits());
        digest.add(soft.0, soft.1);
        if !mode.on_host() {
            return;
        }
        host::enter(frm);
        let result = (operation.host)(a, b, c);
        let dynamic = (result, host::leave());
        host::enter(3 - frm);
        let result = (operation.host_static)(a, b, c, mode);
        let fixed = (result, host::leave());
        assert!(
            dynamic == soft && fixed == soft,
            "{} {mode:?} {a:#x} {b:#x} {c:#x}: on the host {dynamic:x?}, with a static mode \
             {fixed:x?}, in integers {soft:x?}",
            operation.name
        );
    });
    digest
}

/// Checks every `share.1`th operation from `share.0` on: tests run in parallel.
fn check_share(share: (usize, usize)) {
    let digests = include_str!("berkeley/digests.txt");
    let mut operands = Operands::new(include_str!("berkeley/operands.txt"));
    let mut wrong = Vec::new();
    for operation in OPERATIONS.iter().skip(share.0).step_by(share.1) {
        for mode in RoundingMode::ALL {
            let digest = check(operation, mode, &mut operands);
            let name = MODE_NAMES[mode as usize];
            let line = format!("{} {name} {} {:016x}", operation.name, digest.count, digest.sum);
            if !digests.lines().any(|golden| golden == line) {
                wrong.push(line);
            }
        }
    }
    assert!(wrong.is_empty(), "SoftFloat computes something else for:\n{}", wrong.join("\n"));
}

#[test]
fn one_half_equals_softfloat() {
    check_share((0, 2));
}

#[test]
fn other_half_equals_softfloat() {
    check_share((1, 2));
}

#[test]
fn every_digest_belongs_to_an_operation() {
    let lines: Vec<_> = include_str!("berkeley/digests.txt").lines().collect();
    assert_eq!(lines.len(), OPERATIONS.len() * RoundingMode::ALL.len());
    for line in lines {
        let name = line.split(' ').next().unwrap();
        assert!(OPERATIONS.iter().any(|operation| operation.name == name), "{line}");
    }
}
