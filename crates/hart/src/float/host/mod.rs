//! Floating-point arithmetic on the host's SSE unit.
//!
//! MXCSR is the guest's fcsr while guest code runs: [`enter`] puts the dynamic
//! rounding mode there and clears the sticky flags, the operations raise them,
//! [`leave`] hands them back and restores what Rust expects. Operations are
//! `asm!` that is volatile, so that the compiler neither drops one whose result
//! is unused nor moves it past a read of the flags.
//!
//! The fast paths lean on what both architectures share: IEEE 754 with
//! tininess detected after rounding. What differs is in cold paths: x86 gives
//! another NaN, does not saturate conversions and knows no unsigned 64-bit
//! integers. What the host lacks (FMA, SSE4.1, half precision) goes through
//! `float::soft` with MXCSR's mode and flags.

mod arithmetic;
mod canonical;
pub(super) mod compare;
mod control;
pub(super) mod convert;
mod feature;
mod fused;
mod half;
#[cfg(test)]
mod tests;

pub use control::{FFLAGS, aside, enter, flags, leave, mxcsr_from, raise, set, with_rounding};

pub(super) use arithmetic::*;
pub(super) use control::in_soft;
pub(super) use convert::*;
pub(super) use fused::*;
pub(super) use half::*;
