//! The guest programs do what their sources say, inside of the embedding examples.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn guest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guest").join(name)
}

/// An example, which cargo builds beside the directory of this test.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().with_file_name("examples").join(name);
    assert!(path.exists(), "{} is built by `cargo test -p rvrun-examples`", path.display());
    Command::new(path)
}

fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn hello_says_what_it_was_told() {
    let output = run(example("embed").arg(guest("hello")).args(["brave", "world"]), "");
    assert_eq!(text(&output.stdout), "Hello from RISC-V, brave world!\n");
    assert_eq!(text(&output.stderr), "the guest exited with status 0\n");
    assert!(output.status.success());
}

#[test]
fn calc_reads_expressions_from_standard_input() {
    let input = "1 + 2 * 3\n2 ^ 3 ^ 2\nx = 7 % 4\nsqrt(x + 6) / -4\n(1 / 3)\n";
    let output = run(example("embed").arg(guest("calc")), input);
    assert_eq!(text(&output.stdout), "7\n512\n3\n-0.75\n0.333333333333333\n");
    assert!(output.status.success());

    let output = run(example("embed").arg(guest("calc")), "2 +\n3\n");
    assert_eq!(text(&output.stdout), "3\n");
    assert!(text(&output.stderr).contains("calc: cannot understand: "));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn greet_runs_where_its_libraries_are() {
    const LINKER: &str = "lib/ld-linux-riscv64-lp64d.so.1";
    let output = run(example("embed").arg(guest("greet")), "");
    if rvrun::default_sysroots().any(|directory| directory.join(LINKER).exists()) {
        let hello = "Hello, embedder, on riscv64 with glibc ";
        assert!(text(&output.stdout).starts_with(hello), "{output:?}");
    } else {
        assert!(text(&output.stderr).contains(LINKER), "{output:?}");
        assert!(!output.status.success());
    }
}

#[test]
fn what_cannot_be_run_is_an_error() {
    let output = run(example("embed").arg(guest("hello.c")), "");
    assert!(text(&output.stderr).contains("hello.c: permission denied"), "{output:?}");
    assert!(!output.status.success());
}

#[test]
fn system_calls_are_counted() {
    let output = run(example("count_syscalls").arg(guest("hello")), "");
    assert_eq!(text(&output.stdout), "Hello from RISC-V!\n");
    let report = text(&output.stderr);
    let count = |name: &str| report.lines().find(|line| line.ends_with(&format!(" {name}")));
    assert_eq!(count("write").map(str::trim), Some("1 write"), "{report}");
    assert_eq!(count("exit_group").map(str::trim), Some("1 exit_group"), "{report}");
    assert!(report.ends_with("Status(0)\n"), "{report}");
}
