//! Debian's programs, where its packages are unpacked: what they do, and how they start.

use crate::bench::class::{Class, REAL, SHORT};
use crate::bench::measure::Job;
use crate::build::Places;
use crate::programs::c_source;
use anyhow::Result;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A program of the packages that `cargo xtask programs` unpacks.
struct Packaged {
    name: &'static str,
    class: &'static Class,
    /// Below the root directories, native and guest.
    programs: [&'static str; 2],
    /// `WORK` stands for the directory of scripts, `INPUT` for that of made files.
    arguments: &'static [&'static str],
    /// Runs for one measurement.
    repeat: u64,
}

const fn real(
    name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
) -> Packaged {
    Packaged { name, class: &REAL, programs: [program; 2], arguments, repeat: 1 }
}

const fn short(
    name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    repeat: u64,
) -> Packaged {
    Packaged { name, class: &SHORT, programs: [program; 2], arguments, repeat }
}

const LOOP: &str = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; echo $i";

const PROGRAMS: [Packaged; 10] = [
    real("python", "usr/bin/python3", &["WORK/work.py"]),
    real("lua", "usr/bin/lua5.4", &["WORK/work.lua"]),
    real("sqlite", "usr/bin/sqlite3", &[":memory:", ".read WORK/work.sql"]),
    real("perl", "usr/bin/perl", &["WORK/work.pl"]),
    real("zstd", "usr/bin/zstd", &["-q", "-6", "-c", "INPUT/text"]),
    real("xz", "usr/bin/xz", &["-T1", "-1", "-c", "INPUT/text"]),
    // The compiler for RISC-V, on either machine.
    Packaged {
        name: "cc1",
        class: &REAL,
        programs: [
            "usr/libexec/gcc-cross/riscv64-linux-gnu/14/cc1",
            "usr/libexec/gcc/riscv64-linux-gnu/14/cc1",
        ],
        arguments: &["-quiet", "-O2", "INPUT/source.c", "-o", "-"],
        repeat: 1,
    },
    short("true", "usr/bin/true", &[], 50),
    short("python-start", "usr/bin/python3", &["-S", "-c", "pass"], 5),
    short("bash", "usr/bin/bash", &["-c", LOOP], 5),
];

/// Bytes of the text that is compressed.
const TEXT_BYTES: usize = 12 << 20;

/// The jobs that are wanted and whose programs are there; says which are not there.
pub fn jobs(places: &Places, percent: u64, wanted: impl Fn(&str) -> bool) -> Result<Vec<Job>> {
    let [native_root, guest_root] =
        ["amd64", "riscv64"].map(|arch| places.output.with_file_name("programs").join(arch));
    let input = places.output.join("input");
    let work = places.root.join("benches/programs");
    let mut jobs = Vec::new();
    for packaged in PROGRAMS.iter().filter(|packaged| wanted(packaged.name)) {
        let [native, guest] = packaged.programs;
        let (native, guest) = (native_root.join(native), guest_root.join(guest));
        if ![&native, &guest].iter().all(|program| program.exists()) {
            eprintln!("note: no row {}: `cargo xtask programs` unpacks it", packaged.name);
            continue;
        }
        let argument = |argument: &&str| -> OsString {
            let [work, input] = [&work, &input].map(|path| path.display().to_string());
            argument.replace("WORK", &work).replace("INPUT", &input).into()
        };
        let arguments: Vec<OsString> = packaged.arguments.iter().map(argument).collect();
        // rvrun and QEMU share the option.
        jobs.push(Job {
            name: packaged.name.into(),
            class: packaged.class,
            native: [native_command(&native_root, native), arguments.clone()].concat(),
            guest: [vec!["-L".into(), (&guest_root).into(), guest.into()], arguments].concat(),
            repeat: (packaged.repeat * percent / 100).max(1),
        });
    }
    if !jobs.is_empty() {
        make_input(&input)?;
    }
    Ok(jobs)
}

/// By the root's own dynamic linker, with its own libraries: the host may have others.
fn native_command(root: &Path, program: PathBuf) -> Vec<OsString> {
    vec![
        root.join("usr/lib64/ld-linux-x86-64.so.2").into(),
        "--library-path".into(),
        root.join("usr/lib/x86_64-linux-gnu").into(),
        program.into(),
    ]
}

/// Puts the files there that the programs read.
fn make_input(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    let text = directory.join("text");
    if !fs::metadata(&text).is_ok_and(|metadata| metadata.len() == TEXT_BYTES as u64) {
        fs::write(&text, some_text(TEXT_BYTES))?;
    }
    fs::write(directory.join("source.c"), c_source::text())?;
    Ok(())
}

/// Lines like those of a log: what is in them comes again, but not at once.
fn some_text(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 100);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 32) % bound
    };
    let mut second = 0;
    while text.len() < bytes {
        second += below(3);
        let (user, item, size) = (below(5000), below(300) * below(300), below(100_000));
        writeln!(text, "{second:08} user{user} GET /item/{item:05}?page={} {size}", size % 7)
            .expect("a String takes all");
    }
    text.truncate(bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_always_the_same() {
        let text = some_text(1000);
        assert_eq!(text.len(), 1000);
        assert_eq!(text, some_text(2000)[..1000]);
    }

    #[test]
    fn scripts_that_programs_want_are_there() {
        let work = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/programs");
        let scripts =
            PROGRAMS.iter().flat_map(|program| program.arguments).filter_map(|argument| {
                argument.strip_prefix("WORK/").or(argument.strip_prefix(".read WORK/"))
            });
        let scripts: Vec<&str> = scripts.collect();
        assert_eq!(scripts.len(), 4);
        assert!(scripts.iter().all(|script| work.join(script).is_file()));
    }
}
