//! The translator: compiles regions of guest code to host code with Cranelift.
//!
//! [`Translator`] keeps the translations of a program: it finds regions, has them
//! compiled on a thread of its own, puts the code into its arena, and runs it on a
//! [`State`], which is a hart and what translated code needs beside it. Whoever uses
//! it decides what is worth translating, and runs what is not by other means: it
//! knows neither the interpreter nor Linux.
//!
//! From the bottom up: [`state`], [`effects`] and [`analysis`] (which registers are
//! held in values where), [`lower`] (regions to CLIF), [`compile`], [`worker`],
//! [`store`] (the arena, slots, what is translated), [`kept`] (translations that
//! outlive the process), [`translator`]. Beside them,
//! [`listing`](mod@listing) describes regions to readers.
//!
//! `unsafe` is in [`helper`] and [`translator`], which meet translated code.

// The programs of tests are written for users of the crate.
#[cfg(test)]
extern crate self as rvrun_jit;

mod analysis;
mod compile;
mod core;
mod effects;
mod helper;
mod jump_cache;
mod kept;
mod known;
mod listing;
mod lower;
#[cfg(feature = "planted-faults")]
mod planted;
mod raw;
mod state;
mod stats;
mod store;
mod tails;
#[cfg(test)]
mod tests;
mod translator;
mod unroll;
mod words;
mod worker;

/// The version of the compiler.
pub const CRANELIFT_VERSION: &str = cranelift_codegen::VERSION;

pub use compile::{Code, Compiler, Failure, Job, Reloc, Target, version};
pub use core::{Changes, Watch};
pub use effects::{Way, way};
pub use kept::{Keeper, Variant};
pub use known::{All, Profile};
pub use listing::{Guest, is_lowered, listing};
pub use lower::{Mode, Origin};
pub use rvrun_decoder::region::Limits;
pub use state::{State, Step, Stepped};
pub use stats::Stats;
pub use translator::{Options, Outcome, Source, Translations, Translator};

/// Copies parts of `region` where the host executes copies faster.
pub fn copy_parts(region: &mut rvrun_decoder::region::Region) {
    unroll::unroll(region);
    tails::duplicate_tails(region);
}
