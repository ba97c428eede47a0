//! Mutated ELF files, each read by the decoder and run by the released rvrun.

use super::sandbox::{PROGRAMS, RVRUN, SCRATCH, Sandbox};
use super::{Cases, processes};
use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use rvrun_hostile::{Random, elf};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What a guest may take. One that takes longer loops, as mutated code will.
const GUEST_LIMIT: Duration = Duration::from_secs(1);
/// What loading may take, on a machine that is busy.
const LOADER_LIMIT: Duration = Duration::from_secs(10);
/// The guest's stack: mapped last, and by its size known from other mappings.
const STACK_BYTES: u64 = 0x5a_5000;
const LIMITS: [(Resource, u64); 5] = [
    (Resource::RLIMIT_STACK, STACK_BYTES),
    (Resource::RLIMIT_AS, 8 << 30),
    (Resource::RLIMIT_FSIZE, 1 << 20),
    (Resource::RLIMIT_CORE, 0),
    (Resource::RLIMIT_NPROC, 200),
];
/// What rvrun's own failures say.
const COMPLAINTS: [&str; 4] =
    ["panicked at", "internal error", "memory allocation of", "overflowed its stack"];
/// Where a worker says which case is next, how many failed and how many guests ran on.
const PROGRESS: &str = "/scratch/progress";

/// Runs the cases; returns how many failed.
pub fn run(cases: Cases) -> Result<u64> {
    let places = crate::build::Places::find()?;
    let rvrun = crate::build::rvrun(&places)?;
    let kept = places.output.with_file_name("hostile");
    let (rvrun, kept) = (&rvrun, &kept);
    let tallies = thread::scope(|scope| {
        let threads: Vec<_> = cases
            .split(processes())
            .enumerate()
            .map(|(number, part)| scope.spawn(move || run_part(number as u64, part, rvrun, kept)))
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join().expect("no thread panics"));
        joined.collect::<Result<Vec<_>>>()
    })?;
    let ran_on: u64 = tallies.iter().map(|(_, ran_on)| ran_on).sum();
    println!("{ran_on} of the mutated programs ran on and were stopped");
    let failed = tallies.iter().map(|(failed, _)| failed).sum();
    if failed != 0 {
        let seed = cases.seed;
        println!(
            "to repeat one: cargo xtask hostile --seed {seed} --first NUMBER --files 1 --code 0 --translated 0"
        );
    }
    Ok(failed)
}

/// Runs some of the cases in a sandbox, and keeps the files that failed in `kept`.
fn run_part(number: u64, cases: Cases, rvrun: &Path, kept: &Path) -> Result<(u64, u64)> {
    let sandbox = Sandbox::new(number, rvrun)?;
    sandbox.check()?;
    let (mut failed, mut ran_on) = (0, 0);
    let (mut rest, end) = (cases, cases.numbers().end);
    while rest.count > 0 {
        let status = sandbox
            .worker()
            .args(["--worker=files", "--seed", &rest.seed.to_string()])
            .args(["--first", &rest.first.to_string(), "--files", &rest.count.to_string()])
            .stdin(Stdio::null())
            .status()?;
        let progress = fs::read_to_string(sandbox.path(PROGRESS));
        let progress =
            progress.with_context(|| format!("the process in the sandbox ended with {status}"))?;
        let numbers: Vec<u64> = progress.split(' ').map(str::parse).collect::<Result<_, _>>()?;
        let [next, part_failed, part_ran_on] = numbers[..] else {
            bail!("no progress: {progress}")
        };
        ensure!(status.success() || next < end, "the process in the sandbox ended with {status}");
        failed += part_failed;
        ran_on += part_ran_on;
        if next < end {
            // A panic would have been caught: the decoder ran out of memory or stack.
            failed += 1;
            println!("FAILED file {next}: the decoder does not survive it: {status}");
        }
        let first = end.min(next + 1);
        rest = Cases { first, count: end - first, ..rest };
    }
    for entry in fs::read_dir(sandbox.path(SCRATCH))? {
        let name = entry?.file_name();
        if name.to_string_lossy().starts_with("failed-") {
            fs::create_dir_all(kept)?;
            fs::copy(sandbox.path(SCRATCH).join(&name), kept.join(&name))?;
            println!("kept {}", kept.join(name).display());
        }
    }
    Ok((failed, ran_on))
}

/// What the process in the sandbox does.
pub fn work(cases: Cases) -> Result<()> {
    // It kills all processes that it sees.
    ensure!(std::process::id() == 1, "this must run in the sandbox");
    for (resource, limit) in LIMITS {
        setrlimit(resource, limit, limit).with_context(|| format!("cannot limit {resource:?}"))?;
    }
    let programs = programs()?;
    let (mut failed, mut ran_on) = (0, 0);
    for case in cases.numbers() {
        fs::write(PROGRESS, format!("{case} {failed} {ran_on}"))?;
        let mut random = Random::of_case(cases.seed, case);
        let (name, program) = &programs[random.below(programs.len())];
        let file = elf::mutated(program, &mut random);
        let verdict = judge(name, &file).with_context(|| format!("file {case} ({name})"))?;
        match verdict {
            Verdict::Survived => {}
            Verdict::RanOn => ran_on += 1,
            Verdict::Failed(why) => {
                failed += 1;
                println!("FAILED file {case} ({name}): {why}");
                fs::write(format!("{SCRATCH}/failed-{}-{case}", cases.seed), &file)?;
            }
        }
    }
    fs::write(PROGRESS, format!("{} {failed} {ran_on}", cases.numbers().end))?;
    Ok(())
}

/// The names and contents of the programs.
fn programs() -> Result<Vec<(String, Vec<u8>)>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(PROGRAMS)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, fs::read(path)?))
    };
    paths.into_iter().map(read).collect()
}

enum Verdict {
    Survived,
    /// The guest did not end, and rvrun is not why.
    RanOn,
    Failed(String),
}

/// Reads and runs a file.
fn judge(name: &str, file: &[u8]) -> Result<Verdict> {
    let start = Instant::now();
    if catch_unwind(|| elf::examine(file).is_ok()).is_err() {
        return Ok(Verdict::Failed("the decoder panics".into()));
    }
    if start.elapsed() > LOADER_LIMIT {
        return Ok(Verdict::Failed("the decoder takes too long".into()));
    }
    let path = format!("{SCRATCH}/{name}");
    let _ = fs::remove_file(&path);
    fs::write(&path, file)?;
    fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    let outcome = execute(&path, false)?;
    Ok(match &outcome.end {
        End::Loading => Verdict::Failed("rvrun hangs while it loads".into()),
        End::Running => Verdict::RanOn,
        End::Exited(status) => {
            if let Some(line) = outcome.complaint() {
                Verdict::Failed(line.to_owned())
            } else if is_suspicious(*status, &outcome.stderr) && !chosen_by_guest(&path)? {
                Verdict::Failed(format!("{status}, and no word why"))
            } else {
                Verdict::Survived
            }
        }
    })
}

/// What rvrun did with a file.
struct Outcome {
    end: End,
    stderr: String,
}

enum End {
    Exited(ExitStatus),
    /// Stopped, with the guest under way.
    Running,
    /// Stopped before the guest began.
    Loading,
}

impl Outcome {
    fn complaint(&self) -> Option<&str> {
        self.stderr.lines().find(|line| COMPLAINTS.iter().any(|words| line.contains(words)))
    }
}

/// Whether rvrun's own panic or crash may look like this.
fn is_suspicious(status: ExitStatus, stderr: &str) -> bool {
    const PANIC: i32 = 101;
    let crash = [Signal::SIGABRT, Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGTRAP];
    let crashed = status.signal().is_some_and(|n| crash.iter().any(|signal| *signal as i32 == n));
    status.code() == Some(PANIC) || crashed && !stderr.contains("rvrun: ")
}

/// Whether the guest's last system call asked for such an end. A call that kills leaves
/// no line: glibc's `abort` is known by the ones before it.
fn chosen_by_guest(path: &str) -> Result<bool> {
    const CALLS: [&str; 4] = ["exit", "kill(", "gettid(", "getpid("];
    let traced = execute(path, true)?;
    let last = traced.stderr.lines().rev().find(|line| !line.starts_with("rvrun: "));
    Ok(last.is_some_and(|line| CALLS.iter().any(|call| line.contains(call))))
}

/// Runs rvrun on a file, in an empty directory and for a limited time.
fn execute(path: &str, trace: bool) -> Result<Outcome> {
    let directory = format!("{SCRATCH}/work");
    if Path::new(&directory).exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir(&directory)?;
    let errors = format!("{SCRATCH}/stderr");
    let mut command = Command::new(RVRUN);
    if trace {
        command.arg("--strace");
    }
    let mut child = command
        .args([path, "1"])
        .env_clear()
        .current_dir(&directory)
        .stdin(Stdio::piped())
        .stdout(File::create(format!("{SCRATCH}/stdout"))?)
        .stderr(File::create(&errors)?)
        .spawn()
        .context("cannot start rvrun")?;
    drop(child.stdin.take());
    let end = wait(&mut child)?;
    kill_all()?;
    let stderr = String::from_utf8_lossy(&fs::read(errors)?).into_owned();
    Ok(Outcome { end, stderr })
}

/// Waits until the process ends or its time is over.
fn wait(child: &mut Child) -> Result<End> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(End::Exited(status));
        }
        let taken = start.elapsed();
        if taken > GUEST_LIMIT {
            let loaded = is_loaded(child.id())?;
            if loaded || taken > LOADER_LIMIT {
                child.kill()?;
                child.wait()?;
                return Ok(if loaded { End::Running } else { End::Loading });
            }
        }
        // Most end at once.
        thread::sleep((taken / 4).clamp(Duration::from_micros(200), Duration::from_millis(20)));
    }
}

/// Whether a process of rvrun has mapped its guest's stack: room to read and write behind a guard.
fn is_loaded(process: u32) -> Result<bool> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps"))?;
    let mut guard_end = 0;
    for line in maps.lines() {
        let parsed = line.split_once(' ').and_then(|(range, rest)| {
            let (start, end) = range.split_once('-')?;
            let number = |text| u64::from_str_radix(text, 16).ok();
            Some((number(start)?, number(end)?, rest))
        });
        let (start, end, protection) = parsed.context("/proc has other maps than expected")?;
        if protection.starts_with("---") {
            guard_end = end;
        } else if protection.starts_with("rw") && start == guard_end && end - start >= STACK_BYTES {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Ends what guests have left running, and takes notice of their ends.
fn kill_all() -> Result<()> {
    match kill(Pid::from_raw(-1), Signal::SIGKILL) {
        // There is nobody else, as nearly always.
        Err(Errno::ESRCH) => {}
        other => other?,
    }
    loop {
        match waitpid(None, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(()),
            Ok(_) => {}
            Err(error) => bail!("cannot wait for what guests left: {error}"),
        }
    }
}
