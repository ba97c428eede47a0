//! A crate imports only from lower layers: the order of `docs/architecture.md`,
//! checked against `cargo metadata`.

use serde_json::Value;
use std::process::Command;

/// From the bottom up.
const LAYERS: [&str; 12] = [
    "rvrun-isa",
    "rvrun-decoder",
    "rvrun-host",
    "rvrun-memory",
    "rvrun-cache",
    "rvrun-hart",
    "rvrun-interp",
    "rvrun-jit",
    "rvrun-syscall",
    "rvrun",
    "rvrun-conformance",
    "rvrun-cli",
];

/// Who must not know whom although the order would allow it.
const STRANGERS: [(&str, &str); 4] = [
    ("rvrun-jit", "rvrun-interp"),
    ("rvrun-syscall", "rvrun-interp"),
    ("rvrun-syscall", "rvrun-jit"),
    ("rvrun-syscall", "rvrun-decoder"),
];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

#[test]
fn crates_import_only_from_lower_layers() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let layer = |name: &str| LAYERS.iter().position(|l| *l == name);
    let mut seen = 0;
    for package in packages {
        let path = text(&package["manifest_path"]);
        let name = text(&package["name"]);
        if !path.contains("/crates/") {
            continue;
        }
        let own = layer(name).unwrap_or_else(|| panic!("{name} has no place in the order"));
        seen += 1;
        for dependency in package["dependencies"].as_array().expect("a list of dependencies") {
            let other = text(&dependency["name"]);
            if dependency["kind"] == "dev" {
                continue;
            }
            if let Some(other_layer) = layer(other) {
                assert!(other_layer < own, "{name} imports {other}, which is not below it");
            }
            assert!(!STRANGERS.contains(&(name, other)), "{name} must not know {other}");
        }
    }
    assert_eq!(seen, LAYERS.len(), "a crate of the order is missing");
}

#[test]
fn the_newcomers_map_names_every_crate() {
    let map = include_str!("../../docs/architecture.md");
    for directory in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates")).unwrap() {
        let name = directory.unwrap().file_name().into_string().unwrap();
        assert!(
            map.contains(&format!("| `{name}`")),
            "docs/architecture.md does not explain {name}"
        );
    }
}
