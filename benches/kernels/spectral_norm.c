/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -ffp-contract=off -fno-math-errno -Wl,--build-id=none -march=rv64gc */
/* class: floating point */
/* The norm of an infinite matrix's corner, by powers: mostly divisions. */
#define DEFAULT_ROUNDS 2000
#include "kernel.h"

enum { N = 256 };

static double u[N], v[N], w[N];

static inline double entry(u32 row, u32 column)
{
    u32 diagonal = row + column;
    return 1.0 / (diagonal * (diagonal + 1) / 2 + row + 1);
}

static NOINLINE void times(const double *from, double *to, u32 transposed)
{
    for (u32 i = 0; i < N; i++) {
        double sum = 0;
        for (u32 j = 0; j < N; j++)
            sum += (transposed ? entry(j, i) : entry(i, j)) * from[j];
        to[i] = sum;
    }
}

static u64 kernel(u64 rounds)
{
    for (u32 i = 0; i < N; i++)
        u[i] = 1;
    double norm = 0;
    for (u64 round = 0; round < rounds; round++) {
        times(u, w, 0);
        times(w, v, 1);
        double square = 0, product = 0;
        for (u32 i = 0; i < N; i++) {
            square += v[i] * v[i];
            product += u[i] * v[i];
        }
        norm = __builtin_sqrt(product);
        double scale = 1 / __builtin_sqrt(square);
        for (u32 i = 0; i < N; i++)
            u[i] = v[i] * scale;
        u[round % N] += 1e-3;
    }
    return mix(bits_of(norm), bits_of(u[N - 1]));
}
