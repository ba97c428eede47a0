//! The shared object that the kernel maps into every program (vdso(7)), built from
//! `vdso/vdso.c`.

use crate::error::Error;
use rvrun_memory::{AddressSpace, Errno, GuestAddr, PAGE, access};
use std::io;

/// The object: one segment, which begins with the file's first byte.
const OBJECT: &[u8] = include_bytes!("../vdso/vdso");

/// `li a7, 139`, the number of `rt_sigreturn`; `ecall`. Debuggers and unwinders know a
/// signal's frame by these two instructions.
const SIGRETURN: [u8; 8] = [0x93, 0x08, 0xb0, 0x08, 0x73, 0x00, 0x00, 0x00];

/// Where the object has them.
const SIGRETURN_OFFSET: u64 = {
    assert!(OBJECT.len() as u64 <= PAGE);
    let mut at = 0;
    loop {
        let mut same = 0;
        while same < SIGRETURN.len() && OBJECT[at + same] == SIGRETURN[same] {
            same += 1;
        }
        if same == SIGRETURN.len() {
            break at as u64;
        }
        at += 1;
    }
};

/// Where the object is.
pub struct Vdso {
    /// Its header.
    pub base: GuestAddr,
    /// Where handlers of signals return to.
    pub sigreturn: GuestAddr,
}

/// Maps it where the host's kernel finds room.
pub fn map(space: &AddressSpace) -> Result<Vdso, Error> {
    let error = |errno: Errno| Error::Host {
        what: "no memory for the vDSO".into(),
        source: io::Error::from_raw_os_error(errno.0),
    };
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    let base = space.mmap(0, PAGE, writable, flags, -1, 0, Some("[vdso]".into())).map_err(error)?;
    access::copy_out(base, OBJECT).map_err(|_| error(Errno(libc::EFAULT)))?;
    space.mprotect(base, PAGE, libc::PROT_READ | libc::PROT_EXEC).map_err(error)?;
    Ok(Vdso { base, sigreturn: base + SIGRETURN_OFFSET })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rvrun_decoder::elf::Image;

    #[test]
    fn it_is_one_segment_of_a_page() {
        let image = Image::parse(&OBJECT).unwrap();
        assert!(image.position_independent);
        let [segment] = &image.segments[..] else { panic!("{:?}", image.segments) };
        assert_eq!((segment.vaddr, segment.offset), (0, 0));
        assert!(segment.mem_size <= PAGE && segment.mem_size == segment.file_size);
        assert!(segment.executable && !segment.writable);
    }

    #[test]
    fn handlers_return_by_the_bytes_that_unwinders_look_for() {
        let at = SIGRETURN_OFFSET as usize;
        assert!(at.is_multiple_of(4));
        assert_eq!(OBJECT[at..at + 8], SIGRETURN);
        assert!(!OBJECT[at + 1..].windows(8).any(|bytes| bytes == SIGRETURN));
    }
}
