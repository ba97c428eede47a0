//! Addition, subtraction, multiplication, division, square root.

use super::canonical::canonical;
use super::in_soft;
use crate::float::{F32, F64, Format, soft};

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

/// Rounding to integral values. Bit 2 of the operand: MXCSR's rounding mode;
/// bit 3: never inexact.
macro_rules! integral {
    ($single:ident, $double:ident: $operand:literal, $soft:ident) => {
        #[inline(always)]
        pub fn $single(a: u64) -> u64 {
            if is_x86_feature_detected!("sse4.1") {
                canonical!(single concat!("roundss {x}, {x}, ", $operand); x = F32::checked(a))
            } else {
                in_soft(|mode, flags| F32::boxed(soft::$soft::<F32>(F32::unbox(a), mode, flags)))
            }
        }

        #[inline(always)]
        pub fn $double(a: u64) -> u64 {
            if is_x86_feature_detected!("sse4.1") {
                canonical!(double concat!("roundsd {x}, {x}, ", $operand); x = a)
            } else {
                in_soft(|mode, flags| soft::$soft::<F64>(a, mode, flags))
            }
        }
    };
}

integral!(fround_s, fround_d: "12", to_integral);
integral!(froundnx_s, froundnx_d: "4", to_integral_inexact);
