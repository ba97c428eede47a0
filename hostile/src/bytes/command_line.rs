//! Command lines: an argument after the other, each ended by NUL. The first byte says who
//! reads them: rvrun, rvrun in QEMU's place, or rvrun as the kernel starts it.

use rvrun_cli::settings::{Settings, parse_cpu};
use rvrun_cli::{EarlyStop, binfmt, options, qemu};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Arguments that are looked at: the kernel takes many more, but they say nothing new.
const ARGUMENTS_MAX: usize = 64;

/// Parses a command line: it means something, or there is one message.
pub(super) fn examine(bytes: &[u8]) {
    let Some((reader, rest)) = bytes.split_first() else { return };
    let arguments: Vec<OsString> = rest
        .split(|byte| *byte == 0)
        .take(ARGUMENTS_MAX)
        .map(|argument| OsString::from_vec(argument.to_vec()))
        .collect();
    let parsed = match reader % 3 {
        0 => options::parse("rvrun".into(), arguments, &[]),
        1 => qemu::parse(arguments),
        _ => binfmt::parse(arguments),
    };
    match parsed {
        Ok(settings) => examine_settings(&settings),
        Err(EarlyStop::Print(text)) => assert!(!text.is_empty(), "nothing is printed"),
        Err(EarlyStop::Usage(message)) => {
            assert!(!message.is_empty(), "the message is empty");
            // Messages repeat what is wrong.
            let may = rest.contains(&b'\n');
            assert!(may || !message.trim_end().contains('\n'), "{message:?} is not one line");
        }
    }
}

/// Hands settings on as `execve` does: the next rvrun has to read what this one has read.
fn examine_settings(settings: &Settings) {
    // With these no program is run, so nothing is handed on.
    let unusable = |file: &Option<PathBuf>| file.as_ref().is_some_and(|f| f.as_os_str().is_empty());
    if settings.cpu.as_ref().is_some_and(|cpu| parse_cpu(cpu).is_err())
        || unusable(&settings.strace_output)
        || unusable(&settings.dump_output)
    {
        return;
    }
    let mut handed_on = settings.exec_config().prefix;
    let name = handed_on.remove(0);
    handed_on.extend(["--".into(), "program".into()]);
    let again = match options::parse(name, handed_on.clone(), &[]) {
        Ok(again) => again,
        Err(stop) => panic!("{stop:?} about {handed_on:?}"),
    };
    let same = again.cpu == settings.cpu
        && again.strace == settings.strace
        && again.no_aslr == settings.no_aslr
        && again.engine == settings.engine
        && again.translation == settings.translation
        && again.stats == settings.stats
        && again.dump == settings.dump;
    assert!(same, "handed on: {again:?}\ninstead of {settings:?}");
}
