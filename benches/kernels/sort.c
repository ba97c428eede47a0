/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: integer */
/* Quicksort of records with insertion sort for short runs. */
#define DEFAULT_ROUNDS 1500
#include "kernel.h"

typedef struct {
    u32 key;
    u32 tag;
    u64 value;
} Record;

static Record records[4096];

static void insertion_sort(Record *first, Record *last)
{
    for (Record *at = first + 1; at <= last; at++) {
        Record moving = *at;
        Record *hole = at;
        for (; hole > first && hole[-1].key > moving.key; hole--)
            *hole = hole[-1];
        *hole = moving;
    }
}

static void swap(Record *a, Record *b)
{
    Record t = *a;
    *a = *b;
    *b = t;
}

static NOINLINE void quicksort(Record *first, Record *last)
{
    while (last - first > 12) {
        Record *middle = first + (last - first) / 2;
        if (middle->key < first->key)
            swap(middle, first);
        if (last->key < first->key)
            swap(last, first);
        if (last->key < middle->key)
            swap(last, middle);
        u32 pivot = middle->key;
        Record *low = first, *high = last;
        while (low <= high) {
            while (low->key < pivot)
                low++;
            while (high->key > pivot)
                high--;
            if (low <= high)
                swap(low++, high--);
        }
        if (high - first < last - low) {
            quicksort(first, high);
            first = low;
        } else {
            quicksort(low, last);
            last = high;
        }
    }
    insertion_sort(first, last);
}

static u64 kernel(u64 rounds)
{
    u64 seed = 88172645463325252u, sum = 0;
    for (u64 round = 0; round < rounds; round++) {
        for (u32 i = 0; i < LENGTH(records); i++) {
            u64 r = random_next(&seed);
            records[i] = (Record){(u32)(r >> 40), i, r};
        }
        quicksort(records, records + LENGTH(records) - 1);
        for (u32 i = 1; i < LENGTH(records); i++)
            if (records[i - 1].key > records[i].key)
                return 0;
        for (u32 i = 0; i < LENGTH(records); i += 64)
            sum = mix(sum, records[i].key);
    }
    return sum;
}
