//! Who is compared with the native programs: rvrun, other builds of it, QEMUs.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs RISC-V programs: `path OPTIONS PROGRAM ARGUMENTS`, with `-L DIRECTORY` among the options
/// where a program needs libraries.
pub struct Contestant {
    /// A column's title, unique.
    pub name: String,
    /// What `--version` says, in its first line.
    pub version: String,
    /// The executable.
    pub path: PathBuf,
    /// Which of its ways to run a program this is.
    pub options: Vec<String>,
    /// Whose it is.
    pub maker: Maker,
    /// Where it keeps translations, which it has before it is measured; else it keeps none.
    pub cache: Option<PathBuf>,
}

/// Who made a contestant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// This repository, at some commit.
    Rvrun,
    /// QEMU's developers.
    Qemu,
}

/// What to compare, from the command line.
pub struct Wanted<'a> {
    /// This build of rvrun.
    pub rvrun: &'a Path,
    /// Where translations may be kept.
    pub cache: &'a Path,
    /// Others.
    pub also: &'a [PathBuf],
    /// Engines of rvrun; [`AUTO`] is what it takes without being told. Or [`WARM`].
    pub engines: &'a [String],
    /// QEMUs; without any, the one in the path, if there is one.
    pub qemus: &'a [PathBuf],
}

/// Not an engine, but what rvrun does by itself with the translations of an earlier run.
pub const WARM: &str = "warm";
/// The engine that rvrun chooses by itself. It is not passed: a command line
/// without options is read faster, and is what most users type.
pub const AUTO: &str = "auto";
const DEFAULT_QEMU: &str = "qemu-riscv64";
/// The processor that QEMU is measured with, besides its default, if it knows it.
const QEMU_PROCESSOR: &str = "rva23u64";

impl Contestant {
    /// Whether it tells what its engines do, and how that is without translations of before.
    pub fn counts(&self) -> bool {
        self.maker == Maker::Rvrun && self.cache.is_none()
    }

    /// Builds of rvrun first, each in its engines, then the QEMUs with their processors.
    ///
    /// # Errors
    /// A program cannot be run, or no rvrun knows any of the engines.
    pub fn line_up(wanted: &Wanted) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for path in std::iter::once(wanted.rvrun).chain(wanted.also.iter().map(PathBuf::as_path)) {
            add_rvrun(&mut all, path, wanted)?;
        }
        ensure!(!all.is_empty(), "rvrun knows no engine of {}", wanted.engines.join(", "));
        for path in wanted.qemus {
            add_qemu(&mut all, path)?;
        }
        let default = Path::new(DEFAULT_QEMU);
        if wanted.qemus.is_empty() {
            match Command::new(default).arg("--version").output() {
                Ok(_) => add_qemu(&mut all, default)?,
                Err(_) => eprintln!("note: there is no {DEFAULT_QEMU} in PATH to compare with"),
            }
        }
        Ok(all)
    }
}

fn add_rvrun(all: &mut Vec<Contestant>, path: &Path, wanted: &Wanted) -> Result<()> {
    let version = version(path)?;
    for engine in wanted.engines {
        let (name, options) = match engine.as_str() {
            AUTO => ("rvrun".to_owned(), Vec::new()),
            WARM => (format!("rvrun {WARM}"), Vec::new()),
            engine => (format!("rvrun {engine}"), vec!["--engine".to_owned(), engine.to_owned()]),
        };
        match complaint(path, &options)? {
            None => {
                add(all, name, &version, path, options, Maker::Rvrun);
                if let Some(contestant) = all.last_mut().filter(|_| engine == WARM) {
                    contestant.cache = Some(wanted.cache.to_path_buf());
                }
            }
            Some(complaint) => {
                eprintln!("note: {} has no engine {engine}: {complaint}", path.display());
            }
        }
    }
    Ok(())
}

/// What rvrun has to say against the options.
fn complaint(path: &Path, options: &[String]) -> Result<Option<String>> {
    let output = Command::new(path)
        .args(options)
        .arg("--version")
        .output()
        .with_context(|| format!("cannot run {}", path.display()))?;
    let message = String::from_utf8_lossy(&output.stderr);
    let first = message.lines().next().unwrap_or("it fails").to_owned();
    Ok((!output.status.success()).then_some(first))
}

fn add_qemu(all: &mut Vec<Contestant>, path: &Path) -> Result<()> {
    let version = version(path)?;
    let name = qemu_name(&version);
    add(all, name.clone(), &version, path, Vec::new(), Maker::Qemu);
    let processors = Command::new(path).args(["-cpu", "help"]).output()?.stdout;
    if knows(&String::from_utf8_lossy(&processors), QEMU_PROCESSOR) {
        let options = vec!["-cpu".to_owned(), QEMU_PROCESSOR.to_owned()];
        add(all, format!("{name} {QEMU_PROCESSOR}"), &version, path, options, Maker::Qemu);
    }
    Ok(())
}

fn add(
    all: &mut Vec<Contestant>,
    wanted: String,
    version: &str,
    path: &Path,
    options: Vec<String>,
    maker: Maker,
) {
    let mut name = wanted.clone();
    let mut number = 2;
    while all.iter().any(|other| other.name == name) {
        name = format!("{wanted} ({number})");
        number += 1;
    }
    let (version, path) = (version.into(), path.into());
    all.push(Contestant { name, version, path, options, maker, cache: None });
}

fn version(path: &Path) -> Result<String> {
    let output = Command::new(path)
        .arg("--version")
        .output()
        .with_context(|| format!("cannot run {}", path.display()))?;
    ensure!(output.status.success(), "{} --version failed", path.display());
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// `qemu-riscv64 version 7.2.22 (Debian …)` is QEMU 7.2.22.
fn qemu_name(version: &str) -> String {
    let number = version.split_once("version ").and_then(|(_, rest)| rest.split(' ').next());
    number.map_or_else(|| "QEMU".to_owned(), |number| format!("QEMU {number}"))
}

/// Whether QEMU's list of processors, a line each, has this one.
fn knows(list: &str, processor: &str) -> bool {
    list.lines().any(|line| line.trim() == processor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qemus_tell_their_version_and_processors() {
        assert_eq!(qemu_name("qemu-riscv64 version 7.2.22 (Debian 1:7.2)"), "QEMU 7.2.22");
        assert!(knows("Available CPUs:\n  max\n  rva23u64\n", QEMU_PROCESSOR));
        assert!(!knows("any\nrv64\n", QEMU_PROCESSOR));
    }

    #[test]
    fn titles_are_unique() {
        let mut all = Vec::new();
        for _ in 0..2 {
            add(&mut all, "QEMU 1".into(), "1", Path::new("qemu"), Vec::new(), Maker::Qemu);
        }
        let names: Vec<&str> = all.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["QEMU 1", "QEMU 1 (2)"]);
    }
}
