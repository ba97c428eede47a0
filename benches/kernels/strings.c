/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: strings */
/* Loops over bytes as a simple C library has them: lengths, comparisons, characters, searches. */
#define DEFAULT_ROUNDS 1500
#include "kernel.h"

enum { TEXT = 32 << 10 };

static u8 text[TEXT + 1], copy[TEXT + 1];

static NOINLINE u64 length(const u8 *s)
{
    const u8 *at = s;
    while (*at != 0)
        at++;
    return (u64)(at - s);
}

static NOINLINE const u8 *character(const u8 *s, u8 wanted)
{
    for (; *s != wanted; s++)
        if (*s == 0)
            return 0;
    return s;
}

static NOINLINE int compare(const u8 *a, const u8 *b, u64 count)
{
    for (; count != 0; count--, a++, b++)
        if (*a != *b)
            return *a < *b ? -1 : 1;
    return 0;
}

static NOINLINE u8 *copy_string(u8 *to, const u8 *from)
{
    while ((*to = *from++) != 0)
        to++;
    return to;
}

static NOINLINE const u8 *find(const u8 *s, const u8 *wanted)
{
    u64 count = length(wanted);
    for (; (s = character(s, *wanted)) != 0; s++)
        if (compare(s, wanted, count) == 0)
            return s;
    return 0;
}

/* Horspool's search: skips by the last character. */
static NOINLINE const u8 *find_skipping(const u8 *s, u64 size, const u8 *wanted)
{
    u64 count = length(wanted);
    u8 skips[256];
    for (u32 i = 0; i < LENGTH(skips); i++)
        skips[i] = (u8)count;
    for (u64 i = 0; i + 1 < count; i++)
        skips[wanted[i]] = (u8)(count - 1 - i);
    for (u64 at = 0; at + count <= size; at += skips[s[at + count - 1]])
        if (compare(s + at, wanted, count) == 0)
            return s + at;
    return 0;
}

static u64 kernel(u64 rounds)
{
    static const u8 wanted[][12] = {"needle", "hay", "stack", "zzz", "eedl", "a stack"};
    u64 seed = 13, sum = 0;
    for (u32 i = 0; i < TEXT; i++)
        text[i] = (u8)" abcdehklnsty"[random_next(&seed) % 13];
    for (u64 round = 0; round < rounds; round++) {
        text[random_next(&seed) % TEXT] = 'z';
        copy_string(copy_string(copy, text + TEXT / 2) - 1, text + TEXT / 2);
        sum = mix(sum, length(copy) + (u64)compare(copy, text + TEXT / 2, TEXT));
        for (u32 i = 0; i < LENGTH(wanted); i++) {
            const u8 *one = find(text, wanted[i]);
            const u8 *other = find_skipping(text, TEXT, wanted[i]);
            if (one != other)
                return 0;
            sum = mix(sum, one == 0 ? TEXT : (u64)(one - text));
        }
    }
    return sum;
}
