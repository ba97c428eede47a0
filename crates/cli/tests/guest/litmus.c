/* build: -O2 -static -nostdlib -fno-builtin */
/* Litmus tests of the memory model (unprivileged manual, "RVWMO Memory Consistency
 * Model" and its appendix, from which most names are): threads that store and load a few
 * words at once, over and over, and outcomes that the model forbids. The argument is how
 * often each test passes over its cells; with a second one, it is told how often what
 * was seen has changed from one cell to the next. The x86-64 build does the same with what
 * that architecture has. */
#include "threads.h"

enum { CELLS = 2048, THREADS = 4, PASSES = 4 };

typedef struct {
    volatile long x __attribute__((aligned(64)));
    volatile long y __attribute__((aligned(64)));
    /* How many have come to the cell. */
    int here __attribute__((aligned(64)));
} cell;

cell cells[CELLS];
long results[THREADS][CELLS][2];

#define BARRIER() __asm__ volatile("" ::: "memory")
/* The same place, in another register, some time after. */
#define ALIAS(place)                                                                               \
    ({                                                                                             \
        volatile long *same = (place);                                                             \
        for (int i = 0; i < 4; i++)                                                                \
            __asm__ volatile(SLOWLY_NOTHING : "=&r"(same) : "r"(same), "r"(1L));                   \
        same;                                                                                      \
    })
#ifdef __riscv
#define SLOWLY_NOTHING "rem %0, %1, %2\n add %0, %0, %1"
#define FENCE(before, after) __asm__ volatile("fence " #before ", " #after ::: "memory")
#define FENCE_TSO() __asm__ volatile("fence.tso" ::: "memory")
#define FENCE_ALL() FENCE(rw, rw)
/* Nothing, but it depends on `value`. */
#define NOTHING_OF(value) ({ long none; __asm__ volatile("xor %0, %1, %1" : "=r"(none) : "r"(value)); none; })
#define AMO(name, place, value)                                                                    \
    ({                                                                                             \
        long old;                                                                                  \
        __asm__ volatile(name " %0, %2, %1" : "=r"(old), "+A"(*(place)) : "r"((long)(value)) : "memory"); \
        old;                                                                                       \
    })
#define SWAP_ALL(place, value) AMO("amoswap.d.aqrl", place, value)
#define SWAP_RELEASE(place, value) AMO("amoswap.d.rl", place, value)
#define SWAP(place, value) AMO("amoswap.d", place, value)
#define READ_ACQUIRE(place) AMO("amoor.d.aq", place, 0)
#define ADD(place, value) AMO("amoadd.d", place, value)
#define ADD_WORD(place, value) AMO("amoadd.w", place, value)
#define MAX(place, value) AMO("amomax.d", place, value)
#define LOAD_RESERVED_ALL(place)                                                                   \
    ({ long got; __asm__ volatile("lr.d.aqrl %0, %1" : "=r"(got) : "A"(*(place)) : "memory"); got; })

static void add_reserved(volatile long *place) {
    long old, failed;
    __asm__ volatile("0: lr.d %0, %2\n addi %0, %0, 1\n sc.d %1, %0, %2\n bnez %1, 0b"
                     : "=&r"(old), "=&r"(failed), "+A"(*place)::"memory");
}

/* amocas.d, which the assembler does not know. */
static long compare_and_swap(volatile long *place, long expected, long value) {
    register long a0 __asm__("a0") = expected;
    register long a1 __asm__("a1") = value;
    register volatile long *a2 __asm__("a2") = place;
    __asm__ volatile(".insn r 0x2f, 3, 0x14, a0, a2, a1" : "+r"(a0) : "r"(a1), "r"(a2) : "memory");
    return a0;
}
#else
#define SLOWLY_NOTHING "imul %2, %1\n mov %1, %0"
#define FENCE(before, after) BARRIER()
#define FENCE_TSO() BARRIER()
#define FENCE_ALL() __asm__ volatile("mfence" ::: "memory")
#define NOTHING_OF(value) ({ long none = (value); __asm__ volatile("xor %0, %0" : "+r"(none)); none; })
#define SWAP_ALL(place, value) __atomic_exchange_n(place, value, __ATOMIC_SEQ_CST)
#define SWAP_RELEASE(place, value) __atomic_exchange_n(place, value, __ATOMIC_RELEASE)
#define SWAP(place, value) __atomic_exchange_n(place, value, __ATOMIC_RELAXED)
#define READ_ACQUIRE(place) __atomic_load_n(place, __ATOMIC_ACQUIRE)
#define ADD(place, value) __atomic_fetch_add(place, value, __ATOMIC_RELAXED)
#define ADD_WORD(place, value) __atomic_fetch_add((volatile int *)(place), value, __ATOMIC_RELAXED)
#define LOAD_RESERVED_ALL(place) __atomic_load_n(place, __ATOMIC_SEQ_CST)

static long compare_and_swap(volatile long *place, long expected, long value) {
    __atomic_compare_exchange_n(place, &expected, value, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return expected;
}

static void add_reserved(volatile long *place) { __atomic_fetch_add(place, 1, __ATOMIC_RELAXED); }

static void MAX(volatile long *place, long value) {
    long old = *place;
    while (old < value && !__atomic_compare_exchange_n(place, &old, value, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}
#endif

static void add_swapped(volatile long *place) {
    for (long old = *place, seen; (seen = compare_and_swap(place, old, old + 1)) != old; old = seen) {
    }
}

/* Waits for the others to come to the cell, though not for those that are not running, and
 * for another moment that is different each time. */
static inline void come_to(cell *c, int count, unsigned *random) {
    __atomic_add_fetch(&c->here, 1, __ATOMIC_SEQ_CST);
    for (int spins = 0; spins < 500 && __atomic_load_n(&c->here, __ATOMIC_RELAXED) < count; spins++) {
    }
    *random = *random * 1664525 + 1013904223;
    for (unsigned moment = *random >> 28; moment; moment--) BARRIER();
}

typedef void (*worker)(cell *c, long (*r)[2], int count, unsigned random);
/* What a thread does with each cell; r[0] is for what it has seen. */
#define WORKER(name, ...)                                                                          \
    static void name(cell *c, long (*r)[2], int count, unsigned random) {                          \
        for (long i = 0; i < CELLS; i++, c++, r++) {                                               \
            come_to(c, count, &random);                                                            \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
    }
#define A r[0][0]
#define B r[0][1]
/* Three accesses with nothing in between; the last two are seen. */
#define SEE(one, two, three)                                                                       \
    long first = (one), seen = (two), last = (three);                                              \
    __asm__ volatile("" ::"r"(first) : "memory");                                                  \
    A = seen;                                                                                      \
    B = last
typedef int (*judge)(long x, long y, const long *p, const long *q, const long *s, const long *t);
/* Whether an outcome is forbidden: the final words, and what each thread has seen. */
#define FORBIDS(name, outcome)                                                                     \
    static int name(long x, long y, const long *p, const long *q, const long *s, const long *t) {  \
        return (outcome);                                                                          \
    }

/* Message passing. */
WORKER(send, c->x = 1; FENCE(w, w); c->y = 1)
WORKER(send_release, c->x = 1; FENCE(rw, w); c->y = 1)
WORKER(send_tso, c->x = 1; FENCE_TSO(); c->y = 1)
WORKER(send_amo, c->x = 1; SWAP_RELEASE(&c->y, 1))
WORKER(receive, A = c->y; FENCE(r, r); B = c->x)
WORKER(receive_acquire, A = c->y; FENCE(r, rw); B = c->x)
WORKER(receive_tso, A = c->y; FENCE_TSO(); B = c->x)
WORKER(receive_amo, A = READ_ACQUIRE(&c->y); B = c->x)
WORKER(receive_address, A = c->y; B = *(&c->x + NOTHING_OF(A)))
/* The word was read before, which must not be what is read again. */
WORKER(receive_again, SEE(c->x, *ALIAS(&c->y), *(&c->x + NOTHING_OF(seen))))
FORBIDS(lost_message, q[0] == 1 && q[1] == 0)
/* Store buffering. */
WORKER(store_x_load_y, c->x = 1; FENCE_ALL(); A = c->y)
WORKER(store_y_load_x, c->y = 1; FENCE_ALL(); A = c->x)
WORKER(swap_x_load_y, SWAP_ALL(&c->x, 1); A = LOAD_RESERVED_ALL(&c->y))
WORKER(swap_y_load_x, SWAP_ALL(&c->y, 1); A = LOAD_RESERVED_ALL(&c->x))
WORKER(swap_x_swap_y, SWAP_ALL(&c->x, 1); A = SWAP_ALL(&c->y, 2))
WORKER(swap_y_swap_x, SWAP_ALL(&c->y, 1); A = SWAP_ALL(&c->x, 2))
FORBIDS(both_old, p[0] == 0 && q[0] == 0)
/* Load buffering. */
WORKER(load_y_store_x, A = c->y; FENCE(r, w); c->x = 1)
WORKER(load_x_store_y, A = c->x; FENCE(r, w); c->y = 1)
WORKER(load_y_data_x, A = c->y; c->x = 1 + NOTHING_OF(A))
WORKER(load_x_data_y, A = c->x; c->y = 1 + NOTHING_OF(A))
FORBIDS(both_new, p[0] == 1 && q[0] == 1)
/* Independent reads of independent writes, and write to read causality. */
WORKER(store_x, c->x = 1)
WORKER(store_y, c->y = 1)
WORKER(read_x_y, A = c->x; FENCE_ALL(); B = c->y)
WORKER(read_y_x, A = c->y; FENCE_ALL(); B = c->x)
FORBIDS(two_orders, s[0] == 1 && s[1] == 0 && t[0] == 1 && t[1] == 0)
WORKER(pass_on, A = c->x; FENCE_ALL(); c->y = A)
FORBIDS(no_cause, q[0] == 1 && s[0] == 1 && s[1] == 0)
/* Orders of stores: 2+2W, S, R. */
WORKER(one_two, c->x = 1; FENCE(w, w); c->y = 2)
WORKER(two_one, c->y = 1; FENCE(w, w); c->x = 2)
FORBIDS(both_first, x == 1 && y == 1)
WORKER(two_then_y, c->x = 2; FENCE(w, w); c->y = 1)
FORBIDS(store_before_cause, q[0] == 1 && x == 2)
WORKER(x_then_y, c->x = 1; FENCE_ALL(); c->y = 1)
WORKER(two_then_read, c->y = 2; FENCE_ALL(); A = c->x)
FORBIDS(read_before_store, y == 2 && q[0] == 0)
/* Coherence. */
WORKER(read_twice, A = c->x; B = c->x)
WORKER(read_alias, SEE(c->x, *ALIAS(&c->x), c->x))
FORBIDS(back_in_time, q[0] == 1 && q[1] == 0)
WORKER(write_twice, c->x = 1; c->x = 2)
FORBIDS(older_last, x == 1)
WORKER(read_write, A = c->x; c->x = 2)
FORBIDS(read_then_older, q[0] == 1 && x == 1)
WORKER(write_back, SEE(c->x, *ALIAS(&c->x), c->x = first))
FORBIDS(not_written_back, q[0] == 1 && q[1] == 0 && x == 1)
WORKER(write_read, c->x = 1; A = c->x)
WORKER(store_two, c->x = 2)
FORBIDS(seen_then_gone, p[0] == 2 && x == 1)
FORBIDS(own_store_missed, p[0] == 0)
/* Atomics lose nothing. */
WORKER(add, ADD(&c->x, 1))
WORKER(add_word, ADD_WORD(&c->x, 1))
WORKER(add_pair, add_reserved(&c->x))
WORKER(add_cas, add_swapped(&c->x))
FORBIDS(not_two, x != 2)
FORBIDS(not_four, x != 4)
WORKER(swap_one, A = SWAP(&c->x, 1))
WORKER(swap_two, A = SWAP(&c->x, 2))
FORBIDS(no_chain, !(p[0] == 0 && q[0] == 1 && x == 2) && !(q[0] == 0 && p[0] == 2 && x == 1))
WORKER(max_two, MAX(&c->x, 2))
WORKER(max_three, MAX(&c->x, 3))
FORBIDS(no_max, x != 3)
/* A pair whose reservation another thread's store ends: the sum misses nothing. */
WORKER(add_ten, ADD(&c->x, 10))
FORBIDS(not_eleven, x != 11)
/* A lock of one word: what it guards is no atomic. */
WORKER(locked, while (SWAP(&c->x, 1)) BARRIER(); FENCE(r, rw); long was = c->y; c->y = was + 1; FENCE(rw, w); c->x = 0)
FORBIDS(unguarded, y != 2)

static const struct {
    const char *name;
    worker workers[THREADS];
    judge forbids;
} tests[] = {
    {"MP, fences", {send, receive}, lost_message},
    {"MP, release and acquire", {send_release, receive_acquire}, lost_message},
    {"MP, fence.tso", {send_tso, receive_tso}, lost_message},
    {"MP, amo.rl and amo.aq", {send_amo, receive_amo}, lost_message},
    {"MP, fence and address", {send, receive_address}, lost_message},
    {"MP, fence and address, read before", {send, receive_again}, lost_message},
    {"SB, fences", {store_x_load_y, store_y_load_x}, both_old},
    {"SB, amo.aqrl and lr.aqrl", {swap_x_load_y, swap_y_load_x}, both_old},
    {"SB, amos", {swap_x_swap_y, swap_y_swap_x}, both_old},
    {"LB, fences", {load_y_store_x, load_x_store_y}, both_new},
    {"LB, data", {load_y_data_x, load_x_data_y}, both_new},
    {"IRIW, fences", {store_x, store_y, read_x_y, read_y_x}, two_orders},
    {"WRC, fences", {store_x, pass_on, read_y_x}, no_cause},
    {"2+2W, fences", {one_two, two_one}, both_first},
    {"S, fences", {two_then_y, load_y_store_x}, store_before_cause},
    {"R, fences", {x_then_y, two_then_read}, read_before_store},
    {"CoRR", {store_x, read_twice}, back_in_time},
    {"CoRR, another register", {store_x, read_alias}, back_in_time},
    {"CoRR, two readers", {store_x, read_twice, read_twice}, back_in_time},
    {"CoWW", {write_twice, read_twice}, older_last},
    {"CoRW", {store_x, read_write}, read_then_older},
    {"CoRW, another register", {store_x, write_back}, not_written_back},
    {"CoWR", {write_read, store_two}, seen_then_gone},
    {"own store", {write_read, read_twice}, own_store_missed},
    {"amoadd.d", {add, add}, not_two},
    {"amoadd.w", {add_word, add_word}, not_two},
    {"amoadd.d, four", {add, add, add, add}, not_four},
    {"lr and sc", {add_pair, add_pair}, not_two},
    {"lr and sc, four", {add_pair, add_pair, add_pair, add_pair}, not_four},
    {"lr and sc, and an amo", {add_pair, add_ten}, not_eleven},
    {"amocas.d", {add_cas, add_cas}, not_two},
    {"all kinds of sums", {add, add_pair, add_cas, add}, not_four},
    {"amoswap.d", {swap_one, swap_two}, no_chain},
    {"amomax.d", {max_two, max_three}, no_max},
    {"a lock", {locked, locked}, unguarded},
};
enum { TESTS = sizeof tests / sizeof *tests };

/* Those that take part wait for each other; who waits long gives its processor away. */
int arrived, generation, current, ended = -1;

static void meet(int count) {
    int now = __atomic_load_n(&generation, __ATOMIC_SEQ_CST);
    if (__atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST) == count) {
        __atomic_store_n(&arrived, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&generation, now + 1, __ATOMIC_SEQ_CST);
        return;
    }
    int patience = count > 2 ? 100 : 100000;
    for (int spins = 0; __atomic_load_n(&generation, __ATOMIC_SEQ_CST) == now; spins++)
        if (spins > patience) sys(sched_yield);
}

static int count_workers(int test) {
    int count = 0;
    while (count < THREADS && tests[test].workers[count]) count++;
    return count;
}

thread threads[THREADS];

static void other(void *argument) {
    long number = (long)argument;
    for (int test; (test = __atomic_load_n(&current, __ATOMIC_SEQ_CST)) < TESTS;) {
        if (__atomic_load_n(&ended, __ATOMIC_SEQ_CST) >= test) {
            sys(futex, &current, FUTEX_WAIT_PRIVATE, test, 0);
            continue;
        }
        worker work = tests[test].workers[number];
        for (int count = count_workers(test); work;) {
            meet(count);
            if (__atomic_load_n(&ended, __ATOMIC_SEQ_CST) >= test) break;
            work(cells, results[number], count, (unsigned)(generation * 4 + number));
            meet(count);
        }
        sys(futex, &current, FUTEX_WAIT_PRIVATE, test, 0);
    }
}

/* What is seen changes from cell to cell where threads run at the same time. */
static void run_test(int test, long passes, long *forbidden, long *mixed) {
    int count = count_workers(test);
    for (long pass = 0; pass < passes; pass++) {
        meet(count);
        tests[test].workers[0](cells, results[0], count, (unsigned)generation * 4);
        meet(count);
        for (int i = 0; i < CELLS; i++) {
            cell *c = &cells[i];
            const long *p = results[0][i], *q = results[1][i];
            *forbidden += tests[test].forbids(c->x, c->y, p, q, results[2][i], results[3][i]);
            *mixed += i > 0 && (q[0] != results[1][i - 1][0] || p[0] != results[0][i - 1][0]);
            c->x = c->y = c->here = 0;
        }
    }
    __atomic_store_n(&ended, test, __ATOMIC_SEQ_CST);
    meet(count);
    __atomic_store_n(&current, test + 1, __ATOMIC_SEQ_CST);
    sys(futex, &current, FUTEX_WAKE_PRIVATE, THREADS);
}

static long parse(const char *text) {
    long value = 0;
    while (*text) value = value * 10 + *text++ - '0';
    return value;
}

int program(int argc, char **argv, char **envp) {
    (void)envp;
    long passes = argc > 1 ? parse(argv[1]) : PASSES, bad = 0;
    for (long i = 1; i < THREADS; i++) start(&threads[i], other, (void *)i);
    for (int test = 0; test < TESTS; test++) {
        long forbidden = 0, mixed = 0;
        run_test(test, passes, &forbidden, &mixed);
        show_number(tests[test].name, forbidden);
        if (argc > 2) show_number("  changes of what is seen", mixed);
        bad += forbidden;
    }
    for (long i = 1; i < THREADS; i++) join(&threads[i]);
    return bad != 0;
}
