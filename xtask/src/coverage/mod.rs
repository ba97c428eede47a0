//! `cargo xtask coverage`: which engines and tests reach each row of the instruction table
//! and each of the table of system calls.
//!
//! Instructions are reached by vectors that pass; system calls by guest programs, whose
//! calls `--strace` tells. A row that nothing reaches is a failure.

mod instructions;
mod syscalls;

use anyhow::{Context, Result, ensure};
use std::fmt::Write;

/// Options of the task.
#[derive(clap::Args)]
pub struct Arguments {}

/// A part of the report, and what is wrong with it.
struct Part {
    text: String,
    failures: Vec<String>,
}

/// Runs the task.
///
/// # Errors
/// When a row is reached by nothing, or what reaches rows cannot be run.
pub fn run(_: &Arguments) -> Result<()> {
    let parts = [instructions::part()?, syscalls::part()?];
    let mut report = String::from("# What tests reach\n");
    for part in &parts {
        write!(report, "\n{}", part.text)?;
    }
    let path = crate::workspace().join("target/coverage/report.md");
    std::fs::write(&path, report).with_context(|| format!("cannot write {}", path.display()))?;
    println!("the report is {}", path.display());
    let failures: Vec<&String> = parts.iter().flat_map(|part| &part.failures).collect();
    for failure in &failures {
        println!("FAILED {failure}");
    }
    ensure!(failures.is_empty(), "{} rows are reached by nothing", failures.len());
    Ok(())
}

/// A table as Markdown has it.
fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(header) + &line(&vec!["---"; header.len()]);
    for row in rows {
        text += &line(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text
}
