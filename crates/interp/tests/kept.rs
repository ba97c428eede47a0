//! Host code of blocks that outlives the process: taken in again where the guest's code is
//! somewhere else, and only where it is the same.

mod code_file;

use code_file::{PAGE, file};
use rvrun_hart::Hart;
use rvrun_host::fault;
use rvrun_interp::{Interpreter, Keeper, Stop, Warm};
use rvrun_isa::{Extensions, assemble, encode};
use rvrun_memory::AddressSpace;
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const READ_EXECUTE: i32 = 5;
const PRIVATE: i32 = 2;
const FIXED_NOREPLACE: i32 = 0x10_0000;
/// How far code is moved.
const FAR: u64 = 64 << 20;

/// A place for code where nothing else is.
fn free_place() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    0x2000_0000_0000 + FAR * COUNT.fetch_add(1, Ordering::Relaxed)
}

/// Keeps traces in memory, and counts.
#[derive(Default)]
struct Shelf {
    traces: Mutex<HashMap<u64, Vec<u8>>>,
    found: AtomicUsize,
    new: AtomicUsize,
}

impl Keeper for Shelf {
    fn get<'a>(&self, _object: u32, distance: u64, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        self.traces.lock().unwrap().get(&distance)?.clone_into(room);
        self.found.fetch_add(1, Ordering::Relaxed);
        Some(room)
    }

    fn put(&self, _object: u32, distance: u64, trace: Vec<u8>) {
        self.new.fetch_add(1, Ordering::Relaxed);
        self.traces.lock().unwrap().insert(distance, trace);
    }

    fn is_writing(&self) -> bool {
        true
    }
}

/// Why a program stopped, its registers then, and where its code was.
#[derive(PartialEq, Debug)]
struct End {
    stop: Stop,
    hart: String,
    code: u64,
}

/// The code of `file`, mapped at `place`, and a hart that is to begin there.
fn start(file: &File, place: u64) -> (Arc<AddressSpace>, u64, Interpreter, Hart) {
    fault::install().unwrap();
    let space = Arc::new(AddressSpace::new());
    space.number_code_files(Box::new(|_| Some(0)));
    let (flags, fd) = (PRIVATE | FIXED_NOREPLACE, file.as_raw_fd());
    let code = space.mmap(place, PAGE, READ_EXECUTE, flags, fd, PAGE, None).unwrap();
    let interpreter = Interpreter::new(space.clone(), Extensions::ALL);
    let mut hart = Hart::new();
    hart.pc = code;
    (space, code, interpreter, hart)
}

/// Runs the code of `file`, mapped at `place`, with host code that `keeper` keeps, or by handlers.
fn run(file: &File, place: u64, keeper: Option<&Arc<Shelf>>) -> End {
    let (space, code, mut interpreter, mut hart) = start(file, place);
    if let Some(keeper) = keeper {
        interpreter.set_warm(Warm::AtOnce);
        interpreter.set_keeper(Some(keeper.clone()));
    }
    let stop = interpreter.run(&mut hart);
    hart.x[usize::from(rvrun_hart::SINK)] = 0;
    space.munmap(code, PAGE).unwrap();
    End { stop, hart: format!("{hart:x?}"), code }
}

/// Runs it with what `keeper` has, as handlers do; gives how many traces were found and were new.
fn run_kept(file: &File, place: u64, keeper: &Arc<Shelf>) -> (usize, usize) {
    let [found, new] = [&keeper.found, &keeper.new].map(|count| count.swap(0, Ordering::Relaxed));
    let _ = (found, new);
    let expected = run(file, place, None);
    assert_eq!(run(file, place, Some(keeper)), expected);
    (keeper.found.load(Ordering::Relaxed), keeper.new.load(Ordering::Relaxed))
}

/// All ways in which code knows an address: constants, calls and returns, jumps that
/// set a register and that do not, branches both ways, and at the end a load that faults in the
/// midst of a block.
const PROGRAM: [&str; 26] = [
    "auipc s0, 0",
    "auipc s2, 0",
    "addi s2, s2, 12",
    "addi a0, zero, 5",
    "jal ra, .+56",
    "add s3, ra, zero",
    "addi t0, s0, 72",
    "jalr ra, 0(t0)",
    "add s4, ra, zero",
    "addi a0, a0, -1",
    "bne a0, zero, .-24",
    "jal a5, .+8",
    "addi s5, zero, 1",
    "addi t1, s0, 64",
    "jalr t3, 0(t1)",
    "addi s6, zero, 1",
    // At 64.
    "beq zero, zero, .+24",
    "addi s7, zero, 1",
    // At 72, what is called.
    "add a4, a4, ra",
    "divu a3, a4, a0",
    "jalr zero, 0(ra)",
    "addi s8, zero, 1",
    // At 88.
    "addi a2, zero, 7",
    "add a1, a2, a2",
    "ld a6, 8(zero)",
    "ecall",
];

#[test]
fn code_that_is_somewhere_else_has_what_was_kept() {
    let file = file(&PROGRAM);
    let keeper = Arc::new(Shelf::default());
    let first = run(&file, free_place(), Some(&keeper));
    assert!(matches!(first.stop, Stop::Trap(_)), "{first:?}");
    assert_eq!(keeper.found.load(Ordering::Relaxed), 0);
    let kept = keeper.traces.lock().unwrap().len();
    for place in [first.code, free_place(), free_place()] {
        let (found, new) = run_kept(&file, place, &keeper);
        assert!(found > 0, "{found} of {kept}");
        assert_eq!(new, 0, "all of it is there");
    }
}

#[test]
fn code_that_knows_its_address_has_what_was_kept_only_there() {
    const LOW: u64 = 0x1234_5000;
    let file = file(&PROGRAM);
    let keeper = Arc::new(Shelf::default());
    let (found, new) = run_kept(&file, LOW, &keeper);
    assert!(found == 0 && new > 0);
    let (found, new) = run_kept(&file, LOW, &keeper);
    assert!(found > 0 && new == 0);
    let (_, new) = run_kept(&file, LOW + FAR, &keeper);
    assert!(new > 0);
    // Where addresses need more room than there.
    let (_, new) = run_kept(&file, free_place(), &keeper);
    assert!(new > 0);
}

#[test]
fn other_code_has_none_of_it() {
    let keeper = Arc::new(Shelf::default());
    run(&file(&PROGRAM), free_place(), Some(&keeper));
    let place = free_place();
    let others = ["add s3, ra, ra", "add s4, ra, ra", "add a4, ra, ra", "addi a2, zero, 8"];
    for (at, other_line) in [5, 8, 18, 22].into_iter().zip(others) {
        let mut other = PROGRAM;
        other[at] = other_line;
        let own = Arc::new(Shelf::default());
        own.traces.lock().unwrap().clone_from(&keeper.traces.lock().unwrap());
        let (_, new) = run_kept(&file(&other), place, &own);
        assert!(new > 0, "{at}");
    }
}

#[test]
fn code_of_a_file_that_was_written_to_is_not_kept() {
    const LOOP: [&str; 8] = [
        "addi a0, a0, 1",
        "jal zero, .+12",
        "ecall",
        "ecall",
        // At 16: to 32 in the end, else to 0 if s0 says so.
        "addi a1, a1, -1",
        "beq a1, zero, .+12",
        "bne s0, zero, .-24",
        "jal zero, .-12",
    ];
    let file = file(&[&LOOP[..], &["ecall"]].concat());
    let keeper = Arc::new(Shelf::default());
    let (space, code, mut interpreter, mut hart) = start(&file, free_place());
    interpreter.set_warm(Warm::Seen);
    interpreter.set_keeper(Some(keeper.clone()));
    // The first block is executed once, and the others often enough for host code.
    hart.x[11] = 1 << 18;
    assert_eq!(interpreter.run(&mut hart), Stop::Syscall);
    assert!(keeper.new.load(Ordering::Relaxed) > 0);
    let other = encode(&assemble("addi a0, a0, 2").unwrap()).unwrap().to_le_bytes();
    file.write_all_at(&other, PAGE).unwrap();
    (hart.pc, hart.x[8], hart.x[11]) = (code + 16, 1, 1000);
    assert_eq!(interpreter.run(&mut hart), Stop::Syscall);
    assert_eq!(hart.x[10], 1 + 999, "it is as it was pre-decoded");
    assert!(!keeper.traces.lock().unwrap().contains_key(&PAGE));
    space.munmap(code, PAGE).unwrap();
}

#[test]
fn what_is_cut_off_is_not_taken() {
    let file = file(&PROGRAM);
    let keeper = Arc::new(Shelf::default());
    run(&file, free_place(), Some(&keeper));
    let place = free_place();
    let traces = keeper.traces.lock().unwrap().clone();
    let longest = traces.values().map(Vec::len).max().unwrap();
    for len in 0..longest {
        let own = Arc::new(Shelf::default());
        let cut = |(distance, trace): (&u64, &Vec<u8>)| {
            (*distance, trace[..len.min(trace.len())].to_vec())
        };
        own.traces.lock().unwrap().extend(traces.iter().map(cut));
        let (_, new) = run_kept(&file, place, &own);
        assert!(new > 0, "{len} of {longest}");
    }
}
