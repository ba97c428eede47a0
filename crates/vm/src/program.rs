//! What to run, and how.

use rvrun_isa::Extensions;
use rvrun_syscall::ExecConfig;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Takes one line of system call trace, without its newline.
pub use rvrun_syscall::StraceSink;

/// A guest program and its settings, built step by step.
pub struct Program {
    pub(crate) path: PathBuf,
    pub(crate) argv0: Option<OsString>,
    pub(crate) execfn: Option<OsString>,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) sysroot: Option<PathBuf>,
    pub(crate) randomize: bool,
    pub(crate) extensions: Extensions,
    pub(crate) strace: Option<StraceSink>,
    pub(crate) strace_pid: bool,
    pub(crate) exec: ExecConfig,
}

impl Program {
    /// The program in the host's file `path`, with an empty environment.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            argv0: None,
            execfn: None,
            args: Vec::new(),
            env: Vec::new(),
            sysroot: None,
            randomize: true,
            extensions: Extensions::ALL,
            strace: None,
            strace_pid: false,
            exec: ExecConfig::default(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable, replacing its former value.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let key = key.into();
        self.env.retain(|(k, _)| *k != key);
        self.env.push((key, value.into()));
        self
    }

    /// Adds environment variables as they are, in order.
    #[must_use]
    pub fn envs(mut self, vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.env.extend(vars);
        self
    }

    /// Removes an environment variable.
    #[must_use]
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.env.retain(|(k, _)| k != key.as_ref());
        self
    }

    /// What the guest sees as `argv[0]`; the program's path by default.
    #[must_use]
    pub fn argv0(mut self, name: impl Into<OsString>) -> Self {
        self.argv0 = Some(name.into());
        self
    }

    /// The name by which the program was executed (`AT_EXECFN`); the program's path by default.
    #[must_use]
    pub fn execfn(mut self, name: impl Into<OsString>) -> Self {
        self.execfn = Some(name.into());
        self
    }

    /// Where the guest's absolute paths are looked up first.
    #[must_use]
    pub fn sysroot(mut self, directory: impl Into<PathBuf>) -> Self {
        self.sysroot = Some(directory.into());
        self
    }

    /// Whether position-independent programs are loaded at random addresses; on by default.
    #[must_use]
    pub fn randomize(mut self, on: bool) -> Self {
        self.randomize = on;
        self
    }

    /// What the guest's processor implements; everything that rvrun has by default.
    #[must_use]
    pub fn extensions(mut self, extensions: Extensions) -> Self {
        self.extensions = extensions;
        self
    }

    /// Reports each system call to `sink`.
    #[must_use]
    pub fn strace(mut self, sink: StraceSink) -> Self {
        self.strace = Some(sink);
        self
    }

    /// Puts the process's number before each line of the trace from the start,
    /// not only once there is more than one process.
    #[must_use]
    pub fn strace_pid(mut self, on: bool) -> Self {
        self.strace_pid = on;
        self
    }

    /// How the guest's `execve` starts the VM again. Without it, `execve` of a riscv64 program fails.
    #[must_use]
    pub fn exec(mut self, exec: ExecConfig) -> Self {
        self.exec = exec;
        self
    }
}

/// Where distributions put the root of a riscv64 system, the first choice first.
pub fn default_sysroots() -> impl Iterator<Item = &'static Path> {
    ["/usr/riscv64-linux-gnu", "/etc/qemu-binfmt/riscv64"].into_iter().map(Path::new)
}
