//! The three binary formats and how registers hold them.

/// A binary floating-point format of at most 64 bits.
///
/// Values of the format are `u64`s with zeros above the format's width;
/// registers are `u64`s that box them.
pub trait Format {
    /// Bits of a value.
    const WIDTH: u32;
    /// Bits of the fraction field.
    const FRACTION: u32;

    /// The exponent's bias, which is also the largest exponent.
    const BIAS: i32 = (1 << (Self::WIDTH - Self::FRACTION - 2)) - 1;
    /// The exponent of the smallest normal number.
    const MIN_EXPONENT: i32 = 1 - Self::BIAS;
    /// The sign bit.
    const SIGN: u64 = 1 << (Self::WIDTH - 1);
    /// Plus infinity, which is also the mask of the exponent field.
    const INFINITY: u64 = Self::SIGN - (1 << Self::FRACTION);
    /// The bit that makes a NaN quiet.
    const QUIET: u64 = 1 << (Self::FRACTION - 1);
    /// The NaN that operations give: positive, quiet, no payload.
    const CANONICAL: u64 = Self::INFINITY | Self::QUIET;
    /// The bits above a boxed value.
    const BOX: u64 = !(Self::SIGN | (Self::SIGN - 1));

    /// The value in a register; the canonical NaN if it is not boxed.
    #[inline(always)]
    fn unbox(register: u64) -> u64 {
        Self::checked(register) & !Self::BOX
    }

    /// The register as it is if properly boxed, else the boxed canonical NaN.
    #[inline(always)]
    fn checked(register: u64) -> u64 {
        if register >= Self::BOX {
            register
        } else {
            std::hint::cold_path();
            Self::BOX | Self::CANONICAL
        }
    }

    /// The register that holds `value`.
    #[inline(always)]
    fn boxed(value: u64) -> u64 {
        Self::BOX | value
    }

    /// Whether `value` is a NaN.
    #[inline(always)]
    fn is_nan(value: u64) -> bool {
        value & !Self::SIGN > Self::INFINITY
    }

    /// Whether `value` is a signalling NaN.
    #[inline(always)]
    fn is_signaling(value: u64) -> bool {
        Self::is_nan(value) && value & Self::QUIET == 0
    }
}

/// Half precision (Zfh).
#[derive(Clone, Copy, Debug)]
pub struct F16;
/// Single precision (F).
#[derive(Clone, Copy, Debug)]
pub struct F32;
/// Double precision (D).
#[derive(Clone, Copy, Debug)]
pub struct F64;

impl Format for F16 {
    const WIDTH: u32 = 16;
    const FRACTION: u32 = 10;
}

impl Format for F32 {
    const WIDTH: u32 = 32;
    const FRACTION: u32 = 23;
}

impl Format for F64 {
    const WIDTH: u32 = 64;
    const FRACTION: u32 = 52;
}
