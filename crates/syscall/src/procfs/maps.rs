//! `maps`, `smaps` and `smaps_rollup` of the guest's process.

use crate::task::{Process, Task};
use rvrun_memory::{Mapping, Usage};
use std::fmt::Write;

/// The lines of `/proc/self/maps` (proc_pid_maps(5)).
pub(super) fn maps(task: &Task) -> Vec<u8> {
    let mut text = Vec::new();
    for mapping in task.process.space.mappings() {
        write_line(&mut text, task, &mapping);
    }
    text
}

/// The entries of `/proc/self/smaps` (proc_pid_smaps(5)).
pub(super) fn smaps(task: &Task) -> Vec<u8> {
    let mut text = Vec::new();
    for Usage { mapping, counts, flags } in task.process.space.usage() {
        write_line(&mut text, task, &mapping);
        write_count(&mut text, "Size", (mapping.end - mapping.start) >> 10);
        for (key, count) in counts {
            write_count(&mut text, &key, count);
        }
        text.extend(b"VmFlags: ");
        for flag in flags {
            text.extend(flag.bytes());
            text.push(b' ');
        }
        text.push(b'\n');
    }
    text
}

/// The sums of `/proc/self/smaps_rollup` (proc_pid_smaps(5)).
pub(super) fn rollup(process: &Process) -> Vec<u8> {
    let all = process.space.usage();
    let mut sums: Vec<(String, u64)> = Vec::new();
    let mut add = |key: &str, count: u64| match sums.iter_mut().find(|(known, _)| known == key) {
        Some((_, sum)) => *sum += count,
        None => sums.push((key.to_owned(), count)),
    };
    for usage in &all {
        let [anonymous, file, shared] = by_origin(usage);
        for (key, count) in &usage.counts {
            if key.ends_with("PageSize") || key == "THPeligible" {
                continue;
            }
            add(key, *count);
            // The kernel's place for them, whether or not it tells how much is dirty.
            if key == "Pss" {
                add("Pss_Dirty", 0);
                add("Pss_Anon", anonymous);
                add("Pss_File", file);
                add("Pss_Shmem", shared);
            }
        }
    }
    let start = all.first().map_or(0, |first| first.mapping.start);
    let end = all.last().map_or(0, |last| last.mapping.end);
    let mut line = format!("{start:x}-{end:x} ---p 00000000 00:00 0 ");
    pad(&mut line);
    let mut text = format!("{line}[rollup]\n").into_bytes();
    for (key, sum) in sums {
        write_count(&mut text, &key, sum);
    }
    text
}

/// The share of a mapping in memory that is nobody's file, a file's, and shared without one.
fn by_origin(usage: &Usage) -> [u64; 3] {
    let count = |name: &str| {
        usage.counts.iter().find(|(key, _)| key == name).map_or(0, |(_, count)| *count)
    };
    let share = count("Pss");
    let anonymous = count("Anonymous").min(share);
    match usage.mapping.inode {
        0 => [share, 0, 0],
        _ if usage.mapping.shared && usage.mapping.device == "00:01" => [0, 0, share],
        _ => [anonymous, share - anonymous, 0],
    }
}

fn write_line(text: &mut Vec<u8>, task: &Task, mapping: &Mapping) {
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
        pad(&mut line);
    }
    text.extend(line.bytes());
    text.extend(task.fs.guest_view(mapping.name.as_bytes()));
    text.push(b'\n');
}

/// Names begin in the 74th column.
fn pad(line: &mut String) {
    let _ = write!(line, "{:>1$}", "", 73usize.saturating_sub(line.len()));
}

fn write_count(text: &mut Vec<u8>, key: &str, count: u64) {
    let unit = if key == "THPeligible" { "" } else { " kB" };
    text.extend(format!("{:<16}{count:>8}{unit}\n", format!("{key}:")).bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_in_the_kernels_columns() {
        let mut text = Vec::new();
        write_count(&mut text, "Rss", 12);
        write_count(&mut text, "Private_Hugetlb", 0);
        write_count(&mut text, "THPeligible", 1);
        let expected = "Rss:                  12 kB\nPrivate_Hugetlb:       0 kB\n\
                        THPeligible:           1\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
