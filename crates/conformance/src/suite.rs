//! Vectors in groups, and what engines make of them.

use crate::Named;
use rvrun_isa::Opcode;
use rvrun_isa_tests::{Engine, Trap, Vector, VectorFile, differences};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The vectors of one file that begin with the same instruction.
#[derive(Clone, Debug)]
pub struct Group {
    /// The file: an extension's.
    pub file: String,
    /// The mnemonic.
    pub instruction: String,
    /// The vectors, each with where it is.
    pub vectors: Vec<(String, Vector)>,
}

/// A vector with which an engine has problems.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The engine's name.
    pub engine: &'static str,
    /// Where the vector is.
    pub place: String,
    /// The vector, as its line has it.
    pub vector: String,
    /// What is wrong.
    pub problems: Vec<String>,
}

/// How an engine did with the vectors of a file.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Vectors that did what they should.
    pub passed: usize,
    /// Vectors that did not.
    pub failed: usize,
}

/// The vectors in groups, by their files and first instructions.
pub fn groups(files: &[VectorFile]) -> Vec<Group> {
    let mut groups: BTreeMap<(String, String), Vec<(String, Vector)>> = BTreeMap::new();
    for file in files {
        for (number, vector) in file.vectors() {
            let mnemonic = vector.code[0].text.split_whitespace().next().unwrap_or_default();
            let place = format!("{}.txt:{number}", file.name);
            let key = (file.name.clone(), mnemonic.to_string());
            groups.entry(key).or_default().push((place, vector.clone()));
        }
    }
    let group = |((file, instruction), vectors)| Group { file, instruction, vectors };
    groups.into_iter().map(group).collect()
}

/// The names of the rows of the instruction table that no vector has.
pub fn rows_without_vectors(files: &[VectorFile]) -> Vec<&'static str> {
    let vectors = files.iter().flat_map(VectorFile::vectors);
    let covered: BTreeSet<Opcode> =
        vectors.flat_map(|(_, v)| v.code.iter().filter_map(|c| c.opcode)).collect();
    Opcode::all().filter(|o| !covered.contains(o)).map(|o| o.row().name).collect()
}

/// Runs all of `groups` on all of `engines`, on as many threads as the host has
/// processors. Gives what each engine made of each file, and the failures.
pub fn run(groups: &[Group], engines: &[Named]) -> (BTreeMap<String, Vec<Tally>>, Vec<Failure>) {
    let next = AtomicUsize::new(0);
    let found = Mutex::new((BTreeMap::new(), Vec::new()));
    let work = || {
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            let Some(group) = groups.get(job / engines.len()) else { break };
            let column = job % engines.len();
            let (ran, failures) = run_group(group, &engines[column]);
            let mut found = found.lock().expect("no thread panics");
            let tallies: &mut Vec<Tally> = found
                .0
                .entry(group.file.clone())
                .or_insert_with(|| vec![Tally::default(); engines.len()]);
            tallies[column].failed += failures.len();
            tallies[column].passed += ran - failures.len();
            found.1.extend(failures);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    found.into_inner().expect("no thread panics")
}

/// Runs a group on an engine: how many vectors it took, and those that failed.
fn run_group(group: &Group, engine: &Named) -> (usize, Vec<Failure>) {
    let (mut ran, mut failures) = (0, Vec::new());
    (engine.with)(&mut |instance| {
        for (place, vector) in &group.vectors {
            let Some(problems) = problems(vector, instance) else { continue };
            ran += 1;
            if !problems.is_empty() {
                let (place, vector) = (place.clone(), vector.to_string());
                failures.push(Failure { engine: engine.name, place, vector, problems });
            }
        }
    });
    (ran, failures)
}

/// Runs a vector: what is wrong, or nothing if the engine does not take it.
pub fn problems(vector: &Vector, engine: &mut dyn Engine) -> Option<Vec<String>> {
    let layout = engine.layout();
    let (code, before) = (vector.bytes(), vector.before(layout));
    if !engine.takes(&code, &before) {
        return None;
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
    Some(problems)
}
