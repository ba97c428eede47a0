//! Guest code to rvrun's IR, and ELF files to what a loader needs.
//!
//! The IR is a [`Block`]: decoded instructions without control flow, in the
//! forms that engines execute (compressed ones already expanded), plus one
//! explicit [`Terminator`]. [`lift`] makes a block from guest bytes, [`region`]
//! gathers blocks into what a translator compiles at once. [`elf`] reads headers,
//! [`symbols`] reads symbols.
//!
//! Invariants: a block's instructions never leave it in the middle except by a
//! trap; whatever the bytes are, lifting succeeds, and what cannot be executed
//! becomes a terminator that traps when the hart gets there.

#![forbid(unsafe_code)]

mod block;
pub mod elf;
mod lift;
mod loops;
pub mod region;
pub mod search;
mod skips;
pub mod symbols;
mod walk;

pub use block::{Block, Terminator};
pub use lift::{MAX_BLOCK_BYTES, is_link_register, lift, terminator};
