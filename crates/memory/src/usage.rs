//! What `/proc/self/smaps` shows beside the mappings: how much of each is in memory.
//!
//! The host counts by its own mappings, and one of those may be several of the guest's,
//! which differ in protections that the host does not have. Its numbers are divided among
//! them by size then: their sums stay right.

use crate::host_maps::{self, Mapping};
use crate::regions::Regions;
use std::fs;

/// A mapping with its counts (proc_pid_smaps(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The mapping.
    pub mapping: Mapping,
    /// The counts in KiB, without the mapping's size, under the kernel's names and in its order.
    pub counts: Vec<(String, u64)>,
    /// The kernel's two-letter flags; those of the protection are the guest's.
    pub flags: Vec<String>,
}

/// The mappings of `regions` with their counts.
pub fn usage(regions: &Regions) -> Vec<Usage> {
    let text = fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    let mut all: Vec<Usage> = Vec::new();
    for host in entries(&text) {
        let Mapping { start, end, .. } = host.mapping;
        for mapping in host_maps::parts(regions, &host.mapping) {
            let share = |count: u64| {
                let below = |address: u64| {
                    let whole = u128::from(count) * u128::from(address - start);
                    (whole / u128::from((end - start).max(1))) as u64
                };
                below(mapping.end) - below(mapping.start)
            };
            let counts = host.counts.iter().map(|(key, count)| {
                (key.clone(), if is_count(key) { share(*count) } else { *count })
            });
            let usage = Usage {
                counts: counts.collect(),
                flags: flags(&host.flags, mapping.prot),
                mapping,
            };
            match all.last_mut() {
                Some(last) if host_maps::continues(&last.mapping, &usage.mapping) => {
                    last.mapping.end = usage.mapping.end;
                    add(&mut last.counts, &usage.counts);
                }
                _ => all.push(usage),
            }
        }
    }
    all
}

/// Whether a line counts memory, and not how the mapping is made.
fn is_count(key: &str) -> bool {
    !key.ends_with("PageSize") && key != "THPeligible"
}

/// Adds the counts of the same names.
fn add(to: &mut [(String, u64)], counts: &[(String, u64)]) {
    for (total, (key, count)) in to.iter_mut().zip(counts) {
        if is_count(key) {
            total.1 = total.1.saturating_add(*count);
        }
    }
}

/// The host's flags with the guest's protection.
fn flags(host: &[String], prot: i32) -> Vec<String> {
    let own = [(libc::PROT_READ, "rd"), (libc::PROT_WRITE, "wr"), (libc::PROT_EXEC, "ex")];
    let allowed = own.iter().filter(|(bit, _)| prot & bit != 0).map(|(_, flag)| *flag);
    let others = host.iter().map(String::as_str).filter(|flag| !["rd", "wr", "ex"].contains(flag));
    allowed.chain(others).map(str::to_owned).collect()
}

/// The entries of the host's file: a line of the mapping, then lines of counts.
fn entries(text: &str) -> Vec<Usage> {
    let mut all: Vec<Usage> = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':').filter(|(key, _)| !key.contains('-')) else {
            if let Some(mapping) = host_maps::parse(line) {
                all.push(Usage { mapping, counts: Vec::new(), flags: Vec::new() });
            }
            continue;
        };
        let Some(entry) = all.last_mut() else { continue };
        let value = value.trim();
        match key {
            // The first is the mapping's own, the other one x86's.
            "Size" | "ProtectionKey" => {}
            "VmFlags" => entry.flags = value.split_whitespace().map(str::to_owned).collect(),
            _ => {
                if let Ok(count) = value.trim_end_matches("kB").trim().parse() {
                    entry.counts.push((key.to_owned(), count));
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regions::Attributes;

    #[test]
    fn an_entry_is_understood() {
        let text = "1000-5000 r--p 00000000 fe:01 7    /a: b\nSize: 16 kB\nKernelPageSize: 4 kB\n\
                    Rss:      8 kB\nTHPeligible:    0\nProtectionKey: 0\nVmFlags: rd mr me\n";
        let [entry] = &entries(text)[..] else { panic!("one entry") };
        assert_eq!((entry.mapping.start, entry.mapping.name.as_str()), (0x1000, "/a: b"));
        let names: Vec<_> = entry.counts.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(names, ["KernelPageSize", "Rss", "THPeligible"]);
        assert_eq!(
            flags(&entry.flags, libc::PROT_READ | libc::PROT_EXEC),
            ["rd", "ex", "mr", "me"]
        );
    }

    #[test]
    fn counts_of_a_mapping_are_those_of_its_parts() {
        // A page that is in memory, in a mapping of the guest's own making.
        let page = vec![1u8; 3 * 4096];
        let start = (page.as_ptr() as u64).next_multiple_of(4096);
        let mut regions = Regions::default();
        let attributes =
            |prot| Attributes { prot, shared: false, label: None, segment: None, object: None };
        regions.insert(start..start + 4096, attributes(libc::PROT_READ));
        regions.insert(start + 4096..start + 8192, attributes(libc::PROT_EXEC));
        let [first, second] = &usage(&regions)[..] else { panic!("two mappings") };
        assert_eq!((first.mapping.start, second.mapping.start), (start, start + 4096));
        assert!(!first.flags.contains(&"ex".to_owned()) && second.flags[0] == "ex");
        assert!(first.counts.iter().any(|(key, _)| key == "Rss"));
    }
}
