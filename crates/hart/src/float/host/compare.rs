//! Comparison, minimum, maximum.
//!
//! `ucomis*` is quiet, `comis*` signals for every NaN; both say "unordered" as
//! "below and equal with parity". "Above" is therefore false for NaNs, and
//! `a` < `b` is asked as `b` above `a`.

use super::canonical::{CANONICAL_D, CANONICAL_S};
use crate::float::{F32, F64, Format, soft};
use std::arch::asm;
use std::hint::cold_path;

/// Runs a comparison and instructions that turn its outcome into 0 or 1 in `{r}`.
macro_rules! compare {
    ($format:ident, $a:ident, $b:ident, $($line:expr),+) => {{
        let truth: u64;
        // SAFETY: uses registers only, raises sticky flags only (exceptions are masked).
        unsafe {
            asm!(
                "xor {r:e}, {r:e}",
                $($line,)+
                a = in(xmm_reg) f64::from_bits($format::checked($a)),
                b = in(xmm_reg) f64::from_bits($format::checked($b)),
                r = out(reg) truth,
                options(nomem, nostack)
            );
        }
        truth
    }};
}

macro_rules! comparisons {
    ($format:ident, $suffix:literal: $eq:ident $lt:ident $le:ident $lt_quiet:ident $le_quiet:ident) => {
        /// `a` = `b`, 0 or 1; only a signalling NaN is invalid.
        #[inline(always)]
        pub fn $eq(a: u64, b: u64) -> u64 {
            let unordered: u8;
            let equal: u8;
            // SAFETY: uses registers only, raises sticky flags only (exceptions are masked).
            unsafe {
                asm!(
                    concat!("ucomis", $suffix, " {a}, {b}"),
                    "sete {equal}",
                    "setp {unordered}",
                    a = in(xmm_reg) f64::from_bits($format::checked(a)),
                    b = in(xmm_reg) f64::from_bits($format::checked(b)),
                    equal = lateout(reg_byte) equal,
                    unordered = lateout(reg_byte) unordered,
                    options(nomem, nostack)
                );
            }
            u64::from(equal & !unordered)
        }

        /// `a` < `b`, 0 or 1; any NaN is invalid.
        #[inline(always)]
        pub fn $lt(a: u64, b: u64) -> u64 {
            compare!($format, a, b, concat!("comis", $suffix, " {b}, {a}"), "seta {r:l}")
        }

        /// `a` ≤ `b`, 0 or 1; any NaN is invalid.
        #[inline(always)]
        pub fn $le(a: u64, b: u64) -> u64 {
            compare!($format, a, b, concat!("comis", $suffix, " {b}, {a}"), "setae {r:l}")
        }

        /// `a` < `b`, 0 or 1; only a signalling NaN is invalid.
        #[inline(always)]
        pub fn $lt_quiet(a: u64, b: u64) -> u64 {
            compare!($format, a, b, concat!("ucomis", $suffix, " {b}, {a}"), "seta {r:l}")
        }

        /// `a` ≤ `b`, 0 or 1; only a signalling NaN is invalid.
        #[inline(always)]
        pub fn $le_quiet(a: u64, b: u64) -> u64 {
            compare!($format, a, b, concat!("ucomis", $suffix, " {b}, {a}"), "setae {r:l}")
        }
    };
}

comparisons!(F32, "s": feq_s flt_s fle_s fltq_s fleq_s);
comparisons!(F64, "d": feq_d flt_d fle_d fltq_d fleq_d);

/// Functions that choose by a comparison. `$below` is the result for
/// `$a` < `$b`, `$equal` for two that are equal but for the sign of a zero.
/// (Not `min*` and `max*`: those raise invalid for quiet NaNs too.)
macro_rules! extremes {
    ($format:ident, $suffix:literal: $(
        $(#[$doc:meta])*
        $name:ident($a:ident, $b:ident) =
            $below:ident below, $above:ident above, $equal:expr, unordered $unordered:expr;
    )+) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name(a: u64, b: u64) -> u64 {
            let ($a, $b) = ($format::checked(a), $format::checked(b));
            let below: u8;
            let equal: u8;
            let unordered: u8;
            // SAFETY: uses registers only, raises sticky flags only (exceptions are masked).
            unsafe {
                asm!(
                    concat!("ucomis", $suffix, " {a}, {b}"),
                    "setb {below}",
                    "sete {equal}",
                    "setp {unordered}",
                    a = in(xmm_reg) f64::from_bits($a),
                    b = in(xmm_reg) f64::from_bits($b),
                    below = lateout(reg_byte) below,
                    equal = lateout(reg_byte) equal,
                    unordered = lateout(reg_byte) unordered,
                    options(nomem, nostack)
                );
            }
            if unordered != 0 {
                cold_path();
                $unordered
            } else if equal != 0 {
                $equal
            } else if below != 0 {
                $below
            } else {
                $above
            }
        }
    )+};
}

/// The operand that is a number, of two boxed ones; the canonical NaN if neither is.
fn number<F: Format>(a: u64, b: u64) -> u64 {
    F::boxed(soft::number_or_canonical::<F>(a & !F::BOX, b & !F::BOX))
}

extremes! { F32, "s":
    /// The smaller of `a` and `b`, −0 below +0; of a number and a NaN the number.
    fmin_s(a, b) = a below, b above, a | b, unordered number::<F32>(a, b);
    /// The larger of `a` and `b`, +0 above −0; of a number and a NaN the number.
    fmax_s(a, b) = b below, a above, a & b, unordered number::<F32>(a, b);
    /// The smaller of `a` and `b`, −0 below +0; a NaN if either is one.
    fminm_s(a, b) = a below, b above, a | b, unordered CANONICAL_S;
    /// The larger of `a` and `b`, +0 above −0; a NaN if either is one.
    fmaxm_s(a, b) = b below, a above, a & b, unordered CANONICAL_S;
}

extremes! { F64, "d":
    /// The smaller of `a` and `b`, −0 below +0; of a number and a NaN the number.
    fmin_d(a, b) = a below, b above, a | b, unordered number::<F64>(a, b);
    /// The larger of `a` and `b`, +0 above −0; of a number and a NaN the number.
    fmax_d(a, b) = b below, a above, a & b, unordered number::<F64>(a, b);
    /// The smaller of `a` and `b`, −0 below +0; a NaN if either is one.
    fminm_d(a, b) = a below, b above, a | b, unordered CANONICAL_D;
    /// The larger of `a` and `b`, +0 above −0; a NaN if either is one.
    fmaxm_d(a, b) = b below, a above, a & b, unordered CANONICAL_D;
}
