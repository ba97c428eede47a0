//! Runs every vector on every engine: a trial for each file and first instruction.

mod engines;

use engines::{Counts, Form, InterpreterEngine, TranslatorEngine};
use libtest_mimic::{Arguments, Failed, Trial};
use rvrun_interp::Warm;
use rvrun_isa::Opcode;
use rvrun_isa_tests::{Engine, Trap, Vector, VectorFile, differences, read_all};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

/// How many failures of a trial are printed.
const SHOWN: usize = 10;

/// Calls a function with the engine that belongs to this thread.
type WithEngine = fn(&mut dyn FnMut(&mut dyn Engine));

/// Entries of [`ENGINES`] for forms of the interpreter.
macro_rules! interpreter {
    ($name:literal, $warm:expr) => {
        ($name, |run| {
            thread_local! {
                static ENGINE: RefCell<InterpreterEngine> =
                    RefCell::new(InterpreterEngine::new($warm));
            }
            ENGINE.with_borrow_mut(|engine| run(engine));
        })
    };
}

/// Entries of [`ENGINES`] for forms of the translator.
macro_rules! translator {
    ($name:literal, $counts:ident, $form:expr) => {
        ($name, |run| {
            thread_local! {
                static ENGINE: RefCell<TranslatorEngine> =
                    RefCell::new(TranslatorEngine::new($form, &$counts));
            }
            ENGINE.with_borrow_mut(|engine| run(engine));
        })
    };
}

static ALONE: Counts = Counts::new();
static LOOP: Counts = Counts::new();
static LIVE: Counts = Counts::new();
static PRECISE: Counts = Counts::new();

/// What the forms of the translator have run, by their names.
const COUNTS: [(&str, &Counts); 4] =
    [("jit", &ALONE), ("jit_loop", &LOOP), ("jit_live", &LIVE), ("jit_precise", &PRECISE)];

/// The engines with their names. Another one is another entry.
const ENGINES: [(&str, WithEngine); 6] = [
    interpreter!("interp", Warm::Never),
    interpreter!("baseline", Warm::AtOnce),
    translator!("jit", ALONE, Form::default()),
    translator!("jit_loop", LOOP, Form { repeated: true, ..Form::default() }),
    translator!("jit_live", LIVE, Form { live: true, ..Form::default() }),
    translator!(
        "jit_precise",
        PRECISE,
        Form { live: true, repeated: true, precise: true, memory_only: true }
    ),
];

/// The vectors of one file that begin with the same instruction, each with where it is.
type Group = Vec<(String, Vector)>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let files = match read_all() {
        Ok(files) => files,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let missing = rows_without_vectors(&files);
    let mut trials = vec![Trial::test("every_row_has_vectors", move || match missing.is_empty() {
        true => Ok(()),
        false => Err(format!("no vectors for: {}", missing.join(" ")).into()),
    })];
    for (engine, with_engine) in ENGINES {
        for (name, group) in groups(&files) {
            let name = format!("{engine}::{name}");
            trials.push(Trial::test(name, move || run_group(&group, with_engine)));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    for (name, counts) in COUNTS {
        println!("{name}: {counts}");
    }
    conclusion.exit_code()
}

fn groups(files: &[VectorFile]) -> BTreeMap<String, Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for file in files {
        for (number, vector) in file.vectors() {
            let mnemonic = vector.code[0].text.split_whitespace().next().unwrap_or_default();
            let place = format!("{}.txt:{number}", file.name);
            let group = groups.entry(format!("{}::{mnemonic}", file.name)).or_default();
            group.push((place, vector.clone()));
        }
    }
    groups
}

fn rows_without_vectors(files: &[VectorFile]) -> Vec<&'static str> {
    let vectors = files.iter().flat_map(VectorFile::vectors);
    let covered: BTreeSet<Opcode> =
        vectors.flat_map(|(_, v)| v.code.iter().filter_map(|c| c.opcode)).collect();
    Opcode::all().filter(|o| !covered.contains(o)).map(|o| o.row().name).collect()
}

fn run_group(group: &Group, with_engine: WithEngine) -> Result<(), Failed> {
    let mut failures = Vec::new();
    with_engine(&mut |engine| {
        for (place, vector) in group {
            let problems = run(vector, engine);
            if !problems.is_empty() {
                failures.push(format!("{place}: {vector}\n    {}", problems.join("\n    ")));
            }
        }
    });
    if failures.is_empty() {
        return Ok(());
    }
    let shown = failures.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
    Err(format!("{} of {} vectors fail\n{shown}", failures.len(), group.len()).into())
}

/// Runs one vector; returns what is wrong.
fn run(vector: &Vector, engine: &mut dyn Engine) -> Vec<String> {
    let layout = engine.layout();
    let (code, before) = (vector.bytes(), vector.before(layout));
    if !engine.takes(&code, &before) {
        return Vec::new();
    }
    let mut got = engine.run(&code, &before);
    let mut problems = engine.problems();
    match vector.expected(layout, &got) {
        Some(expected) => {
            if !engine.is_exact(&got) {
                (got.x, got.f, got.fflags) = (expected.x, expected.f, expected.fflags);
                let beyond = |addr: u64| addr.wrapping_add(1 << 47) >> 48 != 0;
                if let (Some(Trap::Access { addr, .. }), Some(Trap::Access { addr: wanted, .. })) =
                    (&mut got.trap, expected.trap)
                    && *addr == u64::MAX
                    && beyond(wanted)
                {
                    *addr = wanted;
                }
            }
            problems.extend(differences(layout, &expected, &got));
        }
        None => problems.push("the line expects nothing yet: cargo xtask vectors --bless".into()),
    }
    problems
}
