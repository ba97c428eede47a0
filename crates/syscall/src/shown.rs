//! What the host's kernel shows others of the guest's process: its arguments, its
//! environment and where its parts are, in place of the VM's.
//!
//! The kernel takes that from any process of itself (`PR_SET_MM_MAP` of prctl(2)), as it
//! has to for those that are restored from an image. So `ps` on the host, and in guests,
//! sees guests. A host's kernel that is built without it shows the VM's arguments; then
//! the guest's own process still sees its own, which [`crate::procfs`] makes.

use crate::config::ProcessImage;
use crate::raw;

/// `struct prctl_mm_map` (`linux/prctl.h`).
#[repr(C)]
#[derive(Clone, Copy)]
struct Map {
    start_code: u64,
    end_code: u64,
    start_data: u64,
    end_data: u64,
    start_brk: u64,
    brk: u64,
    start_stack: u64,
    arg_start: u64,
    arg_end: u64,
    env_start: u64,
    env_end: u64,
    auxv: u64,
    auxv_size: u32,
    exe_fd: u32,
}

/// No other executable: that would take a privilege, and the VM's is how it starts again.
const NO_FILE: u32 = u32::MAX;
/// Keys of entries about caches (`AT_L1I_CACHESIZE` to `AT_L3_CACHEGEOMETRY`), which the
/// host's kernel has no room for.
const CACHES: std::ops::RangeInclusive<u64> = 40..=47;

/// Tells the host's kernel. Returns whether it took it.
pub(crate) fn tell(image: &ProcessImage) -> bool {
    // The VM's own: its C library relies on where that is.
    let brk = raw::syscall(libc::SYS_brk, [0; 6]);
    let known = image.auxv.chunks_exact(16).filter(|entry| !CACHES.contains(&key(entry)));
    let auxv = known.collect::<Vec<&[u8]>>().concat();
    let layout = &image.layout;
    let map = Map {
        start_code: layout.code.start,
        end_code: layout.code.end,
        start_data: layout.data.start,
        end_data: layout.data.end,
        start_brk: brk,
        brk,
        start_stack: layout.stack,
        arg_start: layout.args.start,
        arg_end: layout.args.end,
        env_start: layout.env.start,
        env_end: layout.env.end,
        auxv: auxv.as_ptr() as u64,
        auxv_size: auxv.len() as u32,
        exe_fd: NO_FILE,
    };
    // Kernels before 5.9 want the data below the break.
    set(&map) || set(&Map { start_data: brk - 1, end_data: brk - 1, ..map })
}

fn key(entry: &[u8]) -> u64 {
    let mut key = [0; 8];
    key.copy_from_slice(&entry[..8]);
    u64::from_le_bytes(key)
}

fn set(map: &Map) -> bool {
    let args = [
        libc::PR_SET_MM as u64,
        libc::PR_SET_MM_MAP as u64,
        (&raw const *map) as u64,
        size_of::<Map>() as u64,
        0,
        0,
    ];
    raw::check(raw::syscall(libc::SYS_prctl, args)).is_ok()
}
