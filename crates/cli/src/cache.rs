//! Where translations are kept, and `rvrun cache`.

use crate::output::full_path;
use crate::{EarlyStop, complain};
use rvrun::{CacheConfig, CacheDirectory, CacheFile};
use std::env::var_os;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What the directory may take if nothing else is said, in bytes.
const DEFAULT_BYTES: u64 = 512 << 20;

/// What is kept where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// The directory; nothing is kept, nor used, without one.
    pub directory: Option<PathBuf>,
    /// Bytes that it may take.
    pub bytes: u64,
    /// Whether new translations are added.
    pub writes: bool,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { directory: None, bytes: DEFAULT_BYTES, writes: true }
    }
}

impl CacheSettings {
    /// What the environment says: `RVRUN_CACHE`, `RVRUN_CACHE_DIR` and `RVRUN_CACHE_SIZE`, else
    /// `XDG_CACHE_HOME` (XDG Base Directory Specification) or `HOME`. Nothing is kept for who
    /// has got privileges from the file's owner: whoever started it chose these.
    pub fn from_environment() -> Self {
        let set = |name: &str| var_os(name).filter(|value| !value.is_empty());
        let way = set("RVRUN_CACHE");
        let way = way.as_deref().and_then(OsStr::to_str);
        if way == Some("off") || rvrun::is_privileged() {
            return Self::default();
        }
        let own = set("RVRUN_CACHE_DIR").map(PathBuf::from);
        let absolute = |name: &str| set(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let standard =
            absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
        let size = set("RVRUN_CACHE_SIZE").and_then(|size| size.to_str()?.parse::<u32>().ok());
        Self {
            directory: own.or_else(|| Some(standard?.join("rvrun"))),
            bytes: size.map_or(DEFAULT_BYTES, |size| u64::from(size) << 20),
            writes: way != Some("read"),
        }
    }

    /// The same for the VM.
    pub(crate) fn config(&self) -> Option<CacheConfig> {
        Some(CacheConfig { directory: self.place()?, writes: self.writes })
    }

    fn place(&self) -> Option<CacheDirectory> {
        Some(CacheDirectory::new(full_path(self.directory.as_ref()?), self.bytes))
    }
}

/// What `rvrun cache` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Shows what is there.
    List,
    /// Shows what is there and wrong.
    Verify,
    /// Removes everything.
    Purge,
}

/// What a command line asks for that begins with `cache`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// Something to do with what is there.
    Command(Command),
    /// A program that is to be run for its translations, by this command line.
    Warm(&'a [OsString]),
    /// Nothing that there is.
    Unknown,
}

/// What to say of a command that is not known.
pub fn usage() -> EarlyStop {
    let commands = "`rvrun cache` has ls, verify, purge, and warm PROGRAM [ARGS]...";
    EarlyStop::Usage(commands.into())
}

/// What the command line asks for, if it begins with `cache`, and `cache` is no program here.
pub fn wanted(args: &[OsString]) -> Option<Wanted<'_>> {
    let (first, rest) = args.split_first()?;
    if first != "cache" || Path::new(first).exists() {
        return None;
    }
    Some(match rest {
        [command] if command == "ls" => Wanted::Command(Command::List),
        [command] if command == "verify" => Wanted::Command(Command::Verify),
        [command] if command == "purge" => Wanted::Command(Command::Purge),
        [command, program @ ..] if command == "warm" && !program.is_empty() => {
            Wanted::Warm(program)
        }
        _ => Wanted::Unknown,
    })
}

/// Does what is wanted; gives the exit status.
pub fn run(command: Command) -> u8 {
    let Some(directory) = CacheSettings::from_environment().place() else {
        complain("there is no cache: HOME is not set, or RVRUN_CACHE is off");
        return crate::VM_FAILURE;
    };
    let done = match command {
        Command::List => directory.list().map(|files| (list(&directory, &files), 0)),
        Command::Verify => directory.list().map(|files| verify(&files)),
        Command::Purge => directory
            .purge()
            .map(|(files, bytes)| (format!("{files} files removed, {}\n", mebibytes(bytes)), 0)),
    };
    match done {
        Ok((text, status)) => {
            // A reader that has closed the pipe wants no more of it.
            let _ = std::io::stdout().write_all(text.as_bytes());
            status
        }
        Err(error) => {
            complain(&format!("cannot use the cache: {error}"));
            crate::VM_FAILURE
        }
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn age(used: SystemTime) -> String {
    let seconds = used.elapsed().unwrap_or_default().as_secs();
    match seconds {
        0..3600 => format!("{} min", seconds / 60),
        3600..86400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86400),
    }
}

fn list(directory: &CacheDirectory, files: &[CacheFile]) -> String {
    let mut text = String::new();
    for file in files {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{:>10} {:>7} entries, used {:>6} ago  {}",
            mebibytes(file.bytes),
            file.entries,
            age(file.used),
            rvrun::shown_label(&file.label)
        );
    }
    let total = files.iter().map(|file| file.bytes).sum();
    let place = directory.path().display();
    let _ = writeln!(text, "{:>10} in {} files in {place}", mebibytes(total), files.len());
    text
}

/// What is wrong, and 1 if anything is.
fn verify(files: &[CacheFile]) -> (String, u8) {
    let mut text = String::new();
    for file in files.iter().filter(|file| file.bad > 0) {
        let label = rvrun::shown_label(&file.label);
        let _ = match file.entries {
            0 => writeln!(text, "{} is damaged and not used", file.path.display()),
            all => writeln!(
                text,
                "{} ({label}): {} of {all} entries are damaged and not used",
                file.path.display(),
                file.bad
            ),
        };
    }
    let bad = files.iter().filter(|file| file.bad > 0).count();
    let entries: usize = files.iter().map(|file| file.entries).sum();
    let _ = writeln!(text, "{entries} entries in {} files, {bad} files damaged", files.len());
    (text, u8::from(bad > 0))
}
