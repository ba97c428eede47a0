//! Files that rvrun is asked to execute.

use crate::elf;
use rvrun_decoder::elf::Image;
use rvrun_syscall::examine;

/// Reads the headers and symbols, as the loader and as `execve`.
pub(super) fn examine(file: &[u8]) {
    let refused = elf::examine(file);
    let interpreter = examine::interpreter(file);
    if refused.is_err() || file.starts_with(b"#!") {
        return;
    }
    let image = Image::parse(&file).expect("it could be read a moment ago");
    assert_eq!(image.interpreter, interpreter, "loader and execve disagree");
}
