//! The architectural state of one guest hardware thread (hart).
//!
//! [`Hart`] is what a debugger would show: registers, pc, floating-point state
//! and the LR/SC reservation. Engines work on it in place; [`Trap`] says why
//! they stopped when the guest did something exceptional. [`float`] holds the
//! meaning of the floating-point instructions, shared by all engines.
//!
//! Invariants: `x[0]` is zero whenever anybody looks; after a trap `pc` is the
//! address of the instruction that trapped and no effect of it is visible.

pub mod float;
mod passage;
mod trap;

pub use passage::{Enter, Passage};
pub use trap::Trap;

use rvrun_memory::GuestAddr;

/// Index in [`Hart::x`] that takes writes to `x0`.
///
/// Decoded operations name it instead of register 0 as destination, so no
/// handler has to test for `x0`.
pub const SINK: u8 = 32;

/// What is reserved by `lr.{w,d}`: an address, with the value that it loaded.
///
/// `sc.{w,d}` succeeds where a compare-and-swap from that value does. A store
/// that wrote the same value in between goes unnoticed (the ABA case), which
/// programs written against the manual's constrained loops cannot tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Reservation {
    /// The reserved address, aligned to `size`.
    pub addr: GuestAddr,
    /// What the load saw, as loaded (sign-extended for words).
    pub value: u64,
    /// 4 or 8 bytes; 0 if nothing is reserved.
    pub size: u64,
}

impl Reservation {
    /// Nothing is reserved.
    pub const NONE: Self = Self { addr: 0, value: 0, size: 0 };

    /// The value that `size` bytes at `addr` had, if they are what is reserved.
    #[inline]
    pub fn of(&self, addr: GuestAddr, size: u64) -> Option<u64> {
        (self.addr == addr && self.size == size).then_some(self.value)
    }
}

/// The 127-bit product over GF(2) (Zbc).
pub fn carry_less_product(a: u64, b: u64) -> u128 {
    (0..64).filter(|bit| b >> bit & 1 == 1).fold(0, |sum, bit| sum ^ u128::from(a) << bit)
}

/// The state of one hart.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Hart {
    /// Integer registers `x0` to `x31`, then the [`SINK`].
    pub x: [u64; 33],
    /// Address of the next instruction.
    pub pc: GuestAddr,
    /// Floating-point registers; narrower values are NaN-boxed (F, section "NaN Boxing of Narrower Values").
    pub f: [u64; 32],
    /// The rounding mode field of fcsr, 0 to 7 (5 to 7 are invalid but can be written).
    pub frm: u8,
    /// The accrued exception flags of fcsr: NV DZ OF UF NX from bit 4 to bit 0.
    pub fflags: u8,
    /// What the last `lr` reserved, until an `sc`.
    pub reservation: Reservation,
    /// Instructions retired (Zicntr `instret`).
    pub instret: u64,
}

impl Hart {
    /// A hart in its reset state: all zero.
    pub fn new() -> Self {
        Self {
            x: [0; 33],
            pc: 0,
            f: [0; 32],
            frm: 0,
            fflags: 0,
            reservation: Reservation::NONE,
            instret: 0,
        }
    }
}

impl Default for Hart {
    fn default() -> Self {
        Self::new()
    }
}
