//! What `/proc/self/maps` shows of the guest's mappings: files and offsets are
//! the host kernel's knowledge, protections and names are ours.

use crate::GuestAddr;
use crate::regions::Regions;
use std::fs;
use std::ops::Range;

/// A mapping as a line of `/proc/self/maps` shows it (proc_pid_maps(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: GuestAddr,
    /// Address behind the last.
    pub end: GuestAddr,
    /// `PROT_*` as the guest asked for it.
    pub prot: i32,
    /// Whether writes reach others.
    pub shared: bool,
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// Major and minor number of the file's device, in hexadecimal as the kernel writes them.
    pub device: String,
    /// The file's inode, 0 for anonymous memory.
    pub inode: u64,
    /// The file's path on the host, or a name in brackets, or nothing.
    pub name: String,
}

/// The host's text; none if it does not tell. What is not UTF-8 in paths is shown as such.
fn text() -> Option<String> {
    fs::read("/proc/self/maps").ok().map(|text| String::from_utf8_lossy(&text).into_owned())
}

/// The mappings of `regions`, cut along the host's.
pub fn mappings(regions: &Regions) -> Vec<Mapping> {
    let text = text().unwrap_or_default();
    let mut all: Vec<Mapping> = Vec::new();
    for host in text.lines().filter_map(parse) {
        for mapping in parts(regions, &host) {
            match all.last_mut() {
                Some(last) if continues(last, &mapping) => last.end = mapping.end,
                _ => all.push(mapping),
            }
        }
    }
    all
}

/// The parts of `ranges` at which the host has no mapping; none if it does not tell.
pub(crate) fn holes(ranges: &[Range<GuestAddr>]) -> Vec<Range<GuestAddr>> {
    if ranges.is_empty() {
        return Vec::new();
    }
    let Some(text) = text() else { return Vec::new() };
    let mut left = ranges.to_vec();
    for host in text.lines().filter_map(parse) {
        let outside = |range: Range<GuestAddr>| {
            let before = range.start..range.end.min(host.start);
            let behind = range.start.max(host.end)..range.end;
            [before, behind]
        };
        left = left.into_iter().flat_map(outside).filter(|range| !range.is_empty()).collect();
    }
    left
}

/// What the guest has of a mapping of the host.
pub(crate) fn parts<'a>(
    regions: &'a Regions,
    host: &'a Mapping,
) -> impl Iterator<Item = Mapping> + 'a {
    regions.within(host.start..host.end).map(|(part, attributes)| {
        let label = attributes.label.as_deref();
        // The host's own names for anonymous memory are not the guest's, but for those that
        // the guest has given (`PR_SET_VMA_ANON_NAME`).
        let hosts = host.inode != 0 || host.name.starts_with("[anon");
        let name = label.unwrap_or(if hosts { &host.name } else { "" });
        Mapping {
            start: part.start,
            end: part.end,
            prot: attributes.prot,
            shared: attributes.shared,
            offset: if host.inode == 0 { 0 } else { host.offset + (part.start - host.start) },
            name: name.to_owned(),
            ..host.clone()
        }
    })
}

/// Whether `next` is the same anonymous memory as `last`, cut only by the host's protections.
pub(crate) fn continues(last: &Mapping, next: &Mapping) -> bool {
    last.inode == 0
        && *next == Mapping { start: next.start, end: next.end, ..last.clone() }
        && last.end == next.start
}

pub(crate) fn parse(line: &str) -> Option<Mapping> {
    let mut rest = line;
    let mut word = || {
        let trimmed = rest.trim_start();
        let end = trimmed.find(' ').unwrap_or(trimmed.len());
        let (word, tail) = trimmed.split_at(end);
        rest = tail;
        word
    };
    let (start, end) = word().split_once('-')?;
    let _protection = word();
    let offset = u64::from_str_radix(word(), 16).ok()?;
    let device = word().to_owned();
    let inode = word().parse().ok()?;
    Some(Mapping {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        prot: 0,
        shared: false,
        offset,
        device,
        inode,
        name: rest.trim_start().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_maps_is_understood() {
        let line = "7f0000001000-7f0000003000 r--p 00002000 fe:01 1234    /usr/lib/a b.so";
        let mapping = parse(line).unwrap();
        assert_eq!((mapping.start, mapping.end), (0x7f00_0000_1000, 0x7f00_0000_3000));
        assert_eq!((mapping.offset, mapping.inode), (0x2000, 1234));
        assert_eq!((mapping.device.as_str(), mapping.name.as_str()), ("fe:01", "/usr/lib/a b.so"));
        assert_eq!(parse("7f00-7f10 rw-p 00000000 00:00 0").unwrap().name, "");
        assert_eq!(parse("nonsense"), None);
    }
}
