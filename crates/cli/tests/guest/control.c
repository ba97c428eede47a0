/* build: -O1 -static -nostdlib -fno-builtin -fno-optimize-sibling-calls */
/* Control flow that no stack of calls describes, each in a loop that gets hot: deep
 * recursion, jumps out of it, coroutines, returns to elsewhere, tail calls. */
#include "guest.h"
#include <linux/mman.h>

#define STACK (512l << 20)
#define KEPT __attribute__((noinline, noclone))

/* What a switch of stacks saves, on the stack that is left; the rest, callers save. */
#ifdef __riscv
__asm__(".globl switch_to\nswitch_to:\n"
        " addi sp, sp, -112\n sd ra, 0(sp)\n sd s0, 8(sp)\n sd s1, 16(sp)\n sd s2, 24(sp)\n"
        " sd s3, 32(sp)\n sd s4, 40(sp)\n sd s5, 48(sp)\n sd s6, 56(sp)\n sd s7, 64(sp)\n"
        " sd s8, 72(sp)\n sd s9, 80(sp)\n sd s10, 88(sp)\n sd s11, 96(sp)\n"
        " sd sp, 0(a0)\n mv sp, a1\n"
        " ld ra, 0(sp)\n ld s0, 8(sp)\n ld s1, 16(sp)\n ld s2, 24(sp)\n"
        " ld s3, 32(sp)\n ld s4, 40(sp)\n ld s5, 48(sp)\n ld s6, 56(sp)\n ld s7, 64(sp)\n"
        " ld s8, 72(sp)\n ld s9, 80(sp)\n ld s10, 88(sp)\n ld s11, 96(sp)\n"
        " addi sp, sp, 112\n ret\n");
#define SAVED_WORDS 14
#else
__asm__(".globl switch_to\nswitch_to:\n"
        " push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
        " mov %rsp, (%rdi)\n mov %rsi, %rsp\n"
        " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n");
#define SAVED_WORDS 8
#endif
/* Leaves the stack pointer in `from` and goes on where `to` was left. */
void switch_to(long **from, long *to);

/* A stack on which `entry` begins when it is switched to. */
static long *stack_for(char *top, void (*entry)(void)) {
    long *at = (long *)top - SAVED_WORDS;
    for (int i = 0; i < SAVED_WORDS; i++) at[i] = 0;
#ifdef __riscv
    at[0] = (long)entry;
#else
    at[6] = (long)entry;
#endif
    return at;
}

static char *map_stack(long size) {
    long at = sys(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return (char *)at + size - 64;
}

static long *home, *away;

/* Deep recursion. */
KEPT static long depth_sum(long n) { return n == 0 ? 0 : (n ^ depth_sum(n - 1)) + 1; }
KEPT static long odd_depth(long n);
KEPT static long even_depth(long n) { return n == 0 ? 7 : odd_depth(n - 1) + 1; }
KEPT static long odd_depth(long n) { return n == 0 ? 8 : even_depth(n - 1) * 3; }

static void recurse(void) {
    show_number("1,000,000 frames", depth_sum(1000000));
    show_number("1,000,000 frames again", depth_sum(1000000));
    show_number("frames of two functions", even_depth(500000));
    long sum = 0;
    for (int i = 0; i < 3000; i++) sum += depth_sum(i % 1000);
    show_number("frames of all depths", sum);
    switch_to(&away, home);
}

/* Jumps out of recursion. */
static void *place[5];

KEPT static void sink(long n, volatile long *steps) {
    ++*steps;
    if (n == 0) __builtin_longjmp(place, 1);
    sink(n - 1, steps);
    ++*steps;
}

KEPT static long jump_out(long depth) {
    volatile long steps = 0;
    if (__builtin_setjmp(place) == 0) {
        sink(depth, &steps);
        return -1;
    }
    return steps;
}

/* Coroutines. */
static long *caller, *coroutines[3], passed;

KEPT static void hand_over(int self) { switch_to(&coroutines[self], caller); }

static void odd_numbers(void) {
    for (long n = 1;; n += 2) passed += n, hand_over(0);
}
static void triples(void) {
    for (long n = 0;; n += 3) {
        passed ^= n;
        hand_over(1);
    }
}
KEPT static void deeper(long n, long of) {
    if (n < of) passed += n, hand_over(2), deeper(n + 1, of);
}
static void sawtooth(void) {
    for (;;) deeper(0, 20);
}

/* Returns that do not go where their call came from. */
#ifdef __riscv
__asm__(".globl skip_words\nskip_words:\n" /* returns behind as many instructions as its argument says */
        " slli t0, a0, 2\n add t0, t0, ra\n jr t0\n"
        ".globl skipping\nskipping:\n"
        " mv t6, ra\n li a1, 0\n .option push\n .option norvc\n"
        " jal ra, skip_words\n addi a1, a1, 1\n addi a1, a1, 2\n addi a1, a1, 4\n addi a1, a1, 8\n .option pop\n"
        " mv a0, a1\n mv ra, t6\n ret\n"
        ".globl twice\ntwice:\n" /* its callee returns to itself, once, then home */
        " mv t6, ra\n li a1, 3\n la ra, 1f\n1: addi a1, a1, 5\n li t1, 1000\n bge a1, t1, 2f\n ret\n"
        "2: mv a0, a1\n mv ra, t6\n ret\n"
        ".globl swapped\nswapped:\n" /* a coroutine by `jalr ra, ra` */
        " mv t6, ra\n mv a1, a0\n li a0, 0\n la ra, 3f\n"
        "1: addi a0, a0, 1\n jalr ra, ra\n addi a1, a1, -1\n bnez a1, 1b\n mv ra, t6\n ret\n"
        "3: slli a0, a0, 1\n li t1, 0xffff\n and a0, a0, t1\n jalr ra, ra\n j 3b\n");
long skipping(long words), twice(void), swapped(long times);
#else
static long skipping(long words) {
    long sum = 0;
    for (long word = words; word < 4; word++) sum += 1l << word;
    return sum;
}
static long twice(void) { return 1003; }
static long swapped(long times) {
    long value = 0;
    while (times--) value = (value + 1) << 1 & 0xffff;
    return value;
}
#endif

/* A call that returns into a loop, and a way through that which takes a register for
 * single precision in which there is something else. The call is made once in each round. */
#ifdef __riscv
__asm__(".globl count_calls\ncount_calls:\n"
        " mv t6, ra\n mv a3, a0\n li a0, 0\n li a1, 1234567\n fmv.d.x fa0, a1\n la a5, 5f\n"
        "1: li a6, 5\n jalr ra, 0(a5)\n"
        "2: andi a4, a3, 1023\n bnez a4, 3f\n fadd.s fa2, fa0, fa0\n"
        "3: addi a6, a6, -1\n bnez a6, 2b\n addi a3, a3, -1\n bnez a3, 1b\n mv ra, t6\n ret\n"
        "5: addi a0, a0, 1\n ret\n");
long count_calls(long times);
#else
static long count_calls(long times) { return times; }
#endif

/* Tail calls, by pointers that nobody knows, and by turns. */
typedef long (*state)(long value, long left);
static const state states[4];
#define TAIL __attribute__((optimize("optimize-sibling-calls"))) KEPT
TAIL static long add_state(long value, long left) {
    return left == 0 ? value : states[value & 3](value + left, left - 1);
}
TAIL static long mul_state(long value, long left) {
    return left == 0 ? value : states[(value >> 2) & 3](value * 5 + 1, left - 1);
}
TAIL static long xor_state(long value, long left) {
    return left == 0 ? value : states[(value >> 4) & 3](value ^ left << 3, left - 1);
}
TAIL static long is_odd(long value, long left);
TAIL static long is_even(long value, long left) { return left == 0 ? value : is_odd(value + 1, left - 1); }
TAIL static long is_odd(long value, long left) { return left == 0 ? -value : is_even(value + 1, left - 1); }
static const state states[4] = {add_state, mul_state, xor_state, add_state};

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    switch_to(&home, stack_for(map_stack(STACK), recurse));

    long sum = 0;
    for (long i = 0; i < 20000; i++) sum = sum * 3 + jump_out(i % 60);
    show_number("jumps out of recursion", sum);
    show_number("out of 3,000 frames", jump_out(3000));

    void (*const entries[])(void) = {odd_numbers, triples, sawtooth};
    for (int i = 0; i < 3; i++) coroutines[i] = stack_for(map_stack(1 << 16), entries[i]);
    for (int i = 0; i < 60000; i++) switch_to(&caller, coroutines[i % 7 % 3]);
    show_number("coroutines", passed);

    sum = 0;
    for (long i = 0; i < 40000; i++) sum = sum * 7 + skipping(i & 3) + twice();
    show_number("returns to elsewhere", sum);
    show_number("calls by way of the return address", swapped(50000));

    show_number("calls", count_calls(50000));

    show_number("tail calls", add_state(1, 3000000));
    show_number("tail calls in turns", is_even(0, 3000001));
    return 0;
}
