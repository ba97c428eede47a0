//! Raising the attention flag stops translated code, in whatever circle it runs.

use rvrun_hart::{Hart, float};
use rvrun_host::fault;
use rvrun_isa::{Extensions, assemble, encode};
use rvrun_jit::{All, Limits, Options, Outcome, Profile, State, Stepped, Translator};
use rvrun_memory::{AddressSpace, access};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

const READ_WRITE_EXECUTE: i32 = 7;
const PRIVATE_ANONYMOUS: i32 = 0x22;
const CODE_BYTES: u64 = 64 << 10;
/// How long code may go on.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where the parts of a program are that must not be of one region.
const FAR: u64 = 0x1000;

/// Only what begins a region has been reached: every jump leaves its region.
struct Nothing;

impl Profile for Nothing {
    fn reached(&self, _pc: u64) -> bool {
        false
    }

    fn jump_targets(&self, _range: Range<u64>) -> Vec<u64> {
        Vec::new()
    }
}

/// What is below an address has been reached.
struct Below(u64);

impl Profile for Below {
    fn reached(&self, pc: u64) -> bool {
        pc < self.0
    }

    fn jump_targets(&self, _range: Range<u64>) -> Vec<u64> {
        Vec::new()
    }
}

/// Code at offsets from its beginning, of which each part is translated by itself,
/// and what `a0` to `a2` hold: offsets, too.
fn stops(parts: &[(u64, &[&str])], registers: [u64; 3], profile: impl Fn(u64) -> Box<dyn Profile>) {
    fault::install().unwrap();
    let space = Arc::new(AddressSpace::new());
    let code =
        space.mmap(0, CODE_BYTES, READ_WRITE_EXECUTE, PRIVATE_ANONYMOUS, -1, 0, None).unwrap();
    for (offset, lines) in parts {
        let mut at = code + offset;
        for line in *lines {
            let instruction = assemble(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let bits = encode(&instruction).unwrap().to_le_bytes();
            access::copy_out(at, &bits[..instruction.len.into()]).unwrap();
            at += u64::from(instruction.len);
        }
    }
    let options = Options {
        synchronous: true,
        code_bytes: 1 << 20,
        limits: Limits { inlined: 0, ..Limits::default() },
        stack_bytes: 64 << 10,
        ..Options::default()
    };
    let mut translator = Translator::new(space, Extensions::ALL, options).unwrap();
    let mut hart = Hart::new();
    hart.pc = code + parts[0].0;
    for (register, offset) in (10..).zip(registers) {
        hart.x[register] = code + offset;
    }
    let attention = Arc::new(AtomicU32::new(0));
    let mut state = State::new(hart, attention.clone(), Box::new(|_| Stepped::Leave));
    for (offset, _) in parts {
        translator.request(code + offset, &*profile(code));
        assert!(translator.is_translated(code + offset));
    }
    let (stopped, has_stopped) = mpsc::channel();
    let raiser = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        attention.store(1, Ordering::Relaxed);
        if has_stopped.recv_timeout(PATIENCE).is_err() {
            eprintln!("translated code does not stop");
            std::process::abort();
        }
    });
    float::host::enter(state.hart.frm);
    let outcome = translator.run(&mut state);
    float::host::leave();
    assert_eq!(outcome, Outcome::Attention);
    let pc = state.hart.pc;
    assert!((code..code + CODE_BYTES).contains(&pc), "{pc:#x} is not of the program");
    stopped.send(()).unwrap();
    raiser.join().unwrap();
}

fn nothing(_: u64) -> Box<dyn Profile> {
    Box::new(Nothing)
}

#[test]
fn a_loop_of_one_region() {
    stops(&[(0, &["addi t0, t0, 1", "bne t0, zero, .-4", "jal zero, .-8"])], [0; 3], |_| {
        Box::new(All)
    });
    stops(&[(0, &["jal zero, .+0"])], [0; 3], nothing);
}

#[test]
fn regions_that_jump_to_one_another() {
    stops(&[(0, &["jal zero, .+4096"]), (FAR, &["jal zero, .-4096"])], [0; 3], nothing);
    let parts: [(u64, &[&str]); 3] = [
        (FAR, &["addi t0, t0, 1", "jal zero, .+4092"]),
        (2 * FAR, &["jal zero, .-8192"]),
        (0, &["addi t1, t1, 1", "jal zero, .+4092"]),
    ];
    stops(&parts, [0; 3], nothing);
}

/// From region to region always forwards: the way back is within the second one.
#[test]
fn regions_of_which_one_leads_back_within_itself() {
    let parts: [(u64, &[&str]); 2] = [
        (FAR, &["addi t0, t0, 1", "jal zero, .+4092"]),
        (2 * FAR, &["addi t1, t1, 1", "jal zero, .-8196"]),
    ];
    // The second one takes in what is at 0, and that leads to the first one.
    let rest: (u64, &[&str]) = (0, &["addi t2, t2, 1", "jal zero, .+4092"]);
    stops(&[parts[0], parts[1], rest], [0; 3], |code| Box::new(Below(code + FAR)));
}

#[test]
fn jumps_through_registers() {
    let parts: [(u64, &[&str]); 3] = [
        (0, &["jalr zero, 0(a1)"]),
        (FAR, &["addi t0, t0, 1", "jalr zero, 0(a2)"]),
        (2 * FAR, &["jalr zero, 0(a0)"]),
    ];
    stops(&parts, [0, FAR, 2 * FAR], nothing);
    stops(&[(0, &["jalr zero, 0(a0)"])], [0; 3], nothing);
}

#[test]
fn returns_to_where_nobody_has_called_from() {
    let parts: [(u64, &[&str]); 2] = [
        (0, &["addi ra, a1, 0", "jalr zero, 0(ra)"]),
        (FAR, &["addi ra, a0, 0", "jalr zero, 0(ra)"]),
    ];
    stops(&parts, [0, FAR, 0], nothing);
}

#[test]
fn calls_without_end() {
    // Of itself, through a register, and of one that jumps back to before the call.
    stops(&[(0, &["addi t0, t0, 1", "jal ra, .-4"])], [0; 3], nothing);
    stops(&[(0, &["jalr ra, 0(a0)"])], [0; 3], nothing);
    stops(&[(FAR, &["jal ra, .-4096"]), (0, &["jal zero, .+4096"])], [0; 3], nothing);
}

#[test]
fn calls_that_return_within_a_circle() {
    let callee: (u64, &[&str]) = (FAR, &["addi t0, t0, 1", "jalr zero, 0(ra)"]);
    let back: (u64, &[&str]) = (2 * FAR, &["jal zero, .-8192"]);
    stops(&[(0, &["jal ra, .+4096", "jal zero, .+8188"]), callee, back], [0; 3], |_| Box::new(All));
    let parts = [(0, &["jal ra, .+4096"][..]), (4, &["jal zero, .+8188"]), callee, back];
    stops(&parts, [0; 3], nothing);
}
