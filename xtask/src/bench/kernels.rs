//! The kernels: what their sources' first lines say of them.

use crate::bench::class::Class;
use crate::bench::measure::Job;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

/// A kernel's source and its guest program.
pub struct Kernel {
    /// The file's name without `.c`.
    pub name: String,
    /// The C source.
    pub source: PathBuf,
    /// How to build it for the host.
    pub flags: Vec<String>,
    class: &'static Class,
    guest: PathBuf,
    rounds: u64,
}

impl Kernel {
    /// The kernels in `directory`, class by class.
    pub fn all(directory: &Path) -> Result<Vec<Self>> {
        let mut kernels = Vec::new();
        let entries =
            directory.read_dir().with_context(|| format!("cannot read {}", directory.display()))?;
        for entry in entries {
            let source = entry?.path();
            if source.extension().is_some_and(|extension| extension == "c") {
                let kernel = Self::read(&source);
                kernels.push(kernel.with_context(|| source.display().to_string())?);
            }
        }
        kernels.sort_by(|a, b| (a.class.place(), &a.name).cmp(&(b.class.place(), &b.name)));
        Ok(kernels)
    }

    fn read(source: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(source)?;
        let name = source.file_stem().and_then(|n| n.to_str()).context("has no name")?.to_owned();
        let flags = comment(&text, "build").context("does not say how to build it")?;
        let class = comment(&text, "class").context("does not name its class")?;
        let class = Class::of_name(class).with_context(|| format!("unknown class {class}"))?;
        let guest = source.with_extension("");
        ensure!(guest.is_file(), "is not built for RISC-V: cargo xtask guests does that");
        Ok(Self {
            name,
            source: source.into(),
            flags: host_flags(flags),
            class,
            guest,
            rounds: default_rounds(&text).context("does not define DEFAULT_ROUNDS")?,
        })
    }

    /// The kernel's measurement, with a part of its rounds.
    pub fn job(self, native: PathBuf, percent: u64) -> Job {
        let rounds = (self.rounds * percent / 100).max(1).to_string();
        Job {
            name: self.name,
            class: self.class,
            native: vec![native.into(), rounds.clone().into()],
            guest: vec![self.guest.into(), rounds.into()],
            repeat: 1,
        }
    }
}

/// What a line `/* key: value */` among the first two says.
fn comment<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().take(2).find_map(|line| {
        let inside = line.strip_prefix("/* ")?.strip_suffix(" */")?;
        inside.strip_prefix(key)?.strip_prefix(": ")
    })
}

fn default_rounds(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("#define DEFAULT_ROUNDS "))?;
    line.trim().parse().ok()
}

/// All flags but the choice of a RISC-V machine.
pub fn host_flags(flags: &str) -> Vec<String> {
    let of_riscv = |flag: &&str| flag.starts_with("-march=rv") || flag.starts_with("-mabi=");
    flags.split_whitespace().filter(|flag| !of_riscv(flag)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::class::{CLASSES, REAL, SHORT};

    #[test]
    fn the_first_lines_of_a_source_are_understood() {
        let text = "/* build: -O2 -march=rv64gc */\n/* class: calls */\n#define DEFAULT_ROUNDS 7\n";
        assert_eq!(comment(text, "build"), Some("-O2 -march=rv64gc"));
        assert_eq!(comment(text, "class"), Some("calls"));
        assert_eq!(host_flags("-O2 -march=rv64gc"), ["-O2"]);
        assert_eq!(default_rounds(text), Some(7));
        assert_eq!(comment("int main;\n", "build"), None);
    }

    #[test]
    fn the_kernels_of_the_repository_are_of_all_classes() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/kernels");
        let kernels = Kernel::all(&directory).unwrap();
        for class in CLASSES.iter().filter(|class| ![&REAL, &SHORT].contains(class)) {
            assert!(kernels.iter().any(|k| k.class == class), "no kernel of class {}", class.name);
        }
    }
}
