//! What to run, and how.

use crate::dump::{DumpSink, Translated};
use crate::verify::DifferenceSink;
use rvrun_cache::directory::Directory as CacheDirectory;
use rvrun_isa::Extensions;
use rvrun_jit::{Limits, Options};
use rvrun_syscall::ExecConfig;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Takes one line of system call trace, without its newline.
pub use rvrun_syscall::StraceSink;

/// How guest code is executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Interpreted at first, what is hot translated.
    #[default]
    Auto,
    /// Interpreted, all of it.
    Interpreter,
    /// Translated before it is executed for the first time, all that can be.
    Translator,
}

/// How hot code is translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// How many instructions about are to be executed in a loop or function before it is
    /// translated: at least 1. They also have to be a 48th of all, unless they are 64 times as many.
    /// Less than the default lifts this, and the bounds of what compiling may take.
    pub threshold: u32,
    /// Bytes of memory for host code, rounded up to 64 KiB; what does not fit any
    /// more replaces what is oldest.
    pub code_bytes: usize,
    /// Guest instructions that are translated at once, at most; [`Engine::Translator`]
    /// takes no more than 60.
    pub region_instructions: usize,
    /// Guest instructions that the callees of a call may have to be translated with it;
    /// [`Engine::Translator`] takes none.
    pub inline_instructions: usize,
    /// Whether a program that has ended waits for what is compiled, to keep it.
    pub waits: bool,
    /// For tests: drops translations at random, from this seed.
    pub chaos: Option<u64>,
}

impl Default for Translation {
    fn default() -> Self {
        let Options { code_bytes, limits, .. } = Options::default();
        Self {
            threshold: 1_000_000,
            code_bytes,
            region_instructions: limits.instructions,
            inline_instructions: limits.inlined,
            waits: false,
            chaos: None,
        }
    }
}

impl Translation {
    /// The same, but that nothing is lost that is just being compiled when the program ends, or
    /// because others write to the cache: for a run whose translations others will have.
    #[must_use]
    pub fn thorough(self) -> Self {
        Self { waits: true, ..self }
    }

    pub(crate) fn options(&self, engine: Engine) -> Options {
        const GRANULE: usize = 64 << 10;
        // Who translates everything translates much that runs once.
        let (most, most_inlined) = match engine {
            Engine::Translator => (60, 0),
            _ => (usize::MAX, usize::MAX),
        };
        let defaults = Options::default();
        let limits = Limits {
            instructions: self.region_instructions.min(most),
            straight: defaults.limits.straight.min(self.region_instructions).min(most),
            inlined: self.inline_instructions.min(most_inlined),
            ..Limits::default()
        };
        let synchronous = engine == Engine::Translator || self.chaos.is_some();
        Options {
            synchronous,
            // Who wants less to be hot wants more to be compiled.
            sparing: !synchronous && self.threshold >= Self::default().threshold,
            code_bytes: self.code_bytes.max(1).next_multiple_of(GRANULE),
            limits,
            // Chaos is for the rare ways, returns without a stack among them.
            stack_bytes: if self.chaos.is_some() { 2 << 10 } else { defaults.stack_bytes },
            ..defaults
        }
    }
}

/// Where translations are kept from one process to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// Which directory, and how much room it may take.
    pub directory: CacheDirectory,
    /// Whether new translations are added.
    pub writes: bool,
}

/// A guest program and its settings, built step by step.
pub struct Program {
    pub(crate) path: PathBuf,
    pub(crate) argv0: Option<OsString>,
    pub(crate) execfn: Option<OsString>,
    pub(crate) filters: Vec<Vec<u8>>,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) sysroot: Option<PathBuf>,
    pub(crate) randomize: bool,
    pub(crate) extensions: Extensions,
    pub(crate) strace: Option<StraceSink>,
    pub(crate) strace_pid: bool,
    pub(crate) exec: ExecConfig,
    pub(crate) engine: Engine,
    pub(crate) translation: Translation,
    pub(crate) stats: Option<StatsSink>,
    pub(crate) dump: Option<(Vec<Translated>, DumpSink)>,
    pub(crate) verify: Option<(u32, DifferenceSink)>,
    pub(crate) cache: Option<CacheConfig>,
}

/// Takes the figures of a program's run at its end, in lines of text.
pub type StatsSink = Box<dyn FnOnce(&str) + Send>;

impl Program {
    /// The program in the host's file `path`, with an empty environment.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            argv0: None,
            execfn: None,
            filters: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            sysroot: None,
            randomize: true,
            extensions: Extensions::ALL,
            strace: None,
            strace_pid: false,
            exec: ExecConfig::default(),
            engine: Engine::default(),
            translation: Translation::default(),
            stats: None,
            dump: None,
            verify: None,
            cache: None,
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

    /// seccomp filters that bind the program from the start, the oldest first, each an array
    /// of `struct sock_filter`; none by default.
    #[must_use]
    pub fn filters(mut self, filters: Vec<Vec<u8>>) -> Self {
        self.filters = filters;
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

    /// How guest code is executed.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// How hot code is translated.
    #[must_use]
    pub fn translation(mut self, translation: Translation) -> Self {
        self.translation = translation;
        self
    }

    /// Counts what the engines do, and reports it at the program's end. Counting
    /// makes the program slower.
    #[must_use]
    pub fn stats(mut self, sink: StatsSink) -> Self {
        self.stats = Some(sink);
        self
    }

    /// Describes translations to `sink`, those that one of `wanted` is about, when
    /// they are ready to run: guest code, what is made of it on the way, host code.
    #[must_use]
    pub fn dump(mut self, wanted: Vec<Translated>, sink: DumpSink) -> Self {
        self.dump = Some((wanted, sink));
        self
    }

    /// Runs about one in `one_in` of the stretches that are spent in translated code on
    /// the interpreter, too. Where the two do not agree, `sink` is told, and then the
    /// process exits with status 125.
    #[must_use]
    pub fn verify(mut self, one_in: u32, sink: DifferenceSink) -> Self {
        self.verify = Some((one_in, sink));
        self
    }

    /// Takes translations from a directory, and keeps new ones there. What is counted,
    /// verified, described or stirred is neither taken from there nor kept. By default there
    /// is none.
    #[must_use]
    pub fn cache(mut self, cache: CacheConfig) -> Self {
        self.cache = Some(cache);
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
