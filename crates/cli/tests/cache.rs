//! Translations that are kept on disk: that they are used, by whom and when they are not, and
//! that nothing wrong in the directory does harm.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::elf::Program;
use support::{Finished, RVRUN, Scratch};

/// Goes around two million times, through a function, and writes a byte that depends on it.
const WORKS: [&str; 15] = [
    "lui a1, 488",
    "addi a0, zero, 0",
    "jal ra, .+44",
    "addi a1, a1, -1",
    "bne a1, zero, .-8",
    "andi a0, a0, 127",
    "sb a0, -1(sp)",
    "addi a0, zero, 1",
    "addi a1, sp, -1",
    "addi a2, zero, 1",
    "addi a7, zero, 64",
    "ecall",
    "jal zero, .+12",
    "addi a0, a0, 3",
    "jalr zero, 0(ra)",
];
const EXITS: [&str; 3] = ["addi a0, zero, 7", "addi a7, zero, 93", "ecall"];
/// What it writes: three times as often as it goes around, of that seven bits.
const WRITES: u8 = (((488u32 << 12) * 3) & 127) as u8;

struct Place(Scratch);

impl Place {
    fn new() -> Self {
        let place = Self(Scratch::new("cache"));
        let path = place.0.path().join("works");
        let lines: Vec<&str> = WORKS.iter().chain(&EXITS).copied().collect();
        fs::write(&path, Program::new(&lines).bytes()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        place
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("kept")
    }

    fn command(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Finished {
        let mut rvrun = Command::new(RVRUN);
        rvrun.current_dir(self.0.path()).env_clear().env("RVRUN_CACHE_DIR", "kept");
        support::run(rvrun.envs(environment.iter().copied()).args(arguments)).unwrap()
    }

    /// Runs the program, which has to do what it always does.
    #[track_caller]
    fn works(&self, arguments: &[&str]) {
        let all: Vec<&str> = arguments.iter().chain(&["./works"]).copied().collect();
        let finished = self.command(&[], &all);
        assert_eq!(finished.status.code(), Some(7), "{}", finished.stderr);
        assert_eq!(finished.stdout.as_bytes(), [WRITES]);
        assert_eq!(finished.stderr, "");
    }

    /// The files of translations.
    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.cache()) else { return Vec::new() };
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.file_name().unwrap().len() == 32);
        files
    }

    #[track_caller]
    fn file(&self) -> PathBuf {
        let [file] = &self.files()[..] else { panic!("{:?}", self.files()) };
        file.clone()
    }

    fn made() -> Self {
        let place = Self::new();
        place.works(&["cache", "warm"]);
        place.file();
        place
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_hot_is_kept_where_only_its_owner_can_look() {
    let place = Place::made();
    assert_eq!(mode(&place.cache()), 0o700);
    assert_eq!(mode(&place.file()), 0o600);
    let list = place.command(&[], &["cache", "ls"]);
    let line = list.stdout.lines().next().unwrap();
    assert!(line.contains(" entries, used") && line.ends_with("/works"), "{}", list.stdout);
    let verified = place.command(&[], &["cache", "verify"]);
    assert_eq!(verified.status.code(), Some(0));
    assert!(verified.stdout.ends_with(" in 1 files, 0 files damaged\n"), "{}", verified.stdout);
}

#[test]
fn what_is_kept_is_not_made_again() {
    let place = Place::made();
    let before = fs::read(place.file()).unwrap();
    place.works(&["cache", "warm"]);
    place.works(&[]);
    assert_eq!(fs::read(place.file()).unwrap(), before, "there is nothing new");
}

#[test]
fn nothing_is_kept_that_is_not_to_be() {
    for arguments in [
        &["--cache=off", "--hot=1000"][..],
        &["--cache=read", "--hot=1000"],
        &["--engine=interp"],
        &["--hot=1000", "--chaos=3"],
        &["--hot=1000", "--region-limit=5", "--cache-size=1", "--cache=off"],
    ] {
        let place = Place::new();
        place.works(arguments);
        assert_eq!(place.files(), [] as [PathBuf; 0], "{arguments:?}");
    }
    let place = Place::new();
    let off = place.command(&[("RVRUN_CACHE", "off")], &["--hot=1000", "./works"]);
    assert_eq!(off.status.code(), Some(7));
    assert_eq!(place.files(), [] as [PathBuf; 0]);
    let complaint = place.command(&[("RVRUN_CACHE", "off")], &["cache", "ls"]);
    assert_eq!(complaint.status.code(), Some(125));
}

#[test]
fn the_directory_is_a_users_cache_by_default() {
    let place = Place::new();
    for (variable, cache) in [("HOME", ".cache/rvrun"), ("XDG_CACHE_HOME", "rvrun")] {
        let home = place.0.path().join(variable);
        let run = |arguments: &[&str]| {
            let mut rvrun = Command::new(RVRUN);
            rvrun.current_dir(place.0.path()).env_clear().env(variable, &home);
            let finished = support::run(rvrun.args(arguments).arg("./works")).unwrap();
            assert_eq!(finished.status.code(), Some(7));
        };
        run(&["--hot=1000"]);
        assert!(!home.exists(), "it is not made in a system without such directories");
        fs::create_dir_all(home.join(cache).parent().unwrap()).unwrap();
        run(&["--hot=1000"]);
        assert!(home.join(cache).is_dir(), "{variable}");
        fs::remove_dir_all(&home).unwrap();
        run(&["cache", "warm"]);
        assert!(home.join(cache).is_dir(), "{variable}, as it was asked for");
    }
}

#[test]
fn a_directory_that_others_may_change_is_not_used() {
    let place = Place::made();
    let before = fs::read(place.file()).unwrap();
    fs::set_permissions(place.cache(), fs::Permissions::from_mode(0o777)).unwrap();
    place.works(&["--hot=1000"]);
    assert_eq!(fs::read(place.file()).unwrap(), before);
    let list = place.command(&[], &["cache", "ls"]);
    assert_eq!(list.status.code(), Some(125));
    assert!(list.stderr.contains("kept is not a directory that only its owner"), "{}", list.stderr);
}

#[test]
fn damage_is_found_and_does_no_harm() {
    let place = Place::made();
    let (file, whole) = (place.file(), fs::read(place.file()).unwrap());
    let mut damaged: Vec<Vec<u8>> = vec![Vec::new(), b"nonsense".to_vec()];
    for part in 0..16 {
        damaged.push(whole[..whole.len() * part / 16].to_vec());
        let mut flipped = whole.clone();
        flipped[whole.len() * part / 16] ^= 0x10;
        damaged.push(flipped);
    }
    for bytes in damaged {
        fs::write(&file, &bytes).unwrap();
        let verified = place.command(&[], &["cache", "verify"]);
        assert_eq!(verified.status.code(), Some(1), "{}", verified.stdout);
        place.works(&["--cache=read", "--hot=1000"]);
    }
}

#[test]
fn what_is_damaged_is_replaced() {
    let place = Place::made();
    fs::write(place.file(), b"nonsense").unwrap();
    place.works(&["--hot=1000"]);
    assert_eq!(place.command(&[], &["cache", "verify"]).status.code(), Some(0));
    assert!(fs::metadata(place.file()).unwrap().len() > 100);
}

#[test]
fn what_cannot_be_done_is_said() {
    let place = Place::new();
    for (arguments, said) in [
        (&["cache"][..], "has ls, verify, purge, and warm"),
        (&["cache", "list"], "has ls, verify, purge, and warm"),
        (&["cache", "warm"], "has ls, verify, purge, and warm"),
        (&["cache", "warm", "--cache=off", "./works"], "nothing is kept"),
        (&["cache", "warm", "--cache=read", "./works"], "nothing is kept"),
    ] {
        let finished = place.command(&[], arguments);
        assert_eq!(finished.status.code(), Some(125), "{arguments:?}");
        assert!(finished.stderr.contains(said), "{arguments:?}: {}", finished.stderr);
    }
}

#[test]
fn everything_goes_by_purge() {
    let place = Place::made();
    let purged = place.command(&[], &["cache", "purge"]);
    assert!(purged.stdout.starts_with("1 files removed, "), "{}", purged.stdout);
    assert_eq!(place.files(), [] as [PathBuf; 0]);
    place.works(&[]);
}

#[test]
fn a_program_that_is_executed_has_the_same_cache() {
    let place = Place::new();
    let executes = place.0.path().join("executes");
    let lines = ["ld a0, 16(sp)", "addi a1, sp, 16", "addi a2, zero, 0", "addi a7, zero, 221"];
    let lines: Vec<&str> = lines.into_iter().chain(["ecall", "ebreak"]).collect();
    fs::write(&executes, Program::new(&lines).bytes()).unwrap();
    fs::set_permissions(&executes, fs::Permissions::from_mode(0o755)).unwrap();
    let finished = place.command(&[], &["--hot=1000", "./executes", "./works"]);
    assert_eq!(finished.status.code(), Some(7), "{}", finished.stderr);
    place.file();
}
