//! `rvrun`: runs RISC-V Linux programs on x86-64 Linux.
//!
//! The command line ([`options`], or [`qemu`] under a name that begins with
//! `qemu-riscv`, or [`binfmt`] when the kernel started us) becomes [`settings`],
//! and those a [`rvrun::Program`]. Messages of the VM itself begin with `rvrun:`.

#![forbid(unsafe_code)]

mod binfmt;
mod options;
mod qemu;
mod settings;
mod strace;

use rvrun::Exit;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// The VM's own failure, as `env`, `timeout` and container engines number it.
const VM_FAILURE: u8 = 125;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_default();
    let args: Vec<OsString> = args.collect();
    let settings = if binfmt::started_by_kernel() {
        binfmt::parse(args)
    } else if qemu::is_qemu_name(&name) {
        qemu::parse(args)
    } else {
        options::parse(name, args)
    };
    let program = match settings.and_then(settings::Settings::into_program) {
        Ok(program) => program,
        Err(stop) => return stop.report(),
    };
    match rvrun::run(program) {
        Ok(Exit::Status(status)) => ExitCode::from(status as u8),
        Ok(Exit::Signal { signal, report }) => {
            complain(&report);
            rvrun::die_of_signal(signal)
        }
        Ok(other) => {
            complain(&format!("the guest ended in an unknown way: {other:?}"));
            ExitCode::from(VM_FAILURE)
        }
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(error.exit_status())
        }
    }
}

/// Why no program is run.
enum EarlyStop {
    /// Everything asked for was printed.
    Done,
    /// The command line cannot be carried out.
    Usage(String),
    /// There is something wrong with the program.
    Program(rvrun::Error),
}

impl EarlyStop {
    fn report(self) -> ExitCode {
        match self {
            EarlyStop::Done => ExitCode::SUCCESS,
            EarlyStop::Usage(message) => {
                complain(&message);
                ExitCode::from(VM_FAILURE)
            }
            EarlyStop::Program(error) => {
                complain(&error.to_string());
                ExitCode::from(error.exit_status())
            }
        }
    }
}

/// Writes a line to standard error; there is nobody to tell if that fails.
fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "rvrun: {message}");
}
