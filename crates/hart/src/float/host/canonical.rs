//! The shape that most operations share.

use crate::float::{F32, F64, Format};

/// What a NaN result becomes in a register, for single precision.
pub(super) static CANONICAL_S: u64 = F32::BOX | F32::CANONICAL;
/// What a NaN result becomes in a register, for double precision.
pub(super) static CANONICAL_D: u64 = F64::CANONICAL;

/// Runs instructions that compute `{x}`, a NaN made canonical; gives its low 64 bits.
///
/// `x` is the register before, other operands follow. The NaN test raises
/// nothing, as a computed NaN is quiet, and its cold half stands behind the
/// function. A scalar instruction leaves the bits above its result as they
/// were: where `x` comes in boxed, it goes out boxed.
macro_rules! canonical {
    (single $($rest:tt)*) => {
        canonical!(@ "ucomiss {x}, {x}", $crate::float::host::canonical::CANONICAL_S, $($rest)*)
    };
    (double $($rest:tt)*) => {
        canonical!(@ "ucomisd {x}, {x}", $crate::float::host::canonical::CANONICAL_D, $($rest)*)
    };
    (@ $test:literal, $canonical:path, $($line:expr),+; x = $x:expr $(, $name:ident = $class:ident $value:expr)*) => {{
        let result: f64;
        // SAFETY: reads registers and a static, raises sticky flags only (exceptions are masked).
        unsafe {
            std::arch::asm!(
                $($line,)+
                $test,
                "jp 3f",
                "2:",
                ".subsection 1",
                "3: movsd {x}, qword ptr [rip + {canonical}]",
                "jmp 2b",
                ".previous",
                x = inlateout(xmm_reg) f64::from_bits($x) => result,
                $($name = in($class) $value,)*
                canonical = sym $canonical,
                options(readonly, nostack)
            );
        }
        result.to_bits()
    }};
}
pub(super) use canonical;
