//! Started by the kernel through binfmt_misc: every argument is the guest's.
//!
//! With the flags `POCF` the kernel passes the program's path, its `argv[0]` and
//! its arguments, and says so in `AT_FLAGS` (kernel: `Documentation/admin-guide/binfmt-misc.rst`).

use crate::EarlyStop;
use crate::cache::CacheSettings;
use crate::settings::Settings;
use std::ffi::OsString;

/// Whether the kernel kept `argv[0]` for us, as only binfmt_misc does.
pub fn started_by_kernel() -> bool {
    rvrun::preserves_argv0()
}

/// The settings for `PROGRAM ARGV0 ARG…`.
pub fn parse(args: Vec<OsString>) -> Result<Settings, EarlyStop> {
    let mut args = args.into_iter();
    let program = args.next().unwrap_or_default();
    Ok(Settings {
        argv0: Some(args.next().unwrap_or_else(|| program.clone())),
        program: program.into(),
        args: args.collect(),
        sysroot: crate::options::sysroot_from_environment(),
        cache: CacheSettings::from_environment(),
        ..Settings::default()
    })
}
