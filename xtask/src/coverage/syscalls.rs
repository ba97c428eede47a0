//! System calls: which guest programs make them, on which engines.

use super::{Part, table};
use crate::build::{self, Places};
use anyhow::{Context, Result, ensure};
use rvrun_syscall::SYSCALLS;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The names that the programs are run under, and options.
const ENGINES: [&str; 3] = ["interp", "auto", "jit"];

/// Passes wild arguments to every call: that shows that rvrun survives, not what it does.
const WILD: &str = "hostile";

/// Seconds that a program may take.
const LIMIT: &str = "120";

/// By engine, the programs that made a call.
type Reached = BTreeMap<String, [BTreeSet<String>; ENGINES.len()]>;

pub fn part() -> Result<Part> {
    let places = Places::find()?;
    let rvrun = build::rvrun(&places)?;
    let scratch = crate::workspace().join("target/coverage");
    fs::create_dir_all(&scratch)?;
    let programs = crate::workspace().join("crates/cli/tests/guest");
    let sources = crate::guests::sources(&programs)?;
    let mut reached = Reached::new();
    for source in &sources {
        let program = source.with_extension("");
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for (column, engine) in ENGINES.iter().enumerate() {
            for call in calls(&rvrun, engine, &program, &scratch)? {
                reached.entry(call).or_default()[column].insert(name.clone());
            }
        }
    }
    let (mut lines, mut failures, mut wild) = (Vec::new(), Vec::new(), Vec::new());
    for row in SYSCALLS {
        let by = reached.remove(row.name).unwrap_or_default();
        for (engine, _) in ENGINES.iter().zip(&by).filter(|(_, programs)| programs.is_empty()) {
            failures.push(format!("system call {}: no guest program on {engine}", row.name));
        }
        let all: BTreeSet<String> = by.iter().flatten().cloned().collect();
        if all.iter().all(|name| name == WILD) {
            wild.push(row.name);
        }
        let mut line = vec![row.number.to_string(), row.name.to_owned()];
        line.extend(by.iter().map(|programs| programs.len().to_string()));
        line.push(all.into_iter().collect::<Vec<_>>().join(", "));
        lines.push(line);
    }
    println!(
        "{} system calls, {} guest programs; only with wild arguments: {}",
        lines.len(),
        sources.len(),
        if wild.is_empty() { "none".into() } else { wild.join(", ") }
    );
    let mut header = vec!["Number", "Call"];
    header.extend(ENGINES);
    header.push("guest programs");
    let text = format!(
        "## System calls\n\nGuest programs that make the call, by engine. `{WILD}` makes all of \
         them, with wild arguments.\n\n{}",
        table(&header, &lines)
    );
    Ok(Part { text, failures })
}

/// The names of the calls that a program makes, and what it starts.
fn calls(rvrun: &Path, engine: &str, program: &Path, scratch: &Path) -> Result<BTreeSet<String>> {
    let log = scratch.join("calls");
    let directory = scratch.join("directory");
    for path in [&log, &directory] {
        let gone = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        ensure!(
            gone.is_ok() || !path.exists(),
            "{} is in the way and cannot be removed",
            path.display()
        );
    }
    fs::create_dir(&directory)?;
    let mut command = Command::new("timeout");
    command.args([LIMIT.as_ref(), rvrun.as_os_str()]);
    command.args(["--engine", engine, "--strace", "--strace-output"]).arg(&log).arg(program);
    command.current_dir(&directory).env_clear().stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().context("cannot run timeout(1)")?;
    ensure!(status.success(), "{} on {engine}: {status}", program.display());
    let text = fs::read(&log).with_context(|| format!("{} made no call", program.display()))?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().filter_map(name).map(str::to_owned).collect())
}

/// The call of a line: `[pid 7] read(0, …` or `read(0, …`.
fn name(line: &str) -> Option<&str> {
    let line = match line.strip_prefix("[pid ") {
        Some(rest) => rest.split_once("] ")?.1,
        None => line,
    };
    let (name, _) = line.split_once('(')?;
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_').then_some(name)
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn lines_name_their_calls() {
        assert_eq!(name("read(0, 0x10, 3) = 3"), Some("read"));
        assert_eq!(name("[pid 71] io_setup(1, 0x10) = 0"), Some("io_setup"));
        assert_eq!(name("[pid 71] <... futex resumed> = 0"), None);
        assert_eq!(name("--- SIGCHLD {si_pid=3} ---"), None);
    }
}
