//! What translated code calls.
//!
//! A helper takes its operands from the state and leaves its result there; the
//! call goes through code that saves all registers, so that values may stay in
//! registers across a call that is nearly never made.

use crate::state::{Leave, State};
use op::Op3;
use rvrun_hart::float::{op, plain};

/// Names a helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Helper {
    Step,
    FmaddS,
    FmsubS,
    FnmsubS,
    FnmaddS,
    FmaddD,
    FmsubD,
    FnmsubD,
    FnmaddD,
    FltS,
    FleS,
    FltD,
    FleD,
    FminS,
    FmaxS,
    FminD,
    FmaxD,
}

/// A function that works on a state.
pub(crate) type Function = unsafe extern "C" fn(*mut State);

/// The code for a call, then the helpers in the order of [`Helper`].
pub(crate) fn table() -> Box<[usize]> {
    let functions: [Function; 17] = [
        step,
        fused::<op::FmaddS>,
        fused::<op::FmsubS>,
        fused::<op::FnmsubS>,
        fused::<op::FnmaddS>,
        fused::<op::FmaddD>,
        fused::<op::FmsubD>,
        fused::<op::FnmsubD>,
        fused::<op::FnmaddD>,
        flt_s,
        fle_s,
        flt_d,
        fle_d,
        fmin_s,
        fmax_s,
        fmin_d,
        fmax_d,
    ];
    let call = rvrun_host::code::preserving_call();
    std::iter::once(call).chain(functions.iter().map(|f| *f as usize)).collect()
}

/// Has the interpreter execute the instruction at the hart's pc.
unsafe extern "C" fn step(state: *mut State) {
    // SAFETY: translated code passes the state that it works on, and does not look
    // at it until the call returns.
    let state = unsafe { &mut *state };
    state.stepped += 1;
    let leave = (state.step)(&mut state.hart);
    state.unread = u64::from(leave);
    state.leave = Leave::Stepped as u32;
}

unsafe extern "C" fn fused<O: Op3>(state: *mut State) {
    // SAFETY: as in `step`.
    let state = unsafe { &mut *state };
    let [a, b, c] = state.operands;
    state.unread = O::host(a, b, c);
}

macro_rules! plain_helpers {
    ($($name:ident)+) => {$(
        unsafe extern "C" fn $name(state: *mut State) {
            // SAFETY: as in `step`.
            let state = unsafe { &mut *state };
            let [a, b, _] = state.operands;
            state.unread = plain::$name(a, b);
        }
    )+};
}

plain_helpers! { flt_s fle_s flt_d fle_d fmin_s fmax_s fmin_d fmax_d }
