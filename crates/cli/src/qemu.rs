//! The command line of QEMU's user mode, for scripts that call
//! `qemu-riscv64`: its flags, its environment variables.

use crate::EarlyStop;
use crate::cache::CacheSettings;
use crate::options::{split_setting, sysroot_from_environment};
use crate::settings::{EnvironmentChange, Settings};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether we were called in QEMU's place.
pub fn is_qemu_name(argv0: &OsStr) -> bool {
    Path::new(argv0).file_name().is_some_and(|name| name.as_bytes().starts_with(b"qemu-riscv"))
}

/// Flags that rvrun has no counterpart for, and what to say.
const UNSUPPORTED: [(&str, &str); 13] = [
    ("g", "debugging is not available yet"),
    ("s", "the stack's size comes from `ulimit -s`"),
    ("r", "the kernel release is the host's"),
    ("B", "guest addresses are host addresses"),
    ("R", "guest addresses are host addresses"),
    ("d", "there is no log; --strace shows system calls"),
    ("D", "there is no log; --strace-output names the trace's file"),
    ("p", "pages have 4096 bytes"),
    ("one-insn-per-tb", "there are no translation blocks"),
    ("singlestep", "there are no translation blocks"),
    ("perfmap", "profiling is not available yet"),
    ("jitdump", "profiling is not available yet"),
    ("seed", "random numbers are the host's"),
];

/// Parses `[flags] program [args…]`.
pub fn parse(args: Vec<OsString>) -> Result<Settings, EarlyStop> {
    let mut settings = Settings {
        sysroot: sysroot_from_environment(),
        strace: std::env::var_os("QEMU_STRACE").is_some(),
        cpu: std::env::var("QEMU_CPU").ok(),
        argv0: std::env::var_os("QEMU_ARGV0"),
        cache: CacheSettings::from_environment(),
        ..Settings::default()
    };
    for (variable, set) in [("QEMU_SET_ENV", true), ("QEMU_UNSET_ENV", false)] {
        if let Some(list) = std::env::var_os(variable) {
            change_environment(&mut settings, &list, set)?;
        }
    }
    let mut args = args.into_iter();
    let program = loop {
        let Some(arg) = args.next() else {
            return Err(EarlyStop::Usage("no program was named".into()));
        };
        let Some(flag) = flag_name(&arg) else { break arg };
        let mut value = || {
            args.next().ok_or_else(|| {
                EarlyStop::Usage(format!("the flag -{flag} wants a value behind it"))
            })
        };
        match flag {
            "-" => break args.next().unwrap_or_default(),
            "L" => settings.sysroot = Some(value()?.into()),
            "E" => change_environment(&mut settings, &value()?, true)?,
            "U" => change_environment(&mut settings, &value()?, false)?,
            "0" => settings.argv0 = Some(value()?),
            "cpu" => settings.cpu = Some(value()?.to_string_lossy().into_owned()),
            "strace" => settings.strace = true,
            "version" => {
                let version = concat!("rvrun version ", env!("CARGO_PKG_VERSION"), "\n");
                return Err(EarlyStop::Print(version.into()));
            }
            "h" | "help" => return Err(EarlyStop::Print(HELP.into())),
            other => return Err(EarlyStop::Usage(unsupported(other))),
        }
    };
    settings.program = program.into();
    settings.args = args.collect();
    Ok(settings)
}

const HELP: &str = "\
usage: qemu-riscv64 [flags] program [arguments...]
This is rvrun, called by QEMU's name. It takes these of QEMU's flags:
  -L DIR  -E KEY=VALUE  -U KEY  -0 NAME  -cpu MODEL[,EXT=on]...  -strace  -version
Called as `rvrun` it has more options: see rvrun --help.
";

/// The flag's name without its one or two hyphens.
fn flag_name(arg: &OsStr) -> Option<&str> {
    let text = arg.to_str()?.strip_prefix('-')?;
    if text == "-" { Some(text) } else { Some(text.strip_prefix('-').unwrap_or(text)) }
}

fn unsupported(flag: &str) -> String {
    match UNSUPPORTED.iter().find(|(name, _)| *name == flag) {
        Some((_, why)) => format!("the flag -{flag} is not supported: {why}"),
        None => format!("unknown flag -{flag}; -help lists those that there are"),
    }
}

/// Applies a comma-separated list of settings or names.
fn change_environment(settings: &mut Settings, list: &OsStr, set: bool) -> Result<(), EarlyStop> {
    for item in list.as_bytes().split(|b| *b == b',').map(OsStr::from_bytes) {
        settings.environment.push(if set {
            split_setting(item)?
        } else {
            EnvironmentChange::Remove(item.to_owned())
        });
    }
    Ok(())
}
