//! A hash of what the host code of translations depends on, for those that outlive the process.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// Crates that say what is translated, how, and what translations find where; and the same of the
/// interpreter's host code, which is kept beside them. Where they are not beside this one, its
/// version says which they are.
const CRATES: [&str; 7] = ["isa", "decoder", "host", "memory", "hart", "interp", "jit"];

fn files(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { files(&path, found)? } else { found.push(path) }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let own = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut hasher = DefaultHasher::new();
    env::var_os("CARGO_PKG_VERSION").hash(&mut hasher);
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Command::new(rustc).arg("-vV").output()?.stdout.hash(&mut hasher);
    println!("cargo:rerun-if-changed=build.rs");
    // All dependencies' versions, Cranelift's above all.
    let lock = own.join("../../Cargo.lock");
    if lock.is_file() {
        println!("cargo:rerun-if-changed={}", lock.display());
        fs::read(lock)?.hash(&mut hasher);
    }
    for name in CRATES {
        let source = own.join("..").join(name).join("src");
        if !source.is_dir() {
            continue;
        }
        println!("cargo:rerun-if-changed={}", source.display());
        let mut found = Vec::new();
        files(&source, &mut found)?;
        found.sort();
        for path in found {
            path.strip_prefix(&own).unwrap_or(&path).hash(&mut hasher);
            fs::read(&path)?.hash(&mut hasher);
        }
    }
    println!("cargo:rustc-env=RVRUN_TRANSLATOR={:016x}", hasher.finish());
    Ok(())
}
