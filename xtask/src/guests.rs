//! `cargo xtask guests`: the guest programs that the repository holds as built files,
//! so that tests and examples need no cross compiler.
//!
//! A program is a C file whose first line is `/* build: FLAGS */`; its built file lies
//! beside it, without a suffix. Programs that test system calls print the same on any
//! architecture: what their native build prints lies beside them too, as `NAME.expected`.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const COMPILER: &str = "riscv64-linux-gnu-gcc";

/// The directories of guest programs, and whether what they print is kept.
const DIRECTORIES: [(&str, Expected); 4] = [
    ("examples/guest", Expected::Nothing),
    ("benches/kernels", Expected::Nothing),
    ("crates/vm/vdso", Expected::Nothing),
    ("crates/cli/tests/guest", Expected::NativeOutput),
];

#[derive(Clone, Copy, PartialEq)]
enum Expected {
    Nothing,
    NativeOutput,
}

/// Options of the task.
#[derive(clap::Args)]
pub struct Arguments {
    /// Change nothing; fail if a built file is not what its source gives
    #[arg(long)]
    check: bool,
    /// Only the programs with these names
    names: Vec<String>,
}

/// Runs the task.
///
/// # Errors
/// The cross compiler is missing, a program does not build, or (with `--check`) a built
/// file differs from what its source gives.
pub fn run(arguments: &Arguments) -> Result<()> {
    let compiler = version(COMPILER)
        .with_context(|| format!("{COMPILER} is needed: apt-get install gcc-riscv64-linux-gnu"))?;
    println!("compiler: {compiler}");
    let scratch = crate::workspace().join("target/guests");
    fs::create_dir_all(&scratch)?;
    let (mut passed, mut failed) = (0, 0);
    for (directory, expected) in DIRECTORIES {
        for source in sources(&crate::workspace().join(directory))? {
            let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if !arguments.names.is_empty() && !arguments.names.contains(&name) {
                continue;
            }
            let mut fresh = vec![(source.with_extension(""), cross(&source, &scratch)?)];
            if expected == Expected::NativeOutput {
                fresh.push((source.with_extension("expected"), native_output(&source, &scratch)?));
            }
            for (kept, bytes) in fresh {
                if !arguments.check {
                    write(&kept, &bytes)?;
                    passed += 1;
                } else if fs::read(&kept).is_ok_and(|old| old == bytes) {
                    passed += 1;
                } else {
                    failed += 1;
                    println!("{} is not what its source gives", kept.display());
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed != 0 {
        bail!("run `cargo xtask guests` with this compiler, and commit what changes");
    }
    Ok(())
}

/// The C files of a directory that are programs, by name.
pub fn sources(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == "c") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The flags that a source's first line names.
fn flags(source: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(source)?;
    let flags = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("/* build:")?.strip_suffix("*/"))
        .with_context(|| format!("{}: the first line names no flags", source.display()))?;
    Ok(flags.split_whitespace().map(str::to_owned).collect())
}

/// Builds for riscv64. Nothing of the result depends on where or when it was built.
fn cross(source: &Path, scratch: &Path) -> Result<Vec<u8>> {
    let built = scratch.join("riscv64");
    let reproducible = ["-s".to_owned(), "-Wl,--build-id=none".to_owned()];
    compile(COMPILER, source, &built, [flags(source)?, reproducible.to_vec()].concat())?;
    Ok(fs::read(built)?)
}

/// What a program prints on this machine, in an empty directory.
fn native_output(source: &Path, scratch: &Path) -> Result<Vec<u8>> {
    let built = scratch.join("native");
    let flags = flags(source)?.into_iter().filter(|flag| !flag.starts_with("-march"));
    compile("gcc", source, &built, flags.collect())?;
    let directory = scratch.join("empty");
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;
    let run = Command::new(&built)
        .current_dir(&directory)
        .stdin(Stdio::null())
        .env_clear()
        .output()
        .with_context(|| format!("cannot run {}", built.display()))?;
    if !run.status.success() {
        bail!("{} natively: {}", source.display(), run.status);
    }
    Ok(run.stdout)
}

fn compile(compiler: &str, source: &Path, output: &Path, flags: Vec<String>) -> Result<()> {
    let directory = source.parent().unwrap_or(Path::new("."));
    // Libraries go behind the sources that use them; the source is named without its
    // directory, which would otherwise be part of the result.
    let (libraries, flags): (Vec<_>, Vec<_>) =
        flags.into_iter().partition(|flag| flag.starts_with("-l"));
    let status = Command::new(compiler)
        .current_dir(directory)
        .args(flags)
        .arg("-Wall")
        .arg("-o")
        .arg(output)
        .arg(source.file_name().unwrap_or_default())
        .args(libraries)
        .status()
        .with_context(|| format!("cannot run {compiler}"))?;
    if !status.success() {
        bail!("{} does not build with {compiler}", source.display());
    }
    Ok(())
}

/// Writes a file, executable if it is an ELF file.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, bytes)?;
    let mode = if bytes.starts_with(b"\x7fELF") { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    println!("{}", path.display());
    Ok(())
}

/// The first line of a compiler's `--version`.
fn version(program: &str) -> Result<String> {
    let output = Command::new(program).arg("--version").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}
