//! Cases that are made from bytes, for fuzzers to choose ([`TARGETS`]).
//!
//! Every string of bytes is a case, and means the same each time. What the bytes stand for
//! is said by each module; a few bytes more or less change little, so that what a fuzzer
//! does to its inputs has a meaning.

mod case;
mod command_line;
mod decode;
mod file;
mod syscall_args;

pub(crate) use case::Case;

use crate::arena::Arena;
use crate::twin::Twin;
use std::cell::RefCell;

/// What is done with bytes; panics if it goes wrong.
pub type Target = fn(&[u8]);

/// The targets by their names.
pub const TARGETS: [(&str, Target); 6] = [
    ("elf", file::examine),
    ("decode", decode::examine),
    ("interpret", interpret),
    ("translate", translate),
    ("syscall_args", syscall_args::examine),
    ("command_line", command_line::examine),
];

/// The target of this name.
///
/// # Panics
/// There is none.
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("there is no target `{name}`")).1
}

thread_local! {
    static ARENA: RefCell<Arena> = RefCell::new(Arena::new().expect("an arena can be had"));
    static TWIN: RefCell<Twin> = RefCell::new(Twin::new().expect("engines can be had"));
}

/// Runs a [`Case`] on the interpreter: handlers and host code end as documented, and alike.
fn interpret(bytes: &[u8]) {
    let alone = ARENA.with_borrow_mut(|arena| arena.run_bytes(bytes));
    let compared = TWIN.with_borrow_mut(|twin| twin.interpret_bytes(bytes));
    if let Err(why) = alone.and(compared) {
        panic!("{why}\n{}", Case::of(bytes));
    }
}

/// Runs a [`Case`] on the interpreter and on the translator.
fn translate(bytes: &[u8]) {
    if let Err(why) = TWIN.with_borrow_mut(|twin| twin.run_bytes(bytes)) {
        panic!("{why}\n{}", Case::of(bytes));
    }
}
