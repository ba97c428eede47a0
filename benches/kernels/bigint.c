/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: integer */
/* Powers modulo a number of 1024 bits, by Montgomery's multiplication. */
#define DEFAULT_ROUNDS 6500
#include "kernel.h"

enum { WORDS = 16 };

typedef unsigned __int128 u128;

static u64 modulus[WORDS];
static u64 inverse;

static int below(const u64 *a, const u64 *b)
{
    for (int i = WORDS - 1; i >= 0; i--)
        if (a[i] != b[i])
            return a[i] < b[i];
    return 0;
}

static void subtract(u64 *a, const u64 *b)
{
    u64 borrow = 0;
    for (int i = 0; i < WORDS; i++) {
        u128 difference = (u128)a[i] - b[i] - borrow;
        a[i] = (u64)difference;
        borrow = (u64)(difference >> 64) & 1;
    }
}

/* result = a * b / 2^1024 modulo the modulus */
static NOINLINE void multiply(u64 *result, const u64 *a, const u64 *b)
{
    u64 t[WORDS + 2] = {0};
    for (int i = 0; i < WORDS; i++) {
        u64 carry = 0;
        for (int j = 0; j < WORDS; j++) {
            u128 sum = (u128)a[j] * b[i] + t[j] + carry;
            t[j] = (u64)sum;
            carry = (u64)(sum >> 64);
        }
        u128 top = (u128)t[WORDS] + carry;
        t[WORDS] = (u64)top;
        t[WORDS + 1] = (u64)(top >> 64);
        u64 factor = t[0] * inverse;
        carry = (u64)(((u128)factor * modulus[0] + t[0]) >> 64);
        for (int j = 1; j < WORDS; j++) {
            u128 sum = (u128)factor * modulus[j] + t[j] + carry;
            t[j - 1] = (u64)sum;
            carry = (u64)(sum >> 64);
        }
        top = (u128)t[WORDS] + carry;
        t[WORDS - 1] = (u64)top;
        t[WORDS] = t[WORDS + 1] + (u64)(top >> 64);
    }
    if (t[WORDS] != 0 || !below(t, modulus))
        subtract(t, modulus);
    for (int i = 0; i < WORDS; i++)
        result[i] = t[i];
}

static u64 kernel(u64 rounds)
{
    u64 seed = 271828, sum = 0, base[WORDS];
    for (int i = 0; i < WORDS; i++) {
        modulus[i] = random_next(&seed);
        base[i] = random_next(&seed);
    }
    modulus[0] |= 1;
    modulus[WORDS - 1] |= 1ul << 63;
    base[WORDS - 1] >>= 1;
    u64 x = 1;
    for (int i = 0; i < 6; i++)
        x *= 2 - modulus[0] * x;
    inverse = -x;
    for (u64 round = 0; round < rounds; round++) {
        u64 exponent = random_next(&seed) | 1ul << 63, power[WORDS];
        for (int i = 0; i < WORDS; i++)
            power[i] = base[i];
        for (int bit = 62; bit >= 0; bit--) {
            multiply(power, power, power);
            if (exponent >> bit & 1)
                multiply(power, power, base);
        }
        for (int i = 0; i < WORDS; i++) {
            sum = mix(sum, power[i]);
            base[i] = power[i];
        }
    }
    return sum;
}
