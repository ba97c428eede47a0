//! Runs a guest program and says how it ended.
//!
//! `cargo run -p rvrun-examples --example embed -- examples/guest/hello world`
//!
//! The guest has this process's memory and file descriptors: what it prints goes where
//! this program's own output goes. It sees only the environment that it is given here.

use anyhow::{Context, Result};
use rvrun::{Exit, Program, default_sysroots};
use std::process::ExitCode;

fn main() -> Result<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let path = args.next().context("usage: embed PROGRAM [ARGS]...")?;
    let mut program = Program::new(path).args(args).env("LANG", "C").env("USER", "embedder");
    // Where dynamically linked programs find their libraries.
    if let Some(sysroot) = default_sysroots().find(|directory| directory.is_dir()) {
        program = program.sysroot(sysroot);
    }
    match rvrun::run(program)? {
        Exit::Status(status) => {
            eprintln!("the guest exited with status {status}");
            Ok(ExitCode::from(status as u8))
        }
        Exit::Signal { signal, report } => {
            eprintln!("the guest died of signal {signal}: {report}");
            Ok(ExitCode::FAILURE)
        }
        other => {
            eprintln!("the guest ended otherwise: {other:?}");
            Ok(ExitCode::FAILURE)
        }
    }
}
