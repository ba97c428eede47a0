/* Threads without a C library: their start, their end, and a lock between them. */
#pragma once
#include "guest.h"
#include <linux/futex.h>
#include <linux/sched.h>

#define THREAD                                                                                     \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |            \
     CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
enum { STACK = 16384 };

typedef struct {
    void (*run)(void *);
    void *argument;
    /* Set by the kernel: the thread's number, and 0 when it has ended. */
    int number, alive;
    char stack[STACK];
} __attribute__((aligned(64))) thread;

/* Runs `run` on the thread's own stack, and ends the thread. */
static long start(thread *t, void (*run)(void *), void *argument) {
    t->run = run;
    t->argument = argument;
    t->alive = 1;
    char *top = t->stack + STACK;
    long result;
#ifdef __riscv
    register long a7 __asm__("a7") = __NR_clone, a0 __asm__("a0") = THREAD, a1 __asm__("a1") = (long)top,
                  a2 __asm__("a2") = (long)&t->number, a3 __asm__("a3") = 0, a4 __asm__("a4") = (long)&t->alive;
    register thread *s1 __asm__("s1") = t;
    register long exit_number __asm__("s2") = __NR_exit;
    __asm__ volatile("ecall\n\tbnez a0, 1f\n\tld a0, 8(s1)\n\tld t0, 0(s1)\n\tjalr t0\n\tli a0, 0\n\t"
                     "mv a7, s2\n\tecall\n1:"
                     : "+r"(a0)
                     : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(s1), "r"(exit_number)
                     : "memory", "t0", "ra");
    result = a0;
#else
    register long r10 __asm__("r10") = (long)&t->alive, r8 __asm__("r8") = 0;
    register thread *r12 __asm__("r12") = t;
    __asm__ volatile("syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\tmov 8(%%r12), %%rdi\n\tcall *(%%r12)\n\t"
                     "xor %%edi, %%edi\n\tmov %[quit], %%eax\n\tsyscall\n1:"
                     : "=a"(result)
                     : "a"((long)__NR_clone), "D"((long)THREAD), "S"(top), "d"(&t->number), "r"(r10), "r"(r8),
                       "r"(r12), [quit] "i"(__NR_exit)
                     : "rcx", "r11", "memory");
#endif
    return result;
}

static void join(thread *t) {
    int value;
    while ((value = __atomic_load_n(&t->alive, __ATOMIC_ACQUIRE)) != 0)
        sys(futex, &t->alive, FUTEX_WAIT, value, 0);
}

/* A lock of three states (Drepper, "Futexes Are Tricky"). */
static void lock(int *word) {
    int zero = 0;
    if (__atomic_compare_exchange_n(word, &zero, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
    while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0) sys(futex, word, FUTEX_WAIT_PRIVATE, 2, 0);
}

static void unlock(int *word) {
    if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2) sys(futex, word, FUTEX_WAKE_PRIVATE, 1);
}
