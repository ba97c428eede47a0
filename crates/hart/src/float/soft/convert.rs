//! Conversions between formats, to and from integers, and to integral values.

use super::number::{Kind, propagate, sign_bit, unpack};
use super::round::{round_pack, round_shift};
use crate::float::{Flags, Format, RoundingMode};

/// `a` of format `A` in format `B`.
pub fn convert<A: Format, B: Format>(a: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    let (negative, kind) = unpack::<A>(a);
    match kind {
        Kind::Nan => {
            propagate::<A>(&[a], flags);
            B::CANONICAL
        }
        Kind::Infinite => sign_bit::<B>(negative) | B::INFINITY,
        Kind::Zero => sign_bit::<B>(negative),
        Kind::Finite(x) => {
            round_pack::<B>(negative, x.exponent - 63, x.significand.into(), mode, flags)
        }
    }
}

/// `a` as an integer from `least` to `greatest`; outside of them the nearer
/// one, for a NaN the greatest, and invalid instead of inexact.
fn to_integer<F: Format>(
    a: u64,
    least: i128,
    greatest: i128,
    mode: RoundingMode,
    flags: &mut Flags,
) -> i128 {
    let (negative, kind) = unpack::<F>(a);
    let rounded = match kind {
        Kind::Zero => Some((0, false)),
        Kind::Finite(x) if x.exponent <= 64 => {
            // Two zeros below the significand keep the shift positive up to exponent 65.
            let drop = (65 - x.exponent) as u32;
            let (magnitude, inexact) =
                round_shift(negative, u128::from(x.significand) << 2, drop, mode);
            let magnitude = magnitude as i128;
            Some((if negative { -magnitude } else { magnitude }, inexact))
        }
        _ => None,
    };
    match rounded {
        Some((integer, inexact)) if (least..=greatest).contains(&integer) => {
            if inexact {
                flags.raise(Flags::INEXACT);
            }
            integer
        }
        _ => {
            flags.raise(Flags::INVALID);
            if negative && !matches!(kind, Kind::Nan) { least } else { greatest }
        }
    }
}

/// `a` as a signed 32-bit integer, sign-extended.
pub fn to_i32<F: Format>(a: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    to_integer::<F>(a, i32::MIN.into(), i32::MAX.into(), mode, flags) as u64
}

/// `a` as an unsigned 32-bit integer, *sign*-extended as RV64 wants it.
pub fn to_u32<F: Format>(a: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    to_integer::<F>(a, 0, u32::MAX.into(), mode, flags) as i32 as u64
}

/// `a` as a signed 64-bit integer.
pub fn to_i64<F: Format>(a: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    to_integer::<F>(a, i64::MIN.into(), i64::MAX.into(), mode, flags) as u64
}

/// `a` as an unsigned 64-bit integer.
pub fn to_u64<F: Format>(a: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    to_integer::<F>(a, 0, u64::MAX.into(), mode, flags) as u64
}

/// `fcvtmod`: `a` truncated to an integer, modulo 2^32, sign-extended; zero for
/// infinities and NaNs. The flags are those of [`to_i32`] towards zero.
pub fn to_i32_modular<F: Format>(a: u64, flags: &mut Flags) -> u64 {
    to_i32::<F>(a, RoundingMode::TowardZero, flags);
    modular::<F>(a)
}

/// The result of [`to_i32_modular`] without its flags.
pub(in crate::float) fn modular<F: Format>(a: u64) -> u64 {
    let (negative, Kind::Finite(x)) = unpack::<F>(a) else { return 0 };
    // The integer's low 32 bits: the significand's bits above 2^0.
    let low = match x.exponent {
        ..0 => 0,
        0..=63 => x.significand >> (63 - x.exponent),
        // From 2^95 on, the lowest set bit is beyond the 32.
        _ => x.significand.checked_shl((x.exponent - 63) as u32).unwrap_or(0),
    } as i32;
    (if negative { low.wrapping_neg() } else { low }) as u64
}

fn from_integer<F: Format>(
    negative: bool,
    magnitude: u64,
    mode: RoundingMode,
    flags: &mut Flags,
) -> u64 {
    if magnitude == 0 { 0 } else { round_pack::<F>(negative, 0, magnitude.into(), mode, flags) }
}

/// The signed low word of `a`.
pub fn from_i32<F: Format>(a: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    from_i64::<F>(a as i32 as u64, mode, flags)
}

/// The unsigned low word of `a`.
pub fn from_u32<F: Format>(a: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    from_u64::<F>(a & 0xffff_ffff, mode, flags)
}

/// The signed integer `a`.
pub fn from_i64<F: Format>(a: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    let a = a as i64;
    from_integer::<F>(a < 0, a.unsigned_abs(), mode, flags)
}

/// The unsigned integer `a`.
pub fn from_u64<F: Format>(a: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    from_integer::<F>(false, a, mode, flags)
}

/// `fround`: `a` rounded to an integral value, never inexact.
pub fn to_integral<F: Format>(a: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    let mut raised = Flags::new();
    let integral = to_integral_inexact::<F>(a, mode, &mut raised);
    flags.raise(Flags::from_bits(raised.bits() & Flags::INVALID.bits()));
    integral
}

/// `froundnx`: as [`to_integral`], and inexact where that changes the value.
pub fn to_integral_inexact<F: Format>(a: u64, mode: RoundingMode, flags: &mut Flags) -> u64 {
    let (negative, kind) = unpack::<F>(a);
    let x = match kind {
        Kind::Nan => return propagate::<F>(&[a], flags),
        Kind::Finite(x) if x.exponent < F::FRACTION as i32 => x,
        _ => return a,
    };
    let (magnitude, inexact) =
        round_shift(negative, u128::from(x.significand) << 2, (65 - x.exponent) as u32, mode);
    if inexact {
        flags.raise(Flags::INEXACT);
    }
    if magnitude == 0 {
        return sign_bit::<F>(negative);
    }
    round_pack::<F>(negative, 0, magnitude, mode, flags)
}
