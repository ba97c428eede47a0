//! Addition, subtraction, multiplication, division, square root.

use super::canonical::canonical;
use super::feature::SSE41;
use super::{in_soft, with_rounding};
use crate::float::{F32, F64, Flags, Format, RoundingMode, soft};

macro_rules! binary {
    ($single:ident, $double:ident: $instruction:literal) => {
        #[inline(always)]
        pub fn $single(a: u64, b: u64) -> u64 {
            canonical!(single concat!($instruction, "ss {x}, {y}");
                x = F32::checked(a), y = xmm_reg f64::from_bits(F32::checked(b)))
        }

        #[inline(always)]
        pub fn $double(a: u64, b: u64) -> u64 {
            canonical!(double concat!($instruction, "sd {x}, {y}");
                x = a, y = xmm_reg f64::from_bits(b))
        }
    };
}

binary!(fadd_s, fadd_d: "add");
binary!(fsub_s, fsub_d: "sub");
binary!(fmul_s, fmul_d: "mul");
binary!(fdiv_s, fdiv_d: "div");

#[inline(always)]
pub fn fsqrt_s(a: u64) -> u64 {
    canonical!(single "sqrtss {x}, {x}"; x = F32::checked(a))
}

#[inline(always)]
pub fn fsqrt_d(a: u64) -> u64 {
    canonical!(double "sqrtsd {x}, {x}"; x = a)
}

/// Rounding to integral values. The operand of `round*` says how: 0 to 3 are
/// modes as MXCSR numbers them, 4 is MXCSR's; with 8 added, it is never inexact.
macro_rules! integral {
    ($format:ident, $width:ident $instruction:literal, $soft:ident: $dynamic:ident $fixed:ident,
     $mxcsr:literal $nearest:literal $down:literal $up:literal $zero:literal) => {
        #[inline(always)]
        pub fn $dynamic(a: u64) -> u64 {
            if !SSE41.is_known() {
                return without_sse41::<$format>(a, soft::$soft::<$format>);
            }
            canonical!($width concat!($instruction, " {x}, {x}, ", $mxcsr); x = $format::checked(a))
        }

        /// With the static rounding mode `mode`.
        #[inline(always)]
        pub fn $fixed(a: u64, mode: RoundingMode) -> u64 {
            if !SSE41.is_known() {
                return with_rounding(mode, || without_sse41::<$format>(a, soft::$soft::<$format>));
            }
            let a = $format::checked(a);
            match mode {
                RoundingMode::Down => canonical!($width concat!($instruction, " {x}, {x}, ", $down); x = a),
                RoundingMode::Up => canonical!($width concat!($instruction, " {x}, {x}, ", $up); x = a),
                RoundingMode::TowardZero => canonical!($width concat!($instruction, " {x}, {x}, ", $zero); x = a),
                RoundingMode::NearestEven | RoundingMode::NearestAway => {
                    canonical!($width concat!($instruction, " {x}, {x}, ", $nearest); x = a)
                }
            }
        }
    };
}

integral!(F32, single "roundss", to_integral: fround_s fround_s_static, 12 8 9 10 11);
integral!(F64, double "roundsd", to_integral: fround_d fround_d_static, 12 8 9 10 11);
integral!(F32, single "roundss", to_integral_inexact: froundnx_s froundnx_s_static, 4 0 1 2 3);
integral!(F64, double "roundsd", to_integral_inexact: froundnx_d froundnx_d_static, 4 0 1 2 3);

#[cold]
#[inline(never)]
pub(super) fn without_sse41<F: Format>(
    a: u64,
    round: fn(u64, RoundingMode, &mut Flags) -> u64,
) -> u64 {
    SSE41.look();
    F::boxed(in_soft(|mode, flags| round(F::unbox(a), mode, flags)))
}
