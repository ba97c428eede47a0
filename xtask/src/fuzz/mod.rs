//! `cargo xtask fuzz`: looks for inputs that rvrun does not survive, led by coverage.
//!
//! [`targets`] builds the programs of `fuzz/`, [`process`] has libFuzzer run one of them. What a target does with its input is in `hostile::bytes`.

mod process;
mod targets;

use anyhow::{Result, bail, ensure};
use process::Finding;
use rvrun_hostile::bytes::TARGETS;
use std::sync::Mutex;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

/// Options of the task.
#[derive(clap::Args)]
pub struct Arguments {
    /// Which targets to run [default: all]
    targets: Vec<String>,
    /// How long to run each of them
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many targets run at once [default: as many as there are processors]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    jobs: Option<u64>,
    /// What libFuzzer's random numbers begin with [default: the clock]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    seed: Option<u32>,
}

/// Runs the task.
///
/// # Errors
/// A target cannot be built or run, or an input is found that it does not survive.
pub fn run(arguments: &Arguments) -> Result<()> {
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_secs());
    let seed = arguments.seed.unwrap_or_else(|| clock() as u32 | 1);
    let names = names(&arguments.targets)?;
    let processors = || thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let jobs = arguments.jobs.unwrap_or_else(processors);
    let places = targets::build()?;
    println!("seed {seed}");
    let waiting = Mutex::new(names.iter());
    let next = || waiting.lock().expect("no thread panics").next();
    let work = || -> Result<u64> {
        let mut found = 0;
        while let Some(name) = next() {
            let report = process::run(&places, name, arguments.seconds, seed)?;
            println!("{report}");
            found += u64::from(!matches!(report.finding, Finding::None));
        }
        Ok(found)
    };
    let found: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|t| t.join().expect("no thread panics")).sum::<Result<u64>>()
    })?;
    println!("{} passed, {found} failed", names.len() as u64 - found);
    if found != 0 {
        bail!("rvrun did not survive some inputs");
    }
    Ok(())
}

fn names(wanted: &[String]) -> Result<Vec<&'static str>> {
    let all = || TARGETS.iter().map(|(name, _)| *name);
    for name in wanted {
        let list = || all().collect::<Vec<_>>().join(", ");
        ensure!(all().any(|known| known == name), "no target `{name}`; there are {}", list());
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    Ok(all().filter(|name| is_wanted(name)).collect())
}
