/* build: -O1 -static -nostdlib -fno-builtin */
/* Eight threads that do at random what threads do to each other: locks, condition
 * variables, atomics, threads that come and go, signals to any of them, forks, memory
 * that comes and goes, code that is written anew. Sums tell whether anything was lost. */
#include "threads.h"
#include "handlers.h"
#include <linux/mman.h>

/* What threads share is not static: the compiler, which does not know that some of
 * these functions are started as threads, would think that nobody else changes it. */
enum { WORKERS = 8, ROUNDS = 120, SLOTS = 4, SIGNAL = 40, PAGE = 4096 };

thread workers[WORKERS], helpers[WORKERS];
long wrong[16];

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005ul + 1442695040888963407ul;
    return *state >> 33;
}

/* Under a lock. */
int mutex;
long twice[2], locked;

static void under_lock(void) {
    lock(&mutex);
    if (twice[0] != twice[1]) wrong[0]++;
    twice[0]++;
    locked++;
    twice[1]++;
    unlock(&mutex);
}

/* A condition variable: the count of its signals, as a futex. */
typedef struct { int count; } condition;

static void await_change(condition *c, int *m) {
    int seen = __atomic_load_n(&c->count, __ATOMIC_RELAXED);
    unlock(m);
    sys(futex, &c->count, FUTEX_WAIT_PRIVATE, seen, 0);
    lock(m);
}

static void announce(condition *c) {
    __atomic_fetch_add(&c->count, 1, __ATOMIC_RELAXED);
    sys(futex, &c->count, FUTEX_WAKE_PRIVATE, WORKERS);
}

/* A buffer of a few places; who puts something in takes something out later. */
int buffer_lock, filled;
long buffer[SLOTS], put_in, taken_out;
condition not_full, not_empty;

static void through_the_buffer(long value) {
    lock(&buffer_lock);
    while (filled == SLOTS) await_change(&not_full, &buffer_lock);
    buffer[filled++] = value, put_in += value;
    announce(&not_empty);
    unlock(&buffer_lock);
    lock(&buffer_lock);
    while (filled == 0) await_change(&not_empty, &buffer_lock);
    taken_out += buffer[--filled];
    announce(&not_full);
    unlock(&buffer_lock);
}

/* Atomics of each width. */
struct { uint8_t bytes[4]; uint32_t word; uint64_t added, exchanged, largest, bits; } atomic;
uint64_t atomics;

/* As compilers do it without instructions for bytes: part of a word, between LR and SC. */
static void add_to_byte(uint8_t *byte) {
#ifdef __riscv
    uintptr_t word = (uintptr_t)byte & ~3ul;
    unsigned shift = ((uintptr_t)byte & 3) * 8;
    uint32_t mask = 0xffu << shift, one = 1u << shift, old, changed;
    __asm__ volatile("1: lr.w.aqrl %0, (%2)\n\tadd %1, %0, %4\n\txor %1, %1, %0\n\tand %1, %1, %3\n\t"
                     "xor %1, %1, %0\n\tsc.w.rl %1, %1, (%2)\n\tbnez %1, 1b"
                     : "=&r"(old), "=&r"(changed)
                     : "r"(word), "r"(mask), "r"(one)
                     : "memory");
#else
    __atomic_fetch_add(byte, 1, __ATOMIC_SEQ_CST);
#endif
}

static void with_atomics(uint64_t value) {
    for (int i = 0; i < 50; i++) {
        add_to_byte(&atomic.bytes[value % 4]);
        __atomic_fetch_add(&atomic.word, 3, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&atomic.added, value, __ATOMIC_RELAXED);
        __atomic_fetch_sub(&atomic.added, value, __ATOMIC_RELAXED);
        uint64_t old = __atomic_load_n(&atomic.exchanged, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(&atomic.exchanged, &old, old + 1, 1, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {}
        old = __atomic_load_n(&atomic.largest, __ATOMIC_RELAXED);
        while (old < value && !__atomic_compare_exchange_n(&atomic.largest, &old, value, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
        if (__atomic_load_n(&atomic.largest, __ATOMIC_RELAXED) < value) wrong[1]++;
        __atomic_fetch_xor(&atomic.bits, value, __ATOMIC_RELAXED);
        __atomic_fetch_xor(&atomic.bits, value, __ATOMIC_RELAXED);
    }
    __atomic_fetch_add(&atomics, 50, __ATOMIC_RELAXED);
}

/* A thread for a moment. */
long started, helped;

static void help(void *argument) {
    (void)argument;
    under_lock();
    __atomic_fetch_add(&helped, 1, __ATOMIC_RELAXED);
}

static void a_thread(thread *helper) {
    if (start(helper, help, 0) <= 0) {
        wrong[2]++;
        return;
    }
    __atomic_fetch_add(&started, 1, __ATOMIC_RELAXED);
    join(helper);
}

/* Numbered signals to a random thread: each comes once. */
long sent, handled, sent_sum, handled_sum;

static void handle(int signal, siginfo_t *info, struct ucontext *context) {
    (void)signal, (void)context;
    volatile double x = (double)info->si_value.sival_int;
    for (int i = 0; i < 10; i++) x = x * 0.5 + 1;
    __atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&handled_sum, (long)info->si_value.sival_ptr, __ATOMIC_RELAXED);
}

static void a_signal(uint64_t value) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = SIGNAL, info.si_code = SI_QUEUE, info.si_value.sival_ptr = (void *)value;
    long result = sys(rt_tgsigqueueinfo, sys(getpid), workers[value % WORKERS].number, SIGNAL, &info);
    if (result == -EAGAIN) return; /* too many are queued */
    if (result != 0) wrong[3]++;
    else __atomic_fetch_add(&sent, 1, __ATOMIC_RELAXED), __atomic_fetch_add(&sent_sum, (long)value, __ATOMIC_RELAXED);
}

/* A child of a thread: it has that thread alone, and may have threads of its own. */
static void a_fork(thread *helper, long value) {
    long before = __atomic_load_n(&started, __ATOMIC_RELAXED);
    long child = fork_child();
    if (child == 0) {
        mutex = 0, locked = value, twice[0] = twice[1] = 0;
        if (started < before) quit(99);
        a_thread(helper);
        quit(locked == value + 1 && twice[1] == 1 ? (int)(value & 63) : 98);
    }
    int status = -1;
    while (sys(wait4, child, &status, 0, 0) == -EINTR) {}
    if (child < 0 || status != (value & 63) << 8) wrong[4]++;
}

static void memory_comes_and_goes(uint64_t value) {
    long size = (long)(value % 7 + 1) * PAGE;
    char *at = (char *)sys(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if ((long)at < 0 && (long)at > -4096) {
        wrong[5]++;
        return;
    }
    for (long i = 0; i < size; i += PAGE) {
        if (at[i] != 0) wrong[5]++;
        at[i] = (char)value;
    }
    at = (char *)sys(mremap, at, size, size + 4 * PAGE, MREMAP_MAYMOVE);
    if (at[size - PAGE] != (char)value || at[size] != 0) wrong[5]++;
    if (sys(munmap, at, size + 4 * PAGE) != 0) wrong[5]++;
}

/* A function of this thread, written again and again. */
static char code[WORKERS][PAGE] __attribute__((aligned(PAGE)));

static void written_code(long own, uint64_t value) {
    long number = (long)(value % 1000), result = number;
#ifdef __riscv
    uint32_t *at = (uint32_t *)code[own];
    for (int i = 0; i < 20; i++) at[i] = (uint32_t)number << 20 | 0x00050513; /* addi a0, a0, number */
    at[20] = 0x00008067;                                                      /* ret */
    __asm__ volatile("fence.i" ::: "memory");
    result = ((long (*)(long))at)(1);
#else
    (void)own;
    result = number * 20 + 1;
#endif
    if (result != number * 20 + 1) wrong[6]++;
}

/* What this thread alone computes, whatever interrupts it. */
static __attribute__((noinline)) uint64_t compute(uint64_t a) {
    uint64_t b = ~a, c = 3;
    double x = 1, y = 2;
    float z = 3;
    for (int i = 0; i < 300; i++) {
        a = a * 6364136223846793005ul + 1, b ^= a >> 31, c += a * b;
        x = x * 0.999 + y, y = y * 0.5 + 1, z = z * 0.25f + (float)(i & 7);
    }
    return a ^ b ^ c ^ (uint64_t)(long)(x * 1000 + y * 100 + (double)z * 10);
}

static uint64_t computed[4];
int ready;

static void work(void *argument) {
    long own = (long)argument;
    uint64_t random = (uint64_t)own * 977 + (uint64_t)sys(getpid);
    /* All are there before any is sent a signal. */
    __atomic_fetch_add(&ready, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) < WORKERS) sys(sched_yield);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t value = next_random(&random);
        switch (next_random(&random) % 16) {
        case 0: a_fork(&helpers[own], (long)value); break;
        case 1: a_thread(&helpers[own]); break;
        case 2: case 3: memory_comes_and_goes(value); break;
        case 4: written_code(own, value); break;
        case 5: case 6: with_atomics(value); break;
        case 7: case 8: through_the_buffer((long)value); break;
        case 9: case 10: if (compute(value % 4) != computed[value % 4]) wrong[7]++; break;
        case 11: case 12: under_lock(); break;
        default: a_signal(value);
        }
    }
    /* None leaves while another may send it a signal. */
    __atomic_fetch_add(&ready, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) < 2 * WORKERS) sys(sched_yield);
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    sys(mprotect, code, sizeof code, PROT_READ | PROT_WRITE | PROT_EXEC);
    on(SIGNAL, handle, SA_RESTART, 0);
    for (uint64_t i = 0; i < 4; i++) computed[i] = compute(i);
    for (long i = 0; i < WORKERS; i++)
        if (start(&workers[i], work, (void *)i) <= 0) wrong[8]++;
    for (int i = 0; i < WORKERS; i++) join(&workers[i]);
    for (int i = 0; i < 16; i++)
        if (wrong[i]) put("wrong "), number(i), put(": "), number(wrong[i]), put("\n");
    show_yes("what the lock guards", twice[0] == twice[1] && twice[0] == locked);
    show_yes("what went through the buffer", filled == 0 && put_in == taken_out);
    show_yes("bytes", (uint8_t)(atomic.bytes[0] + atomic.bytes[1] + atomic.bytes[2] + atomic.bytes[3]) == (uint8_t)atomics);
    show_yes("words", atomic.word == (uint32_t)(atomics * 3) && atomic.exchanged == atomics);
    show_yes("what cancels out", atomic.added == 0 && atomic.bits == 0);
    show_yes("threads", started == helped);
    show_yes("signals", sent == handled && sent_sum == handled_sum);
    return 0;
}
