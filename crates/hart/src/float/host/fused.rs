//! Fused multiply-add.

use super::in_soft;
use crate::float::{F32, F64, Flags, Format, soft};
use std::arch::asm;

/// Whether the host has FMA instructions; without, `float::soft` does their work.
#[inline(always)]
pub fn has_fma() -> bool {
    is_x86_feature_detected!("fma")
}

/// The result for operands that make a NaN. Infinity times zero plus a quiet
/// NaN is invalid, but not to x86; other invalid cases have been raised.
#[cold]
#[inline(never)]
fn nan<F: Format>(a: u64, b: u64) -> u64 {
    let (a, b) = (F::unbox(a) & !F::SIGN, F::unbox(b) & !F::SIGN);
    if (a.min(b), a.max(b)) == (0, F::INFINITY) {
        super::raise(Flags::INVALID);
    }
    F::boxed(F::CANONICAL)
}

#[cold]
#[inline(never)]
fn without_fma<F: Format>(a: u64, b: u64, c: u64, flip_product: u64, flip_addend: u64) -> u64 {
    let (a, b, c) = (F::unbox(a) ^ flip_product, F::unbox(b), F::unbox(c) ^ flip_addend);
    F::boxed(in_soft(|mode, flags| soft::fma::<F>(a, b, c, mode, flags)))
}

/// `$product` and `$addend` are true where that term is negated.
macro_rules! fused {
    ($name:ident, $format:ident: $instruction:literal, $compare:literal, $product:literal, $addend:literal) => {
        #[inline(always)]
        pub fn $name(a: u64, b: u64, c: u64) -> u64 {
            if !has_fma() {
                let flip = |negate: bool| if negate { $format::SIGN } else { 0 };
                return without_fma::<$format>(a, b, c, flip($product), flip($addend));
            }
            let result: f64;
            let is_nan: u8;
            // SAFETY: the host has FMA; uses registers only, raises sticky
            // flags only (exceptions are masked).
            unsafe {
                asm!(
                    concat!($instruction, " {x}, {y}, {z}"),
                    concat!($compare, " {x}, {x}"),
                    "setp {nan}",
                    x = inlateout(xmm_reg) f64::from_bits($format::checked(a)) => result,
                    y = in(xmm_reg) f64::from_bits($format::checked(b)),
                    z = in(xmm_reg) f64::from_bits($format::checked(c)),
                    nan = lateout(reg_byte) is_nan,
                    options(nomem, nostack)
                );
            }
            if is_nan != 0 { nan::<$format>(a, b) } else { result.to_bits() }
        }
    };
}

// RISC-V's fnm… negate the product *and* name the sign of the addend the other way round.
fused!(fmadd_s, F32: "vfmadd213ss", "ucomiss", false, false);
fused!(fmsub_s, F32: "vfmsub213ss", "ucomiss", false, true);
fused!(fnmsub_s, F32: "vfnmadd213ss", "ucomiss", true, false);
fused!(fnmadd_s, F32: "vfnmsub213ss", "ucomiss", true, true);
fused!(fmadd_d, F64: "vfmadd213sd", "ucomisd", false, false);
fused!(fmsub_d, F64: "vfmsub213sd", "ucomisd", false, true);
fused!(fnmsub_d, F64: "vfnmadd213sd", "ucomisd", true, false);
fused!(fnmadd_d, F64: "vfnmsub213sd", "ucomisd", true, true);
