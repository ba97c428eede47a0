//! Every instruction that computes, callable in each of its meanings.

use rvrun_hart::float::op::*;
use rvrun_hart::float::{F16, F32, F64, Flags, Format, RoundingMode, plain, soft};

/// Takes three registers, of which the last may be unused, a mode, and flags.
type Soft = fn(u64, u64, u64, RoundingMode, &mut Flags) -> u64;

pub struct Operation {
    /// The mnemonic.
    pub name: &'static str,
    /// The operands: half, single, double or x for an integer register.
    pub kinds: &'static str,
    pub host: fn(u64, u64, u64) -> u64,
    pub host_static: fn(u64, u64, u64, RoundingMode) -> u64,
    pub soft: Soft,
}

const fn op1<O: Op1 + Copy>(name: &'static str, kinds: &'static str, _: O) -> Operation {
    Operation {
        name,
        kinds,
        host: |a, _, _| O::host(a),
        host_static: |a, _, _, mode| O::host_static(a, mode),
        soft: |a, _, _, mode, flags| O::soft(a, mode, flags),
    }
}

const fn op2<O: Op2 + Copy>(name: &'static str, kinds: &'static str, _: O) -> Operation {
    Operation {
        name,
        kinds,
        host: |a, b, _| O::host(a, b),
        host_static: |a, b, _, mode| O::host_static(a, b, mode),
        soft: |a, b, _, mode, flags| O::soft(a, b, mode, flags),
    }
}

const fn op3<O: Op3 + Copy>(name: &'static str, kinds: &'static str, _: O) -> Operation {
    Operation { name, kinds, host: O::host, host_static: O::host_static, soft: O::soft }
}

macro_rules! truth {
    ($name:literal, $kinds:literal, $host:ident, $soft:ident::<$format:ident>) => {
        Operation {
            name: $name,
            kinds: $kinds,
            host: |a, b, _| plain::$host(a, b),
            host_static: |a, b, _, _| plain::$host(a, b),
            soft: |a, b, _, _, flags| {
                soft::$soft::<$format>($format::unbox(a), $format::unbox(b), flags).into()
            },
        }
    };
}

macro_rules! value {
    ($name:literal, $kinds:literal, $host:ident, $soft:ident::<$format:ident>) => {
        Operation {
            name: $name,
            kinds: $kinds,
            host: |a, b, _| plain::$host(a, b),
            host_static: |a, b, _, _| plain::$host(a, b),
            soft: |a, b, _, _, flags| {
                let (a, b) = ($format::unbox(a), $format::unbox(b));
                $format::boxed(soft::$soft::<$format>(a, b, flags))
            },
        }
    };
}

macro_rules! class {
    ($name:literal, $kinds:literal, $host:ident, $format:ident) => {
        Operation {
            name: $name,
            kinds: $kinds,
            host: |a, _, _| plain::$host(a),
            host_static: |a, _, _, _| plain::$host(a),
            soft: |a, _, _, _, _| soft::class::<$format>($format::unbox(a)),
        }
    };
}

pub static OPERATIONS: &[Operation] = &[
    op2("fadd.h", "hh", FaddH),
    op2("fsub.h", "hh", FsubH),
    op2("fmul.h", "hh", FmulH),
    op2("fdiv.h", "hh", FdivH),
    op1("fsqrt.h", "h", FsqrtH),
    op3("fmadd.h", "hhh", FmaddH),
    op3("fmsub.h", "hhh", FmsubH),
    op3("fnmsub.h", "hhh", FnmsubH),
    op3("fnmadd.h", "hhh", FnmaddH),
    op1("fround.h", "h", FroundH),
    op1("froundnx.h", "h", FroundnxH),
    op1("fcvt.w.h", "h", FcvtWH),
    op1("fcvt.wu.h", "h", FcvtWuH),
    op1("fcvt.l.h", "h", FcvtLH),
    op1("fcvt.lu.h", "h", FcvtLuH),
    op1("fcvt.h.w", "x", FcvtHW),
    op1("fcvt.h.wu", "x", FcvtHWu),
    op1("fcvt.h.l", "x", FcvtHL),
    op1("fcvt.h.lu", "x", FcvtHLu),
    truth!("feq.h", "hh", feq_h, eq::<F16>),
    truth!("flt.h", "hh", flt_h, lt::<F16>),
    truth!("fle.h", "hh", fle_h, le::<F16>),
    truth!("fltq.h", "hh", fltq_h, lt_quiet::<F16>),
    truth!("fleq.h", "hh", fleq_h, le_quiet::<F16>),
    value!("fmin.h", "hh", fmin_h, min::<F16>),
    value!("fmax.h", "hh", fmax_h, max::<F16>),
    value!("fminm.h", "hh", fminm_h, min_nan::<F16>),
    value!("fmaxm.h", "hh", fmaxm_h, max_nan::<F16>),
    class!("fclass.h", "h", fclass_h, F16),
    op2("fadd.s", "ss", FaddS),
    op2("fsub.s", "ss", FsubS),
    op2("fmul.s", "ss", FmulS),
    op2("fdiv.s", "ss", FdivS),
    op1("fsqrt.s", "s", FsqrtS),
    op3("fmadd.s", "sss", FmaddS),
    op3("fmsub.s", "sss", FmsubS),
    op3("fnmsub.s", "sss", FnmsubS),
    op3("fnmadd.s", "sss", FnmaddS),
    op1("fround.s", "s", FroundS),
    op1("froundnx.s", "s", FroundnxS),
    op1("fcvt.w.s", "s", FcvtWS),
    op1("fcvt.wu.s", "s", FcvtWuS),
    op1("fcvt.l.s", "s", FcvtLS),
    op1("fcvt.lu.s", "s", FcvtLuS),
    op1("fcvt.s.w", "x", FcvtSW),
    op1("fcvt.s.wu", "x", FcvtSWu),
    op1("fcvt.s.l", "x", FcvtSL),
    op1("fcvt.s.lu", "x", FcvtSLu),
    truth!("feq.s", "ss", feq_s, eq::<F32>),
    truth!("flt.s", "ss", flt_s, lt::<F32>),
    truth!("fle.s", "ss", fle_s, le::<F32>),
    truth!("fltq.s", "ss", fltq_s, lt_quiet::<F32>),
    truth!("fleq.s", "ss", fleq_s, le_quiet::<F32>),
    value!("fmin.s", "ss", fmin_s, min::<F32>),
    value!("fmax.s", "ss", fmax_s, max::<F32>),
    value!("fminm.s", "ss", fminm_s, min_nan::<F32>),
    value!("fmaxm.s", "ss", fmaxm_s, max_nan::<F32>),
    class!("fclass.s", "s", fclass_s, F32),
    op2("fadd.d", "dd", FaddD),
    op2("fsub.d", "dd", FsubD),
    op2("fmul.d", "dd", FmulD),
    op2("fdiv.d", "dd", FdivD),
    op1("fsqrt.d", "d", FsqrtD),
    op3("fmadd.d", "ddd", FmaddD),
    op3("fmsub.d", "ddd", FmsubD),
    op3("fnmsub.d", "ddd", FnmsubD),
    op3("fnmadd.d", "ddd", FnmaddD),
    op1("fround.d", "d", FroundD),
    op1("froundnx.d", "d", FroundnxD),
    op1("fcvt.w.d", "d", FcvtWD),
    op1("fcvt.wu.d", "d", FcvtWuD),
    op1("fcvt.l.d", "d", FcvtLD),
    op1("fcvt.lu.d", "d", FcvtLuD),
    op1("fcvt.d.w", "x", FcvtDW),
    op1("fcvt.d.wu", "x", FcvtDWu),
    op1("fcvt.d.l", "x", FcvtDL),
    op1("fcvt.d.lu", "x", FcvtDLu),
    truth!("feq.d", "dd", feq_d, eq::<F64>),
    truth!("flt.d", "dd", flt_d, lt::<F64>),
    truth!("fle.d", "dd", fle_d, le::<F64>),
    truth!("fltq.d", "dd", fltq_d, lt_quiet::<F64>),
    truth!("fleq.d", "dd", fleq_d, le_quiet::<F64>),
    value!("fmin.d", "dd", fmin_d, min::<F64>),
    value!("fmax.d", "dd", fmax_d, max::<F64>),
    value!("fminm.d", "dd", fminm_d, min_nan::<F64>),
    value!("fmaxm.d", "dd", fmaxm_d, max_nan::<F64>),
    class!("fclass.d", "d", fclass_d, F64),
    op1("fcvt.s.d", "d", FcvtSD),
    op1("fcvt.d.s", "s", FcvtDS),
    op1("fcvt.s.h", "h", FcvtSH),
    op1("fcvt.h.s", "s", FcvtHS),
    op1("fcvt.d.h", "h", FcvtDH),
    op1("fcvt.h.d", "d", FcvtHD),
    Operation {
        name: "fcvtmod.w.d",
        kinds: "d",
        host: |a, _, _| plain::fcvtmod_w_d(a),
        host_static: |a, _, _, _| plain::fcvtmod_w_d(a),
        soft: |a, _, _, _, flags| soft::to_i32_modular::<F64>(a, flags),
    },
];
