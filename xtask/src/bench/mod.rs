//! `cargo xtask bench`: the kernels of `benches/kernels` natively, under rvrun
//! and under QEMU, by CPU time.
//!
//! What is compared is interleaved: in each run every contestant takes its turn
//! on a kernel, native first, and the ratios of that run are formed; the table
//! has the medians of these ratios. So a machine that is slower for a minute
//! does not favour anybody.

mod contestant;
mod kernels;
mod machine;
mod measure;
mod report;

use crate::build;
use anyhow::{Result, ensure};
use contestant::Contestant;
use kernels::Kernel;
use measure::{Job, Row};
use report::Report;
use std::path::PathBuf;

/// Options of the task.
#[derive(clap::Args)]
pub struct Arguments {
    /// Kernels to run (`startup` is one); all without any
    kernels: Vec<String>,
    /// A QEMU to compare with; may be repeated [default: qemu-riscv64, if it is in PATH]
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
    /// Write BENCHMARKS.md
    #[arg(long)]
    write: bool,
}

/// Runs the task.
pub fn run(arguments: &Arguments) -> Result<()> {
    let places = build::Places::find()?;
    let rvrun = build::rvrun(&places)?;
    let contestants = Contestant::line_up(rvrun, &arguments.also, &arguments.qemu)?;
    let jobs = jobs(arguments, &places)?;
    ensure!(!jobs.is_empty(), "no kernel has one of these names: {}", arguments.kernels.join(" "));

    let mut rows: Vec<Row> = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        eprint!("[{}/{}] {:<18}", index + 1, jobs.len(), job.name);
        let row = measure::measure(job, &contestants, arguments.runs)?;
        eprintln!("{}", report::progress(&row, &contestants));
        rows.push(row);
    }

    let report = Report {
        machine: machine::describe(&places.root),
        runs: arguments.runs,
        percent: arguments.percent,
        contestants: &contestants,
        rows: &rows,
    };
    println!("{}", report.table());
    let json = places.output.join("results.json");
    std::fs::write(&json, report.json())?;
    eprintln!("wrote {}", json.display());
    if arguments.write {
        let page = places.root.join("BENCHMARKS.md");
        std::fs::write(&page, report.page())?;
        eprintln!("wrote {}", page.display());
    }
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
    if wanted(measure::STARTUP) {
        match measure::startup(places, arguments.percent)? {
            Some(job) => jobs.push(job),
            None => eprintln!("note: examples/guest/hello is not built: no start-up times"),
        }
    }
    Ok(jobs)
}
