//! What fuzzers begin with, and what they have found, is survived.

use rvrun_hostile::bytes::TARGETS;
use std::fs;
use std::path::Path;

#[test]
fn seeds_and_findings_are_survived() {
    let package = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz"));
    let mut failed = Vec::new();
    for (name, target) in TARGETS {
        let mut count = 0;
        for directory in ["seeds", "found"] {
            // What has no findings has no directory for them.
            let files = fs::read_dir(package.join(directory).join(name)).into_iter().flatten();
            for file in files {
                let path = file.unwrap().path();
                let bytes = fs::read(&path).unwrap();
                count += 1;
                if std::panic::catch_unwind(|| target(&bytes)).is_err() {
                    failed.push(path);
                }
            }
        }
        assert!(count > 0, "{name} has no seeds");
    }
    assert!(failed.is_empty(), "not survived: {failed:#?}");
}
