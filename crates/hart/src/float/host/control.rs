//! MXCSR as the guest's fcsr.

use crate::float::{Flags, RoundingMode};
use std::arch::asm;

/// All exceptions masked, none raised, to nearest: what Rust code expects.
const DEFAULT: u32 = 0x1f80;
/// The rounding control field.
const ROUNDING: u32 = 3 << 13;
/// The six sticky flags.
const STICKY: u32 = 0x3f;
/// The sticky flag IE.
pub(super) const INVALID: u32 = 1;

/// `fflags` for the low six bits of MXCSR: IE, DE, ZE, OE, UE, PE from bit 0.
pub const FFLAGS: [u8; 64] = {
    let mut table = [0; 64];
    let mut sticky = 0;
    while sticky < 64 {
        let [invalid, zero, overflow, underflow, inexact] =
            [sticky, sticky >> 2, sticky >> 3, sticky >> 4, sticky >> 5];
        table[sticky] = ((invalid & 1) << 4
            | (zero & 1) << 3
            | (overflow & 1) << 2
            | (underflow & 1) << 1
            | inexact & 1) as u8;
        sticky += 1;
    }
    table
};

#[inline(always)]
pub(super) fn load(mxcsr: u32) {
    // SAFETY: reads four bytes of a live variable. The callers see to it that
    // nothing but this module's operations computes under the new value, and
    // that the exceptions stay masked.
    unsafe {
        asm!("ldmxcsr dword ptr [{}]", in(reg) &mxcsr, options(readonly, nostack, preserves_flags))
    }
}

#[inline(always)]
pub(super) fn read() -> u32 {
    let mut mxcsr = 0u32;
    // SAFETY: writes four bytes of a live variable.
    unsafe { asm!("stmxcsr dword ptr [{}]", in(reg) &mut mxcsr, options(nostack, preserves_flags)) }
    mxcsr
}

#[inline(always)]
const fn rounding_field(mode: RoundingMode) -> u32 {
    let field = match mode {
        RoundingMode::NearestEven | RoundingMode::NearestAway => 0,
        RoundingMode::Down => 1,
        RoundingMode::Up => 2,
        RoundingMode::TowardZero => 3,
    };
    field << 13
}

#[inline(always)]
const fn mode_of(mxcsr: u32) -> RoundingMode {
    match mxcsr >> 13 & 3 {
        0 => RoundingMode::NearestEven,
        1 => RoundingMode::Down,
        2 => RoundingMode::Up,
        _ => RoundingMode::TowardZero,
    }
}

/// MXCSR for the rounding mode `frm`: exceptions masked, sticky flags clear,
/// subnormals exact. For values above 3, which the host's unit cannot do, the
/// mode is to nearest even.
#[inline(always)]
pub const fn mxcsr_from(frm: u8) -> u32 {
    match RoundingMode::from_bits(frm) {
        Some(mode) => DEFAULT | rounding_field(mode),
        None => DEFAULT,
    }
}

/// Makes MXCSR the guest's: rounding mode `frm` (see [`mxcsr_from`]), no flags
/// raised. Until [`leave`], nothing but this module's operations may compute
/// with floating-point numbers on this thread.
#[inline(always)]
pub fn enter(frm: u8) {
    load(mxcsr_from(frm));
}

/// Between [`enter`] and [`leave`]: changes the rounding mode to `frm` and
/// clears the flags. A write of fcsr.
#[inline(always)]
pub fn set(frm: u8) {
    load(mxcsr_from(frm));
}

/// Between [`enter`] and [`leave`]: the exceptions raised since `enter` or
/// `set`, as bits of `fflags`.
#[inline(always)]
pub fn flags() -> u8 {
    FFLAGS[(read() & STICKY) as usize]
}

/// Gives MXCSR back to Rust. The result is as that of [`flags`].
#[inline(always)]
pub fn leave() -> u8 {
    let flags = flags();
    load(DEFAULT);
    flags
}

/// Between [`enter`] and [`leave`]: raises exceptions.
#[inline]
pub fn raise(flags: Flags) {
    if flags == Flags::new() {
        return;
    }
    let bit = |flag: Flags, position: u32| u32::from(flags.bits() & flag.bits() != 0) << position;
    let sticky = bit(Flags::INVALID, 0)
        | bit(Flags::DIVIDE_BY_ZERO, 2)
        | bit(Flags::OVERFLOW, 3)
        | bit(Flags::UNDERFLOW, 4)
        | bit(Flags::INEXACT, 5);
    load(read() | sticky);
}

/// Between [`enter`] and [`leave`]: runs `operation` with another rounding
/// mode, one that is [`RoundingMode::on_host`]. Flags accumulate.
#[inline(always)]
pub fn with_rounding<T>(mode: RoundingMode, operation: impl FnOnce() -> T) -> T {
    let before = read();
    if before & ROUNDING == rounding_field(mode) {
        return operation();
    }
    load(before & !ROUNDING | rounding_field(mode));
    let result = operation();
    load(read() & !ROUNDING | before & ROUNDING);
    result
}

/// Between [`enter`] and [`leave`]: runs code of Rust's, which may compute with
/// floating-point numbers and leaves no trace in the guest's flags.
pub fn aside<T>(run: impl FnOnce() -> T) -> T {
    let before = read();
    load(DEFAULT);
    let result = run();
    load(before);
    result
}

/// Between [`enter`] and [`leave`]: runs an operation of `float::soft` with
/// MXCSR's rounding mode, and raises its flags there.
#[inline(always)]
pub(in crate::float) fn in_soft<T>(operation: impl FnOnce(RoundingMode, &mut Flags) -> T) -> T {
    let mut raised = Flags::new();
    let result = operation(mode_of(read()), &mut raised);
    raise(raised);
    result
}
