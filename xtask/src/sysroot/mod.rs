//! `cargo xtask sysroot`.

use anyhow::Result;

/// Options of the task.
#[derive(clap::Args)]
pub struct Arguments {}

/// Runs the task.
pub fn run(_arguments: &Arguments) -> Result<()> {
    anyhow::bail!("not written yet")
}
