/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: integer */
/* The distance between strings, insertions, deletions and replacements counted, row by row. */
#define DEFAULT_ROUNDS 900
#include "kernel.h"

enum { CHARACTERS = 500 };

static u8 first[CHARACTERS], second[CHARACTERS];
static u32 row[CHARACTERS + 1];

static NOINLINE u32 distance(void)
{
    for (u32 j = 0; j <= CHARACTERS; j++)
        row[j] = j;
    for (u32 i = 1; i <= CHARACTERS; i++) {
        u32 diagonal = row[0], left = i;
        row[0] = i;
        for (u32 j = 1; j <= CHARACTERS; j++) {
            u32 above = row[j];
            u32 best = diagonal + (first[i - 1] != second[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (left + 1 < best)
                best = left + 1;
            diagonal = above;
            left = row[j] = best;
        }
    }
    return row[CHARACTERS];
}

static u64 kernel(u64 rounds)
{
    u64 seed = 11, sum = 0;
    for (u32 i = 0; i < CHARACTERS; i++) {
        first[i] = (u8)(random_next(&seed) >> 60);
        second[i] = (u8)(random_next(&seed) >> 60);
    }
    for (u64 round = 0; round < rounds; round++) {
        u64 r = random_next(&seed);
        first[r % CHARACTERS] = (u8)(r >> 60);
        sum = mix(sum, distance());
    }
    return sum;
}
