//! The instructions that do not round, as functions on whole registers.
//!
//! Moves, sign injection, `fclass` and `fli` touch no flags. Comparisons,
//! minimum, maximum and `fcvtmod.w.d` raise theirs in MXCSR and so run between
//! `host::enter` and `host::leave`, whatever the rounding mode.

pub use super::host::compare::{
    feq_d, feq_s, fle_d, fle_s, fleq_d, fleq_s, flt_d, flt_s, fltq_d, fltq_s, fmax_d, fmax_s,
    fmaxm_d, fmaxm_s, fmin_d, fmin_s, fminm_d, fminm_s,
};
pub use super::host::convert::fcvtmod_w_d;

use super::{F16, F32, F64, Flags, Format, host, soft};

macro_rules! bitwise {
    ($format:ident: $sgnj:ident $sgnjn:ident $sgnjx:ident $class:ident $move_to_integer:ident $move_from_integer:ident $signed:ident) => {
        /// `a` with the sign of `b`.
        #[inline(always)]
        pub fn $sgnj(a: u64, b: u64) -> u64 {
            $format::checked(a) & !$format::SIGN | $format::checked(b) & $format::SIGN
        }

        /// `a` with the opposite of the sign of `b`.
        #[inline(always)]
        pub fn $sgnjn(a: u64, b: u64) -> u64 {
            $format::checked(a) & !$format::SIGN | !$format::checked(b) & $format::SIGN
        }

        /// `a`, negated if `b` is negative.
        #[inline(always)]
        pub fn $sgnjx(a: u64, b: u64) -> u64 {
            $format::checked(a) ^ $format::checked(b) & $format::SIGN
        }

        /// The class of `a` as one bit of ten (F, "Single-Precision
        /// Floating-Point Classify Instruction").
        #[inline]
        pub fn $class(a: u64) -> u64 {
            soft::class::<$format>($format::unbox(a))
        }

        /// The bits of `a`, sign-extended; no NaN-boxing is asked for.
        #[inline(always)]
        pub fn $move_to_integer(a: u64) -> u64 {
            a as $signed as u64
        }

        /// The low bits of an integer register, boxed.
        #[inline(always)]
        pub fn $move_from_integer(a: u64) -> u64 {
            $format::boxed(a & !$format::BOX)
        }
    };
}

bitwise!(F16: fsgnj_h fsgnjn_h fsgnjx_h fclass_h fmv_x_h fmv_h_x i16);
bitwise!(F32: fsgnj_s fsgnjn_s fsgnjx_s fclass_s fmv_x_w fmv_w_x i32);
bitwise!(F64: fsgnj_d fsgnjn_d fsgnjx_d fclass_d fmv_x_d fmv_d_x i64);

/// Runs a comparison of half-precision values and raises its flags in MXCSR.
#[inline]
fn half<T>(a: u64, b: u64, operation: fn(u64, u64, &mut Flags) -> T) -> T {
    let mut raised = Flags::new();
    let result = operation(F16::unbox(a), F16::unbox(b), &mut raised);
    host::raise(raised);
    result
}

macro_rules! half_comparisons {
    ($($name:ident = $soft:ident, $doc:literal;)+) => {$(
        #[doc = $doc]
        pub fn $name(a: u64, b: u64) -> u64 {
            half(a, b, soft::$soft::<F16>).into()
        }
    )+};
}

half_comparisons! {
    feq_h = eq, "`a` = `b`, 0 or 1; only a signalling NaN is invalid.";
    flt_h = lt, "`a` < `b`, 0 or 1; any NaN is invalid.";
    fle_h = le, "`a` ≤ `b`, 0 or 1; any NaN is invalid.";
    fltq_h = lt_quiet, "`a` < `b`, 0 or 1; only a signalling NaN is invalid.";
    fleq_h = le_quiet, "`a` ≤ `b`, 0 or 1; only a signalling NaN is invalid.";
}

macro_rules! half_extremes {
    ($($name:ident = $soft:ident, $doc:literal;)+) => {$(
        #[doc = $doc]
        pub fn $name(a: u64, b: u64) -> u64 {
            F16::boxed(half(a, b, soft::$soft::<F16>))
        }
    )+};
}

half_extremes! {
    fmin_h = min, "The smaller of `a` and `b`, −0 below +0; of a number and a NaN the number.";
    fmax_h = max, "The larger of `a` and `b`, +0 above −0; of a number and a NaN the number.";
    fminm_h = min_nan, "The smaller of `a` and `b`, −0 below +0; a NaN if either is one.";
    fmaxm_h = max_nan, "The larger of `a` and `b`, +0 above −0; a NaN if either is one.";
}

/// The constants of `fli.d` by their number (Zfa, "Load-Immediate Instructions").
const FLI: [u64; 32] = [
    0xbff0_0000_0000_0000, // −1
    0x0010_0000_0000_0000, // the smallest normal number; differs for each format
    0x3ef0_0000_0000_0000, // 2^−16
    0x3f00_0000_0000_0000, // 2^−15
    0x3f70_0000_0000_0000, // 2^−8
    0x3f80_0000_0000_0000, // 2^−7
    0x3fb0_0000_0000_0000, // 2^−4
    0x3fc0_0000_0000_0000, // 2^−3
    0x3fd0_0000_0000_0000, // 0.25
    0x3fd4_0000_0000_0000, // 0.3125
    0x3fd8_0000_0000_0000, // 0.375
    0x3fdc_0000_0000_0000, // 0.4375
    0x3fe0_0000_0000_0000, // 0.5
    0x3fe4_0000_0000_0000, // 0.625
    0x3fe8_0000_0000_0000, // 0.75
    0x3fec_0000_0000_0000, // 0.875
    0x3ff0_0000_0000_0000, // 1
    0x3ff4_0000_0000_0000, // 1.25
    0x3ff8_0000_0000_0000, // 1.5
    0x3ffc_0000_0000_0000, // 1.75
    0x4000_0000_0000_0000, // 2
    0x4004_0000_0000_0000, // 2.5
    0x4008_0000_0000_0000, // 3
    0x4010_0000_0000_0000, // 4
    0x4020_0000_0000_0000, // 8
    0x4030_0000_0000_0000, // 16
    0x4060_0000_0000_0000, // 128
    0x4070_0000_0000_0000, // 256
    0x40e0_0000_0000_0000, // 2^15
    0x40f0_0000_0000_0000, // 2^16; infinity in half precision
    0x7ff0_0000_0000_0000, // infinity
    F64::CANONICAL,
];

/// The constant of the format, boxed; entry 2^−16 is subnormal in half precision.
fn constant<F: Format>(index: u8) -> u64 {
    let index = usize::from(index & 31);
    F::boxed(match index {
        1 => 1 << F::FRACTION,
        _ => {
            soft::convert::<F64, F>(FLI[index], super::RoundingMode::NearestEven, &mut Flags::new())
        }
    })
}

/// `fli.h` of the constant with the number `index`, 0 to 31; higher bits are ignored.
pub fn fli_h(index: u8) -> u64 {
    constant::<F16>(index)
}

/// `fli.s` of the constant with the number `index`, 0 to 31; higher bits are ignored.
pub fn fli_s(index: u8) -> u64 {
    constant::<F32>(index)
}

/// `fli.d` of the constant with the number `index`, 0 to 31; higher bits are ignored.
pub fn fli_d(index: u8) -> u64 {
    constant::<F64>(index)
}
