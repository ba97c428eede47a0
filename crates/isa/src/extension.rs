//! Extensions of the instruction set, and sets of them.

use core::fmt;
use core::ops::{BitOr, Sub};

/// A set of extensions.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Extensions(u64);

macro_rules! extensions {
    ($($constant:ident $name:literal $bit:literal $what:literal;)*) => {
        impl Extensions {
            $(
                #[doc = $what]
                pub const $constant: Self = Self(1 << $bit);
            )*
            /// Every extension that the table has rows or registers for, in the order of ISA strings.
            pub const NAMED: &'static [(Self, &'static str, &'static str)] =
                &[$((Self::$constant, $name, $what)),*];
        }
    };
}

extensions! {
    I "i" 0 "RV64I base integer instructions.";
    M "m" 1 "Integer multiplication and division.";
    A "a" 2 "Atomic instructions (Zaamo, Zalrsc).";
    F "f" 3 "Single-precision floating point.";
    D "d" 4 "Double-precision floating point.";
    C "c" 5 "Compressed instructions (Zca, Zcd).";
    ZICBOM "zicbom" 6 "Cache-block management.";
    ZICBOP "zicbop" 7 "Cache-block prefetch.";
    ZICBOZ "zicboz" 8 "Cache-block zero.";
    ZICNTR "zicntr" 9 "Base counters and timers.";
    ZICOND "zicond" 10 "Integer conditional operations.";
    ZICSR "zicsr" 11 "Control and status register instructions.";
    ZIFENCEI "zifencei" 12 "Instruction-fetch fence.";
    ZIHINTNTL "zihintntl" 13 "Non-temporal locality hints.";
    ZIHINTPAUSE "zihintpause" 14 "Pause hint.";
    ZIHPM "zihpm" 15 "Hardware performance counters.";
    ZIMOP "zimop" 16 "May-be operations.";
    ZABHA "zabha" 17 "Byte and halfword atomic memory operations.";
    ZACAS "zacas" 18 "Atomic compare-and-swap.";
    ZAWRS "zawrs" 19 "Wait on reservation set.";
    ZFA "zfa" 20 "Additional floating-point instructions.";
    ZFH "zfh" 21 "Half-precision floating point.";
    ZFHMIN "zfhmin" 22 "Half-precision conversion, load and store.";
    ZCB "zcb" 23 "Further compressed instructions.";
    ZCMOP "zcmop" 24 "Compressed may-be operations.";
    ZBA "zba" 25 "Address generation.";
    ZBB "zbb" 26 "Basic bit manipulation.";
    ZBC "zbc" 27 "Carry-less multiplication.";
    ZBKB "zbkb" 28 "Bit manipulation for cryptography.";
    ZBS "zbs" 29 "Single-bit instructions.";
}

impl Extensions {
    /// No extension.
    pub const NONE: Self = Self(0);

    /// All that the table has.
    pub const ALL: Self = {
        let mut all = 0;
        let mut i = 0;
        while i < Self::NAMED.len() {
            all |= Self::NAMED[i].0.0;
            i += 1;
        }
        Self(all)
    };

    /// The union, usable in constants.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the sets share an extension.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The extension of that lower-case name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// The names of the extensions in the set, in the order of ISA strings.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED.iter().filter(move |row| self.contains(row.0)).map(|row| row.1)
    }
}

impl BitOr for Extensions {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

impl Sub for Extensions {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The ISA string, as in `/proc/cpuinfo`: `rv64imafdc_zicsr_…`.
impl fmt::Display for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rv64")?;
        for name in self.names() {
            if name.len() > 1 {
                f.write_str("_")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}
