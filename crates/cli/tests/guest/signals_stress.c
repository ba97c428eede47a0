/* build: -O1 -static -nostdlib -fno-builtin */
/* Signals at every moment: none is lost or comes twice, and the program that they
 * interrupt computes what it would have computed alone. */
#include "handlers.h"

#define SIGNALS 3000
static volatile long ticks, queued, sum, disorder, last;

static void tick(int signal, siginfo_t *info, struct ucontext *context) {
    (void)signal, (void)info, (void)context;
    ticks++;
}

static void take(int signal, siginfo_t *info, struct ucontext *context) {
    (void)signal, (void)context;
    long value = (long)info->si_value.sival_ptr;
    disorder += value != last + 1;
    last = value, queued++, sum += value;
    /* Work enough that others come meanwhile. */
    volatile double x = (double)value;
    for (int i = 0; i < 50; i++) x = x * 0.5 + 1;
}

/* A child that sends its parent numbered signals. */
static long sender(int signal) {
    long parent = sys(getpid), child = fork_child();
    if (child != 0) return child;
    alarm_after(0, 0);
    for (long i = 1; i <= SIGNALS; i++) {
        while (queue((int)parent, signal, i) == -EAGAIN) sys(sched_yield);
        if (i % 64 == 0) sys(sched_yield);
    }
    quit(0);
}

static void begin_counting(void) { queued = sum = disorder = last = 0; }

static void counted(const char *what, long child, long wrong) {
    int status = -1;
    while (sys(wait4, child, &status, 0, 0) == -EINTR) continue;
    while (queued < SIGNALS) sys(sched_yield);
    put(what), put(": ");
    show("signals", queued);
    show_yes("  each once and in order", sum == (long)SIGNALS * (SIGNALS + 1) / 2 && disorder == 0);
    show("  wrong", wrong);
}

static __attribute__((noinline)) uint64_t compute(uint64_t a) {
    uint64_t b = ~a, c = 3, d = 5, e = 7, f = 11;
    double x = 1, y = 2, z = 3;
    for (int i = 0; i < 2000; i++) {
        a = a * 6364136223846793005ul + 1, b ^= a >> 31, c += a * b, d = (d << 7 | d >> 57) ^ c, e += d & a, f ^= e * 3;
        x = x * 0.999 + y, y = y * 0.5 + z, z = z * 0.25 + (double)(i & 7);
        if (b & 1) f += c;
    }
    return a ^ b ^ c ^ d ^ e ^ f ^ (uint64_t)(long)(x * 1000 + y * 100 + z * 10);
}

static void computing(void) {
    uint64_t expected = compute(1);
    long wrong = 0;
    begin_counting();
    long child = sender(40);
    while (queued < SIGNALS) wrong += compute(1) != expected;
    counted("computing", child, wrong);
}

/* One jump and nothing else, until a handler takes the program out of it. */
extern const char spin[], spun[];
void turn(void);
#ifdef __riscv
__asm__("turn: spin: j spin\n spun: ret\n");
#else
__asm__("turn: spin: jmp spin\n spun: ret\n");
#endif
static void release(int signal, siginfo_t *info, struct ucontext *context) {
    (void)signal, (void)info;
    if (*pc_of(context) == (unsigned long)spin) *pc_of(context) = (unsigned long)spun;
}

static void spinning(void) {
    on(SIGALRM, release, 0, 0);
    for (int i = 0; i < 100; i++) turn();
    put("left a loop 100 times\n");
    on(SIGALRM, tick, SA_RESTART, 0);
}

static void calling(void) {
    long wrong = 0, me = sys(getpid);
    int pipe[2];
    sys(pipe2, pipe, 0);
    begin_counting();
    long child = sender(41);
    while (queued < SIGNALS) {
        long word = wrong + queued * 7, back = 0;
        wrong += sys(getpid) != me;
        wrong += sys(write, pipe[1], &word, 8) != 8;
        wrong += sys(read, pipe[0], &back, 8) != 8;
        wrong += word != back;
    }
    counted("calling", child, wrong);
}

/* Waits for what another process writes, a byte at a time. */
static void waiting(void) {
    int pipe[2];
    long wrong = 0, bytes = 0;
    sys(pipe2, pipe, 0);
    begin_counting();
    long writer = fork_child();
    if (writer == 0) {
        alarm_after(0, 0);
        for (int i = 0; i < SIGNALS; i++) {
            char byte = (char)i;
            sys(write, pipe[1], &byte, 1);
            if (i % 16 == 0) sys(sched_yield);
        }
        quit(0);
    }
    sys(close, pipe[1]);
    long child = sender(42);
    for (;;) {
        char byte;
        long got = sys(read, pipe[0], &byte, 1);
        if (got == 0) break;
        wrong += got != 1 || byte != (char)bytes;
        bytes++;
    }
    int status;
    while (sys(wait4, writer, &status, 0, 0) == -EINTR) continue;
    show("bytes", bytes);
    counted("waiting", child, wrong);
}

/* Only while waiting: blocked at other times. */
static void suspending(void) {
    uint64_t all = ~0ul, none = 0;
    long wrong = 0;
    begin_counting();
    sys(rt_sigprocmask, SIG_BLOCK, &all, 0, 8);
    long child = sender(43);
    while (queued < SIGNALS) {
        long before = queued;
        wrong += sys(rt_sigsuspend, &none, 8) != -EINTR;
        long after = queued;
        compute(2);
        wrong += queued != after || after < before;
    }
    block(0);
    counted("suspending", child, wrong);
}

static void children(void) {
    long wrong = 0;
    for (int i = 0; i < 30; i++) {
        long child = fork_child();
        if (child == 0) quit(compute((uint64_t)i) == compute((uint64_t)i) ? i : 100);
        int status = -1;
        wrong += sys(wait4, child, &status, 0, 0) != child || status != i << 8;
    }
    show("children wrong", wrong);
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    for (int signal = 40; signal < 44; signal++) on(signal, take, SA_RESTART, 0);
    on(SIGALRM, tick, SA_RESTART, 0);
    alarm_after(1000, 1000);
    computing();
    spinning();
    calling();
    waiting();
    suspending();
    children();
    alarm_after(0, 0);
    show_yes("ticks", ticks > 5);
    return 0;
}
