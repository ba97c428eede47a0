//! The dispatcher: loads a program, then goes back and forth between the engine
//! and the Linux ABI until the guest ends.

use crate::dump::Dump;
use crate::engines::Engines;
use crate::error::Error;
use crate::file::ProgramFile;
use crate::keeper::Kept;
use crate::loader::Loaded;
use crate::program::{Engine, Program, StatsSink};
use crate::stack::{self, Contents, Stack, key};
use crate::tiers::{Event, Report, Tiers};
use crate::vdso::{self, Vdso};
use crate::{cpu, loader, report, script, stats};
use rvrun_hart::Hart;
use rvrun_host::lock::Mutex;
use rvrun_host::signals::Listening;
use rvrun_host::{fault, process, vfork};
use rvrun_memory::AddressSpace;
use rvrun_syscall::{
    Borrower, Cause, Config, Errno, Layout, Newborn, Outcome, ProcessImage, Strace, Sysroot, Task,
    dispatch,
};
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

/// How a guest process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// It exited with this status, 0 to 255.
    Status(i32),
    /// An exception killed it, or a signal that the VM keeps to itself on the host. The
    /// embedder decides what to do with its own process.
    Signal {
        /// The signal's number, equal on both architectures.
        signal: i32,
        /// What happened and what would help, in a line or a few; empty if the signal was sent.
        report: String,
    },
}

const PHDR_BYTES: u64 = 56;
const CLOCK_TICKS: u64 = 100;
const DEFAULT_STACK: u64 = 8 << 20;
const MIN_STACK: u64 = 128 << 10;
const MAX_STACK: u64 = 1 << 30;
/// Bytes of the host's stack for each thread but the first.
const THREAD_STACK: usize = 4 << 20;

/// Loads `program` and runs it to its end.
///
/// The guest's signals are the calling process's and thread's: what the guest blocked or
/// ignored at its end stays so, and what it handled is caught and dropped from then on.
///
/// A guest that has several threads when it ends takes the calling process with it: see
/// [`end`].
///
/// # Errors
/// When the program cannot be started; see [`Error`].
pub fn run(program: Program) -> Result<Exit, Error> {
    let mut machine = start(program)?;
    let exit = machine.run_process();
    if machine.task.has_company() { end(&exit) } else { Ok(exit) }
}

/// The same for a process that is the guest's alone: it [ends](end) as the guest does. What the VM
/// holds is not given back piece by piece before, which takes longer than the kernel does.
///
/// # Errors
/// As [`run`].
pub fn become_guest(program: Program) -> Result<Infallible, Error> {
    end(&start(program)?.run_process())
}

/// Loads `program`.
fn start(program: Program) -> Result<Machine, Error> {
    fault::install().map_err(|source| Error::Host {
        what: "cannot install the handler for memory faults".into(),
        source,
    })?;
    let space = Arc::new(AddressSpace::new());
    let mut program = program;
    let extensions = program.extensions;
    let (translation, counting) = (&program.translation, program.stats.is_some());
    let (engine, verify) = (program.engine, program.verify.take());
    // What is done for its own sake at each translation would miss those that were kept.
    let keeps = !counting
        && engine != Engine::Interpreter
        && verify.is_none()
        && program.dump.is_none()
        && translation.chaos.is_none();
    let cache = program.cache.take().filter(|_| keeps);
    let keeper = cache.map(|config| Kept::new(config, extensions, &space));
    let engines =
        Engines::keeping(space.clone(), extensions, engine, translation, verify, counting, keeper);
    if let Some((wanted, sink)) = program.dump.take() {
        engines.dump(Dump::new(space.clone(), extensions, wanted, sink));
    }
    let stats = Mutex::new((program.stats.take(), Report::default()));
    let setup = Arc::new(Setup { space: space.clone(), extensions, engines, stats });
    let (hart, mut config, image) = load(program, &space)?;
    config.before_exec = engines_saver(&setup.engines);
    let task = Task::new(Arc::new(config), space, image);
    Ok(Machine::new(setup, task, hart))
}

/// What saves translations before another program takes this one's place.
fn engines_saver(engines: &Arc<Engines>) -> Option<Box<dyn Fn() + Send + Sync>> {
    let engines = engines.clone();
    engines.keeps().then(|| Box::new(move || engines.save()) as Box<_>)
}

/// Ends the calling process as the guest's has ended, with its report on standard error.
pub fn end(exit: &Exit) -> ! {
    match exit {
        Exit::Status(status) => process::exit_now(*status),
        Exit::Signal { signal, report } => {
            if !report.is_empty() {
                // There is nobody to tell if that fails.
                let _ = writeln!(std::io::stderr(), "rvrun: {report}");
            }
            process::die_of_signal(*signal)
        }
    }
}

/// What all threads of a program have in common.
struct Setup {
    space: Arc<AddressSpace>,
    extensions: rvrun_isa::Extensions,
    engines: Arc<Engines>,
    /// Where the figures go, and those of threads that have ended.
    stats: Mutex<(Option<StatsSink>, Report)>,
}

impl Setup {
    /// The same program with other engines and figures.
    fn with(&self, engines: Arc<Engines>, stats: (Option<StatsSink>, Report)) -> Arc<Self> {
        let (space, extensions) = (self.space.clone(), self.extensions);
        Arc::new(Self { space, extensions, engines, stats: Mutex::new(stats) })
    }
}

/// Runs a process in this one's memory while the calling thread goes on: another one, which
/// the guest does not know of, waits for the end. Gives the process's number, or the host's
/// error as its kernel returns it.
fn lend_aside(setup: Arc<Setup>, borrower: Box<Borrower>) -> u64 {
    let (sender, receiver) = sync_channel(1);
    let wait = move || {
        let stack = fault::install_thread();
        let value = if stack.is_ok() {
            Machine::lend_to(&setup, borrower, |number| {
                // The one that waits for it does so until it comes.
                let _ = sender.send(number as u64);
            })
        } else {
            -i64::from(libc::ENOMEM) as u64
        };
        // Nobody listens if it has begun.
        let _ = sender.try_send(value);
    };
    let thread = process::start_vm_thread(wait);
    let value = thread.and_then(|_| receiver.recv().map_err(std::io::Error::other));
    value.unwrap_or(-i64::from(libc::EAGAIN) as u64)
}

/// What ends when a thread stops running.
enum End {
    /// The guest.
    Process(Exit),
    /// The thread alone, with this status.
    Thread(i32),
}

/// A thread of the guest.
struct Machine {
    setup: Arc<Setup>,
    tiers: Tiers,
    task: Task,
    /// Whether the engines keep registers exact for memory faults.
    precise: bool,
}

impl Machine {
    fn new(setup: Arc<Setup>, task: Task, hart: Hart) -> Self {
        let tiers = Tiers::new(setup.engines.clone(), hart);
        Self { setup, tiers, task, precise: false }
    }

    /// Runs the thread to its end.
    fn run(&mut self) -> End {
        let end = self.run_to_end();
        self.tiers.note_hot();
        if let End::Process(_) = end {
            self.setup.engines.save();
        }
        if let Some(report) = self.tiers.report() {
            let mut stats = self.setup.stats.lock();
            stats.1 += report;
            if let End::Process(_) = end
                && let Some(sink) = stats.0.take()
            {
                if let Some(shared) = self.setup.engines.stats() {
                    *stats.1.translator.get_or_insert_default() += shared;
                }
                sink(&stats::text(&stats.1));
            }
        }
        end
    }

    /// Runs the process's first thread until the process ends; does not return if the thread ends
    /// before.
    fn run_process(&mut self) -> Exit {
        match self.run() {
            End::Process(exit) => exit,
            End::Thread(status) => {
                self.task.end();
                process::exit_first_thread(status)
            }
        }
    }

    /// On a thread of its own: runs a thread that another one has made.
    fn run_newborn(setup: Arc<Setup>, newborn: Newborn, started: &SyncSender<i32>) {
        let stack = fault::install_thread();
        let (number, task, hart) = newborn.begin();
        // The one that waits for it does so until it comes.
        let _ = started.send(number);
        if stack.is_err() {
            let report = "no memory for a thread's stack of signal handlers".into();
            end(&Exit::Signal { signal: libc::SIGKILL, report });
        }
        let mut machine = Self::new(setup, task, hart);
        match machine.run() {
            End::Process(exit) => end(&exit),
            End::Thread(_) => {
                let Self { mut task, tiers, .. } = machine;
                tiers.end();
                drop(stack);
                task.end();
            }
        }
    }

    /// Starts the thread that the guest has asked for.
    fn spawn(&mut self) {
        let Some(newborn) = self.task.take_newborn() else { return };
        let (sender, receiver) = sync_channel(1);
        let setup = self.setup.clone();
        let thread = process::with_signals_blocked(|| {
            std::thread::Builder::new()
                .stack_size(THREAD_STACK)
                .spawn(move || Self::run_newborn(setup, *newborn, &sender))
        });
        let number = thread.and_then(|_| receiver.recv().map_err(std::io::Error::other));
        let result = number.map_err(|_| Errno(libc::EAGAIN));
        self.task.spawned(self.tiers.hart(), result);
    }

    /// Runs the process that the guest has asked for in this one's memory.
    fn lend(&mut self, listening: &Listening) {
        let Some(borrower) = self.task.take_borrower() else { return };
        let setup = self.setup.with(self.setup.engines.lent(), Default::default());
        let value = if borrower.is_waited_for() {
            let value = Self::lend_to(&setup, borrower, |_| ());
            listening.renew();
            value
        } else {
            lend_aside(setup, borrower)
        };
        self.task.lent(self.tiers.hart(), value);
    }

    /// Runs a process in this one's memory, and returns when that is over: what the host's
    /// kernel returns to who makes it. `started` is called in the process, with its number.
    fn lend_to(setup: &Arc<Setup>, borrower: Box<Borrower>, started: impl Fn(i32)) -> u64 {
        let number = AtomicI32::new(0);
        let args = borrower.clone_args(&number);
        // What the other process has made of memory is dropped here, when it is gone.
        let mut machine = None;
        let mut borrower = Some(borrower);
        let result = vfork::lend_memory(args, &mut || {
            let Some(borrower) = borrower.take() else { return };
            let (task, hart) = borrower.begin(&number);
            started(number.load(Ordering::SeqCst));
            let machine = machine.insert(Self::new(setup.clone(), task, hart));
            match machine.run() {
                End::Process(exit) => end(&exit),
                End::Thread(status) => process::exit_now(status),
            }
        });
        result.unwrap_or(-i64::from(libc::ENOMEM) as u64)
    }

    fn run_to_end(&mut self) -> End {
        let listening = self.task.listen(self.tiers.attention());
        loop {
            if !self.precise && self.task.catches_faults() {
                self.precise = true;
                self.tiers.make_precise();
            }
            self.task.enter_guest();
            let event = self.tiers.run();
            self.task.leave_guest();
            let outcome = match &event {
                Event::Syscall => self.tiers.call(|hart| dispatch(&mut self.task, hart)),
                Event::Attention => self.task.deliver(self.tiers.hart()),
                Event::Trap(trap) => self.task.trap(self.tiers.hart(), trap),
            };
            match outcome {
                Outcome::Continue => self.follow_task(),
                Outcome::Spawn => self.spawn(),
                Outcome::Borrow => self.lend(&listening),
                Outcome::Alone => {
                    self.tiers.rest();
                    self.task.left_alone();
                }
                Outcome::ThreadEnds(status) => return End::Thread(status),
                Outcome::Exit(status) => return End::Process(Exit::Status(status)),
                Outcome::Killed { signal, cause } => {
                    let hart = self.tiers.hart();
                    let report = match &event {
                        Event::Trap(trap) if cause == Cause::Trap => {
                            report::describe(trap, hart, &self.setup.space, self.setup.extensions)
                        }
                        _ => report::describe_signal(signal, cause, hart, &self.setup.space),
                    };
                    return End::Process(Exit::Signal { signal, report });
                }
                other => unreachable!("the system call layer asked for {other:?}"),
            }
        }
    }

    /// What the system call did to the process concerns the engines.
    fn follow_task(&mut self) {
        if self.task.take_forked()
            && let Some(engines) = self.tiers.forked()
        {
            let stats = self.setup.stats.try_lock();
            let stats = stats.map(|mut stats| std::mem::take(&mut *stats)).unwrap_or_default();
            let anew = self.setup.with(engines, stats);
            // The locks of the old one may never become free.
            std::mem::forget(std::mem::replace(&mut self.setup, anew));
        }
        self.task.publish();
    }
}

fn load(
    program: Program,
    space: &Arc<AddressSpace>,
) -> Result<(Hart, Config, ProcessImage), Error> {
    let sysroot = program.sysroot.as_deref().map(Sysroot::new);
    let sysroot = sysroot.filter(|sysroot| sysroot.root() != Path::new("/"));
    let (program, file) = script::open(program, sysroot.as_ref())?;
    let random_bytes = process::random_bytes()
        .map_err(|source| Error::Host { what: "cannot get random numbers".into(), source })?;
    let randomize = program.randomize && !process::aslr_disabled();
    let mut random = random_pages(if randomize { random_bytes } else { [0; 16] });
    let loaded = loader::load_program(space, &file, &mut random)?;
    let linker = match &file.image.interpreter {
        Some(path) => {
            let linker = open_interpreter(&file, path, sysroot.as_ref())?;
            Some(loader::load_anywhere(space, &linker)?)
        }
        None => None,
    };
    let heap = loader::heap_start(&loaded, &mut random);
    space.set_brk_start(heap);
    let size = process::stack_limit().unwrap_or(DEFAULT_STACK).clamp(MIN_STACK, MAX_STACK) & !4095;
    let top = loader::map_stack(space, size, file.image.executable_stack)?;
    let top = top - random(1 << 9) * 16;

    let Vdso { base: vdso, sigreturn } = vdso::map(space)?;

    let path = file.resolved_path();
    let argv0 = program.argv0.unwrap_or_else(|| program.path.clone().into_os_string());
    let args: Vec<OsString> = std::iter::once(argv0).chain(program.args).collect();
    let execfn = program.execfn.unwrap_or_else(|| program.path.clone().into_os_string()).into_vec();
    let contents = Contents {
        args: &args,
        env: &program.env,
        execfn: &execfn,
        random: random_bytes,
        auxv: [(key::SYSINFO_EHDR, vdso)]
            .into_iter()
            .chain(cpu::auxv())
            .chain([
                (key::HWCAP, cpu::hwcap(program.extensions)),
                (key::PAGESZ, 4096),
                (key::CLKTCK, CLOCK_TICKS),
                (key::PHDR, loaded.phdr),
                (key::PHENT, PHDR_BYTES),
                (key::PHNUM, file.image.phdr_count.into()),
                (key::BASE, linker.as_ref().map_or(0, |l| l.bias)),
                (key::FLAGS, 0),
                (key::ENTRY, loaded.entry),
                (key::UID, process::auxv(key::UID)),
                (key::EUID, process::auxv(key::EUID)),
                (key::GID, process::auxv(key::GID)),
                (key::EGID, process::auxv(key::EGID)),
                (key::SECURE, process::auxv(key::SECURE)),
            ])
            .collect(),
    };
    let Some(Stack { pointer, auxv, args, env }) = stack::lay_out(top, size, &contents) else {
        return Err(Error::NotRunnable {
            path: program.path,
            why: format!(
                "its arguments and environment do not fit a stack of {size} bytes (ulimit -s)"
            ),
        });
    };

    let mut hart = Hart::new();
    hart.pc = linker.as_ref().map_or(loaded.entry, |l| l.entry);
    hart.x[2] = pointer;
    let Loaded { code, data, .. } = loaded;
    let layout = Layout { code, data, stack: pointer, args, env };
    let image = ProcessImage { program: path, execfn, auxv, brk_start: heap, sigreturn, layout };
    let config = Config {
        sysroot,
        strace: program.strace.map(|sink| Strace { sink, show_pid: program.strace_pid }),
        exec: program.exec,
        uname_release: None,
        cpu: cpu::describe(program.extensions),
        filters: program.filters,
        before_exec: None,
    };
    Ok((hart, config, image))
}

fn open_interpreter(
    program: &ProgramFile,
    path: &[u8],
    sysroot: Option<&Sysroot>,
) -> Result<ProgramFile, Error> {
    let guest = Path::new(OsStr::from_bytes(path));
    let found = rvrun_syscall::resolve(sysroot, guest);
    ProgramFile::open(&found).map_err(|error| match error {
        Error::NotFound { .. } => Error::NoInterpreter {
            program: program.path.clone(),
            interpreter: guest.display().to_string(),
            sysroot: sysroot.map(|sysroot| sysroot.root().to_path_buf()),
        },
        Error::NotRunnable { why, .. } => Error::NotRunnable {
            path: program.path.clone(),
            why: format!("its dynamic linker {} is unusable: {why}", found.display()),
        },
        other => other,
    })
}

/// Numbers below the one asked for, drawn from `seed`; all 0 if that is 0.
///
/// `AT_RANDOM` shows the guest the same bytes, which tells it nothing that its
/// own pointers do not.
fn random_pages(seed: [u8; 16]) -> impl FnMut(u64) -> u64 {
    let mut state = u128::from_le_bytes(seed);
    move |pages| {
        state = state.wrapping_mul(0xda94_2042_e4dd_58b5);
        (state >> 64) as u64 % pages
    }
}
