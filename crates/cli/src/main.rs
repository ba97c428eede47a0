//! `rvrun`: runs RISC-V Linux programs on x86-64 Linux.
//!
//! Messages of the VM itself begin with `rvrun:`.

#![deny(unsafe_code)]
#![no_main]

use rvrun_cli::cache::Wanted;
use rvrun_cli::settings::Settings;
use rvrun_cli::{binfmt, cache, complain, conformance, options, qemu, verify};
use std::ffi::OsString;

/// The process's entry, in place of the one that Rust's runtime would provide: that
/// one ignores SIGPIPE, which a guest would inherit, and spends a third of a short
/// program's time on what rvrun has no use for.
#[expect(unsafe_code, reason = "a C `main` has to have that name")]
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    rvrun::keep_heap_high();
    i32::from(run())
}

/// Where glibc's start looks for libraries by `$ORIGIN`: nowhere, as rvrun is static and loads none. In
/// place of glibc's own, which asks for `/proc/self/exe`: the kernel makes an inode for that, and a
/// fortieth of a short program's time goes by.
#[expect(unsafe_code, reason = "glibc knows the function by its name")]
#[unsafe(no_mangle)]
extern "C" fn _dl_get_origin() -> isize {
    const UNKNOWN: isize = -1;
    UNKNOWN
}

/// Runs what the command line asks for and returns the exit status.
fn run() -> u8 {
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_default();
    let args: Vec<OsString> = args.collect();
    let environment: Vec<_> = std::env::vars_os().collect();
    let settings = if binfmt::started_by_kernel() {
        binfmt::parse(args)
    } else if qemu::is_qemu_name(&name) {
        qemu::parse(args)
    } else if conformance::is_wanted(&args) {
        return conformance::conformance(&args);
    } else if let Some(file) = verify::wants_replay(&args) {
        return verify::replay(file);
    } else {
        match cache::wanted(&args) {
            Some(Wanted::Command(command)) => return cache::run(command),
            Some(Wanted::Warm(command)) => {
                options::parse(name, command.to_vec(), &environment).and_then(Settings::warm)
            }
            Some(Wanted::Unknown) => Err(cache::usage()),
            None => options::parse(name, args, &environment),
        }
    };
    let program = match settings.and_then(|settings| settings.into_program(environment)) {
        Ok(program) => program,
        Err(stop) => return stop.report(),
    };
    let Err(error) = rvrun::become_guest(program);
    complain(&error.to_string());
    error.exit_status()
}
