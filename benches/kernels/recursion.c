/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: calls */
/* Fibonacci's, Ackermann's and Takeuchi's functions, as they are defined. */
#define DEFAULT_ROUNDS 5500
#include "kernel.h"

static NOINLINE u64 fibonacci(u64 n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static NOINLINE u64 ackermann(u64 m, u64 n)
{
    if (m == 0)
        return n + 1;
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

static NOINLINE i64 takeuchi(i64 x, i64 y, i64 z)
{
    if (y >= x)
        return z;
    return takeuchi(takeuchi(x - 1, y, z), takeuchi(y - 1, z, x), takeuchi(z - 1, x, y));
}

static u64 kernel(u64 rounds)
{
    u64 sum = 0;
    for (u64 round = 0; round < rounds; round++) {
        sum = mix(sum, fibonacci(20 + round % 3));
        sum = mix(sum, ackermann(2, 40 + round % 7));
        sum = mix(sum, (u64)takeuchi(14 + (i64)(round % 2), 9, 4));
    }
    return sum;
}
