//! A task: the Linux thread that owns a hart, and the process it belongs to.

use crate::abi::sigaction::Action;
use crate::calls::clone::Borrower;
use crate::calls::io_uring::Rings;
use crate::config::{Config, ProcessImage};
use crate::host_signals::{self, Actions};
use crate::root::{Fs, VmFile};
use crate::seccomp::{Sandbox, Sandboxes, bpf};
use crate::signals::stack::SignalStack;
use crate::strace::Pending;
use crate::threads::{Membership, Newborn, Threads};
use crate::{raw, robust, shown};
use rvrun_host::lock::Mutex;
use rvrun_host::process::name_thread;
use rvrun_memory::AddressSpace;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The Linux thread that owns a hart.
pub struct Task {
    /// What it shares with the other threads of its process.
    pub(crate) process: Arc<Process>,
    /// Where its paths begin.
    pub(crate) fs: Arc<Fs>,
    /// The signals that the guest has blocked; the host's mask is the same but
    /// for those that the VM itself needs.
    pub(crate) blocked: u64,
    /// What was blocked instead while a call waited that a signal has ended.
    pub(crate) waited_with: Option<u64>,
    /// The stack for signal handlers.
    pub(crate) signal_stack: SignalStack,
    /// The hart's flag that makes engines stop.
    pub(crate) attention: Arc<AtomicU32>,
    /// Where the thread's number is cleared at its end (`set_tid_address`); 0 for nowhere.
    pub(crate) clear_child_tid: u64,
    /// What it may do.
    pub(crate) sandbox: Arc<Sandbox>,
    /// Whether this task was made by a fork since somebody asked.
    pub(crate) forked: bool,
    /// What the other threads know of it.
    pub(crate) membership: Option<Membership>,
    /// The code epoch of which the other threads know.
    pub(crate) published: u64,
    /// Whether the VM's own threads have ended for the call that comes next.
    pub(crate) alone: bool,
    /// The thread that the call that is being carried out makes.
    pub(crate) newborn: Option<Box<Newborn>>,
    /// The process that the call that is being carried out makes in this one's memory.
    pub(crate) borrower: Option<Box<Borrower>>,
    /// The call that is being carried out, when calls are reported.
    pub(crate) pending: Option<Box<Pending>>,
}

/// What the threads of a guest process share.
pub(crate) struct Process {
    pub(crate) config: Arc<Config>,
    pub(crate) space: Arc<AddressSpace>,
    pub(crate) image: ProcessImage,
    /// Whether the host's kernel knows where the guest's arguments and environment are.
    pub(crate) shown_by_host: bool,
    /// What the guest wants done with signal N, at N - 1.
    pub(crate) actions: Mutex<Actions>,
    /// How the VM is found when its path leads nowhere.
    pub(crate) vm_file: VmFile,
    /// Whether this process was made by fork or has made another.
    relatives: AtomicBool,
    pub(crate) threads: Threads,
    /// The guest's io_uring rings.
    pub(crate) rings: Mutex<Rings>,
    /// What its threads may do.
    pub(crate) sandboxes: Sandboxes,
}

impl Task {
    /// The first task of a process whose program the loader has put into `space`.
    ///
    /// Starts the heap at [`ProcessImage::brk_start`], names the host's thread
    /// after the program as `execve` does, has the host show the program's arguments
    /// and environment for the process's, and takes over the signal mask and
    /// the ignored signals that the VM inherited.
    pub fn new(config: Arc<Config>, space: Arc<AddressSpace>, image: ProcessImage) -> Self {
        space.set_brk_start(image.brk_start);
        // Before the name, by which others know that the program is there.
        let shown_by_host = shown::tell(&image);
        let name = image.execfn.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        name_thread(name);
        robust::reset();
        let process = Process {
            actions: Mutex::new(Actions::inherited()),
            vm_file: VmFile::inherited(config.exec.vm_fd),
            relatives: AtomicBool::new(false),
            threads: Threads::new(),
            rings: Mutex::default(),
            sandboxes: Mutex::default(),
            shown_by_host,
            config,
            space,
            image,
        };
        let sandbox = Sandbox::default().inherit(&process.sandboxes);
        sandbox.enter(raw::syscall(libc::SYS_gettid, [0; 6]) as i32);
        for filter in &process.config.filters {
            // They were checked before.
            let _ = bpf::Program::new(filter).and_then(|program| sandbox.add(program));
        }
        Self {
            fs: Arc::new(Fs::new(process.config.sysroot.clone())),
            process: Arc::new(process),
            blocked: host_signals::mask(),
            waited_with: None,
            attention: Arc::default(),
            signal_stack: SignalStack::default(),
            clear_child_tid: 0,
            sandbox,
            forked: false,
            membership: None,
            published: 0,
            alone: false,
            newborn: None,
            borrower: None,
            pending: None,
        }
    }

    /// The first thread of a process that shares this one's memory.
    pub(crate) fn borrowing(&self) -> Self {
        let process = &self.process;
        let copy = Process {
            config: process.config.clone(),
            space: process.space.clone(),
            image: process.image.clone(),
            shown_by_host: process.shown_by_host,
            actions: Mutex::new(*process.actions.lock()),
            vm_file: process.vm_file.copy(),
            relatives: AtomicBool::new(true),
            threads: process.threads.alone(),
            rings: Mutex::new(process.rings.lock().clone()),
            sandboxes: Mutex::default(),
        };
        let sandbox = self.sandbox.inherit(&copy.sandboxes);
        Self {
            process: Arc::new(copy),
            signal_stack: self.signal_stack,
            sandbox,
            ..self.sibling(0)
        }
    }

    /// A new thread of the same process, with the same signals blocked.
    pub(crate) fn sibling(&self, clear_child_tid: u64) -> Self {
        Self {
            process: self.process.clone(),
            fs: self.fs.clone(),
            blocked: self.blocked,
            waited_with: None,
            attention: Arc::default(),
            signal_stack: SignalStack::default(),
            clear_child_tid,
            sandbox: self.sandbox.inherit(&self.process.sandboxes),
            forked: false,
            membership: None,
            published: self.published,
            alone: false,
            newborn: None,
            borrower: None,
            pending: None,
        }
    }

    /// Whether this process was made by a fork since the last call: of the VM's
    /// threads only the one that runs this task is there.
    pub fn take_forked(&mut self) -> bool {
        std::mem::take(&mut self.forked)
    }

    /// Blocks other signals than before, as far as the guest is concerned.
    pub(crate) fn set_blocked(&mut self, blocked: u64) {
        self.blocked = blocked;
        if rvrun_host::signals::held() & !blocked != 0 {
            self.want_attention();
        }
    }

    /// Has a root and a working directory of its own from now on (`CLONE_FS`).
    pub(crate) fn unshare_fs(&mut self) {
        self.fs = Arc::new(self.fs.copy());
    }

    /// Raises the attention flag.
    pub(crate) fn want_attention(&self) {
        self.attention.store(1, Ordering::SeqCst);
    }

    /// The guest's threads that end clear a word and wake who waits for it (`set_tid_address(2)`).
    pub(crate) fn announce_end(&self) {
        if self.clear_child_tid != 0 && crate::guest::write(self.clear_child_tid, &[0; 4]).is_ok() {
            let wake = [self.clear_child_tid, libc::FUTEX_WAKE as u64, 1, 0, 0, 0];
            raw::syscall(libc::SYS_futex, wake);
        }
    }
}

impl Process {
    /// What the guest wants done with a signal.
    pub(crate) fn action(&self, signal: i32) -> Action {
        *self.actions.lock().of(signal)
    }

    /// The same, to do it: an action that is for one time only is the default one then.
    pub(crate) fn use_action(&self, signal: i32) -> Action {
        let mut actions = self.actions.lock();
        let action = actions.of(signal);
        let used = *action;
        if used.is_handled() && used.flags & libc::SA_RESETHAND as u32 as u64 != 0 {
            action.handler = libc::SIG_DFL as u64;
            host_signals::set_action(signal, action);
        }
        used
    }

    /// Whether other processes of this guest may print lines, too.
    pub(crate) fn has_relatives(&self) -> bool {
        self.relatives.load(Ordering::Relaxed)
    }

    /// Remembers that there is more than one process now.
    pub(crate) fn note_relatives(&self) {
        self.relatives.store(true, Ordering::Relaxed);
    }
}
