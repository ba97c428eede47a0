//! What the VM tells this crate: its settings, the machine to show, the program.

use crate::path::Sysroot;
use std::ffi::OsString;
use std::ops::Range;
use std::path::PathBuf;

/// Takes one line of `--strace` output, without its newline.
pub type StraceSink = Box<dyn Fn(&str) + Send + Sync>;

/// Settings that hold for the whole life of a guest process.
pub struct Config {
    /// Where the guest's absolute paths are looked up first.
    pub sysroot: Option<Sysroot>,
    /// Where to report system calls, if at all.
    pub strace: Option<Strace>,
    /// How to start the VM again when the guest executes a riscv64 program.
    pub exec: ExecConfig,
    /// The kernel release that `uname` gives; the host's where absent.
    pub uname_release: Option<String>,
    /// The processor that the guest sees.
    pub cpu: Cpu,
    /// seccomp filters that were there before this program was executed, the oldest first,
    /// each an array of `struct sock_filter`.
    pub filters: Vec<Vec<u8>>,
    /// What the VM has to do before another program takes its place.
    pub before_exec: Option<Box<dyn Fn() + Send + Sync>>,
}

/// Reporting of system calls.
pub struct Strace {
    /// Where the lines go.
    pub sink: StraceSink,
    /// What to put before each line when the process is not the only one:
    /// from the first fork on both parent and child show their process number.
    /// `true` shows it from the start, as a VM should that was started by
    /// another VM's `execve`.
    pub show_pid: bool,
}

/// How the VM is started again by the guest's `execve`.
///
/// The new VM's arguments are [`prefix`](Self::prefix), then `--sysroot=DIR --argv0 NAME
/// --execfn NAME -- PROGRAM ARG...`: the sysroot, `/` where there is none; `argv[0]` and the
/// path as the guest gave them, the program's path on the host, and the guest's other
/// arguments. Before `--argv0` there is a `--seccomp-filter HEX` for each of
/// [`Config::filters`], and `--vm-fd FD` where the guest has changed its root and the VM has
/// no path there: see [`vm_fd`](Self::vm_fd). The
/// environment is the guest's, so the VM's own settings have to be options.
#[derive(Clone, Debug, Default)]
pub struct ExecConfig {
    /// The VM's executable, as a path that stays valid: `/proc/self/exe` or absolute.
    pub vm: PathBuf,
    /// Its `argv[0]` and the options to hand on.
    pub prefix: Vec<OsString>,
    /// A descriptor of the executable, from the VM that started this one.
    pub vm_fd: Option<i32>,
}

/// The processor as `riscv_hwprobe` and `/proc/cpuinfo` describe it.
#[derive(Clone, Debug, Default)]
pub struct Cpu {
    /// The `isa` line of `/proc/cpuinfo`, such as `rv64imafdc_zicsr`.
    pub isa: String,
    /// Key and value pairs of `riscv_hwprobe`
    /// (kernel: `Documentation/arch/riscv/hwprobe.rst`). Other keys are unknown.
    pub hwprobe: Vec<(i64, u64)>,
}

/// What the loader knows of the program that it has put into memory.
#[derive(Clone, Debug, Default)]
pub struct ProcessImage {
    /// The program's absolute path on the host (below the sysroot if it came from there).
    pub program: PathBuf,
    /// The name by which it was executed (`AT_EXECFN`); gives the thread its name.
    pub execfn: Vec<u8>,
    /// The auxiliary vector as it lies on the guest's stack, for `/proc/self/auxv`.
    pub auxv: Vec<u8>,
    /// First address of the heap; the start of `brk`.
    pub brk_start: u64,
    /// Where handlers of signals return to: code that calls `rt_sigreturn`.
    pub sigreturn: u64,
    /// Where its parts are.
    pub layout: Layout,
}

/// Where the parts of a program are in the guest's memory: what the kernel notes of it
/// (`struct prctl_mm_map` in prctl(2)).
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Its code.
    pub code: Range<u64>,
    /// Its data.
    pub data: Range<u64>,
    /// The first stack pointer.
    pub stack: u64,
    /// The strings of `argv`.
    pub args: Range<u64>,
    /// The strings of the environment.
    pub env: Range<u64>,
}
