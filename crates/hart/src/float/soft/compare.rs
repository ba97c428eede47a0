//! Comparison, minimum, maximum, classification.

use super::number::{Kind, unpack};
use crate::float::{Flags, Format};
use std::cmp::Ordering;

/// The order of two values, none if one is a NaN. Raises nothing.
fn order<F: Format>(a: u64, b: u64) -> Option<Ordering> {
    // Two's complement of the magnitude makes integers of the same order, −0 equal to +0.
    let key = |value: u64| {
        let magnitude = (value & !F::SIGN) as i64;
        if value & F::SIGN == 0 { magnitude } else { -magnitude }
    };
    (!F::is_nan(a) && !F::is_nan(b)).then(|| key(a).cmp(&key(b)))
}

fn quiet_order<F: Format>(a: u64, b: u64, flags: &mut Flags) -> Option<Ordering> {
    if F::is_signaling(a) || F::is_signaling(b) {
        flags.raise(Flags::INVALID);
    }
    order::<F>(a, b)
}

fn signaling_order<F: Format>(a: u64, b: u64, flags: &mut Flags) -> Option<Ordering> {
    let order = order::<F>(a, b);
    if order.is_none() {
        flags.raise(Flags::INVALID);
    }
    order
}

/// `a` = `b`; only a signalling NaN is invalid.
pub fn eq<F: Format>(a: u64, b: u64, flags: &mut Flags) -> bool {
    quiet_order::<F>(a, b, flags) == Some(Ordering::Equal)
}

/// `a` < `b`; any NaN is invalid.
pub fn lt<F: Format>(a: u64, b: u64, flags: &mut Flags) -> bool {
    signaling_order::<F>(a, b, flags) == Some(Ordering::Less)
}

/// `a` ≤ `b`; any NaN is invalid.
pub fn le<F: Format>(a: u64, b: u64, flags: &mut Flags) -> bool {
    matches!(signaling_order::<F>(a, b, flags), Some(Ordering::Less | Ordering::Equal))
}

/// `a` < `b`; only a signalling NaN is invalid.
pub fn lt_quiet<F: Format>(a: u64, b: u64, flags: &mut Flags) -> bool {
    quiet_order::<F>(a, b, flags) == Some(Ordering::Less)
}

/// `a` ≤ `b`; only a signalling NaN is invalid.
pub fn le_quiet<F: Format>(a: u64, b: u64, flags: &mut Flags) -> bool {
    matches!(quiet_order::<F>(a, b, flags), Some(Ordering::Less | Ordering::Equal))
}

/// `fmin`: the smaller, −0 below +0; of a number and a NaN the number.
pub fn min<F: Format>(a: u64, b: u64, flags: &mut Flags) -> u64 {
    match quiet_order::<F>(a, b, flags) {
        Some(Ordering::Less) => a,
        Some(Ordering::Greater) => b,
        Some(Ordering::Equal) => a | b,
        None => number_or_canonical::<F>(a, b),
    }
}

/// `fmax`: the larger, +0 above −0; of a number and a NaN the number.
pub fn max<F: Format>(a: u64, b: u64, flags: &mut Flags) -> u64 {
    match quiet_order::<F>(a, b, flags) {
        Some(Ordering::Less) => b,
        Some(Ordering::Greater) => a,
        Some(Ordering::Equal) => a & b,
        None => number_or_canonical::<F>(a, b),
    }
}

/// `fminm`: as [`min`], but a NaN if either is one.
pub fn min_nan<F: Format>(a: u64, b: u64, flags: &mut Flags) -> u64 {
    let least = min::<F>(a, b, flags);
    if F::is_nan(a) || F::is_nan(b) { F::CANONICAL } else { least }
}

/// `fmaxm`: as [`max`], but a NaN if either is one.
pub fn max_nan<F: Format>(a: u64, b: u64, flags: &mut Flags) -> u64 {
    let greatest = max::<F>(a, b, flags);
    if F::is_nan(a) || F::is_nan(b) { F::CANONICAL } else { greatest }
}

/// The operand that is a number; the canonical NaN if neither is.
pub(in crate::float) fn number_or_canonical<F: Format>(a: u64, b: u64) -> u64 {
    match (F::is_nan(a), F::is_nan(b)) {
        (true, true) => F::CANONICAL,
        (true, false) => b,
        _ => a,
    }
}

/// `fclass`: one bit of ten (F, "Single-Precision Floating-Point Classify Instruction").
pub fn class<F: Format>(a: u64) -> u64 {
    let (negative, kind) = unpack::<F>(a);
    // Negative ones count 3 − rank, positive ones 4 + rank.
    let rank = match kind {
        Kind::Nan if F::is_signaling(a) => return 1 << 8,
        Kind::Nan => return 1 << 9,
        Kind::Zero => 0,
        Kind::Finite(x) if x.exponent < F::MIN_EXPONENT => 1,
        Kind::Finite(_) => 2,
        Kind::Infinite => 3,
    };
    1 << if negative { 3 - rank } else { 4 + rank }
}
