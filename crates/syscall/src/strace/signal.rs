//! One line for each signal that the guest gets.

use super::{emit, names};
use crate::signals::info::{code, half};
use crate::task::Task;
use rvrun_host::signals::{Arrived, Info};

/// Reports a signal, if calls are reported.
pub(crate) fn signal(task: &Task, arrived: &Arrived) {
    if task.process.config.strace.is_some() {
        emit(task, &line(arrived));
    }
}

fn line(arrived: &Arrived) -> String {
    let name = names::signal(arrived.signal as u64);
    let code = code(&arrived.info);
    let code_text =
        code_name(arrived.signal, code).map_or_else(|| code.to_string(), str::to_string);
    let mut fields = format!("si_signo={name}, si_code={code_text}");
    fields.push_str(&details(arrived.signal, code, &arrived.info));
    format!("--- {name} {{{fields}}} ---")
}

/// The fields that a signal from this source has.
fn details(signal: i32, code: i32, info: &Info) -> String {
    let sender = || format!(", si_pid={}, si_uid={}", half(info, 0) as i32, half(info, 1));
    match (signal, code) {
        (_, libc::SI_USER | libc::SI_TKILL) => sender(),
        (_, libc::SI_TIMER) => {
            let [timer, overrun] = [half(info, 0), half(info, 1)];
            format!(", si_timerid={timer:#x}, si_overrun={overrun}, si_value={:#x}", info[3])
        }
        (_, libc::SI_QUEUE | libc::SI_MESGQ) => format!("{}, si_value={:#x}", sender(), info[3]),
        (libc::SIGCHLD, 1..) => {
            let (status, user, system) = (half(info, 2) as i32, info[4], info[5]);
            format!("{}, si_status={status}, si_utime={user}, si_stime={system}", sender())
        }
        (
            libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGTRAP,
            1..libc::SI_KERNEL,
        ) => {
            format!(", si_addr={:#x}", info[2])
        }
        _ => String::new(),
    }
}

fn code_name(signal: i32, code: i32) -> Option<&'static str> {
    Some(match (signal, code) {
        (_, libc::SI_USER) => "SI_USER",
        (_, libc::SI_KERNEL) => "SI_KERNEL",
        (_, libc::SI_QUEUE) => "SI_QUEUE",
        (_, libc::SI_TIMER) => "SI_TIMER",
        (_, libc::SI_MESGQ) => "SI_MESGQ",
        (_, libc::SI_ASYNCIO) => "SI_ASYNCIO",
        (_, libc::SI_SIGIO) => "SI_SIGIO",
        (_, libc::SI_TKILL) => "SI_TKILL",
        (libc::SIGCHLD, libc::CLD_EXITED) => "CLD_EXITED",
        (libc::SIGCHLD, libc::CLD_KILLED) => "CLD_KILLED",
        (libc::SIGCHLD, libc::CLD_DUMPED) => "CLD_DUMPED",
        (libc::SIGCHLD, libc::CLD_TRAPPED) => "CLD_TRAPPED",
        (libc::SIGCHLD, libc::CLD_STOPPED) => "CLD_STOPPED",
        (libc::SIGCHLD, libc::CLD_CONTINUED) => "CLD_CONTINUED",
        (libc::SIGSEGV, 1) => "SEGV_MAPERR",
        (libc::SIGSEGV, 2) => "SEGV_ACCERR",
        (libc::SIGBUS, 1) => "BUS_ADRALN",
        (libc::SIGBUS, 2) => "BUS_ADRERR",
        (libc::SIGILL, 1) => "ILL_ILLOPC",
        (libc::SIGTRAP, 1) => "TRAP_BRKPT",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_the_signal_has() {
        let mut info: Info = [0; 16];
        info[1] = libc::CLD_EXITED as u64;
        info[2] = 1000 << 32 | 42;
        info[3] = 7;
        let line = line(&Arrived { signal: libc::SIGCHLD, info });
        assert_eq!(
            line,
            "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=42, si_uid=1000, \
             si_status=7, si_utime=0, si_stime=0} ---"
        );
    }

    #[test]
    fn codes_without_a_name_are_numbers() {
        let mut info: Info = [0; 16];
        info[1] = u64::from(-60i32 as u32);
        let arrived = Arrived { signal: 40, info };
        assert_eq!(line(&arrived), "--- SIGRT_8 {si_signo=SIGRT_8, si_code=-60} ---");
    }
}
