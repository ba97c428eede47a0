//! Clocks.

use std::time::Duration;

/// The CPU's time stamp counter.
#[inline]
pub fn timestamp_counter() -> u64 {
    // SAFETY: every x86-64 CPU has the instruction, and Linux lets user mode execute it.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// Nanoseconds of CLOCK_MONOTONIC (clock_gettime(2)).
#[inline]
pub fn monotonic_ns() -> u64 {
    nanoseconds(libc::CLOCK_MONOTONIC)
}

/// Whether the host tells a clock without a system call (vdso(7)).
#[inline]
pub fn is_quick(clock: i32) -> bool {
    const QUICK: u32 = 1 << libc::CLOCK_REALTIME
        | 1 << libc::CLOCK_MONOTONIC
        | 1 << libc::CLOCK_MONOTONIC_RAW
        | 1 << libc::CLOCK_REALTIME_COARSE
        | 1 << libc::CLOCK_MONOTONIC_COARSE
        | 1 << libc::CLOCK_BOOTTIME
        | 1 << libc::CLOCK_TAI;
    (0..32).contains(&clock) && QUICK >> clock & 1 != 0
}

/// Nanoseconds of a clock that [`is_quick`]; none for others.
#[inline]
pub fn clock_ns(clock: i32) -> Option<u64> {
    is_quick(clock).then(|| nanoseconds(clock))
}

/// The CPU time that this process has used, all of its threads.
pub fn process_time() -> Duration {
    Duration::from_nanos(nanoseconds(libc::CLOCK_PROCESS_CPUTIME_ID))
}

/// The CPU time that the calling thread has used.
pub fn thread_time() -> Duration {
    Duration::from_nanos(nanoseconds(libc::CLOCK_THREAD_CPUTIME_ID))
}

fn nanoseconds(clock: i32) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the result.
    unsafe { libc::clock_gettime(clock, &mut time) };
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}
