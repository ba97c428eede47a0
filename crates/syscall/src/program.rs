//! What kind of program a file is, from its first bytes, as the kernel decides.

use crate::Errno;

const ENOEXEC: Errno = Errno(libc::ENOEXEC);

/// Bytes of a file that decide (`BINPRM_BUF_SIZE`).
pub(crate) const HEAD: usize = 256;
/// Bytes of an ELF file's header.
const ELF_HEADER: usize = 64;
/// Bytes of a program header.
const PROGRAM_HEADER: usize = 56;
/// Bytes of all program headers that the kernel reads at most.
const MAX_PROGRAM_HEADERS: usize = 65536;
const EM_RISCV: u16 = 243;
const PT_INTERP: u32 = 3;

/// What a file's first bytes say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A riscv64 ELF program, which the VM runs.
    Guest,
    /// A script with its interpreter and one argument.
    Script { interpreter: Vec<u8>, argument: Option<Vec<u8>> },
    /// Anything else: the host's kernel knows it, or refuses it.
    Host,
}

/// Looks at a file's first [`HEAD`] bytes, fewer if it is shorter.
///
/// # Errors
/// `ENOEXEC` for a `#!` line that the kernel refuses.
pub(crate) fn kind(head: &[u8]) -> Result<Kind, Errno> {
    if head.starts_with(b"#!") {
        return shebang(head);
    }
    let is_elf = head.len() >= ELF_HEADER && head.starts_with(b"\x7fELF\x02\x01");
    let executable = is_elf && matches!(u16_at(head, 16), 2 | 3);
    Ok(if executable && u16_at(head, 18) == EM_RISCV { Kind::Guest } else { Kind::Host })
}

/// The interpreter and its argument that a script's first bytes name; none where the
/// kernel refuses them, or if it is no script.
pub fn script_line(head: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
    match kind(head) {
        Ok(Kind::Script { interpreter, argument }) => Some((interpreter, argument)),
        _ => None,
    }
}

/// Takes a `#!` line apart (kernel: `fs/binfmt_script.c`).
fn shebang(head: &[u8]) -> Result<Kind, Errno> {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t');
    // The kernel's buffer is filled up with NULs, and a NUL ends a name.
    let mut buffer = [0; HEAD];
    let length = head.len().min(HEAD);
    buffer[..length].copy_from_slice(&head[..length]);
    let line = match buffer.iter().position(|byte| *byte == b'\n') {
        Some(end) => &buffer[2..end],
        None => {
            let rest = &buffer[2..HEAD - 1];
            let start = rest.iter().position(|byte| !space(byte)).ok_or(ENOEXEC)?;
            // Without an end, the name may have been cut.
            if !rest[start..].iter().any(|byte| space(byte) || *byte == 0) {
                return Err(ENOEXEC);
            }
            rest
        }
    };
    let start = line.iter().position(|byte| !space(byte)).ok_or(ENOEXEC)?;
    let end = line.iter().rposition(|byte| !space(byte)).ok_or(ENOEXEC)?;
    let line = &line[start..=end];
    let name_end = line.iter().position(|byte| space(byte) || *byte == 0).unwrap_or(line.len());
    let argument = match line.get(name_end) {
        None | Some(0) => None,
        Some(_) => {
            let rest = &line[name_end..];
            let start = rest.iter().position(|byte| !space(byte)).unwrap_or(rest.len());
            rest[start..].split(|byte| *byte == 0).next().map(<[u8]>::to_vec)
        }
    };
    Ok(Kind::Script { interpreter: line[..name_end].to_vec(), argument })
}

/// The path of a guest program's dynamic linker.
///
/// `read_at` reads bytes at an offset of the file, fewer at its end.
///
/// # Errors
/// `ENOEXEC` where the kernel finds the program headers unusable.
pub(crate) fn interpreter(
    head: &[u8],
    read_at: impl Fn(&mut [u8], u64) -> Result<usize, Errno>,
) -> Result<Option<Vec<u8>>, Errno> {
    if head.len() < ELF_HEADER || usize::from(u16_at(head, 54)) != PROGRAM_HEADER {
        return Err(ENOEXEC);
    }
    let length = usize::from(u16_at(head, 56)) * PROGRAM_HEADER;
    if length == 0 || length > MAX_PROGRAM_HEADERS {
        return Err(ENOEXEC);
    }
    let mut headers = vec![0; length];
    if read_at(&mut headers, u64_at(head, 32))? < length {
        return Err(ENOEXEC);
    }
    let Some(header) =
        headers.chunks_exact(PROGRAM_HEADER).find(|header| u32_at(header, 0) == PT_INTERP)
    else {
        return Ok(None);
    };
    let size = u64_at(header, 32);
    if !(2..=crate::guest::PATH_MAX as u64).contains(&size) {
        return Err(ENOEXEC);
    }
    let mut path = vec![0; size as usize];
    if read_at(&mut path, u64_at(header, 8))? < path.len() {
        return Err(Errno(libc::EIO));
    }
    if path.pop() != Some(0) {
        return Err(ENOEXEC);
    }
    path.truncate(path.iter().position(|byte| *byte == 0).unwrap_or(path.len()));
    Ok(Some(path))
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    if let Some(found) = bytes.get(at..at + N) {
        field.copy_from_slice(found);
    }
    field
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &[u8]) -> Option<(String, Option<String>)> {
        let text_of = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        match kind(text) {
            Ok(Kind::Script { interpreter, argument }) => {
                Some((text_of(interpreter), argument.map(text_of)))
            }
            Err(ENOEXEC) => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn shebang_lines_as_the_kernel_reads_them() {
        let plain = |name: &str| Some((name.to_string(), None));
        let with = |name: &str, arg: &str| Some((name.to_string(), Some(arg.to_string())));
        assert_eq!(script(b"#!/bin/sh\n"), plain("/bin/sh"));
        assert_eq!(script(b"#! \t/bin/sh \t\nrest"), plain("/bin/sh"));
        assert_eq!(script(b"#!/bin/sh -e -x  \n"), with("/bin/sh", "-e -x"));
        assert_eq!(script(b"#!/usr/bin/env\tpython3\n"), with("/usr/bin/env", "python3"));
        assert_eq!(script(b"#!/bin/sh"), plain("/bin/sh"));
        assert_eq!(script(b"#!/bin/sh\0garbage\n"), plain("/bin/sh"));
        assert_eq!(script(b"#!\n/bin/sh\n"), None);
        assert_eq!(script(b"#!   \n"), None);
        assert_eq!(script(b"#!"), plain(""));
    }

    #[test]
    fn long_shebang_lines() {
        let name = format!("/{}", "x".repeat(252));
        // 2 + 253 bytes and no end in sight: the name may have been cut.
        assert_eq!(script(format!("#!{name}{name}").as_bytes()), None);
        let line = format!("#!/bin/sh {}", "y".repeat(400));
        let (name, argument) = script(line.as_bytes()).unwrap();
        assert_eq!(
            (name.as_str(), argument.unwrap().len()),
            ("/bin/sh", HEAD - 1 - "#!/bin/sh ".len())
        );
    }

    fn elf(machine: u16, kind: u16) -> Vec<u8> {
        let mut head = vec![0; 64];
        head[..6].copy_from_slice(b"\x7fELF\x02\x01");
        head[16..18].copy_from_slice(&kind.to_le_bytes());
        head[18..20].copy_from_slice(&machine.to_le_bytes());
        head[32..40].copy_from_slice(&64u64.to_le_bytes());
        head[54..56].copy_from_slice(&56u16.to_le_bytes());
        head[56..58].copy_from_slice(&1u16.to_le_bytes());
        head
    }

    #[test]
    fn machines_are_told_apart() {
        assert_eq!(kind(&elf(EM_RISCV, 2)), Ok(Kind::Guest));
        assert_eq!(kind(&elf(EM_RISCV, 3)), Ok(Kind::Guest));
        assert_eq!(kind(&elf(EM_RISCV, 1)), Ok(Kind::Host));
        assert_eq!(kind(&elf(62, 3)), Ok(Kind::Host));
        assert_eq!(kind(&elf(EM_RISCV, 2)[..63]), Ok(Kind::Host));
        assert_eq!(kind(b""), Ok(Kind::Host));
    }

    #[test]
    fn the_dynamic_linker_is_found() {
        let mut file = elf(EM_RISCV, 3);
        let mut header = vec![0; 56];
        header[0] = 3;
        header[8..16].copy_from_slice(&120u64.to_le_bytes());
        header[32..40].copy_from_slice(&7u64.to_le_bytes());
        file.extend(header);
        file.extend(b"/ld.so\0");
        let read = |file: Vec<u8>| {
            move |buf: &mut [u8], at: u64| {
                let rest = file.get(at as usize..).unwrap_or_default();
                let length = rest.len().min(buf.len());
                buf[..length].copy_from_slice(&rest[..length]);
                Ok(length)
            }
        };
        assert_eq!(interpreter(&file, read(file.clone())), Ok(Some(b"/ld.so".to_vec())));
        let cut = file[..file.len() - 1].to_vec();
        assert_eq!(interpreter(&cut, read(cut.clone())), Err(Errno(libc::EIO)));
        let mut open = file.clone();
        *open.last_mut().unwrap() = b'x';
        assert_eq!(interpreter(&open, read(open.clone())), Err(ENOEXEC));
        let mut none = file.clone();
        none[64] = 1;
        assert_eq!(interpreter(&none, read(none.clone())), Ok(None));
        let short = file[..100].to_vec();
        assert_eq!(interpreter(&short, read(short.clone())), Err(ENOEXEC));
    }
}
