//! Programs that end soon: a static one, and Debian's where its packages are unpacked.

use crate::bench::class::SHORT;
use crate::bench::kernels::host_flags;
use crate::bench::measure::Job;
use crate::build::{self, Places};
use anyhow::Result;
use std::ffi::OsString;
use std::path::Path;

/// A program of the packages that `cargo xtask programs` unpacks.
struct Packaged {
    name: &'static str,
    /// Below the root directory.
    program: &'static str,
    arguments: &'static [&'static str],
    /// Runs for one measurement.
    repeat: u64,
}

const HELLO: &str = "startup";
const HELLO_RUNS: u64 = 200;

const PACKAGED: [Packaged; 2] = [
    Packaged {
        name: "python",
        program: "usr/bin/python3",
        arguments: &["-S", "-c", "pass"],
        repeat: 5,
    },
    Packaged {
        name: "bash",
        program: "usr/bin/bash",
        arguments: &["-c", "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; echo $i"],
        repeat: 5,
    },
];

/// The jobs that are wanted and whose programs are there; says which are not there.
pub fn jobs(places: &Places, percent: u64, wanted: impl Fn(&str) -> bool) -> Result<Vec<Job>> {
    let class = &SHORT;
    let part = |runs: u64| (runs * percent / 100).max(1);
    let mut jobs = Vec::new();
    if wanted(HELLO) {
        let guest = places.root.join("examples/guest/hello");
        let source = guest.with_extension("c");
        let native = build::native(places, "hello", &source, &host_flags("-O2 -static"))?;
        jobs.push(Job {
            name: HELLO.into(),
            class,
            native: vec![native.into()],
            guest: vec![guest.into()],
            repeat: part(HELLO_RUNS),
        });
    }
    let [native_root, guest_root] =
        ["amd64", "riscv64"].map(|arch| places.output.with_file_name("programs").join(arch));
    for packaged in PACKAGED.iter().filter(|packaged| wanted(packaged.name)) {
        if [&native_root, &guest_root].iter().any(|root| !root.join(packaged.program).exists()) {
            eprintln!("note: no row {}: `cargo xtask programs` unpacks it", packaged.name);
            continue;
        }
        jobs.push(Job {
            name: packaged.name.into(),
            class,
            native: native_command(&native_root, packaged),
            guest: guest_command(&guest_root, packaged),
            repeat: part(packaged.repeat),
        });
    }
    Ok(jobs)
}

/// By the root's own dynamic linker, with its own libraries: the host may have others.
fn native_command(root: &Path, packaged: &Packaged) -> Vec<OsString> {
    let mut command = vec![
        root.join("usr/lib64/ld-linux-x86-64.so.2").into(),
        "--library-path".into(),
        root.join("usr/lib/x86_64-linux-gnu").into(),
    ];
    command.push(root.join(packaged.program).into());
    command.extend(packaged.arguments.iter().map(OsString::from));
    command
}

/// rvrun and QEMU share the option.
fn guest_command(root: &Path, packaged: &Packaged) -> Vec<OsString> {
    let mut command = vec!["-L".into(), root.into(), root.join(packaged.program).into()];
    command.extend(packaged.arguments.iter().map(OsString::from));
    command
}
