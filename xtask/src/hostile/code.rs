//! Blocks of random code in processes of their own: on the interpreter alone, or on
//! both engines, to compare.

use super::{Cases, Worker, processes};
use anyhow::{Context, Result, bail, ensure};
use rvrun_hostile::arena::Arena;
use rvrun_hostile::twin::{Compared, Twin};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Cases that a process runs.
const CHUNK: u64 = 20_000;
/// What a process may take; it needs a second, with the translator half a minute.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs the cases on the interpreter; returns how many failed.
pub fn run(cases: Cases) -> Result<u64> {
    run_all(Engines::Interpreter, cases)
}

/// Runs the cases on both engines; returns how many failed.
pub fn run_translated(cases: Cases) -> Result<u64> {
    run_all(Engines::Both, cases)
}

/// What runs the cases.
#[derive(Clone, Copy)]
enum Engines {
    Interpreter,
    Both,
}

impl Engines {
    /// The task's options for processes that run these cases, and for users.
    fn options(self, Cases { seed, first, count }: Cases) -> (Worker, [String; 5]) {
        let (worker, code, translated) = match self {
            Self::Interpreter => (Worker::Code, count, 0),
            Self::Both => (Worker::Translated, 0, count),
        };
        let options = [
            format!("--seed={seed}"),
            format!("--first={first}"),
            "--files=0".into(),
            format!("--code={code}"),
            format!("--translated={translated}"),
        ];
        (worker, options)
    }
}

fn run_all(engines: Engines, cases: Cases) -> Result<u64> {
    thread::scope(|scope| {
        let threads: Vec<_> = cases
            .split(processes())
            .map(|part| {
                scope.spawn(move || -> Result<u64> {
                    part.split(part.count.div_ceil(CHUNK))
                        .map(|chunk| run_chunk(engines, chunk))
                        .sum()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    })
}

/// Runs cases in a process; if it does not survive, looks for the first case that does it.
fn run_chunk(engines: Engines, mut cases: Cases) -> Result<u64> {
    if failure(engines, cases, Stdio::null())?.is_none() {
        return Ok(0);
    }
    while cases.count > 1 {
        let [left, right] = [0, 1].map(|half| cases.split(2).nth(half).unwrap_or(cases));
        cases = if failure(engines, left, Stdio::null())?.is_some() { left } else { right };
    }
    // Once more, to be heard.
    let end = failure(engines, cases, Stdio::inherit())?;
    let end = end.unwrap_or_else(|| "it fails only behind the cases before it".into());
    let options = engines.options(cases).1.join(" ");
    println!("FAILED code {}: {end}\n    cargo xtask hostile {options}", cases.first);
    Ok(1)
}

/// How the process that runs these cases failed, if it did.
fn failure(engines: Engines, cases: Cases, complaints: Stdio) -> Result<Option<String>> {
    let (worker, options) = engines.options(cases);
    let mut child = Command::new(std::env::current_exe()?)
        .args(["hostile", "--worker", worker.name()])
        .args(options)
        .stdin(Stdio::null())
        .stderr(complaints)
        .spawn()
        .context("cannot start a process for random code")?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((!status.success()).then(|| describe(status)));
        }
        if start.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(Some(format!("it hangs: killed after {} s", LIMIT.as_secs())));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn describe(status: ExitStatus) -> String {
    format!("the process ended with {status}")
}

/// What each of the processes does that run code on the interpreter.
pub fn work(cases: Cases) -> Result<()> {
    let mut arena = Arena::new()?;
    let mut retired = 0;
    for case in cases.numbers() {
        match arena.run(cases.seed, case) {
            Ok(ending) => retired += ending.retired,
            Err(why) => bail!("code {case}: {why}"),
        }
    }
    ensure!(retired > 0 || cases.count < CHUNK, "no case retired an instruction");
    Ok(())
}

/// What each of the processes does that run code on both engines.
pub fn work_translated(cases: Cases) -> Result<()> {
    let mut twin = Twin::new()?;
    let mut whole = 0;
    for case in cases.numbers() {
        match twin.run(cases.seed, case) {
            Ok(compared) => whole += u64::from(compared == Compared::Whole),
            Err(why) => bail!("code {case}: {why}"),
        }
    }
    ensure!(2 * whole >= cases.count || cases.count < 100, "only {whole} cases were compared");
    Ok(())
}
