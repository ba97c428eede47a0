//! `/proc/cpuinfo`, and how many harts there are.

use crate::config::Cpu;
use std::fmt::Write;

/// The file as the riscv kernel prints it (`arch/riscv/kernel/cpu.c`) when all harts are alike.
pub(super) fn text(cpu: &Cpu) -> String {
    let id = |key: i64| {
        cpu.hwprobe.iter().find(|(known, _)| *known == key).map_or(0, |(_, value)| *value)
    };
    (0..online_cpus()).fold(String::new(), |mut text, hart| {
        let _ = write!(
            text,
            "processor\t: {hart}\nhart\t\t: {hart}\nisa\t\t: {}\nmmu\t\t: sv48\n\
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted() {
        assert_eq!(count_cpus("0"), 1);
        assert_eq!(count_cpus("0-3,8,10-11"), 7);
        assert_eq!(count_cpus("3-1"), 0);
        assert_eq!(count_cpus(""), 0);
    }
}
