//! What was measured on which machine.

use std::path::Path;
use std::process::Command;

/// The circumstances of a measurement.
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Hardware threads.
    pub threads: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The compiler of the native programs.
    pub compiler: String,
    /// The compiler of rvrun.
    pub rustc: String,
    /// The repository's commit, with a `+` if files were changed.
    pub commit: String,
}

/// Finds out; what cannot be found out is `unknown`.
pub fn describe(root: &Path) -> Machine {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        first_line(command.arg("-C").arg(root).args(arguments))
    };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    let mark = if changed.is_some_and(|line| !line.is_empty()) { "+" } else { "" };
    Machine {
        processor: processor().unwrap_or_else(unknown),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        kernel: read("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
        compiler: first_line(Command::new("gcc").arg("--version")).unwrap_or_else(unknown),
        rustc: first_line(Command::new("rustc").arg("--version")).unwrap_or_else(unknown),
        commit: commit.map_or_else(unknown, |commit| commit + mark),
    }
}

fn unknown() -> String {
    "unknown".into()
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn processor() -> Option<String> {
    let text = read("/proc/cpuinfo")?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(": ").map(|(_, name)| name.to_owned())
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}
