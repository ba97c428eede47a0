//! `struct stat` (`asm-generic/stat.h`).
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

/// Size of the guest's structure.
pub(crate) const SIZE: usize = 128;

/// The structure that the kernel has filled.
pub(crate) fn assume_filled(stat: MaybeUninit<libc::stat>) -> libc::stat {
    // SAFETY: callers start from zeroed memory, and integers have no invalid values.
    unsafe { stat.assume_init() }
}

/// Lays out the host's `stat` as the guest reads it.
pub(crate) fn to_guest(stat: &libc::stat) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    let mut put = |offset: usize, value: &[u8]| {
        bytes[offset..offset + value.len()].copy_from_slice(value);
    };
    put(0, &stat.st_dev.to_le_bytes());
    put(8, &stat.st_ino.to_le_bytes());
    put(16, &stat.st_mode.to_le_bytes());
    // The kernel's own counter has 32 bits.
    put(20, &(stat.st_nlink as u32).to_le_bytes());
    put(24, &stat.st_uid.to_le_bytes());
    put(28, &stat.st_gid.to_le_bytes());
    put(32, &stat.st_rdev.to_le_bytes());
    put(48, &stat.st_size.to_le_bytes());
    put(56, &(stat.st_blksize as i32).to_le_bytes());
    put(64, &stat.st_blocks.to_le_bytes());
    put(72, &stat.st_atime.to_le_bytes());
    put(80, &stat.st_atime_nsec.to_le_bytes());
    put(88, &stat.st_mtime.to_le_bytes());
    put(96, &stat.st_mtime_nsec.to_le_bytes());
    put(104, &stat.st_ctime.to_le_bytes());
    put(112, &stat.st_ctime_nsec.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lie_where_the_guest_looks() {
        use std::os::unix::fs::MetadataExt;
        let path = std::env::temp_dir();
        let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        let mut host = std::mem::MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the name ends with NUL, the structure is large enough and all-zero bytes are valid.
        let host = unsafe {
            assert_eq!(libc::stat(name.as_ptr(), host.as_mut_ptr()), 0);
            host.assume_init()
        };
        let expected = std::fs::metadata(&path).unwrap();
        let guest = to_guest(&host);
        let u64_at = |at: usize| u64::from_le_bytes(guest[at..at + 8].try_into().unwrap());
        let u32_at = |at: usize| u32::from_le_bytes(guest[at..at + 4].try_into().unwrap());
        assert_eq!(u64_at(0), expected.dev());
        assert_eq!(u64_at(8), expected.ino());
        assert_eq!(u32_at(16), expected.mode());
        assert_eq!(u64::from(u32_at(20)), expected.nlink());
        assert_eq!(u32_at(24), expected.uid());
        assert_eq!(u32_at(28), expected.gid());
        assert_eq!(u64_at(32), expected.rdev());
        assert_eq!(u64_at(40), 0, "padding");
        assert_eq!(u64_at(48), expected.size());
        assert_eq!(u64::from(u32_at(56)), expected.blksize());
        assert_eq!(u64_at(64), expected.blocks());
        assert_eq!(u64_at(72) as i64, expected.atime());
        assert_eq!(u64_at(88) as i64, expected.mtime());
        assert_eq!(u64_at(96) as i64, expected.mtime_nsec());
        assert_eq!(u64_at(104) as i64, expected.ctime());
        assert_eq!(u64_at(112) as i64, expected.ctime_nsec());
        assert_eq!(u64_at(120), 0, "unused");
    }
}
