/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: strings */
/* Writes numbers and words as lines, then reads them back: digits, classes of characters, fields. */
#define DEFAULT_ROUNDS 4500
#include "kernel.h"

enum { LINES = 1000 };

static u8 lines[LINES * 48];

static const u8 names[][8] = {"alpha", "beta", "gamma", "delta", "omega"};

static NOINLINE u8 *put_number(u8 *to, u64 value)
{
    u8 digits[20];
    u32 count = 0;
    do {
        digits[count++] = (u8)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count != 0)
        *to++ = digits[--count];
    return to;
}

static NOINLINE u8 *put_name(u8 *to, const u8 *name, int capital)
{
    for (; *name != 0; name++, capital = 0)
        *to++ = capital ? (u8)(*name - 'a' + 'A') : *name;
    return to;
}

static NOINLINE u8 *write_lines(u64 *seed)
{
    u8 *to = lines;
    for (u32 i = 0; i < LINES; i++) {
        u64 r = random_next(seed);
        to = put_number(to, i);
        *to++ = ',';
        to = put_name(to, names[r % LENGTH(names)], (int)(r >> 8 & 1));
        *to++ = ' ';
        to = put_number(to, r >> (r >> 9 & 31));
        *to++ = '\n';
    }
    return to;
}

static int is_letter(u8 c)
{
    return (u8)((c | 32) - 'a') < 26;
}

static int is_digit(u8 c)
{
    return (u8)(c - '0') < 10;
}

static NOINLINE u64 read_lines(const u8 *from, const u8 *end)
{
    u64 sum = 0, newlines = 0, others = 0;
    while (from < end) {
        if (is_digit(*from)) {
            u64 value = 0;
            for (; is_digit(*from); from++)
                value = value * 10 + (*from - '0');
            sum = mix(sum, value);
        } else if (is_letter(*from)) {
            u64 word = 0;
            for (; is_letter(*from); from++)
                word = word << 8 | *from | 32;
            sum += word;
        } else {
            newlines += *from == '\n';
            others += *from != '\n';
            from++;
        }
    }
    return newlines == LINES && others == 2 * LINES ? sum : 0;
}

static u64 kernel(u64 rounds)
{
    u64 seed = 19, sum = 0;
    for (u64 round = 0; round < rounds; round++) {
        const u8 *end = write_lines(&seed);
        sum = mix(sum, read_lines(lines, end));
    }
    return sum;
}
