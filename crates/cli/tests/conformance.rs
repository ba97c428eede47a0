//! `rvrun conformance`: the suite passes, and programs that fail are told.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use support::elf::Program;
use support::{Finished, RVRUN, Scratch};

fn conformance(arguments: &[&str], directory: &Path) -> Finished {
    let mut command = Command::new(RVRUN);
    command.arg("conformance").args(arguments).current_dir(directory).env_clear();
    support::run(&mut command).unwrap()
}

/// Writes a program that exits with `status`, or is killed by a trap for 256.
fn write(file: &Path, status: i32) {
    let exit = format!("addi a0, zero, {status}");
    let lines = match status {
        256 => vec!["ebreak"],
        _ => vec![exit.as_str(), "addi a7, zero, 93", "ecall"],
    };
    fs::write(file, Program::new(&lines).bytes()).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn every_instruction_passes() {
    let scratch = Scratch::new("conformance");
    let finished = conformance(&["--engine=interp,jit"], scratch.path());
    assert!(finished.status.success(), "{}{}", finished.stdout, finished.stderr);
    for line in ["interp  ", "jit  ", "extension  ", "zifencei  ", ", interpreted"] {
        let there = finished.stdout.contains(line);
        assert_eq!(there, line != ", interpreted", "{line}: {}", finished.stdout);
    }
    let last = finished.stdout.lines().last().unwrap_or_default();
    let passed: u32 = last.strip_suffix(" passed, 0 failed").unwrap().parse().unwrap();
    assert!(passed > 30_000, "{last}");
}

#[test]
fn programs_that_check_themselves_are_run_on_each_engine() {
    let scratch = Scratch::new("conformance");
    let below = scratch.path().join("tests/below");
    fs::create_dir_all(&below).unwrap();
    write(&below.join("good"), 0);
    fs::write(below.join("good.txt"), "no program").unwrap();
    let finished = conformance(&["tests"], scratch.path());
    assert!(finished.status.success(), "{}{}", finished.stdout, finished.stderr);
    assert!(finished.stdout.ends_with("3 passed, 0 failed\n"), "{}", finished.stdout);
    write(&below.join("bad"), 3);
    write(&scratch.path().join("tests/trap"), 256);
    let finished = conformance(&["tests", "--engine=auto,jit"], scratch.path());
    assert_eq!(finished.status.code(), Some(1));
    for line in [
        "FAILED tests/below/bad (auto): exit status: 3\n",
        "FAILED tests/below/bad (jit): exit status: 3\n",
        "FAILED tests/trap (jit): ",
        "2 passed, 4 failed\n",
    ] {
        assert!(finished.stdout.contains(line), "{line}: {}", finished.stdout);
    }
}

#[test]
fn what_is_wrong_with_the_command_line_is_said() {
    let scratch = Scratch::new("conformance");
    for (arguments, why) in [
        (["--engine=warp"], "`warp`"),
        (["missing"], "missing"),
        (["."], "no RISC-V program"),
        (["--warp"], "--warp"),
    ] {
        let finished = conformance(&arguments, scratch.path());
        assert_eq!(finished.status.code(), Some(125), "{}", finished.stderr);
        assert!(finished.stderr.contains(why), "{}", finished.stderr);
    }
}

#[test]
fn a_program_called_conformance_is_run() {
    let scratch = Scratch::new("conformance");
    write(&scratch.path().join("conformance"), 7);
    assert_eq!(conformance(&[], scratch.path()).status.code(), Some(7));
}
