/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: integer */
/* SHA-256 (FIPS 180-4) of its own digests, over blocks of 4 KiB. */
#define DEFAULT_ROUNDS 1000000
#include "kernel.h"

static u32 constants[64];
static u8 message[4096];

/* The constants are the fractions of the primes' cube roots, by search in integers. */
static void make_constants(void)
{
    u32 found = 0;
    for (u64 n = 2; found < LENGTH(constants); n++) {
        u32 prime = 1;
        for (u64 d = 2; d * d <= n; d++)
            if (n % d == 0)
                prime = 0;
        if (!prime)
            continue;
        /* root = floor(cbrt(n) * 2^32): root^3 <= n * 2^96, compared in pieces of 128 bits. */
        u64 root = 0;
        for (int bit = 34; bit >= 0; bit--) {
            u64 candidate = root | 1ul << bit;
            unsigned __int128 square = (unsigned __int128)candidate * candidate;
            unsigned __int128 high = (square >> 32) * candidate;
            unsigned __int128 low = (square & 0xffffffffu) * candidate;
            unsigned __int128 cube = high + (low >> 32);
            if (cube < (unsigned __int128)n << 64)
                root = candidate;
        }
        constants[found++] = (u32)root;
    }
}

static inline u32 rotate(u32 x, u32 by)
{
    return x >> by | x << (32 - by);
}

static NOINLINE void digest_block(u32 *state, const u8 *block)
{
    u32 w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (u32)block[4 * i] << 24 | (u32)block[4 * i + 1] << 16 | (u32)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        u32 s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        u32 s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    u32 a = state[0], b = state[1], c = state[2], d = state[3];
    u32 e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        u32 s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
        u32 t1 = h + s1 + ((e & f) ^ (~e & g)) + constants[i] + w[i];
        u32 s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
        u32 t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static u64 kernel(u64 rounds)
{
    u32 state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    make_constants();
    for (u64 round = 0; round < rounds; round++) {
        u8 *block = message + round % (LENGTH(message) / 64) * 64;
        for (u32 i = 0; i < LENGTH(state); i++)
            block[i * 4 + round % 4] ^= (u8)(state[i] >> 8);
        digest_block(state, block);
    }
    return (u64)state[0] << 32 | (state[1] ^ state[7]);
}
