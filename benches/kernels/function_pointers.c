/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: calls */
/* Calls of 128 small functions in an order that nobody can predict. */
#define DEFAULT_ROUNDS 2000
#include "kernel.h"

#define FUNCTION(N) \
    static NOINLINE u64 function_##N(u64 x) { return (x >> (1##N % 23)) * (2 * 1##N + 1) ^ 0x##N; }
#define NAME(N) function_##N,
#define EIGHT(EACH, D) EACH(D##0) EACH(D##1) EACH(D##2) EACH(D##3) EACH(D##4) EACH(D##5) EACH(D##6) EACH(D##7)
#define ALL(EACH)                                                                            \
    EIGHT(EACH, 0) EIGHT(EACH, 1) EIGHT(EACH, 2) EIGHT(EACH, 3) EIGHT(EACH, 4) EIGHT(EACH, 5)            \
    EIGHT(EACH, 6) EIGHT(EACH, 7) EIGHT(EACH, 8) EIGHT(EACH, 9) EIGHT(EACH, 10) EIGHT(EACH, 11)          \
    EIGHT(EACH, 12) EIGHT(EACH, 13) EIGHT(EACH, 14) EIGHT(EACH, 15)

ALL(FUNCTION)

typedef u64 (*Function)(u64);

static const Function functions[] = {ALL(NAME)};

_Static_assert(LENGTH(functions) == 128, "the index below is of seven bits");

static u64 kernel(u64 rounds)
{
    u64 seed = 77, sum = 1;
    for (u64 round = 0; round < rounds; round++)
        for (u32 i = 0; i < 16384; i++) {
            u64 r = random_next(&seed);
            sum += functions[r & 127](sum);
        }
    return sum;
}
