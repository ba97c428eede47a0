//! Addition, alone and behind an exact multiplication.

use super::number::{Kind, invalid, propagate, sign_bit, unpack};
use super::round::round_pack;
use crate::float::{Flags, Format, RoundingMode};

/// `significand` × 2^`exponent` with a sign, not zero.
#[derive(Clone, Copy)]
struct Term {
    negative: bool,
    exponent: i32,
    /// Bit 126 or 125 is the highest that is set: one above is left for a carry.
    significand: u128,
}

/// The sum of two terms of which at most one has more than 64 significant
/// bits, rounded once.
fn add_terms<F: Format>(a: Term, b: Term, mode: RoundingMode, flags: &mut Flags) -> u64 {
    let (large, small) =
        if (a.exponent, a.significand) >= (b.exponent, b.significand) { (a, b) } else { (b, a) };
    let distance = large.exponent.abs_diff(small.exponent);
    // Where bits are lost, `small` is far below a quarter of `large`: the sum
    // keeps more bits than any format has, and one sticky bit says the rest.
    let aligned = small.significand.checked_shr(distance).unwrap_or(0);
    let lost = aligned.checked_shl(distance).unwrap_or(0) != small.significand;
    let aligned = aligned | u128::from(lost);
    let (negative, sum) = if large.negative == small.negative {
        (large.negative, large.significand + aligned)
    } else if large.significand >= aligned {
        (large.negative, large.significand - aligned)
    } else {
        (small.negative, aligned - large.significand)
    };
    if sum == 0 {
        return zero_sum::<F>(false, true, mode);
    }
    round_pack::<F>(negative, large.exponent, sum, mode, flags)
}

/// The sum of two zeros, or of a number and its negative.
fn zero_sum<F: Format>(a_negative: bool, b_negative: bool, mode: RoundingMode) -> u64 {
    let negative = if a_negative == b_negative { a_negative } else { mode == RoundingMode::Down };
    sign_bit::<F>(negative)
}

fn term(negative: bool, number: super::number::Number) -> Term {
    // Exponents count the lowest bit of the 128.
    Term {
        negative,
        exponent: number.exponent - 126,
        significand: u128::from(number.significand) << 63,
    }
}

/// `a` + `b`.
pub fn add<F: Format>(a: u64, b: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    let ((a_negative, a_kind), (b_negative, b_kind)) = (unpack::<F>(a), unpack::<F>(b));
    match (a_kind, b_kind) {
        (Kind::Nan, _) | (_, Kind::Nan) => propagate::<F>(&[a, b], flags),
        (Kind::Infinite, Kind::Infinite) if a_negative != b_negative => invalid::<F>(flags),
        (Kind::Zero, Kind::Zero) => zero_sum::<F>(a_negative, b_negative, mode),
        (Kind::Infinite, _) | (_, Kind::Zero) => a,
        (_, Kind::Infinite) | (Kind::Zero, _) => b,
        (Kind::Finite(x), Kind::Finite(y)) => {
            add_terms::<F>(term(a_negative, x), term(b_negative, y), mode, flags)
        }
    }
}

/// `a` − `b`.
pub fn sub<F: Format>(a: u64, b: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    // A NaN's sign does not matter, so this may flip it.
    add::<F>(a, b ^ F::SIGN, mode, flags)
}

/// `a` × `b` + `c`, rounded once. The other fused operations flip the sign of
/// `a` or `c` before.
pub fn fma<F: Format>(a: u64, b: u64, c: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    let ((a_negative, a_kind), (b_negative, b_kind)) = (unpack::<F>(a), unpack::<F>(b));
    let (c_negative, c_kind) = unpack::<F>(c);
    let negative = a_negative != b_negative;
    match (a_kind, b_kind) {
        // Also where c is a quiet NaN (F, "Single-Precision Floating-Point Computational Instructions").
        (Kind::Infinite, Kind::Zero) | (Kind::Zero, Kind::Infinite) => invalid::<F>(flags),
        (Kind::Nan, _) | (_, Kind::Nan) => propagate::<F>(&[a, b, c], flags),
        _ if matches!(c_kind, Kind::Nan) => propagate::<F>(&[c], flags),
        (Kind::Infinite, _) | (_, Kind::Infinite) => match c_kind {
            Kind::Infinite if c_negative != negative => invalid::<F>(flags),
            _ => sign_bit::<F>(negative) | F::INFINITY,
        },
        (Kind::Zero, _) | (_, Kind::Zero) => match c_kind {
            Kind::Zero => zero_sum::<F>(negative, c_negative, mode),
            _ => c,
        },
        (Kind::Finite(x), Kind::Finite(y)) => {
            // Both have eleven zeros at least below, so nothing is shifted out.
            let significand = (u128::from(x.significand) * u128::from(y.significand)) >> 1;
            let exponent = x.exponent + y.exponent - 125;
            match c_kind {
                Kind::Finite(z) => add_terms::<F>(
                    Term { negative, exponent, significand },
                    term(c_negative, z),
                    mode,
                    flags,
                ),
                Kind::Infinite => c,
                _ => round_pack::<F>(negative, exponent, significand, mode, flags),
            }
        }
    }
}
