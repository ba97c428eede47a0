//! Floating-point arithmetic in integers: unpack, compute exactly or with a
//! sticky last bit, round once.
//!
//! Operands and results are values of the format, not registers: whoever calls
//! unboxes and boxes ([`super::Format`]). Flags are added to those given.

mod add;
mod compare;
mod convert;
mod multiply;
mod number;
mod round;

pub use add::{add, fma, sub};
pub(super) use compare::number_or_canonical;
pub(super) use convert::modular;

pub use compare::{class, eq, le, le_quiet, lt, lt_quiet, max, max_nan, min, min_nan};
pub use convert::{
    convert, from_i32, from_i64, from_u32, from_u64, to_i32, to_i32_modular, to_i64, to_integral,
    to_integral_inexact, to_u32, to_u64,
};
pub use multiply::{div, mul, sqrt};
