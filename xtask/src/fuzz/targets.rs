//! Builds the fuzz targets.

use crate::workspace;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Directories.
pub struct Places {
    /// The package, with seeds and findings.
    pub package: PathBuf,
    /// The built targets.
    pub programs: PathBuf,
    /// What runs leave: a corpus a target, logs.
    pub output: PathBuf,
}

impl Places {
    /// A directory in `parent` for a target, which is made if it is missing.
    pub fn of(parent: PathBuf, name: &str) -> Result<PathBuf> {
        let directory = parent.join(name);
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        Ok(directory)
    }
}

/// Builds all targets.
///
/// They are not linked as rvrun is, to fixed addresses: what guest code makes of few
/// instructions must point to nothing of the host.
pub fn build() -> Result<Places> {
    let package = workspace().join("fuzz");
    let output = workspace().join("target/fuzz");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(&package)
        .args(["build", "--locked", "--quiet", "--release", "--target", TRIPLE, "--target-dir"])
        .arg(&output)
        .env("RUSTC_WRAPPER", package.join("rustc"))
        // In place of those of `.cargo/config.toml`.
        .env("RUSTFLAGS", "--cfg fuzzing")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the fuzz targets cannot be built");
    Ok(Places { programs: output.join(TRIPLE).join("release"), package, output })
}
