//! `cargo xtask bench`: the kernels of `benches/kernels` and Debian's programs natively,
//! under rvrun and under QEMU, by CPU time.
//!
//! What is compared is interleaved: in each run every contestant takes its turn
//! on a kernel, native first, and the ratios of that run are formed; the table
//! has the medians of these ratios. So a machine that is slower for a minute
//! does not favour anybody.

mod class;
mod contestant;
mod kernels;
pub mod look;
mod machine;
mod measure;
mod packaged;
mod page;
mod plot;
mod progress;
mod report;
mod short;
mod summary;

use crate::build;
use anyhow::{Result, ensure};
use contestant::{Contestant, Wanted};
use kernels::Kernel;
use measure::{Job, Row};
use progress::Progress;
use report::Report;
use std::fs;
use std::path::{Path, PathBuf};

/// Where `--write` puts what it writes, below the repository's root.
const PAGE: &str = "BENCHMARKS.md";
const RESULTS: &str = "benches/results";
/// What it puts there, and a run without it below the build directory.
const RATIOS: &str = "ratios.svg";
const PARTS: &str = "parts.svg";
const NUMBERS: &str = "results.json";

/// Options of the task.
#[derive(clap::Args)]
pub struct Arguments {
    /// Kernels to run, packaged programs, and `startup`; all without any
    kernels: Vec<String>,
    /// Engines of rvrun to compare; `auto` is what it takes without being told, `warm` the
    /// same with translations of an earlier run
    #[arg(long, value_name = "ENGINE,...", value_delimiter = ',', default_value = contestant::AUTO)]
    engines: Vec<String>,
    /// A QEMU to compare with, with its default processor and as rva23u64 if it knows that;
    /// may be repeated [default: qemu-riscv64, if it is in PATH]
    #[arg(long, value_name = "PATH")]
    qemu: Vec<PathBuf>,
    /// Another build of rvrun to compare with; may be repeated
    #[arg(long, value_name = "PATH")]
    also: Vec<PathBuf>,
    /// Runs of everything, of which the medians are taken
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Part of each kernel's rounds to run: less is faster and less exact
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    percent: u64,
    /// Write BENCHMARKS.md, its plots and its numbers into the repository
    #[arg(long)]
    write: bool,
}

/// A copy of rvrun, as users have it. What a linker has written is in the kernel's memory page by
/// page until it is read from the disk again, and what is copied in larger pieces, of which a fault maps
/// many at once: a static hello takes 0.9 of the time.
fn installed(rvrun: &Path, output: &Path) -> Result<PathBuf> {
    let copy = output.join("rvrun");
    fs::copy(rvrun, &copy)?;
    Ok(copy)
}

/// Runs the task.
pub fn run(arguments: &Arguments) -> Result<()> {
    let places = build::Places::find()?;
    let rvrun = installed(&build::rvrun(&places)?, &places.output)?;
    let cache = places.output.join("cache");
    if cache.exists() {
        fs::remove_dir_all(&cache)?;
    }
    let contestants = Contestant::line_up(&Wanted {
        rvrun: &rvrun,
        cache: &cache,
        also: &arguments.also,
        engines: &arguments.engines,
        qemus: &arguments.qemu,
    })?;
    let jobs = jobs(arguments, &places)?;
    ensure!(!jobs.is_empty(), "no kernel has one of these names: {}", arguments.kernels.join(" "));
    let rows = measure_all(&jobs, &contestants, arguments.runs)?;
    let report = Report {
        machine: machine::describe(&places.root),
        runs: arguments.runs,
        percent: arguments.percent,
        contestants: &contestants,
        rows: &rows,
    };
    println!("{}", report.table());
    let mut directories = vec![places.output.clone()];
    if arguments.write {
        directories.push(places.root.join(RESULTS));
        let [ratios, parts, numbers] =
            [RATIOS, PARTS, NUMBERS].map(|file| format!("{RESULTS}/{file}"));
        let files = page::Places { ratios: &ratios, parts: &parts, numbers: &numbers };
        write(&places.root.join(PAGE), &page::page(&report, &files))?;
    }
    let (ratios, parts, numbers) = (plot::ratios(&report)?, plot::parts(&report)?, report.json());
    for directory in directories {
        write(&directory.join(RATIOS), &ratios)?;
        if let Some(parts) = &parts {
            write(&directory.join(PARTS), parts)?;
        }
        write(&directory.join(NUMBERS), &numbers)?;
    }
    Ok(())
}

fn measure_all(jobs: &[Job], contestants: &[Contestant], runs: u32) -> Result<Vec<Row>> {
    let mut progress = Progress::new(jobs.len(), runs);
    let mut rows = Vec::new();
    for job in jobs {
        progress.job(&job.name);
        let row = measure::measure(job, contestants, runs, |run| progress.after_run(run))?;
        progress.job_ended(&report::progress(&row, contestants));
        rows.push(row);
    }
    Ok(rows)
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, text)?;
    eprintln!("wrote {}", path.display());
    Ok(())
}

/// What to measure, in the order of the table.
fn jobs(arguments: &Arguments, places: &build::Places) -> Result<Vec<Job>> {
    let wanted =
        |name: &str| arguments.kernels.is_empty() || arguments.kernels.iter().any(|k| k == name);
    let mut jobs = Vec::new();
    for kernel in Kernel::all(&places.root.join("benches/kernels"))? {
        if wanted(&kernel.name) {
            let native = build::native(places, &kernel.name, &kernel.source, &kernel.flags)?;
            jobs.push(kernel.job(native, arguments.percent));
        }
    }
    jobs.extend(packaged::jobs(places, arguments.percent, wanted)?);
    if wanted(short::HELLO) {
        jobs.push(short::job(places, arguments.percent)?);
    }
    Ok(jobs)
}
