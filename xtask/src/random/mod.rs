//! `cargo xtask random`: random programs, which have to write the same in each engine,
//! and under QEMU.
//!
//! What differs is made as small as it can be and kept in `target/random`.

mod emit;
mod program;
mod shrink;

use crate::build;
use crate::programs::engine::seed_from_clock;
use anyhow::{Context, Result, ensure};
use program::Program;
use rvrun_hostile::Random;
use rvrun_isa::{Extensions, Opcode, decode};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Seconds of CPU time that a program may take: it needs some milliseconds.
const LIMIT: &str = "--cpu=10";
/// Seconds by the clock: more, as a busy machine is no fault of the program's.
const PATIENCE: &str = "300";
/// What timeout(1) ends with if either was too long: SIGKILL ends what has used up its
/// CPU time.
const TOO_LONG: [i32; 2] = [124, 128 + 9];

/// QEMU with all extensions, atomics aligned as rvrun wants them.
const QEMU_CPU: &str = "max,zama16b=off";

/// Run random programs in each engine and under QEMU, which have to agree
#[derive(clap::Args)]
pub struct Arguments {
    /// Programs are made from this; by default from the clock
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The first program's number
    #[arg(long, value_name = "N", default_value_t = 0)]
    first: u64,
    /// How many, unless there is no time left
    #[arg(long, value_name = "N", default_value_t = u64::MAX)]
    count: u64,
    /// How long
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u64,
    /// A QEMU of version 10 or later to compare with
    #[arg(long, value_name = "PATH")]
    qemu: Option<PathBuf>,
}

const QEMU: &str = "qemu";

/// A way to execute a program: a name, and the command in front of it.
type Way = (String, Vec<String>);

/// Runs the task.
pub fn run(arguments: &Arguments) -> Result<()> {
    let places = build::Places::find()?;
    let rvrun = build::rvrun(&places)?;
    let seed = arguments.seed.unwrap_or_else(seed_from_clock);
    println!("seed {seed}");
    let directory = places.output.with_file_name("random");
    fs::create_dir_all(&directory)?;
    let ways = ways(&rvrun, arguments.qemu.as_deref(), seed, &directory.join("cache"));
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let (next, done) = (AtomicU64::new(arguments.first), AtomicU64::new(0));
    let stuck = AtomicU64::new(0);
    let found = Mutex::new(Vec::new());
    let work = || -> Result<()> {
        while Instant::now() < end {
            let case = next.fetch_add(1, Ordering::Relaxed);
            if case - arguments.first >= arguments.count {
                break;
            }
            let program = program::program(&mut Random::of_case(seed, case));
            let file = directory.join(format!("running-{case}"));
            if let Some(why) = differs(&program, &file, &ways, &stuck)? {
                let kept = keep(program, &directory, seed, case, &ways)?;
                println!("FAILED {case}: {why}; {}", kept.display());
                println!("    cargo xtask random --seed {seed} --first {case} --count 1");
                found.lock().expect("no thread panics").push(case);
            }
            fs::remove_file(&file)?;
            done.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    thread::scope(|scope| -> Result<()> {
        let threads = thread::available_parallelism().map_or(1, |n| n.get());
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no thread panics"))
    })?;
    let failed = found.into_inner().expect("no thread panics").len();
    let done = done.into_inner();
    println!(
        "{} ways: {}",
        ways.len(),
        ways.iter().map(|w| w.0.as_str()).collect::<Vec<_>>().join(", ")
    );
    if stuck.load(Ordering::Relaxed) > 0 {
        println!("QEMU did not end {} of them", stuck.into_inner());
    }
    println!("{} passed, {failed} failed", done - failed as u64);
    ensure!(failed == 0, "some programs did not do the same everywhere");
    ensure!(done > 0, "no program was run");
    Ok(())
}

/// Whether QEMU loses a flag of the program: 10.0 leaves out a `froundnx` whose result
/// nobody reads, which may raise one.
fn loses_flags_in_qemu(program: &Program) -> bool {
    let dropped = [Opcode::FroundnxH, Opcode::FroundnxS, Opcode::FroundnxD];
    opcodes(program).any(|opcode| dropped.contains(&opcode))
}

fn opcodes(program: &Program) -> impl Iterator<Item = Opcode> {
    let code = emit::code(program);
    let words: Vec<_> = code.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    words.into_iter().filter_map(|word| Some(decode(word, Extensions::ALL)?.opcode))
}

/// How many of the first `count` programs of `seed` have an instruction.
pub fn instructions(seed: u64, count: u64) -> BTreeMap<Opcode, u64> {
    let mut programs = BTreeMap::new();
    for case in 0..count {
        let program = program::program(&mut Random::of_case(seed, case));
        for opcode in opcodes(&program).collect::<BTreeSet<_>>() {
            *programs.entry(opcode).or_default() += 1;
        }
    }
    programs
}

/// The first is what the others are compared with.
///
/// `cache` is where translations go, and where the way behind that takes them from.
fn ways(rvrun: &Path, qemu: Option<&Path>, seed: u64, cache: &Path) -> Vec<Way> {
    let vm = rvrun.to_string_lossy().into_owned();
    let way = |name: &str, options: &str| {
        let options = options.split_whitespace().map(str::to_owned);
        (name.to_owned(), std::iter::once(vm.clone()).chain(options).collect())
    };
    let chaos =
        format!("--hot=1 --chaos={seed} --code-memory=256 --region-limit=60 --inline-limit=20");
    let directory = format!("--cache-dir={}", cache.display());
    let keeping = |name: &str, options: &str| -> Way {
        let (name, mut command): Way = way(name, options);
        command.push(directory.clone());
        (name, command)
    };
    let mut ways: Vec<Way> = vec![
        way("interp", "--engine=interp"),
        way("auto", "--cache=off"),
        way("hot", "--cache=off --hot=50"),
        way("jit", "--cache=off --engine=jit"),
        way("chaos", &chaos),
        keeping("keeping", "cache warm --hot=50 --cache-size=8"),
        keeping("kept", "--cache=read"),
    ];
    if let Some(qemu) = qemu {
        let command = vec![qemu.to_string_lossy().into_owned(), "-cpu".into(), QEMU_CPU.into()];
        ways.push((QEMU.into(), command));
    }
    ways
}

/// Whether the ways do not agree on a program, and how.
///
/// QEMU 10.0 goes round in circles in some programs on which all engines agree: those
/// count as such in `stuck`.
fn differs(
    program: &Program,
    file: &Path,
    ways: &[Way],
    stuck: &AtomicU64,
) -> Result<Option<String>> {
    fs::write(file, emit::executable(program))?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))?;
    let mut first = None;
    for (name, command) in ways {
        if name == QEMU && loses_flags_in_qemu(program) {
            continue;
        }
        let output = Command::new("timeout")
            .args([PATIENCE, "prlimit", LIMIT])
            .args(command)
            .arg(file)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {name}"))?;
        let got = (output.status.code(), output.stdout);
        if name == QEMU && got.0.is_some_and(|code| TOO_LONG.contains(&code)) {
            stuck.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        match &first {
            None if got.0 != Some(0) => {
                let told = String::from_utf8_lossy(&output.stderr).into_owned();
                return Ok(Some(format!("{name} ends with {}: {told}", output.status)));
            }
            None => first = Some(got),
            Some(expected) if *expected != got => {
                let at = expected.1.iter().zip(&got.1).position(|(a, b)| a != b);
                return Ok(Some(format!("{name} differs ({}) at byte {at:x?}", output.status)));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// Shrinks a program and keeps it, as a file to run and as text.
fn keep(program: Program, directory: &Path, seed: u64, case: u64, ways: &[Way]) -> Result<PathBuf> {
    let scratch = directory.join(format!("shrinking-{case}"));
    let small = shrink::shrink(program, |p| {
        matches!(differs(p, &scratch, ways, &AtomicU64::new(0)), Ok(Some(_)))
    });
    fs::remove_file(&scratch)?;
    let kept = directory.join(format!("{seed}-{case}"));
    fs::write(&kept, emit::executable(&small))?;
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o755))?;
    fs::write(kept.with_extension("txt"), format!("{small:#x?}\n"))?;
    Ok(kept)
}
