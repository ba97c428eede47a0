/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: integer */
/* A machine of 512 states, each with code of its own: more than a small instruction cache holds. */
#define DEFAULT_ROUNDS 350
#include "kernel.h"

/* One state: what it does to the two accumulators and where it goes differ by N. */
#define STATE(N)                                                                        \
    case (N):                                                                           \
        a += b ^ ((N) * 2654435761u);                                                   \
        b = (b << ((N) % 13 + 3)) | (b >> (32 - ((N) % 13 + 3)));                       \
        if ((a >> ((N) % 17)) & 1)                                                      \
            b += (N) * 31 + 7;                                                          \
        else                                                                            \
            a ^= b >> ((N) % 5 + 1);                                                    \
        visits[(N) % 8] += (N) % 3 + 1;                                                 \
        state = (a + (N) * 17) >> ((N) % 7) & 511;                                      \
        break;

#define STATES_4(N) STATE(N) STATE((N) + 1) STATE((N) + 2) STATE((N) + 3)
#define STATES_16(N) STATES_4(N) STATES_4((N) + 4) STATES_4((N) + 8) STATES_4((N) + 12)
#define STATES_64(N) STATES_16(N) STATES_16((N) + 16) STATES_16((N) + 32) STATES_16((N) + 48)
#define STATES_256(N) STATES_64(N) STATES_64((N) + 64) STATES_64((N) + 128) STATES_64((N) + 192)

static u64 kernel(u64 rounds)
{
    u32 a = 1, b = 0x12345678, state = 0, visits[8] = {0};
    for (u64 round = 0; round < rounds; round++) {
        for (u32 step = 0; step < 65536; step++) {
            switch (state) {
                STATES_256(0)
                STATES_256(256)
            }
        }
        a += (u32)round;
    }
    u64 sum = mix(a, b);
    for (u32 i = 0; i < LENGTH(visits); i++)
        sum = mix(sum, visits[i]);
    return sum;
}
