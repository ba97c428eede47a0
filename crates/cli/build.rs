//! Has the linker put the functions next to one another that run in each short program.
//!
//! `startup.order` lists them (`cargo xtask startup` writes it). The kernel maps a program's
//! text 64 KiB at a time, as it is touched: what a static hello executes of rvrun is half a
//! megabyte of seven, but was all over it.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=startup.order");
    if env::var("PROFILE").as_deref() != Ok("release") || !links_with_lld() {
        return;
    }
    let directory = env::var("CARGO_MANIFEST_DIR").expect("cargo says where the package is");
    let order = Path::new(&directory).join("startup.order");
    let order = format!("--symbol-ordering-file={}", order.display());
    // Another compiler or other dependencies give functions other names: those stay where they are.
    for argument in [order.as_str(), "--no-warn-symbol-ordering"] {
        println!("cargo:rustc-link-arg-bins=-Xlinker");
        println!("cargo:rustc-link-arg-bins={argument}");
    }
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
