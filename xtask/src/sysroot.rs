//! `cargo xtask sysroot`: Debian packages of another architecture, with all that they
//! depend on, unpacked into a directory.
//!
//! apt works on private lists, so it needs neither root nor a change to this machine;
//! packages are unpacked, not installed: their maintainer scripts do not run.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

/// Packages that every root needs: the links `/lib` and `/bin`, and the C library.
const ALWAYS: [&str; 2] = ["base-files", "libc6"];
/// How often the lists are asked for, and the time between: a mirror's update takes minutes.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_secs(30);
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Options of the task.
#[derive(clap::Args)]
pub struct Arguments {
    /// The directory to unpack into; it is made if it is not there
    directory: PathBuf,
    /// The packages, by Debian's names
    #[arg(required = true)]
    packages: Vec<String>,
    /// The packages' architecture, by Debian's name
    #[arg(long, default_value = "riscv64")]
    arch: String,
    /// The Debian release
    #[arg(long, default_value = "trixie")]
    suite: String,
    /// Where Debian's packages come from [default: where this machine gets its own]
    #[arg(long)]
    mirror: Option<String>,
}

/// Runs the task.
///
/// # Errors
/// apt is missing, knows no mirror or no such package, or a package does not unpack.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { directory, packages, arch, suite, mirror } = arguments;
    let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
    unpack(directory, &packages, arch, suite, mirror.as_deref())
}

/// Unpacks packages and what they depend on into `directory`.
///
/// # Errors
/// As [`run`].
pub fn unpack(
    directory: &Path,
    packages: &[&str],
    arch: &str,
    suite: &str,
    mirror: Option<&str>,
) -> Result<()> {
    for tool in ["apt-get", "dpkg"] {
        if Command::new(tool).arg("--version").output().is_err() {
            bail!(
                "{tool} is not on this machine. Where Debian or a container of it is at hand, run \
                 `debootstrap --foreign --arch={arch} {suite} DIR` there and copy DIR, or use the \
                 root directory of any {arch} system: rvrun takes it by --sysroot"
            );
        }
    }
    let mirror = match mirror {
        Some(mirror) => mirror.to_owned(),
        None => own_mirror()?,
    };
    let apt = Apt::with_lists(arch, suite, &mirror)?;
    let wanted: Vec<&str> = ALWAYS.iter().chain(packages).copied().collect();
    let files = apt.files(&wanted)?;
    apt.run(
        &[&["install", "-qq", "--yes", "--download-only"], wanted.as_slice()].concat(),
        "cannot get the packages",
    )?;
    fs::create_dir_all(directory)?;
    for file in &files {
        let archive = apt.archives().join(file);
        let status = Command::new("dpkg").arg("-x").arg(&archive).arg(directory).status()?;
        if !status.success() {
            bail!("{} does not unpack", archive.display());
        }
    }
    println!("{} packages for {arch} in {}", files.len(), directory.display());
    Ok(())
}

/// The mirror from which this machine gets Debian's own packages.
fn own_mirror() -> Result<String> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)"])
        .output()?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("Debian Debian "))
        .map(str::to_owned)
        .context(
            "this machine's apt names no mirror of Debian: run `apt-get update`, or name one with --mirror",
        )
}

/// apt with a state of its own for one architecture and release. Lists and packages are
/// kept among the user's caches, so that the next root costs no second download.
struct Apt {
    state: PathBuf,
}

impl Apt {
    /// Gets the lists of packages. Mirrors serve a release by its name and by its part
    /// ("stable"), and may be in the midst of an update with one of the two.
    fn with_lists(arch: &str, suite: &str, mirror: &str) -> Result<Self> {
        for rest in (0..TRIES).rev() {
            for name in [suite, "stable", "oldstable", "testing"] {
                let apt = Self::new(arch, name, mirror)?;
                let updated = apt.run(&["update", "-qq", "--error-on=any"], "no lists");
                if updated.is_ok() && (name == suite || apt.release()? == suite) {
                    return Ok(apt);
                }
            }
            if rest > 0 {
                eprintln!(
                    "no lists of packages of {suite} for {arch}; once more in {} s, {rest} tries left",
                    PAUSE.as_secs()
                );
                thread::sleep(PAUSE);
            }
        }
        bail!(
            "cannot get the lists of packages of {suite} for {arch} from {mirror}: apt says why \
             above. If it is in the midst of an update, try again later, or name another mirror"
        )
    }

    /// The name of the release that the lists are of.
    fn release(&self) -> Result<String> {
        let output = self.command().args(["indextargets", "--format", "$(CODENAME)"]).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
    }

    fn new(arch: &str, suite: &str, mirror: &str) -> Result<Self> {
        if !Path::new(KEYRING).exists() {
            bail!("Debian's keys are missing: install the package debian-archive-keyring");
        }
        let state = cache_directory()?.join(format!("rvrun/apt-{suite}-{arch}"));
        for directory in ["lists/partial", "archives/partial", "none"] {
            fs::create_dir_all(state.join(directory))?;
        }
        let at = state.display();
        fs::write(state.join("status"), "")?;
        fs::write(
            state.join("sources.list"),
            format!("deb [arch={arch} signed-by={KEYRING}] {mirror} {suite} main\n"),
        )?;
        fs::write(
            state.join("apt.conf"),
            format!(
                "APT::Architecture \"{arch}\";\n\
                 APT::Architectures {{ \"{arch}\"; }};\n\
                 APT::Install-Recommends \"false\";\n\
                 APT::Sandbox::User \"\";\n\
                 Acquire::Languages \"none\";\n\
                 Acquire::Retries \"3\";\n\
                 Dir::State \"{at}\";\n\
                 Dir::State::status \"{at}/status\";\n\
                 Dir::State::lists \"{at}/lists\";\n\
                 Dir::Cache \"{at}\";\n\
                 Dir::Cache::archives \"{at}/archives\";\n\
                 Dir::Etc::sourcelist \"{at}/sources.list\";\n\
                 Dir::Etc::sourceparts \"{at}/none\";\n\
                 Dir::Etc::preferences \"{at}/none/preferences\";\n\
                 Dir::Etc::preferencesparts \"{at}/none\";\n"
            ),
        )?;
        Ok(Self { state })
    }

    fn archives(&self) -> PathBuf {
        self.state.join("archives")
    }

    fn command(&self) -> Command {
        let mut command = Command::new("apt-get");
        command.env("APT_CONFIG", self.state.join("apt.conf")).env("LC_ALL", "C");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    }

    fn run(&self, arguments: &[&str], failure: &str) -> Result<()> {
        let status = self.command().args(arguments).stdout(std::io::stderr()).status()?;
        if !status.success() {
            bail!("{failure}: apt says why above");
        }
        Ok(())
    }

    /// The names of the archives of `packages` and of all that they depend on.
    fn files(&self, packages: &[&str]) -> Result<Vec<String>> {
        // apt leaves out what is in its archives already: let it look into an empty place.
        let nothing = format!("Dir::Cache::archives={}/none", self.state.display());
        let output = self
            .command()
            .args(["-o", &nothing, "install", "-qq", "--yes", "--print-uris"])
            .args(packages)
            .output()?;
        if !output.status.success() {
            bail!("apt cannot install these: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        // 'URI' FILE SIZE HASH
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().filter_map(|line| line.split(' ').nth(1)).map(str::to_owned).collect())
    }
}

/// The user's directory for caches (XDG Base Directory Specification).
fn cache_directory() -> Result<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").filter(|name| !name.is_empty());
    match named {
        Some(name) => Ok(name.into()),
        None => std::env::home_dir()
            .map(|home| home.join(".cache"))
            .context("neither XDG_CACHE_HOME nor HOME is set"),
    }
}
