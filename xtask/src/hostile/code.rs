//! Blocks of random code, on the interpreter, in processes of their own.

use super::{Cases, processes};
use anyhow::{Context, Result, bail, ensure};
use rvrun_hostile::arena::Arena;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Cases that a process runs.
const CHUNK: u64 = 20_000;
/// What a process may take; it needs a second.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs the cases; returns how many failed.
pub fn run(cases: Cases) -> Result<u64> {
    thread::scope(|scope| {
        let threads: Vec<_> = cases
            .split(processes())
            .map(|part| {
                scope.spawn(move || -> Result<u64> {
                    part.split(part.count.div_ceil(CHUNK)).map(run_chunk).sum()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    })
}

/// Runs cases in a process; if it does not survive, looks for the first case that does it.
fn run_chunk(mut cases: Cases) -> Result<u64> {
    if failure(cases, Stdio::null())?.is_none() {
        return Ok(0);
    }
    while cases.count > 1 {
        let [left, right] = [0, 1].map(|half| cases.split(2).nth(half).unwrap_or(cases));
        cases = if failure(left, Stdio::null())?.is_some() { left } else { right };
    }
    // Once more, to be heard.
    let end = failure(cases, Stdio::inherit())?;
    let end = end.unwrap_or_else(|| "it fails only behind the cases before it".into());
    let Cases { seed, first, count } = cases;
    println!(
        "FAILED code {first}: {end}\n    cargo xtask hostile --seed {seed} --first {first} --files 0 --code {count}"
    );
    Ok(1)
}

/// How the process that runs these cases failed, if it did.
fn failure(cases: Cases, complaints: Stdio) -> Result<Option<String>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["hostile", "--worker=code", "--seed", &cases.seed.to_string()])
        .args(["--first", &cases.first.to_string(), "--code", &cases.count.to_string()])
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

/// What each of the processes does.
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
