/* build: -O1 -static -nostdlib -fno-builtin */
/* Processes: making them, waiting for them, what they inherit, groups and sessions. */
#include "guest.h"
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/time.h>

typedef struct { int64_t sec, nsec; } span;
static char buf[4096];

static void nap(void) { sys(nanosleep, (&(span){0, 20000000}), 0); }

static void exit_statuses(void) {
    static const int statuses[] = {0, 1, 77, 255, 256, 257, -1, 0x12345678};
    for (unsigned i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        long child = fork_child();
        if (child == 0) quit(statuses[i]);
        show_status("child", reap(child));
    }
    long child = fork_child();
    if (child == 0) for (;;) sys(exit, 3);
    show_status("exit of the only thread", reap(child));
}

static void waiting(void) {
    int status = 0x5555;
    show("wait4 without children", sys(wait4, -1, &status, 0, 0));
    show("wait4 bad options", sys(wait4, -1, &status, 0x100, 0));
    show("wait4 INT_MIN", sys(wait4, 0x80000000, &status, 0, 0));
    long child = fork_child();
    if (child == 0) {
        nap();
        quit(9);
    }
    show("wait4 WNOHANG", sys(wait4, child, &status, WNOHANG, 0));
    show("untouched", status);
    show("waitid bad which", sys(waitid, 99, child, 0, WEXITED, 0));
    show("waitid no options", sys(waitid, P_PID, child, 0, 0, 0));
    show("waitid not a child", sys(waitid, P_PID, sys(getpid), 0, WEXITED, 0));
    siginfo_t info;
    memset(&info, 0, sizeof info);
    show("waitid WNOWAIT", sys(waitid, P_PID, child, &info, WEXITED | WNOWAIT, 0));
    show("  signal", info.si_signo), show("  code", info.si_code), show("  status", info.si_status);
    show_yes("  pid", info.si_pid == child);
    show_yes("  uid", info.si_uid == sys(getuid));
    struct rusage usage;
    memset(&usage, 0xff, sizeof usage);
    show("waitid wild", sys(waitid, P_PID, child, WILD, WEXITED | WNOWAIT, 0));
    show_yes("wait4", sys(wait4, child, &status, 0, &usage) == child);
    show_status("child", status);
    show_yes("  usage", usage.ru_utime.tv_sec == 0 && usage.ru_nsignals == 0);
    show("wait4 again", sys(wait4, child, &status, 0, 0));
    child = fork_child();
    if (child == 0) quit(0);
    show("wait4 wild", sys(wait4, child, WILD, 0, 0));
}

static void stopping(void) {
    int status, pipe[2];
    sys(pipe2, pipe, 0);
    long child = fork_child();
    if (child == 0) {
        sys(kill, sys(getpid), SIGSTOP);
        sys(read, pipe[0], buf, 1);
        quit(4);
    }
    show_yes("wait4 WUNTRACED", sys(wait4, child, &status, WUNTRACED, 0) == child);
    show_status("child", status);
    show("kill", sys(kill, child, SIGCONT));
    siginfo_t info;
    show("waitid WCONTINUED", sys(waitid, P_PID, child, &info, WCONTINUED, 0));
    show("  code", info.si_code), show("  status", info.si_status);
    sys(write, pipe[1], "x", 1);
    sys(wait4, child, &status, 0, 0);
    show_status("child", status);
    child = fork_child();
    if (child == 0) for (;;) nap();
    show("kill 0", sys(kill, child, 0));
    show("kill bad signal", sys(kill, child, 65));
    show("kill", sys(kill, child, SIGKILL));
    show_status("child", reap(child));
    show("kill again", sys(kill, child, SIGKILL));
}

/* What a child changes in its memory and its descriptors. */
static void copies(void) {
    static volatile int shared = 1;
    int pipe[2];
    sys(pipe2, pipe, 0);
    long child = fork_child();
    if (child == 0) {
        shared = 2;
        sys(close, pipe[0]);
        sys(chdir, "/");
        sys(umask, 0777);
        sys(write, pipe[1], "from the child", 15);
        quit(shared);
    }
    show_status("child", reap(child));
    show("memory is a copy", shared);
    show("read", sys(read, pipe[0], buf, sizeof buf));
    show_text("text", buf);
    show_yes("umask is a copy", sys(umask, 022) != 0777);
    long parent = sys(getpid);
    child = fork_child();
    if (child == 0) {
        show_yes("getppid", sys(getppid) == parent);
        show_yes("gettid", sys(gettid) == sys(getpid));
        show_yes("getpid", sys(getpid) != parent);
        quit(0);
    }
    reap(child);
    /* vfork: the parent goes on when the child has ended. */
    child = clone_child(CLONE_VFORK | CLONE_VM | SIGCHLD);
    if (child == 0) {
        nap();
        sys(write, pipe[1], "first", 5);
        quit(6);
    }
    sys(write, pipe[1], " second", 8);
    show_status("vfork", reap(child));
    show("read", sys(read, pipe[0], buf, sizeof buf));
    show_text("order", buf);
}

static void cloning(void) {
    int parent_tid = 0, child_tid = 0;
#ifdef __riscv
#define CLONE(flags, parent, child) sys(clone, flags, 0, parent, 0, child)
#else
#define CLONE(flags, parent, child) sys(clone, flags, 0, parent, child, 0)
#endif
    long child = CLONE(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, &parent_tid, &child_tid);
    if (child == 0) quit(child_tid == sys(getpid) ? 1 : 2);
    show_yes("CLONE_PARENT_SETTID", parent_tid == child);
    show_status("CLONE_CHILD_SETTID", reap(child));
    show("clone thread without signals", clone_child(CLONE_THREAD));
    show("clone signals without memory", clone_child(CLONE_SIGHAND));
    show("clone file systems new and shared", clone_child(CLONE_NEWNS | CLONE_FS));
    /* A child whose end is not announced is only found with __WCLONE or __WALL. */
    child = clone_child(0);
    if (child == 0) quit(8);
    int status;
    show("wait4 of a silent child", sys(wait4, child, &status, 0, 0));
    show_yes("wait4 __WALL", sys(wait4, child, &status, __WALL, 0) == child);
    show_status("child", status);
    struct clone_args args = {.exit_signal = SIGCHLD};
    child = sys(clone3, &args, sizeof args);
    if (child == 0) quit(12);
    show_status("clone3", reap(child));
    int pidfd = -1;
    args = (struct clone_args){.exit_signal = SIGCHLD, .flags = CLONE_PIDFD, .pidfd = (uint64_t)&pidfd};
    child = sys(clone3, &args, sizeof args);
    if (child == 0) for (;;) nap();
    show_yes("CLONE_PIDFD", pidfd > 2);
    show("pidfd_send_signal", sys(pidfd_send_signal, pidfd, SIGTERM, 0, 0));
    siginfo_t info;
    show("waitid P_PIDFD", sys(waitid, P_PIDFD, pidfd, &info, WEXITED, 0));
    show("  code", info.si_code), show("  status", info.si_status);
    show("pidfd_send_signal again", sys(pidfd_send_signal, pidfd, SIGTERM, 0, 0));
    show("clone3 small", sys(clone3, &args, 8));
    show("clone3 large", sys(clone3, &args, 5000));
    show("clone3 wild", sys(clone3, WILD, sizeof args));
    args = (struct clone_args){.exit_signal = 999};
    show("clone3 bad signal", sys(clone3, &args, sizeof args));
    args = (struct clone_args){.exit_signal = SIGCHLD, .stack = 4096};
    show("clone3 stack without size", sys(clone3, &args, sizeof args));
    args = (struct clone_args){.flags = 1ul << 60};
    show("clone3 bad flags", sys(clone3, &args, sizeof args));
    args = (struct clone_args){.flags = SIGCHLD};
    show("clone3 signal among flags", sys(clone3, &args, sizeof args));
    args = (struct clone_args){.flags = 0x00400000};
    show("clone3 obsolete flag", sys(clone3, &args, sizeof args));
    args = (struct clone_args){.exit_signal = SIGCHLD, .set_tid_size = 1};
    show("clone3 size without numbers", sys(clone3, &args, sizeof args));
    args = (struct clone_args){.exit_signal = SIGCHLD, .set_tid = (uint64_t)&args};
    show("clone3 numbers without size", sys(clone3, &args, sizeof args));
    args = (struct clone_args){.exit_signal = SIGCHLD, .stack = -4096ul, .stack_size = 4096};
    show("clone3 stack outside", sys(clone3, &args, sizeof args));
    show("pidfd_open bad", sys(pidfd_open, -1, 0));
    show("pidfd_open bad flags", sys(pidfd_open, sys(getpid), 1));
}

/* In a child, which is no group's leader. */
static void groups(void) {
    long child = fork_child();
    if (child == 0) {
        long me = sys(getpid);
        show("setpgid", sys(setpgid, 0, 0));
        show_yes("getpgid", sys(getpgid, 0) == me);
        show("setsid of a leader", sys(setsid));
        show("setpgid of nobody", sys(setpgid, 0x3fffffff, 0));
        show("setpgid negative", sys(setpgid, 0, -1));
        show("getpgid of nobody", sys(getpgid, 0x3fffffff));
        show("getsid of nobody", sys(getsid, 0x3fffffff));
        long other = fork_child();
        if (other == 0) {
            show_yes("setsid", sys(setsid) == sys(getpid));
            show_yes("getsid", sys(getsid, 0) == sys(getpid));
            show("setpgid of a session's leader", sys(setpgid, 0, 0));
            quit(0);
        }
        reap(other);
        long member = fork_child();
        if (member == 0) for (;;) nap();
        long second = fork_child();
        if (second == 0) for (;;) nap();
        show("setpgid of a child", sys(setpgid, member, member));
        show("setpgid into its group", sys(setpgid, second, member));
        show("kill of a group", sys(kill, -member, SIGTERM));
        int status;
        show_yes("wait4 of a group", sys(wait4, -member, &status, 0, 0) > 0);
        show_status("one", status);
        show_yes("wait4 of a group", sys(wait4, -member, &status, 0, 0) > 0);
        show_status("other", status);
        show("wait4 of a group", sys(wait4, -member, &status, 0, 0));
        quit(0);
    }
    show_status("groups", reap(child));
}

static void process_settings(void) {
    show("PR_SET_NAME", sys(prctl, PR_SET_NAME, "a name that is cut off"));
    show("PR_GET_NAME", sys(prctl, PR_GET_NAME, buf));
    show_text("name", buf);
    show("PR_SET_NAME wild", sys(prctl, PR_SET_NAME, WILD));
    long fd = sys(openat, AT_FDCWD, "/proc/self/comm", O_RDONLY);
    long got = sys(read, fd, buf, sizeof buf);
    buf[got > 0 ? got - 1 : 0] = 0;
    show_text("/proc/self/comm", buf);
    int value = 99;
    show("PR_SET_PDEATHSIG", sys(prctl, PR_SET_PDEATHSIG, SIGTERM));
    show("PR_GET_PDEATHSIG", sys(prctl, PR_GET_PDEATHSIG, &value));
    show("value", value);
    show("PR_SET_PDEATHSIG bad", sys(prctl, PR_SET_PDEATHSIG, 99));
    long child = fork_child();
    if (child == 0) {
        sys(prctl, PR_GET_PDEATHSIG, &value);
        quit(value);
    }
    show_status("a child has none", reap(child));
    sys(prctl, PR_SET_PDEATHSIG, 0);
    show("PR_SET_CHILD_SUBREAPER", sys(prctl, PR_SET_CHILD_SUBREAPER, 1));
    show("PR_GET_CHILD_SUBREAPER", sys(prctl, PR_GET_CHILD_SUBREAPER, &value));
    show("value", value);
    show("PR_SET_NO_NEW_PRIVS bad", sys(prctl, PR_SET_NO_NEW_PRIVS, 2));
    show("PR_GET_NO_NEW_PRIVS bad", sys(prctl, PR_GET_NO_NEW_PRIVS, 1));
    show("PR_SET_DUMPABLE bad", sys(prctl, PR_SET_DUMPABLE, 9));
    show("PR_SET_TIMERSLACK", sys(prctl, PR_SET_TIMERSLACK, 60000));
    show("PR_GET_TIMERSLACK", sys(prctl, PR_GET_TIMERSLACK));
    show("PR_GET_KEEPCAPS", sys(prctl, PR_GET_KEEPCAPS));
    show("prctl unknown", sys(prctl, 0x7fff));

    /* A child whose parent ends: the signal that it asked for, and its new parent. */
    int pipe[2];
    sys(pipe2, pipe, 0);
    long me = sys(getpid);
    child = fork_child();
    if (child == 0) {
        long between = sys(getpid);
        long orphan = fork_child();
        if (orphan == 0) {
            sys(prctl, PR_SET_PDEATHSIG, SIGKILL);
            sys(write, pipe[1], "x", 1);
            for (;;) nap();
        }
        long adopted = fork_child();
        if (adopted == 0) {
            while (sys(getppid) == between) nap();
            quit(sys(getppid) == me ? 21 : 22);
        }
        sys(read, pipe[0], buf, 1);
        quit(0);
    }
    show_status("parent", reap(child));
    int first, second;
    sys(wait4, -1, &first, 0, 0);
    sys(wait4, -1, &second, 0, 0);
    /* They end in any order. */
    int killed = (first & 0x7f) ? first : second;
    show_status("orphan", killed);
    show_status("adopted", killed == first ? second : first);
}

/* What is for processes with one thread, after code that is worth translating. */
static void alone(void) {
    for (int i = 0; i < 3; i++) {
        for (volatile long n = i * 10; n < 3000000; n++) {}
        show("unshare thread", sys(unshare, CLONE_THREAD));
        show("unshare memory", sys(unshare, CLONE_VM));
    }
    show("unshare bad flags", sys(unshare, CLONE_THREAD | 1));
    show("setns bad descriptor", sys(setns, -1, 0));
    show("setns no namespace", sys(setns, sys(openat, AT_FDCWD, "/dev/null", O_RDONLY), 0));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    exit_statuses();
    waiting();
    stopping();
    copies();
    cloning();
    groups();
    process_settings();
    alone();
    return 0;
}
