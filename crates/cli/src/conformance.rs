//! `rvrun conformance`: what the engines make of every instruction, or of a directory of
//! programs that check themselves.

use crate::{VM_FAILURE, complain};
use clap::Parser;
use rvrun_conformance::{ENGINES, Named, Tally, groups, run};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Failures that are told one by one.
const SHOWN: usize = 20;

/// How long a program may take.
const LIMIT: Duration = Duration::from_secs(120);

/// How programs are executed: names of `--engine`.
const PROGRAM_ENGINES: [&str; 3] = ["interp", "auto", "jit"];

/// Run the conformance suite: every instruction of each extension on each engine, and in
/// each form that translated code has
#[derive(Parser)]
#[command(name = "rvrun conformance")]
struct Options {
    /// Only these engines
    #[arg(long, value_name = "ENGINE", value_delimiter = ',')]
    engine: Vec<String>,

    /// Run programs instead: RISC-V ELF files that check themselves, and exit with 0 if
    /// all is well; of a directory, all below it
    #[arg(value_name = "PROGRAMS")]
    programs: Vec<PathBuf>,
}

/// Whether the command line is about this, and `conformance` is no program here.
pub fn is_wanted(args: &[OsString]) -> bool {
    args.first().is_some_and(|first| first == "conformance" && !Path::new(first).exists())
}

/// Carries out the command line behind the word; gives the exit status: 0 if everything
/// passed, 1 if something failed.
pub fn conformance(args: &[OsString]) -> u8 {
    let options = match Options::try_parse_from(args) {
        Ok(options) => options,
        Err(error) if !error.use_stderr() => {
            print(&error.to_string());
            return 0;
        }
        Err(error) => {
            complain(&crate::options::one_line(&error.to_string()));
            return VM_FAILURE;
        }
    };
    let result = match options.programs.is_empty() {
        true => instructions(&options.engine),
        false => programs(&options.programs, &options.engine),
    };
    match result {
        Ok((passed, failed)) => {
            print(&format!("{passed} passed, {failed} failed\n"));
            u8::from(failed != 0)
        }
        Err(why) => {
            complain(&why);
            VM_FAILURE
        }
    }
}

/// There is nobody to tell if that fails.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn instructions(wanted: &[String]) -> Result<(usize, usize), String> {
    let engines = chosen(wanted, &ENGINES, |engine| engine.name)?;
    let files = rvrun_isa_tests::embedded().map_err(|error| error.to_string())?;
    let (tallies, failures) = run(&groups(&files), &engines);
    let mut text = String::new();
    for Named { name, what, .. } in &engines {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<12} {what}");
    }
    let header: Vec<_> = engines.iter().map(|engine| engine.name).collect();
    let rows: Vec<_> = tallies.into_iter().collect();
    text += &table("extension", &header, &rows);
    for failure in failures.iter().take(SHOWN) {
        let _ = writeln!(text, "{}: {}: {}", failure.engine, failure.place, failure.vector);
        for problem in &failure.problems {
            let _ = writeln!(text, "    {problem}");
        }
    }
    if failures.len() > SHOWN {
        let _ = writeln!(text, "and {} more", failures.len() - SHOWN);
    }
    print(&text);
    let all = rows.iter().flat_map(|(_, tallies)| tallies);
    Ok((all.map(|tally| tally.passed).sum(), failures.len()))
}

/// Those of `all` that are `wanted`; all if none is.
fn chosen<T: Copy>(
    wanted: &[String],
    all: &[T],
    name: impl Fn(&T) -> &'static str,
) -> Result<Vec<T>, String> {
    if let Some(unknown) = wanted.iter().find(|w| !all.iter().any(|one| name(one) == *w)) {
        let names: Vec<_> = all.iter().map(name).collect();
        return Err(format!("unknown engine `{unknown}`; there are {}", names.join(", ")));
    }
    let is_wanted = |one: &&T| wanted.is_empty() || wanted.iter().any(|w| w == name(one));
    Ok(all.iter().filter(is_wanted).copied().collect())
}

/// A line for each of `rows`, a column for each engine: how many passed, and how many not.
fn table(what: &str, engines: &[&str], rows: &[(String, Vec<Tally>)]) -> String {
    let cell = |tally: &Tally| match (tally.passed, tally.failed) {
        (0, 0) => "-".to_string(),
        (passed, 0) => passed.to_string(),
        (passed, failed) => format!("{passed} ({failed} FAILED)"),
    };
    let mut lines =
        vec![std::iter::once(what).chain(engines.iter().copied()).map(String::from).collect()];
    for (name, tallies) in rows {
        let cells = tallies.iter().map(cell);
        lines.push(std::iter::once(name.clone()).chain(cells).collect::<Vec<_>>());
    }
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let widths: Vec<_> = (0..=engines.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut cells = line.iter().zip(&widths);
        if let Some((name, width)) = cells.next() {
            let _ = write!(text, "{name:<width$}");
        }
        for (cell, width) in cells {
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
    text
}

fn programs(paths: &[PathBuf], wanted: &[String]) -> Result<(usize, usize), String> {
    let engines = chosen(wanted, &PROGRAM_ENGINES, |engine| engine)?;
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if files.is_empty() {
        return Err("there is no RISC-V program".into());
    }
    let vm = std::env::current_exe().map_err(|error| format!("cannot find rvrun: {error}"))?;
    let mut tallies = vec![Tally::default(); engines.len()];
    for file in &files {
        for (engine, tally) in engines.iter().zip(&mut tallies) {
            match execute(&vm, engine, file) {
                Ok(()) => tally.passed += 1,
                Err(why) => {
                    tally.failed += 1;
                    print(&format!("FAILED {} ({engine}): {why}\n", file.display()));
                }
            }
        }
    }
    let sum = |count: fn(&Tally) -> usize| tallies.iter().map(count).sum();
    let (passed, failed) = (sum(|tally| tally.passed), sum(|tally| tally.failed));
    print(&table("", &engines, &[(format!("{} programs", files.len()), tallies)]));
    Ok((passed, failed))
}

/// Adds the RISC-V programs at `path` or below it, in the order of their names.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
        let mut entries = entries.collect::<std::io::Result<Vec<_>>>()?;
        entries.sort();
        return entries.iter().try_for_each(|entry| collect(entry, files));
    }
    let mut header = [0; 20];
    let is_whole = File::open(path)?.read_exact(&mut header).is_ok();
    // ELF, "ELF Header": e_type is 2 or 3 for what can be executed, e_machine 243 for RISC-V.
    let executable = matches!(header[16..18], [2 | 3, 0]);
    if is_whole && header.starts_with(b"\x7fELF") && executable && header[18..20] == [243, 0] {
        files.push(path.to_path_buf());
    }
    Ok(())
}

/// Runs a program; gives what is wrong, if something is.
fn execute(vm: &Path, engine: &str, file: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot be run: {error}");
    let mut child = Command::new(vm)
        .arg(format!("--engine={engine}"))
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let stderr = child.stderr.take();
    let told = thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut text));
        String::from_utf8_lossy(&text).lines().last().unwrap_or_default().to_string()
    });
    let deadline = Instant::now() + LIMIT;
    let status: ExitStatus = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().and_then(|()| child.wait()).map_err(failed)?;
            return Err(format!("it was stopped after {} s", LIMIT.as_secs()));
        }
        thread::sleep(Duration::from_millis(1));
    };
    if status.success() {
        return Ok(());
    }
    let told = told.join().unwrap_or_default();
    Err(if told.is_empty() { status.to_string() } else { format!("{status}: {told}") })
}
