/* build: -O1 -static -nostdlib -fno-builtin */
/* Signals without handlers: masks, waiting, what is ignored, what kills. */
#include "guest.h"
#include <asm/mman.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/signalfd.h>

enum { SS_DISABLE = 2 };
typedef struct { int64_t sec, nsec; } span;
static const span at_once = {0, 0}, soon = {5, 0};

static uint64_t bit(int signal) { return 1ul << (signal - 1); }

static void block(uint64_t set) { sys(rt_sigprocmask, SIG_SETMASK, &set, 0, 8); }

static long pending(void) {
    uint64_t set = 0;
    sys(rt_sigpending, &set, 8);
    return (long)set;
}

static void masks(void) {
    uint64_t set = bit(SIGUSR1) | bit(SIGKILL) | bit(SIGSTOP) | bit(40), old = 99;
    show("SIG_BLOCK", sys(rt_sigprocmask, SIG_BLOCK, &set, &old, 8));
    show("  old", (long)old);
    show("query", sys(rt_sigprocmask, 999, 0, &old, 8));
    show("  without SIGKILL and SIGSTOP", (long)old);
    set = bit(SIGUSR1);
    show("SIG_UNBLOCK", sys(rt_sigprocmask, SIG_UNBLOCK, &set, &old, 8));
    sys(rt_sigprocmask, 0, 0, &old, 8);
    show("  now", (long)old);
    set = bit(SIGSEGV) | bit(SIGILL) | bit(SIGBUS) | bit(SIGFPE) | bit(SIGTRAP) | bit(64);
    show("SIG_SETMASK", sys(rt_sigprocmask, SIG_SETMASK, &set, 0, 8));
    sys(rt_sigprocmask, 0, 0, &old, 8);
    show_yes("  now", old == set);
    show("bad how", sys(rt_sigprocmask, 3, &set, 0, 8));
    show("bad size", sys(rt_sigprocmask, SIG_BLOCK, &set, 0, 4));
    show("wild set", sys(rt_sigprocmask, SIG_BLOCK, WILD, 0, 8));
    show("wild old", sys(rt_sigprocmask, SIG_BLOCK, 0, WILD, 8));
    show("rt_sigpending bad size", sys(rt_sigpending, &set, 16));
    show("rt_sigpending wild", sys(rt_sigpending, WILD, 8));
    block(0);
}

static void show_info(const siginfo_t *info) {
    show("  signal", info->si_signo), show_number("  code", info->si_code);
    show_yes("  sender", info->si_pid == sys(getpid) && info->si_uid == (unsigned)sys(getuid));
}

static void taking(void) {
    long me = sys(getpid);
    siginfo_t info;
    uint64_t set = bit(SIGUSR1) | bit(SIGUSR2) | bit(40);
    block(set);
    show("none", sys(rt_sigtimedwait, &set, &info, &at_once, 8));
    show("kill", sys(kill, me, SIGUSR2));
    show("pending", pending());
    show("rt_sigtimedwait", sys(rt_sigtimedwait, &set, &info, &at_once, 8));
    show_info(&info);
    show("pending", pending());
    show("tgkill", sys(tgkill, me, sys(gettid), SIGUSR1));
    show("rt_sigtimedwait", sys(rt_sigtimedwait, &set, &info, 0, 8));
    show_info(&info);
    /* Standard signals are pending once, real-time ones as often as sent. */
    for (int i = 0; i < 3; i++) sys(kill, me, SIGUSR1), sys(tkill, me, 40);
    int standard = 0, real_time = 0;
    for (;;) {
        long got = sys(rt_sigtimedwait, &set, 0, &at_once, 8);
        if (got < 0) break;
        standard += got == SIGUSR1, real_time += got == 40;
    }
    show("standard", standard), show("real-time", real_time);
    memset(&info, 0, sizeof info);
    info.si_signo = 40, info.si_code = SI_QUEUE, info.si_value.sival_ptr = (void *)0x123456789abcul;
    info.si_pid = (int)me;
    show("rt_sigqueueinfo", sys(rt_sigqueueinfo, me, 40, &info));
    memset(&info, 0, sizeof info);
    show("rt_sigtimedwait", sys(rt_sigtimedwait, &set, &info, &at_once, 8));
    show_number("  code", info.si_code);
    show_yes("  value", info.si_value.sival_ptr == (void *)0x123456789abcul);
    show("rt_sigqueueinfo wild", sys(rt_sigqueueinfo, me, 40, WILD));
    info.si_code = SI_USER;
    show("rt_sigqueueinfo in the kernel's name", sys(rt_sigqueueinfo, sys(getppid), 40, &info));
    show("rt_sigtimedwait bad size", sys(rt_sigtimedwait, &set, 0, &at_once, 4));
    show("rt_sigtimedwait bad time", sys(rt_sigtimedwait, &set, 0, (&(span){0, -1}), 8));
    show("rt_sigtimedwait wild", sys(rt_sigtimedwait, WILD, 0, &at_once, 8));
    sys(kill, me, SIGUSR1);
    show("rt_sigtimedwait info wild", sys(rt_sigtimedwait, &set, WILD, &at_once, 8));
    /* A child's end is a signal, too. */
    set = bit(SIGCHLD);
    block(set);
    long child = fork_child();
    if (child == 0) quit(33);
    show("rt_sigtimedwait", sys(rt_sigtimedwait, &set, &info, &soon, 8));
    show("  code", info.si_code), show("  status", info.si_status);
    show_yes("  child", info.si_pid == child);
    reap(child);
    block(0);
}

static void sending(void) {
    long me = sys(getpid), tid = sys(gettid);
    show("kill 0", sys(kill, me, 0));
    show("kill bad", sys(kill, me, 65));
    show("kill negative", sys(kill, me, -1));
    show("kill nobody", sys(kill, 0x3fffffff, 0));
    show("kill no group", sys(kill, -0x3fffffff, 0));
    show("tkill 0", sys(tkill, tid, 0));
    show("tkill bad thread", sys(tkill, -1, 0));
    show("tkill nobody", sys(tkill, 0x3fffffff, 0));
    show("tgkill other process", sys(tgkill, 0x3fffffff, tid, 0));
    show("tgkill bad process", sys(tgkill, -1, tid, 0));
    show("tgkill bad signal", sys(tgkill, me, tid, 99));
}

static void actions(void) {
    struct { uint64_t handler, flags, mask, rest; } action = {1}, old = {9, 9, 9, 9};
    long me = sys(getpid);
    show("ignore SIGUSR1", sys(rt_sigaction, SIGUSR1, &action, &old, 8));
    show("  old", (long)old.handler);
    show("kill", sys(kill, me, SIGUSR1));
    show("pending", pending());
    block(bit(SIGUSR1));
    show("kill while blocked", sys(kill, me, SIGUSR1));
    show("pending", pending());
    block(0);
    action.handler = 0;
    show("default", sys(rt_sigaction, SIGUSR1, &action, &old, 8));
    show("  old", (long)old.handler);
    /* Setting a signal to be ignored drops what is pending. */
    block(bit(SIGUSR1));
    sys(kill, me, SIGUSR1);
    show("pending", pending());
    action.handler = 1;
    sys(rt_sigaction, SIGUSR1, &action, 0, 8);
    show("pending", pending());
    block(0);
    show("SIGKILL", sys(rt_sigaction, SIGKILL, &action, 0, 8));
    show("SIGSTOP", sys(rt_sigaction, SIGSTOP, &action, 0, 8));
    show("query SIGKILL", sys(rt_sigaction, SIGKILL, 0, &old, 8));
    show("signal 0", sys(rt_sigaction, 0, &action, 0, 8));
    show("signal 65", sys(rt_sigaction, 65, &action, 0, 8));
    show("signal -1", sys(rt_sigaction, -1, 0, &old, 8));
    show("bad size", sys(rt_sigaction, SIGUSR1, &action, 0, 4));
    show("wild action", sys(rt_sigaction, SIGUSR1, WILD, 0, 8));
    show("wild old", sys(rt_sigaction, SIGUSR1, 0, WILD, 8));
    for (int signal = 1; signal <= 64; signal++) {
        if (signal == SIGKILL || signal == SIGSTOP) continue;
        uint64_t mine[4] = {1, 0, 0, 0}, seen[4] = {7, 7, 7, 7}, back[4] = {0};
        if (sys(rt_sigaction, signal, mine, 0, 8) || sys(rt_sigaction, signal, back, seen, 8) || seen[0] != 1)
            show("not remembered", signal);
    }
    /* Without zombies there is nothing to wait for. */
    action.handler = 1;
    sys(rt_sigaction, SIGCHLD, &action, 0, 8);
    long child = fork_child();
    if (child == 0) quit(1);
    int status = 77;
    show("wait4 with SIGCHLD ignored", sys(wait4, child, &status, 0, 0));
    action.handler = 0;
    sys(rt_sigaction, SIGCHLD, &action, 0, 8);
    struct { char *base; int flags; uint64_t size; } stack = {(char *)0x10000, 0, 16384}, was;
    show("sigaltstack", sys(sigaltstack, &stack, 0));
    show("sigaltstack", sys(sigaltstack, 0, &was));
    show("  base", (long)was.base), show("  flags", was.flags), show("  size", (long)was.size);
    stack.size = 100;
    show("sigaltstack small", sys(sigaltstack, &stack, 0));
    stack.flags = 99;
    show("sigaltstack bad flags", sys(sigaltstack, &stack, 0));
    show("sigaltstack wild", sys(sigaltstack, WILD, 0));
    show("sigaltstack old wild", sys(sigaltstack, 0, WILD));
    stack.flags = SS_DISABLE;
    show("sigaltstack off", sys(sigaltstack, &stack, &was));
}

static void descriptors(void) {
    uint64_t set = bit(SIGUSR1) | bit(41);
    block(set);
    long fd = sys(signalfd4, -1, &set, 8, O_NONBLOCK | O_CLOEXEC);
    show_ok("signalfd4", fd);
    struct signalfd_siginfo info[4];
    show("read none", sys(read, fd, info, sizeof info));
    sys(kill, sys(getpid), SIGUSR1), sys(kill, sys(getpid), 41);
    memset(info, 0, sizeof info);
    show("read", sys(read, fd, info, sizeof info));
    show("  first", info[0].ssi_signo), show("  second", info[1].ssi_signo);
    show_yes("  sender", info[0].ssi_pid == sys(getpid));
    set = bit(SIGUSR2);
    show_yes("signalfd4 changes", sys(signalfd4, fd, &set, 8, 0) == fd);
    sys(kill, sys(getpid), SIGUSR1);
    show("read another", sys(read, fd, info, sizeof info));
    show("signalfd4 of another file", sys(signalfd4, 1, &set, 8, 0));
    show("signalfd4 bad flags", sys(signalfd4, -1, &set, 8, 1));
    show("read small", sys(read, fd, info, 100));
    set = bit(SIGUSR1);
    sys(rt_sigtimedwait, &set, 0, &at_once, 8);
    block(0);
}

/* What each signal does to a child that does nothing about it. */
static void defaults(void) {
    for (int signal = 1; signal <= 34; signal++) {
        if (signal == 32 || signal == 33) continue;
        long child = fork_child();
        if (child == 0) {
            /* In a group of its own, since a group that nobody controls is not stopped. */
            sys(setpgid, 0, 0);
            sys(kill, sys(getpid), signal);
            quit(0);
        }
        int status = 0;
        sys(wait4, child, &status, WUNTRACED, 0);
        number(signal);
        /* Whether there is a core file is the machine's affair. */
        show_status("", status & 0x7f ? (status & 0xff) == 0x7f ? status : status & 0x7f : status);
        if ((status & 0xff) == 0x7f) {
            sys(kill, child, SIGKILL);
            show_status("  then", reap(child));
        }
    }
}

/* The same for those that an instruction causes. */
static void faults(void) {
    for (int kind = 0; kind < 5; kind++) {
        for (int ignored = 0; ignored < 3; ignored++) {
            long child = fork_child();
            if (child == 0) {
                static const int signals[] = {SIGSEGV, SIGSEGV, SIGSEGV, SIGILL, SIGTRAP};
                uint64_t action[4] = {1};
                if (ignored == 1) sys(rt_sigaction, signals[kind], action, 0, 8);
                if (ignored == 2) block(bit(signals[kind]));
                if (kind == 0) *(volatile char *)WILD = 1;
                if (kind == 1) ((void (*)(void))WILD)();
                if (kind == 2) (void)*(volatile char *)OUTSIDE;
#ifdef __riscv
                if (kind == 3) __asm__ volatile("unimp");
                if (kind == 4) __asm__ volatile("ebreak");
#else
                if (kind == 3) __asm__ volatile("ud2");
                if (kind == 4) __asm__ volatile("int3");
#endif
                quit(0);
            }
            number(kind), put(ignored == 0 ? "" : ignored == 1 ? " ignored" : " blocked");
            show_status("", reap(child) & 0xff7f);
        }
    }
}

static void interrupted(void) {
    /* A signal that is ignored or continues a process interrupts nothing. */
    int pipe[2];
    sys(pipe2, pipe, 0);
    long child = fork_child();
    if (child == 0) {
        char byte;
        quit(sys(read, pipe[0], &byte, 1) == 1 ? 5 : 6);
    }
    sys(kill, child, SIGCHLD), sys(kill, child, SIGURG), sys(kill, child, SIGWINCH);
    sys(kill, child, SIGSTOP);
    int status;
    sys(wait4, child, &status, WUNTRACED, 0);
    sys(kill, child, SIGCONT);
    sys(write, pipe[1], "x", 1);
    show_status("reader", reap(child));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    masks();
    taking();
    sending();
    actions();
    descriptors();
    defaults();
    faults();
    interrupted();
    return 0;
}
