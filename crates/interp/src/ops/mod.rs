//! The handlers: one for each instruction that engines execute, by area.
//!
//! [`HANDLERS`] is expanded from the instruction table, so a row without a
//! handler does not compile.
//!
//! Register numbers in an [`Op`](crate::slot::Op) are below 33 by construction
//! ([`crate::predecode`] takes them from five-bit fields or puts the sink), which
//! is what lets handlers index the register file unchecked.

use crate::slot::Handler;
use rvrun_isa::{Opcode, for_each_instruction};

/// Goes on with the op at `$next`: in tail position where that is threaded code.
macro_rules! go {
    ($next:expr, $hart:ident, $context:ident) => {{
        let next: *const $crate::slot::Slot = $next;
        #[cfg(threaded)]
        // SAFETY: `next` is an op of a live block, by the contract of whoever linked or laid it out.
        return unsafe { ((*next).op.handler)(next, $hart, $context) };
        #[cfg(not(threaded))]
        return next;
    }};
}

/// Goes on with the op `$slots` further.
macro_rules! next {
    ($slot:ident, $slots:literal, $hart:ident, $context:ident) => {
        // SAFETY: every op but a terminator is followed by another op of its block.
        go!(unsafe { $slot.add($slots) }, $hart, $context)
    };
}

/// The op at `$slot`.
macro_rules! op {
    ($slot:ident) => {
        // SAFETY: a handler is called with a slot that holds its op.
        unsafe { (*$slot).op }
    };
}

/// Reads integer register `$register`.
macro_rules! x {
    ($hart:ident, $register:expr) => {
        // SAFETY: register numbers in ops are below 33.
        unsafe { *$hart.x.get_unchecked(usize::from($register)) }
    };
}

/// The place of integer register `$register`.
macro_rules! x_mut {
    ($hart:ident, $register:expr) => {
        // SAFETY: register numbers in ops are below 33.
        unsafe { $hart.x.get_unchecked_mut(usize::from($register)) }
    };
}

/// Reads floating-point register `$register`.
macro_rules! f {
    ($hart:ident, $register:expr) => {
        // SAFETY: floating-point register numbers in ops come from five-bit fields.
        unsafe { *$hart.f.get_unchecked(usize::from($register)) }
    };
}

/// The place of floating-point register `$register`.
macro_rules! f_mut {
    ($hart:ident, $register:expr) => {
        // SAFETY: floating-point register numbers in ops come from five-bit fields.
        unsafe { $hart.f.get_unchecked_mut(usize::from($register)) }
    };
}

/// Defines handlers. In each body `op` is the op, and falling off its end goes
/// on with the next op; `return` may stop the interpreter.
macro_rules! handlers {
    ($(#[doc = $doc:expr] $name:ident |$slot:ident, $op:ident, $hart:ident, $context:ident| $body:block)*) => {
        $(
            #[doc = $doc]
            ///
            /// # Safety
            /// See [`Handler`](crate::slot::Handler).
            pub unsafe extern "sysv64" fn $name(
                $slot: *const $crate::slot::Slot,
                $hart: &mut rvrun_hart::Hart,
                $context: &mut $crate::context::Context,
            ) -> $crate::slot::Next {
                let $op = op!($slot);
                $body
                next!($slot, 1, $hart, $context)
            }
        )*
    };
}

/// Defines handlers whose body needs a stack frame: a local that is referred to
/// would keep LLVM from leaving the handler by a jump, so the body is a function
/// of its own. It gives null to stop, anything else to go on.
macro_rules! handlers_apart {
    ($(#[doc = $doc:expr] $name:ident |$slot:ident, $op:ident, $hart:ident, $context:ident| $body:block)*) => {
        $(
            #[doc = $doc]
            ///
            /// # Safety
            /// See [`Handler`](crate::slot::Handler).
            pub unsafe extern "sysv64" fn $name(
                slot: *const $crate::slot::Slot,
                hart: &mut rvrun_hart::Hart,
                context: &mut $crate::context::Context,
            ) -> $crate::slot::Next {
                #[inline(never)]
                fn body(
                    $slot: *const $crate::slot::Slot,
                    $hart: &mut rvrun_hart::Hart,
                    $context: &mut $crate::context::Context,
                ) -> $crate::slot::Next {
                    let $op = op!($slot);
                    $body
                }
                let result = body(slot, hart, context);
                if result.is_null() {
                    return result;
                }
                next!(slot, 1, hart, context)
            }
        )*
    };
}

pub mod alu;
pub mod atomic;
pub mod control;
pub mod csr;
pub mod direct;
pub mod float;
pub mod fused;
pub mod load_store;

/// All handlers under the names of the table.
mod named {
    pub use super::alu::*;
    pub use super::atomic::*;
    pub use super::control::*;
    pub use super::csr::*;
    pub use super::float::*;
    pub use super::load_store::*;
}

macro_rules! table {
    (
        base { $($op:ident $name:ident $($ext:ident)|+ $kind:ident [$($field:ident)*] $pattern:literal;)* }
        alias { $($alias:tt)* }
    ) => {
        /// The handler of each opcode that engines execute.
        pub static HANDLERS: [Handler; Opcode::BASE_COUNT] = [$(named::$name),*];
    };
}

for_each_instruction!(table);
