//! Where mutated programs run: they may issue any system call.
//!
//! A directory that has nothing but rvrun, this program and the guest programs is their
//! root. Namespaces of their own take processes, mounts and the network out of reach,
//! and a root user becomes nobody first.

use anyhow::{Context, Result, ensure};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the worker finds rvrun, inside.
pub const RVRUN: &str = "/rvrun";
/// Where it finds the programs.
pub const PROGRAMS: &str = "/programs";
/// Where it may write, and leaves the files that rvrun did not survive.
pub const SCRATCH: &str = "/scratch";
const WORKER: &str = "/worker";
const NOBODY: &str = "65534";

/// A directory that is gone with this.
pub struct Sandbox {
    root: PathBuf,
}

impl Sandbox {
    /// Makes a directory for worker number `number`.
    ///
    /// # Errors
    /// The host's.
    pub fn new(number: u64, rvrun: &Path) -> Result<Self> {
        // Not in the repository, where nobody might have no access.
        let name = format!("rvrun-hostile-{}-{number}", std::process::id());
        let sandbox = Self { root: std::env::temp_dir().join(name) };
        for (directory, mode) in
            [("", 0o755), ("proc", 0o755), (&PROGRAMS[1..], 0o755), (&SCRATCH[1..], 0o777)]
        {
            let path = sandbox.root.join(directory);
            fs::create_dir(&path)?;
            fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
        sandbox.copy(rvrun, RVRUN)?;
        sandbox.copy(&std::env::current_exe()?, WORKER)?;
        for program in rvrun_hostile::elf::programs()? {
            let name = program.file_name().unwrap_or_default().to_string_lossy();
            sandbox.copy(&program, &format!("{PROGRAMS}/{name}"))?;
        }
        Ok(sandbox)
    }

    fn copy(&self, from: &Path, to: &str) -> Result<()> {
        let to = self.path(to);
        fs::copy(from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        Ok(fs::set_permissions(&to, Permissions::from_mode(0o755))?)
    }

    /// Where a path of the inside is outside.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.join(&inside[1..])
    }

    /// This program, as a process that can reach nothing else.
    pub fn worker(&self) -> Command {
        let unshare = [
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "--mount-proc=/proc",
            "--pid",
            "--fork",
            "--kill-child",
            "--net",
            "--ipc",
            "--uts",
        ];
        let become_nobody =
            ["setpriv", "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"];
        let mut command = Command::new("env");
        command.arg("-i").arg(format!("PATH={}", std::env::var("PATH").unwrap_or_default()));
        if nix::unistd::geteuid().is_root() {
            command.args(become_nobody);
        }
        command.args(unshare).arg("--root").arg(&self.root).args([WORKER, "hostile"]);
        command.current_dir(&self.root);
        command
    }

    /// Whether this machine lets us have such processes.
    ///
    /// # Errors
    /// What it says if not.
    pub fn check(&self) -> Result<()> {
        let output = self.worker().arg("--help").output();
        let output = output.context("the sandbox needs env, setpriv and unshare (util-linux)")?;
        ensure!(
            output.status.success(),
            "mutated programs run in namespaces of their own, which this machine does not allow: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Whatever is left in the temporary directory does no harm.
        let _ = fs::remove_dir_all(&self.root);
    }
}
