/* build: -Os -fasynchronous-unwind-tables -march=rv64imac_zicsr -mabi=lp64 -fPIC -fno-jump-tables -fno-stack-protector -fvisibility=default -ffreestanding -nostdlib -shared -Wl,-T,vdso.lds -Wl,-soname,linux-vdso.so.1 -Wl,--hash-style=both -Wl,-Bsymbolic -Wl,--eh-frame-hdr -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments */
/* What the kernel gives programs in place of system calls (vdso(7)): a shared object that
 * the loader maps into every program.
 *
 * The VM's harts have CSRs for the clocks of clock_gettime(2), each of which counts
 * nanoseconds; architecture leaves the numbers from 0xcc0 on to implementations. What has
 * no such CSR, or is rarely asked for, is the system call. */

typedef unsigned long u64;
struct timespec { long sec, nsec; };
struct timeval { long sec, usec; };

enum { REALTIME, MONOTONIC, MONOTONIC_RAW = 4, REALTIME_COARSE, MONOTONIC_COARSE, BOOTTIME, TAI = 11 };
enum { CLOCK_GETTIME = 113, CLOCK_GETRES = 114, GETCPU = 168, GETTIMEOFDAY = 169,
       RISCV_HWPROBE = 258, RISCV_FLUSH_ICACHE = 259 };

#define CLOCK(number) ({                                                      \
    u64 ns;                                                                   \
    __asm__ volatile("csrr %0, %1" : "=r"(ns) : "i"(0xcc0 + (number)));       \
    ns;                                                                       \
})

static inline long call(long number, long a, long b, long c, long d, long e) {
    register long a7 __asm__("a7") = number, a0 __asm__("a0") = a, a1 __asm__("a1") = b,
                  a2 __asm__("a2") = c, a3 __asm__("a3") = d, a4 __asm__("a4") = e;
    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4)
                     : "memory");
    return a0;
}

/* Unwinders know a signal's frame by these two instructions. Like the kernel's, it has no
 * unwind information: nothing calls it. */
__asm__(".pushsection .text.first, \"ax\", @progbits\n"
        ".globl __vdso_rt_sigreturn\n"
        ".type __vdso_rt_sigreturn, @function\n"
        ".balign 16\n"
        ".option push\n"
        ".option norvc\n"
        "__vdso_rt_sigreturn:\n"
        "li a7, 139\n"
        "ecall\n"
        ".option pop\n"
        ".size __vdso_rt_sigreturn, . - __vdso_rt_sigreturn\n"
        ".popsection\n");

/* ns / 1000000000 for any ns, by 2^75 / 10^9 * 2^-9, rounded up: a division takes longer. */
static inline u64 seconds_of(u64 ns) {
    return (u64)((unsigned __int128)(ns >> 9) * 0x44b82fa09b5a53 >> 64) >> 11;
}

int __vdso_clock_gettime(int clock, struct timespec *time) {
    u64 ns;
    if (clock == MONOTONIC) ns = CLOCK(MONOTONIC);
    else if (clock == REALTIME) ns = CLOCK(REALTIME);
    else if (clock == MONOTONIC_COARSE) ns = CLOCK(MONOTONIC_COARSE);
    else if (clock == REALTIME_COARSE) ns = CLOCK(REALTIME_COARSE);
    else if (clock == MONOTONIC_RAW) ns = CLOCK(MONOTONIC_RAW);
    else if (clock == BOOTTIME) ns = CLOCK(BOOTTIME);
    else if (clock == TAI) ns = CLOCK(TAI);
    else return call(CLOCK_GETTIME, clock, (long)time, 0, 0, 0);
    u64 seconds = seconds_of(ns);
    time->sec = seconds;
    time->nsec = ns - seconds * 1000000000;
    return 0;
}

int __vdso_gettimeofday(struct timeval *time, void *zone) {
    if (zone) return call(GETTIMEOFDAY, (long)time, (long)zone, 0, 0, 0);
    if (time) {
        u64 ns = CLOCK(REALTIME), seconds = seconds_of(ns);
        time->sec = seconds;
        time->usec = (unsigned)(ns - seconds * 1000000000) / 1000;
    }
    return 0;
}

int __vdso_clock_getres(int clock, struct timespec *resolution) {
    return call(CLOCK_GETRES, clock, (long)resolution, 0, 0, 0);
}

int __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused) {
    return call(GETCPU, (long)cpu, (long)node, (long)unused, 0, 0);
}

int __vdso_flush_icache(void *start, void *end, u64 flags) {
    return call(RISCV_FLUSH_ICACHE, (long)start, (long)end, flags, 0, 0);
}

int __vdso_riscv_hwprobe(void *pairs, u64 count, u64 size, u64 *cpus, unsigned flags) {
    return call(RISCV_HWPROBE, (long)pairs, count, size, (long)cpus, flags);
}
