//! Files of the guest's own process, beside those of its mappings.

use crate::config::Layout;
use crate::guest;
use crate::task::{Process, Task};
use rvrun_host::signals::{FAULTS, bit, held};
use std::ops::Range;

/// Bytes of `cmdline` at most for a process that writes its title itself.
const MAX_TITLE: u64 = 4096;

/// `/proc/self/cmdline`: what the guest's memory has where its arguments were (kernel:
/// `get_mm_cmdline`). One that has overwritten the last NUL has a title of its own there,
/// which may go on where its environment was.
pub(super) fn cmdline(layout: &Layout) -> Vec<u8> {
    let Range { start, end } = layout.args;
    let mut last = [0];
    if start < end && guest::read_some(end - 1, &mut last) == 1 && last[0] != 0 {
        let limit = layout.env.end.max(end).min(start.saturating_add(MAX_TITLE));
        let mut title = memory(start..limit);
        let length = title.iter().position(|byte| *byte == 0).map_or(title.len(), |nul| nul + 1);
        title.truncate(length);
        return title;
    }
    memory(start..end)
}

/// `/proc/self/environ`: the same of its environment.
pub(super) fn environ(layout: &Layout) -> Vec<u8> {
    memory(layout.env.clone())
}

/// As much of the guest's memory as can be read.
fn memory(range: Range<u64>) -> Vec<u8> {
    let mut bytes = vec![0; range.end.saturating_sub(range.start) as usize];
    let length = guest::read_some(range.start, &mut bytes);
    bytes.truncate(length);
    bytes
}

/// Signals as the guest has them.
struct Signals {
    ignored: u64,
    caught: u64,
    /// Of the thread that asks.
    blocked: u64,
    /// What the VM keeps back for it.
    held: u64,
}

impl Signals {
    fn of(task: &Task) -> Self {
        let (mut ignored, mut caught) = (0, 0);
        let mut actions = task.process.actions.lock();
        for signal in 1..=64 {
            let action = actions.of(signal);
            if action.is_handled() {
                caught |= bit(signal);
            } else if action.handler == libc::SIG_IGN as u64 {
                ignored |= bit(signal);
            }
        }
        Self { ignored, caught, blocked: task.blocked, held: held() & task.blocked }
    }
}

/// `/proc/self/stat` (proc_pid_stat(5)) out of the host's. `calling` says whether it is
/// about the thread that asks.
pub(super) fn stat(task: &Task, host: &str, calling: bool) -> Option<Vec<u8>> {
    /// Signals that there is room for.
    const OLD: u64 = 0x7fff_ffff;
    let process = &task.process;
    let image = &process.image;
    let layout = &image.layout;
    let signals = Signals::of(task);
    let mut fields = vec![
        (20, process.threads.count() as u64),
        (23, process.space.size()),
        (26, layout.code.start),
        (27, layout.code.end),
        (28, layout.stack),
        (29, 0),
        (30, 0),
        (33, signals.ignored & OLD),
        (34, signals.caught & OLD),
        (45, layout.data.start),
        (46, layout.data.end),
        (47, image.brk_start),
        (48, layout.args.start),
        (49, layout.args.end),
        (50, layout.env.start),
        (51, layout.env.end),
    ];
    let host = std::fs::read(host).ok()?;
    if calling {
        fields.push((31, (field(&host, 31)? | signals.held) & OLD));
        fields.push((32, signals.blocked & OLD));
    }
    Some(with_fields(&host, &fields))
}

/// A number in a line of `stat` behind the name. Fields are counted from 1.
pub(super) fn field(stat: &[u8], number: usize) -> Option<u64> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let field = stat[name_end..].split(|byte| *byte == b' ').nth(number.checked_sub(2)?)?;
    std::str::from_utf8(field).ok()?.trim_end().parse().ok()
}

/// A line of `stat` with other values in some fields, which are counted from 1.
pub(super) fn with_fields(stat: &[u8], fields: &[(usize, u64)]) -> Vec<u8> {
    // The name, the second field, may hold anything.
    let name_end = stat.iter().rposition(|byte| *byte == b')').map_or(0, |at| at + 1);
    let (name, rest) = stat.split_at(name_end);
    let mut line = name.to_vec();
    // What is before the first space is the rest of the name.
    for (index, field) in rest.split(|byte| *byte == b' ').enumerate() {
        if index > 0 {
            line.push(b' ');
        }
        match fields.iter().find(|(number, _)| *number == index + 2) {
            Some((_, value)) if index > 0 => {
                line.extend(value.to_string().bytes());
                line.extend(field.iter().filter(|byte| **byte == b'\n'));
            }
            _ => line.extend(field),
        }
    }
    line
}

/// `/proc/self/statm` (proc_pid_statm(5)) out of the host's.
pub(super) fn statm(process: &Process, host: &str) -> Option<Vec<u8>> {
    let text = std::fs::read_to_string(host).ok()?;
    let (_, rest) = text.split_once(' ')?;
    Some(format!("{} {rest}", process.space.size() / rvrun_memory::PAGE).into_bytes())
}

/// `/proc/self/status` (proc_pid_status(5)) out of the host's. `calling` says whether it
/// is about the thread that asks.
pub(super) fn status(task: &Task, host: &str, calling: bool) -> Option<Vec<u8>> {
    let process = &task.process;
    let signals = Signals::of(task);
    let set = |set: u64| Some(format!("{set:016x}"));
    Some(with_lines(&std::fs::read(host).ok()?, |key, value| match key {
        b"Threads" => Some(process.threads.count().to_string()),
        b"VmSize" => Some(format!("{:>8} kB", process.space.size() >> 10)),
        b"SigPnd" if calling => {
            let pending = std::str::from_utf8(value).ok()?.trim();
            set(u64::from_str_radix(pending, 16).ok()? | signals.held)
        }
        b"SigBlk" if calling => set(signals.blocked),
        b"SigBlk" => {
            let blocked = std::str::from_utf8(value).ok()?.trim();
            set(u64::from_str_radix(blocked, 16).ok()? & !FAULTS)
        }
        b"Seccomp" if calling => Some(task.sandbox.state().0.to_string()),
        b"Seccomp_filters" if calling => Some(task.sandbox.state().1.to_string()),
        b"SigIgn" => set(signals.ignored),
        b"SigCgt" => set(signals.caught),
        _ => None,
    }))
}

/// The lines of `status` with other values where `change` gives some, by name and value.
pub(super) fn with_lines(
    status: &[u8],
    change: impl Fn(&[u8], &[u8]) -> Option<String>,
) -> Vec<u8> {
    let mut text = Vec::with_capacity(status.len());
    for line in status.split_inclusive(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (key, value) = line.split_at(colon);
        match change(key, value.get(1..).unwrap_or_default()) {
            Some(changed) => {
                text.extend(key);
                text.extend(b":\t");
                text.extend(changed.bytes());
                text.push(b'\n');
            }
            None => text.extend(line),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_name() {
        let stat = b"7 (a) (b c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 2 18 19\n";
        let one = b"7 (a) (b c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 1 18 77\n";
        assert_eq!((field(stat, 20), field(stat, 22)), (Some(2), Some(19)));
        assert_eq!((field(stat, 3), field(stat, 23), field(b"7", 4)), (None, None, None));
        assert_eq!(with_fields(stat, &[(20, 1), (22, 77), (99, 5)]), one);
        assert_eq!(with_fields(b"7 (a) S 1", &[(20, 1)]), b"7 (a) S 1");
        let own = with_fields(&std::fs::read("/proc/self/stat").unwrap(), &[(20, 4711), (51, 9)]);
        let own = String::from_utf8(own).unwrap();
        let fields: Vec<_> = own.rsplit(')').next().unwrap().split_whitespace().collect();
        assert_eq!((fields[17], fields[48]), ("4711", "9"));
    }

    #[test]
    fn lines_are_changed_by_name() {
        let status = b"Name:\tx\nThreads:\t12\nSigQ:\t0/1\n";
        let change =
            |key: &[u8], value: &[u8]| (key == b"Threads").then(|| format!("{}3", value.len()));
        assert_eq!(with_lines(status, change), b"Name:\tx\nThreads:\t43\nSigQ:\t0/1\n");
    }

    #[test]
    fn a_title_goes_on_where_the_environment_was() {
        rvrun_host::fault::install().unwrap();
        let layout = |bytes: &[u8], args: u64, env: u64| {
            let start = bytes.as_ptr() as u64;
            let end = start + args;
            Layout { args: start..end, env: end..end + env, ..Layout::default() }
        };
        let plain = b"a\0bc\0X=1\0";
        assert_eq!(cmdline(&layout(plain, 5, 4)), b"a\0bc\0");
        assert_eq!(environ(&layout(plain, 5, 4)), b"X=1\0");
        let title = b"a title\0\0\0";
        assert_eq!(cmdline(&layout(title, 5, 4)), b"a title\0");
        assert_eq!(cmdline(&Layout::default()), b"");
    }
}
