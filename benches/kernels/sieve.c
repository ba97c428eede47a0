/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: integer */
/* Primes below a quarter of a million: a byte for each odd number. */
#define DEFAULT_ROUNDS 2000
#include "kernel.h"

enum { LIMIT = 250000 };

static u8 composite[LIMIT / 2];

static NOINLINE u64 sieve(u32 limit)
{
    for (u32 i = 0; i < limit / 2; i++)
        composite[i] = 0;
    for (u32 n = 3; n * n < limit; n += 2)
        if (!composite[n / 2])
            for (u32 multiple = n * n; multiple < limit; multiple += 2 * n)
                composite[multiple / 2] = 1;
    u64 count = 1;
    for (u32 i = 1; i < limit / 2; i++)
        count += !composite[i];
    return count;
}

static u64 kernel(u64 rounds)
{
    u64 sum = 0;
    for (u64 round = 0; round < rounds; round++)
        sum = mix(sum, sieve(LIMIT - 2 * (u32)(round % 100)));
    return sum;
}
