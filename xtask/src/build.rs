//! Builds what is measured: rvrun as it is released, and native programs.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Directories.
pub struct Places {
    /// The repository.
    pub root: PathBuf,
    /// Where native programs and results go.
    pub output: PathBuf,
}

impl Places {
    /// Asks cargo for them.
    pub fn find() -> Result<Self> {
        let output = cargo()
            .args(["metadata", "--format-version=1", "--no-deps"])
            .output()
            .context("cannot run cargo")?;
        ensure!(output.status.success(), "cargo metadata failed");
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let path = |key: &str| metadata[key].as_str().map(PathBuf::from);
        let root = path("workspace_root").context("cargo names no workspace")?;
        let target = path("target_directory").context("cargo names no target directory")?;
        let output = target.join("bench");
        std::fs::create_dir_all(&output)?;
        Ok(Self { root, output })
    }
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// Builds rvrun and returns its path.
pub fn rvrun(places: &Places) -> Result<PathBuf> {
    eprintln!("building rvrun");
    let output = cargo()
        .current_dir(&places.root)
        .args(["build", "--release", "--package=rvrun-cli", "--message-format=json"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(output.status.success(), "rvrun cannot be built");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "rvrun")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .context("cargo does not say where it put rvrun")
}

/// Builds the C program `source` for the host with `flags`.
pub fn native(places: &Places, name: &str, source: &Path, flags: &[String]) -> Result<PathBuf> {
    let program = places.output.join(name);
    let status = Command::new("gcc").args(flags).arg("-o").arg(&program).arg(source).status();
    match status {
        Ok(status) if status.success() => Ok(program),
        Ok(status) => bail!("gcc cannot build {} ({status})", source.display()),
        Err(error) => Err(error).context("native programs need gcc"),
    }
}
