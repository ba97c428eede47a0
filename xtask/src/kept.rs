//! `cargo xtask kept`: many processes that keep translations in one directory, some of them
//! killed, with damaged files, and on a full disk. Each has to write what it always writes.

use crate::build;
use crate::programs::engine::seed_from_clock;
use anyhow::{Context, Result, bail, ensure};
use rvrun_hostile::Random;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Guest programs of the tests, with what they write.
const PROGRAMS: [&str; 2] = ["mixture", "control"];
/// A translation is worth keeping after so many instructions here.
const HOT: &str = "--hot=1000";
/// One in so many is killed, at some time until then.
const KILLED: usize = 3;
const KILLED_UNTIL: Duration = Duration::from_millis(1500);
/// Bytes of a disk that is soon full.
const SMALL_DISK: &str = "size=64k";

/// Have many processes keep translations in one directory, whatever happens to it
#[derive(clap::Args)]
pub struct Arguments {
    /// How many start at once
    #[arg(long, value_name = "N", default_value_t = 1000)]
    processes: usize,
    /// Who is killed when, and what is damaged, comes from this; by default from the clock
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// What becomes of a file's bytes.
type Damage = fn(&mut Random, &mut Vec<u8>);

struct Place {
    rvrun: PathBuf,
    guests: PathBuf,
    /// What they write.
    expected: Vec<Vec<u8>>,
    cache: PathBuf,
    outputs: PathBuf,
}

/// A process of a guest's, and where it writes.
struct Running {
    child: Child,
    program: usize,
    output: PathBuf,
    killed: bool,
}

/// Kills those whose time has come, unless they have ended by themselves.
fn kill_due(victims: &mut Vec<(Instant, usize)>, running: &mut [Running]) -> Result<()> {
    let now = Instant::now();
    for (_, number) in victims.extract_if(.., |(when, _)| *when <= now) {
        let victim = &mut running[number];
        if victim.child.try_wait()?.is_none() {
            victim.child.kill()?;
            victim.killed = true;
        }
    }
    Ok(())
}

/// Runs the task.
pub fn run(arguments: &Arguments) -> Result<()> {
    let places = build::Places::find()?;
    let seed = arguments.seed.unwrap_or_else(seed_from_clock);
    println!("seed {seed}");
    let mut random = Random::of_case(seed, 0);
    let directory = places.output.with_file_name("kept");
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    let outputs = directory.join("outputs");
    fs::create_dir_all(&outputs)?;
    let guests = places.root.join("crates/cli/tests/guest");
    let expected = PROGRAMS.map(|name| fs::read(guests.join(name).with_extension("expected")));
    let place = Place {
        rvrun: build::rvrun(&places)?,
        guests,
        expected: expected.into_iter().collect::<Result<_, _>>()?,
        cache: directory.join("cache"),
        outputs,
    };
    let few = (arguments.processes / 10).max(4);
    let killed = place.together(arguments.processes, Some(&mut random))?;
    println!("{} processes at once, {killed} of them killed: passed", arguments.processes);
    place.verify()?;
    place.together(few, None)?;
    println!("{few} that find what is left: passed");
    let damages: [(&str, Damage); 2] = [
        ("a bit flipped in each file", |random, bytes| {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }),
        ("each file cut off", |random, bytes| bytes.truncate(random.below(bytes.len()))),
    ];
    for (what, damage) in damages {
        let files = place.damage(|bytes| damage(&mut random, bytes))?;
        ensure!(files > 0, "nothing was kept");
        place.together(few, None)?;
        println!("{few} with {what}, {files} files: passed");
    }
    place.on_a_full_disk(few)
}

impl Place {
    /// A guest, with translations in `cache`.
    fn command(&self, program: usize, cache: &Path) -> Command {
        let mut command = Command::new(&self.rvrun);
        command.arg(HOT).arg("--cache-dir").arg(cache).arg(self.guests.join(PROGRAMS[program]));
        command
    }

    fn start(&self, number: usize) -> Result<Running> {
        let program = number % PROGRAMS.len();
        let output = self.outputs.join(number.to_string());
        let mut command = self.command(program, &self.cache);
        command.stdin(Stdio::null()).stdout(File::create(&output)?).stderr(Stdio::inherit());
        let child = command.spawn().context("cannot run rvrun")?;
        Ok(Running { child, program, output, killed: false })
    }

    /// Runs so many processes at once; with `random`, some are killed. Gives how many.
    fn together(&self, count: usize, mut random: Option<&mut Random>) -> Result<usize> {
        let mut running: Vec<Running> = Vec::new();
        // When to kill which.
        let mut victims: Vec<(Instant, usize)> = Vec::new();
        for number in 0..count {
            running.push(self.start(number)?);
            if let Some(random) = &mut random
                && random.once_in(KILLED)
            {
                let after = random.below(KILLED_UNTIL.as_millis() as usize) as u64;
                victims.push((Instant::now() + Duration::from_millis(after), number));
            }
            kill_due(&mut victims, &mut running)?;
        }
        while !victims.is_empty() {
            sleep(Duration::from_millis(1));
            kill_due(&mut victims, &mut running)?;
        }
        let killed = running.iter().filter(|process| process.killed).count();
        for mut process in running {
            let status = process.child.wait()?;
            let name = PROGRAMS[process.program];
            if !process.killed {
                ensure!(status.success(), "{name} ended with {status}");
                let output = fs::read(&process.output)?;
                ensure!(
                    output == self.expected[process.program],
                    "{name} wrote something else: {}",
                    process.output.display()
                );
            }
        }
        Ok(killed)
    }

    /// Whether `rvrun cache verify` finds everything right.
    fn verify(&self) -> Result<()> {
        let output = Command::new(&self.rvrun)
            .args(["cache", "verify"])
            .env("RVRUN_CACHE_DIR", &self.cache)
            .output()?;
        let told = String::from_utf8_lossy(&output.stdout);
        print!("{told}");
        ensure!(output.status.success(), "that is not what was to be found");
        Ok(())
    }

    /// Changes all files of translations; gives how many there are.
    fn damage(&self, mut change: impl FnMut(&mut Vec<u8>)) -> Result<usize> {
        let mut count = 0;
        for entry in fs::read_dir(&self.cache)? {
            let path = entry?.path();
            let mut bytes = fs::read(&path)?;
            if !bytes.is_empty() {
                change(&mut bytes);
                fs::write(&path, bytes)?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Runs processes whose translations go to a disk that has no room for them.
    fn on_a_full_disk(&self, count: usize) -> Result<()> {
        let disk = self.outputs.with_file_name("disk");
        fs::create_dir_all(&disk)?;
        for number in 0..count {
            let program = number % PROGRAMS.len();
            let inner = self.command(program, &disk.join("cache"));
            // Only a mount of one's own can be small, and only who may make a namespace has one.
            let script = "mount -t tmpfs -o \"$0\" none \"$1\" && shift && \
                          \"$@\" && df --output=iavail,used \"$disk\" >&2 && \"$@\"";
            let output = Command::new("unshare")
                .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, SMALL_DISK])
                .arg(&disk)
                .arg(inner.get_program())
                .args(inner.get_args())
                .env("disk", &disk)
                .output()
                .context("cannot run unshare")?;
            if !output.status.success() {
                let told = String::from_utf8_lossy(&output.stderr);
                if told.contains("unshare") {
                    println!("not on a full disk: {}", told.trim());
                    return Ok(());
                }
                bail!("{} on a full disk: {told}", PROGRAMS[program]);
            }
            let expected = &self.expected[program];
            ensure!(output.stdout == [&expected[..], expected].concat(), "other output");
        }
        println!("{count} on a full disk, twice each: passed");
        Ok(())
    }
}
