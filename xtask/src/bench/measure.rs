//! CPU time of a program and all its children, in turns.

use crate::bench::contestant::Contestant;
use crate::bench::kernels::host_flags;
use crate::build::{self, Places};
use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The name of the row for many short runs.
pub const STARTUP: &str = "startup";
const STARTUP_RUNS: u64 = 200;

/// What is measured: one program, natively and as a guest.
pub struct Job {
    /// The row's title.
    pub name: String,
    /// Which geometric mean it counts for.
    pub class: Option<String>,
    /// The host's program.
    pub native: PathBuf,
    /// The RISC-V program.
    pub guest: PathBuf,
    /// Of both.
    pub arguments: Vec<String>,
    /// How often it is run for one measurement.
    pub repeat: u64,
}

/// A job's times.
pub struct Row {
    /// The job's name.
    pub name: String,
    /// The job's class.
    pub class: Option<String>,
    /// Median of the native program's CPU time, in seconds.
    pub native: f64,
    /// For each contestant, in order.
    pub cells: Vec<Cell>,
}

/// A contestant's times for a job.
pub struct Cell {
    /// Median of its CPU time, in seconds.
    pub seconds: f64,
    /// Median of the ratios to the native program's time in the same run.
    pub ratio: f64,
}

/// The start-up of a static program that says hello; none if it is not there.
pub fn startup(places: &Places, percent: u64) -> Result<Option<Job>> {
    let guest = places.root.join("examples/guest/hello");
    let source = guest.with_extension("c");
    if !guest.is_file() || !source.is_file() {
        return Ok(None);
    }
    let native = build::native(places, "hello", &source, &host_flags("-O2 -static"))?;
    let repeat = (STARTUP_RUNS * percent / 100).max(1);
    Ok(Some(Job {
        name: STARTUP.into(),
        class: None,
        native,
        guest,
        arguments: Vec::new(),
        repeat,
    }))
}

/// Runs the job `runs` times natively and by each contestant.
pub fn measure(job: &Job, contestants: &[Contestant], runs: u32) -> Result<Row> {
    let mut native = Vec::new();
    let mut theirs = vec![Vec::new(); contestants.len()];
    let (_, expected) = run(job, &job.native, None)?;
    for _ in 0..runs {
        let (seconds, output) = run(job, &job.native, None)?;
        ensure!(output == expected, "{} does not print the same twice", job.name);
        native.push(seconds);
        for (contestant, times) in contestants.iter().zip(&mut theirs) {
            let (seconds, output) = run(job, &contestant.path, Some(&job.guest))?;
            ensure!(
                output == expected,
                "{} under {} prints {:?}, natively {:?}",
                job.name,
                contestant.name,
                String::from_utf8_lossy(&output),
                String::from_utf8_lossy(&expected),
            );
            times.push(seconds);
        }
    }
    let cells = theirs.into_iter().map(|times| {
        let ratios = times.iter().zip(&native).map(|(time, native)| time / native).collect();
        Cell { seconds: median(times), ratio: median(ratios) }
    });
    let cells = cells.collect();
    Ok(Row { name: job.name.clone(), class: job.class.clone(), native: median(native), cells })
}

/// Runs `program`, which runs `guest` if there is one: its CPU time, and the last run's output.
///
/// The environment is empty, so that no setting of rvrun or QEMU counts, but for the path to find them.
fn run(job: &Job, program: &Path, guest: Option<&Path>) -> Result<(f64, Vec<u8>)> {
    let arguments = guest.into_iter().map(Path::as_os_str);
    let arguments: Vec<&OsStr> = arguments.chain(job.arguments.iter().map(OsStr::new)).collect();
    let mut output = Vec::new();
    let before = children_seconds()?;
    for _ in 0..job.repeat {
        let result = Command::new(program)
            .args(&arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot run {}", program.display()))?;
        ensure!(result.status.success(), "{} failed: {}", program.display(), result.status);
        output = result.stdout;
    }
    Ok((children_seconds()? - before, output))
}

/// User and system time of all children that have ended, their own children included.
fn children_seconds() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(micros as f64 / 1e6)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n.is_multiple_of(2) => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn the_time_of_grandchildren_counts() {
        let job = Job {
            name: String::new(),
            class: None,
            native: PathBuf::new(),
            guest: PathBuf::new(),
            arguments: vec![
                "-c".into(),
                "sh -c 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done'; echo end".into(),
            ],
            repeat: 1,
        };
        let (seconds, output) = run(&job, Path::new("sh"), None).unwrap();
        assert!(seconds > 0.002, "{seconds}");
        assert_eq!(output, b"end\n");
    }
}
