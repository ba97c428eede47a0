//! What the tests of the command share: a directory of their own, and running a
//! command without waiting for ever.

// Each test uses the part that it needs.
#![allow(dead_code)]

pub mod elf;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// How long a command may take; on a busy machine, the slowest takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// The command that is tested.
pub const RVRUN: &str = env!("CARGO_BIN_EXE_rvrun");

/// An empty directory that goes away with this value.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one whose name begins with `name`.
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("a directory for the test");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What remains lies below the target directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a command did.
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// Runs a command with nothing to read.
///
/// # Errors
/// It cannot be started, or does not end.
pub fn run(command: &mut Command) -> Result<Finished, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run {command:?}: {error}"))?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => sleep(Duration::from_millis(2)),
            Ok(None) => {
                let _ = child.kill();
                return Err(format!("{command:?} does not end"));
            }
            Err(error) => return Err(format!("cannot wait for {command:?}: {error}")),
        }
    };
    let text = |reader: JoinHandle<Vec<u8>>| {
        reader.join().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    };
    Ok(Finished { status, stdout: text(stdout), stderr: text(stderr) })
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // A pipe of ours cannot fail; if it did, the comparison would.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}
