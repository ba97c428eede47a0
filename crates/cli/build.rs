//! Has the linker put the functions next to one another that run in each short program, and the
//! constants that they need.
//!
//! `startup.order` lists them (`cargo xtask startup` writes it). The kernel maps a program's
//! text 64 KiB at a time, as it is touched: what a static hello executes of rvrun is half a
//! megabyte of seven, but was all over it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates whose constants a short program needs; other crates' are many, the vectors of the
/// conformance suite most of all.
const CRATES: [&str; 9] = [
    "rvrun_interp",
    "rvrun_host",
    "rvrun_hart",
    "rvrun_memory",
    "rvrun",
    "rvrun_cli",
    "std",
    "rvrun_cache",
    "rvrun_syscall",
];

/// Before the names of Rust's functions, each of which has a section of its own.
const MANGLED: [&str; 2] = ["_ZN", "_R"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=startup.order");
    if env::var("PROFILE").as_deref() != Ok("release") || !links_with_lld() {
        return;
    }
    let [from, to] =
        ["CARGO_MANIFEST_DIR", "OUT_DIR"].map(|name| env::var(name).expect("cargo says where"));
    let listed = fs::read_to_string(Path::new(&from).join("startup.order")).expect("it is there");
    let is_ours = |name: &&str| MANGLED.iter().any(|start| name.starts_with(start));
    let (ours, others): (Vec<&str>, Vec<&str>) = listed.lines().partition(is_ours);
    let write = |name: &str, text: String| -> PathBuf {
        let path = Path::new(&to).join(name);
        fs::write(&path, text).expect("cargo's folder for it can be written");
        path
    };
    let script = write("startup.ld", script(&ours));
    let order = write("startup.order", others.join("\n"));
    // Another compiler or other dependencies give functions other names: those stay where they are.
    let order = format!("--symbol-ordering-file={}", order.display());
    let script = format!("--script={}", script.display());
    for argument in [script.as_str(), order.as_str(), "--no-warn-symbol-ordering"] {
        println!("cargo:rustc-link-arg-bins=-Xlinker");
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}

/// What has the linker put these functions next to one another, and the constants of [`CRATES`]. A
/// list of symbols cannot do that: what the compiler uses in several of its units has a number
/// behind its name, another one with each change of the code.
fn script(names: &[&str]) -> String {
    let section = |name: &&str| {
        let unit = |start: &str| format!("*({start}.{name} {start}.{name}.llvm.*)\n");
        [".text", ".text.unlikely"].map(unit).concat()
    };
    let text: String = names.iter().map(section).collect();
    // The names of the compiler's files have those of crates, and the program's own no other.
    let files = CRATES.map(|name| format!("*.{name}-*"));
    let files = files.into_iter().chain(["*/rvrun-????????????????.????????????????-cgu*".into()]);
    let constants: String = files.map(|files| format!("{files}(.rodata .rodata.*)\n")).collect();
    [("text", text, "BEFORE"), ("rodata", constants, "AFTER")]
        .map(|(kind, sections, where_to)| {
            format!(
                "SECTIONS {{ .{kind}.startup : {{\n{sections}}} }} INSERT {where_to} .{kind};\n"
            )
        })
        .concat()
}

/// Whether the linker is the toolchain's own lld, as it is by default where there is one: others
/// do not know the option.
fn links_with_lld() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if env::var_os("RUSTC_LINKER").is_some()
        || ["-lld", "fuse-ld", "linker="].iter().any(|f| flags.contains(f))
    {
        return false;
    }
    let (Ok(rustc), Ok(target)) = (env::var("RUSTC"), env::var("TARGET")) else { return false };
    let Ok(output) = Command::new(rustc).args(["--print", "sysroot"]).output() else {
        return false;
    };
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Path::new(&sysroot).join("lib/rustlib").join(target).join("bin/gcc-ld/ld.lld").exists()
}
