//! Who is compared with the native programs: rvrun, other builds of it, QEMUs.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs RISC-V programs: `path PROGRAM ARGUMENTS`.
pub struct Contestant {
    /// A column's title, unique.
    pub name: String,
    /// What `--version` says, in its first line.
    pub version: String,
    /// The executable.
    pub path: PathBuf,
}

const DEFAULT_QEMU: &str = "qemu-riscv64";

impl Contestant {
    /// rvrun first, then its other builds, then the QEMUs; the default QEMU is left out if it is missing.
    pub fn line_up(rvrun: PathBuf, also: &[PathBuf], qemus: &[PathBuf]) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for path in std::iter::once(&rvrun).chain(also) {
            add(&mut all, path, |_| "rvrun".into())?;
        }
        for path in qemus {
            add(&mut all, path, qemu_name)?;
        }
        let default = Path::new(DEFAULT_QEMU);
        if qemus.is_empty() {
            match Command::new(default).arg("--version").output() {
                Ok(_) => add(&mut all, default, qemu_name)?,
                Err(_) => eprintln!("note: there is no {DEFAULT_QEMU} in PATH to compare with"),
            }
        }
        Ok(all)
    }
}

fn add(all: &mut Vec<Contestant>, path: &Path, name: fn(&str) -> String) -> Result<()> {
    let version = version(path)?;
    let wanted = name(&version);
    let mut name = wanted.clone();
    let mut number = 2;
    while all.iter().any(|other| other.name == name) {
        name = format!("{wanted} ({number})");
        number += 1;
    }
    all.push(Contestant { name, version, path: path.into() });
    Ok(())
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
