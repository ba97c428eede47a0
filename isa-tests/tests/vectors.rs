//! Runs every vector on every engine: a trial for each file and first instruction.

use libtest_mimic::{Arguments, Failed, Trial};
use rvrun_conformance::{COUNTS, ENGINES, Group, Named, groups, problems, rows_without_vectors};
use rvrun_isa_tests::read_all;
use std::process::ExitCode;

/// How many failures of a trial are printed.
const SHOWN: usize = 10;

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
    let groups = groups(&files);
    for engine in ENGINES {
        for group in groups.clone() {
            let name = format!("{}::{}::{}", engine.name, group.file, group.instruction);
            trials.push(Trial::test(name, move || run_group(&group, engine)));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    for (name, counts) in COUNTS {
        println!("{name}: {counts}");
    }
    conclusion.exit_code()
}

fn run_group(group: &Group, engine: Named) -> Result<(), Failed> {
    let mut failures = Vec::new();
    (engine.with)(&mut |engine| {
        for (place, vector) in &group.vectors {
            let problems = problems(vector, engine).unwrap_or_default();
            if !problems.is_empty() {
                failures.push(format!("{place}: {vector}\n    {}", problems.join("\n    ")));
            }
        }
    });
    if failures.is_empty() {
        return Ok(());
    }
    let shown = failures.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n");
    Err(format!("{} of {} vectors fail\n{shown}", failures.len(), group.vectors.len()).into())
}
