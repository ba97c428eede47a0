//! `cargo xtask vectors`: compares the vectors of `isa-tests` with QEMU, which is
//! where their expectations come from.
//!
//! [`harness`] is a RISC-V program that executes one vector after another and dumps
//! the state after each, [`oracle`] runs it under QEMU, [`inputs`] is the list of
//! boundary values that most lines' left sides are made from.

mod harness;
mod inputs;
mod oracle;

use anyhow::{Context, Result, bail};
use oracle::Oracle;
use rvrun_isa_tests::{Line, Vector, VectorFile, differences, directory, read_all};
use std::path::PathBuf;

/// Options of the task.
#[derive(clap::Args)]
pub struct Arguments {
    /// QEMU's user-mode emulator of riscv64, version 10 or later
    #[arg(long, default_value = "qemu-riscv64")]
    qemu: PathBuf,
    /// Write what QEMU does into the lines instead of comparing
    #[arg(long)]
    bless: bool,
    /// First add the lines of the list of boundary values that the files lack
    #[arg(long)]
    generate: bool,
}

/// Runs the task.
pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.generate {
        inputs::add_missing(directory())?;
    }
    let mut files = read_all()?;
    let oracle = Oracle::new(&arguments.qemu)?;
    let vectors: Vec<&Vector> = files
        .iter()
        .flat_map(VectorFile::vectors)
        .map(|(_, v)| v)
        .filter(|v| !v.by_manual)
        .collect();
    let states = oracle.run(&vectors)?;
    if arguments.bless {
        bless(&mut files, &states)?;
        println!("{} lines written", states.len());
        return Ok(());
    }
    let wrong = compare(&files, &states);
    println!("{} lines compared, {wrong} differ", states.len());
    if wrong > 0 {
        bail!("{wrong} lines say something else than QEMU does");
    }
    Ok(())
}

/// Replaces the expectations of all lines but those by the manual.
fn bless(files: &mut [VectorFile], states: &[rvrun_isa_tests::State]) -> Result<()> {
    let mut states = states.iter();
    for file in files {
        for line in &mut file.lines {
            if let Line::Vector(vector) = line
                && !vector.by_manual
            {
                let state = states.next().context("a state for each vector")?;
                vector.expect(harness::LAYOUT, state);
            }
        }
        file.write()?;
    }
    Ok(())
}

/// Prints the lines that differ; returns how many.
fn compare(files: &[VectorFile], states: &[rvrun_isa_tests::State]) -> usize {
    let lines = files.iter().flat_map(|f| f.vectors().map(move |(n, v)| (&f.name, n, v)));
    let mut wrong = 0;
    for ((name, number, vector), got) in lines.filter(|(_, _, v)| !v.by_manual).zip(states) {
        let problems = match vector.expected(harness::LAYOUT, got) {
            Some(expected) => differences(harness::LAYOUT, &expected, got),
            None => vec!["the line expects nothing yet".into()],
        };
        if !problems.is_empty() {
            wrong += 1;
            println!("{name}.txt:{number}: {vector}\n    {}", problems.join("\n    "));
        }
    }
    wrong
}
