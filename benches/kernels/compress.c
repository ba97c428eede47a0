/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: integer */
/* Compresses text by references to earlier text, restores it, and compares. */
#define DEFAULT_ROUNDS 2000
#include "kernel.h"

enum { TEXT = 64 << 10, TABLE_BITS = 13, MIN_MATCH = 4, MAX_LITERALS = 127 };

static u8 text[TEXT];
static u8 packed[TEXT + TEXT / 64 + 16];
static u8 restored[TEXT];
static u32 table[1 << TABLE_BITS];

static void make_text(void)
{
    static const u8 words[][10] = {"block", "register", "of", "the", "handler", "jump", "to", "page",
                                   "a", "is", "in", "memory", "and", "fault", "not", "address"};
    u64 seed = 99;
    u32 at = 0;
    while (at < TEXT) {
        u64 r = random_next(&seed) >> 20;
        const u8 *word = words[r % LENGTH(words)];
        for (; *word != 0 && at < TEXT; word++)
            text[at++] = *word;
        if (at < TEXT)
            text[at++] = r >> 8 & 7 ? ' ' : (u8)('0' + (r >> 12) % 75);
    }
}

static u32 load4(const u8 *from)
{
    return (u32)from[0] | (u32)from[1] << 8 | (u32)from[2] << 16 | (u32)from[3] << 24;
}

static u8 *put_literals(u8 *to, const u8 *from, u32 count)
{
    while (count != 0) {
        u32 n = count < MAX_LITERALS ? count : MAX_LITERALS;
        *to++ = (u8)n;
        for (u32 i = 0; i < n; i++)
            *to++ = *from++;
        count -= n;
    }
    return to;
}

/* A byte below 128 counts literals that follow; others are a match's length and a 16-bit distance. */
static NOINLINE u64 compress(void)
{
    for (u32 i = 0; i < LENGTH(table); i++)
        table[i] = 0;
    u8 *to = packed;
    u32 at = 0, literals = 0;
    while (at + MIN_MATCH <= TEXT) {
        u32 here = load4(text + at);
        u32 *entry = &table[here * 2654435761u >> (32 - TABLE_BITS)];
        u32 candidate = *entry;
        *entry = at + 1;
        if (candidate == 0 || at + 1 - candidate > 0xffff || load4(text + candidate - 1) != here) {
            at++;
            continue;
        }
        u32 from = candidate - 1, length = MIN_MATCH;
        while (length < 127 + MIN_MATCH && at + length < TEXT && text[from + length] == text[at + length])
            length++;
        to = put_literals(to, text + literals, at - literals);
        *to++ = (u8)(128 + length - MIN_MATCH);
        *to++ = (u8)(at - from);
        *to++ = (u8)((at - from) >> 8);
        at += length;
        literals = at;
    }
    to = put_literals(to, text + literals, TEXT - literals);
    return (u64)(to - packed);
}

static NOINLINE u64 restore(u64 count)
{
    const u8 *from = packed, *end = packed + count;
    u8 *to = restored;
    while (from < end) {
        u32 n = *from++;
        if (n < 128) {
            while (n-- != 0)
                *to++ = *from++;
            continue;
        }
        const u8 *earlier = to - (from[0] | from[1] << 8);
        from += 2;
        for (n = n - 128 + MIN_MATCH; n != 0; n--)
            *to++ = *earlier++;
    }
    return (u64)(to - restored);
}

static u64 kernel(u64 rounds)
{
    u64 sum = 0;
    make_text();
    for (u64 round = 0; round < rounds; round++) {
        text[round * 7919 % TEXT] = (u8)round;
        u64 count = compress();
        if (restore(count) != TEXT)
            return 0;
        for (u32 i = 0; i < TEXT; i++)
            if (restored[i] != text[i])
                return 0;
        sum = mix(sum, count);
    }
    return sum;
}
