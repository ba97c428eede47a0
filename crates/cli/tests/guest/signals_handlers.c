/* build: -O1 -static -nostdlib -fno-builtin */
/* Handlers: what they are given, what is blocked meanwhile, on which stack they run, what
 * they may change, what becomes of them in other processes. */
#include "handlers.h"
#include <linux/mman.h>

#define SS_ONSTACK 1
#define SS_DISABLE 2
#define SS_AUTODISARM (1u << 31)
static volatile int count, depth;
static volatile uint64_t seen_mask;
static char other_stack[65536] __attribute__((aligned(16)));

static void tell(int signal, siginfo_t *info, struct ucontext *context) {
    put("  handler "), number(signal);
    put(" signo "), number(info->si_signo), put(" code "), number(info->si_code);
    if (info->si_code == SI_QUEUE) put(" value "), number((long)info->si_value.sival_ptr);
    if (info->si_code == SI_USER || info->si_code == SI_TKILL)
        put(info->si_pid == sys(getpid) ? " from me" : " from another");
    put("\n");
    seen_mask = blocked();
    (void)context;
    count++;
}

static void arguments(void) {
    on(SIGUSR1, tell, 0, 0), on(40, tell, 0, 0);
    show("kill", sys(kill, sys(getpid), SIGUSR1));
    show("tgkill", sys(tgkill, sys(getpid), sys(gettid), SIGUSR1));
    show("tkill", sys(tkill, sys(gettid), 40));
    show("rt_sigqueueinfo", queue((int)sys(getpid), 40, 123456789));
    long child = fork_child();
    if (child == 0) quit((int)sys(kill, sys(getppid), SIGUSR1));
    int status = -1;
    while (sys(wait4, child, &status, 0, 0) == -EINTR) continue;
    show_status("child", status);
}

static void masks(void) {
    on(SIGUSR1, tell, 0, bit(SIGUSR2) | bit(SIGKILL) | bit(64));
    block(bit(SIGHUP));
    send(SIGUSR1);
    show_yes("mask and the signal itself", seen_mask == (bit(SIGHUP) | bit(SIGUSR1) | bit(SIGUSR2) | bit(64)));
    show_yes("as before", blocked() == bit(SIGHUP));
    on(SIGUSR1, tell, SA_NODEFER, bit(SIGUSR2));
    send(SIGUSR1);
    show_yes("SA_NODEFER", seen_mask == (bit(SIGHUP) | bit(SIGUSR2)));
    struct action old = {0};
    on(SIGUSR1, tell, SA_NODEFER | SA_RESETHAND, 0);
    send(SIGUSR1);
    sys(rt_sigaction, SIGUSR1, 0, &old, 8);
    show_yes("SA_RESETHAND", !old.handler && (old.flags & (SA_NODEFER | SA_RESETHAND)) == (SA_NODEFER | SA_RESETHAND));
    on(SIGUSR1, tell, SA_RESTART | 0x400 | 0x1000 | 0x10000000000ul, bit(SIGKILL) | bit(SIGSTOP) | bit(3));
    sys(rt_sigaction, SIGUSR1, 0, &old, 8);
    show_yes("unknown flags", (old.flags & ~RESTORER) == (SA_RESTART | SA_SIGINFO));
    show("mask", (long)old.mask);
    block(0);
}

static void change_mask(int signal, siginfo_t *info, struct ucontext *context) {
    (void)signal, (void)info;
    show_yes("  uc_sigmask is the former", *mask_of(context) == bit(SIGHUP));
    *mask_of(context) = bit(SIGUSR2) | bit(SIGKILL);
}

static void changed_mask(void) {
    on(SIGUSR1, change_mask, 0, ~0ul);
    on(SIGUSR2, tell, 0, 0);
    block(bit(SIGHUP));
    send(SIGUSR1);
    show_yes("mask of the handler's choice", blocked() == bit(SIGUSR2));
    send(SIGUSR2);
    show_yes("pending", pending() == bit(SIGUSR2));
    block(0);
    show_yes("not pending", pending() == 0);
}

static void nest(int signal, siginfo_t *info, struct ucontext *context) {
    (void)info, (void)context;
    depth++;
    put("  in "), number(signal), put(" depth "), number(depth), put("\n");
    if (signal == 10 && depth < 5) send(10);
    if (signal == 41) send(10);
    depth--;
    put("  out "), number(signal), put("\n");
}

static void nested(void) {
    on(10, nest, SA_NODEFER, 0), on(12, nest, 0, 0), on(41, nest, 0, 0), on(42, nest, 0, ~0ul);
    put("itself\n"), send(10);
    put("many at once\n");
    block(~0ul);
    send(42), send(41), send(12), send(41);
    block(0);
    put("queued\n");
    on(42, tell, 0, 0), on(41, tell, 0, ~0ul);
    block(~0ul);
    for (long i = 0; i < 3; i++) queue((int)sys(getpid), 42, i), queue((int)sys(getpid), 41, 100 + i);
    block(0);
}

static void show_stack(int signal, siginfo_t *info, struct ucontext *context) {
    (void)signal, (void)info;
    struct { char *base; unsigned flags; uint64_t size; } now = {0}, off = {0, SS_DISABLE, 0};
    char here;
    show_yes("  on the other stack", (unsigned long)(&here - other_stack) < sizeof other_stack);
    show_yes("  interrupted there", stack_of(context) - (unsigned long)other_stack < sizeof other_stack);
    sys(sigaltstack, 0, &now);
    show_number("  flags", (int)now.flags), show("  size", (long)now.size);
    show("  saved size", (long)context->uc_stack.ss_size), show_number("  saved flags", context->uc_stack.ss_flags);
    if (!(now.flags & SS_DISABLE)) show("  off", sys(sigaltstack, &off, 0));
    if (++depth < 2) send(SIGUSR1);
    depth--;
}

static void stacks(void) {
    struct { char *base; unsigned flags; uint64_t size; } stack = {other_stack, 0, sizeof other_stack}, now;
    static const unsigned flags[] = {0, SS_ONSTACK, SS_AUTODISARM, SS_AUTODISARM | SS_ONSTACK, SS_DISABLE, 4};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        stack.flags = flags[i];
        show("sigaltstack", sys(sigaltstack, &stack, 0));
        on(SIGUSR1, show_stack, SA_ONSTACK | SA_NODEFER, 0);
        depth = 0;
        send(SIGUSR1);
        sys(sigaltstack, 0, &now);
        show_number("after: flags", (int)now.flags), show("  size", (long)now.size);
    }
    stack.flags = 0;
    sys(sigaltstack, &stack, 0);
    put("without SA_ONSTACK\n");
    on(SIGUSR1, show_stack, 0, 0);
    depth = 1;
    send(SIGUSR1);
    stack.flags = SS_DISABLE;
    sys(sigaltstack, &stack, 0);
}

static void count_it(int signal, siginfo_t *info, struct ucontext *context) {
    count += signal == info->si_signo;
    seen_mask = blocked();
    (void)context;
}

static void all(void) {
    int sent = 0;
    count = 0;
    for (int signal = 1; signal <= 64; signal++) {
        if (signal == SIGKILL || signal == SIGSTOP) continue;
        on(signal, count_it, 0, 0);
        send(signal), sys(kill, sys(getpid), signal), sent += 2;
        if (count != sent) show("lost", signal), count = sent;
    }
    show("handled", count);
    block(~0ul);
    /* SIGCONT would take away those that stop. */
    uint64_t most = ~(bit(SIGKILL) | bit(SIGSTOP) | bit(SIGCONT));
    for (int signal = 1; signal <= 64; signal++)
        if (most & bit(signal)) send(signal);
    show_yes("all pending", pending() == most);
    span at_once = {0, 0};
    uint64_t set = bit(SIGSEGV) | bit(33);
    siginfo_t info;
    memset(&info, 0, sizeof info);
    show("rt_sigtimedwait", sys(rt_sigtimedwait, &set, &info, &at_once, 8));
    show("  signal", info.si_signo), show_number("  code", info.si_code);
    show("rt_sigtimedwait", sys(rt_sigtimedwait, &set, 0, &at_once, 8));
    show("rt_sigtimedwait", sys(rt_sigtimedwait, &set, 0, &at_once, 8));
    count = 0;
    block(0);
    show("handled", count);
    /* Ignoring a signal drops what is pending of it. */
    static const int some[] = {SIGSEGV, SIGBUS, SIGILL, SIGUSR1, 32, 64};
    block(~0ul);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) send(some[i]), act(some[i], (void *)1, 0, 0);
    show_yes("none pending", pending() == 0);
    block(0);
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) send(some[i]);
    for (int signal = 1; signal <= 64; signal++) act(signal, 0, 0, 0);
}

static void suspended(void) {
    on(SIGUSR1, tell, 0, bit(SIGHUP)), on(SIGUSR2, tell, 0, 0), on(SIGSEGV, tell, 0, 0);
    uint64_t own = bit(SIGUSR1) | bit(SIGUSR2) | bit(SIGSEGV), most = ~(bit(SIGUSR1) | bit(SIGKILL) | bit(SIGSTOP));
    block(own);
    send(SIGUSR1), send(SIGUSR2);
    show("rt_sigsuspend", sys(rt_sigsuspend, &most, 8));
    show_yes("the call's mask in the handler", seen_mask == (most | bit(SIGHUP) | bit(SIGUSR1)));
    show_yes("the former afterwards", blocked() == own);
    show_yes("the other is pending", pending() == bit(SIGUSR2));
    most = ~bit(SIGUSR2);
    show("ppoll", sys(ppoll, 0, 0, 0, &most, 8));
    show_yes("nothing is pending", pending() == 0);
    send(SIGSEGV);
    most = ~bit(SIGSEGV);
    show("rt_sigsuspend", sys(rt_sigsuspend, &most, 8));
    show_yes("the former afterwards", blocked() == own);
    struct { uint64_t *set; uint64_t size; } pair = {&most, 8};
    send(SIGSEGV);
    show("pselect6", sys(pselect6, 0, 0, 0, 0, 0, &pair));
    int epoll = (int)sys(epoll_create1, 0);
    char events[16];
    send(SIGUSR1);
    most = ~bit(SIGUSR1);
    show("epoll_pwait", sys(epoll_pwait, epoll, events, 1, -1, &most, 8));
    /* One that is not blocked by the call's mask, but whose call does not wait. */
    span at_once = {0, 0};
    show("ppoll", sys(ppoll, 0, 0, &at_once, &most, 8));
    sys(close, epoll);
    show("rt_sigsuspend wild", sys(rt_sigsuspend, WILD, 8));
    show("rt_sigsuspend bad size", sys(rt_sigsuspend, &most, 4));
    show_yes("the former afterwards", blocked() == own);
    block(0);
}

static void children(void) {
    on(SIGUSR1, tell, 0, 0), on(SIGSEGV, tell, 0, 0);
    block(bit(SIGUSR1) | bit(SIGSEGV));
    send(SIGUSR1), send(SIGSEGV);
    long child = fork_child();
    if (child == 0) {
        show_yes("child has none", pending() == 0);
        show_yes("child has the mask", blocked() == (bit(SIGUSR1) | bit(SIGSEGV)));
        block(0);
        send(SIGUSR1);
        quit(3);
    }
    show_status("child", reap(child));
    show_yes("parent has them", pending() == (bit(SIGUSR1) | bit(SIGSEGV)));
    block(0);
    on(SIGCHLD, count_it, SA_RESTART, 0);
    count = 0;
    child = fork_child();
    if (child == 0) {
        send(SIGSTOP);
        quit(4);
    }
    int status;
    sys(wait4, child, &status, WUNTRACED, 0);
    show_status("child", status);
    show("told", count);
    on(SIGCHLD, count_it, SA_RESTART | SA_NOCLDSTOP, 0);
    sys(kill, child, SIGCONT);
    show_status("child", reap(child));
    show("told", count);
    count = 0;
    child = fork_child();
    if (child == 0) {
        send(SIGSTOP);
        quit(4);
    }
    sys(wait4, child, &status, WUNTRACED, 0);
    show("told of the stop", count);
    sys(kill, child, SIGKILL);
    reap(child);
    show("told of the end", count);
    on(SIGCHLD, count_it, SA_RESTART | SA_NOCLDWAIT, 0);
    child = fork_child();
    if (child == 0) quit(5);
    show("SA_NOCLDWAIT", sys(wait4, child, 0, 0, 0));
    act(SIGCHLD, 0, 0, 0);
}

static void stop_itself(int signal, siginfo_t *info, struct ucontext *context) {
    (void)info, (void)context;
    put("  handler "), number(signal), put("\n");
    if (signal == SIGTSTP) sys(kill, sys(getpid), SIGSTOP);
}

static void job_control(void) {
    long child = fork_child();
    if (child == 0) {
        sys(setpgid, 0, 0);
        on(SIGTSTP, stop_itself, 0, 0), on(SIGCONT, stop_itself, 0, 0);
        send(SIGTSTP);
        quit(6);
    }
    int status;
    sys(wait4, child, &status, WUNTRACED, 0);
    show_status("child", status);
    sys(kill, child, SIGCONT);
    show_status("child", reap(child));
}

/* Goes on with another stack pointer: sends SIGUSR1, or returns from a handler that never ran. */
static void with_stack(unsigned long stack, int returns) {
    long me = sys(getpid);
#ifdef __riscv
    register long a0 __asm__("a0") = me, a1 __asm__("a1") = SIGUSR1, a7 __asm__("a7") = returns ? 139 : __NR_kill;
    __asm__ volatile("mv sp, %3\n ecall\n 1: j 1b" : : "r"(a0), "r"(a1), "r"(a7), "r"(stack) : "memory");
#else
    long call = returns ? 15 : __NR_kill;
    __asm__ volatile("mov %3, %%rsp\n syscall\n 1: jmp 1b" : : "a"(call), "D"(me), "S"((long)SIGUSR1), "r"(stack) : "memory");
#endif
    quit(9);
}

static void end(int signal, siginfo_t *info, struct ucontext *context) {
    (void)context;
    put("  handler "), number(signal), put(" code "), number(info->si_code), put("\n");
    quit(7);
}

static void frames(void) {
    static const char *const names[] = {"unwritable stack", "wild stack", "bad frame", "frame nowhere"};
    for (int kind = 0; kind < 4; kind++) {
        for (int way = 0; way < 4; way++) {
            put(names[kind]), put(way == 0 ? "\n" : way == 1 ? ", other stack\n" : way == 2 ? ", same stack\n" : ", blocked\n");
            long child = fork_child();
            if (child == 0) {
                struct { char *base; unsigned flags; uint64_t size; } stack = {other_stack, 0, sizeof other_stack};
                sys(sigaltstack, &stack, 0);
                on(SIGUSR1, tell, 0, 0);
                if (way > 0) on(SIGSEGV, end, way == 1 ? SA_ONSTACK : 0, 0);
                if (way == 3) block(bit(SIGSEGV));
                unsigned long sp = 0x123450000ul;
                if (kind == 0) sp = (unsigned long)sys(mmap, 0, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 32768;
                if (kind == 2) {
                    /* Readable, and all ones. */
                    static char ones[4096] __attribute__((aligned(16)));
                    memset(ones, 0xff, sizeof ones);
                    sp = (unsigned long)ones;
                    if (way == 3) quit(0);
                }
                with_stack(sp, kind >= 2);
            }
            show_status("  ", reap(child) & 0xff7f);
        }
    }
}

static void executed(char **argv) {
    act(SIGUSR1, (void *)1, 0, 0), act(SIGSEGV, (void *)1, 0, 0), on(SIGUSR2, tell, 0, 0), on(SIGBUS, tell, 0, 0);
    block(bit(SIGUSR2) | bit(SIGBUS) | bit(35));
    send(SIGUSR2), send(SIGBUS);
    char *arguments[] = {argv[0], "again", 0}, *environment[] = {0};
    long child = fork_child();
    if (child == 0) {
        send(SIGUSR2), send(SIGBUS);
        show("execve wild", sys(execve, WILD, arguments, environment));
        show_yes("pending", pending() == (bit(SIGUSR2) | bit(SIGBUS)));
        sys(execve, "/proc/self/exe", arguments, environment);
        quit(1);
    }
    show_status("executed", reap(child));
    block(0);
}

static int again(void) {
    show_yes("mask", blocked() == (bit(SIGUSR2) | bit(SIGBUS) | bit(35)));
    show_yes("pending", pending() == (bit(SIGUSR2) | bit(SIGBUS)));
    for (int signal = 1; signal <= 64; signal++) {
        struct action old = {0};
        sys(rt_sigaction, signal, 0, &old, 8);
        if (old.handler) put("  "), number(signal), put(old.handler == (void *)1 ? " ignored\n" : " handled\n");
    }
    return 8;
}

int program(int argc, char **argv, char **envp) {
    (void)envp;
    if (argc > 1) return again();
    prepare();
    arguments();
    masks();
    changed_mask();
    nested();
    stacks();
    all();
    suspended();
    children();
    job_control();
    frames();
    executed(argv);
    return 0;
}
