//! What no careful compiler or linker would make: mutated ELF files and random code.
//!
//! rvrun has to survive both: an error or a guest's trap is fine, a panic, a crash or
//! a hang of the VM is not. [`elf`] mutates the repository's guest programs and looks
//! at the headers; [`code`] makes up instructions, [`arena`] runs them on the
//! interpreter, and [`twin`] on the translator as well, to compare. `cargo test` takes a few of each, `cargo xtask hostile` many, and there
//! the mutated programs are run as well.
//!
//! A case is named by a seed and its number, and depends on nothing else: a case that
//! fails can be had again alone. [`bytes`] has cases that a fuzzer chooses.

#![forbid(unsafe_code)]

pub mod arena;
pub mod bytes;
pub mod code;
pub mod elf;
mod random;
pub mod twin;

pub use random::Random;
