//! Files of `/proc` that would tell of the VM instead of the guest.
//!
//! They are recognised by absolute path. What the guest opens is a file in
//! memory with the text of that moment.

use crate::task::Process;
use crate::{Errno, raw};
use rvrun_memory::Mapping;
use std::fmt::Write;

/// A file of `/proc` that this crate makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcFile {
    /// `/proc/self/exe`: a link to the program.
    Exe,
    /// `/proc/self/cmdline`: its arguments.
    Cmdline,
    /// `/proc/self/auxv`: its auxiliary vector.
    Auxv,
    /// `/proc/self/maps`: its mappings.
    Maps,
    /// `/proc/self/stat`: the host's, with the guest's threads.
    Stat,
    /// `/proc/self/status`: the same in lines.
    Status,
    /// `/proc/cpuinfo`: its harts.
    CpuInfo,
}

impl ProcFile {
    /// Which of them an absolute path names, for the process that asks.
    pub(crate) fn of(path: &[u8]) -> Option<Self> {
        let mut parts =
            path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
        if parts.next()? != b"proc" {
            return None;
        }
        let process = parts.next()?;
        let mut name = parts.next();
        if process == b"cpuinfo" && name.is_none() {
            return Some(ProcFile::CpuInfo);
        }
        let own = |part: &[u8], number: u32| part == number.to_string().as_bytes();
        if process == b"thread-self" || process == b"self" || own(process, std::process::id()) {
            if process != b"thread-self" && name? == b"task" {
                let thread = parts.next()?;
                let tid = raw::syscall(libc::SYS_gettid, [0; 6]) as u32;
                if !own(thread, tid) {
                    return None;
                }
                name = parts.next();
            }
        } else {
            return None;
        }
        let file = match name? {
            b"exe" => ProcFile::Exe,
            b"cmdline" => ProcFile::Cmdline,
            b"auxv" => ProcFile::Auxv,
            b"maps" => ProcFile::Maps,
            b"stat" => ProcFile::Stat,
            b"status" => ProcFile::Status,
            _ => return None,
        };
        parts.next().is_none().then_some(file)
    }

    /// Its bytes; none for the link, and for what the host does not have.
    pub(crate) fn content(self, process: &Process) -> Option<Vec<u8>> {
        match self {
            ProcFile::Exe => None,
            ProcFile::Cmdline => Some(
                process
                    .image
                    .args
                    .iter()
                    .flat_map(|arg| [arg.as_slice(), b"\0"])
                    .flatten()
                    .copied()
                    .collect(),
            ),
            ProcFile::Auxv => Some(process.image.auxv.clone()),
            ProcFile::Maps => Some(maps(process).into_bytes()),
            ProcFile::Stat => {
                Some(with_threads(&std::fs::read("/proc/self/stat").ok()?, process.threads.count()))
            }
            ProcFile::Status => {
                let status = std::fs::read("/proc/self/status").ok()?;
                Some(status_with_threads(&status, process.threads.count()))
            }
            ProcFile::CpuInfo => Some(cpuinfo(process).into_bytes()),
        }
    }
}

/// The lines of `/proc/self/maps` (`proc_pid_maps(5)`).
fn maps(process: &Process) -> String {
    process.space.mappings().iter().map(|mapping| line(process, mapping)).collect()
}

fn line(process: &Process, mapping: &Mapping) -> String {
    let flag = |bit: i32, letter: char| if mapping.prot & bit != 0 { letter } else { '-' };
    let mut line = format!(
        "{:x}-{:x} {}{}{}{} {:08x} {} {} ",
        mapping.start,
        mapping.end,
        flag(libc::PROT_READ, 'r'),
        flag(libc::PROT_WRITE, 'w'),
        flag(libc::PROT_EXEC, 'x'),
        if mapping.shared { 's' } else { 'p' },
        mapping.offset,
        mapping.device,
        mapping.inode,
    );
    if !mapping.name.is_empty() {
        let name = process.guest_view(mapping.name.as_bytes());
        // The kernel pads to the 74th column.
        let _ = write!(line, "{:>1$}", "", 73usize.saturating_sub(line.len()));
        line.push_str(&String::from_utf8_lossy(name));
    }
    line.push('\n');
    line
}

/// `/proc/self/stat` of a process without the VM's own threads (`proc_pid_stat(5)`).
fn with_threads(stat: &[u8], threads: usize) -> Vec<u8> {
    /// Spaces between the name and the number of threads.
    const BEFORE: usize = 18;
    // The name may hold anything.
    let name_end = stat.iter().rposition(|byte| *byte == b')').unwrap_or(0);
    let spaces = stat.iter().enumerate().skip(name_end).filter(|(_, byte)| **byte == b' ');
    let mut around = spaces.map(|(at, _)| at).skip(BEFORE - 1);
    match (around.next(), around.next()) {
        (Some(before), Some(after)) => {
            [&stat[..=before], threads.to_string().as_bytes(), &stat[after..]].concat()
        }
        _ => stat.to_vec(),
    }
}

/// `/proc/self/status` of such a process (`proc_pid_status(5)`).
fn status_with_threads(status: &[u8], threads: usize) -> Vec<u8> {
    let line = |line: &[u8]| match line.starts_with(b"Threads:") {
        true => format!("Threads:\t{threads}\n").into_bytes(),
        false => line.to_vec(),
    };
    status.split_inclusive(|byte| *byte == b'\n').flat_map(line).collect()
}

/// `/proc/cpuinfo` as the riscv kernel prints it.
fn cpuinfo(process: &Process) -> String {
    let cpu = &process.config.cpu;
    let id = |key: i64| {
        cpu.hwprobe.iter().find(|(known, _)| *known == key).map_or(0, |(_, value)| *value)
    };
    (0..online_cpus()).fold(String::new(), |mut text, hart| {
        let _ = write!(
            text,
            "processor\t: {hart}\nhart\t\t: {hart}\nisa\t\t: {}\nmmu\t\t: sv48\nuarch\t\t: rvrun,hart\n\
             mvendorid\t: {:#x}\nmarchid\t\t: {:#x}\nmimpid\t\t: {:#x}\nhart isa\t: {}\n\n",
            cpu.isa,
            id(0),
            id(1),
            id(2),
            cpu.isa,
        );
        text
    })
}

/// How many processors the host has running.
pub(crate) fn online_cpus() -> usize {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    count_cpus(text.trim()).max(1)
}

/// The number of processors in a list such as `0-3,8`.
fn count_cpus(list: &str) -> usize {
    list.split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
            Some(last.checked_sub(first)? + 1)
        })
        .sum()
}

/// Opens a file in memory with these bytes.
///
/// # Errors
/// What `memfd_create` and `write` give, such as `EMFILE`.
pub(crate) fn open_memory(
    name: &std::ffi::CStr,
    bytes: &[u8],
    close_on_exec: bool,
) -> Result<u64, Errno> {
    let flags = if close_on_exec { libc::MFD_CLOEXEC } else { 0 };
    let fd = raw::call(libc::SYS_memfd_create, &[name.as_ptr() as u64, flags.into()])?;
    let mut rest = bytes;
    while !rest.is_empty() {
        match raw::call(libc::SYS_write, &[fd, rest.as_ptr() as u64, rest.len() as u64]) {
            Ok(done) => rest = &rest[(done as usize).min(rest.len())..],
            Err(error) => {
                raw::syscall(libc::SYS_close, [fd, 0, 0, 0, 0, 0]);
                return Err(error);
            }
        }
    }
    raw::call(libc::SYS_lseek, &[fd, 0, libc::SEEK_SET as u64])?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_files_are_recognised() {
        let pid = std::process::id();
        let tid = raw::syscall(libc::SYS_gettid, [0; 6]);
        let of = |path: &str| ProcFile::of(path.as_bytes());
        assert_eq!(of("/proc/self/exe"), Some(ProcFile::Exe));
        assert_eq!(of("//proc/./self//maps"), Some(ProcFile::Maps));
        assert_eq!(of("/proc/thread-self/auxv"), Some(ProcFile::Auxv));
        assert_eq!(of(&format!("/proc/{pid}/cmdline")), Some(ProcFile::Cmdline));
        assert_eq!(of(&format!("/proc/self/task/{tid}/maps")), Some(ProcFile::Maps));
        assert_eq!(of("/proc/self/stat"), Some(ProcFile::Stat));
        assert_eq!(of("/proc/cpuinfo"), Some(ProcFile::CpuInfo));
        for path in [
            "/proc/1/exe",
            "/proc",
            "/proc/self",
            "/proc/self/exe/x",
            "/proc/self/task",
            "/proc/cpuinfo/x",
            "/etc/exe",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
    }

    #[test]
    fn a_process_has_the_threads_of_its_guest() {
        let stat = b"7 (a) (b c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 2 18 19\n";
        let one = b"7 (a) (b c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 1 18 19\n";
        assert_eq!(with_threads(stat, 1), one);
        assert_eq!(with_threads(b"7 (a) S 1", 1), b"7 (a) S 1");
        let own = with_threads(&std::fs::read("/proc/self/stat").unwrap(), 1);
        let own = String::from_utf8(own).unwrap();
        assert_eq!(own.rsplit(')').next().unwrap().split_whitespace().nth(17), Some("1"));
        let status = b"Name:\tx\nThreads:\t12\nSigQ:\t0/1\n";
        assert_eq!(status_with_threads(status, 3), b"Name:\tx\nThreads:\t3\nSigQ:\t0/1\n");
    }

    #[test]
    fn processors_are_counted() {
        assert_eq!(count_cpus("0"), 1);
        assert_eq!(count_cpus("0-3,8,10-11"), 7);
        assert_eq!(count_cpus("3-1"), 0);
        assert_eq!(count_cpus(""), 0);
    }
}
