//! `cargo xtask programs`: real programs, Debian's, under rvrun and natively.
//!
//! Debian builds the same version of a package for both architectures, so the native
//! program is the oracle: a script has to print the same and end the same on both sides.

pub mod c_source;
mod cases;
pub(crate) mod engine;
mod side;

use anyhow::{Result, bail, ensure};
use cases::Case;
use engine::Engine;
use side::{Outcome, Side};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

/// Lines of a difference that are shown.
const SHOWN_LINES: usize = 12;

/// Options of the task.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only the cases whose names contain one of these
    names: Vec<String>,
    /// How rvrun executes them, one way after another: with its defaults, interpreted,
    /// all of it translated, or with translations that come and go at random
    #[arg(long, value_enum, value_delimiter = ',', default_value = "auto")]
    engine: Vec<Engine>,
    /// What `--engine chaos` makes its choices from [default: the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// This rvrun, instead of the one that the workspace gives
    #[arg(long)]
    rvrun: Option<PathBuf>,
    /// Where Debian's packages come from [default: where this machine gets its own]
    #[arg(long)]
    mirror: Option<String>,
}

/// Runs the task.
///
/// # Errors
/// The packages are not to be had, or a case fails.
pub fn run(arguments: &Arguments) -> Result<()> {
    let places = crate::build::Places::find()?;
    let rvrun = match &arguments.rvrun {
        Some(path) => path.canonicalize()?,
        None => crate::build::rvrun(&places)?,
    };
    let directory = places.output.with_file_name("programs");
    std::fs::create_dir_all(&directory)?;
    let native = Side::native(&directory, arguments.mirror.as_deref())?;
    let wanted = |case: &Case| {
        let names = &arguments.names;
        names.is_empty() || names.iter().any(|name| case.name.contains(name.as_str()))
    };
    let cases: Vec<Case> = cases::all().into_iter().filter(wanted).collect();
    ensure!(!cases.is_empty(), "no case has such a name");
    let seed = arguments.seed.unwrap_or_else(engine::seed_from_clock);
    let cache = directory.join("kept");
    if cache.exists() {
        std::fs::remove_dir_all(&cache)?;
    }
    let mut failed = 0;
    for engine in &arguments.engine {
        let options = engine.options(seed, &cache);
        println!("engine {engine}: rvrun {}", options.join(" "));
        let mirror = arguments.mirror.as_deref();
        let guest = Side::guest(&directory, mirror, rvrun.clone(), options)?;
        let start = Instant::now();
        let wrong = compare_all(&cases, &native, &guest)?;
        let seconds = start.elapsed().as_secs();
        println!("engine {engine}: {} run, {wrong} failed ({seconds} s)", cases.len());
        failed += wrong;
    }
    println!("{} passed, {failed} failed", cases.len() * arguments.engine.len() - failed);
    if failed != 0 {
        bail!("some programs differ");
    }
    Ok(())
}

/// Compares all cases, one on each of the host's processors, and counts those that fail.
fn compare_all(cases: &[Case], native: &Side, guest: &Side) -> Result<usize> {
    let next = AtomicUsize::new(0);
    let work = |worker: usize| -> Result<usize> {
        let mut failed = 0;
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let expected = native.run(&case.script, worker)?;
            let start = Instant::now();
            let found = guest.run(&case.script, worker)?;
            let verdict = verdict(&expected, &found);
            let word = if verdict.is_none() { "ok" } else { "FAILED" };
            let report = verdict.unwrap_or_default();
            println!("{word} {} ({:.1} s){report}", case.name, start.elapsed().as_secs_f64());
            failed += usize::from(word == "FAILED");
        }
        Ok(failed)
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a worker does not panic")).sum()
    })
}

/// What is wrong, if anything.
fn verdict(expected: &Outcome, found: &Outcome) -> Option<String> {
    let mut report = String::new();
    for (what, expected, found) in [
        ("status", &expected.status, &found.status),
        ("output", &expected.stdout, &found.stdout),
        ("complaint", &expected.stderr, &found.stderr),
    ] {
        if expected != found {
            let first = expected.lines().zip(found.lines()).take_while(|(a, b)| a == b).count();
            let part = |text: &str| {
                let lines: Vec<_> = text.lines().skip(first).take(SHOWN_LINES).collect();
                lines.join("\n      ")
            };
            report += &format!(
                "\n  {what} from line {}:\n    native\n      {}\n    rvrun\n      {}",
                first + 1,
                part(expected),
                part(found)
            );
        }
    }
    // A case whose program is missing on both sides would compare nothing.
    if expected.stderr.contains("command not found") && !expected.stderr.contains("nosuchprogram") {
        report += &format!("\n  the native side lacks a program: {}", expected.stderr);
    }
    (!report.is_empty()).then_some(report)
}
