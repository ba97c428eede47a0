//! Conversions: between single and double precision, to and from integers.
//!
//! Where the host's instruction is not RISC-V's, the operands for which it is
//! take the fast path. Elsewhere it may have raised inexact where RISC-V
//! raises only invalid, so MXCSR is saved before and put back.

use super::canonical::canonical;
use super::control::{INVALID, load, read};
use crate::float::{F32, F64, Format, soft};
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

/// `least` for a negative number, `greatest` for a positive one or a NaN.
#[inline(always)]
fn saturated<F: Format>(a: u64, least: i64, greatest: i64) -> u64 {
    let value = a & !F::BOX;
    (if value & F::SIGN != 0 && !F::is_nan(value) { least } else { greatest }) as u64
}

/// The four conversions to integers by one instruction. Positive values are
/// ordered as their bits are: `$word` is the last that cannot round beyond a
/// `u32`; `$double_word` is 2^63, from which on all values are integers.
macro_rules! to_integers {
    ($format:ident, $instruction:literal, $word:literal, $double_word:literal:
     $w:ident $wu:ident $l:ident $lu:ident) => {
        #[inline(always)]
        pub fn $w(a: u64) -> u64 {
            let a = $format::checked(a);
            let integer = to_integer!(concat!($instruction, " {r:e}, {x}"), a) as i32;
            if integer == i32::MIN {
                cold_path();
                // The least, or what the host gives for invalid operands.
                return saturated::<$format>(a, i32::MIN.into(), i32::MAX.into());
            }
            integer as u64
        }

        #[inline(always)]
        pub fn $l(a: u64) -> u64 {
            let a = $format::checked(a);
            let integer = to_integer!(concat!($instruction, " {r:r}, {x}"), a);
            if integer as i64 == i64::MIN {
                cold_path();
                return saturated::<$format>(a, i64::MIN, i64::MAX);
            }
            integer
        }

        #[inline(always)]
        pub fn $wu(a: u64) -> u64 {
            let a = $format::checked(a);
            if a & !$format::BOX <= $word {
                return to_integer!(concat!($instruction, " {r:r}, {x}"), a) as i32 as u64;
            }
            cold_path();
            let before = read();
            let integer = to_integer!(concat!($instruction, " {r:r}, {x}"), a);
            if integer <= u32::MAX.into() {
                return integer as i32 as u64;
            }
            load(before | INVALID);
            saturated::<$format>(a, 0, -1)
        }

        #[inline(always)]
        pub fn $lu(a: u64) -> u64 {
            let a = $format::checked(a);
            let value = a & !$format::BOX;
            if value < $double_word {
                return to_integer!(concat!($instruction, " {r:r}, {x}"), a);
            }
            cold_path();
            if value < $double_word + (1 << $format::FRACTION) {
                return 1 << 63 | value << (63 - $format::FRACTION);
            }
            let before = read();
            if to_integer!(concat!($instruction, " {r:r}, {x}"), a) == 0 {
                return 0;
            }
            load(before | INVALID);
            saturated::<$format>(a, 0, -1)
        }
    };
}

to_integers!(F32, "cvtss2si", 0x4f7f_ffff, 0x5f00_0000:
    fcvt_w_s fcvt_wu_s fcvt_l_s fcvt_lu_s);
to_integers!(F32, "cvttss2si", 0x4f7f_ffff, 0x5f00_0000:
    fcvt_w_s_rtz fcvt_wu_s_rtz fcvt_l_s_rtz fcvt_lu_s_rtz);
to_integers!(F64, "cvtsd2si", 0x41ef_ffff_ffe0_0000, 0x43e0_0000_0000_0000:
    fcvt_w_d fcvt_wu_d fcvt_l_d fcvt_lu_d);
to_integers!(F64, "cvttsd2si", 0x41ef_ffff_ffe0_0000, 0x43e0_0000_0000_0000:
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
