//! Sheets of blocks that outlive the process: taken in again where the guest's code is somewhere
//! else, and only where it is the same.

mod code_file;

use code_file::{PAGE, file};
use rvrun_hart::Hart;
use rvrun_host::fault;
use rvrun_interp::{Interpreter, Keeper, Known, Phase, SheetMaker, Stop, Warm, known};
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

/// Keeps sheets in memory, and counts.
#[derive(Default)]
struct Shelf {
    /// By the distance of their page, and the phase in which what is on them is reached.
    sheets: Mutex<HashMap<(u64, Phase), Vec<u8>>>,
    /// What none had, and when.
    reached: Mutex<Vec<(Known, Phase)>>,
    found: AtomicUsize,
}

impl Keeper for Shelf {
    fn get<'a>(
        &self,
        _object: u32,
        distance: u64,
        phase: Phase,
        room: &'a mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        self.sheets.lock().unwrap().get(&(distance, phase))?.clone_into(room);
        self.found.fetch_add(1, Ordering::Relaxed);
        Some(room)
    }

    fn reached(&self, pc: u64, warm: bool, phase: Phase) {
        self.reached.lock().unwrap().push(((pc, warm), phase));
    }
}

impl Shelf {
    /// Makes a sheet of what has been reached of the code at `code`, which is a page; gives how much
    /// that was.
    fn make(&self, code: u64) -> usize {
        let reached = std::mem::take(&mut *self.reached.lock().unwrap());
        let mut blocks: Vec<Known> = reached.into_iter().map(|(block, _)| block).collect();
        let new = blocks.len();
        let range = code..code + PAGE;
        let base = code - PAGE;
        let key = (PAGE, Phase::Early);
        let mut sheets = self.sheets.lock().unwrap();
        let old = sheets.get(&key).and_then(|sheet| known(sheet, base, &range));
        blocks.extend(old.unwrap_or_default());
        blocks.sort_by_key(|(pc, warm)| (*pc, !warm));
        blocks.dedup_by_key(|(pc, _)| *pc);
        let mut maker = SheetMaker::new(Extensions::ALL).unwrap();
        if let Some(sheet) = maker.make(&blocks, &range, base) {
            assert_eq!(known(&sheet, base, &range), Some(blocks));
            sheets.insert(key, sheet);
        }
        new
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

/// Runs the code of `file`, mapped at `place`, with what `keeper` keeps, or by handlers; gives how
/// many blocks were new to it, too.
fn run(file: &File, place: u64, keeper: Option<&Arc<Shelf>>) -> (End, usize) {
    let (space, code, mut interpreter, mut hart) = start(file, place);
    if let Some(keeper) = keeper {
        interpreter.set_warm(Warm::AtOnce);
        interpreter.set_keeper(Some(keeper.clone()));
    }
    let stop = interpreter.run(&mut hart);
    hart.x[usize::from(rvrun_hart::SINK)] = 0;
    let new = keeper.map_or(0, |keeper| keeper.make(code));
    space.munmap(code, PAGE).unwrap();
    (End { stop, hart: format!("{hart:x?}"), code }, new)
}

/// Runs it with what `keeper` has, as handlers do; gives how many sheets were found and how many
/// blocks were new.
fn run_kept(file: &File, place: u64, keeper: &Arc<Shelf>) -> (usize, usize) {
    keeper.found.store(0, Ordering::Relaxed);
    let (expected, _) = run(file, place, None);
    let (end, new) = run(file, place, Some(keeper));
    assert_eq!(end, expected);
    (keeper.found.load(Ordering::Relaxed), new)
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
    let (first, new) = run(&file, free_place(), Some(&keeper));
    assert!(matches!(first.stop, Stop::Trap(_)), "{first:?}");
    assert!(new > 0);
    for place in [first.code, free_place(), free_place()] {
        assert_eq!(run_kept(&file, place, &keeper), (1, 0), "all of it is there");
    }
}

#[test]
fn code_that_knows_its_address_has_what_was_kept_only_there() {
    const LOW: u64 = 0x1234_5000;
    let file = file(&PROGRAM);
    let keeper = Arc::new(Shelf::default());
    let (found, new) = run_kept(&file, LOW, &keeper);
    assert!(found == 0 && new > 0);
    assert_eq!(run_kept(&file, LOW, &keeper), (1, 0));
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
        own.sheets.lock().unwrap().clone_from(&keeper.sheets.lock().unwrap());
        let (_, new) = run_kept(&file(&other), place, &own);
        assert!(new > 0, "{at}");
    }
}

/// Two loops that lead to each other, of blocks that more than two links lead to, a call and some
/// that are executed once.
const LOOPS: [&str; 14] = [
    "addi a0, a0, 1",
    "jal zero, .+12",
    "ecall",
    "ecall",
    // At 16: four ways out of here, of which the last ones are to 40 and to 0.
    "addi a1, a1, -1",
    "beq a1, zero, .+32",
    "beq a1, a0, .+16",
    "andi a2, a1, 1",
    "bne a2, zero, .+8",
    "jal ra, .+16",
    // At 40.
    "andi a2, a1, 6",
    "beq a2, zero, .-44",
    "jal zero, .-32",
    // At 52: the end, or what was called.
    "beq a1, zero, .-44",
];

#[test]
fn what_is_warm_goes_on_with_what_was_kept() {
    let lines = [&LOOPS[..], &["jalr zero, 0(ra)"]].concat();
    let file = file(&lines);
    let keeper = Arc::new(Shelf::default());
    // With a gate, which is somewhere else when it has been reached so often.
    let run = |keeper: Option<&Arc<Shelf>>, mut gate: Option<(u64, u32)>| {
        let (space, code, mut interpreter, mut hart) = start(&file, free_place());
        if let Some(keeper) = keeper {
            interpreter.set_warm(Warm::Seen);
            interpreter.set_keeper(Some(keeper.clone()));
        }
        if let Some((gate, _)) = gate {
            interpreter.add_gate(code + gate);
        }
        hart.x[11] = 1 << 16;
        let mut stops = 0;
        loop {
            match (interpreter.run(&mut hart), gate) {
                (Stop::Gate, Some((at, most))) => {
                    stops += 1;
                    assert_eq!(hart.pc, code + at);
                    assert_eq!(interpreter.step(&mut hart), None);
                    if stops == most {
                        interpreter.remove_gate(code + at);
                        let other = if at == 40 { 16 } else { 40 };
                        interpreter.add_gate(code + other);
                        gate = Some((other, u32::MAX));
                    }
                }
                (stop, _) => break assert_eq!(stop, Stop::Syscall),
            }
        }
        let new = keeper.map_or(0, |keeper| keeper.make(code));
        space.munmap(code, PAGE).unwrap();
        let registers = [hart.pc - code, hart.x[10], hart.x[11], hart.x[12], hart.instret];
        (registers, hart.x[1] - code, stops, new)
    };
    let expected = run(None, None);
    let (registers, .., new) = run(Some(&keeper), None);
    assert_eq!(registers, expected.0);
    assert!(new > 0);
    // What was executed before it is warm has been pre-decoded by then.
    let again = run(Some(&keeper), None);
    assert_eq!((again.0, again.1), (expected.0, expected.1));
    assert!(keeper.found.load(Ordering::Relaxed) > 0);
    for gate in [0, 16, 20, 28, 36, 40, 48, 52, 56] {
        for most in [u32::MAX, 20_000, 1] {
            let gate = Some((gate, most));
            let expected = run(None, gate);
            let there = run(Some(&keeper), gate);
            assert_eq!((there.0, there.2), (expected.0, expected.2), "{gate:?}");
        }
    }
}

#[test]
fn what_is_reached_late_is_on_a_sheet_of_its_own() {
    let file = file(&["addi a0, a0, -1", "bne a0, zero, .-4", "addi a1, a1, 1", "ecall"]);
    let keeper = Arc::new(Shelf::default());
    let place = free_place();
    // Gives what was new, and how many sheets were found.
    let run = || {
        let (space, code, mut interpreter, mut hart) = start(&file, place);
        interpreter.set_warm(Warm::Seen);
        interpreter.set_keeper(Some(keeper.clone()));
        hart.x[10] = 1 << 20;
        interpreter.set_fuel(16);
        while interpreter.run(&mut hart) == Stop::Sample {
            interpreter.set_fuel(16);
        }
        assert_eq!((hart.pc, hart.x[11]), (code + 16, 1));
        space.munmap(code, PAGE).unwrap();
        let reached = std::mem::take(&mut *keeper.reached.lock().unwrap());
        (reached, keeper.found.swap(0, Ordering::Relaxed))
    };
    let put = |phase: Phase, blocks: &[Known]| {
        let (space, code, ..) = start(&file, place);
        let range = code..code + PAGE;
        let sheet = SheetMaker::new(Extensions::ALL).unwrap().make(blocks, &range, code - PAGE);
        keeper.sheets.lock().unwrap().insert((PAGE, phase), sheet.unwrap());
        space.munmap(code, PAGE).unwrap();
    };
    let (head, tail) = (place, place + 8);
    let warm = ((head, true), Phase::Early);
    assert_eq!(run(), (vec![warm, ((tail, false), Phase::Late)], 0));
    put(Phase::Early, &[warm.0]);
    put(Phase::Late, &[(tail, false)]);
    assert_eq!(run(), (vec![], 2), "each when it is wanted");
    put(Phase::Early, &[warm.0, (tail, false)]);
    assert_eq!(run(), (vec![], 1), "who has all of it from the first needs no other");
}

#[test]
fn what_depends_on_code_that_is_not_there_is_on_no_sheet() {
    let beyond = PAGE as usize / 4 - 1;
    let lines: Vec<&str> = std::iter::repeat_n("addi a0, a0, 1", beyond).collect();
    let file = file(&[&["jal zero, .+4"], &lines[..]].concat());
    let (space, code, ..) = start(&file, free_place());
    let (range, base) = (code..code + PAGE, code - PAGE);
    let all = [(code, false), (code + 8, false), (code + PAGE - 4, false)];
    let sheet = SheetMaker::new(Extensions::ALL).unwrap().make(&all, &range, base).unwrap();
    assert_eq!(known(&sheet, base, &range), Some(all[..2].to_vec()));
    space.munmap(code, PAGE).unwrap();
}

#[test]
fn a_sheet_is_of_the_code_that_is_there_when_it_is_made() {
    let file = file(&PROGRAM);
    let keeper = Arc::new(Shelf::default());
    let place = free_place();
    let (space, code, mut interpreter, mut hart) = start(&file, place);
    interpreter.set_warm(Warm::AtOnce);
    interpreter.set_keeper(Some(keeper.clone()));
    interpreter.run(&mut hart);
    let other = encode(&assemble("addi a2, zero, 8").unwrap()).unwrap().to_le_bytes();
    file.write_all_at(&other, PAGE + 88).unwrap();
    assert!(keeper.make(code) > 0);
    space.munmap(code, PAGE).unwrap();
    assert_eq!(run_kept(&file, place, &keeper), (1, 0));
}

#[test]
fn what_is_cut_off_is_not_taken() {
    let file = file(&PROGRAM);
    let keeper = Arc::new(Shelf::default());
    run(&file, free_place(), Some(&keeper));
    let place = free_place();
    let sheet = keeper.sheets.lock().unwrap()[&(PAGE, Phase::Early)].clone();
    for len in 0..sheet.len() {
        let own = Arc::new(Shelf::default());
        own.sheets.lock().unwrap().insert((PAGE, Phase::Early), sheet[..len].to_vec());
        let (_, new) = run_kept(&file, place, &own);
        assert!(new > 0, "{len} of {}", sheet.len());
    }
}
