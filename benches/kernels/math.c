/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -ffp-contract=off -fno-math-errno -Wl,--build-id=none -march=rv64gc */
/* class: floating point */
/* Exponentials, logarithms and sines by series: conversions, comparisons and bits as well as arithmetic. */
#define DEFAULT_ROUNDS 6500
#include "kernel.h"

static double from_bits(u64 bits)
{
    union {
        u64 bits;
        double number;
    } both = {bits};
    return both.number;
}

static double absolute(double x)
{
    return x < 0 ? -x : x;
}

static i64 nearest(double x)
{
    return (i64)(x < 0 ? x - 0.5 : x + 0.5);
}

/* e^x = 2^n * e^r with r at most half of log 2. */
static NOINLINE double exponential(double x)
{
    const double log2 = 0.69314718055994530942;
    i64 n = nearest(x / log2);
    double r = x - (double)n * log2, term = 1, sum = 1;
    for (int i = 1; i < 14; i++) {
        term = term * r / i;
        sum += term;
    }
    return sum * from_bits((u64)(n + 1023) << 52);
}

/* log x = n log 2 + log m, and log m = 2 artanh((m - 1) / (m + 1)). */
static NOINLINE double logarithm(double x)
{
    u64 bits = bits_of(x);
    i64 n = (i64)(bits >> 52 & 2047) - 1023;
    double m = from_bits((bits & 0xfffffffffffffu) | 1023ul << 52);
    if (m > 1.41421356237309504880) {
        m *= 0.5;
        n++;
    }
    double t = (m - 1) / (m + 1), square = t * t, power = t, sum = 0;
    for (int i = 1; i < 20; i += 2) {
        sum += power / i;
        power *= square;
    }
    return 2 * sum + (double)n * 0.69314718055994530942;
}

/* By a polynomial around the next multiple of pi. */
static NOINLINE double sine(double x)
{
    const double pi = 3.14159265358979323846;
    i64 n = nearest(x / pi);
    double r = x - (double)n * pi, square = r * r;
    double p = -7.6471637318198164759e-13;
    p = p * square + 1.6059043836821614599e-10;
    p = p * square - 2.5052108385441718775e-08;
    p = p * square + 2.7557319223985890653e-06;
    p = p * square - 1.9841269841269841270e-04;
    p = p * square + 8.3333333333333333333e-03;
    p = p * square - 1.6666666666666666667e-01;
    p = (p * square + 1) * r;
    return n & 1 ? -p : p;
}

static u64 kernel(u64 rounds)
{
    double sum = 0, worst = 0;
    for (u64 round = 0; round < rounds; round++) {
        for (u32 i = 0; i < 512; i++) {
            double x = (double)(i64)(i * 37 + round % 1000) * 0.001 - 8.5;
            double e = exponential(x);
            double back = absolute(logarithm(e) - x);
            double s = sine(x), c = sine(x + 1.57079632679489661923);
            double circle = absolute(s * s + c * c - 1);
            if (back > worst)
                worst = back;
            if (circle > worst)
                worst = circle;
            sum += e * 0.001 + s;
        }
    }
    return worst < 1e-8 ? bits_of(sum) : 0;
}
