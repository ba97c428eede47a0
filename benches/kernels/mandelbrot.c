/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -ffp-contract=off -fno-math-errno -Wl,--build-id=none -march=rv64gc */
/* class: floating point */
/* How fast points of the plane escape, in single precision. */
#define DEFAULT_ROUNDS 60
#include "kernel.h"

enum { WIDTH = 160, HEIGHT = 100, LIMIT = 200 };

static NOINLINE u32 escape(float x, float y)
{
    float re = 0, im = 0;
    u32 steps = 0;
    while (steps < LIMIT) {
        float re2 = re * re, im2 = im * im;
        if (re2 + im2 > 4.0f)
            break;
        im = 2.0f * re * im + y;
        re = re2 - im2 + x;
        steps++;
    }
    return steps;
}

static u64 kernel(u64 rounds)
{
    u64 sum = 0;
    float zoom = 1.0f;
    for (u64 round = 0; round < rounds; round++) {
        u32 total = 0;
        for (u32 row = 0; row < HEIGHT; row++)
            for (u32 column = 0; column < WIDTH; column++) {
                float x = -0.6f + zoom * 2.8f * ((float)column / WIDTH - 0.5f);
                float y = zoom * 2.2f * ((float)row / HEIGHT - 0.5f);
                total += escape(x, y);
            }
        sum = mix(sum, total);
        zoom *= 0.97f;
    }
    return sum;
}
