/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: integer */
/* Products of matrices of integers modulo a prime, and their transpositions. */
#define DEFAULT_ROUNDS 950
#include "kernel.h"

enum { N = 72, PRIME = 998244353 };

static u32 a[N][N], b[N][N], c[N][N];

static NOINLINE void multiply(void)
{
    for (u32 i = 0; i < N; i++)
        for (u32 j = 0; j < N; j++) {
            u64 sum = 0;
            for (u32 k = 0; k < N; k++)
                sum += (u64)a[i][k] * b[k][j] % PRIME;
            c[i][j] = (u32)(sum % PRIME);
        }
}

static NOINLINE void transpose(void)
{
    for (u32 i = 0; i < N; i++)
        for (u32 j = 0; j < N; j++)
            a[j][i] = c[i][j];
}

static u64 kernel(u64 rounds)
{
    u64 seed = 7, sum = 0;
    for (u32 i = 0; i < N; i++)
        for (u32 j = 0; j < N; j++) {
            a[i][j] = (u32)(random_next(&seed) % PRIME);
            b[i][j] = (u32)(random_next(&seed) % PRIME);
        }
    for (u64 round = 0; round < rounds; round++) {
        multiply();
        transpose();
        sum = mix(sum, a[round % N][round / N % N]);
    }
    return sum;
}
