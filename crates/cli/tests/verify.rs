//! `--verify` finds what is wrong with translated code, and nothing where nothing is.
//!
//! The faults are planted behind the lowering (`crates/jit/src/planted.rs`), by name.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Finished, RVRUN, Scratch};

/// What can be planted, and what is said of it.
const FAULTS: [(&str, &str); 14] = [
    ("sign-extension", ", interpreted 0x"),
    ("narrow-load", ", interpreted 0x"),
    ("arithmetic-shift", ", interpreted 0x"),
    ("high-product", ", interpreted 0x"),
    ("float-difference", ", interpreted 0x"),
    ("dropped-store", "memory at 0x"),
    ("store-too-far", "memory at 0x"),
    ("stale-integer-at-exit", ", interpreted 0x"),
    ("stale-float-at-exit", ", interpreted 0x"),
    ("wrong-flag", "fflags: 0x1, interpreted 0x0"),
    ("unsigned-comparison", ", interpreted 0x"),
    ("branch-inverted", ", interpreted 0x"),
    ("constant-too-large", ", interpreted 0x"),
    ("atomic-difference", "memory at 0x"),
];

fn guest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guest").join(name)
}

fn run(options: &[&str], program: &Path, fault: Option<&str>, scratch: &Scratch) -> Finished {
    let mut command = Command::new(RVRUN);
    command.args(options).arg(program).current_dir(scratch.path()).env_clear();
    if let Some(fault) = fault {
        command.env("RVRUN_PLANTED_FAULT", fault);
    }
    support::run(&mut command).unwrap()
}

fn replay(bundle: &Path, fault: Option<&str>, scratch: &Scratch) -> Finished {
    run(&["replay"], bundle, fault, scratch)
}

#[test]
fn each_fault_is_found_and_shown_again() {
    for (fault, what) in FAULTS {
        let scratch = Scratch::new("verify");
        let options = ["--hot=1", "--chaos=1", "--verify=1/1", "--verify-output=found.json"];
        let finished = run(&options, &guest("mixture"), Some(fault), &scratch);
        let said = &finished.stderr;
        assert_eq!(finished.status.code(), Some(125), "{fault}: {said}");
        assert!(said.contains("does not do what the interpreter does"), "{fault}: {said}");
        assert!(said.contains(what), "{fault}: {said}");
        let bundle = scratch.path().join("found.json");
        let again = replay(&bundle, Some(fault), &scratch);
        assert_eq!(again.status.code(), Some(1), "{fault}: {}{}", again.stdout, again.stderr);
        assert!(again.stdout.contains(what), "{fault}: {}", again.stdout);
        let sound = replay(&bundle, None, &scratch);
        assert_eq!(sound.status.code(), Some(0), "{fault}: {}{}", sound.stdout, sound.stderr);
        assert_eq!(sound.stdout, "the engines agree\n");
    }
}

#[test]
fn nothing_is_found_wherever_one_looks() {
    let scratch = Scratch::new("verify");
    let options = ["--hot=1", "--chaos=1", "--verify=1/1"];
    let finished = run(&options, &guest("mixture"), None, &scratch);
    let expected = fs::read_to_string(guest("mixture.expected")).unwrap();
    assert_eq!(finished.stdout, expected, "{}", finished.stderr);
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let scratch = Scratch::new("verify");
    let ways: [&[&str]; 4] = [
        &["--hot=1", "--verify=1/300"],
        &["--hot=100", "--verify"],
        &["--engine=jit", "--region-limit=100", "--inline-limit=20", "--verify=1/300"],
        &["--hot=1", "--chaos=1", "--code-memory=256", "--region-limit=60", "--verify=1/200"],
    ];
    for name in ["mixture", "control", "changing_code", "signals_faults", "threads"] {
        let expected = fs::read_to_string(guest(name).with_extension("expected")).unwrap();
        for options in ways {
            let finished = run(options, &guest(name), None, &scratch);
            assert_eq!(finished.stdout, expected, "{name} {options:?}: {}", finished.stderr);
            assert!(finished.status.success(), "{name} {options:?}: {}", finished.stderr);
        }
    }
}

#[test]
fn what_is_no_bundle_is_refused() {
    let scratch = Scratch::new("verify");
    let file = scratch.path().join("bundle");
    for (text, why) in [
        ("", "EOF"),
        ("{}", "rvrun-difference-1"),
        (r#"{"format": "rvrun-difference-1"}"#, "extensions"),
        (r#"{"format": "rvrun-difference-1", "extensions": ["zz"]}"#, "`zz`"),
    ] {
        fs::write(&file, text).unwrap();
        let finished = replay(&file, None, &scratch);
        assert_eq!(finished.status.code(), Some(125), "{}", finished.stderr);
        assert!(finished.stderr.contains(why), "{}", finished.stderr);
    }
    let missing = replay(&scratch.path().join("missing"), None, &scratch);
    assert_eq!(missing.status.code(), Some(125));
    assert!(missing.stderr.contains("missing"));
}
