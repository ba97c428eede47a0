//! Counts the system calls of a guest program.
//!
//! `cargo run -p rvrun-examples --example count_syscalls -- examples/guest/hello`
//!
//! The trace is the one of `rvrun --strace`: a line for each call, which here goes to a
//! function instead of to standard error.

use anyhow::{Context, Result};
use rvrun::Program;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let path = args.next().context("usage: count_syscalls PROGRAM [ARGS]...")?;
    let counts: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
    let seen = counts.clone();
    let sink = Box::new(move |line: &str| {
        // `openat(AT_FDCWD, …) = 3`, behind the process's number once there are several.
        let call = line.split('(').next().unwrap_or(line);
        let name = call.rsplit(' ').next().unwrap_or(call).to_owned();
        *seen.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
    });
    let exit = rvrun::run(Program::new(path).args(args).strace(sink))?;
    for (name, count) in counts.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        eprintln!("{count:6} {name}");
    }
    eprintln!("{exit:?}");
    Ok(())
}
