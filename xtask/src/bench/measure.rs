//! CPU time of a program and all its children, in turns.

use crate::bench::class::Class;
use crate::bench::contestant::Contestant;
use crate::bench::look::Look;
use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::ffi::OsString;
use std::process::{Command, Stdio};

/// What is measured: one program, natively and as a guest.
pub struct Job {
    /// The row's title.
    pub name: String,
    /// Which geometric mean it counts for.
    pub class: &'static Class,
    /// The host's program and its arguments.
    pub native: Vec<OsString>,
    /// What stands behind a contestant and its options.
    pub guest: Vec<OsString>,
    /// How often it is run for one measurement.
    pub repeat: u64,
}

/// A job's CPU times in seconds, run by run.
pub struct Row {
    /// The job's name.
    pub name: String,
    /// The job's class.
    pub class: &'static Class,
    /// Of the native program.
    pub native: Vec<f64>,
    /// Of each contestant, in order.
    pub theirs: Vec<Vec<f64>>,
    /// The rest.
    pub look: Look,
}

impl Row {
    /// The native program's median.
    pub fn native_seconds(&self) -> f64 {
        median(self.native.clone())
    }

    /// A contestant's median.
    pub fn seconds(&self, contestant: usize) -> f64 {
        median(self.theirs[contestant].clone())
    }

    /// Median of a contestant's time over the native program's in the same run.
    pub fn ratio(&self, contestant: usize) -> f64 {
        median_ratio(&self.theirs[contestant], &self.native)
    }

    /// How many times as fast as `other` a contestant is: the median over all runs.
    pub fn speed(&self, contestant: usize, other: usize) -> f64 {
        median_ratio(&self.theirs[other], &self.theirs[contestant])
    }
}

/// Runs the job `runs` times natively and by each contestant; calls `after_run` after each.
pub fn measure(
    job: &Job,
    contestants: &[Contestant],
    runs: u32,
    mut after_run: impl FnMut(u32),
) -> Result<Row> {
    let mut native = Vec::new();
    let mut theirs = vec![Vec::new(); contestants.len()];
    // The first run finds files that no cache has, and is not counted.
    let (_, expected) = run(native_command(job), 1)?;
    for contestant in contestants.iter().filter(|contestant| contestant.cache.is_some()) {
        run(warming_command(job, contestant), 1)?;
    }
    for run_number in 1..=runs {
        let (seconds, output) = run(native_command(job), job.repeat)?;
        ensure!(output == expected, "{} does not print the same twice", job.name);
        native.push(seconds);
        for (contestant, times) in contestants.iter().zip(&mut theirs) {
            let (seconds, output) = run(guest_command(job, contestant), job.repeat)?;
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
        after_run(run_number);
    }
    let look = Look::at(job, contestants)?;
    Ok(Row { name: job.name.clone(), class: job.class, native, theirs, look })
}

/// The native program.
pub fn native_command(job: &Job) -> Command {
    let mut command = Command::new(&job.native[0]);
    command.env_clear().args(&job.native[1..]);
    command
}

/// The guest program under a contestant.
pub fn guest_command(job: &Job, contestant: &Contestant) -> Command {
    let mut command = contestant_command(contestant);
    command.args(&contestant.options).args(&job.guest);
    command
}

/// What makes a contestant keep translations.
fn warming_command(job: &Job, contestant: &Contestant) -> Command {
    let mut command = contestant_command(contestant);
    command.args(["cache", "warm"]).args(&contestant.options).args(&job.guest);
    command
}

/// Its environment is empty, so that no setting of rvrun or QEMU counts, and nothing
/// is kept in the user's directories.
fn contestant_command(contestant: &Contestant) -> Command {
    let mut command = Command::new(&contestant.path);
    command.env_clear();
    if let Some(cache) = &contestant.cache {
        command.env("RVRUN_CACHE_DIR", cache);
    }
    command
}

/// Runs a command `repeat` times: its CPU time, and the last run's output.
fn run(mut command: Command, repeat: u64) -> Result<(f64, Vec<u8>)> {
    command
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let mut output = Vec::new();
    let before = children_seconds()?;
    for _ in 0..repeat {
        let result = command.output().with_context(|| format!("cannot run {command:?}"))?;
        ensure!(result.status.success(), "{command:?} failed: {}", result.status);
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

fn median_ratio(over: &[f64], under: &[f64]) -> f64 {
    median(over.iter().zip(under).map(|(over, under)| over / under).collect())
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
    use crate::bench::class::CLASSES;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn ratios_are_of_times_in_the_same_run() {
        let row = Row {
            name: "a".into(),
            class: &CLASSES[0],
            native: vec![1.0, 2.0, 10.0],
            theirs: vec![vec![2.0, 4.0, 20.0], vec![8.0, 16.0, 20.0]],
            look: Look { memory: Vec::new(), parts: None },
        };
        assert_eq!((row.ratio(0), row.ratio(1)), (2.0, 8.0));
        assert_eq!((row.speed(0, 1), row.speed(1, 0)), (4.0, 0.25));
        assert_eq!((row.native_seconds(), row.seconds(1)), (2.0, 16.0));
    }

    #[test]
    fn the_time_of_grandchildren_counts() {
        let mut command = Command::new("sh");
        let script = "sh -c 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done'; echo end";
        command.args(["-c", script]);
        let (seconds, output) = run(command, 1).unwrap();
        assert!(seconds > 0.002, "{seconds}");
        assert_eq!(output, b"end\n");
    }
}
