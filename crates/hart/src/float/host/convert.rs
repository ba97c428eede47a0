//! Conversions: between single and double precision, to and from integers.
//!
//! Where the host's instruction is not RISC-V's, a range of operands for which
//! it is takes the fast path, and the rest goes through `float::soft`. The
//! range is tested *before*: an instruction that ran has raised its flags.

use super::canonical::canonical;
use super::{in_soft, raise};
use crate::float::{F32, F64, Flags, Format, RoundingMode, soft};
use std::arch::asm;
use std::hint::cold_path;

#[inline(always)]
pub fn fcvt_s_d(a: u64) -> u64 {
    canonical!(single "cvtsd2ss {x}, {y}"; x = F32::BOX, y = xmm_reg f64::from_bits(a))
}

#[inline(always)]
pub fn fcvt_d_s(a: u64) -> u64 {
    canonical!(double "cvtss2sd {x}, {x}"; x = F32::checked(a))
}

/// Runs one instruction that converts to an integer register.
macro_rules! to_integer {
    ($template:expr, $a:expr) => {{
        let integer: u64;
        // SAFETY: uses registers only, raises sticky flags only (exceptions are masked).
        unsafe {
            asm!(
                $template,
                x = in(xmm_reg) f64::from_bits($a),
                r = lateout(reg) integer,
                options(nomem, nostack, preserves_flags)
            );
        }
        integer
    }};
}

/// What a signed conversion gives where the host gives its "indefinite
/// integer", which is the least: that is also right for the least itself.
#[inline(always)]
fn saturated<F: Format>(a: u64, least: i64, greatest: i64) -> u64 {
    cold_path();
    let a = F::unbox(a);
    (if a & F::SIGN != 0 && !F::is_nan(a) { least } else { greatest }) as u64
}

/// How an instruction rounds.
enum Rounding {
    Mxcsr,
    TowardZero,
}

#[cold]
#[inline(never)]
fn in_soft_from(
    rounding: Rounding,
    a: u64,
    convert: fn(u64, RoundingMode, &mut Flags) -> u64,
) -> u64 {
    match rounding {
        Rounding::Mxcsr => in_soft(|mode, flags| convert(a, mode, flags)),
        Rounding::TowardZero => {
            let mut raised = Flags::new();
            let integer = convert(a, RoundingMode::TowardZero, &mut raised);
            raise(raised);
            integer
        }
    }
}

/// The four conversions to integers by one instruction. Values that are
/// positive are ordered as their bits are: those up to `$word` do not round
/// beyond a `u32`, those below `$double_word` not beyond an `i64`.
macro_rules! to_integers {
    ($format:ident, $instruction:literal, $rounding:ident, $word:literal, $double_word:literal:
     $w:ident $wu:ident $l:ident $lu:ident) => {
        #[inline(always)]
        pub fn $w(a: u64) -> u64 {
            let integer = to_integer!(concat!($instruction, " {r:e}, {x}"), $format::checked(a));
            if integer as i32 == i32::MIN {
                return saturated::<$format>(a, i32::MIN.into(), i32::MAX.into());
            }
            integer as i32 as u64
        }

        #[inline(always)]
        pub fn $wu(a: u64) -> u64 {
            let value = $format::unbox(a);
            if value > $word {
                return in_soft_from(Rounding::$rounding, value, soft::to_u32::<$format>);
            }
            to_integer!(concat!($instruction, " {r:r}, {x}"), value) as i32 as u64
        }

        #[inline(always)]
        pub fn $l(a: u64) -> u64 {
            let integer = to_integer!(concat!($instruction, " {r:r}, {x}"), $format::checked(a));
            if integer as i64 == i64::MIN {
                return saturated::<$format>(a, i64::MIN, i64::MAX);
            }
            integer
        }

        #[inline(always)]
        pub fn $lu(a: u64) -> u64 {
            let value = $format::unbox(a);
            if value >= $double_word {
                return in_soft_from(Rounding::$rounding, value, soft::to_u64::<$format>);
            }
            to_integer!(concat!($instruction, " {r:r}, {x}"), value)
        }
    };
}

to_integers!(F32, "cvtss2si", Mxcsr, 0x4f7f_ffff, 0x5f00_0000:
    fcvt_w_s fcvt_wu_s fcvt_l_s fcvt_lu_s);
to_integers!(F32, "cvttss2si", TowardZero, 0x4f7f_ffff, 0x5f00_0000:
    fcvt_w_s_rtz fcvt_wu_s_rtz fcvt_l_s_rtz fcvt_lu_s_rtz);
to_integers!(F64, "cvtsd2si", Mxcsr, 0x41ef_ffff_ffe0_0000, 0x43e0_0000_0000_0000:
    fcvt_w_d fcvt_wu_d fcvt_l_d fcvt_lu_d);
to_integers!(F64, "cvttsd2si", TowardZero, 0x41ef_ffff_ffe0_0000, 0x43e0_0000_0000_0000:
    fcvt_w_d_rtz fcvt_wu_d_rtz fcvt_l_d_rtz fcvt_lu_d_rtz);

/// `fcvtmod.w.d`: `a` truncated to an integer, modulo 2^32.
#[inline(always)]
pub fn fcvtmod_w_d(a: u64) -> u64 {
    let integer = to_integer!("cvttsd2si {r:e}, {x}", a);
    if integer as i32 == i32::MIN {
        cold_path();
        // Out of range: the host has raised invalid already.
        return soft::modular::<F64>(a);
    }
    integer as i32 as u64
}

/// Runs instructions that convert an integer register. `$x` is the register
/// before, of which a single-precision result leaves the upper part.
macro_rules! from_integer {
    ($($line:expr),+; $x:expr, $integer:expr) => {{
        let value: f64;
        // SAFETY: uses registers only, raises sticky flags only (exceptions are masked).
        unsafe {
            asm!(
                $($line,)+
                x = inlateout(xmm_reg) f64::from_bits($x) => value,
                r = in(reg) $integer,
                options(nomem, nostack, preserves_flags)
            );
        }
        value.to_bits()
    }};
}

macro_rules! from_integers {
    ($format:ident, $suffix:literal: $w:ident $wu:ident $l:ident $lu:ident) => {
        #[inline(always)]
        pub fn $w(a: u64) -> u64 {
            from_integer!(concat!("cvtsi2", $suffix, " {x}, {r:e}"); $format::BOX, a)
        }

        #[inline(always)]
        pub fn $wu(a: u64) -> u64 {
            $l(a & 0xffff_ffff)
        }

        #[inline(always)]
        pub fn $l(a: u64) -> u64 {
            from_integer!(concat!("cvtsi2", $suffix, " {x}, {r:r}"); $format::BOX, a)
        }

        #[inline(always)]
        pub fn $lu(a: u64) -> u64 {
            if a >> 63 == 0 {
                return $l(a);
            }
            cold_path();
            // Half of it with a sticky bit rounds as the whole does; doubling is exact.
            from_integer!(
                concat!("cvtsi2", $suffix, " {x}, {r:r}"),
                concat!("add", $suffix, " {x}, {x}");
                $format::BOX, a >> 1 | a & 1
            )
        }
    };
}

from_integers!(F32, "ss": fcvt_s_w fcvt_s_wu fcvt_s_l fcvt_s_lu);
from_integers!(F64, "sd": fcvt_d_w fcvt_d_wu fcvt_d_l fcvt_d_lu);
