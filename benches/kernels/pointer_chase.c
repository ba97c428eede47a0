/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: integer */
/* Follows a list whose nodes lie in random order in 16 KiB, which a host's first cache holds. With
   larger ones it waits for memory, or for the second cache, as long whoever executes it. */
#define DEFAULT_ROUNDS 180000
#include "kernel.h"

typedef struct Node {
    struct Node *next;
    u64 value;
} Node;

static Node nodes[1 << 10];
static u32 order[LENGTH(nodes)];

static void make_list(void)
{
    u64 seed = 5;
    for (u32 i = 0; i < LENGTH(nodes); i++)
        order[i] = i;
    for (u32 i = LENGTH(nodes) - 1; i > 0; i--) {
        u32 j = (u32)(random_next(&seed) >> 33) % i, t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (u32 i = 0; i < LENGTH(nodes); i++)
        nodes[i] = (Node){&nodes[order[i]], random_next(&seed)};
}

static u64 kernel(u64 rounds)
{
    make_list();
    Node *at = nodes;
    u64 sum = 0;
    for (u64 round = 0; round < rounds; round++) {
        for (u32 i = 0; i < LENGTH(nodes); i++) {
            sum += at->value ^ i;
            at->value = sum;
            at = at->next;
        }
    }
    return sum;
}
