//! What is looked at once for each row, beside its time: memory, and what the engines do.

use crate::bench::contestant::Contestant;
use crate::bench::measure::{Job, guest_command, native_command};
use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use std::ffi::OsString;
use std::process::{Command, Stdio};

/// What `--stats` has of each thing that takes time, and what the page says for it.
pub const ACTIVITIES: [(&str, &[&str]); 5] = [
    ("interpreting", &["interpreted"]),
    ("translated code", &["translated code"]),
    ("compiling", &["compile time"]),
    ("regions", &["guest waited to find regions", "guest waited to take them in"]),
    ("system calls", &["system calls"]),
];

/// A row's figures that are not of time.
#[derive(Clone)]
pub struct Look {
    /// The largest process's peak, in MiB: the native program's, then each contestant's.
    pub memory: Vec<f64>,
    /// Of the first contestant that has `--stats`: the part of each of [`ACTIVITIES`]. None of a
    /// program that closes its standard error, where they go.
    pub parts: Option<[f64; ACTIVITIES.len()]>,
}

impl Look {
    /// Runs the job once for each figure.
    ///
    /// # Errors
    /// A program fails.
    pub fn at(job: &Job, contestants: &[Contestant]) -> Result<Self> {
        let commands = contestants.iter().map(|contestant| guest_command(job, contestant));
        let memory = std::iter::once(native_command(job)).chain(commands).map(|c| peak(&c));
        let counting = contestants.iter().find(|contestant| contestant.counts());
        let parts = counting.map(|contestant| parts(job, contestant)).transpose()?.flatten();
        Ok(Self { memory: memory.collect::<Result<_>>()?, parts })
    }
}

/// A command of which the peak is wanted, as this program's own task.
#[derive(clap::Args)]
pub struct Arguments {
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    command: Vec<OsString>,
}

/// Runs a command and says how many KiB its largest process has had at most: all that the
/// kernel tells of children that have ended is of all of them, so this one has no others.
///
/// # Errors
/// The command fails.
pub fn run(arguments: &Arguments) -> Result<()> {
    let (program, rest) = arguments.command.split_first().context("there is no command")?;
    let status = Command::new(program).args(rest).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "it ends with {status}");
    println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss());
    Ok(())
}

/// A command's peak in MiB.
fn peak(command: &Command) -> Result<f64> {
    let mut own = Command::new(std::env::current_exe()?);
    own.arg("peak").arg(command.get_program()).args(command.get_args()).env_clear();
    own.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = own.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{command:?} has no peak");
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.trim().parse::<f64>().context("the peak is no number")? / 1024.0)
}

fn parts(job: &Job, contestant: &Contestant) -> Result<Option<[f64; ACTIVITIES.len()]>> {
    let mut command = guest_command(job, contestant);
    let output = command.env("RVRUN_STATS", "1").stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "{command:?} fails when it is counted");
    let text = String::from_utf8_lossy(&output.stderr);
    let times = ACTIVITIES.map(|(_, lines)| total(lines.iter().map(|l| milliseconds(&text, l))));
    let all: f64 = times.iter().sum();
    Ok((all > 0.0).then(|| times.map(|time| time / all)))
}

/// The time in the lines of `--stats` with this name: each process has one.
fn milliseconds(text: &str, name: &str) -> f64 {
    let time = |line: &str| {
        let value = line.strip_prefix("rvrun: ")?.strip_prefix(name)?.strip_prefix(' ')?;
        value.strip_suffix(" ms")?.rsplit(' ').next()?.parse::<f64>().ok()
    };
    total(text.lines().filter_map(time))
}

/// A sum that is not negative without anything to add up, as that of an iterator is.
fn total(times: impl Iterator<Item = f64>) -> f64 {
    times.fold(0.0, |sum, time| sum + time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_figures() {
        let text = "rvrun: interpreted           102 instructions in 1.500 ms\n\
                    rvrun: system calls          7 in 0.250 ms\n\
                    rvrun: compile time          2.000 ms\n\
                    something else\n\
                    rvrun: interpreted           2 instructions in 0.500 ms\n";
        assert_eq!(milliseconds(text, "interpreted"), 2.0);
        assert_eq!(milliseconds(text, "system calls"), 0.25);
        assert_eq!(milliseconds(text, "compile time"), 2.0);
        assert_eq!(milliseconds(text, "translated code"), 0.0);
    }
}
