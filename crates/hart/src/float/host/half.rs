//! Conversions between half and wider precisions (F16C).
//!
//! To half only from single precision: double precision would round twice.

use super::canonical::canonical;
use super::feature::F16C;
use super::{fcvt_d_s, in_soft};
use crate::float::{F16, F32, Format, soft};
use std::arch::asm;
use std::hint::cold_path;

#[inline(always)]
pub fn fcvt_s_h(a: u64) -> u64 {
    if !F16C.is_known() {
        return to_single_without_f16c(a);
    }
    // Zeros in the other three lanes: they would raise their own flags. In the
    // result they are where the box has to be.
    F32::BOX | canonical!(single "vcvtph2ps {x}, {x}"; x = F16::unbox(a))
}

#[inline(always)]
pub fn fcvt_d_h(a: u64) -> u64 {
    fcvt_d_s(fcvt_s_h(a))
}

#[inline(always)]
pub fn fcvt_h_s(a: u64) -> u64 {
    if !F16C.is_known() {
        return to_half_without_f16c(a);
    }
    let value: f64;
    // SAFETY: the host has F16C; uses one register, raises sticky flags only
    // (exceptions are masked). Operand 4: MXCSR's rounding mode.
    unsafe {
        asm!(
            "vcvtps2ph {x}, {x}, 4",
            x = inlateout(xmm_reg) f64::from_bits(F32::unbox(a)) => value,
            options(nomem, nostack, preserves_flags)
        );
    }
    let value = value.to_bits();
    if F16::is_nan(value) {
        cold_path();
        return F16::BOX | F16::CANONICAL;
    }
    F16::boxed(value)
}

#[cold]
#[inline(never)]
pub(super) fn to_single_without_f16c(a: u64) -> u64 {
    F16C.look();
    F32::boxed(in_soft(|mode, flags| soft::convert::<F16, F32>(F16::unbox(a), mode, flags)))
}

#[cold]
#[inline(never)]
pub(super) fn to_half_without_f16c(a: u64) -> u64 {
    F16C.look();
    F16::boxed(in_soft(|mode, flags| soft::convert::<F32, F16>(F32::unbox(a), mode, flags)))
}
