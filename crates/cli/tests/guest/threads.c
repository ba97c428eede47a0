/* build: -O1 -static -nostdlib -fno-builtin */
/* Threads: making and ending them, what they share, futexes, robust ones included. */
#include "threads.h"
#include "handlers.h"
#include <linux/time.h>

enum { THREADS = 8, ROUNDS = 20000 };

static thread threads[THREADS];

static int mutex, plain, added, swapped;

static void count(void *argument) {
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        lock(&mutex);
        plain++;
        unlock(&mutex);
        __atomic_fetch_add(&added, 1, __ATOMIC_RELAXED);
        int old = __atomic_load_n(&swapped, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(&swapped, &old, old + 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    }
}

static void counting(void) {
    for (int i = 0; i < THREADS; i++) {
        long number = start(&threads[i], count, 0);
        if (number <= 0 || number != threads[i].number) show("clone", number);
    }
    for (int i = 0; i < THREADS; i++) join(&threads[i]);
    show("under a lock", plain);
    show("added", added);
    show("swapped", swapped);
}

/* A slot each, so that a message that is lost leaves the ring waiting. */
static int baton[THREADS];

static void pass(void *argument) {
    long own = (long)argument;
    for (int round = 0; round < 500; round++) {
        while (__atomic_load_n(&baton[own], __ATOMIC_ACQUIRE) != round + 1)
            sys(futex, &baton[own], FUTEX_WAIT_PRIVATE, round, 0);
        int *next = &baton[(own + 1) % THREADS];
        __atomic_fetch_add(next, 1, __ATOMIC_RELEASE);
        sys(futex, next, FUTEX_WAKE_PRIVATE, 1);
    }
}

static void passing(void) {
    for (long i = 0; i < THREADS; i++) start(&threads[i], pass, (void *)i);
    __atomic_fetch_add(&baton[0], 1, __ATOMIC_RELEASE);
    sys(futex, &baton[0], FUTEX_WAKE_PRIVATE, 1);
    for (int i = 0; i < THREADS; i++) join(&threads[i]);
    show("passed around", baton[0]);
}

static void nothing(void *argument) { (void)argument; }

static void many(void) {
    int wrong = 0;
    for (int i = 0; i < 300; i++) {
        wrong += start(&threads[0], nothing, 0) <= 0;
        join(&threads[0]);
    }
    show("of 300 not started", wrong);
}

/* Robust futexes: the list as the C library has it. */
static struct {
    struct robust_list list;
    int word;
} held = {{&held.list}, 0};

static void hold_and_end(void *argument) {
    (void)argument;
    static struct robust_list_head head;
    head.list.next = &held.list;
    held.list.next = &head.list;
    head.futex_offset = (char *)&held.word - (char *)&held.list;
    sys(set_robust_list, &head, sizeof head);
    held.word = (int)sys(gettid) | FUTEX_WAITERS;
}

static void robust(void) {
    start(&threads[0], hold_and_end, 0);
    join(&threads[0]);
    show("the owner died", (held.word & FUTEX_OWNER_DIED) != 0);
    show("no owner", held.word & FUTEX_TID_MASK);
}

static void own_directory(void *argument) {
    sys(unshare, CLONE_FS);
    sys(chdir, "/");
    *(long *)argument = sys(getpid);
}

static void sharing(void) {
    char before[256], after[256];
    sys(getcwd, before, sizeof before);
    long pid = 0;
    start(&threads[0], own_directory, &pid);
    join(&threads[0]);
    sys(getcwd, after, sizeof after);
    show("same process", pid == sys(getpid));
    show("the directory is as it was", equal(before, after));
    show("bad flags", sys(clone, CLONE_THREAD, 0, 0, 0, 0));
    show("a thread with its own memory", sys(clone, CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0));
}

static int stop;

static void spin(void *argument) {
    (void)argument;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {}
}

static void forked_child(void *argument) {
    long child = fork_child();
    if (child == 0) quit(7);
    *(int *)argument = reap(child);
}

/* A fork has one thread, whatever the others are doing. */
static void forking(void) {
    int status[4], wrong = 0;
    stop = 0;
    start(&threads[7], spin, 0);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 4; i++) start(&threads[i], forked_child, &status[i]);
        for (int i = 0; i < 4; i++) join(&threads[i]);
        for (int i = 0; i < 4; i++) wrong += status[i] != 7 << 8;
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    join(&threads[7]);
    show("children that went wrong", wrong);
}

static void end_all(void *argument) {
    (void)argument;
    quit(9);
}

static void end_later(void *argument) {
    (void)argument;
    sys(nanosleep, (&(struct { long s, ns; }){0, 50000000}), 0);
    sys(exit, 3);
}

static void ending(void) {
    long child = fork_child();
    if (child == 0) {
        stop = 0;
        start(&threads[0], spin, 0);
        start(&threads[1], end_all, 0);
        for (;;) sys(futex, &stop, FUTEX_WAIT, 0, 0);
    }
    show_status("a thread's exit_group", reap(child));
    child = fork_child();
    if (child == 0) {
        start(&threads[0], end_later, 0);
        sys(exit, 5);
    }
    show_status("the first thread ends, then the last", reap(child));
}

static volatile int caught;

static void note(int signal, siginfo_t *info, struct ucontext *context) {
    (void)info, (void)context;
    caught = signal;
}

/* Handlers of signals that a C library keeps to itself outlive its first thread, and so
 * does the mask. */
static void handling(void) {
    for (int signal = 32; signal <= 34; signal++) on(signal, note, 0, 0);
    block(bit(34));
    start(&threads[0], nothing, 0);
    join(&threads[0]);
    show("blocked still", (long)blocked());
    block(0);
    for (int signal = 32; signal <= 34; signal++) {
        caught = 0;
        sys(tgkill, sys(getpid), sys(gettid), signal);
        show("caught", caught);
        act(signal, 0, 0, 0);
    }
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    handling();
    counting();
    passing();
    many();
    robust();
    sharing();
    forking();
    ending();
    return 0;
}
