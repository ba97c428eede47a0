//! Terminators: branches, jumps, calls, and what stops the interpreter.
//!
//! A terminator's op is followed by its data: the taken and the fall-through
//! [`Link`] of a branch, the one link of a direct jump (behind the return
//! address of a call, and before a link that leads to that), each with the
//! [`Way`](crate::slot::Way) of host code along it. Its immediate counts the block's
//! instructions.

use crate::context::{Context, Exit};
use crate::slot::{Link, Next, Slot};
use rvrun_hart::{Hart, Trap};

/// Goes on where the link at `$link` leads.
macro_rules! follow {
    ($link:expr, $hart:ident, $context:ident) => {{
        let link: *const Slot = $link;
        // SAFETY: the slot holds a link of this op.
        let next = unsafe { (*link).link.next };
        if next.is_null() {
            return $context.stop(Exit::Unlinked(link as *mut Link));
        }
        go!(next, $hart, $context)
    }};
}

/// The data slot `$n` behind the op.
macro_rules! data {
    ($slot:ident, $n:literal) => {
        // SAFETY: pre-decoding puts this op's data behind it.
        unsafe { $slot.add($n) }
    };
}

/// The value in the data slot `$n` behind the op.
macro_rules! value {
    ($slot:ident, $n:literal) => {
        // SAFETY: pre-decoding puts a value there.
        unsafe { (*$slot.add($n)).value }
    };
}

/// Handlers for branches, and for those whose taken target is not further on:
/// only these, calls and indirect jumps are events, since every loop contains one
/// of them (see [`crate::fuel`]).
macro_rules! branches {
    ($($name:ident $backward:ident |$a:ident, $b:ident| $condition:expr;)*) => {
        /// Whether branches are taken, by `rs1` and `rs2`.
        pub mod taken {$(
            #[doc = concat!("`", stringify!($name), "`")]
            #[inline(always)]
            pub fn $name($a: u64, $b: u64) -> bool {
                $condition
            }
        )*}
    $(
        #[doc = concat!("`", stringify!($name), "`")]
        ///
        /// # Safety
        /// See [`Handler`](crate::slot::Handler).
        pub unsafe extern "sysv64" fn $name(slot: *const Slot, hart: &mut Hart, context: &mut Context) -> Next {
            let op = op!(slot);
            let taken = taken::$name(x!(hart, op.rs1), x!(hart, op.rs2));
            hart.instret += op.imm as u64;
            if taken {
                follow!(data!(slot, 1), hart, context)
            }
            follow!(data!(slot, 3), hart, context)
        }

        #[doc = concat!("`", stringify!($name), "` backwards")]
        ///
        /// # Safety
        /// See [`Handler`](crate::slot::Handler).
        pub unsafe extern "sysv64" fn $backward(slot: *const Slot, hart: &mut Hart, context: &mut Context) -> Next {
            let op = op!(slot);
            let taken = taken::$name(x!(hart, op.rs1), x!(hart, op.rs2));
            hart.instret += op.imm as u64;
            if taken {
                follow_backward!(data!(slot, 1), hart, context)
            }
            follow!(data!(slot, 3), hart, context)
        }
    )*};
}

/// [`follow!`], unless this event is the last before a pause.
macro_rules! follow_backward {
    ($link:expr, $hart:ident, $context:ident) => {{
        let link: *const Slot = $link;
        if $context.fuel.burn() {
            // SAFETY: the slot holds a link of this op.
            return $context.pause_at($hart, unsafe { (*link).link.pc });
        }
        follow!(link, $hart, $context)
    }};
}

branches! {
    beq beq_backward |a, b| a == b;
    bne bne_backward |a, b| a != b;
    blt blt_backward |a, b| (a as i64) < b as i64;
    bge bge_backward |a, b| a as i64 >= b as i64;
    bltu bltu_backward |a, b| a < b;
    bgeu bgeu_backward |a, b| a >= b;
    beqz beqz_backward |a, _b| a == 0;
    bnez bnez_backward |a, _b| a != 0;
}

/// A direct jump, or a block that goes on in the next one.
///
/// # Safety
/// See [`Handler`](crate::slot::Handler).
pub unsafe extern "sysv64" fn jump(
    slot: *const Slot,
    hart: &mut Hart,
    context: &mut Context,
) -> Next {
    let op = op!(slot);
    hart.instret += op.imm as u64;
    follow!(data!(slot, 1), hart, context)
}

/// A direct jump backwards.
///
/// # Safety
/// See [`Handler`](crate::slot::Handler).
pub unsafe extern "sysv64" fn jump_backward(
    slot: *const Slot,
    hart: &mut Hart,
    context: &mut Context,
) -> Next {
    let op = op!(slot);
    hart.instret += op.imm as u64;
    follow_backward!(data!(slot, 1), hart, context)
}

/// `jal`: a direct call, an event in whichever direction.
///
/// # Safety
/// See [`Handler`](crate::slot::Handler).
pub unsafe extern "sysv64" fn jal(
    slot: *const Slot,
    hart: &mut Hart,
    context: &mut Context,
) -> Next {
    let op = op!(slot);
    hart.instret += op.imm as u64;
    *x_mut!(hart, op.rd) = value!(slot, 1);
    context.returns.called(value!(slot, 1));
    follow_backward!(data!(slot, 2), hart, context)
}

/// Jumps to `$target` by the jump cache, and stops with `$miss` if it is not there.
macro_rules! jump_to {
    ($target:expr, $miss:ident, $hart:ident, $context:ident) => {{
        let target: u64 = $target;
        if $context.fuel.burn() {
            return $context.pause_at($hart, target);
        }
        if let Some(next) = $context.cached(target) {
            go!(next, $hart, $context)
        }
        $hart.pc = target;
        return $context.stop(Exit::$miss);
    }};
}

/// The target of an indirect jump through `rs1`: the offset stands in the slot behind.
macro_rules! target {
    ($slot:ident, $op:ident, $hart:ident) => {{
        let offset = value!($slot, 1);
        x!($hart, $op.rs1).wrapping_add(offset) & !1
    }};
}

/// `jalr` without a link that is no return.
///
/// # Safety
/// See [`Handler`](crate::slot::Handler).
pub unsafe extern "sysv64" fn indirect_jump(
    slot: *const Slot,
    hart: &mut Hart,
    context: &mut Context,
) -> Next {
    let op = op!(slot);
    hart.instret += op.imm as u64;
    jump_to!(target!(slot, op, hart), IndirectJump, hart, context)
}

/// `jalr` that returns. A handler of its own, so that the targets of the other
/// jumps are known.
///
/// # Safety
/// See [`Handler`](crate::slot::Handler).
pub unsafe extern "sysv64" fn return_jump(
    slot: *const Slot,
    hart: &mut Hart,
    context: &mut Context,
) -> Next {
    let op = op!(slot);
    hart.instret += op.imm as u64;
    let target = target!(slot, op, hart);
    context.returns.returned(target);
    jump_to!(target, Indirect, hart, context)
}

/// Handlers for `jalr` that sets a register, and what they do beside with the address in it.
macro_rules! linking_jumps {
    ($(#[doc = $doc:literal] $name:ident |$context:ident, $pc:ident| $beside:expr;)*) => {$(
        #[doc = $doc]
        ///
        /// # Safety
        /// See [`Handler`](crate::slot::Handler).
        pub unsafe extern "sysv64" fn $name(slot: *const Slot, hart: &mut Hart, $context: &mut Context) -> Next {
            let op = op!(slot);
            hart.instret += op.imm as u64;
            let target = target!(slot, op, hart);
            let $pc = value!(slot, 2);
            *x_mut!(hart, op.rd) = $pc;
            $beside;
            jump_to!(target, Indirect, hart, $context)
        }
    )*};
}

linking_jumps! {
    /// A call.
    jalr |context, pc| context.returns.called(pc);
    /// The register is none that calls use for where to return to, as in procedure linkage tables.
    linking_jump |context, pc| _ = pc;
}

/// Handlers that stop at the address in the slot behind, with the instruction done.
macro_rules! stops {
    ($($name:ident $exit:ident;)*) => {$(
        #[doc = concat!("`", stringify!($name), "`")]
        ///
        /// # Safety
        /// See [`Handler`](crate::slot::Handler).
        pub unsafe extern "sysv64" fn $name(slot: *const Slot, hart: &mut Hart, context: &mut Context) -> Next {
            let op = op!(slot);
            hart.instret += op.imm as u64;
            hart.pc = value!(slot, 1);
            context.stop(Exit::$exit)
        }
    )*};
}

stops! {
    ecall Syscall;
    fence_i FenceI;
}

/// `ebreak`
///
/// # Safety
/// See [`Handler`](crate::slot::Handler).
pub unsafe extern "sysv64" fn ebreak(
    slot: *const Slot,
    _hart: &mut Hart,
    context: &mut Context,
) -> Next {
    context.trap(slot, Trap::Breakpoint)
}

/// An instruction that cannot be executed, whatever the reason.
///
/// # Safety
/// See [`Handler`](crate::slot::Handler).
pub unsafe extern "sysv64" fn illegal(
    slot: *const Slot,
    _hart: &mut Hart,
    context: &mut Context,
) -> Next {
    context.stop(Exit::Illegal(slot))
}

/// An instruction that cannot be fetched.
///
/// # Safety
/// See [`Handler`](crate::slot::Handler).
pub unsafe extern "sysv64" fn fetch_fault(
    slot: *const Slot,
    _hart: &mut Hart,
    context: &mut Context,
) -> Next {
    context.stop(Exit::FetchFault(slot))
}

/// Not an instruction: a gate, whose address is in the slot behind. The other engine executes
/// what is there, or else the interpreter stops.
///
/// # Safety
/// See [`Handler`](crate::slot::Handler).
pub unsafe extern "sysv64" fn gate(
    slot: *const Slot,
    hart: &mut Hart,
    context: &mut Context,
) -> Next {
    let next = pass(value!(slot, 1), hart, context);
    if next.is_null() {
        return next;
    }
    go!(next, hart, context)
}

/// One gate in so many stops although there is a way into the other engine.
const PASSAGES: u64 = 64;

/// Has the other engine execute what is at `pc`; gives the block to go on with, or null to stop.
#[inline(never)]
fn pass(pc: u64, hart: &mut Hart, context: &mut Context) -> Next {
    hart.pc = pc;
    let Some((enter, engine)) = context.passage.filter(|_| !context.soft_float) else {
        return context.stop(Exit::Gate);
    };
    context.passages = context.passages.wrapping_add(1);
    if context.passages.is_multiple_of(PASSAGES) {
        return context.stop(Exit::Gate);
    }
    // SAFETY: `Interpreter::resume_through` has the passage as long as handlers run.
    let next = unsafe { enter(engine, &raw mut *hart) };
    if next & 1 != 0 {
        return context.stop(Exit::Passed);
    }
    if next == pc {
        return context.stop(Exit::Gate);
    }
    context.returns.returned(next);
    if context.fuel.burn() {
        return context.pause_at(hart, next);
    }
    context.cached_or_wanted(next)
}

/// Not an instruction: host code has come to a link that leads nowhere yet, which is in the slot.
///
/// # Safety
/// See [`Handler`](crate::slot::Handler).
pub unsafe extern "sysv64" fn unlinked(
    slot: *const Slot,
    _hart: &mut Hart,
    context: &mut Context,
) -> Next {
    context.stop(Exit::Unlinked(slot as *mut Link))
}

/// Not an instruction: goes on at the hart's pc, to which host code has returned.
///
/// # Safety
/// See [`Handler`](crate::slot::Handler).
pub unsafe extern "sysv64" fn arrived(
    _: *const Slot,
    hart: &mut Hart,
    context: &mut Context,
) -> Next {
    let next = context.cached_or_wanted(hart.pc);
    if next.is_null() {
        return next;
    }
    go!(next, hart, context)
}
