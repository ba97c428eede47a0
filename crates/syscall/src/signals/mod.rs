//! From a signal to the guest's handler.
//!
//! The host's kernel says which signal comes when; [`rvrun_host::signals`] hands it
//! over. What is done here, between two instructions of the guest or before or after
//! a system call, is what the kernel does on its way back to a program: look up the
//! action, write the frame, set the mask.
//!
//! Invariant: the host's mask of the thread is the guest's ([`Task::blocked`]) without
//! [`FAULTS`]; or all but those, while a signal waits to be taken.

pub(crate) mod frame;
pub(crate) mod info;
pub(crate) mod stack;

use crate::abi::sigaction::Action;
use crate::dispatch::Outcome;
use crate::task::Task;
use crate::{host_signals, strace};
use rvrun_hart::{Hart, Trap};
use rvrun_host::signals::{self as host, Arrived, FAULTS, Listening, bit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Register numbers.
const SP: usize = 2;

/// Why a signal ends the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The trap at the hart's pc.
    Trap,
    /// Somebody has sent it.
    Sent,
    /// The frame of this signal's handler could not be written below the stack pointer.
    NoFrame(i32),
    /// A handler returned to a frame that could not be read.
    BadFrame,
}

impl Task {
    /// Has signals of the calling thread, which runs this task from now on, raise its
    /// hart's attention flag. They are delivered by [`deliver`](Self::deliver).
    #[must_use]
    pub fn listen(&mut self, attention: Arc<AtomicU32>) -> Listening {
        self.attention = attention.clone();
        self.join(attention.clone());
        let listening = host::listen(attention);
        // Not earlier: what was pending comes now.
        host_signals::set_mask(self.blocked);
        listening
    }

    /// Whether something came that [`deliver`](Self::deliver) should see to.
    pub(crate) fn wants_attention(&self) -> bool {
        self.attention.load(Ordering::Relaxed) != 0
    }

    /// Lowers the attention flag and has the guest's handlers run for the signals that
    /// have come. `hart` has to be between two instructions.
    pub fn deliver(&mut self, hart: &mut Hart) -> Outcome {
        loop {
            // Before looking: whatever comes after that raises it again.
            self.attention.store(0, Ordering::SeqCst);
            let mask = self.waited_with.unwrap_or(self.blocked);
            let held = host::take_held(!mask);
            let Some(arrived) = held.or_else(host::take) else { break };
            let outcome = self.act(hart, &arrived, mask);
            self.set_host_mask();
            if outcome != Outcome::Continue {
                return outcome;
            }
        }
        self.waited_with = None;
        Outcome::Continue
    }

    /// Has the guest's handler run for a trap at the hart's pc, if it has one.
    pub fn trap(&mut self, hart: &mut Hart, trap: &Trap) -> Outcome {
        let arrived = info::of_trap(trap, hart.pc);
        let outcome = self.force(hart, &arrived, Cause::Trap);
        self.set_host_mask();
        match outcome {
            Outcome::Continue => self.deliver(hart),
            other => other,
        }
    }

    /// Has the guest's handler run for a call that it does not let pass, if it has one.
    pub(crate) fn forbid(&mut self, hart: &mut Hart, arrived: &Arrived) -> Outcome {
        let outcome = self.force(hart, arrived, Cause::Sent);
        self.set_host_mask();
        match outcome {
            Outcome::Continue => self.deliver(hart),
            other => other,
        }
    }

    /// A signal that the thread cannot go on without (kernel: `force_sig_info`).
    fn force(&mut self, hart: &mut Hart, arrived: &Arrived, cause: Cause) -> Outcome {
        let signal = arrived.signal;
        let handled = self.process.action(signal).is_handled();
        if !handled || self.blocked & bit(signal) != 0 {
            strace::signal(self, arrived);
            return Outcome::Killed { signal, cause };
        }
        self.act(hart, arrived, self.blocked)
    }

    /// What the kernel forces on a thread whose stack it cannot use.
    pub(crate) fn force_segv(&mut self, hart: &mut Hart, cause: Cause) -> Outcome {
        self.force(hart, &info::forced_segv(), cause)
    }

    /// Does what the guest wants done with a signal. `mask` is what is blocked at the
    /// moment, be it for the time of a call only.
    fn act(&mut self, hart: &mut Hart, arrived: &Arrived, mask: u64) -> Outcome {
        let signal = arrived.signal;
        let action = self.process.use_action(signal);
        match action.handler as usize {
            libc::SIG_IGN => Outcome::Continue,
            libc::SIG_DFL if FAULTS & bit(signal) != 0 => {
                strace::signal(self, arrived);
                Outcome::Killed { signal, cause: Cause::Sent }
            }
            libc::SIG_DFL => {
                // Another thread took the handler away: the default action is the host's.
                host::send_again(arrived);
                Outcome::Continue
            }
            _ => {
                strace::signal(self, arrived);
                self.handle(hart, arrived, action, mask)
            }
        }
    }

    fn handle(&mut self, hart: &mut Hart, arrived: &Arrived, action: Action, mask: u64) -> Outcome {
        let signal = arrived.signal;
        let has = |flag: i32| action.flags & flag as u64 != 0;
        let stack = if has(libc::SA_ONSTACK) { self.signal_stack.top(hart.x[SP]) } else { None };
        let call = frame::Call {
            handler: action.handler & !1,
            signal,
            info: &arrived.info,
            stack,
            // Not the one that a call waits with: this call is over.
            mask: self.blocked,
            trampoline: self.process.image.sigreturn,
        };
        if frame::enter(hart, &self.signal_stack, &call).is_err() {
            let cause = Cause::NoFrame(signal);
            if signal == libc::SIGSEGV {
                return Outcome::Killed { signal, cause };
            }
            return self.force_segv(hart, cause);
        }
        self.waited_with = None;
        self.blocked = mask | action.mask | if has(libc::SA_NODEFER) { 0 } else { bit(signal) };
        self.signal_stack.enter();
        Outcome::Continue
    }

    /// Makes the host's mask the guest's, unless a signal waits.
    pub(crate) fn set_host_mask(&self) {
        host_signals::set_mask(u64::MAX);
        if !host::is_waiting() {
            host_signals::set_mask(self.blocked);
        }
    }
}
