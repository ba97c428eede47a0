//! Loads, stores and cache-block operations.

use crate::context::Context;
use crate::slot::{Next, Slot};
use rvrun_memory::{AccessKind, access};

/// Bytes of a cache block (`riscv_hwprobe` reports the same).
const CACHE_BLOCK: u64 = 64;

/// Handlers for loads into integer registers.
macro_rules! loads {
    ($($name:ident $access:ident;)*) => {
        /// What loads into integer registers do.
        pub mod load {
            pub use rvrun_memory::access::{$($access as $name),*};
        }
        handlers! {$(
            #[doc = concat!("`", stringify!($name), "`")]
            $name |slot, op, hart, context| {
                let address = x!(hart, op.rs1).wrapping_add_signed(op.imm.into());
                if load::$name(address, x_mut!(hart, op.rd)).is_err() {
                    return context.refused(slot, address, AccessKind::Load);
                }
            }
        )*}
    };
}

loads! {
    lb load_i8;
    lh load_i16;
    lw load_i32;
    ld load_u64;
    lbu load_u8;
    lhu load_u16;
    lwu load_u32;
}

/// Handlers for stores from integer registers.
macro_rules! stores {
    ($($name:ident $access:ident;)*) => {
        /// What stores from integer registers do.
        pub mod store {
            pub use rvrun_memory::access::{$($access as $name),*};
        }
        handlers! {$(
            #[doc = concat!("`", stringify!($name), "`")]
            $name |slot, op, hart, context| {
                let address = x!(hart, op.rs1).wrapping_add_signed(op.imm.into());
                if store::$name(address, x!(hart, op.rs2)).is_err() {
                    return context.refused(slot, address, AccessKind::Store);
                }
            }
        )*}
    };
}

stores! {
    sb store_u8;
    sh store_u16;
    sw store_u32;
    sd store_u64;
}

/// Handlers for loads into floating-point registers, with the bits that box the value.
macro_rules! float_loads {
    ($($name:ident $access:ident $boxing:literal;)*) => {
        handlers! {$(
            #[doc = concat!("`", stringify!($name), "`")]
            $name |slot, op, hart, context| {
                let address = x!(hart, op.rs1).wrapping_add_signed(op.imm.into());
                let place = f_mut!(hart, op.rd);
                if access::$access(address, place).is_err() {
                    return context.refused(slot, address, AccessKind::Load);
                }
                *place |= $boxing;
            }
        )*}
    };
}

float_loads! {
    flh load_u16 0xffff_ffff_ffff_0000;
    flw load_u32 0xffff_ffff_0000_0000;
    fld load_u64 0;
}

/// Handlers for stores from floating-point registers.
macro_rules! float_stores {
    ($($name:ident $access:ident;)*) => {
        handlers! {$(
            #[doc = concat!("`", stringify!($name), "`")]
            $name |slot, op, hart, context| {
                let address = x!(hart, op.rs1).wrapping_add_signed(op.imm.into());
                if access::$access(address, f!(hart, op.rs2)).is_err() {
                    return context.refused(slot, address, AccessKind::Store);
                }
            }
        )*}
    };
}

float_stores! {
    fsh store_u16;
    fsw store_u32;
    fsd store_u64;
}

handlers_apart! {
    /// `cbo.clean`: the host's caches are coherent, so only the address is checked.
    cbo_clean |slot, op, hart, context| {
        touch(slot, x!(hart, op.rs1), context)
    }
    /// `cbo.flush`: as `cbo.clean`.
    cbo_flush |slot, op, hart, context| {
        touch(slot, x!(hart, op.rs1), context)
    }
    /// `cbo.inval`: performed as a flush, as the manual allows and Linux configures it.
    cbo_inval |slot, op, hart, context| {
        touch(slot, x!(hart, op.rs1), context)
    }
    /// `cbo.zero`
    cbo_zero |slot, op, hart, context| {
        let block = x!(hart, op.rs1) & !(CACHE_BLOCK - 1);
        match access::zero(block, CACHE_BLOCK as usize) {
            Ok(()) => slot,
            Err(fault) => context.trap(slot, fault),
        }
    }
}

/// Checks that the block can be read; a fault counts as a store's (Zicbom, "Traps").
fn touch(slot: *const Slot, address: u64, context: &mut Context) -> Next {
    let mut ignored = 0;
    match access::load_u8(address, &mut ignored) {
        Ok(()) => slot,
        Err(_) => context.refused(slot, address, AccessKind::Store),
    }
}
