//! Developer tasks: `cargo xtask TASK`.

#![forbid(unsafe_code)]

mod bench;
mod build;
mod coverage;
mod fuzz;
mod guests;
mod hostile;
mod kept;
mod programs;
mod random;
mod startup;
mod sweep;
mod sysroot;
mod vectors;

use anyhow::Result;
use clap::Parser;
use std::path::{Path, PathBuf};

/// Developer tasks of rvrun.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Unpack Debian packages for riscv64, with all that they depend on, into a directory
    Sysroot(sysroot::Arguments),
    /// Build the guest programs that the repository holds, or prove that they match their sources
    Guests(guests::Arguments),
    /// Run real programs under rvrun and compare their output with the native programs'
    Programs(programs::Arguments),
    /// Measure rvrun against native programs, and QEMU where it is installed
    Bench(bench::Arguments),
    /// Run a command and say how many KiB its largest process has had
    #[command(hide = true)]
    Peak(bench::look::Arguments),
    /// Compare the instruction vectors with QEMU, or take their expectations from it
    Vectors(vectors::Arguments),
    /// List which tests reach each instruction and each system call
    Coverage(coverage::Arguments),
    /// Compare with binutils which words are instructions
    Sweep(sweep::Arguments),
    /// Run random programs in each engine and under QEMU, which have to agree
    Random(random::Arguments),
    /// Run mutated ELF files and random code, which rvrun has to survive
    Hostile(hostile::Arguments),
    /// Have many processes keep translations in one directory, whatever happens to it
    Kept(kept::Arguments),
    /// List the functions that run in every short program, or prove that the list is right
    Startup(startup::Arguments),
    /// Look for inputs that rvrun does not survive, led by coverage (libFuzzer)
    Fuzz(fuzz::Arguments),
}

fn main() -> Result<()> {
    match Task::parse() {
        Task::Sysroot(arguments) => sysroot::run(&arguments),
        Task::Guests(arguments) => guests::run(&arguments),
        Task::Programs(arguments) => programs::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Peak(arguments) => bench::look::run(&arguments),
        Task::Vectors(arguments) => vectors::run(&arguments),
        Task::Coverage(arguments) => coverage::run(&arguments),
        Task::Sweep(arguments) => sweep::run(&arguments),
        Task::Random(arguments) => random::run(&arguments),
        Task::Hostile(arguments) => hostile::run(&arguments),
        Task::Kept(arguments) => kept::run(&arguments),
        Task::Startup(arguments) => startup::run(&arguments),
        Task::Fuzz(arguments) => fuzz::run(&arguments),
    }
}

/// The directory of the workspace.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("xtask has a parent")
}
