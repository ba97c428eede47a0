//! Runs the guest programs of `tests/guest`: each prints what its system calls
//! return or its code computes, and has to print what its native build printed,
//! whichever way it is executed.
//!
//! `cargo xtask guests` builds them and writes down what they print natively.
//! `RVRUN_TEST_ROUNDS` says how often each is run, for those that hunt races.

mod support;

use libtest_mimic::{Arguments, Failed, Trial};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use support::{RVRUN, Scratch};

/// How many lines that differ are shown.
const SHOWN: usize = 20;

/// Ways to execute a program: by default, interpreted, translated at once, translated by
/// a thread beside it as soon as it can be, with small translations that come and go.
const ENGINES: [(&str, &[&str]); 5] = [
    ("auto", &[]),
    ("interp", &["--engine=interp"]),
    // Large regions take a compiler that is not optimised itself too long.
    ("jit", &["--engine=jit", "--region-limit=100", "--inline-limit=20"]),
    ("hot", &["--hot=1"]),
    (
        "chaos",
        &["--hot=1", "--chaos=1", "--code-memory=256", "--region-limit=60", "--inline-limit=20"],
    ),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest");
    let sources = match sources(&directory) {
        Ok(sources) => sources,
        Err(error) => {
            eprintln!("{}: {error}", directory.display());
            return ExitCode::FAILURE;
        }
    };
    let rounds = std::env::var("RVRUN_TEST_ROUNDS").map_or(1, |text| {
        text.parse::<u32>().unwrap_or_else(|error| panic!("RVRUN_TEST_ROUNDS={text}: {error}"))
    });
    let mut trials = Vec::new();
    for source in sources {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for (engine, options) in ENGINES {
            let source = source.clone();
            let trial = Trial::test(name.clone(), move || {
                (0..rounds).try_for_each(|_| compare(&source, options))
            });
            trials.push(trial.with_kind(engine));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The programs' C files.
fn sources(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == "c") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Runs a program in a directory of its own, with nothing in its environment.
fn compare(source: &Path, options: &[&str]) -> Result<(), Failed> {
    let program = source.with_extension("");
    let expected = fs::read_to_string(source.with_extension("expected"))
        .map_err(|error| not_built(source, &error))?;
    fs::metadata(&program).map_err(|error| not_built(source, &error))?;
    let scratch = Scratch::new("guest");
    let mut command = Command::new(RVRUN);
    command.args(options).arg(&program).current_dir(scratch.path()).env_clear();
    let finished = support::run(&mut command)?;
    let differences = differences(&expected, &finished.stdout);
    if !differences.is_empty() {
        return Err(format!("{}stderr:\n{}", differences, finished.stderr).into());
    }
    if !finished.status.success() {
        return Err(format!("{}\n{}", finished.status, finished.stderr).into());
    }
    Ok(())
}

fn not_built(source: &Path, error: &std::io::Error) -> Failed {
    format!("{} has no built file ({error}): run `cargo xtask guests`", source.display()).into()
}

/// The lines that differ, and how many more there are.
fn differences(expected: &str, got: &str) -> String {
    let (mut expected_lines, mut got_lines) = (expected.lines(), got.lines());
    let mut text = String::new();
    let mut count = 0;
    loop {
        let pair = (expected_lines.next(), got_lines.next());
        if pair == (None, None) {
            break;
        }
        if pair.0 != pair.1 {
            count += 1;
            if count <= SHOWN {
                let show = |line: Option<&str>| line.unwrap_or("(nothing)").to_owned();
                text.push_str(&format!("- {}\n+ {}\n", show(pair.0), show(pair.1)));
            }
        }
    }
    if count > SHOWN {
        text.push_str(&format!("and {} more lines\n", count - SHOWN));
    }
    text
}
