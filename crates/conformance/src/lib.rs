//! The conformance suite: the vectors of `isa-tests` on every engine, in every form
//! that code can take there.
//!
//! What a vector expects comes from QEMU or the manual, never from an engine.

#![forbid(unsafe_code)]

mod engines;
mod suite;

pub use engines::{
    COUNTS, Counts, ENGINES, Form, InterpreterEngine, Named, TranslatorEngine, With,
};
pub use suite::{Failure, Group, Tally, groups, problems, rows_without_vectors, run};
