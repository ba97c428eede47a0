/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: integer */
/* CRC-32 by a table of bytes, and by four tables a word at a time. */
#define DEFAULT_ROUNDS 1500
#include "kernel.h"

static u32 tables[4][256];
static u32 buffer[16 << 10];

static void make_tables(void)
{
    for (u32 i = 0; i < 256; i++) {
        u32 crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        tables[0][i] = crc;
    }
    for (u32 i = 0; i < 256; i++)
        for (int t = 1; t < 4; t++)
            tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 255];
}

static NOINLINE u32 by_bytes(const u8 *bytes, u64 count)
{
    u32 crc = ~0u;
    for (; count != 0; count--)
        crc = crc >> 8 ^ tables[0][(crc ^ *bytes++) & 255];
    return ~crc;
}

static NOINLINE u32 by_words(const u32 *words, u64 count)
{
    u32 crc = ~0u;
    for (; count != 0; count--) {
        crc ^= *words++;
        crc = tables[3][crc & 255] ^ tables[2][crc >> 8 & 255] ^ tables[1][crc >> 16 & 255] ^ tables[0][crc >> 24];
    }
    return ~crc;
}

static u64 kernel(u64 rounds)
{
    u64 seed = 3, sum = 0;
    make_tables();
    for (u32 i = 0; i < LENGTH(buffer); i++)
        buffer[i] = (u32)random_next(&seed);
    for (u64 round = 0; round < rounds; round++) {
        buffer[round % LENGTH(buffer)] += (u32)round;
        u32 words = by_words(buffer, LENGTH(buffer));
        if (by_bytes((const u8 *)buffer, sizeof buffer) != words)
            return 0;
        sum = mix(sum, words);
    }
    return sum;
}
