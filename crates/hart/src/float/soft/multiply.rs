//! Multiplication, division, square root.

use super::number::{Kind, invalid, propagate, sign_bit, unpack};
use super::round::round_pack;
use crate::float::{Flags, Format, RoundingMode};

/// `a` × `b`.
pub fn mul<F: Format>(a: u64, b: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    let ((a_negative, a_kind), (b_negative, b_kind)) = (unpack::<F>(a), unpack::<F>(b));
    let negative = a_negative != b_negative;
    match (a_kind, b_kind) {
        (Kind::Nan, _) | (_, Kind::Nan) => propagate::<F>(&[a, b], flags),
        (Kind::Infinite, Kind::Zero) | (Kind::Zero, Kind::Infinite) => invalid::<F>(flags),
        (Kind::Infinite, _) | (_, Kind::Infinite) => sign_bit::<F>(negative) | F::INFINITY,
        (Kind::Zero, _) | (_, Kind::Zero) => sign_bit::<F>(negative),
        (Kind::Finite(x), Kind::Finite(y)) => {
            let product = u128::from(x.significand) * u128::from(y.significand);
            round_pack::<F>(negative, x.exponent + y.exponent - 126, product, mode, flags)
        }
    }
}

/// `a` / `b`.
pub fn div<F: Format>(a: u64, b: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    let ((a_negative, a_kind), (b_negative, b_kind)) = (unpack::<F>(a), unpack::<F>(b));
    let negative = a_negative != b_negative;
    match (a_kind, b_kind) {
        (Kind::Nan, _) | (_, Kind::Nan) => propagate::<F>(&[a, b], flags),
        (Kind::Infinite, Kind::Infinite) | (Kind::Zero, Kind::Zero) => invalid::<F>(flags),
        (Kind::Infinite, _) => sign_bit::<F>(negative) | F::INFINITY,
        (Kind::Zero, _) | (_, Kind::Infinite) => sign_bit::<F>(negative),
        (_, Kind::Zero) => {
            flags.raise(Flags::DIVIDE_BY_ZERO);
            sign_bit::<F>(negative) | F::INFINITY
        }
        (Kind::Finite(x), Kind::Finite(y)) => {
            let (dividend, divisor) = (u128::from(x.significand) << 63, u128::from(y.significand));
            let sticky = u128::from(dividend % divisor != 0);
            let quotient = (dividend / divisor) << 1 | sticky;
            round_pack::<F>(negative, x.exponent - y.exponent - 64, quotient, mode, flags)
        }
    }
}

/// The square root of `a`.
pub fn sqrt<F: Format>(a: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    match unpack::<F>(a) {
        (_, Kind::Nan) => propagate::<F>(&[a], flags),
        (_, Kind::Zero) | (false, Kind::Infinite) => a,
        (true, _) => invalid::<F>(flags),
        (false, Kind::Finite(x)) => {
            // significand × 2^(exponent − 63) = radicand × 2^even
            let odd = x.exponent & 1;
            let radicand = u128::from(x.significand) << (63 + odd);
            let root = radicand.isqrt();
            let sticky = u128::from(root * root != radicand);
            round_pack::<F>(
                false,
                (x.exponent - odd - 126) / 2 - 1,
                root << 1 | sticky,
                mode,
                flags,
            )
        }
    }
}
