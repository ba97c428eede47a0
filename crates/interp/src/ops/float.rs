//! Floating-point computation; its meaning is [`rvrun_hart::float`]'s.
//!
//! An instruction that rounds has three handlers: on the host's unit with the
//! mode that MXCSR has, on the host's unit with a static mode, and in integers
//! for the modes that the host lacks. [`choose`] picks one when a block is
//! pre-decoded. The immediate of these ops holds the rounding mode field and,
//! from bit 8 on, the third source register.

use super::HANDLERS;
use crate::context::{Context, Exit};
use crate::slot::{Handler, Next, Slot};
use rvrun_hart::Hart;
use rvrun_hart::float::op::{self, Op1, Op2, Op3};
use rvrun_hart::float::{Flags, RoundingMode, plain};
use rvrun_isa::{Instruction, Opcode, RM_DYNAMIC};

/// The rounding mode of an op's static field; pre-decoding has checked it.
fn static_mode(imm: i32) -> RoundingMode {
    RoundingMode::from_bits((imm & 7) as u8).unwrap_or(RoundingMode::NearestEven)
}

/// The rounding mode to compute with in integers; none if `frm` holds a reserved one.
fn soft_mode(imm: i32, hart: &Hart) -> Option<RoundingMode> {
    let field = (imm & 7) as u8;
    RoundingMode::from_bits(if field == RM_DYNAMIC { hart.frm } else { field })
}

/// The third source register of a fused multiply-add.
pub fn third_source(imm: i32) -> u8 {
    (imm >> 8 & 31) as u8
}

/// Handlers of one shape, generic over the operation: `$operand` are expressions
/// for the operands, `$place` one for the place of the result. What needs a stack
/// frame is computed apart: see `handlers_apart!`.
macro_rules! shape {
    ($trait:ident: $dynamic:ident $apart:ident $static:ident $soft:ident
     |$op:ident, $hart:ident| ($($name:ident = $operand:expr),+) => $place:expr) => {
        unsafe extern "sysv64" fn $dynamic<O: $trait>(slot: *const Slot, $hart: &mut Hart, context: &mut Context) -> Next {
            let $op = op!(slot);
            let result = O::host($($operand),+);
            *$place = result;
            next!(slot, 1, $hart, context)
        }

        unsafe extern "sysv64" fn $apart<O: $trait>(slot: *const Slot, $hart: &mut Hart, context: &mut Context) -> Next {
            #[inline(never)]
            fn compute<O: $trait>($($name: u64),+) -> u64 {
                O::host($($name),+)
            }
            let $op = op!(slot);
            let result = compute::<O>($($operand),+);
            *$place = result;
            next!(slot, 1, $hart, context)
        }

        unsafe extern "sysv64" fn $static<O: $trait>(slot: *const Slot, $hart: &mut Hart, context: &mut Context) -> Next {
            #[inline(never)]
            fn compute<O: $trait>($($name: u64),+, imm: i32) -> u64 {
                O::host_static($($name),+, static_mode(imm))
            }
            let $op = op!(slot);
            let result = compute::<O>($($operand),+, $op.imm);
            *$place = result;
            next!(slot, 1, $hart, context)
        }

        unsafe extern "sysv64" fn $soft<O: $trait>(slot: *const Slot, $hart: &mut Hart, context: &mut Context) -> Next {
            #[inline(never)]
            fn compute<O: $trait>($($name: u64),+, imm: i32, hart: &mut Hart) -> Option<u64> {
                let mode = soft_mode(imm, hart)?;
                let mut flags = Flags::new();
                let result = O::soft($($name),+, mode, &mut flags);
                hart.fflags |= flags.bits();
                Some(result)
            }
            let $op = op!(slot);
            let Some(result) = compute::<O>($($operand),+, $op.imm, $hart) else {
                return context.stop(Exit::Illegal(slot));
            };
            *$place = result;
            next!(slot, 1, $hart, context)
        }
    };
}

shape! { Op1: dynamic_ff apart_ff static_ff soft_ff
|op, hart| (a = f!(hart, op.rs1)) => f_mut!(hart, op.rd) }
shape! { Op1: dynamic_xf apart_xf static_xf soft_xf
|op, hart| (a = f!(hart, op.rs1)) => x_mut!(hart, op.rd) }
shape! { Op1: dynamic_fx apart_fx static_fx soft_fx
|op, hart| (a = x!(hart, op.rs1)) => f_mut!(hart, op.rd) }
shape! { Op2: dynamic_fff apart_fff static_fff soft_fff
|op, hart| (a = f!(hart, op.rs1), b = f!(hart, op.rs2)) => f_mut!(hart, op.rd) }
shape! { Op3: dynamic_ffff apart_ffff static_ffff soft_ffff
|op, hart| (a = f!(hart, op.rs1), b = f!(hart, op.rs2), c = f!(hart, third_source(op.imm)))
    => f_mut!(hart, op.rd) }

/// The rows that round, by shape: their handlers by name, and [`rounding_handlers`].
macro_rules! rounding {
    ($($dynamic:ident $static:ident $soft:ident: $($name:ident $op:ident),+;)+) => {
        $($(
            #[doc = concat!("`", stringify!($name), "` with the rounding mode that MXCSR has")]
            ///
            /// # Safety
            /// See [`Handler`].
            pub unsafe extern "sysv64" fn $name(slot: *const Slot, hart: &mut Hart, context: &mut Context) -> Next {
                // SAFETY: the contract is the same.
                unsafe { $dynamic::<op::$op>(slot, hart, context) }
            }
        )+)+

        /// The handlers of an instruction that rounds: dynamic mode, static mode, in integers.
        fn rounding_handlers(opcode: Opcode) -> Option<[Handler; 3]> {
            Some(match opcode {
                $($(Opcode::$op => [$dynamic::<op::$op>, $static::<op::$op>, $soft::<op::$op>],)+)+
                _ => return None,
            })
        }
    };
}

rounding! {
    dynamic_fff static_fff soft_fff:
        fadd_s FaddS, fsub_s FsubS, fmul_s FmulS, fdiv_s FdivS,
        fadd_d FaddD, fsub_d FsubD, fmul_d FmulD, fdiv_d FdivD;
    apart_fff static_fff soft_fff:
        fadd_h FaddH, fsub_h FsubH, fmul_h FmulH, fdiv_h FdivH;
    dynamic_ffff static_ffff soft_ffff:
        fmadd_s FmaddS, fmsub_s FmsubS, fnmsub_s FnmsubS, fnmadd_s FnmaddS,
        fmadd_d FmaddD, fmsub_d FmsubD, fnmsub_d FnmsubD, fnmadd_d FnmaddD;
    apart_ffff static_ffff soft_ffff:
        fmadd_h FmaddH, fmsub_h FmsubH, fnmsub_h FnmsubH, fnmadd_h FnmaddH;
    dynamic_ff static_ff soft_ff:
        fsqrt_s FsqrtS, fsqrt_d FsqrtD, fcvt_s_d FcvtSD, fcvt_d_s FcvtDS;
    apart_ff static_ff soft_ff:
        fsqrt_h FsqrtH,
        fround_s FroundS, fround_d FroundD, fround_h FroundH,
        froundnx_s FroundnxS, froundnx_d FroundnxD, froundnx_h FroundnxH,
        fcvt_s_h FcvtSH, fcvt_h_s FcvtHS, fcvt_d_h FcvtDH, fcvt_h_d FcvtHD;
    dynamic_xf static_xf soft_xf:
        fcvt_w_s FcvtWS, fcvt_wu_s FcvtWuS, fcvt_l_s FcvtLS, fcvt_lu_s FcvtLuS,
        fcvt_w_d FcvtWD, fcvt_wu_d FcvtWuD, fcvt_l_d FcvtLD, fcvt_lu_d FcvtLuD;
    apart_xf static_xf soft_xf:
        fcvt_w_h FcvtWH, fcvt_wu_h FcvtWuH, fcvt_l_h FcvtLH, fcvt_lu_h FcvtLuH;
    dynamic_fx static_fx soft_fx:
        fcvt_s_w FcvtSW, fcvt_s_wu FcvtSWu, fcvt_s_l FcvtSL, fcvt_s_lu FcvtSLu,
        fcvt_d_w FcvtDW, fcvt_d_wu FcvtDWu, fcvt_d_l FcvtDL, fcvt_d_lu FcvtDLu;
    apart_fx static_fx soft_fx:
        fcvt_h_w FcvtHW, fcvt_h_wu FcvtHWu, fcvt_h_l FcvtHL, fcvt_h_lu FcvtHLu;
}

/// The handler of an instruction that rounds on the host's unit: as MXCSR says, or in a
/// `fixed` mode.
pub fn on_host(opcode: Opcode, fixed: bool) -> Option<Handler> {
    rounding_handlers(opcode).map(|[dynamic, static_, _]| if fixed { static_ } else { dynamic })
}

/// The handler of a floating-point instruction and the immediate that it wants.
///
/// `soft_float` says that the dynamic mode is not one of the host's.
pub fn choose(instruction: &Instruction, soft_float: bool) -> (Handler, i32) {
    let Some([dynamic, fixed, soft]) = rounding_handlers(instruction.opcode) else {
        return (HANDLERS[instruction.opcode as usize], instruction.imm);
    };
    let on_host = match RoundingMode::from_bits(instruction.rm) {
        Some(mode) => mode.on_host(),
        None => !soft_float,
    };
    let handler = match (on_host, instruction.rm == RM_DYNAMIC) {
        (false, _) => soft,
        (true, true) => dynamic,
        (true, false) => fixed,
    };
    (handler, i32::from(instruction.rm) | i32::from(instruction.rs3) << 8)
}

/// Handlers of instructions that do not round.
macro_rules! plain {
    ($(|$op:ident, $hart:ident| ($($operand:expr),+) => $place:expr, $($name:ident)+;)+) => {
        $(plain!(@each [$($name)+] { |$op, $hart| ($($operand),+) => $place });)+
    };
    (@each [$($name:ident)+] $shape:tt) => {
        $(plain!(@one $name $shape);)+
    };
    (@one $name:ident { |$op:ident, $hart:ident| ($($operand:expr),+) => $place:expr }) => {
        handlers! {
            #[doc = concat!("`", stringify!($name), "`")]
            $name |slot, $op, $hart, context| {
                let result = plain::$name($($operand),+);
                *$place = result;
            }
        }
    };
}

plain! {
    |op, hart| (f!(hart, op.rs1), f!(hart, op.rs2)) => f_mut!(hart, op.rd),
        fsgnj_s fsgnjn_s fsgnjx_s fsgnj_d fsgnjn_d fsgnjx_d fsgnj_h fsgnjn_h fsgnjx_h
        fmin_s fmax_s fmin_d fmax_d fmin_h fmax_h
        fminm_s fmaxm_s fminm_d fmaxm_d fminm_h fmaxm_h;
    |op, hart| (f!(hart, op.rs1), f!(hart, op.rs2)) => x_mut!(hart, op.rd),
        feq_s flt_s fle_s feq_d flt_d fle_d feq_h flt_h fle_h
        fleq_s fltq_s fleq_d fltq_d fleq_h fltq_h;
    |op, hart| (f!(hart, op.rs1)) => x_mut!(hart, op.rd),
        fclass_s fclass_d fclass_h fmv_x_w fmv_x_d fmv_x_h fcvtmod_w_d;
    |op, hart| (x!(hart, op.rs1)) => f_mut!(hart, op.rd),
        fmv_w_x fmv_d_x fmv_h_x;
    |op, hart| (op.imm as u8) => f_mut!(hart, op.rd),
        fli_s fli_d fli_h;
}
