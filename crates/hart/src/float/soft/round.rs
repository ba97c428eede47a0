//! The one place where results are rounded.

use super::number::sign_bit;
use crate::float::{Flags, Format, RoundingMode};

/// `significand` / 2^`drop` rounded to an integer, and whether that was inexact.
///
/// The lowest bit may be sticky (stand for anything nonzero below it) if at
/// least two bits are dropped.
pub(super) fn round_shift(
    negative: bool,
    significand: u128,
    drop: u32,
    mode: RoundingMode,
) -> (u128, bool) {
    let (kept, rest) = match drop {
        0 => return (significand, false),
        1..=127 => (significand >> drop, significand << (128 - drop)),
        128 => (0, significand),
        _ => (0, u128::from(significand != 0)),
    };
    let half = 1 << 127;
    let up = match mode {
        RoundingMode::NearestEven => rest > half || rest == half && kept & 1 == 1,
        RoundingMode::TowardZero => false,
        RoundingMode::Down => negative && rest != 0,
        RoundingMode::Up => !negative && rest != 0,
        RoundingMode::NearestAway => rest >= half,
    };
    (kept + u128::from(up), rest != 0)
}

/// Rounds `significand` × 2^`exponent`, not zero, to the format.
///
/// The lowest bit may be sticky if the significand has two more significant
/// bits than the format.
pub(super) fn round_pack<F: Format>(
    negative: bool,
    exponent: i32,
    significand: u128,
    mode: RoundingMode,
    flags: &mut Flags,
) -> u64 {
    let shift = significand.leading_zeros();
    let significand = significand << shift;
    // From here the value is significand / 2^127 × 2^exponent.
    let exponent = exponent + 127 - shift as i32;
    let normal_drop = 127 - F::FRACTION;
    let hidden = 1u128 << F::FRACTION;

    let (magnitude, inexact) = if exponent >= F::MIN_EXPONENT {
        let (kept, inexact) = round_shift(negative, significand, normal_drop, mode);
        // The hidden bit, and the carry of a rounding up to a power of two, count the exponent up.
        let field = (exponent - F::MIN_EXPONENT) as u64;
        let magnitude = (u128::from(field) << F::FRACTION) + kept;
        if magnitude >= u128::from(F::INFINITY) {
            return overflow::<F>(negative, mode, flags);
        }
        (magnitude as u64, inexact)
    } else {
        let drop = normal_drop.saturating_add((F::MIN_EXPONENT - exponent) as u32);
        let (kept, inexact) = round_shift(negative, significand, drop, mode);
        let (unbounded, _) = round_shift(negative, significand, normal_drop, mode);
        let tiny = exponent < F::MIN_EXPONENT - 1 || unbounded < hidden << 1;
        if tiny && inexact {
            flags.raise(Flags::UNDERFLOW);
        }
        (kept as u64, inexact)
    };
    if inexact {
        flags.raise(Flags::INEXACT);
    }
    sign_bit::<F>(negative) | magnitude
}

/// The result where a number is too large: infinity, or the largest number
/// where the mode rounds towards it.
fn overflow<F: Format>(negative: bool, mode: RoundingMode, flags: &mut Flags) -> u64 {
    flags.raise(Flags::OVERFLOW);
    flags.raise(Flags::INEXACT);
    let to_infinity = match mode {
        RoundingMode::NearestEven | RoundingMode::NearestAway => true,
        RoundingMode::TowardZero => false,
        RoundingMode::Down => negative,
        RoundingMode::Up => !negative,
    };
    sign_bit::<F>(negative) | (F::INFINITY - u64::from(!to_infinity))
}
