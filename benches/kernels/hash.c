/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: integer */
/* A table with open addressing: strings go in, are counted, and go out again. */
#define DEFAULT_ROUNDS 400
#include "kernel.h"

enum { SLOTS = 8192, KEYS = 5000, KEY_BYTES = 16 };

typedef struct {
    u64 hash;
    const u8 *key;
    u64 count;
} Slot;

static u8 keys[KEYS][KEY_BYTES];
static Slot slots[SLOTS];

static u64 hash_of(const u8 *text)
{
    u64 hash = 0xcbf29ce484222325u;
    for (; *text != 0; text++)
        hash = (hash ^ *text) * 0x100000001b3u;
    return hash | 1;
}

static int same(const u8 *a, const u8 *b)
{
    for (; *a == *b; a++, b++)
        if (*a == 0)
            return 1;
    return 0;
}

static NOINLINE Slot *find(const u8 *key, u64 hash)
{
    u64 at = (hash >> 20) % SLOTS;
    while (slots[at].hash != 0 && !(slots[at].hash == hash && same(slots[at].key, key)))
        at = (at + 1) % SLOTS;
    return &slots[at];
}

static void count(const u8 *key)
{
    u64 hash = hash_of(key);
    Slot *slot = find(key, hash);
    slot->hash = hash;
    slot->key = key;
    slot->count++;
}

/* Closes the hole that a removed key leaves, as linear probing needs it. */
static u64 take(const u8 *key)
{
    Slot *slot = find(key, hash_of(key));
    u64 had = slot->count;
    u64 hole = (u64)(slot - slots);
    for (u64 at = (hole + 1) % SLOTS; slots[at].hash != 0; at = (at + 1) % SLOTS) {
        u64 home = (slots[at].hash >> 20) % SLOTS;
        if ((at - home) % SLOTS >= (at - hole) % SLOTS) {
            slots[hole] = slots[at];
            hole = at;
        }
    }
    slots[hole] = (Slot){0, 0, 0};
    return had;
}

static void make_keys(void)
{
    u64 seed = 1234567;
    for (u32 i = 0; i < KEYS; i++) {
        u64 r = random_next(&seed);
        u32 length = 4 + r % 11;
        for (u32 j = 0; j < length; j++)
            keys[i][j] = (u8)('a' + (r >> (4 * j + 3)) % 26);
        keys[i][length] = 0;
    }
}

static u64 kernel(u64 rounds)
{
    u64 seed = 42, sum = 0;
    make_keys();
    for (u64 round = 0; round < rounds; round++) {
        for (u32 i = 0; i < 4 * KEYS; i++)
            count(keys[random_next(&seed) % KEYS]);
        for (u32 i = 0; i < KEYS; i++)
            sum = mix(sum, take(keys[i]));
    }
    return sum;
}
