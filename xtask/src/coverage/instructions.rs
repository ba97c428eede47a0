//! Instructions: which vectors have them, on which engines.

use super::{Part, table};
use crate::random;
use anyhow::Result;
use rvrun_conformance::{ENGINES, groups, problems};
use rvrun_isa::Opcode;
use std::collections::{BTreeMap, BTreeSet};

/// Engines that have to execute every row; others are forms that not all code can take.
const EVERY_ROW: [&str; 3] = ["interp", "baseline", "jit"];

/// Random programs: those that CI runs under QEMU, too.
const RANDOM_SEED: u64 = 1;
const RANDOM_COUNT: u64 = 200;

/// What reached a row.
#[derive(Clone, Default)]
struct Reached {
    /// Vectors that passed, by engine.
    vectors: [u64; ENGINES.len()],
    /// Files of vectors.
    files: BTreeSet<String>,
}

pub fn part() -> Result<Part> {
    let files = rvrun_isa_tests::embedded()?;
    let mut rows: BTreeMap<Opcode, Reached> = BTreeMap::new();
    for group in groups(&files) {
        for (column, engine) in ENGINES.iter().enumerate() {
            (engine.with)(&mut |instance| {
                for (_, vector) in &group.vectors {
                    if !problems(vector, instance).is_some_and(|problems| problems.is_empty()) {
                        continue;
                    }
                    for opcode in vector.code.iter().filter_map(|code| code.opcode) {
                        let row = rows.entry(opcode).or_default();
                        row.vectors[column] += 1;
                        row.files.insert(group.file.clone());
                    }
                }
            });
        }
    }
    let random = random::instructions(RANDOM_SEED, RANDOM_COUNT);
    let (mut lines, mut failures) = (Vec::new(), Vec::new());
    for opcode in Opcode::all() {
        let reached = rows.remove(&opcode).unwrap_or_default();
        let name = opcode.row().name;
        for (engine, count) in ENGINES.iter().zip(reached.vectors) {
            if count == 0 && EVERY_ROW.contains(&engine.name) {
                failures.push(format!("instruction {name}: no vector on {}", engine.name));
            }
        }
        let mut line = vec![name.to_owned()];
        line.extend(reached.vectors.map(number));
        line.push(number(random.get(&opcode).copied().unwrap_or(0)));
        line.push(reached.files.into_iter().collect::<Vec<_>>().join(", "));
        lines.push(line);
    }
    let mut header = vec!["Row"];
    header.extend(ENGINES.iter().map(|engine| engine.name));
    header.extend(["random programs", "files of vectors"]);
    println!("{} rows of the instruction table, {} random programs", lines.len(), RANDOM_COUNT);
    let text = format!(
        "## Instructions\n\nVectors that passed, by engine, and how many of {RANDOM_COUNT} random \
         programs have the instruction.\n\n{}",
        table(&header, &lines)
    );
    Ok(Part { text, failures })
}

fn number(count: u64) -> String {
    if count == 0 { "–".into() } else { count.to_string() }
}
