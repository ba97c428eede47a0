//! What translated code calls.
//!
//! A helper takes its operands from the state and leaves its result there; the
//! call goes through code that saves all registers, so that values may stay in
//! registers across a call that is rarely made.

use crate::state::{Leave, State, Stepped};
use rvrun_hart::float::op::{self, Op1, Op2, Op3};
use rvrun_hart::float::{Flags, RoundingMode, host, plain};
use rvrun_hart::{SINK, carry_less_product};
use rvrun_host::time;
use rvrun_isa::{Opcode, ROWS, csr};
use std::mem::offset_of;

/// Names a helper: its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Helper(u32);

/// A function that works on a state.
pub(crate) type Function = unsafe extern "C" fn(*mut State);

/// What computes an instruction, in the dynamic rounding mode and in that of the
/// fourth operand.
type Pair = (Function, Function);

impl Helper {
    /// Has the interpreter execute the instruction at the hart's pc.
    pub const STEP: Self = Self(1);
    /// Accesses `fflags`, or reads `frm`, by the hart's own registers.
    pub const FLAGS: Self = Self(2);
    /// Code for a call of [`FLAGS`](Self::FLAGS) that accesses `fflags`.
    pub const FLAGS_CALL: Self = Self(3);
    /// Reads the clock of the first operand.
    pub const CLOCK: Self = Self(Self::NAMED + 2 * ROWS.len() as u32);
    /// Code for a call that changes no register.
    pub const CALL: Self = Self(0);
    /// Helpers that stand before those of opcodes.
    const NAMED: u32 = 4;

    /// Computes an instruction in the dynamic rounding mode, if it rounds.
    pub const fn of(opcode: Opcode) -> Self {
        Self(Self::NAMED + 2 * opcode as u32)
    }

    /// Computes an instruction in the rounding mode of the fourth operand.
    pub const fn fixed(opcode: Opcode) -> Self {
        Self(Self::NAMED + 2 * opcode as u32 + 1)
    }

    /// Where the table has its address.
    pub const fn offset(self) -> i32 {
        8 * self.0 as i32
    }
}

/// Whether there is a helper that computes this instruction.
pub(crate) fn computes(opcode: Opcode) -> bool {
    functions(opcode).is_some()
}

/// What [`Helper`] names, in order.
pub(crate) fn table() -> Box<[usize]> {
    let call = rvrun_host::code::preserving_call();
    let [step, flags] = [step as Function, flags].map(|f| f as usize);
    let named = [call, step, flags, call_flags as *const () as usize];
    let computing = Opcode::all().flat_map(|opcode| {
        let (dynamic, fixed) = functions(opcode).unwrap_or((missing, missing));
        [dynamic, fixed]
    });
    let functions = computing.chain([clock as Function]).map(|f| f as usize);
    named.into_iter().chain(functions).collect()
}

unsafe extern "C" fn missing(_state: *mut State) {
    unreachable!("lowering calls only helpers that there are");
}

unsafe extern "C" fn step(state: *mut State) {
    // SAFETY: translated code passes the state that it works on, and does not look
    // at it until the call returns.
    let state = unsafe { &mut *state };
    let stepped = (state.step)(&mut state.hart);
    state.stepped += u64::from(stepped != Stepped::Not);
    state.unread = u64::from(stepped != Stepped::On);
    state.leave = match stepped {
        Stepped::Not => Leave::Interpret,
        Stepped::On | Stepped::Leave => Leave::Stepped,
    } as u32;
}

/// The operands: `rd`; whether `fflags` is read rather than `frm`; bits that stay,
/// bits that are flipped then.
unsafe extern "C" fn flags(state: *mut State) {
    // SAFETY: as in `step`.
    let state = unsafe { &mut *state };
    let [rd, number, keep, flip] = state.operands;
    let hart = &mut state.hart;
    state.stepped += 1;
    hart.instret += 1;
    hart.fflags |= host::flags();
    let old = u64::from(if number == u64::from(csr::FRM) { hart.frm } else { hart.fflags });
    let new = ((u64::from(hart.fflags) & keep ^ flip) & 31) as u8;
    // Mostly a comparison has raised nothing: the host takes long to load MXCSR.
    if new != hart.fflags {
        hart.fflags = new;
        host::set(hart.frm);
    }
    hart.x[if rd == 0 { usize::from(SINK) } else { rd as usize & 31 }] = old;
}

// Does what `flags` does where `fflags` is read, or written and stays as it is: around a
// comparison that is to be quiet, so that it is worth not to save all registers. Like the code for
// a call it has the state and a function as arguments, and changes no register.
std::arch::global_asm!(
    ".pushsection .text.rvrun_call_flags, \"ax\", @progbits",
    ".globl rvrun_call_flags",
    "rvrun_call_flags:",
    "push rax",
    "push rcx",
    "stmxcsr [rsp - 8]",
    "mov eax, [rsp - 8]",
    "and eax, 0x3f",
    "movzx eax, byte ptr [rdi + rax + {fflags_of}]",
    "or al, [rdi + {fflags}]",
    "mov ecx, [rdi + {operands} + 16]",
    "and ecx, eax",
    "xor ecx, [rdi + {operands} + 24]",
    "xor ecx, eax",
    "test cl, 31",
    "jnz 2f",
    "mov ecx, [rdi + {operands}]",
    "test ecx, ecx",
    "jz 1f",
    "mov [rdi + 8 * rcx + {x}], rax",
    "1:",
    "inc qword ptr [rdi + {instret}]",
    "inc qword ptr [rdi + {stepped}]",
    "pop rcx",
    "pop rax",
    "ret",
    "2:",
    "pop rcx",
    "mov rax, [rdi + {helpers}]",
    "mov rax, [rax + {call}]",
    "xchg rax, [rsp]",
    "ret",
    ".popsection",
    fflags_of = const offset_of!(State, fflags_of),
    fflags = const offset_of!(State, hart.fflags),
    operands = const offset_of!(State, operands),
    x = const offset_of!(State, hart.x),
    instret = const offset_of!(State, hart.instret),
    stepped = const offset_of!(State, stepped),
    helpers = const offset_of!(State, helpers),
    call = const Helper::CALL.offset(),
);

unsafe extern "C" {
    #[link_name = "rvrun_call_flags"]
    fn call_flags();
}

unsafe extern "C" fn clock(state: *mut State) {
    // SAFETY: as in `step`.
    unsafe { with_operands(state, |[number, ..]| time::clock_ns(number as i32).unwrap_or(0)) }
}

/// Puts what `compute` makes of the operands where results are.
unsafe fn with_operands(state: *mut State, compute: impl FnOnce([u64; 4]) -> u64) {
    // SAFETY: as in `step`.
    let state = unsafe { &mut *state };
    state.unread = compute(state.operands);
}

/// Computes in a static rounding mode, on the host's unit if it can.
fn in_mode(
    mode: u64,
    host: impl FnOnce(RoundingMode) -> u64,
    soft: impl FnOnce(RoundingMode, &mut Flags) -> u64,
) -> u64 {
    let mode = RoundingMode::from_bits(mode as u8).unwrap_or(RoundingMode::NearestEven);
    if mode.on_host() {
        return host(mode);
    }
    let mut raised = Flags::new();
    let result = soft(mode, &mut raised);
    host::raise(raised);
    result
}

macro_rules! rounding {
    ($trait:ident: $dynamic:ident $fixed:ident $($operand:ident)+, $mode:ident of $($all:tt)+) => {
        unsafe extern "C" fn $dynamic<O: $trait>(state: *mut State) {
            // SAFETY: as in `step`.
            unsafe { with_operands(state, |[$($operand,)+ ..]| O::host($($operand),+)) }
        }

        unsafe extern "C" fn $fixed<O: $trait>(state: *mut State) {
            let compute = |$($all)+: [u64; 4]| {
                in_mode(
                    $mode,
                    |mode| O::host_static($($operand),+, mode),
                    |mode, flags| O::soft($($operand),+, mode, flags),
                )
            };
            // SAFETY: as in `step`.
            unsafe { with_operands(state, compute) }
        }
    };
}

rounding!(Op1: dynamic_1 fixed_1 a, mode of [a, _, _, mode]);
rounding!(Op2: dynamic_2 fixed_2 a b, mode of [a, b, _, mode]);
rounding!(Op3: dynamic_3 fixed_3 a b c, mode of [a, b, c, mode]);

/// The function that computes by `$function` of `$operand`s.
macro_rules! plain {
    ($function:expr, $($operand:ident)+) => {{
        unsafe extern "C" fn compute(state: *mut State) {
            // SAFETY: as in `step`.
            unsafe { with_operands(state, |[$($operand,)+ ..]| $function($($operand),+)) }
        }
        (compute, compute)
    }};
}

macro_rules! table_of_functions {
    (
        rounding { $($dynamic:ident $fixed:ident: $($rounding:ident)+;)+ }
        unary { $($unary:ident $unary_function:expr;)+ }
        binary { $($binary:ident $binary_function:expr;)+ }
    ) => {
        fn functions(opcode: Opcode) -> Option<Pair> {
            Some(match opcode {
                $($(Opcode::$rounding => ($dynamic::<op::$rounding>, $fixed::<op::$rounding>),)+)+
                $(Opcode::$unary => plain!($unary_function, a),)+
                $(Opcode::$binary => plain!($binary_function, a b),)+
                _ => return None,
            })
        }
    };
}

table_of_functions! {
    rounding {
        dynamic_1 fixed_1:
            FsqrtS FsqrtD FsqrtH FroundS FroundD FroundH FroundnxS FroundnxD FroundnxH
            FcvtSD FcvtDS FcvtSH FcvtHS FcvtDH FcvtHD
            FcvtWS FcvtWuS FcvtLS FcvtLuS FcvtWD FcvtWuD FcvtLD FcvtLuD
            FcvtWH FcvtWuH FcvtLH FcvtLuH
            FcvtSW FcvtSWu FcvtSL FcvtSLu FcvtDW FcvtDWu FcvtDL FcvtDLu
            FcvtHW FcvtHWu FcvtHL FcvtHLu;
        dynamic_2 fixed_2:
            FaddS FsubS FmulS FdivS FaddD FsubD FmulD FdivD FaddH FsubH FmulH FdivH;
        dynamic_3 fixed_3:
            FmaddS FmsubS FnmsubS FnmaddS FmaddD FmsubD FnmsubD FnmaddD
            FmaddH FmsubH FnmsubH FnmaddH;
    }
    unary {
        FclassS plain::fclass_s; FclassD plain::fclass_d; FclassH plain::fclass_h;
        FcvtmodWD plain::fcvtmod_w_d;
    }
    binary {
        FltS plain::flt_s; FleS plain::fle_s; FltD plain::flt_d; FleD plain::fle_d;
        FminS plain::fmin_s; FmaxS plain::fmax_s; FminD plain::fmin_d; FmaxD plain::fmax_d;
        FsgnjH plain::fsgnj_h; FsgnjnH plain::fsgnjn_h; FsgnjxH plain::fsgnjx_h;
        FminH plain::fmin_h; FmaxH plain::fmax_h;
        FeqH plain::feq_h; FltH plain::flt_h; FleH plain::fle_h;
        FminmS plain::fminm_s; FmaxmS plain::fmaxm_s; FminmD plain::fminm_d;
        FmaxmD plain::fmaxm_d; FminmH plain::fminm_h; FmaxmH plain::fmaxm_h;
        FleqS plain::fleq_s; FltqS plain::fltq_s; FleqD plain::fleq_d; FltqD plain::fltq_d;
        FleqH plain::fleq_h; FltqH plain::fltq_h;
        Clmul |a, b| carry_less_product(a, b) as u64;
        Clmulr |a, b| (carry_less_product(a, b) >> 63) as u64;
        Clmulh |a, b| (carry_less_product(a, b) >> 64) as u64;
    }
}
