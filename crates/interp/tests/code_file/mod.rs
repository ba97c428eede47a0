//! Files that code is mapped from: for tests of what is kept of it, those of the JIT included.

use rvrun_isa::{assemble, encode};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

pub const PAGE: u64 = 4096;

/// A file of code, with a page of something else before it.
pub fn file(lines: &[&str]) -> File {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("kept-{}-{number}", std::process::id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut bytes = vec![0; PAGE as usize];
    for line in lines {
        let instruction = assemble(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let bits = encode(&instruction).unwrap().to_le_bytes();
        bytes.extend(&bits[..instruction.len.into()]);
    }
    bytes.resize(2 * PAGE as usize, 0);
    let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    file.write_all(&bytes).unwrap();
    std::fs::remove_file(path).unwrap();
    file
}
