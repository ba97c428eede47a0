//! One target, run by libFuzzer.

use super::targets::Places;
use anyhow::{Context, Result};
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Seconds that an input may take; the slowest take some milliseconds.
const INPUT_SECONDS: u64 = 10;
/// MiB that a target may take; they take a tenth of that.
const MEMORY: u64 = 1024;
/// How much longer than it was told libFuzzer may run, for its seeds and its last input.
const GRACE: Duration = Duration::from_secs(120);

/// What a run gave.
pub struct Report {
    target: String,
    executions: u64,
    /// Edges of the control flow that were seen, and inputs that were worth keeping.
    coverage: u64,
    inputs: u64,
    seconds: u64,
    log: PathBuf,
    /// How it ended.
    pub finding: Finding,
}

/// How a run ended.
pub enum Finding {
    /// It ran for as long as it was told.
    None,
    /// An input was too much for the target; what it said last, and where the input is.
    Input(String, PathBuf),
    /// Something else went wrong.
    Other(String),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, executions, coverage, inputs, seconds, log, finding } = self;
        write!(
            f,
            "{target}: {executions} executions, {coverage} edges, {inputs} inputs ({seconds} s)"
        )?;
        match finding {
            Finding::None => Ok(()),
            Finding::Input(what, input) => {
                write!(
                    f,
                    "\nFAILED {target}: {what}\n    {}\n    {}",
                    input.display(),
                    log.display()
                )
            }
            Finding::Other(what) => write!(f, "\nFAILED {target}: {what}\n    {}", log.display()),
        }
    }
}

/// Runs a target from its seeds, and from what earlier runs have found.
///
/// # Errors
/// It cannot be run.
pub fn run(places: &Places, target: &str, seconds: u64, seed: u32) -> Result<Report> {
    let corpus = Places::of(places.output.join("corpus"), target)?;
    let found = Places::of(places.package.join("found"), target)?;
    let log = places.output.join(format!("{target}.log"));
    let input = places.output.join(format!("{target}.input"));
    let start = Instant::now();
    let mut child = Command::new(places.programs.join(target))
        .args([
            format!("-seed={seed}"),
            format!("-max_total_time={seconds}"),
            format!("-timeout={INPUT_SECONDS}"),
            format!("-rss_limit_mb={MEMORY}"),
            format!("-artifact_prefix={}/", found.display()),
            "-print_final_stats=1".into(),
        ])
        .args([&corpus, &places.package.join("seeds").join(target), &found])
        .env("RVRUN_FUZZ_INPUT", &input)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?)
        .spawn()
        .with_context(|| format!("cannot run {target}"))?;
    let status = wait(&mut child, Duration::from_secs(seconds) + GRACE)?;
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    Ok(Report {
        target: target.into(),
        executions: number_behind(&text, "stat::number_of_executed_units:"),
        coverage: number_behind(&text, " cov: "),
        inputs: number_behind(&text, " corp: "),
        seconds: start.elapsed().as_secs(),
        finding: finding(status, &text, &input, &found)?,
        log,
    })
}

/// Waits for a process, but not for ever: none if it had to be killed.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// What a run has found. An input that libFuzzer could not write is written here.
fn finding(status: Option<ExitStatus>, log: &str, input: &Path, found: &Path) -> Result<Finding> {
    if status.is_some_and(|status| status.success()) {
        return Ok(Finding::None);
    }
    let mut written = log.lines().filter_map(|line| line.split_once("Test unit written to "));
    if let Some((_, path)) = written.next_back() {
        return Ok(Finding::Input(complaint(log), path.into()));
    }
    let Ok(bytes) = fs::read(input) else {
        return Ok(Finding::Other(status.map_or("it hangs".into(), |s| s.to_string())));
    };
    let what = status.map_or_else(|| "it hangs".into(), |s| format!("it ended with {s}"));
    let path = found.join(format!("fault-{}", std::process::id()));
    fs::write(&path, bytes)?;
    Ok(Finding::Input(what, path))
}

/// What a target said of its last input: a panic's message, or libFuzzer's.
fn complaint(log: &str) -> String {
    let mut lines = log.lines();
    let panicked = lines.find(|line| line.contains(" panicked at "));
    let message = panicked.and_then(|_| lines.next());
    let libfuzzer = || log.lines().find(|line| line.contains("ERROR: libFuzzer"));
    message.or_else(libfuzzer).unwrap_or("it says nothing").into()
}

/// The number behind the last occurrence of `key`; 0 if there is none.
fn number_behind(log: &str, key: &str) -> u64 {
    let Some((_, behind)) = log.rsplit_once(key) else { return 0 };
    let digits = behind.trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
#2\tINITED cov: 12 ft: 13 corp: 1/5b lim: 4 exec/s: 0 rss: 30Mb
#9\tNEW    cov: 15 ft: 17 corp: 2/9b lim: 4 exec/s: 0 rss: 30Mb L: 4/4 MS: 1 ChangeBit-
thread '<unnamed>' (1) panicked at hostile/src/bytes/decode.rs:1:2:
a word is wrong
artifact_prefix='found/'; Test unit written to found/crash-1
stat::number_of_executed_units: 1234
";

    #[test]
    fn figures_are_the_last_ones() {
        assert_eq!(number_behind(LOG, " cov: "), 15);
        assert_eq!(number_behind(LOG, " corp: "), 2);
        assert_eq!(number_behind(LOG, "stat::number_of_executed_units:"), 1234);
        assert_eq!(number_behind(LOG, "nothing"), 0);
    }

    #[test]
    fn a_finding_has_its_input_and_what_was_said() {
        let nowhere = Path::new("/nowhere");
        let found = finding(None, LOG, nowhere, nowhere).unwrap();
        let Finding::Input(what, path) = found else { panic!("nothing was found") };
        assert_eq!(
            (what.as_str(), path.as_path()),
            ("a word is wrong", Path::new("found/crash-1"))
        );
        assert!(matches!(finding(None, "", nowhere, nowhere), Ok(Finding::Other(_))));
    }
}
