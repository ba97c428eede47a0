//! Values taken apart.

use crate::float::{Flags, Format};

/// A finite number other than zero: `significand` × 2^(`exponent` − 63), where
/// the significand's highest bit is set.
#[derive(Clone, Copy)]
pub(super) struct Number {
    pub exponent: i32,
    pub significand: u64,
}

/// What a value is, its sign aside.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Zero,
    Finite(Number),
    Infinite,
    Nan,
}

/// Sign (true: negative) and magnitude of `value`.
pub(super) fn unpack<F: Format>(value: u64) -> (bool, Kind) {
    let field = ((value & F::INFINITY) >> F::FRACTION) as i32;
    let fraction = value & ((1 << F::FRACTION) - 1);
    let kind = if F::is_nan(value) {
        Kind::Nan
    } else if value & !F::SIGN == F::INFINITY {
        Kind::Infinite
    } else if field != 0 {
        let significand = (1 << 63) | (fraction << (63 - F::FRACTION));
        Kind::Finite(Number { exponent: field - F::BIAS, significand })
    } else if fraction != 0 {
        let shift = fraction.leading_zeros();
        // As if the fraction's leading bit were at F::FRACTION: 63 − shift is where it is.
        let exponent = F::MIN_EXPONENT + 63 - shift as i32 - F::FRACTION as i32;
        Kind::Finite(Number { exponent, significand: fraction << shift })
    } else {
        Kind::Zero
    };
    (value & F::SIGN != 0, kind)
}

/// The sign bit of `F`, set for true.
pub(super) fn sign_bit<F: Format>(negative: bool) -> u64 {
    if negative { F::SIGN } else { 0 }
}

/// The result of an operation with a NaN among its operands.
pub(super) fn propagate<F: Format>(operands: &[u64], flags: &mut Flags) -> u64 {
    if operands.iter().any(|&operand| F::is_signaling(operand)) {
        flags.raise(Flags::INVALID);
    }
    F::CANONICAL
}

/// The result of an operation that is not defined for its operands.
pub(super) fn invalid<F: Format>(flags: &mut Flags) -> u64 {
    flags.raise(Flags::INVALID);
    F::CANONICAL
}
