/* build: -O1 -static -nostdlib -fno-builtin */
/* Processes that share memory, and what else clone is told to share. */
#include "guest.h"
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/futex.h>
#include <linux/sched.h>

enum { STACK = 16384 };
static char stacks[4][STACK] __attribute__((aligned(64)));
static volatile int word, answer;
static int its_number, alive;

/* Runs `run` in a new process, on a stack of its own. */
static long start(long flags, char *stack, void *parent_tid, int (*run)(void)) {
    char *top = stack + STACK;
    long result;
#ifdef __riscv
    register long a7 __asm__("a7") = __NR_clone, a0 __asm__("a0") = flags, a1 __asm__("a1") = (long)top,
                  a2 __asm__("a2") = (long)parent_tid, a3 __asm__("a3") = 0, a4 __asm__("a4") = (long)&alive;
    register int (*s1)(void) __asm__("s1") = run;
    register long s2 __asm__("s2") = __NR_exit_group;
    __asm__ volatile("ecall\n\tbnez a0, 1f\n\tjalr s1\n\tmv a7, s2\n\tecall\n1:"
                     : "+r"(a0)
                     : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(s1), "r"(s2)
                     : "memory", "ra");
    result = a0;
#else
    register long r10 __asm__("r10") = (long)&alive, r8 __asm__("r8") = 0;
    register int (*r12)(void) __asm__("r12") = run;
    __asm__ volatile("syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\tcall *%%r12\n\tmov %%eax, %%edi\n\t"
                     "mov %5, %%eax\n\tsyscall\n1:"
                     : "=a"(result)
                     : "a"(__NR_clone), "D"(flags), "S"(top), "d"(parent_tid), "i"(__NR_exit_group),
                       "r"(r10), "r"(r8), "r"(r12)
                     : "rcx", "r11", "memory");
#endif
    return result;
}

static void await(volatile int *at, int value) {
    for (int now; (now = *at) != value;) sys(futex, at, FUTEX_WAIT, now, 0, 0, 0);
}

static void tell(volatile int *at, int value) {
    *at = value;
    sys(futex, at, FUTEX_WAKE, 1, 0, 0, 0);
}

/* The parent goes on meanwhile: each waits for the other. */
static int talker(void) {
    tell(&word, 1);
    await(&word, 2);
    for (volatile long n = 0; n < 2000000; n++) {}
    answer = (int)sys(getppid);
    tell(&word, 3);
    return 7;
}

static void talking(void) {
    word = 0;
    long child = start(CLONE_VM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, stacks[0], &its_number, talker);
    show_ok("shared", child);
    show_yes("number", its_number == child);
    await(&word, 1);
    show("not over", sys(wait4, -1, 0, 1 /* WNOHANG */, 0));
    tell(&word, 2);
    await(&word, 3);
    show_yes("parent", answer == sys(getpid));
    show_status("child", reap(child));
}

static int opener(void) { return (int)sys(openat, AT_FDCWD, "/dev/null", O_RDONLY); }

static int executor(void) {
    return (int)sys(execve, "/proc/self/exe", ((const char *[]){"sharing", "again", 0}), 0);
}

static int killed(void) {
    word = 9;
    for (;;) sys(ppoll, 0, 0, 0, 0, 0);
}

static int parent_of_two(void) {
    long child = fork_child();
    if (child == 0) {
        word = 100;
        quit(3);
    }
    word = 11;
    return reap(child) >> 8;
}

static void others(void) {
    long child = start(CLONE_VM | CLONE_FILES | SIGCHLD, stacks[0], 0, opener);
    int status = reap(child);
    show_status("open", status);
    show("descriptor is the parent's, too", sys(close, status >> 8 & 0xff));
    status = reap(start(CLONE_VM | SIGCHLD, stacks[0], 0, opener));
    show_status("open", status);
    show("descriptor is not", sys(close, status >> 8 & 0xff));
    show_status("execute", reap(start(CLONE_VM | SIGCHLD, stacks[0], 0, executor)));
    word = 0;
    child = start(CLONE_VM | SIGCHLD, stacks[0], 0, killed);
    while (word != 9) sys(sched_yield);
    show("kill", sys(kill, child, SIGKILL));
    show_status("killed", reap(child));
    show_status("forks", reap(start(CLONE_VM | SIGCHLD, stacks[0], 0, parent_of_two)));
    show("grandchild's memory is its own", word);
    word = 0;
    long children[4];
    for (int i = 0; i < 4; i++) children[i] = start(CLONE_VM | SIGCHLD, stacks[i], 0, killed);
    for (int i = 0; i < 4; i++) sys(kill, children[i], SIGTERM);
    for (int i = 0; i < 4; i++) show_status("one of many", reap(children[i]));
    show("no signal at the end", sys(wait4, start(CLONE_VM, stacks[0], 0, opener), 0, 0, 0));
    show_yes("but with __WALL", sys(wait4, -1, 0, 0x40000000, 0) > 0);
}

static void descriptors(void) {
    int pidfd = -1;
    long child = start(CLONE_VM | CLONE_PIDFD | SIGCHLD, stacks[0], &pidfd, killed);
    show_yes("descriptor", pidfd > 2);
    show("pidfd_send_signal", sys(pidfd_send_signal, pidfd, SIGKILL, 0, 0));
    show_status("killed", reap(child));
    sys(close, pidfd);
    struct clone_args args = {.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_PARENT_SETTID, .exit_signal = SIGCHLD,
                              .pidfd = (uint64_t)&pidfd, .parent_tid = (uint64_t)&its_number};
    pidfd = -1, its_number = -1;
    child = sys(clone3, &args, sizeof args);
    if (child == 0) quit(its_number == sys(getpid) ? 4 : 5);
    show_yes("vfork with a descriptor", pidfd > 2);
    show_status("and a number", reap(child));
    args.exit_signal = 65;
    show("bad signal", sys(clone3, &args, sizeof args));
}

int program(int argc, char **argv, char **envp) {
    (void)envp;
    if (argc > 1 && equal(argv[1], "again")) return 8;
    prepare();
    talking();
    others();
    descriptors();
    return 0;
}
