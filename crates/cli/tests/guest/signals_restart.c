/* build: -O1 -static -nostdlib -fno-builtin */
/* Calls that wait when a signal comes: which end with EINTR and which are made again, with
 * and without SA_RESTART; and that no signal comes between a look at a flag and the call. */
#include "handlers.h"
#include <linux/futex.h>
#include <linux/poll.h>
#include <linux/time.h>

#define AF_UNIX 1
#define SOCK_STREAM 1
#define SOL_SOCKET 1
#define SO_RCVTIMEO 20
#define MANY 2000

static int data[2];
static volatile int other;
static volatile int word, calls;
static char full[65536];
static struct { uint16_t family; char path[32]; } name = {AF_UNIX, "socket"};

/* What the handler does so that the call, if it is made again, has something to give. */
static volatile enum { NOTHING, WRITE, READ, WORD, CONNECT, UNLOCK, KILL, OPEN } deed;
static volatile int victim;

/* Whether the signal has come to a system call, and not on the way to it. */
static int in_a_call(struct ucontext *context) {
    const unsigned char *pc = (const unsigned char *)*pc_of(context);
#ifdef __riscv
    return (pc[0] == 0x73 && pc[1] == 0) || (pc[-4] == 0x73 && pc[-3] == 0);
#else
    return (pc[0] == 0x0f && pc[1] == 0x05) || (pc[-2] == 0x0f && pc[-1] == 0x05);
#endif
}

static void help(int signal, siginfo_t *info, struct ucontext *context) {
    (void)signal, (void)info;
    if (!in_a_call(context)) {
        alarm_after(20000, 0);
        return;
    }
    calls++;
    switch (deed) {
    case NOTHING: break;
    case WRITE: sys(write, data[1], "x", 1); break;
    case READ: sys(read, data[0], full, sizeof full); break;
    case WORD: word = 1; break;
    case CONNECT: other = (int)sys(socket, AF_UNIX, SOCK_STREAM, 0), sys(connect, other, &name, sizeof name); break;
    case UNLOCK: case KILL: sys(kill, victim, SIGKILL); break;
    case OPEN: other = (int)sys(openat, AT_FDCWD, "fifo", O_RDWR); break;
    }
}

static void result(const char *what, long got, int restarts) {
    put(what), put(restarts ? ", SA_RESTART = " : " = ");
    if (got < 0) error(got);
    else number(got);
    put(calls == 1 ? "\n" : " WITH SIGNALS\n");
    calls = 0;
}

static void soon(int what) {
    deed = what;
    alarm_after(20000, 0);
}

static long sleeping_child(void) {
    long child = fork_child();
    if (child == 0) {
        span long_time = {100, 0};
        sys(nanosleep, &long_time, 0);
        quit(1);
    }
    return child;
}

static void drain(void) {
    sys(fcntl, data[0], F_SETFL, O_NONBLOCK);
    while (sys(read, data[0], full, sizeof full) > 0) continue;
    sys(fcntl, data[0], F_SETFL, 0);
}

static void calls_that_wait(int restarts) {
    span a_second = {1, 0}, rest = {0, 0};
    char byte, events[16];
    on(SIGALRM, help, restarts ? SA_RESTART : 0, 0);
    soon(WRITE), result("read", sys(read, data[0], &byte, 1), restarts);
    if (!restarts) sys(read, data[0], &byte, 1);
    /* A pipe that is full. */
    sys(fcntl, data[1], F_SETPIPE_SZ, 4096);
    sys(write, data[1], full, 4096);
    soon(READ), result("write", sys(write, data[1], full, 4096), restarts);
    drain();
    soon(READ), result("write in parts", sys(write, data[1], full, 6000), restarts);
    drain();
    soon(NOTHING), result("nanosleep", sys(nanosleep, &a_second, &rest), restarts);
    show_yes("  rest", rest.sec == 0 && rest.nsec > 100000000);
    soon(NOTHING), result("clock_nanosleep", sys(clock_nanosleep, CLOCK_MONOTONIC, 0, &a_second, 0), restarts);
    struct pollfd fd = {data[0], POLLIN, 0};
    soon(WRITE), result("ppoll", sys(ppoll, &fd, 1, &a_second, 0, 0), restarts);
    sys(read, data[0], &byte, 1);
    soon(WRITE), result("ppoll for ever", sys(ppoll, &fd, 1, 0, 0, 0), restarts);
    sys(read, data[0], &byte, 1);
    unsigned long set[16] = {1ul << data[0]};
    soon(WRITE), result("pselect6", sys(pselect6, data[0] + 1, set, 0, 0, &a_second, 0), restarts);
    sys(read, data[0], &byte, 1);
    int epoll = (int)sys(epoll_create1, 0);
    soon(NOTHING), result("epoll_pwait", sys(epoll_pwait, epoll, events, 1, 1000, 0, 8), restarts);
    sys(close, epoll);
    word = 0;
    soon(WORD), result("futex", sys(futex, &word, FUTEX_WAIT, 0, 0), restarts);
    word = 0;
    soon(WORD), result("futex with a time", sys(futex, &word, FUTEX_WAIT, 0, &a_second), restarts);
    victim = (int)sleeping_child();
    long pid = victim;
    soon(KILL), pid = sys(wait4, victim, 0, 0, 0), result("wait4", pid > 0 ? 1 : pid, restarts);
    if (pid < 0) reap(victim);
    victim = (int)sleeping_child();
    siginfo_t info;
    soon(KILL), result("waitid", sys(waitid, 1, victim, &info, 4, 0), restarts);
    if (!restarts) reap(victim);
    sys(unlinkat, AT_FDCWD, name.path, 0);
    int listener = (int)sys(socket, AF_UNIX, SOCK_STREAM, 0);
    sys(bind, listener, &name, sizeof name), sys(listen, listener, 5);
    soon(CONNECT);
    long accepted = sys(accept4, listener, 0, 0, 0);
    result("accept4", accepted > 0 ? 1 : accepted, restarts);
    if (accepted < 0) accepted = sys(accept4, listener, 0, 0, 0);
    timer time = {{1, 0}, {0, 0}};
    soon(NOTHING), sys(setsockopt, accepted, SOL_SOCKET, SO_RCVTIMEO, &time, 16);
    result("recvfrom with a time", sys(recvfrom, accepted, &byte, 1, 0, 0, 0), restarts);
    sys(close, accepted), sys(close, listener), sys(close, other);
    sys(mknodat, AT_FDCWD, "fifo", 0010600, 0);
    soon(OPEN);
    long fifo = sys(openat, AT_FDCWD, "fifo", O_RDONLY);
    result("openat of a pipe", fifo > 0 ? 1 : fifo, restarts);
    sys(close, other);
    if (fifo > 0) sys(close, fifo);
    uint64_t none = 0, usr1 = bit(SIGUSR1);
    soon(NOTHING), result("rt_sigsuspend", sys(rt_sigsuspend, &none, 8), restarts);
    soon(NOTHING), result("rt_sigtimedwait", sys(rt_sigtimedwait, &usr1, 0, &a_second, 8), restarts);
    long queue = sys(msgget, 0, 01600);
    soon(NOTHING), result("msgrcv", sys(msgrcv, queue, full, 10, 0, 0), restarts);
    sys(msgctl, queue, 0, 0);
    long semaphore = sys(semget, 0, 1, 01600);
    struct { uint16_t number; int16_t change, flags; } down = {0, -1, 0};
    soon(NOTHING), result("semtimedop", sys(semtimedop, semaphore, &down, 1, &a_second), restarts);
    sys(semctl, semaphore, 0, 0, 0);
    /* A lock that a child holds: a descriptor of its own. */
    int file = (int)sys(openat, AT_FDCWD, "lock", O_RDWR | O_CREAT, 0600), ready[2];
    sys(pipe2, ready, 0);
    victim = (int)fork_child();
    if (victim == 0) {
        span long_time = {100, 0};
        int mine = (int)sys(openat, AT_FDCWD, "lock", O_RDWR);
        sys(flock, mine, 2), sys(write, ready[1], "x", 1), sys(nanosleep, &long_time, 0);
        quit(1);
    }
    sys(read, ready[0], &byte, 1);
    soon(UNLOCK), result("flock", sys(flock, file, 2), restarts);
    reap(victim);
    sys(close, file), sys(close, ready[0]), sys(close, ready[1]);
}

/* With several signals, SA_RESTART of the first one that is delivered decides. */
static void two_handlers(void) {
    char byte;
    deed = NOTHING;
    on(SIGUSR1, help, SA_RESTART, 0), on(SIGUSR2, help, 0, 0), on(SIGALRM, help, SA_RESTART, 0);
    for (int order = 0; order < 2; order++) {
        long me = sys(getpid), child = fork_child();
        if (child == 0) {
            span a_moment = {0, 20000000};
            for (int i = 0; i < 2; i++) sys(nanosleep, &a_moment, 0), sys(kill, me, (i == order) ? SIGUSR1 : SIGUSR2);
            quit(0);
        }
        show("read", sys(read, data[0], &byte, 1));
        reap(child);
        show("  handlers", calls), calls = 0;
    }
}

/* A signal that is ignored, or stops and continues, leaves calls alone. */
static void stopped(void) {
    on(SIGALRM, help, SA_RESTART, 0);
    act(SIGUSR1, (void *)1, 0, 0);
    long child = fork_child();
    if (child == 0) {
        span a_while = {0, 200000000};
        quit(sys(nanosleep, &a_while, 0) == 0 ? 5 : 6);
    }
    int status;
    span a_moment = {0, 20000000};
    sys(nanosleep, &a_moment, 0);
    sys(kill, child, SIGUSR1), sys(kill, child, SIGSTOP);
    sys(wait4, child, &status, WUNTRACED, 0);
    sys(kill, child, SIGCONT);
    show_status("sleeper", reap(child));
}

/* read(data[0], &byte, 1) unless flag is set; the handler takes who is on the way into the
 * call to its end. So no signal can come too late to be noticed. */
static volatile int flag;
extern const char look[], call[], end[];
long read_unless(int fd, void *place, volatile int *unless);
#ifdef __riscv
__asm__("read_unless: mv a3, a2\n li a2, 1\n li a7, 63\n"
        "look: lw a4, 0(a3)\n bnez a4, 1f\n"
        "call: ecall\n ret\n"
        "1: end: li a0, -125\n ret\n");
#else
__asm__("read_unless: mov %rdx, %r8\n mov $1, %edx\n"
        "look: cmpl $0, (%r8)\n jne 1f\n xor %eax, %eax\n"
        "call: syscall\n ret\n"
        "1: end: mov $-125, %rax\n ret\n");
#endif

static void mark(int signal, siginfo_t *info, struct ucontext *context) {
    (void)signal, (void)info;
    unsigned long *pc = pc_of(context);
    flag = 1, calls++;
    if (*pc >= (unsigned long)look && *pc <= (unsigned long)call) *pc = (unsigned long)end;
}

static void never_missed(void) {
    char byte;
    long wrong = 0, random = 12345;
    calls = 0;
    for (int restart = 0; restart < 2; restart++) {
        on(SIGALRM, mark, restart ? SA_RESTART : 0, 0);
        for (int i = 0; i < MANY; i++) {
            random = (random * 1103515245 + 12345) & 0x7fffffff;
            flag = 0;
            alarm_after(1 + random % 60, 0);
            long got = read_unless(data[0], &byte, &flag);
            wrong += got != -EINTR && got != -125;
        }
    }
    show("wrong", wrong), show("signals", calls);
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    sys(pipe2, data, 0);
    calls_that_wait(0);
    calls_that_wait(1);
    calls = 0;
    two_handlers();
    stopped();
    never_missed();
    return 0;
}
