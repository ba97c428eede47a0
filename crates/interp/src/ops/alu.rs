//! Integer computation.

use rvrun_hart::carry_less_product;

/// Functions that give what instructions give `rd`.
macro_rules! values {
    ($(#[doc = $doc:literal])* $kind:ident $($name:ident ($($operand:ident),*) $value:expr;)*) => {
        $(#[doc = $doc])*
        pub mod $kind {
            use super::*;

            $(
                #[doc = concat!("`", stringify!($name), "`")]
                #[inline(always)]
                pub fn $name($($operand: u64),*) -> u64 {
                    $value
                }
            )*
        }
    };
}

/// Handlers for `rd = f(rs1, rs2)`.
macro_rules! register_register {
    ($($name:ident |$a:ident, $b:ident| $value:expr;)*) => {
        values! {
            /// What instructions give `rd` by `rs1` and `rs2`.
            registers $($name ($a, $b) $value;)*
        }
        handlers! {$(
            #[doc = concat!("`", stringify!($name), "`")]
            $name |slot, op, hart, context| {
                let value = registers::$name(x!(hart, op.rs1), x!(hart, op.rs2));
                *x_mut!(hart, op.rd) = value;
            }
        )*}
    };
}

/// Handlers for `rd = f(rs1, immediate)`, the immediate sign-extended.
macro_rules! register_immediate {
    ($($name:ident |$a:ident, $i:ident| $value:expr;)*) => {
        values! {
            /// What instructions give `rd` by `rs1` and the immediate.
            immediate $($name ($a, $i) $value;)*
        }
        handlers! {$(
            #[doc = concat!("`", stringify!($name), "`")]
            $name |slot, op, hart, context| {
                let value = immediate::$name(x!(hart, op.rs1), i64::from(op.imm) as u64);
                *x_mut!(hart, op.rd) = value;
            }
        )*}
    };
}

/// Handlers for `rd = f(rs1)`.
macro_rules! register {
    ($($name:ident |$a:ident| $value:expr;)*) => {
        values! {
            /// What instructions give `rd` by `rs1`.
            register $($name ($a) $value;)*
        }
        handlers! {$(
            #[doc = concat!("`", stringify!($name), "`")]
            $name |slot, op, hart, context| {
                let value = register::$name(x!(hart, op.rs1));
                *x_mut!(hart, op.rd) = value;
            }
        )*}
    };
}

/// Sign-extends the low 32 bits.
fn word(value: u32) -> u64 {
    value as i32 as u64
}

register_register! {
    add |a, b| a.wrapping_add(b);
    sub |a, b| a.wrapping_sub(b);
    sll |a, b| a << (b & 63);
    slt |a, b| ((a as i64) < b as i64).into();
    sltu |a, b| (a < b).into();
    xor |a, b| a ^ b;
    srl |a, b| a >> (b & 63);
    sra |a, b| ((a as i64) >> (b & 63)) as u64;
    or |a, b| a | b;
    and |a, b| a & b;
    addw |a, b| word((a as u32).wrapping_add(b as u32));
    subw |a, b| word((a as u32).wrapping_sub(b as u32));
    sllw |a, b| word((a as u32) << (b & 31));
    srlw |a, b| word(a as u32 >> (b & 31));
    sraw |a, b| ((a as i32) >> (b & 31)) as u64;
    mul |a, b| a.wrapping_mul(b);
    mulh |a, b| ((i128::from(a as i64) * i128::from(b as i64)) >> 64) as u64;
    mulhsu |a, b| ((i128::from(a as i64) * i128::from(b)) >> 64) as u64;
    mulhu |a, b| ((u128::from(a) * u128::from(b)) >> 64) as u64;
    mulw |a, b| word((a as u32).wrapping_mul(b as u32));
    div |a, b| if b == 0 { u64::MAX } else { (a as i64).wrapping_div(b as i64) as u64 };
    divu |a, b| a.checked_div(b).unwrap_or(u64::MAX);
    rem |a, b| if b == 0 { a } else { (a as i64).wrapping_rem(b as i64) as u64 };
    remu |a, b| a.checked_rem(b).unwrap_or(a);
    divw |a, b| if b as u32 == 0 { u64::MAX } else { (a as i32).wrapping_div(b as i32) as u64 };
    divuw |a, b| word((a as u32).checked_div(b as u32).unwrap_or(u32::MAX));
    remw |a, b| if b as u32 == 0 { word(a as u32) } else { (a as i32).wrapping_rem(b as i32) as u64 };
    remuw |a, b| word((a as u32).checked_rem(b as u32).unwrap_or(a as u32));
    add_uw |a, b| u64::from(a as u32).wrapping_add(b);
    sh1add |a, b| (a << 1).wrapping_add(b);
    sh2add |a, b| (a << 2).wrapping_add(b);
    sh3add |a, b| (a << 3).wrapping_add(b);
    sh1add_uw |a, b| (u64::from(a as u32) << 1).wrapping_add(b);
    sh2add_uw |a, b| (u64::from(a as u32) << 2).wrapping_add(b);
    sh3add_uw |a, b| (u64::from(a as u32) << 3).wrapping_add(b);
    andn |a, b| a & !b;
    orn |a, b| a | !b;
    xnor |a, b| !(a ^ b);
    max |a, b| (a as i64).max(b as i64) as u64;
    maxu |a, b| a.max(b);
    min |a, b| (a as i64).min(b as i64) as u64;
    minu |a, b| a.min(b);
    rol |a, b| a.rotate_left((b & 63) as u32);
    rolw |a, b| word((a as u32).rotate_left((b & 31) as u32));
    ror |a, b| a.rotate_right((b & 63) as u32);
    rorw |a, b| word((a as u32).rotate_right((b & 31) as u32));
    bclr |a, b| a & !(1 << (b & 63));
    bext |a, b| a >> (b & 63) & 1;
    binv |a, b| a ^ 1 << (b & 63);
    bset |a, b| a | 1 << (b & 63);
    clmul |a, b| carry_less_product(a, b) as u64;
    clmulr |a, b| (carry_less_product(a, b) >> 63) as u64;
    clmulh |a, b| (carry_less_product(a, b) >> 64) as u64;
    pack |a, b| u64::from(a as u32) | b << 32;
    packh |a, b| a & 0xff | (b & 0xff) << 8;
    packw |a, b| word(a as u32 & 0xffff | (b as u32) << 16);
    czero_eqz |a, b| if b == 0 { 0 } else { a };
    czero_nez |a, b| if b == 0 { a } else { 0 };
}

register_immediate! {
    addi |a, i| a.wrapping_add(i);
    slti |a, i| ((a as i64) < i as i64).into();
    sltiu |a, i| (a < i).into();
    xori |a, i| a ^ i;
    ori |a, i| a | i;
    andi |a, i| a & i;
    slli |a, i| a << (i & 63);
    srli |a, i| a >> (i & 63);
    srai |a, i| ((a as i64) >> (i & 63)) as u64;
    addiw |a, i| word((a as u32).wrapping_add(i as u32));
    slliw |a, i| word((a as u32) << (i & 31));
    srliw |a, i| word(a as u32 >> (i & 31));
    sraiw |a, i| ((a as i32) >> (i & 31)) as u64;
    slli_uw |a, i| u64::from(a as u32) << (i & 63);
    rori |a, i| a.rotate_right((i & 63) as u32);
    roriw |a, i| word((a as u32).rotate_right((i & 31) as u32));
    bclri |a, i| a & !(1 << (i & 63));
    bexti |a, i| a >> (i & 63) & 1;
    binvi |a, i| a ^ 1 << (i & 63);
    bseti |a, i| a | 1 << (i & 63);
}

register! {
    clz |a| a.leading_zeros().into();
    clzw |a| (a as u32).leading_zeros().into();
    ctz |a| a.trailing_zeros().into();
    ctzw |a| (a as u32).trailing_zeros().into();
    cpop |a| a.count_ones().into();
    cpopw |a| (a as u32).count_ones().into();
    sext_b |a| a as i8 as u64;
    sext_h |a| a as i16 as u64;
    orc_b |a| or_combine_bytes(a);
    rev8 |a| a.swap_bytes();
    brev8 |a| a.reverse_bits().swap_bytes();
}

handlers! {
    /// `lui`, and any instruction whose result is a known 32-bit value: `rd = imm`.
    lui |slot, op, hart, context| {
        *x_mut!(hart, op.rd) = i64::from(op.imm) as u64;
    }
    /// `mop.r.N`: zero until an extension redefines it.
    mop_r |slot, op, hart, context| {
        *x_mut!(hart, op.rd) = 0;
    }
    /// `mop.rr.N`: zero until an extension redefines it.
    mop_rr |slot, op, hart, context| {
        *x_mut!(hart, op.rd) = 0;
    }
}

/// `auipc`: `rd` becomes the 64-bit value in the slot behind.
///
/// # Safety
/// See [`Handler`](crate::slot::Handler); the slot behind holds a value.
pub unsafe extern "sysv64" fn auipc(
    slot: *const crate::slot::Slot,
    hart: &mut rvrun_hart::Hart,
    context: &mut crate::context::Context,
) -> crate::slot::Next {
    let op = op!(slot);
    // SAFETY: pre-decoding puts a value behind this op.
    *x_mut!(hart, op.rd) = unsafe { (*slot.add(1)).value };
    next!(slot, 2, hart, context)
}

/// Each byte becomes 0xff unless it is zero (Zbb, `orc.b`).
fn or_combine_bytes(value: u64) -> u64 {
    const LOW: u64 = 0x0101_0101_0101_0101;
    let folded = value | value >> 4;
    let folded = folded | folded >> 2;
    // Bits that came in from the neighbouring byte are above bit 0, which alone counts.
    let any = (folded | folded >> 1) & LOW;
    any * 0xff
}
