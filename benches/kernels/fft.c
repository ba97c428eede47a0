/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -ffp-contract=off -fno-math-errno -Wl,--build-id=none -march=rv64gc */
/* class: floating point */
/* The fast Fourier transform of 1024 complex numbers in single precision, forth and back. */
#define DEFAULT_ROUNDS 30000
#include "kernel.h"

enum { BITS = 10, N = 1 << BITS };

typedef struct {
    float re;
    float im;
} Complex;

static Complex data[N], roots[N / 2];

/* The N-th roots of unity: halving the angle gives one a bit, products the rest. */
static void make_roots(void)
{
    double re[BITS], im[BITS];
    re[0] = -1, im[0] = 0;
    for (int i = 1; i < BITS; i++) {
        re[i] = i == 1 ? 0 : __builtin_sqrt((1 + re[i - 1]) / 2);
        im[i] = i == 1 ? -1 : -__builtin_sqrt((1 - re[i - 1]) / 2);
    }
    for (u32 k = 0; k < N / 2; k++) {
        double x = 1, y = 0;
        for (int bit = 0; bit < BITS - 1; bit++) {
            if ((k >> bit & 1) == 0)
                continue;
            int power = BITS - 1 - bit;
            double t = x * re[power] - y * im[power];
            y = x * im[power] + y * re[power];
            x = t;
        }
        roots[k] = (Complex){(float)x, (float)y};
    }
}

static NOINLINE void transform(void)
{
    for (u32 i = 0, j = 0; i < N; i++) {
        if (i < j) {
            Complex t = data[i];
            data[i] = data[j];
            data[j] = t;
        }
        u32 bit = N / 2;
        for (; j & bit; bit /= 2)
            j ^= bit;
        j |= bit;
    }
    for (u32 half = 1; half < N; half *= 2) {
        u32 stride = N / 2 / half;
        for (u32 start = 0; start < N; start += 2 * half)
            for (u32 k = 0; k < half; k++) {
                Complex *low = &data[start + k], *high = low + half, root = roots[k * stride];
                float re = high->re * root.re - high->im * root.im;
                float im = high->re * root.im + high->im * root.re;
                high->re = low->re - re;
                high->im = low->im - im;
                low->re += re;
                low->im += im;
            }
    }
}

static u64 kernel(u64 rounds)
{
    u64 seed = 31, sum = 0;
    make_roots();
    for (u32 i = 0; i < N; i++)
        data[i] = (Complex){(float)(random_next(&seed) >> 40) / (1 << 24), 0};
    for (u64 round = 0; round < rounds; round++) {
        transform();
        /* Conjugate and scale: the next transform goes back. */
        for (u32 i = 0; i < N; i++) {
            data[i].re *= 1.0f / 32;
            data[i].im *= -1.0f / 32;
        }
        sum = mix(sum, bits_of(data[round % N].re));
    }
    return sum;
}
