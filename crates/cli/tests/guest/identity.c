/* build: -O1 -static -nostdlib -fno-builtin */
/* Who a process is, and what it may use. */
#include "guest.h"
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/utsname.h>

static void users(void) {
    unsigned real = 1, effective = 2, saved = 3;
    show("getresuid", sys(getresuid, &real, &effective, &saved));
    show_yes("real", real == sys(getuid));
    show_yes("effective", effective == sys(geteuid));
    show_yes("saved", saved == effective);
    show("getresgid", sys(getresgid, &real, &effective, &saved));
    show_yes("real", real == sys(getgid));
    show_yes("effective", effective == sys(getegid));
    show("getresuid wild", sys(getresuid, &real, WILD, &saved));
    show("setuid to nobody at all", sys(setuid, -1));
    show("setgid to nobody at all", sys(setgid, -1));
    show("setuid to itself", sys(setuid, sys(getuid)));
    show("setreuid nothing", sys(setreuid, -1, -1));
    show("setresuid nothing", sys(setresuid, -1, -1, -1));
    show("setresgid itself", sys(setresgid, sys(getgid), sys(getgid), sys(getgid)));
    show_yes("setfsuid query", sys(setfsuid, -1) == sys(geteuid));
    show_yes("setfsgid query", sys(setfsgid, -1) == sys(getegid));
    static unsigned groups[70000];
    long count = sys(getgroups, 0, 0);
    show_yes("getgroups", count >= 0 && sys(getgroups, 70000, groups) == count);
    show("getgroups negative", sys(getgroups, -1, groups));
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {0};
    show("capget", sys(capget, &header, data));
    show("capset the same", sys(capset, &header, data));
    data[0].effective = ~0u, data[0].permitted = 0;
    show("capset effective beyond permitted", sys(capset, &header, data));
    header.version = 1;
    show("capget bad version", sys(capget, &header, data));
    show_yes("  the known version", header.version == _LINUX_CAPABILITY_VERSION_3);
    show("capget wild", sys(capget, WILD, data));
}

/* In a child that has no privileges left. */
static void unprivileged(void) {
    long child = fork_child();
    if (child == 0) {
        if (sys(geteuid) == 0) {
            /* A user of a namespace may know no other user than itself. */
            if (sys(setresuid, 65534, 65534, 65534) != 0) quit(50);
        }
        unsigned me = sys(getuid);
        show("setuid to root", sys(setuid, 0));
        show("setreuid to root", sys(setreuid, 0, 0));
        show("setresuid back", sys(setresuid, -1, 0, -1));
        show_yes("still the same", sys(getuid) == (long)me && sys(geteuid) == (long)me);
        show("setgroups", sys(setgroups, 0, 0));
        show("sethostname", sys(sethostname, "x", 1));
        show("chroot", sys(chroot, "/"));
        show("settimeofday", sys(settimeofday, (&(struct { long s, u; }){1, 0}), 0));
        show("clock_settime", sys(clock_settime, 0, (&(struct { long s, n; }){1, 0})));
        show("mount", sys(mount, "none", "/", "tmpfs", 0, 0));
        show("reboot", sys(reboot, 0xfee1dead, 672274793, 0, 0));
        show("setpriority", sys(setpriority, PRIO_PROCESS, 0, -20));
        struct rlimit64 limit;
        sys(prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
        limit.rlim_max++;
        show("setrlimit beyond", sys(prlimit64, 0, RLIMIT_NOFILE, &limit, 0));
        show("swapon", sys(swapon, "file", 0));
        show("acct", sys(acct, 0));
        show("open_by_handle_at", sys(open_by_handle_at, AT_FDCWD, (&(unsigned[4]){8, 0, 0, 0}), 0));
        quit(0);
    }
    show_status("unprivileged", reap(child));
}

static void limits(void) {
    struct rlimit64 limit, old;
    show("prlimit64", sys(prlimit64, 0, RLIMIT_NOFILE, 0, &limit));
    show_yes("sensible", limit.rlim_cur <= limit.rlim_max && limit.rlim_cur >= 16);
    struct rlimit64 lower = {limit.rlim_cur - 1, limit.rlim_max};
    show("prlimit64 both", sys(prlimit64, 0, RLIMIT_NOFILE, &lower, &old));
    show_yes("old", old.rlim_cur == limit.rlim_cur && old.rlim_max == limit.rlim_max);
    struct rlimit64 seen;
    show("getrlimit", sys(getrlimit, RLIMIT_NOFILE, &seen));
    show_yes("lower", seen.rlim_cur == lower.rlim_cur);
    show("setrlimit", sys(setrlimit, RLIMIT_NOFILE, &limit));
    struct rlimit64 wrong = {2, 1};
    show("setrlimit soft above hard", sys(setrlimit, RLIMIT_NOFILE, &wrong));
    show("getrlimit unknown", sys(getrlimit, 99, &seen));
    show("getrlimit wild", sys(getrlimit, RLIMIT_NOFILE, WILD));
    show("setrlimit wild", sys(setrlimit, RLIMIT_NOFILE, WILD));
    show("prlimit64 of nobody", sys(prlimit64, 0x3fffffff, RLIMIT_NOFILE, 0, &seen));
    /* What a limit does. */
    long child = fork_child();
    if (child == 0) {
        struct rlimit64 few = {5, limit.rlim_max}, small = {4096, 4096};
        sys(setrlimit, RLIMIT_NOFILE, &few);
        show("open", sys(openat, AT_FDCWD, "limited", O_CREAT | O_RDWR, 0600));
        show("open", sys(openat, AT_FDCWD, "limited", O_RDWR));
        show("open too many", sys(openat, AT_FDCWD, "limited", O_RDWR));
        show("dup too many", sys(dup, 3));
        show("pipe2 too many", sys(pipe2, (int[2]){0}, 0));
        show("dup3 beyond", sys(dup3, 3, 5, 0));
        show("RLIMIT_FSIZE", sys(setrlimit, RLIMIT_FSIZE, &small));
        static char block[8192];
        show("write up to the limit", sys(write, 3, block, sizeof block));
        uint64_t signal = 1ul << (SIGXFSZ - 1);
        sys(rt_sigprocmask, SIG_BLOCK, &signal, 0, 8);
        show("write beyond", sys(write, 3, block, 1));
        show("its signal", sys(rt_sigtimedwait, &signal, 0, (&(int64_t[2]){0, 0}), 8));
        sys(rt_sigprocmask, SIG_UNBLOCK, &signal, 0, 8);
        sys(write, 3, block, 1);
        quit(0);
    }
    show_status("beyond RLIMIT_FSIZE", reap(child));
    child = fork_child();
    if (child == 0) {
        struct rlimit64 second = {1, 1};
        sys(setrlimit, RLIMIT_CPU, &second);
        for (;;) __asm__ volatile("");
    }
    /* At the soft limit SIGXCPU, at the hard limit SIGKILL: here both are the same second. */
    int status = reap(child);
    show_yes("beyond RLIMIT_CPU", (status & 0x7f) == SIGXCPU || (status & 0x7f) == SIGKILL);
    sys(umask, 027);
    show("umask", sys(umask, 0777777));
    show("umask keeps permission bits", sys(umask, 022));
}

static void usage(void) {
    struct rusage self, children, thread;
    for (volatile int i = 0; i < 3000000; i++) {}
    show("getrusage", sys(getrusage, RUSAGE_SELF, &self));
    show("getrusage children", sys(getrusage, RUSAGE_CHILDREN, &children));
    show("getrusage thread", sys(getrusage, 1, &thread));
    show_yes("times", self.ru_utime.tv_usec >= 0 && self.ru_utime.tv_usec < 1000000 && self.ru_stime.tv_sec < 60);
    show_yes("children had time", children.ru_utime.tv_sec + children.ru_stime.tv_sec >= 1 || children.ru_utime.tv_usec > 500000);
    show("getrusage unknown", sys(getrusage, 5, &self));
    show("getrusage wild", sys(getrusage, RUSAGE_SELF, WILD));
    struct sysinfo info;
    memset(&info, 0xff, sizeof info);
    show("sysinfo", sys(sysinfo, &info));
    show_yes("memory", info.mem_unit > 0 && info.totalram > info.freeram && info.freeram > 0);
    show_yes("processes", info.procs > 0 && info.uptime > 0);
    show("sysinfo wild", sys(sysinfo, WILD));
    struct new_utsname names;
    memset(&names, 0xff, sizeof names);
    show("uname", sys(uname, &names));
    show_text("system", names.sysname);
#ifdef __riscv
    show_yes("machine", equal(names.machine, "riscv64"));
#else
    show_yes("machine", equal(names.machine, "x86_64"));
#endif
    show_yes("release", names.release[0] >= '1' && names.release[0] <= '9');
    show_yes("others", length(names.nodename) < 65 && length(names.version) > 0 && length(names.domainname) < 65);
    show("uname wild", sys(uname, WILD));
}

static void scheduling(void) {
    unsigned cpu = ~0u, node = ~0u;
    show("getcpu", sys(getcpu, &cpu, &node, 0));
    show_yes("small", cpu < 8192 && node < 1024);
    show("getcpu wild", sys(getcpu, WILD, 0, 0));
    static uint64_t mask[128];
    long size = sys(sched_getaffinity, 0, sizeof mask, mask);
    show_yes("sched_getaffinity", size > 0 && size % 8 == 0);
    show_yes("this cpu is in it", mask[cpu / 64] >> (cpu % 64) & 1);
    show("sched_setaffinity", sys(sched_setaffinity, 0, size, mask));
    show("sched_getaffinity short", sys(sched_getaffinity, 0, 4, mask));
    show("sched_getaffinity odd", sys(sched_getaffinity, 0, 1025, mask));
    show("sched_getaffinity wild", sys(sched_getaffinity, 0, sizeof mask, WILD));
    show("sched_getaffinity of nobody", sys(sched_getaffinity, 0x3fffffff, sizeof mask, mask));
    uint64_t none[128] = {0};
    show("sched_setaffinity none", sys(sched_setaffinity, 0, sizeof none, none));
    show("sched_yield", sys(sched_yield));
    show("sched_getscheduler", sys(sched_getscheduler, 0));
    show("sched_getscheduler bad", sys(sched_getscheduler, -1));
    show("sched_get_priority_max", sys(sched_get_priority_max, 1));
    show("sched_get_priority_min", sys(sched_get_priority_min, 1));
    show("sched_get_priority_max bad", sys(sched_get_priority_max, 99));
    int priority = 5;
    show("sched_getparam", sys(sched_getparam, 0, &priority));
    show("priority", priority);
    priority = 5;
    show("sched_setscheduler bad priority", sys(sched_setscheduler, 0, 0, &priority));
    show("sched_setscheduler bad policy", sys(sched_setscheduler, 0, 99, &priority));
    priority = 0;
    show("sched_setscheduler batch", sys(sched_setscheduler, 0, 3, &priority));
    show("sched_getscheduler", sys(sched_getscheduler, 0));
    show("sched_setscheduler wild", sys(sched_setscheduler, 0, 3, WILD));
    int64_t interval[2] = {-1, -1};
    show("sched_rr_get_interval", sys(sched_rr_get_interval, 0, interval));
    show_yes("interval", interval[0] == 0 && interval[1] >= 0);
    struct { unsigned size, policy; uint64_t flags; int nice; unsigned priority; uint64_t rest[5]; } attr = {0};
    show("sched_getattr", sys(sched_getattr, 0, &attr, 48, 0));
    show("  size", attr.size), show("  policy", attr.policy);
    show("sched_getattr small", sys(sched_getattr, 0, &attr, 4, 0));
    show("sched_getattr flags", sys(sched_getattr, 0, &attr, 48, 1));
    /* The kernel gives 20 minus the nice value, which is never negative. */
    long before = sys(getpriority, PRIO_PROCESS, 0);
    show_yes("getpriority", before >= 1 && before <= 40);
    show("setpriority", sys(setpriority, PRIO_PROCESS, 0, 19));
    show("getpriority", sys(getpriority, PRIO_PROCESS, 0));
    show("getpriority bad", sys(getpriority, 9, 0));
    show("getpriority of nobody", sys(getpriority, PRIO_PROCESS, 0x3fffffff));
    show("ioprio_get", sys(ioprio_get, 1, 0) >= 0 ? 0 : -EINVAL);
    show("ioprio_set bad", sys(ioprio_set, 1, 0, 0xffff));
    show("personality query", sys(personality, 0xffffffff) & 0xff);
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    users();
    unprivileged();
    limits();
    usage();
    scheduling();
    return 0;
}
