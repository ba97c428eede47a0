//! The options that say how guest code is executed: that they do it, in the program
//! and in what it executes, and what is said of values that they do not have.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use support::elf::Program;
use support::{Finished, RVRUN, Scratch};

/// Goes around 20,000 times and exits with 3.
const LOOPS: [&str; 6] = [
    "lui a1, 5",
    "addi a1, a1, -1",
    "bne a1, zero, .-4",
    "addi a0, zero, 3",
    "addi a7, zero, 93",
    "ecall",
];
/// Executes its first and only argument, with its environment.
const EXECUTES: [&str; 8] = [
    "ld a0, 16(sp)",
    "addi a1, sp, 16",
    "addi a2, sp, 32",
    "addi a7, zero, 221",
    "ecall",
    "addi a0, zero, 99",
    "addi a7, zero, 93",
    "ecall",
];

/// A directory with both programs.
struct Place(Scratch);

impl Place {
    fn new() -> Self {
        let place = Self(Scratch::new("engines"));
        for (name, lines) in [("loops", &LOOPS[..]), ("executes", &EXECUTES[..])] {
            let path = place.path(name);
            fs::write(&path, Program::new(lines).bytes()).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, options: &[&str], environment: &[(&str, &str)], command: &[&str]) -> Finished {
        let mut rvrun = Command::new(RVRUN);
        rvrun.current_dir(self.0.path()).env_clear().envs(environment.iter().copied());
        support::run(rvrun.args(options).args(command)).unwrap()
    }
}

/// The number in the line of `--stats` with this name; none without the line.
fn figure(finished: &Finished, name: &str) -> Option<f64> {
    let mut lines = finished.stderr.lines().filter_map(|line| line.strip_prefix("rvrun: "));
    // A column of names, two spaces before some, and what they are.
    let value = lines.find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix("  "))?;
    value.split_whitespace().next()?.parse().ok()
}

/// Instructions interpreted, translated regions.
#[track_caller]
fn figures(finished: &Finished) -> (Option<f64>, Option<f64>) {
    assert_eq!(finished.status.code(), Some(3), "{}", finished.stderr);
    assert_eq!(finished.stderr.matches("rvrun: interpreted  ").count(), 1, "{}", finished.stderr);
    (figure(finished, "interpreted"), figure(finished, "regions asked for"))
}

/// The program, by itself and executed by another, with these options: as arguments,
/// and as variables.
fn everywhere(options: &[(&str, &str)]) -> Vec<(Option<f64>, Option<f64>)> {
    let place = Place::new();
    let arguments: Vec<_> =
        options.iter().map(|(name, value)| format!("--{name}={value}")).collect();
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let variables: Vec<_> = options.iter().map(|(name, value)| (variable(name), *value)).collect();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    arguments.push("--stats");
    let mut found = Vec::new();
    for command in [&["./loops"][..], &["./executes", "./loops"]] {
        found.push(figures(&place.run(&arguments, &[], command)));
        found.push(figures(&place.run(&["--stats"], &variables, command)));
    }
    found
}

/// The variable of an option.
fn variable(option: &str) -> String {
    format!("RVRUN_{}", option.to_uppercase().replace('-', "_"))
}

#[test]
fn engines_execute_what_they_are_for() {
    for (interpreted, regions) in everywhere(&[("engine", "interp")]) {
        assert!(interpreted > Some(40_000.0) && regions.is_none(), "{interpreted:?} {regions:?}");
    }
    for (interpreted, regions) in everywhere(&[("engine", "jit")]) {
        assert!(interpreted < Some(100.0) && regions > Some(0.0), "{interpreted:?} {regions:?}");
    }
    for (interpreted, regions) in everywhere(&[("engine", "auto")]) {
        let none = regions.unwrap_or(0.0) == 0.0;
        assert!(interpreted > Some(40_000.0) && none, "{interpreted:?} {regions:?}");
    }
}

#[test]
fn what_is_hot_can_be_chosen() {
    let limits = [("code-memory", "64"), ("region-limit", "7"), ("inline-limit", "0")];
    for more in [&[][..], &[("chaos", "7")], &limits] {
        let options = [&[("hot", "100")], more].concat();
        for (interpreted, regions) in everywhere(&options) {
            assert!(regions > Some(0.0), "{more:?}: {interpreted:?} {regions:?}");
        }
    }
}

#[test]
fn an_option_wins_over_the_environment() {
    let place = Place::new();
    let environment = [("RVRUN_ENGINE", "jit"), ("RVRUN_STATS", "1")];
    let found = figures(&place.run(&["--engine=interp"], &environment, &["./loops"]));
    assert_eq!(found.1, None);
}

#[test]
fn figures_are_lines_on_standard_error() {
    let place = Place::new();
    let finished = place.run(&["--stats", "--engine=jit"], &[], &["./loops"]);
    assert_eq!(finished.stdout, "");
    for line in finished.stderr.lines() {
        assert!(line.starts_with("rvrun: ") && line.len() > 20, "{line}");
    }
    let names = [
        "interpreted",
        "translated code",
        "regions asked for",
        "translated",
        "refused",
        "compile time",
        "bytes of host code",
        "translated code entered",
        "left for a system call",
    ];
    for name in names {
        assert!(figure(&finished, name).is_some(), "no {name}");
    }
    let counted = figure(&finished, "interpreted").unwrap_or(0.0)
        + figure(&finished, "translated code").unwrap_or(0.0);
    assert_eq!(counted, f64::from(1 + 2 * 0x5000 + 3), "{}", finished.stderr);
    let quiet = [("RVRUN_STATS", "0")];
    assert_eq!(place.run(&[], &quiet, &["./loops"]).stderr, "");
}

#[test]
fn values_that_there_are_not() {
    let place = Place::new();
    let cases: [(&str, &str, &str); 11] = [
        ("engine", "steam", "possible values: auto, interp, jit"),
        ("engine", "", "--engine"),
        ("hot", "0", "1.."),
        ("hot", "soon", "invalid digit"),
        ("hot", "4294967296", "4294967296"),
        ("code-memory", "63", "64..=1048576"),
        ("code-memory", "1048577", "64..=1048576"),
        ("region-limit", "0", "1..=10000"),
        ("region-limit", "10001", "1..=10000"),
        ("inline-limit", "1001", "0..=1000"),
        ("chaos", "-1", "chaos"),
    ];
    for (option, value, words) in cases {
        let variable = variable(option);
        let argument = format!("--{option}={value}");
        for finished in [
            place.run(&[&argument], &[], &["./loops"]),
            place.run(&[], &[(&variable, value)], &["./loops"]),
        ] {
            let line = finished.stderr.strip_suffix('\n').unwrap_or(&finished.stderr);
            assert_eq!(finished.status.code(), Some(125), "{argument}: {line}");
            assert!(line.starts_with("rvrun: ") && line.contains(words), "{argument}: {line}");
            assert!(!line.contains('\n'), "more than one line: {line}");
        }
    }
}
