//! The two sides of the comparison: a root directory each, and how a script runs there.

use super::c_source;
use super::cases::INPUTS;
use crate::sysroot;
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// Packages that both sides have.
const PACKAGES: [&str; 20] = [
    "busybox-static",
    "coreutils",
    "bash",
    "sed",
    "gawk",
    "grep",
    "perl",
    "lua5.4",
    "sqlite3",
    "python3",
    "xz-utils",
    "zstd",
    "gzip",
    "openssl",
    "dash",
    "diffutils",
    "findutils",
    "libc-bin",
    "procps",
    "psmisc",
];
/// What a script may take, as `timeout(1)` has it.
const LIMIT: [&str; 3] = ["--kill-after=5", "300", "env"];
/// Files that maintainer scripts would write.
const USERS: [(&str, &str); 2] =
    [("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"), ("etc/group", "root:x:0:\n")];
/// Every input's time of modification: scripts print it.
const MODIFIED: Duration = Duration::from_secs(1_600_000_000);

/// One side.
pub struct Side {
    name: &'static str,
    root: PathBuf,
    /// The compiler, as the side's programs name it.
    cc1: &'static str,
    launch: Launch,
}

/// How a program of the root is started.
enum Launch {
    /// By the host, which it is for.
    Chroot,
    /// By this rvrun, with these options.
    Rvrun(PathBuf, Vec<String>),
}

/// What a script did.
#[derive(PartialEq, Eq)]
pub struct Outcome {
    /// Its exit status, in words.
    pub status: String,
    /// What it printed.
    pub stdout: String,
    /// What it complained.
    pub stderr: String,
}

impl Side {
    /// The host's own side.
    ///
    /// # Errors
    /// The packages are not to be had.
    pub fn native(directory: &Path, mirror: Option<&str>) -> Result<Self> {
        let root = root(directory, "amd64", "cpp-14-riscv64-linux-gnu", mirror)?;
        let cc1 = "/usr/libexec/gcc-cross/riscv64-linux-gnu/14/cc1";
        Ok(Self { name: "native", root, cc1, launch: Launch::Chroot })
    }

    /// rvrun's side.
    ///
    /// # Errors
    /// As [`Side::native`].
    pub fn guest(
        directory: &Path,
        mirror: Option<&str>,
        rvrun: PathBuf,
        options: Vec<String>,
    ) -> Result<Self> {
        let root = root(directory, "riscv64", "cpp-14", mirror)?;
        let cc1 = "/usr/libexec/gcc/riscv64-linux-gnu/14/cc1";
        Ok(Self { name: "rvrun", root, cc1, launch: Launch::Rvrun(rvrun, options) })
    }

    /// Runs a script in a new directory of its own, one for each `worker`.
    ///
    /// # Errors
    /// The side cannot run any script.
    pub fn run(&self, script: &str, worker: usize) -> Result<Outcome> {
        let directory = format!("/case/{worker}");
        let place = self.root.join(&directory[1..]);
        prepare(&place)?;
        let mut command = Command::new("timeout");
        command.args(LIMIT).arg("-i").current_dir(&place).stdin(Stdio::null());
        for (key, value) in [
            ("PATH", "/usr/bin:/bin"),
            ("LC_ALL", "C"),
            ("TZ", "UTC0"),
            ("HOME", "/case"),
            ("PYTHONUTF8", "1"),
            ("CC1", self.cc1),
        ] {
            command.arg(format!("{key}={value}"));
        }
        match &self.launch {
            Launch::Rvrun(rvrun, options) => {
                command.arg(rvrun).args(options).arg("--sysroot").arg(&self.root);
                command.args(["bash", "-c", script]);
            }
            Launch::Chroot => {
                let enter = "for d in dev proc; do mount --rbind /$d \"$1/$d\" || exit 125; done; \
                             exec chroot \"$1\" /bin/bash -c 'cd \"$1\" && exec bash -c \"$2\"' - \"$2\" \"$3\"";
                let path = std::env::var_os("PATH").unwrap_or_default();
                let mut assignment =
                    std::ffi::OsString::from("PATH=/usr/bin:/usr/sbin:/bin:/sbin:");
                assignment.push(path);
                command.arg(assignment).args(["unshare", "--mount"]);
                if !nix::unistd::geteuid().is_root() {
                    command.arg("--map-root-user");
                }
                command.args(["sh", "-c", enter, "-"]).arg(&self.root).args([&directory, script]);
            }
        }
        let output = command.output().context("cannot run `timeout`, of the coreutils")?;
        ensure!(output.status.code() != Some(125), "{}: {}", self.name, text(&output.stderr));
        Ok(Outcome {
            status: output.status.to_string(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        })
    }
}

/// Makes the root of an architecture, unless it is there with all its packages.
fn root(directory: &Path, arch: &str, compiler: &str, mirror: Option<&str>) -> Result<PathBuf> {
    let root = directory.join(arch);
    let packages = [PACKAGES.as_slice(), &[compiler]].concat();
    let stamp = directory.join(format!("{arch}.packages"));
    if !fs::read_to_string(&stamp).is_ok_and(|made| made == packages.join(" ")) {
        sysroot::unpack(&root, &packages, arch, "trixie", mirror)?;
        for directory in ["case", "tmp", "dev", "proc"] {
            fs::create_dir_all(root.join(directory))?;
        }
        for (file, line) in USERS {
            fs::write(root.join(file), line)?;
        }
        fs::write(&stamp, packages.join(" "))?;
    }
    Ok(root.canonicalize()?)
}

/// Makes an empty directory and puts the inputs into it.
fn prepare(place: &Path) -> Result<()> {
    if place.exists() {
        fs::remove_dir_all(place)?;
    }
    fs::create_dir_all(place)?;
    let source = c_source::text();
    for (name, content) in INPUTS.into_iter().chain([("big.c", source.as_str())]) {
        let path = place.join(name);
        fs::write(&path, content)?;
        File::options().write(true).open(path)?.set_modified(SystemTime::UNIX_EPOCH + MODIFIED)?;
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
