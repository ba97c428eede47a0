//! `cargo xtask hostile`: what rvrun must survive, in numbers that find things.
//!
//! [`files`] runs mutated ELF files in a [`sandbox`], [`code`] runs random code in
//! processes that may crash, on the interpreter and on the translator. A case is named by the seed and its number.

mod code;
mod files;
mod sandbox;

use anyhow::{Result, bail};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Options of the task.
#[derive(clap::Args)]
pub struct Arguments {
    /// What the cases are made from [default: the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// How many mutated ELF files to run
    #[arg(long, default_value_t = 20_000)]
    files: u64,
    /// How many blocks of random code to interpret
    #[arg(long, default_value_t = 500_000)]
    code: u64,
    /// How many blocks of random code to translate as well, to compare
    #[arg(long, default_value_t = 20_000)]
    translated: u64,
    /// The number of the first case
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Be one of the processes that this task starts
    #[arg(long, hide = true)]
    worker: Option<Worker>,
}

/// The processes that the task starts.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Worker {
    Files,
    Code,
    Translated,
}

impl Worker {
    fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Code => "code",
            Self::Translated => "translated",
        }
    }
}

/// Cases, by number.
#[derive(Clone, Copy, Debug)]
struct Cases {
    seed: u64,
    first: u64,
    count: u64,
}

impl Cases {
    fn numbers(self) -> std::ops::Range<u64> {
        self.first..self.first + self.count
    }

    /// The cases in `parts` runs of about the same length.
    fn split(self, parts: u64) -> impl Iterator<Item = Cases> {
        let cut = move |part| self.count * part / parts;
        (0..parts).map(move |part| Cases {
            first: self.first + cut(part),
            count: cut(part + 1) - cut(part),
            ..self
        })
    }
}

/// Runs the task.
///
/// # Errors
/// A case fails, or the sandbox cannot be had.
pub fn run(arguments: &Arguments) -> Result<()> {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let seed = arguments.seed.unwrap_or_else(clock);
    let files = Cases { seed, first: arguments.first, count: arguments.files };
    let code = Cases { seed, first: arguments.first, count: arguments.code };
    let translated = Cases { seed, first: arguments.first, count: arguments.translated };
    match arguments.worker {
        Some(Worker::Files) => return files::work(files),
        Some(Worker::Code) => return code::work(code),
        Some(Worker::Translated) => return code::work_translated(translated),
        None => println!("seed {seed}"),
    }
    let mut failed = 0;
    for (what, run, cases) in [
        ("mutated ELF files", files::run as fn(Cases) -> Result<u64>, files),
        ("blocks of random code", code::run, code),
        ("blocks of random code, translated", code::run_translated, translated),
    ] {
        if cases.count != 0 {
            let start = Instant::now();
            let wrong = run(cases)?;
            let seconds = start.elapsed().as_secs();
            println!("{what}: {} run, {wrong} failed ({seconds} s)", cases.count);
            failed += wrong;
        }
    }
    println!("{} passed, {failed} failed", files.count + code.count + translated.count - failed);
    if failed != 0 {
        bail!("rvrun did not survive some cases");
    }
    Ok(())
}

/// One process for each of the host's processors.
fn processes() -> u64 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u64)
}
