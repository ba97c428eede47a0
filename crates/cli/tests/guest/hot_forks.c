/* build: -O1 -static -nostdlib -fno-builtin */
/* Processes that are made while code is hot, and get hot themselves. */
#include "guest.h"
#include <linux/sched.h>

#define KEPT __attribute__((noinline, noclone))

KEPT static unsigned long mix(unsigned long x) { return (x ^ x >> 7) * 0x9e3779b97f4a7c15ul + 1; }
KEPT static unsigned long stir(unsigned long x, int times) {
    for (int i = 0; i < times; i++) x = mix(x + (x & 1 ? (unsigned)i : 3));
    return x;
}

/* Functions enough for a thread that compiles to have something to do at any time. */
#define FUNCTION(n) \
    KEPT static unsigned long work_##n(unsigned long x, int times) { \
        for (int i = 0; i < times; i++) { \
            x = x * (2 * n + 1) ^ x >> (n % 13 + 1); \
            if (x % (n + 2) == 0) x += mix(x); \
        } \
        return x; \
    }
#define EACH(apply) \
    apply(1) apply(2) apply(3) apply(4) apply(5) apply(6) apply(7) apply(8) apply(9) apply(10) apply(11) \
    apply(12) apply(13) apply(14) apply(15) apply(16) apply(17) apply(18) apply(19) apply(20)
EACH(FUNCTION)
#define CALL(n) x = work_##n(x, times);
static unsigned long work(unsigned long x, int times) {
    EACH(CALL)
    return x;
}

static int digest(unsigned long x) { return (int)(x ^ x >> 13 ^ x >> 29) & 0x7f; }

/* Children one after another, each at another point of what its parent does. */
static void children(int count) {
    int wrong = 0;
    for (int i = 0; i < count; i++) {
        stir(i, i * 7 % 200);
        int expected = digest(work(i, 30));
        long child = fork_child();
        if (child == 0) quit(digest(work(i, 30)));
        wrong += reap(child) != expected << 8;
    }
    show("children that were wrong", wrong);
}

/* Children at once. */
static void crowd(int count) {
    long pids[64];
    int wrong = 0;
    for (int i = 0; i < count; i++) {
        pids[i] = fork_child();
        if (pids[i] == 0) quit(digest(work(stir(i, 500), 40)));
        work(i, 3);
    }
    for (int i = 0; i < count; i++) wrong += reap(pids[i]) != digest(work(stir(i, 500), 40)) << 8;
    show("of a crowd", wrong);
}

/* A child of a child of a child. */
static int generation(int left) {
    int own = digest(work(left, 60));
    if (left == 0) return own;
    long child = fork_child();
    if (child == 0) quit(generation(left - 1));
    work(left + 1, 20);
    return (own + (reap(child) >> 8)) & 0x7f;
}

/* Programs that are executed in the midst of it. */
static void successors(const char *self, int count) {
    const char *const argv[] = {self, "work", 0}, *const envp[] = {0};
    int wrong = 0, expected = digest(work(5, 50));
    for (int i = 0; i < count; i++) {
        work(i, 5);
        long child = i & 1 ? fork_child() : clone_child(CLONE_VM | CLONE_VFORK | 17);
        if (child == 0) {
            if (i % 4 == 2) quit(expected);
            if (i % 4 == 1) work(i, 20);
            sys(execve, self, argv, envp);
            quit(126);
        }
        wrong += reap(child) != expected << 8;
    }
    show("successors that were wrong", wrong);
}

int program(int argc, char **argv, char **envp) {
    (void)envp;
    if (argc > 1) return digest(work(5, 50));
    show_number("before", digest(work(stir(1, 5000), 500)));
    children(300);
    crowd(40);
    show_number("generations", generation(40));
    successors("/proc/self/exe", 60);
    (void)argv;
    show_number("after", digest(work(stir(2, 5000), 500)));
    return 0;
}
