//! The engines' accesses to guest memory: one host instruction each, a fault is an `Err`.
//!
//! Every function takes any address at all. Results go through a reference
//! because an access with a landing for its fault cannot have register outputs;
//! on a fault the place keeps its value.
//!
//! The single accesses fail with [`Refused`], which holds nothing: an engine's
//! handler that had room for a whole [`Fault`] on its stack would not be left by
//! a jump.

use crate::GuestAddr;
use crate::fault::{AccessKind, Fault};
use rvrun_host::exception_entry;
use rvrun_host::fault as host;
use rvrun_host::prefetch;
use std::arch::asm;

/// An access of this thread was refused, just now.
#[derive(Clone, Copy, Debug)]
pub struct Refused;

impl Refused {
    /// What exactly was refused. To be asked before the thread's next access to
    /// guest memory, with that access's address and kind.
    #[cold]
    #[inline(never)]
    pub fn fault(self, addr: GuestAddr, kind: AccessKind) -> Fault {
        Fault::from_host(host::take(), addr, kind)
    }
}

macro_rules! loads {
    ($($name:ident $what:literal $load:literal;)*) => {$(
        #[doc = concat!("Loads ", $what, ".")]
        ///
        /// # Errors
        /// If the memory cannot be read.
        #[inline(always)]
        pub fn $name(addr: GuestAddr, out: &mut u64) -> Result<(), Refused> {
            // SAFETY: reads guest memory, whose faults resume at the landing, and writes
            // only to `out` and a scratch register.
            unsafe {
                asm!(
                    concat!("2: ", $load),
                    "mov [{out}], {value}",
                    exception_entry!(),
                    value = out(reg) _,
                    addr = in(reg) addr,
                    out = in(reg) out,
                    landing = label { return Err(Refused) },
                    options(nostack, preserves_flags),
                );
            }
            Ok(())
        }
    )*};
}

loads! {
    load_u8 "a byte, zero-extended" "movzx {value:e}, byte ptr [{addr}]";
    load_i8 "a byte, sign-extended" "movsx {value:r}, byte ptr [{addr}]";
    load_u16 "two bytes, zero-extended" "movzx {value:e}, word ptr [{addr}]";
    load_i16 "two bytes, sign-extended" "movsx {value:r}, word ptr [{addr}]";
    load_u32 "four bytes, zero-extended" "mov {value:e}, dword ptr [{addr}]";
    load_i32 "four bytes, sign-extended" "movsxd {value:r}, dword ptr [{addr}]";
    load_u64 "eight bytes" "mov {value:r}, qword ptr [{addr}]";
}

macro_rules! stores {
    ($($name:ident $what:literal $class:ident $store:literal;)*) => {$(
        #[doc = concat!("Stores ", $what, " of `value`.")]
        ///
        /// # Errors
        /// If the memory cannot be written; nothing was written then, or only
        /// what lies before a page boundary.
        #[inline(always)]
        pub fn $name(addr: GuestAddr, value: u64) -> Result<(), Refused> {
            // SAFETY: writes guest memory, whose faults resume at the landing.
            unsafe {
                asm!(
                    concat!("2: ", $store),
                    exception_entry!(),
                    addr = in(reg) addr,
                    value = in($class) value,
                    landing = label { return Err(Refused) },
                    options(nostack, preserves_flags),
                );
            }
            Ok(())
        }
    )*};
}

stores! {
    store_u8 "the lowest byte" reg "mov byte ptr [{addr}], {value:l}";
    store_u16 "the lowest two bytes" reg "mov word ptr [{addr}], {value:x}";
    store_u32 "the lowest four bytes" reg "mov dword ptr [{addr}], {value:e}";
    store_u64 "all eight bytes" reg "mov qword ptr [{addr}], {value:r}";
}

macro_rules! exchanges {
    ($($name:ident $what:literal $exchange:literal $extend:literal;)*) => {$(
        #[doc = $what]
        ///
        /// Atomic and sequentially consistent. `old` becomes what was there, zero-extended.
        ///
        /// # Errors
        /// If the memory cannot be written.
        #[inline(always)]
        pub fn $name(addr: GuestAddr, operand: u64, old: &mut u64) -> Result<(), Refused> {
            // SAFETY: changes guest memory, whose faults resume at the landing, and
            // writes only to `old` besides.
            unsafe {
                asm!(
                    "mov {value}, {operand}",
                    concat!("2: ", $exchange),
                    $extend,
                    "mov [{old}], {value}",
                    exception_entry!(),
                    value = out(reg) _,
                    operand = in(reg) operand,
                    addr = in(reg) addr,
                    old = in(reg) old,
                    landing = label { return Err(Refused) },
                    options(nostack),
                );
            }
            Ok(())
        }
    )*};
}

exchanges! {
    swap_u8 "Swaps a byte." "xchg byte ptr [{addr}], {value:l}" "movzx {value:e}, {value:l}";
    swap_u16 "Swaps two bytes." "xchg word ptr [{addr}], {value:x}" "movzx {value:e}, {value:x}";
    swap_u32 "Swaps four bytes." "xchg dword ptr [{addr}], {value:e}" "mov {value:e}, {value:e}";
    swap_u64 "Swaps eight bytes." "xchg qword ptr [{addr}], {value:r}" "";
    fetch_add_u8 "Adds to a byte." "lock xadd byte ptr [{addr}], {value:l}" "movzx {value:e}, {value:l}";
    fetch_add_u16 "Adds to two bytes." "lock xadd word ptr [{addr}], {value:x}" "movzx {value:e}, {value:x}";
    fetch_add_u32 "Adds to four bytes." "lock xadd dword ptr [{addr}], {value:e}" "mov {value:e}, {value:e}";
    fetch_add_u64 "Adds to eight bytes." "lock xadd qword ptr [{addr}], {value:r}" "";
}

macro_rules! compare_exchanges {
    ($($name:ident $what:literal $exchange:literal $extend:literal;)*) => {$(
        #[doc = concat!("Replaces ", $what, " by `new` if equal to `expected`.")]
        ///
        /// Atomic and sequentially consistent. `old` becomes what was there, zero-extended:
        /// its low bits equal those of `expected` exactly if the exchange took place.
        ///
        /// # Errors
        /// If the memory cannot be written.
        #[inline(always)]
        pub fn $name(addr: GuestAddr, expected: u64, new: u64, old: &mut u64) -> Result<(), Refused> {
            // SAFETY: changes guest memory, whose faults resume at the landing, and
            // writes only to `old` besides.
            unsafe {
                asm!(
                    "mov rax, {expected}",
                    concat!("2: ", $exchange),
                    $extend,
                    "mov [{old}], rax",
                    exception_entry!(),
                    expected = in(reg) expected,
                    new = in(reg) new,
                    addr = in(reg) addr,
                    old = in(reg) old,
                    out("rax") _,
                    landing = label { return Err(Refused) },
                    options(nostack),
                );
            }
            Ok(())
        }
    )*};
}

compare_exchanges! {
    compare_exchange_u8 "a byte" "lock cmpxchg byte ptr [{addr}], {new:l}" "movzx eax, al";
    compare_exchange_u16 "two bytes" "lock cmpxchg word ptr [{addr}], {new:x}" "movzx eax, ax";
    compare_exchange_u32 "four bytes" "lock cmpxchg dword ptr [{addr}], {new:e}" "mov eax, eax";
    compare_exchange_u64 "eight bytes" "lock cmpxchg qword ptr [{addr}], {new:r}" "";
}

/// Replaces sixteen bytes by `new` if equal to `expected`.
///
/// Atomic and sequentially consistent. `old` becomes what was there. `addr` must
/// be a multiple of 16: callers check that, as the guest's architecture asks.
///
/// # Errors
/// If the memory cannot be written or `addr` is misaligned.
pub fn compare_exchange_u128(
    addr: GuestAddr,
    expected: u128,
    new: u128,
    old: &mut u128,
) -> Result<(), Refused> {
    let expected = [expected as u64, (expected >> 64) as u64];
    let new = [new as u64, (new >> 64) as u64];
    // SAFETY: changes guest memory, whose faults resume at the landing; `rbx`, which
    // the compiler reserves, is restored on both ways out.
    unsafe {
        asm!(
            "mov {saved}, rbx",
            "mov rax, [{expected}]",
            "mov rdx, [{expected} + 8]",
            "mov rbx, [{new}]",
            "mov rcx, [{new} + 8]",
            "2: lock cmpxchg16b xmmword ptr [rdi]",
            "mov rbx, {saved}",
            "mov [rsi], rax",
            "mov [rsi + 8], rdx",
            "jmp 4f",
            "3: mov rbx, {saved}",
            "jmp {failed}",
            "4:",
            ".pushsection rvrun_ex, \"aR\", @progbits",
            ".balign 4",
            ".long 2b - .",
            ".long 3b - .",
            ".popsection",
            saved = out(reg) _,
            expected = in(reg) &expected,
            new = in(reg) &new,
            in("rdi") addr,
            in("rsi") old,
            out("rax") _,
            out("rcx") _,
            out("rdx") _,
            failed = label { return Err(Refused) },
            options(nostack),
        );
    }
    Ok(())
}

macro_rules! fetch_updates {
    ($($name:ident $load:ident $exchange:ident;)*) => {$(
        /// Replaces the value by what `f` makes of it, zero-extended.
        ///
        /// Atomic and sequentially consistent: a loop of compare-and-exchange.
        /// `old` becomes what was there.
        ///
        /// # Errors
        /// If the memory cannot be read and written.
        #[inline(always)]
        pub fn $name(addr: GuestAddr, old: &mut u64, f: impl Fn(u64) -> u64) -> Result<(), Refused> {
            let mut seen = 0;
            $load(addr, &mut seen)?;
            loop {
                let mut found = 0;
                $exchange(addr, seen, f(seen), &mut found)?;
                if found == seen {
                    *old = seen;
                    return Ok(());
                }
                seen = found;
            }
        }
    )*};
}

fetch_updates! {
    fetch_update_u8 load_u8 compare_exchange_u8;
    fetch_update_u16 load_u16 compare_exchange_u16;
    fetch_update_u32 load_u32 compare_exchange_u32;
    fetch_update_u64 load_u64 compare_exchange_u64;
}

/// Copies guest bytes into `dst`.
///
/// # Errors
/// The fault at the first byte that cannot be read; those before it were copied.
pub fn copy_in(addr: GuestAddr, dst: &mut [u8]) -> Result<(), Fault> {
    // SAFETY: `dst` is valid for its length; guest memory may fault, which resumes at the landing.
    unsafe {
        asm!(
            "2: rep movsb",
            exception_entry!(),
            inout("rsi") addr => _,
            inout("rdi") dst.as_mut_ptr() => _,
            inout("rcx") dst.len() => _,
            landing = label { return Err(Refused.fault(addr, AccessKind::Load)) },
            options(nostack, preserves_flags),
        );
    }
    Ok(())
}

/// The four bytes at `addr`, or 0, which is no instruction, if they cannot be read.
#[inline(always)]
pub fn fetch(addr: GuestAddr) -> u32 {
    let mut bits = 0;
    // SAFETY: reads guest memory; a fault goes on behind that and leaves `bits` as it was.
    unsafe {
        asm!(
            "2: mov {bits:e}, dword ptr [{addr}]",
            "3:",
            exception_entry!("3b"),
            bits = inout(reg) bits,
            addr = in(reg) addr,
            options(nostack, preserves_flags, readonly),
        );
    }
    bits
}

/// Has the host's processor bring what is at `addr` near, if that is there, for whoever wants it soon.
#[inline]
pub fn prefetch(addr: GuestAddr) {
    prefetch::line(addr as *const u8);
}

/// Copies `src` into guest memory.
///
/// # Errors
/// The fault at the first byte that cannot be written; those before it were copied.
pub fn copy_out(addr: GuestAddr, src: &[u8]) -> Result<(), Fault> {
    // SAFETY: `src` is valid for its length; guest memory may fault, which resumes at the landing.
    unsafe {
        asm!(
            "2: rep movsb",
            exception_entry!(),
            inout("rsi") src.as_ptr() => _,
            inout("rdi") addr => _,
            inout("rcx") src.len() => _,
            landing = label { return Err(Refused.fault(addr, AccessKind::Store)) },
            options(nostack, preserves_flags),
        );
    }
    Ok(())
}

/// Zeroes `len` guest bytes.
///
/// # Errors
/// The fault at the first byte that cannot be written; those before it were zeroed.
pub fn zero(addr: GuestAddr, len: usize) -> Result<(), Fault> {
    // SAFETY: guest memory may fault, which resumes at the landing.
    unsafe {
        asm!(
            "2: rep stosb",
            exception_entry!(),
            inout("rdi") addr => _,
            inout("rcx") len => _,
            in("al") 0u8,
            landing = label { return Err(Refused.fault(addr, AccessKind::Store)) },
            options(nostack, preserves_flags),
        );
    }
    Ok(())
}
