//! LR/SC, atomic memory operations, compare-and-swap, and fences.
//!
//! The host orders more strictly (TSO) than RVWMO asks, so plain accesses and
//! locked instructions satisfy every acquire and release bit; only a fence that
//! orders stores before later loads costs an instruction.

use crate::context::Context;
use crate::slot::{Next, Slot};
use rvrun_hart::{Hart, Reservation, Trap};
use rvrun_host::processor::full_fence;
use rvrun_isa::effect::is_full_fence;
use rvrun_memory::{AccessKind, access};
use std::ptr;
use std::sync::atomic::{Ordering, compiler_fence};

/// Whether an access to `addr` of `size` bytes must trap for its alignment; has
/// stopped the interpreter then.
fn misaligned(
    slot: *const Slot,
    addr: u64,
    size: u64,
    kind: AccessKind,
    context: &mut Context,
) -> bool {
    let misaligned = !addr.is_multiple_of(size);
    if misaligned {
        context.trap(slot, Trap::AmoMisaligned { addr, kind });
    }
    misaligned
}

/// Handlers for `lr` and `sc` of one width.
macro_rules! reserved {
    ($lr:ident $sc:ident $size:literal $load:ident $exchange:ident $type:ty;) => {
        handlers_apart! {
            #[doc = concat!("`", stringify!($lr), "`")]
            $lr |slot, op, hart, context| {
                let addr = x!(hart, op.rs1);
                if misaligned(slot, addr, $size, AccessKind::Load, context) {
                    return ptr::null();
                }
                let mut value = 0;
                if access::$load(addr, &mut value).is_err() {
                    return context.refused(slot, addr, AccessKind::Load);
                }
                hart.reservation = Reservation { addr, value, size: $size };
                *x_mut!(hart, op.rd) = value;
                slot
            }
            #[doc = concat!("`", stringify!($sc), "`")]
            $sc |slot, op, hart, context| {
                let addr = x!(hart, op.rs1);
                let new = x!(hart, op.rs2);
                if misaligned(slot, addr, $size, AccessKind::Store, context) {
                    return ptr::null();
                }
                let mut stored = false;
                if let Some(value) = hart.reservation.of(addr, $size) {
                    let mut old = 0;
                    if access::$exchange(addr, value, new, &mut old).is_err() {
                        return context.refused(slot, addr, AccessKind::Store);
                    }
                    stored = old as $type == value as $type;
                }
                hart.reservation = Reservation::NONE;
                *x_mut!(hart, op.rd) = (!stored).into();
                slot
            }
        }
    };
}

reserved! { lr_w sc_w 4 load_i32 compare_exchange_u32 u32; }
reserved! { lr_d sc_d 8 load_u64 compare_exchange_u64 u64; }

/// Handlers for one width: the nine operations and their accesses. The old
/// value is sign-extended from the signed type.
macro_rules! operations {
    ($signed:ty, $unsigned:ty, $swap_access:ident, $add_access:ident, $update:ident:
     $swap:ident $add:ident $xor:ident $and:ident $or:ident $min:ident $max:ident $minu:ident $maxu:ident) => {
        operations!(@one $signed, $swap, |addr, b, old| access::$swap_access(addr, b, old));
        operations!(@one $signed, $add, |addr, b, old| access::$add_access(addr, b, old));
        operations!(@one $signed, $xor, |addr, b, old| access::$update(addr, old, |a| a ^ b));
        operations!(@one $signed, $and, |addr, b, old| access::$update(addr, old, |a| a & b));
        operations!(@one $signed, $or, |addr, b, old| access::$update(addr, old, |a| a | b));
        operations!(@one $signed, $min, |addr, b, old| access::$update(addr, old, |a| (a as $signed).min(b as $signed) as u64));
        operations!(@one $signed, $max, |addr, b, old| access::$update(addr, old, |a| (a as $signed).max(b as $signed) as u64));
        operations!(@one $signed, $minu, |addr, b, old| access::$update(addr, old, |a| (a as $unsigned).min(b as $unsigned) as u64));
        operations!(@one $signed, $maxu, |addr, b, old| access::$update(addr, old, |a| (a as $unsigned).max(b as $unsigned) as u64));
    };
    (@one $signed:ty, $name:ident, |$addr:ident, $operand:ident, $old:ident| $access:expr) => {
        handlers_apart! {
            #[doc = concat!("`", stringify!($name), "`")]
            $name |slot, op, hart, context| {
                let ($addr, $operand) = (x!(hart, op.rs1), x!(hart, op.rs2));
                if misaligned(slot, $addr, size_of::<$signed>() as u64, AccessKind::Store, context) {
                    return ptr::null();
                }
                let mut value = 0;
                let $old = &mut value;
                if $access.is_err() {
                    return context.refused(slot, $addr, AccessKind::Store);
                }
                *x_mut!(hart, op.rd) = value as $signed as u64;
                slot
            }
        }
    };
}

operations! { i8, u8, swap_u8, fetch_add_u8, fetch_update_u8:
amoswap_b amoadd_b amoxor_b amoand_b amoor_b amomin_b amomax_b amominu_b amomaxu_b }
operations! { i16, u16, swap_u16, fetch_add_u16, fetch_update_u16:
amoswap_h amoadd_h amoxor_h amoand_h amoor_h amomin_h amomax_h amominu_h amomaxu_h }
operations! { i32, u32, swap_u32, fetch_add_u32, fetch_update_u32:
amoswap_w amoadd_w amoxor_w amoand_w amoor_w amomin_w amomax_w amominu_w amomaxu_w }
operations! { i64, u64, swap_u64, fetch_add_u64, fetch_update_u64:
amoswap_d amoadd_d amoxor_d amoand_d amoor_d amomin_d amomax_d amominu_d amomaxu_d }

/// Handlers for `amocas`, whose `rd` is an operand too and so never the sink.
macro_rules! compare_and_swap {
    ($($name:ident $signed:ty, $exchange:ident;)*) => {
        handlers_apart! {$(
            #[doc = concat!("`", stringify!($name), "`")]
            $name |slot, op, hart, context| {
                let addr = x!(hart, op.rs1);
                if misaligned(slot, addr, size_of::<$signed>() as u64, AccessKind::Store, context) {
                    return ptr::null();
                }
                let mut old = 0;
                if access::$exchange(addr, x!(hart, op.rd), x!(hart, op.rs2), &mut old).is_err() {
                    return context.refused(slot, addr, AccessKind::Store);
                }
                if op.rd != 0 {
                    *x_mut!(hart, op.rd) = old as $signed as u64;
                }
                slot
            }
        )*}
    };
}

compare_and_swap! {
    amocas_b i8, compare_exchange_u8;
    amocas_h i16, compare_exchange_u16;
    amocas_w i32, compare_exchange_u32;
    amocas_d i64, compare_exchange_u64;
}

/// The register pair that begins at `register`; `x0` means zero, not `x0` and `x1`.
fn pair(hart: &Hart, register: u8) -> u128 {
    if register == 0 {
        return 0;
    }
    u128::from(x!(hart, register)) | u128::from(x!(hart, register + 1)) << 64
}

handlers_apart! {
    /// `amocas.q`
    amocas_q |slot, op, hart, context| {
        let addr = x!(hart, op.rs1);
        if misaligned(slot, addr, 16, AccessKind::Store, context) {
            return ptr::null();
        }
        let (expected, new) = (pair(hart, op.rd), pair(hart, op.rs2));
        let mut old = 0;
        if access::compare_exchange_u128(addr, expected, new, &mut old).is_err() {
            return context.refused(slot, addr, AccessKind::Store);
        }
        if op.rd != 0 {
            *x_mut!(hart, op.rd) = old as u64;
            *x_mut!(hart, op.rd + 1) = (old >> 64) as u64;
        }
        slot
    }
}

handlers! {
    /// `fence`: the immediate holds the predecessor and successor sets.
    fence |slot, op, hart, context| {
        if is_full_fence(op.imm) {
            full_fence();
        } else {
            compiler_fence(Ordering::SeqCst);
        }
    }
    /// `fence.tso`: leaves out just the store-to-load order, as the host does by itself.
    fence_tso |slot, _op, hart, context| {
        compiler_fence(Ordering::SeqCst);
    }
    /// `wrs.nto`: may return for any reason, and the guest loops around it.
    wrs_nto |slot, _op, hart, context| {
        std::hint::spin_loop();
    }
    /// `wrs.sto`: as `wrs.nto`.
    wrs_sto |slot, _op, hart, context| {
        std::hint::spin_loop();
    }
}

/// `pause`: tells the host's core that the guest spins.
///
/// # Safety
/// See [`Handler`](crate::slot::Handler).
pub unsafe extern "sysv64" fn pause(
    slot: *const Slot,
    hart: &mut Hart,
    context: &mut Context,
) -> Next {
    std::hint::spin_loop();
    next!(slot, 1, hart, context)
}
