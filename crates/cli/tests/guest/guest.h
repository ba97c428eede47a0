/* A program without a C library, for riscv64 and for x86-64: raw system calls
 * under their generic names, and just enough output to print results.
 *
 * Every program prints the same on both architectures and under any kernel
 * that does what it should; structures come from the kernel's own headers, so
 * each architecture uses its own layout. */
#pragma once
#pragma GCC diagnostic ignored "-Wunused-function" /* no program uses every helper */
#include <asm/errno.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <stddef.h>
#include <stdint.h>

static long syscall6(long n, long a, long b, long c, long d, long e, long f) {
#ifdef __riscv
    register long a7 __asm__("a7") = n, a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c,
                  a3 __asm__("a3") = d, a4 __asm__("a4") = e, a5 __asm__("a5") = f;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5) : "memory");
    return a0;
#else
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
#endif
}

/* sys(openat, AT_FDCWD, "x", O_RDONLY): missing arguments are 0. */
#define SYS_ARGS(n, a, b, c, d, e, f, ...) \
    syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define sys(name, ...) SYS_ARGS(__NR_##name __VA_OPT__(, ) __VA_ARGS__, 0, 0, 0, 0, 0, 0)

/* Wild pointers: nothing is mapped there, in a user's half and outside it. */
#define WILD ((void *)0x123450000ul)
#define OUTSIDE ((void *)0xffffffffffff0000ul)

static size_t length(const char *text) {
    size_t n = 0;
    while (text[n]) n++;
    return n;
}

static inline int equal(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

/* The compiler asks for these two by name. */
void *memset(void *to, int byte, size_t n) {
    volatile char *at = to;
    while (n--) *at++ = (char)byte;
    return to;
}

void *memcpy(void *to, const void *from, size_t n) {
    char *at = to;
    const char *source = from;
    while (n--) *(volatile char *)at++ = *source++;
    return to;
}

static void put(const char *text) { sys(write, 1, text, length(text)); }

static void number(long value) {
    char digits[24], *at = digits + sizeof digits - 1;
    unsigned long rest = value < 0 ? -(unsigned long)value : (unsigned long)value;
    *at = 0;
    do *--at = (char)('0' + rest % 10); while (rest /= 10);
    if (value < 0) *--at = '-';
    put(at);
}

static const char *const errors[] = {
    [EPERM] = "EPERM", [ENOENT] = "ENOENT", [ESRCH] = "ESRCH", [EINTR] = "EINTR", [EIO] = "EIO",
    [ENXIO] = "ENXIO", [E2BIG] = "E2BIG", [ENOEXEC] = "ENOEXEC", [EBADF] = "EBADF", [ECHILD] = "ECHILD",
    [EAGAIN] = "EAGAIN", [ENOMEM] = "ENOMEM", [EACCES] = "EACCES", [EFAULT] = "EFAULT", [EBUSY] = "EBUSY",
    [EEXIST] = "EEXIST", [EXDEV] = "EXDEV", [ENODEV] = "ENODEV", [ENOTDIR] = "ENOTDIR", [EISDIR] = "EISDIR",
    [EINVAL] = "EINVAL", [EMFILE] = "EMFILE", [ENOTTY] = "ENOTTY", [EFBIG] = "EFBIG", [ENOSPC] = "ENOSPC",
    [ESPIPE] = "ESPIPE", [EROFS] = "EROFS", [EPIPE] = "EPIPE", [ERANGE] = "ERANGE", [ENAMETOOLONG] = "ENAMETOOLONG",
    [ENOSYS] = "ENOSYS", [ENOTEMPTY] = "ENOTEMPTY", [ELOOP] = "ELOOP", [ENOMSG] = "ENOMSG", [EIDRM] = "EIDRM",
    [ENODATA] = "ENODATA", [EOVERFLOW] = "EOVERFLOW", [ENOTSOCK] = "ENOTSOCK", [EDESTADDRREQ] = "EDESTADDRREQ",
    [EMSGSIZE] = "EMSGSIZE", [EPROTOTYPE] = "EPROTOTYPE", [ENOPROTOOPT] = "ENOPROTOOPT", [EOPNOTSUPP] = "EOPNOTSUPP",
    [EAFNOSUPPORT] = "EAFNOSUPPORT", [EADDRINUSE] = "EADDRINUSE", [ENOTCONN] = "ENOTCONN",
    [EISCONN] = "EISCONN", [ECONNREFUSED] = "ECONNREFUSED", [ETIMEDOUT] = "ETIMEDOUT", [EPROTONOSUPPORT] = "EPROTONOSUPPORT",
};

static void error(long result) {
    unsigned long code = (unsigned long)-result;
    if (code < sizeof errors / sizeof *errors && errors[code]) put(errors[code]);
    else put("errno "), number((long)code);
}

/* Prints "what = value" or "what = EXXX"; gives the value back. */
static long show(const char *what, long result) {
    put(what);
    put(" = ");
    if (result < 0 && result > -4096) error(result);
    else number(result);
    put("\n");
    return result;
}

/* As show, for values that are different at each run: "ok" or "EXXX". */
static long show_ok(const char *what, long result) {
    put(what);
    put(" = ");
    if (result < 0 && result > -4096) error(result);
    else put("ok");
    put("\n");
    return result;
}

/* As show, for values that may be negative. */
static void show_number(const char *what, long value) { put(what), put(" = "), number(value), put("\n"); }

static void show_text(const char *what, const char *text) {
    put(what), put(" = \""), put(text), put("\"\n");
}

static void show_yes(const char *what, int yes) {
    put(what), put(yes ? ": yes\n" : ": NO\n");
}

/* The wait status of a child, in words. */
static void show_status(const char *what, int status) {
    put(what);
    if ((status & 0x7f) == 0) put(" exited "), number(status >> 8 & 0xff);
    else if ((status & 0xff) == 0x7f) put(" stopped by "), number(status >> 8 & 0xff);
    else put(" killed by "), number(status & 0x7f);
    put("\n");
}

/* A child that begins with its parent's memory; `flags` may add to the signal of its end.
 * Inlined, since a child of vfork must not return to where its parent will. */
__attribute__((always_inline)) static inline long clone_child(long flags) { return sys(clone, flags, 0, 0, 0, 0); }

static long fork_child(void) {
#ifdef __riscv
    return sys(clone, 17, 0, 0, 0, 0);
#else
    return sys(fork);
#endif
}

static int reap(long pid) {
    int status = -1;
    sys(wait4, pid, &status, 0, 0);
    return status;
}

_Noreturn static void quit(int status) {
    for (;;) sys(exit_group, status);
}

/* What a program's starter could have left: descriptors, whose numbers are printed;
 * signals that are ignored or blocked; a limit for core files, which children that are
 * killed would write. */
static void prepare(void) {
    static const uint64_t no_cores[2] = {0, 0}, action[4] = {0}, none = 0;
    sys(close_range, 3, ~0u, 0);
    sys(prlimit64, 0, 4, no_cores, 0);
    for (int signal = 1; signal <= 64; signal++) sys(rt_sigaction, signal, action, 0, 8);
    sys(rt_sigprocmask, 2, &none, 0, 8);
}

int program(int argc, char **argv, char **envp);

__attribute__((used)) _Noreturn static void begin(long *stack) {
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1);
    quit(program(argc, argv, argv + argc + 1));
}

#ifdef __riscv
__asm__(".global _start\n_start:\n .option push\n .option norelax\n la gp, __global_pointer$\n .option pop\n"
        " mv a0, sp\n andi sp, sp, -16\n j begin\n");
#else
__asm__(".global _start\n_start:\n xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
#endif
