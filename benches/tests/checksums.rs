//! Every kernel computes on each engine what it computes natively.

use rvrun_benches::{ENGINES, Kernel};
use std::collections::BTreeSet;
use std::path::Path;

/// A line a kernel: its name, and the checksum that it prints natively after one round.
const CHECKSUMS: &str = include_str!("../kernels/checksums.txt");

fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    CHECKSUMS.lines().map(|line| line.split_once(' ').expect("a name and a checksum"))
}

#[test]
fn kernels_compute_what_they_compute_natively() {
    for (name, checksum) in lines() {
        let kernel = Kernel::open(name).unwrap();
        for engine in ENGINES {
            let outcome = kernel.run(engine, 1);
            let output = String::from_utf8_lossy(&outcome.output);
            assert_eq!(output.trim_end(), checksum, "{name}, {}", engine.name);
            assert_eq!(outcome.status, 0, "{name}, {}", engine.name);
        }
    }
}

#[test]
fn every_kernel_is_built_and_has_a_checksum() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let sources: BTreeSet<String> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|file| file.strip_suffix(".c").map(str::to_owned))
        .collect();
    let listed: BTreeSet<String> = lines().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(sources, listed);
    for name in sources {
        assert!(directory.join(&name).is_file(), "{name} is not built");
    }
}
