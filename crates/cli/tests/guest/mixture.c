/* build: -O2 -static -nostdlib -fno-builtin -fno-tree-vectorize -ffp-contract=off */
/* A little of everything that hot code is made of, each in a loop: what those who look
 * for wrong translations are tested on. */
#include "guest.h"

#define KEPT __attribute__((noinline, noclone))

static unsigned char bytes[256];
static int words[64];
static double reals[32];
static unsigned long counter;

KEPT static long narrow(const unsigned char *from, int n) {
    long sum = 0;
    for (int i = 0; i < n; i++) sum = sum * 3 + from[i];
    return sum;
}

KEPT static long signs(const int *from, int n) {
    long sum = 0;
    for (int i = 0; i < n; i++) {
        int word = from[i] * 0x10001 - i;
        sum += word >> 3;
        if (word < -5) sum ^= (long)word << 7;
    }
    return sum;
}

KEPT static unsigned long products(unsigned long n) {
    unsigned long low = 0x9e3779b97f4a7c15ul, high = 1;
    while (n--) {
        high ^= (unsigned long)(((unsigned __int128)low * (low | n)) >> 64);
        low = low * 6364136223846793005ul + high;
    }
    return low ^ high;
}

KEPT static double differences(double *at, int n) {
    double sum = 0;
    for (int i = 1; i < n; i++) {
        at[i] = at[i] - at[i - 1] * 0.5;
        sum += at[i] * at[i];
    }
    return sum;
}

KEPT static double halves(int n) {
    /* All of it is exact. */
    double sum = 0;
    for (int i = 0; i < n; i++) sum = sum + 0.5;
    return sum;
}

KEPT static void stores(unsigned char *to, int n, int salt) {
    for (int i = 0; i < n; i++) to[i] = (unsigned char)(i * 7 + salt);
}

KEPT static void count(unsigned n) {
    while (n--) {
        __atomic_fetch_add(&counter, n & 31, __ATOMIC_RELAXED);
        unsigned long seen = counter;
        __atomic_compare_exchange_n(&counter, &seen, seen * 3 + n, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
}

KEPT static long step(long value, double real) { return value * 3 + (long)real; }

KEPT static long calls(int n) {
    long value = 1;
    double real = 0.25;
    for (int i = 0; i < n; i++) {
        real = real * 1.0625 + i;
        value = step(value & 0xffffff, real);
    }
    return value;
}

/* Whether an exception was raised that exact computation does not raise. */
static int inexact(void) {
#ifdef __riscv
    unsigned long flags;
    __asm__ volatile("frflags %0" : "=r"(flags));
    return flags & 1;
#else
    unsigned flags;
    __asm__ volatile("stmxcsr %0" : "=m"(flags));
    return flags >> 5 & 1;
#endif
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    long sum = 0;
    double exact = 0, real = 0;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 64; i++) words[i] = (i - 32) * 0x2345 + round;
        exact += halves(50);
        stores(bytes, 256, round);
        sum += narrow(bytes, 256) + signs(words, 64) + (long)products(40);
        count(60);
        if (round == 20) show_number("inexact", inexact());
    }
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 32; i++) reals[i] = i * 1.75 - round;
        real += differences(reals, 32);
        sum += calls(60);
    }
    show_number("integers", sum);
    show_number("sums", (long)exact);
    show_number("differences", (long)(real * 1000));
    show_number("counter", (long)counter);
    return 0;
}
