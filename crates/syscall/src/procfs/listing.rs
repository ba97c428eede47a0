//! The list of a process's threads, without the VM's own.

use super::{number, others};
use crate::row::{Args, SysResult};
use crate::task::Task;
use crate::translate::read_link;
use crate::{guest, raw};

/// Bytes of `struct linux_dirent64` before the name.
const HEADER: u64 = 19;
/// The longest name that a number has, with its NUL.
const NAME: usize = 11;

/// `getdents64(fd, entries, size)`.
pub(crate) fn getdents64(_: &mut Task, args: Args) -> SysResult {
    loop {
        let length = raw::check(raw::guarded(libc::SYS_getdents64, args))?;
        if length == 0 || !is_numbers(args[1], length) {
            return Ok(length);
        }
        let Some(process) = process_of(args[0]) else { return Ok(length) };
        let mut bytes = vec![0; length as usize];
        guest::read(args[1], &mut bytes)?;
        let kept = without_vm_threads(&bytes, |thread| others::is_vm_thread(process, thread));
        if kept.len() == bytes.len() {
            return Ok(length);
        }
        // An empty list would be the end.
        if !kept.is_empty() {
            guest::write(args[1], &kept)?;
            return Ok(kept.len() as u64);
        }
    }
}

/// Whether all names are numbers but for `.` and `..`. Stops at the first that is not.
fn is_numbers(start: u64, length: u64) -> bool {
    let mut at = 0;
    let mut found = false;
    while at + HEADER < length {
        let Ok(header) = guest::read_array::<{ HEADER as usize }>(start.wrapping_add(at)) else {
            return false;
        };
        let size = u64::from(u16::from_le_bytes([header[16], header[17]]));
        let mut name = [0; NAME];
        let readable = guest::read_some(start.wrapping_add(at + HEADER), &mut name);
        let name = name[..readable].split(|byte| *byte == 0).next().unwrap_or_default();
        match name {
            b"." | b".." => {}
            name if number(name).is_some() => found = true,
            _ => return false,
        }
        if size <= HEADER {
            return false;
        }
        at += size;
    }
    found
}

/// The process whose threads a descriptor lists.
fn process_of(fd: u64) -> Option<u32> {
    let path = read_link(format!("/proc/self/fd/{}", fd as i32).as_bytes())?;
    number(path.strip_prefix(b"/proc/")?.strip_suffix(b"/task")?)
}

/// The entries without those whose names are numbers of hidden threads.
pub(crate) fn without_vm_threads(entries: &[u8], hidden: impl Fn(u32) -> bool) -> Vec<u8> {
    let mut kept = Vec::with_capacity(entries.len());
    let mut rest = entries;
    while let Some(size) = rest.get(16..18) {
        let size = usize::from(u16::from_le_bytes([size[0], size[1]]));
        let Some((entry, behind)) = rest.split_at_checked(size).filter(|_| size > 0) else { break };
        let name = entry.get(HEADER as usize..).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if !number(name).is_some_and(&hidden) {
            kept.extend(entry);
        }
        rest = behind;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Vec<u8> {
        let size = (HEADER as usize + name.len() + 1).next_multiple_of(8);
        let mut bytes = vec![0; size];
        bytes[16] = size as u8;
        bytes[19..19 + name.len()].copy_from_slice(name.as_bytes());
        bytes
    }

    fn list(names: &[&str]) -> Vec<u8> {
        names.iter().flat_map(|name| entry(name)).collect()
    }

    #[test]
    fn lists_of_numbers_are_recognised() {
        rvrun_host::fault::install().unwrap();
        let numbers = |names: &[&str]| {
            let bytes = list(names);
            is_numbers(bytes.as_ptr() as u64, bytes.len() as u64)
        };
        assert!(numbers(&[".", "..", "12", "4194304"]));
        assert!(numbers(&["12"]));
        assert!(!numbers(&[".", ".."]));
        assert!(!numbers(&["12", "x"]) && !numbers(&["12345678901234567890"]));
    }

    #[test]
    fn hidden_threads_are_left_out() {
        let kept = without_vm_threads(&list(&[".", "12", "13", "14"]), |thread| thread == 13);
        assert_eq!(kept, list(&[".", "12", "14"]));
        assert!(without_vm_threads(&list(&["13"]), |_| true).is_empty());
        assert_eq!(without_vm_threads(&[1, 2, 3], |_| true), [0u8; 0]);
    }
}
