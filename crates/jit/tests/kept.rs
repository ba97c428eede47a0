//! Translations that outlive the process: taken in again where their code is somewhere else,
//! and only where it is the same.

#[path = "../../interp/tests/code_file/mod.rs"]
mod code_file;

use code_file::{PAGE, file};
use rvrun_hart::{Hart, float};
use rvrun_host::fault;
use rvrun_isa::Extensions;
use rvrun_jit::{
    All, Keeper, Mode, Options, Outcome, State, Stepped, Translations, Translator, Variant,
};
use rvrun_memory::{AddressSpace, Fault};
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};

const READ_EXECUTE: i32 = 5;
const PRIVATE: i32 = 2;
const FIXED_NOREPLACE: i32 = 0x10_0000;

/// Keeps translations in memory.
#[derive(Default)]
struct Shelf(Mutex<HashMap<Variant, Vec<u8>>>);

impl Keeper for Shelf {
    fn get<'a>(&self, _object: u32, which: Variant, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        self.0.lock().unwrap().get(&which)?.clone_into(room);
        Some(room)
    }

    fn put(&self, _object: u32, which: Variant, translation: Vec<u8>) {
        self.0.lock().unwrap().insert(which, translation);
    }
}

/// How a program ended.
#[derive(Debug)]
struct End {
    outcome: Outcome,
    hart: Hart,
    /// Where its code was.
    code: u64,
    /// Regions that had to be compiled.
    compiled: u64,
}

/// The code of `file`, mapped at `place` or anywhere, and a translator for it.
fn start(
    file: &File,
    place: Option<u64>,
    keeper: &Arc<Shelf>,
    options: Options,
) -> (Arc<AddressSpace>, u64, Translator) {
    fault::install().unwrap();
    let space = Arc::new(AddressSpace::new());
    space.number_code_files(Box::new(|_| Some(0)));
    let flags = PRIVATE | place.map_or(0, |_| FIXED_NOREPLACE);
    let fd = file.as_raw_fd();
    let code = space.mmap(place.unwrap_or(0), PAGE, READ_EXECUTE, flags, fd, PAGE, None).unwrap();
    let options = Options { synchronous: true, code_bytes: 1 << 20, ..options };
    let keeper = keeper.clone() as Arc<dyn Keeper>;
    let translations =
        Translations::new(space.clone(), Extensions::ALL, options, Some(keeper)).unwrap();
    let translator = translations.translator();
    (space, code, translator)
}

/// Runs the code of `file`, mapped at `place` or anywhere, to what is not translated code's to do.
fn run(file: &File, place: Option<u64>, keeper: &Arc<Shelf>, mode: Mode, a0: u64) -> End {
    let (space, code, mut translator) =
        start(file, place, keeper, Options { mode, ..Options::default() });
    let mut hart = Hart::new();
    (hart.pc, hart.x[10]) = (code, a0);
    let attention = Arc::new(AtomicU32::new(0));
    let mut state = State::new(hart, attention, Box::new(|_| Stepped::Not));
    float::host::enter(0);
    let outcome = loop {
        translator.request(state.hart.pc, &All);
        match translator.run(&mut state) {
            Outcome::Cold => {}
            outcome => break outcome,
        }
    };
    float::host::leave();
    let hart = state.hart.clone();
    space.munmap(code, PAGE).unwrap();
    End { outcome, hart, code, compiled: translator.stats().requested }
}

/// Runs it twice at different places: once to have it kept, and once to have it back.
fn twice(file: &File, keeper: &Arc<Shelf>, mode: Mode, a0: u64) -> [End; 2] {
    let first = run(file, None, keeper, mode, a0);
    assert!(first.compiled > 0);
    let second = run(file, Some(first.code + (64 << 20)), keeper, mode, a0);
    assert_eq!(second.compiled, 0, "everything is there");
    [first, second]
}

/// All ways in which code knows an address: its own, that of calls within a region and out of
/// it, of jumps through registers, of what is left to.
const ADDRESSES: [&str; 16] = [
    "auipc s0, 0",
    "addi a1, zero, 0",
    "jal ra, .+36",
    "add s1, ra, zero",
    "addi t0, s0, 52",
    "jalr ra, 0(t0)",
    "add s2, ra, zero",
    "addi a0, a0, -1",
    "bne a0, zero, .-24",
    "auipc s3, 1",
    "ecall",
    "addi a1, a1, 3",
    "jalr zero, 0(ra)",
    "addi a1, a1, 5",
    "jalr zero, 0(ra)",
    "ebreak",
];

#[test]
fn code_that_is_somewhere_else_knows_where() {
    let keeper = Arc::default();
    for end in twice(&file(&ADDRESSES), &keeper, Mode::default(), 10) {
        assert_eq!(end.outcome, Outcome::Syscall);
        let x = |register: usize| end.hart.x[register].wrapping_sub(end.code);
        assert_eq!(end.hart.x[11], 80, "both functions, ten times");
        assert_eq!([x(8), x(9), x(18), x(19)], [0, 12, 24, 36 + PAGE]);
        assert_eq!(end.hart.pc, end.code + 44);
    }
}

#[test]
fn code_that_has_to_be_where_it_is_knows_its_place() {
    const PLACE: u64 = 0x4321_0000;
    let (file, keeper) = (file(&ADDRESSES), Arc::default());
    let first = run(&file, Some(PLACE), &keeper, Mode::default(), 10);
    let again = run(&file, Some(PLACE), &keeper, Mode::default(), 10);
    let elsewhere = run(&file, Some(PLACE + (1 << 20)), &keeper, Mode::default(), 10);
    assert!(first.compiled > 0 && elsewhere.compiled > 0);
    assert_eq!(again.compiled, 0);
    for end in [first, again, elsewhere] {
        assert_eq!((end.outcome, end.hart.x[11]), (Outcome::Syscall, 80));
        assert_eq!(end.hart.x[9], end.code + 12);
    }
}

#[test]
fn a_fault_is_still_at_its_instruction() {
    let lines = ["addi a1, a0, 1", "addi a2, a1, 1", "ld a3, 0(a0)", "ecall"];
    let (file, keeper) = (file(&lines), Arc::default());
    for end in twice(&file, &keeper, Mode::default(), 0x10) {
        let Outcome::Fault(Fault { addr, .. }) = end.outcome else { panic!("{end:?}") };
        assert_eq!((addr, end.hart.pc), (0x10, end.code + 8));
    }
    let precise = Mode { precise: true, ..Mode::default() };
    for end in twice(&file, &keeper, precise, 0x10) {
        assert_eq!(end.outcome, Outcome::Replay { until: end.code + 8 });
    }
}

#[test]
fn other_code_is_not_taken_for_it() {
    let keeper = Arc::default();
    let (old, new) = (["addi a0, a0, 1", "ecall"], ["addi a0, a0, 2", "ecall"]);
    let first = run(&file(&old), None, &keeper, Mode::default(), 5);
    let second = run(&file(&new), None, &keeper, Mode::default(), 5);
    assert_eq!((first.hart.x[10], second.hart.x[10]), (6, 7));
    assert!(second.compiled > 0);
}

#[test]
fn where_translating_is_to_pay_only_what_is_hot_is_taken() {
    let lines = ["addi a0, a0, -1", "bne a0, zero, .-4", "ecall"];
    let (file, keeper) = (file(&lines), Arc::new(Shelf::default()));
    let first = run(&file, None, &keeper, Mode::default(), 5);
    assert_eq!(first.compiled, 1);

    let (space, code, mut translator) =
        start(&file, None, &keeper, Options { sparing: true, ..Options::default() });
    assert!(!translator.is_translated(code), "who gets there goes on without");
    // A large region has to be asked for more often.
    for _ in 0..10 {
        translator.request(code, &All);
    }
    assert_eq!(translator.entries(), [code], "it is hot");
    assert_eq!(translator.stats().requested, 0, "it was not compiled again");
    space.munmap(code, PAGE).unwrap();
}

#[test]
fn what_makes_no_sense_is_not_taken() {
    let (file, keeper) = (file(&ADDRESSES), Arc::<Shelf>::default());
    run(&file, None, &keeper, Mode::default(), 10);
    let whole = keeper.0.lock().unwrap().clone();
    for part in 0..8 {
        for bytes in keeper.0.lock().unwrap().values_mut() {
            bytes.truncate(bytes.len() * part / 8);
        }
        let end = run(&file, None, &keeper, Mode::default(), 10);
        assert!(end.compiled > 0);
        assert_eq!((end.outcome, end.hart.x[11]), (Outcome::Syscall, 80));
        *keeper.0.lock().unwrap() = whole.clone();
    }
}
