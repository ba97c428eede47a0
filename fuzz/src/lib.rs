//! What the fuzz targets have in common. What is tested is in `hostile::bytes`.
//!
//! A fault of the VM's own ends the process by a signal that rvrun's handler has taken over
//! from libFuzzer's. So a target keeps its input in a file before it runs it, if
//! `RVRUN_FUZZ_INPUT` names one: `cargo xtask fuzz` looks there if libFuzzer has left nothing.

#![forbid(unsafe_code)]

use rvrun_hostile::bytes::Target;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// Keeps the input, and runs the target.
pub fn run(target: Target, input: &[u8]) {
    static KEPT: OnceLock<Option<File>> = OnceLock::new();
    let file = KEPT.get_or_init(|| {
        let path = std::env::var_os("RVRUN_FUZZ_INPUT")?;
        Some(File::create(path).expect("the file for inputs can be made"))
    });
    if let Some(file) = file {
        file.set_len(input.len() as u64)
            .and_then(|()| file.write_all_at(input, 0))
            .expect("inputs can be kept");
    }
    target(input);
}

/// The program that libFuzzer runs, for the target of this name.
#[macro_export]
macro_rules! fuzz_target {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(|input: &[u8]| {
            static TARGET: std::sync::OnceLock<rvrun_hostile::bytes::Target> =
                std::sync::OnceLock::new();
            let target = TARGET.get_or_init(|| rvrun_hostile::bytes::target($name));
            $crate::run(*target, input);
        });
    };
}
