/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -ffp-contract=off -fno-math-errno -Wl,--build-id=none -march=rv64gc */
/* class: floating point */
/* Products of matrices of doubles, row by row and by dot products. */
#define DEFAULT_ROUNDS 800
#include "kernel.h"

enum { N = 96 };

static double a[N][N], b[N][N], c[N][N];

static NOINLINE void by_rows(void)
{
    for (u32 i = 0; i < N; i++)
        for (u32 j = 0; j < N; j++)
            c[i][j] = 0;
    for (u32 i = 0; i < N; i++)
        for (u32 k = 0; k < N; k++)
            for (u32 j = 0; j < N; j++)
                c[i][j] += a[i][k] * b[k][j];
}

static NOINLINE void by_dot_products(void)
{
    for (u32 i = 0; i < N; i++)
        for (u32 j = 0; j < N; j++) {
            double sum = 0;
            for (u32 k = 0; k < N; k++)
                sum += c[i][k] * b[k][j];
            a[i][j] = sum * (1.0 / N);
        }
}

static u64 kernel(u64 rounds)
{
    u64 seed = 17, sum = 0;
    for (u32 i = 0; i < N; i++)
        for (u32 j = 0; j < N; j++) {
            a[i][j] = (double)(random_next(&seed) >> 40) / (1 << 24);
            b[i][j] = ((double)(random_next(&seed) >> 40) / (1 << 24) - 0.5) * 0.5;
        }
    for (u64 round = 0; round < rounds; round++) {
        by_rows();
        by_dot_products();
        for (u32 i = 0; i < N; i++)
            a[i][round % N] += 1;
        sum = mix(sum, bits_of(a[round % N][N / 2]));
    }
    return sum;
}
