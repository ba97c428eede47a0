//! The instructions that round, one type each, named as in the table of
//! instructions.
//!
//! Operands and results are whole registers: boxed floating-point values or
//! integers. Each operation has its meaning on the host's unit and in
//! integers; the traits differ in the number of operands only.
//!
//! The first two methods run between [`host::enter`] and [`host::leave`] and
//! raise their flags in MXCSR; the third touches neither.

use super::host::{self, in_soft, raise, with_rounding};
use super::soft;
use super::{F16, F32, F64, Flags, Format, RoundingMode};

macro_rules! operation_trait {
    ($(#[$doc:meta])* $name:ident($($operand:ident),+)) => {
        $(#[$doc])*
        pub trait $name {
            /// The result with MXCSR's rounding mode.
            fn host($($operand: u64),+) -> u64;

            /// The result with a rounding mode that is [`RoundingMode::on_host`].
            #[inline(always)]
            fn host_static($($operand: u64),+, mode: RoundingMode) -> u64 {
                with_rounding(mode, || Self::host($($operand),+))
            }

            /// The result with any rounding mode, computed in integers.
            fn soft($($operand: u64),+, mode: RoundingMode, flags: &mut Flags) -> u64;
        }
    };
}

operation_trait!(
    /// An operation of one operand.
    Op1(a)
);
operation_trait!(
    /// An operation of two operands.
    Op2(a, b)
);
operation_trait!(
    /// An operation of three operands: `a` × `b` ± `c`.
    Op3(a, b, c)
);

/// Implements an operation trait for a type per instruction.
///
/// In brackets are functions of `float::host`. `host f`: the operation; `exact
/// f`: the operation, for which the rounding mode does not matter; `rtz g`: the
/// one that rounds to zero; `fixed g`: the one that takes a static mode.
/// Without brackets (half precision) everything happens in `float::soft`.
macro_rules! operations {
    ($trait:ident $operands:tt: $($mnemonic:literal $name:ident $([$($host:ident)+])? = $soft:expr;)+) => {
        $(
            #[doc = concat!("`", $mnemonic, "`")]
            #[derive(Clone, Copy, Debug)]
            pub struct $name;

            impl $trait for $name {
                operations!(@host $operands $([$($host)+])?);
                operations!(@soft $operands $soft);
            }
        )+
    };
    (@soft ($($operand:ident),+) $soft:expr) => {
        #[inline]
        fn soft($($operand: u64),+, mode: RoundingMode, flags: &mut Flags) -> u64 {
            let soft: fn($(operations!(@word $operand)),+, RoundingMode, &mut Flags) -> u64 = $soft;
            soft($($operand),+, mode, flags)
        }
    };
    (@host ($($operand:ident),+) [host $host:ident]) => {
        #[inline(always)]
        fn host($($operand: u64),+) -> u64 {
            host::$host($($operand),+)
        }
    };
    (@host $operands:tt [exact $host:ident]) => {
        operations!(@host $operands [host $host]);
        operations!(@static $operands _mode host::$host $operands);
    };
    (@host $operands:tt [host $host:ident rtz $truncating:ident]) => {
        operations!(@host $operands [host $host]);
        operations!(@static $operands mode if mode == RoundingMode::TowardZero {
            host::$truncating $operands
        } else {
            with_rounding(mode, || host::$host $operands)
        });
    };
    (@host ($operand:ident) [host $host:ident fixed $fixed:ident]) => {
        operations!(@host ($operand) [host $host]);
        operations!(@static ($operand) mode host::$fixed($operand, mode));
    };
    (@host ($($operand:ident),+)) => {
        #[inline]
        fn host($($operand: u64),+) -> u64 {
            in_soft(|mode, flags| Self::soft($($operand),+, mode, flags))
        }

        #[inline]
        fn host_static($($operand: u64),+, mode: RoundingMode) -> u64 {
            let mut raised = Flags::new();
            let result = Self::soft($($operand),+, mode, &mut raised);
            raise(raised);
            result
        }
    };
    (@word $operand:ident) => { u64 };
    (@static ($($operand:ident),+) $mode:ident $($body:tt)+) => {
        #[inline(always)]
        fn host_static($($operand: u64),+, $mode: RoundingMode) -> u64 {
            $($body)+
        }
    };
}

/// A soft function of the format as one of registers.
macro_rules! of {
    ($format:ident: $function:ident(a)) => {
        |a, mode, flags| $format::boxed(soft::$function::<$format>($format::unbox(a), mode, flags))
    };
    ($format:ident: $function:ident(a, b)) => {
        |a, b, mode, flags| {
            $format::boxed(soft::$function::<$format>(
                $format::unbox(a),
                $format::unbox(b),
                mode,
                flags,
            ))
        }
    };
    // The signs of `a` (with it the product) and `c` flip where told.
    ($format:ident: fma($product:literal, $addend:literal)) => {
        |a, b, c, mode, flags| {
            let flip = |negate: bool| if negate { $format::SIGN } else { 0 };
            let (a, c) = ($format::unbox(a) ^ flip($product), $format::unbox(c) ^ flip($addend));
            $format::boxed(soft::fma::<$format>(a, $format::unbox(b), c, mode, flags))
        }
    };
    ($format:ident to integer: $function:ident) => {
        |a, mode, flags| soft::$function::<$format>($format::unbox(a), mode, flags)
    };
    ($format:ident from integer: $function:ident) => {
        |a, mode, flags| $format::boxed(soft::$function::<$format>(a, mode, flags))
    };
    ($from:ident to $to:ident) => {
        |a, mode, flags| $to::boxed(soft::convert::<$from, $to>($from::unbox(a), mode, flags))
    };
}

operations! { Op2(a, b):
    "fadd.s" FaddS [host fadd_s] = of!(F32: add(a, b));
    "fsub.s" FsubS [host fsub_s] = of!(F32: sub(a, b));
    "fmul.s" FmulS [host fmul_s] = of!(F32: mul(a, b));
    "fdiv.s" FdivS [host fdiv_s] = of!(F32: div(a, b));
    "fadd.d" FaddD [host fadd_d] = of!(F64: add(a, b));
    "fsub.d" FsubD [host fsub_d] = of!(F64: sub(a, b));
    "fmul.d" FmulD [host fmul_d] = of!(F64: mul(a, b));
    "fdiv.d" FdivD [host fdiv_d] = of!(F64: div(a, b));
    "fadd.h" FaddH = of!(F16: add(a, b));
    "fsub.h" FsubH = of!(F16: sub(a, b));
    "fmul.h" FmulH = of!(F16: mul(a, b));
    "fdiv.h" FdivH = of!(F16: div(a, b));
}

operations! { Op3(a, b, c):
    "fmadd.s" FmaddS [host fmadd_s] = of!(F32: fma(false, false));
    "fmsub.s" FmsubS [host fmsub_s] = of!(F32: fma(false, true));
    "fnmsub.s" FnmsubS [host fnmsub_s] = of!(F32: fma(true, false));
    "fnmadd.s" FnmaddS [host fnmadd_s] = of!(F32: fma(true, true));
    "fmadd.d" FmaddD [host fmadd_d] = of!(F64: fma(false, false));
    "fmsub.d" FmsubD [host fmsub_d] = of!(F64: fma(false, true));
    "fnmsub.d" FnmsubD [host fnmsub_d] = of!(F64: fma(true, false));
    "fnmadd.d" FnmaddD [host fnmadd_d] = of!(F64: fma(true, true));
    "fmadd.h" FmaddH = of!(F16: fma(false, false));
    "fmsub.h" FmsubH = of!(F16: fma(false, true));
    "fnmsub.h" FnmsubH = of!(F16: fma(true, false));
    "fnmadd.h" FnmaddH = of!(F16: fma(true, true));
}

operations! { Op1(a):
    "fsqrt.s" FsqrtS [host fsqrt_s] = of!(F32: sqrt(a));
    "fsqrt.d" FsqrtD [host fsqrt_d] = of!(F64: sqrt(a));
    "fsqrt.h" FsqrtH = of!(F16: sqrt(a));
    "fround.s" FroundS [host fround_s fixed fround_s_static] = of!(F32: to_integral(a));
    "fround.d" FroundD [host fround_d fixed fround_d_static] = of!(F64: to_integral(a));
    "fround.h" FroundH = of!(F16: to_integral(a));
    "froundnx.s" FroundnxS [host froundnx_s fixed froundnx_s_static] = of!(F32: to_integral_inexact(a));
    "froundnx.d" FroundnxD [host froundnx_d fixed froundnx_d_static] = of!(F64: to_integral_inexact(a));
    "froundnx.h" FroundnxH = of!(F16: to_integral_inexact(a));

    "fcvt.s.d" FcvtSD [host fcvt_s_d] = of!(F64 to F32);
    "fcvt.d.s" FcvtDS [exact fcvt_d_s] = of!(F32 to F64);
    "fcvt.s.h" FcvtSH [exact fcvt_s_h] = of!(F16 to F32);
    "fcvt.h.s" FcvtHS [host fcvt_h_s] = of!(F32 to F16);
    "fcvt.d.h" FcvtDH [exact fcvt_d_h] = of!(F16 to F64);
    "fcvt.h.d" FcvtHD = of!(F64 to F16);

    "fcvt.w.s" FcvtWS [host fcvt_w_s rtz fcvt_w_s_rtz] = of!(F32 to integer: to_i32);
    "fcvt.wu.s" FcvtWuS [host fcvt_wu_s rtz fcvt_wu_s_rtz] = of!(F32 to integer: to_u32);
    "fcvt.l.s" FcvtLS [host fcvt_l_s rtz fcvt_l_s_rtz] = of!(F32 to integer: to_i64);
    "fcvt.lu.s" FcvtLuS [host fcvt_lu_s rtz fcvt_lu_s_rtz] = of!(F32 to integer: to_u64);
    "fcvt.w.d" FcvtWD [host fcvt_w_d rtz fcvt_w_d_rtz] = of!(F64 to integer: to_i32);
    "fcvt.wu.d" FcvtWuD [host fcvt_wu_d rtz fcvt_wu_d_rtz] = of!(F64 to integer: to_u32);
    "fcvt.l.d" FcvtLD [host fcvt_l_d rtz fcvt_l_d_rtz] = of!(F64 to integer: to_i64);
    "fcvt.lu.d" FcvtLuD [host fcvt_lu_d rtz fcvt_lu_d_rtz] = of!(F64 to integer: to_u64);
    "fcvt.w.h" FcvtWH = of!(F16 to integer: to_i32);
    "fcvt.wu.h" FcvtWuH = of!(F16 to integer: to_u32);
    "fcvt.l.h" FcvtLH = of!(F16 to integer: to_i64);
    "fcvt.lu.h" FcvtLuH = of!(F16 to integer: to_u64);

    "fcvt.s.w" FcvtSW [host fcvt_s_w] = of!(F32 from integer: from_i32);
    "fcvt.s.wu" FcvtSWu [host fcvt_s_wu] = of!(F32 from integer: from_u32);
    "fcvt.s.l" FcvtSL [host fcvt_s_l] = of!(F32 from integer: from_i64);
    "fcvt.s.lu" FcvtSLu [host fcvt_s_lu] = of!(F32 from integer: from_u64);
    "fcvt.d.w" FcvtDW [exact fcvt_d_w] = of!(F64 from integer: from_i32);
    "fcvt.d.wu" FcvtDWu [exact fcvt_d_wu] = of!(F64 from integer: from_u32);
    "fcvt.d.l" FcvtDL [host fcvt_d_l] = of!(F64 from integer: from_i64);
    "fcvt.d.lu" FcvtDLu [host fcvt_d_lu] = of!(F64 from integer: from_u64);
    "fcvt.h.w" FcvtHW = of!(F16 from integer: from_i32);
    "fcvt.h.wu" FcvtHWu = of!(F16 from integer: from_u32);
    "fcvt.h.l" FcvtHL = of!(F16 from integer: from_i64);
    "fcvt.h.lu" FcvtHLu = of!(F16 from integer: from_u64);
}
