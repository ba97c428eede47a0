/*
 * What every kernel shares: it has no C library, so that the same source is the
 * same program on riscv64 and x86-64, and start-up costs nothing.
 *
 * A kernel defines DEFAULT_ROUNDS, includes this file once, and defines
 * kernel(). The program takes one decimal argument, the number of rounds, and
 * prints the checksum that kernel() returns, in hexadecimal.
 */
#ifndef KERNEL_H
#define KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int i32;
typedef long i64;

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define NOINLINE __attribute__((noinline))

/* The work: `rounds` times the same, or more of the same. */
static u64 kernel(u64 rounds);

#if defined(__riscv)

__asm__(".globl _start\n"
        "_start:\n"
        ".option push\n"
        ".option norelax\n"
        "  la gp, __global_pointer$\n"
        ".option pop\n"
        "  mv a0, sp\n"
        "  andi sp, sp, -16\n"
        "  call start\n");

enum { SYS_WRITE = 64, SYS_EXIT = 93 };

static i64 system_call(i64 number, i64 a, i64 b, i64 c)
{
    register i64 a0 __asm__("a0") = a;
    register i64 a1 __asm__("a1") = b;
    register i64 a2 __asm__("a2") = c;
    register i64 a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}

#elif defined(__x86_64__)

__asm__(".globl _start\n"
        "_start:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rsp, %rdi\n"
        "  and $-16, %rsp\n"
        "  call start\n");

enum { SYS_WRITE = 1, SYS_EXIT = 60 };

static i64 system_call(i64 number, i64 a, i64 b, i64 c)
{
    i64 result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

#else
#error "kernels know riscv64 and x86-64"
#endif

/* The compiler calls these two for large assignments and initialisers. */

__attribute__((used)) void *memset(void *to, int value, u64 count)
{
    u8 *bytes = to;
    u64 pattern = 0x0101010101010101u * (u8)value;
    for (; count != 0 && ((u64)bytes & 7) != 0; count--)
        *bytes++ = (u8)value;
    for (; count >= 8; count -= 8, bytes += 8)
        *(u64 __attribute__((may_alias)) *)bytes = pattern;
    for (; count != 0; count--)
        *bytes++ = (u8)value;
    return to;
}

__attribute__((used)) void *memcpy(void *restrict to, const void *restrict from, u64 count)
{
    typedef u64 __attribute__((may_alias)) word;
    u8 *t = to;
    const u8 *f = from;
    if ((((u64)t ^ (u64)f) & 7) == 0) {
        for (; count != 0 && ((u64)t & 7) != 0; count--)
            *t++ = *f++;
        for (; count >= 8; count -= 8, t += 8, f += 8)
            *(word *)t = *(const word *)f;
    }
    for (; count != 0; count--)
        *t++ = *f++;
    return to;
}

/* The next pseudo-random number (xorshift with a multiplication at the end). */
static inline u64 random_next(u64 *state)
{
    u64 x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1du;
}

/* A checksum that has seen `value` after `sum`. */
static inline u64 mix(u64 sum, u64 value)
{
    sum = (sum ^ value) * 0x9e3779b97f4a7c15u;
    return sum ^ (sum >> 29);
}

/* The bits of a floating-point number, for checksums. */
static inline u64 bits_of(double value)
{
    union {
        double number;
        u64 bits;
    } both = {value};
    return both.bits;
}

/* Entered from _start with the stack that the kernel (of the system) made. */
__attribute__((used, noreturn)) void start(const u64 *stack)
{
    u64 argc = stack[0];
    u64 rounds = DEFAULT_ROUNDS;
    if (argc > 1) {
        const u8 *digits = (const u8 *)stack[2];
        rounds = 0;
        for (; *digits >= '0' && *digits <= '9'; digits++)
            rounds = rounds * 10 + (*digits - '0');
    }
    u64 sum = kernel(rounds);
    u8 line[17];
    for (int i = 0; i < 16; i++)
        line[i] = "0123456789abcdef"[sum >> (60 - 4 * i) & 15];
    line[16] = '\n';
    i64 written = system_call(SYS_WRITE, 1, (i64)line, sizeof line);
    for (;;)
        system_call(SYS_EXIT, written == sizeof line ? 0 : 1, 0, 0);
}

#endif
