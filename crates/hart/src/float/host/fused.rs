//! Fused multiply-add.

use super::feature::FMA;
use super::in_soft;
use crate::float::{F32, F64, Format, soft};
use std::arch::asm;
use std::hint::cold_path;

/// The result for operands that make a NaN. Infinity times zero plus a quiet
/// NaN is invalid, but not to x86; other invalid cases have been raised.
///
/// Inlined although cold: a call would make the callers save registers.
#[inline(always)]
fn nan<F: Format>(a: u64, b: u64) -> u64 {
    cold_path();
    // Without signs; infinity and zero are then all that adds up to this and has a zero.
    let (a, b) = (F::checked(a) & !F::BOX & !F::SIGN, F::checked(b) & !F::BOX & !F::SIGN);
    if (a == 0 || b == 0) && a | b == F::INFINITY {
        // SAFETY: uses one register; zero by zero is invalid and nothing else.
        unsafe {
            asm!("xorps {x}, {x}", "divss {x}, {x}", x = out(xmm_reg) _, options(nomem, nostack, preserves_flags));
        }
    }
    F::BOX | F::CANONICAL
}

#[cold]
#[inline(never)]
pub(super) fn without_fma<F: Format>(
    a: u64,
    b: u64,
    c: u64,
    flip_product: u64,
    flip_addend: u64,
) -> u64 {
    FMA.look();
    let (a, b, c) = (F::unbox(a) ^ flip_product, F::unbox(b), F::unbox(c) ^ flip_addend);
    F::boxed(in_soft(|mode, flags| soft::fma::<F>(a, b, c, mode, flags)))
}

/// `$product` and `$addend` are true where that term is negated.
macro_rules! fused {
    ($name:ident, $format:ident: $instruction:literal, $compare:literal, $product:literal, $addend:literal) => {
        #[inline(always)]
        pub fn $name(a: u64, b: u64, c: u64) -> u64 {
            if !FMA.is_known() {
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
