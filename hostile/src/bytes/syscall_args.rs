//! What a guest hands to system calls. The first byte says what it is.

use rvrun_hart::Hart;
use rvrun_host::fault;
use rvrun_syscall::examine;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Bytes that are read as a number each.
const WORD: usize = 8;

/// Has the part of the Linux ABI that is named read the rest.
pub(super) fn examine(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    fault::install().expect("faults can be handled");
    match kind % 7 {
        0 => {
            let (words, program) = words::<8>(rest);
            let [number, pc, args @ ..] = words;
            examine::filter(program, number, pc, &args);
        }
        1 => examine_trace(rest),
        2 => examine::path(sysroot(), &[b"/", &rest[..rest.len().min(512)]].concat()),
        3 => drop(examine::interpreter(rest)),
        4 => examine::listing(rest, u32::from(kind / 7 % 2)),
        5 => examine::structures(rest),
        _ => examine_frame(rest),
    }
}

/// Numbers from the beginning of bytes, zero where there are none, and what is behind them.
fn words<const N: usize>(bytes: &[u8]) -> ([u64; N], &[u8]) {
    let (start, rest) = bytes.split_at(bytes.len().min(N * WORD));
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(start.chunks(WORD)) {
        let mut whole = [0; WORD];
        whole[..bytes.len()].copy_from_slice(bytes);
        *word = u64::from_le_bytes(whole);
    }
    (words, rest)
}

/// A call's number, its result, a bit for each argument that is a pointer, the arguments;
/// then what pointers point to.
fn examine_trace(bytes: &[u8]) {
    let ([number, result, pointers, mut args @ ..], memory) = words::<9>(bytes);
    for (index, arg) in args.iter_mut().enumerate() {
        if pointers >> index & 1 != 0 {
            *arg = memory.as_ptr() as u64 + *arg % (memory.len() as u64 + 1);
        }
    }
    examine::trace(number & 0x3ff, args, result);
}

/// A frame on a stack of the guest's: written and read, or only read.
fn examine_frame(bytes: &[u8]) {
    let mut stack = vec![0_u8; 4096];
    let mut hart = Hart::new();
    let ([mask, pc, status, alignment], rest) = words::<4>(bytes);
    let (info, rest) = words::<16>(rest);
    let (x, rest) = words::<32>(rest);
    let (f, _) = words::<32>(rest);
    hart.x[1..32].copy_from_slice(&x[1..]);
    (hart.f, hart.pc) = (f, pc);
    (hart.frm, hart.fflags) = (status as u8 & 7, status as u8 >> 3);
    let top = stack.as_mut_ptr() as u64 + 2048 + alignment % 256;
    if alignment & 1 << 63 == 0 {
        hart.x[2] = top;
        examine::signal_frame(&hart, &info, mask);
        return;
    }
    let count = bytes.len().min(stack.len());
    stack[..count].copy_from_slice(&bytes[..count]);
    hart.x[2] = stack.as_ptr() as u64 + alignment % 512;
    examine::any_frame(&mut hart);
}

/// A sysroot with links of all kinds, the same for all processes.
fn sysroot() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let root = std::env::temp_dir().join("rvrun-hostile-sysroot");
        for directory in ["usr/bin", "usr/lib/deep/er", "etc/alternatives", "var/empty"] {
            fs::create_dir_all(root.join(directory)).expect("a sysroot can be made");
        }
        fs::write(root.join("usr/bin/awk"), "").expect("a sysroot can be filled");
        for (place, target) in [
            ("bin", "usr/bin"),
            ("lib", "/usr/lib"),
            ("etc/alternatives/awk", "/usr/bin/awk"),
            ("etc/loop", "loop"),
            ("etc/to", "fro"),
            ("etc/fro", "/etc/to/"),
            ("etc/up", "../../../.."),
            ("etc/out", "/../../etc/passwd"),
            ("usr/lib/deep/out", "../../../../../../var"),
            ("usr/lib/gone", "/nowhere/at/all"),
            ("etc/temporary", "/tmp"),
        ] {
            // Another process may have been faster.
            let _ = symlink(target, root.join(place));
        }
        root.canonicalize().expect("the sysroot has just been made")
    })
}
