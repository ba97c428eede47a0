//! Clocks.

/// The CPU's time stamp counter.
#[inline]
pub fn timestamp_counter() -> u64 {
    // SAFETY: every x86-64 CPU has the instruction, and Linux lets user mode execute it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Nanoseconds of CLOCK_MONOTONIC (clock_gettime(2)).
#[inline]
pub fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the result; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
