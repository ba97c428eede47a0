//! The text of one argument.

use super::names::{self, Names};
use super::{SHOWN, SHOWN_STRINGS};
use crate::guest;
use crate::row::{Args, Kind};

/// The text of an argument before its call; none if it comes out of the call.
pub(super) fn before(kind: Kind, value: u64, args: &Args) -> Option<String> {
    Some(match kind {
        Kind::Out | Kind::OutStr | Kind::OutFds => return None,
        Kind::Fd | Kind::Int => (value as i32).to_string(),
        Kind::DirFd if value as i32 == libc::AT_FDCWD => "AT_FDCWD".to_string(),
        Kind::DirFd => (value as i32).to_string(),
        Kind::Path | Kind::Str => string(value),
        Kind::StrArray => string_array(value),
        Kind::In(length) => bytes(value, args.get(usize::from(length)).copied().unwrap_or(0)),
        Kind::Uint => (value as u32).to_string(),
        Kind::Off => (value as i64).to_string(),
        Kind::Size => value.to_string(),
        Kind::Hex if value == 0 => "0".to_string(),
        Kind::Hex => format!("{value:#x}"),
        Kind::Ptr => pointer(value),
        Kind::Timespec => timespec(value),
        Kind::Sig => names::signal(value & 0xffff_ffff),
        Kind::SigSet => signal_set(value),
        Kind::Id => (value as i32).to_string(),
        Kind::Mode => format!("0{:o}", value as u32),
        Kind::Names(names) => flags(names, value),
    })
}

/// The text of an argument that came out of a call with this result.
pub(super) fn after(kind: Kind, value: u64, result: u64) -> String {
    let failed = (result as i64) < 0;
    match kind {
        Kind::Out | Kind::OutStr if !failed => bytes(value, result),
        Kind::OutFds if !failed => match guest::read_array::<8>(value) {
            Ok([a, b, c, d, e, f, g, h]) => {
                format!(
                    "[{}, {}]",
                    i32::from_le_bytes([a, b, c, d]),
                    i32::from_le_bytes([e, f, g, h])
                )
            }
            Err(_) => pointer(value),
        },
        _ => pointer(value),
    }
}

fn pointer(value: u64) -> String {
    if value == 0 { "NULL".to_string() } else { format!("{value:#x}") }
}

/// Bytes in quotes, with C's escapes; an ellipsis where some are left out.
fn quoted(shown: &[u8], complete: bool) -> String {
    let mut text = String::from("\"");
    for byte in shown {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\r' => text.push_str("\\r"),
            0x20..=0x7e => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text.push('"');
    if !complete {
        text.push_str("...");
    }
    text
}

fn bytes(addr: u64, length: u64) -> String {
    let mut shown = [0; SHOWN];
    let want = length.min(SHOWN as u64) as usize;
    if addr == 0 || guest::read_some(addr, &mut shown[..want]) < want {
        return pointer(addr);
    }
    quoted(&shown[..want], length <= SHOWN as u64)
}

fn string(addr: u64) -> String {
    let mut shown = [0; SHOWN + 1];
    let got = if addr == 0 { 0 } else { guest::read_some(addr, &mut shown) };
    match shown[..got].iter().position(|byte| *byte == 0) {
        Some(end) => quoted(&shown[..end], true),
        None if got == shown.len() => quoted(&shown[..SHOWN], false),
        None => pointer(addr),
    }
}

fn string_array(addr: u64) -> String {
    if addr == 0 {
        return "NULL".to_string();
    }
    let mut strings = Vec::new();
    loop {
        let at = addr.wrapping_add(8 * strings.len() as u64);
        match guest::read_u64(at) {
            Err(_) => return pointer(addr),
            Ok(0) => break,
            Ok(_) if strings.len() == SHOWN_STRINGS => {
                strings.push("...".to_string());
                break;
            }
            Ok(element) => strings.push(string(element)),
        }
    }
    format!("[{}]", strings.join(", "))
}

fn timespec(addr: u64) -> String {
    let words = (guest::read_u64(addr), guest::read_u64(addr.wrapping_add(8)));
    match words {
        (Ok(seconds), Ok(nanoseconds)) if addr != 0 => {
            format!("{{{}, {}}}", seconds as i64, nanoseconds as i64)
        }
        _ => pointer(addr),
    }
}

fn signal_set(addr: u64) -> String {
    match guest::read_u64(addr) {
        Ok(set) if addr != 0 => {
            // Of an almost full set, what is missing is worth reading.
            let (mark, shown) = if set.count_ones() > 32 { ("~", !set) } else { ("", set) };
            let list: Vec<_> = (1..=64)
                .filter(|signal| shown & 1 << (signal - 1) != 0)
                .map(names::signal)
                .collect();
            format!("{mark}[{}]", list.join(" "))
        }
        _ => pointer(addr),
    }
}

/// The names of a value, joined by bars; what has no name in hexadecimal.
fn flags(names: &Names, value: u64) -> String {
    // The kernel reads these arguments as int.
    let value = value & 0xffff_ffff;
    let number = value & names.field;
    let mut rest = value & !names.field;
    let mut parts = Vec::new();
    match names.values.iter().find(|(known, _)| *known == number) {
        // A name for "none of these bits" says nothing beside other bits.
        Some(_)
            if number == 0
                && rest != 0
                && names.bits.iter().any(|(bits, _)| bits & names.field != 0) => {}
        Some((_, name)) => parts.push((*name).to_string()),
        None => rest |= number,
    }
    for (bits, name) in names.bits {
        if *bits != 0 && rest & bits == *bits {
            parts.push((*name).to_string());
            rest &= !bits;
        }
    }
    if rest != 0 || parts.is_empty() {
        // A command or a plain number without a name reads best in decimal.
        let plain = parts.is_empty() && names.bits.is_empty();
        parts.push(match rest {
            0 => "0".to_string(),
            _ if plain => (rest as i32).to_string(),
            _ => format!("{rest:#x}"),
        });
    }
    parts.join("|")
}

#[cfg(test)]
mod tests {
    use super::names::*;
    use super::*;

    fn show(names: &'static Names, value: u64) -> String {
        before(Kind::Names(names), value, &[0; 6]).unwrap()
    }

    #[test]
    fn flags_have_names() {
        assert_eq!(show(&O, 0), "O_RDONLY");
        assert_eq!(show(&O, libc::O_CLOEXEC as u64), "O_RDONLY|O_CLOEXEC");
        assert_eq!(show(&O, (libc::O_RDWR | libc::O_TMPFILE) as u64), "O_RDWR|O_TMPFILE");
        assert_eq!(show(&O, 3 | 1 << 30), "0x40000003");
        assert_eq!(show(&PROT, 0), "PROT_NONE");
        assert_eq!(show(&PROT, 5), "PROT_READ|PROT_EXEC");
        assert_eq!(show(&MAP, 0x22), "MAP_PRIVATE|MAP_ANONYMOUS");
        assert_eq!(show(&ACCESS, 0), "F_OK");
        assert_eq!(show(&ACCESS, 6), "R_OK|W_OK");
        assert_eq!(show(&FUTEX, 0x81), "FUTEX_WAKE|FUTEX_PRIVATE_FLAG");
        assert_eq!(show(&WHENCE, 99), "99");
        assert_eq!(show(&AT, 0), "0");
        assert_eq!(show(&CLONE, 0x2_0000), "CLONE_NEWNS");
        assert_eq!(show(&CLONE, 0x4111), "SIGCHLD|CLONE_VM|CLONE_VFORK");
    }

    #[test]
    fn strings_are_escaped_and_cut() {
        let text = b"a\"b\\\n\x01\xff\0";
        let addr = text.as_ptr() as u64;
        assert_eq!(string(addr), r#""a\"b\\\n\x01\xff""#);
        assert_eq!(bytes(addr, 2), r#""a\"""#);
        let long = [b'x'; 100];
        assert_eq!(bytes(long.as_ptr() as u64, 100), format!("\"{}\"...", "x".repeat(64)));
    }

    #[test]
    fn numbers_and_pointers() {
        assert_eq!(before(Kind::DirFd, -100i64 as u64, &[0; 6]).unwrap(), "AT_FDCWD");
        assert_eq!(before(Kind::Fd, u64::MAX, &[0; 6]).unwrap(), "-1");
        assert_eq!(before(Kind::Mode, 0o644, &[0; 6]).unwrap(), "0644");
        assert_eq!(before(Kind::Ptr, 0, &[0; 6]).unwrap(), "NULL");
        assert_eq!(before(Kind::Sig, 2, &[0; 6]).unwrap(), "SIGINT");
        assert_eq!(after(Kind::Out, 0x10, -14i64 as u64), "0x10");
    }
}
