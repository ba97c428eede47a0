//! Processes of other VMs, and the VM's own threads.
//!
//! The host's kernel knows the arguments, the environment and the name of another VM's
//! guest, since that VM has told it ([`crate::shown`]). What remains is the program: the
//! file that its code comes from. And how many threads it has.

use super::own;
use crate::translate::read_link;
use rvrun_host::process::VM_THREAD;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Device and inode of an executable.
fn identity(path: &str) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|data| (data.dev(), data.ino()))
}

/// Whether a process runs this VM.
fn is_vm(process: u32) -> bool {
    /// The VM's own, once somebody has looked. No lock: this process may fork meanwhile.
    static OWN: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
    let mut own: (u64, u64) = OWN.each_ref().map(|part| part.load(Ordering::Relaxed)).into();
    if own == (0, 0) {
        let Some(found) = identity("/proc/self/exe") else { return false };
        own = found;
        // Whoever sees one of them only takes a VM for none, for the moment.
        OWN[0].store(own.0, Ordering::Relaxed);
        OWN[1].store(own.1, Ordering::Relaxed);
    }
    Some(own) == identity(&format!("/proc/{process}/exe"))
}

/// How many threads of a process are a VM's own.
pub(crate) fn vm_threads(process: u32) -> usize {
    threads(process).into_iter().filter(|thread| is_vm_thread(process, *thread)).count()
}

/// The threads of a process. The kernel leaves some out where the thread that it has got to
/// ends meanwhile: a list is whole if the next one has the same threads.
fn threads(process: u32) -> Vec<u32> {
    /// Of a process whose threads come and go all the time, what there is at last has to do.
    const TRIES: usize = 16;
    let tasks = format!("/proc/{process}/task");
    let list = || -> Vec<u32> {
        let list = fs::read_dir(&tasks).into_iter().flatten();
        list.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
    };
    let mut found = list();
    for _ in 0..TRIES {
        let again = list();
        if again == found {
            break;
        }
        found = again;
    }
    found
}

/// The program of another VM's guest; none if it is none or does not tell.
pub(super) fn program(process: u32) -> Option<Vec<u8>> {
    if !is_vm(process) {
        return None;
    }
    /// Where its code begins (proc_pid_stat(5)).
    const START_CODE: usize = 26;
    let code = own::field(&fs::read(format!("/proc/{process}/stat")).ok()?, START_CODE)?;
    let maps = fs::read(format!("/proc/{process}/maps")).ok()?;
    let line = maps.split(|byte| *byte == b'\n').find(|line| holds(line, code))?;
    let name = line.iter().position(|byte| *byte == b'/').map(|at| line[at..].to_vec())?;
    // A VM that has not told is shown as what it is.
    (Some(&name) != read_link(format!("/proc/{process}/exe").as_bytes()).as_ref()).then_some(name)
}

/// Whether the mapping of a line of `maps` has this address.
fn holds(line: &[u8], address: u64) -> bool {
    let range = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let parsed = std::str::from_utf8(range).ok().and_then(|range| {
        let (start, end) = range.split_once('-')?;
        Some(u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?)
    });
    parsed.is_some_and(|range| range.contains(&address))
}

/// Whether a thread is the VM's own.
pub(super) fn is_vm_thread(process: u32, thread: u32) -> bool {
    fs::read(format!("/proc/{process}/task/{thread}/comm"))
        .is_ok_and(|name| name.strip_suffix(b"\n") == Some(VM_THREAD.as_bytes()))
}

/// The host's `stat` or `status` of another VM, whose name is in `host`, with the number
/// of its guest's threads; none if the host's is right.
pub(super) fn content(process: u32, host: &str) -> Option<Vec<u8>> {
    if !is_vm(process) {
        return None;
    }
    let text = fs::read(host).ok()?;
    let threads =
        threads(process).into_iter().filter(|thread| !is_vm_thread(process, *thread)).count();
    if threads == 0 {
        // It has ended, or does not show them.
        return None;
    }
    Some(if host.ends_with("/stat") {
        own::with_fields(&text, &[(20, threads as u64)])
    } else {
        own::with_lines(&text, |key, _| (key == b"Threads").then(|| threads.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rvrun_host::process::start_vm_thread;
    use std::collections::BTreeSet;
    use std::sync::mpsc::channel;

    #[test]
    fn mappings_hold_their_addresses() {
        let line = b"1000-3000 r--p 00000000 fe:01 7    /bin/x";
        assert!(holds(line, 0x1000) && holds(line, 0x2fff));
        assert!(!holds(line, 0x3000) && !holds(line, 0xfff));
        assert!(!holds(b"", 0) && !holds(b"x-y", 0));
    }

    #[test]
    fn what_has_not_told_of_a_guest_is_no_guest() {
        assert_eq!(program(std::process::id()), None);
        assert_eq!(program(u32::MAX), None);
    }

    #[test]
    fn threads_are_the_vms_by_name_even_before_they_run() {
        let process = std::process::id();
        let is_vms = move || is_vm_thread(process, super::super::own_thread());
        let of_vm = || -> BTreeSet<u32> {
            threads(process).into_iter().filter(|thread| is_vm_thread(process, *thread)).collect()
        };
        for _ in 0..50 {
            let before = of_vm();
            let (go, wait) = channel::<()>();
            let (sender, receiver) = channel();
            let thread = start_vm_thread(move || {
                let _ = wait.recv();
                sender.send(is_vms()).unwrap();
            });
            assert_eq!(of_vm().difference(&before).count(), 1);
            drop(go);
            assert!(receiver.recv().unwrap());
            thread.unwrap().join().unwrap();
        }
        assert!(!is_vms());
    }
}
