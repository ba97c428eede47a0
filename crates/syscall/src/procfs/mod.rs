//! Files of `/proc` that would tell of the VM instead of the guest.
//!
//! They are recognised by their paths, absolute ones and those that are relative to a
//! directory of `/proc`. What the guest opens is a file in memory with the text of that
//! moment. What the host's kernel shows of itself once it knows where the guest's parts
//! are ([`crate::shown`]) is not made here.
//!
//! [`own`] and [`maps`] are about the guest's process, [`others`] about processes
//! of other VMs and about the VM's own threads, [`listing`] about directories.

mod cpuinfo;
pub(crate) mod listing;
mod maps;
mod others;
mod own;

pub(crate) use cpuinfo::online_cpus;

use crate::task::Task;
use crate::translate::read_link;
use crate::{Errno, guest, raw};

/// A file of `/proc` that this crate makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcFile {
    /// `exe`: a link to the program.
    Exe,
    /// `cmdline`: its arguments.
    Cmdline,
    /// `environ`: its environment.
    Environ,
    /// `auxv`: its auxiliary vector.
    Auxv,
    /// `maps`: its mappings.
    Maps,
    /// `smaps`: the same with what is in memory.
    Smaps,
    /// `smaps_rollup`: the sum of that.
    SmapsRollup,
    /// `stat`: the host's, with what is the guest's.
    Stat,
    /// `statm`: the same of memory.
    Statm,
    /// `status`: the same in lines.
    Status,
    /// `task`: the list of its threads.
    Tasks,
    /// `/proc/cpuinfo`: its harts.
    CpuInfo,
}

/// The files of a process by their names.
const FILES: [(&[u8], ProcFile); 11] = [
    (b"exe", ProcFile::Exe),
    (b"cmdline", ProcFile::Cmdline),
    (b"environ", ProcFile::Environ),
    (b"auxv", ProcFile::Auxv),
    (b"maps", ProcFile::Maps),
    (b"smaps", ProcFile::Smaps),
    (b"smaps_rollup", ProcFile::SmapsRollup),
    (b"stat", ProcFile::Stat),
    (b"statm", ProcFile::Statm),
    (b"status", ProcFile::Status),
    (b"task", ProcFile::Tasks),
];

/// What a path below `/proc` names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Whose it is: 0 for nobody's.
    process: u32,
    /// The thread that the path goes through.
    thread: Option<u32>,
    /// Which file, if it is one of those that are made here.
    pub(crate) file: Option<ProcFile>,
}

impl Place {
    /// What an absolute path without `..` names, for the thread that asks.
    pub(crate) fn of(path: &[u8]) -> Option<Self> {
        let mut parts =
            path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
        if parts.next()? != b"proc" {
            return None;
        }
        let (process, mut thread) = match parts.next()? {
            b"cpuinfo" if parts.next().is_none() => {
                return Some(Self { process: 0, thread: None, file: Some(ProcFile::CpuInfo) });
            }
            b"self" => (std::process::id(), None),
            b"thread-self" => (std::process::id(), Some(own_thread())),
            part => (number(part)?, None),
        };
        let mut name = parts.next();
        if thread.is_none() && name == Some(b"task") {
            let Some(part) = parts.next() else {
                return Some(Self { process, thread, file: Some(ProcFile::Tasks) });
            };
            thread = Some(number(part)?);
            name = parts.next();
        }
        let file = name
            .filter(|_| parts.next().is_none())
            .and_then(|name| FILES.iter().find(|(known, _)| *known == name).map(|(_, file)| *file));
        Some(Self { process, thread, file })
    }

    fn is_own(&self) -> bool {
        self.process == std::process::id()
    }

    /// Whether it is of a thread that the guest does not know of.
    pub(crate) fn is_hidden(&self) -> bool {
        self.thread.is_some_and(|thread| {
            thread != own_thread() && others::is_vm_thread(self.process, thread)
        })
    }

    /// Where `exe` leads to, as a path of the host, if that is not what the host says.
    pub(crate) fn program(&self, task: &Task) -> Option<Vec<u8>> {
        use std::os::unix::ffi::OsStrExt;
        if self.file != Some(ProcFile::Exe) {
            None
        } else if self.is_own() {
            // A root may have no `/proc`. What it has of a process is made when it is looked up, but for
            // this link.
            let asked = self.thread.map_or("/proc/self".into(), |_| self.host(ProcFile::Exe));
            std::fs::symlink_metadata(asked).ok()?;
            Some(task.process.image.program.as_os_str().as_bytes().to_vec())
        } else {
            others::program(self.process)
        }
    }

    /// Its bytes; none for what the host's file has right, or does not have.
    pub(crate) fn content(&self, task: &Task) -> Option<Vec<u8>> {
        let file = self.file?;
        // What the host has not, be it for how `/proc` was mounted, is not there.
        std::fs::symlink_metadata(self.host(file)).ok()?;
        if file == ProcFile::CpuInfo {
            return Some(cpuinfo::text(&task.process.config.cpu).into_bytes());
        }
        if !self.is_own() {
            return match file {
                ProcFile::Stat | ProcFile::Status => {
                    others::content(self.process, &self.host(file))
                }
                _ => None,
            };
        }
        let process = &task.process;
        match file {
            ProcFile::Exe | ProcFile::Tasks | ProcFile::CpuInfo => None,
            ProcFile::Cmdline | ProcFile::Environ if process.shown_by_host => None,
            ProcFile::Cmdline => Some(own::cmdline(&process.image.layout)),
            ProcFile::Environ => Some(own::environ(&process.image.layout)),
            ProcFile::Auxv => Some(process.image.auxv.clone()),
            ProcFile::Maps => Some(maps::maps(task)),
            ProcFile::Smaps => Some(maps::smaps(task)),
            ProcFile::SmapsRollup => Some(maps::rollup(process)),
            ProcFile::Stat => own::stat(task, &self.host(file), self.is_calling_thread()),
            ProcFile::Statm => own::statm(process, &self.host(file)),
            ProcFile::Status => own::status(task, &self.host(file), self.is_calling_thread()),
        }
    }

    /// How many directories there are in it that the guest does not know of.
    pub(crate) fn hidden_directories(&self) -> usize {
        if self.file == Some(ProcFile::Tasks) { others::vm_threads(self.process) } else { 0 }
    }

    /// Whether what is said of one thread is said of the one that asks.
    fn is_calling_thread(&self) -> bool {
        self.thread.unwrap_or(self.process) == own_thread()
    }

    /// The host's path of a file of a process or thread.
    fn host(&self, file: ProcFile) -> String {
        if file == ProcFile::CpuInfo {
            return "/proc/cpuinfo".into();
        }
        let name =
            FILES.iter().find(|(_, known)| *known == file).map_or(&b""[..], |(name, _)| name);
        let name = String::from_utf8_lossy(name);
        match self.thread {
            Some(thread) => format!("/proc/{}/task/{thread}/{name}", self.process),
            None => format!("/proc/{}/{name}", self.process),
        }
    }
}

/// The absolute path that a guest's path argument gives, if it may name a [`Place`].
pub(crate) fn path_at(dir: u64, addr: u64) -> Option<Vec<u8>> {
    let mut start = [0; 6];
    let readable = guest::read_some(addr, &mut start);
    let start = &start[..readable];
    match start.first() {
        None | Some(0) => None,
        Some(b'/') if start != b"/proc/" => None,
        Some(b'/') => Some(without_parents(&guest::read_path(addr).ok()?)),
        Some(_) => {
            let path = guest::read_path(addr).ok()?;
            let mut parts = path.rsplit(|byte| *byte == b'/');
            let last = parts.find(|part| !part.is_empty()).unwrap_or_default();
            let known = FILES.iter().any(|(name, _)| *name == last)
                || matches!(last, b"cpuinfo" | b"cwd")
                || number(last).is_some();
            if !known {
                return None;
            }
            let directory = match dir as i32 {
                libc::AT_FDCWD => read_link(b"/proc/self/cwd"),
                fd => read_link(format!("/proc/self/fd/{fd}").as_bytes()),
            };
            let directory = directory
                .filter(|directory| directory == b"/proc" || directory.starts_with(b"/proc/"))?;
            Some(without_parents(&[directory.as_slice(), b"/", &path].concat()))
        }
    }
}

/// Takes `..` out of a path. That is exact where no link is on the way, as in `/proc`
/// but for `self`, whose target is beside it.
fn without_parents(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    kept.into_iter().flat_map(|part| [b"/", part].concat()).collect()
}

/// The number that a name is, without signs and leading zeros.
fn number(name: &[u8]) -> Option<u32> {
    let digits = !name.is_empty() && name.iter().all(u8::is_ascii_digit) && name[0] != b'0';
    std::str::from_utf8(name).ok().filter(|_| digits)?.parse().ok()
}

fn own_thread() -> u32 {
    raw::syscall(libc::SYS_gettid, [0; 6]) as u32
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
    fn files_are_recognised() {
        let (pid, tid) = (std::process::id(), own_thread());
        let of = |path: &str| Place::of(path.as_bytes());
        let own = |thread, file| Some(Place { process: pid, thread, file });
        assert_eq!(of("/proc/self/exe"), own(None, Some(ProcFile::Exe)));
        assert_eq!(of("//proc/./self//maps"), own(None, Some(ProcFile::Maps)));
        assert_eq!(of("/proc/thread-self/auxv"), own(Some(tid), Some(ProcFile::Auxv)));
        assert_eq!(of(&format!("/proc/{pid}/cmdline")), own(None, Some(ProcFile::Cmdline)));
        assert_eq!(of("/proc/self/task/77/maps"), own(Some(77), Some(ProcFile::Maps)));
        assert_eq!(of("/proc/self/task/77"), own(Some(77), None));
        assert_eq!(of("/proc/self/task/"), own(None, Some(ProcFile::Tasks)));
        for path in ["/proc/self", "/proc/self/exe/x"] {
            assert_eq!(of(path), own(None, None), "{path}");
        }
        let other = Place { process: 1, thread: None, file: Some(ProcFile::Stat) };
        assert_eq!(of("/proc/1/stat"), Some(other));
        let everybodys = Place { process: 0, thread: None, file: Some(ProcFile::CpuInfo) };
        assert_eq!(of("/proc/cpuinfo"), Some(everybodys));
        for path in
            ["/proc", "/proc/01/exe", "/proc/cpuinfo/x", "/proc/self/task/x/maps", "/etc/exe"]
        {
            assert_eq!(of(path), None, "{path}");
        }
    }

    #[test]
    fn parents_are_taken_out() {
        let without = |path: &str| String::from_utf8(without_parents(path.as_bytes())).unwrap();
        assert_eq!(without("/proc/self/../self//./maps"), "/proc/self/maps");
        assert_eq!(without("/proc/../../../etc"), "/etc");
        assert_eq!(without("/.."), "");
    }

    #[test]
    fn numbers_are_decimal() {
        assert_eq!(number(b"10"), Some(10));
        for name in [&b""[..], b"01", b"+1", b"1x", b"99999999999"] {
            assert_eq!(number(name), None);
        }
    }
}
