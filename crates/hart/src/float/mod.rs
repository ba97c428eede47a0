//! The meaning of the floating-point instructions (F, D, Zfh, Zfhmin, Zfa) on
//! raw register values, shared by all engines.
//!
//! Registers are 64 bits wide. A narrower value is NaN-boxed: all bits above
//! it are ones, and a register that is not properly boxed reads as the
//! canonical NaN. A NaN result is always the canonical one.
//!
//! - [`op`]: one type per instruction that rounds, with its two meanings. An
//!   engine runs `O::host` where the rounding mode is `frm`'s and the host has
//!   it, the same inside [`host::with_rounding`] for a static mode, and
//!   `O::soft` for [`RoundingMode::NearestAway`], which x86 lacks.
//! - [`plain`]: the instructions that never round, as functions.
//! - [`host`]: the host's SSE unit. MXCSR holds the guest's rounding mode and
//!   collects its flags between [`host::enter`] and [`host::leave`]; every
//!   function of `op` (except `soft`) and `plain` raises its flags there.
//! - [`soft`]: integers only, every rounding mode, every format. Written for
//!   this crate: of the libraries, `rustc_apfloat` has no square root and
//!   another notion of tininess, and Berkeley's wants a C compiler and CMake.
//!
//! Invariant: between `enter` and `leave` nothing but these functions computes
//! with floating-point numbers; Rust's own arithmetic assumes MXCSR's default.

mod format;
pub mod host;
pub mod op;
pub mod plain;
pub mod soft;

pub use format::{F16, F32, F64, Format};

/// A rounding mode as `frm` and the `rm` field number them (F, "Floating-Point
/// Control and Status Register").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RoundingMode {
    /// RNE: to nearest, ties to even.
    NearestEven = 0,
    /// RTZ: towards zero.
    TowardZero = 1,
    /// RDN: towards minus infinity.
    Down = 2,
    /// RUP: towards plus infinity.
    Up = 3,
    /// RMM: to nearest, ties away from zero.
    NearestAway = 4,
}

impl RoundingMode {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::NearestEven, Self::TowardZero, Self::Down, Self::Up, Self::NearestAway];

    /// The mode with that number. None for 5 and 6 (reserved), 7 (in `rm`:
    /// use `frm`; in `frm`: reserved) and anything above.
    #[inline(always)]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::NearestEven,
            1 => Self::TowardZero,
            2 => Self::Down,
            3 => Self::Up,
            4 => Self::NearestAway,
            _ => return None,
        })
    }

    /// Whether the host's unit can round this way.
    #[inline(always)]
    pub const fn on_host(self) -> bool {
        !matches!(self, Self::NearestAway)
    }
}

/// Whether instructions with the dynamic rounding mode `frm` have to be computed
/// in integers, or are illegal: the host's unit does not have that mode.
#[inline(always)]
pub const fn needs_soft_float(frm: u8) -> bool {
    frm > 3
}

/// Accrued exceptions, with the bits of `fflags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// NX: the result was rounded.
    pub const INEXACT: Self = Self(1);
    /// UF: inexact, and tiny after rounding with unbounded exponent.
    pub const UNDERFLOW: Self = Self(2);
    /// OF: too large for the format after rounding.
    pub const OVERFLOW: Self = Self(4);
    /// DZ: an infinity exactly, from finite operands.
    pub const DIVIDE_BY_ZERO: Self = Self(8);
    /// NV: no useful result, or a signalling NaN as operand.
    pub const INVALID: Self = Self(16);

    /// No exception.
    pub const fn new() -> Self {
        Self(0)
    }

    /// The five bits of `fflags`.
    #[inline(always)]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The exceptions in the low five bits; others are dropped.
    #[inline(always)]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 31)
    }

    /// Adds exceptions.
    #[inline(always)]
    pub const fn raise(&mut self, others: Self) {
        self.0 |= others.0;
    }
}
