/* build: -O1 -static -nostdlib -fno-builtin */
/* What /proc shows of a process: to itself, by absolute and relative paths, and to its parent. */
#include "guest.h"
#include <asm/signal.h>
#include <linux/prctl.h>
#ifdef __riscv
#include <asm/stat.h>
#endif

static char text[1 << 16], other[1 << 16];
static int data = 1;

/* Reads a file into `to`, with a NUL behind it. */
static long read_at(long dir, const char *path, char *to) {
    long fd = sys(openat, dir, path, O_RDONLY | O_CLOEXEC), length = 0, got;
    if (fd < 0) return fd;
    while ((got = sys(read, fd, to + length, sizeof text - 1 - length)) > 0) length += got;
    sys(close, fd);
    to[length] = 0;
    return length;
}

static long slurp(const char *path) { return read_at(AT_FDCWD, path, text); }

/* Where `what` is in `in`, or null. */
static char *find(char *in, const char *what) {
    for (; *in; in++) {
        size_t n = 0;
        while (what[n] && in[n] == what[n]) n++;
        if (!what[n]) return in;
    }
    return 0;
}

static unsigned long parse(const char *at, int base) {
    unsigned long value = 0;
    for (; *at; at++) {
        int digit = *at >= 'a' ? *at - 'a' + 10 : *at - '0';
        if (digit < 0 || digit >= base) break;
        value = value * base + digit;
    }
    return value;
}

/* A field of a line of stat, which are counted from 1. */
static unsigned long field(int number) {
    char *at = text, *name_end = text;
    for (; *at; at++)
        if (*at == ')') name_end = at;
    at = name_end + 1;
    for (int i = 2; i < number && *at; at++)
        if (*at == ' ') i++;
    return parse(at, 10);
}

/* Prints the line of status that begins with `key`. */
static void show_line(const char *key) {
    char *at = find(text, key), *end = at;
    if (!at) {
        put(key), put(" is missing\n");
        return;
    }
    while (*end && *end != '\n') end++;
    sys(write, 1, at, end - at), put("\n");
}

static void layout(char **argv, char **envp) {
    show_yes("stat", slurp("/proc/self/stat") > 0);
    show_yes("pid", parse(text, 10) == (unsigned long)sys(getpid));
    show("threads", field(20));
    unsigned long code = (unsigned long)layout, variable = (unsigned long)&data;
    show_yes("size", field(23) >= 4096 * 8);
    show_yes("code", field(26) <= code && code < field(27));
    /* The kernel leaves up to 8 KiB between them at random (arch_align_stack), and the auxiliary
     * vector and pointers. */
    show_yes("stack", field(28) < field(48) && field(48) - field(28) < 32768);
    show_yes("data", field(45) <= variable && variable < field(46));
    show_yes("heap", field(47) == (unsigned long)sys(brk, 0));
    show_yes("arguments", field(48) == (unsigned long)argv[0]);
    show_yes("environment behind", field(49) == field(50));
    show_yes("empty", envp[0] != 0 || field(50) == field(51));
    show("kstkesp", field(29)), show("kstkeip", field(30));
    show("end", text[length(text) - 1]);
    long size = field(23) / 4096;
    slurp("/proc/self/statm");
    show_yes("the same in pages", (long)parse(text, 10) == size);
}

static void handler(int signal) { (void)signal; }

static void set_action(int signal, unsigned long what) {
    unsigned long action[4] = {what, 0, 0, 0};
#ifndef __riscv
    action[1] = 0x04000000; /* SA_RESTORER; nobody returns */
#endif
    sys(rt_sigaction, signal, action, 0, 8);
}

static void signals(void) {
    slurp("/proc/self/status");
    show_line("Threads:"), show_line("SigPnd:"), show_line("SigBlk:"), show_line("SigIgn:"), show_line("SigCgt:");
    unsigned long set = 1ul << (SIGSEGV - 1) | 1ul << (SIGUSR1 - 1) | 1ul << (SIGUSR2 - 1);
    sys(rt_sigprocmask, SIG_BLOCK, &set, 0, 8);
    set_action(SIGBUS, (unsigned long)handler), set_action(SIGUSR2, (unsigned long)handler);
    set_action(SIGPIPE, 1);
    sys(tgkill, sys(getpid), sys(gettid), SIGSEGV);
    sys(tgkill, sys(getpid), sys(gettid), SIGUSR1);
    sys(kill, sys(getpid), SIGUSR2);
    slurp("/proc/thread-self/status");
    show_line("SigPnd:"), show_line("ShdPnd:"), show_line("SigBlk:"), show_line("SigIgn:"), show_line("SigCgt:");
    slurp("/proc/self/stat");
    show("pending", field(31) & 0x7ffff7ff), show("blocked", field(32)), show("ignored", field(33)), show("caught", field(34));
    set_action(SIGSEGV, 1), set_action(SIGUSR1, 1), set_action(SIGUSR2, 1);
    prepare();
    slurp("/proc/self/status");
    show_line("SigPnd:"), show_line("SigBlk:"), show_line("SigIgn:"), show_line("SigCgt:");
}

static int count(const char *of, const char *what) {
    int found = 0;
    for (char *at = find((char *)of, what); at; at = find(at + 1, what)) found++;
    return found;
}

/* Whether the line of maps or smaps that holds an address has these letters. */
static int is_mapped(char *in, unsigned long address, const char *protection) {
    for (char *line = in; line && *line;) {
        char *dash = find(line, "-"), *space = find(line, " ");
        if (dash && space && dash < space && parse(line, 16) <= address && address < parse(dash + 1, 16)) {
            for (int i = 0; protection[i]; i++)
                if (space[1 + i] != protection[i]) return 0;
            return 1;
        }
        line = find(line, "\n");
        if (line) line++;
    }
    return 0;
}

static void mappings(void) {
    show_yes("maps", slurp("/proc/self/maps") > 0);
    show_yes("code", is_mapped(text, (unsigned long)mappings, "r-xp"));
    show_yes("data", is_mapped(text, (unsigned long)&data, "rw-p"));
    show_yes("stack", is_mapped(text, (unsigned long)__builtin_frame_address(0), "rw-p"));
    show("[stack]", count(text, "[stack]")), show("[vdso]", count(text, "[vdso]"));
    show("of the VM", count(text, "rvrun"));
    show_yes("smaps", read_at(AT_FDCWD, "/proc/self/smaps", other) > 0);
    show_yes("code", is_mapped(other, (unsigned long)mappings, "r-xp"));
    show_yes("executable", count(other, "VmFlags: rd ex ") >= 1);
    show_yes("flags of each", count(other, "VmFlags: ") == count(other, "\nSize: "));
    show_yes("as many", count(other, "\nSize: ") == count(text, "\n"));
    show_yes("smaps_rollup", slurp("/proc/self/smaps_rollup") > 0);
    show("[rollup]", count(text, "[rollup]\n"));
    show_yes("in memory", parse(find(text, "Rss: ") + 16, 10) == 0 && count(text, "Pss_Anon:") == 1);
}

static void names(char **argv) {
    show_text("prctl", (sys(prctl, PR_SET_NAME, "by prctl"), slurp("/proc/self/comm"), text));
    long comm = sys(openat, AT_FDCWD, "/proc/self/comm", O_WRONLY);
    show("write", sys(write, comm, "by writing", 10));
    sys(close, comm);
    char name[16] = "";
    sys(prctl, PR_GET_NAME, name);
    show_text("name", name);
    slurp("/proc/thread-self/stat");
    show_yes("in stat", count(text, "(by writing)") == 1);
    show("one argument", slurp("/proc/self/cmdline") == (long)length(argv[0]) + 1);
    char *title = argv[0];
    size_t room = length(title);
    memset(title, 'x', room);
    title[room / 2] = 0;
    show_yes("shorter title", slurp("/proc/self/cmdline") == (long)room + 1 && equal(text, title));
    memset(title, 'y', room + 1);
    show_yes("longer title", slurp("/proc/self/cmdline") >= (long)room + 1 && text[room] == 'y');
}

/* Numbers in a directory, and whether one of them is `wanted`. */
static int numbers(long dir, unsigned long wanted, int *found) {
    int total = 0;
    long got;
    while ((got = sys(getdents64, dir, text, 200)) > 0)
        for (long at = 0; at < got; at += *(unsigned short *)(text + at + 16))
            if (text[at + 19] >= '0' && text[at + 19] <= '9') total++, *found |= parse(text + at + 19, 10) == wanted;
    return total;
}

static long link_count(long dir, const char *path) {
#ifdef __riscv
    struct stat at;
    return sys(newfstatat, dir, path, &at, 0) < 0 ? -1 : (long)at.st_nlink;
#else
    struct statx at;
    return sys(statx, dir, path, 0, STATX_NLINK, &at) < 0 ? -1 : (long)at.stx_nlink;
#endif
}

static void relative(void) {
    volatile unsigned long spin = 0;
    for (int i = 0; i < 3000000; i++) spin += i;
    int found = 0;
    long self = sys(openat, AT_FDCWD, "/proc/self", O_RDONLY | O_DIRECTORY);
    long tasks = sys(openat, self, "task", O_RDONLY | O_DIRECTORY);
    show("threads", numbers(tasks, sys(gettid), &found)), show("this one", found);
    struct statx links = {0};
    sys(statx, tasks, "", AT_EMPTY_PATH, STATX_NLINK, &links);
    show_yes("directories", links.stx_nlink >= 3 && link_count(self, "task/") == 3 && link_count(AT_FDCWD, "/proc/self/task") == 3);
    slurp("/proc/self/maps");
    show_yes("maps", read_at(self, "maps", other) > 0 && is_mapped(other, (unsigned long)relative, "r-xp"));
    show_yes("stat by way of the parent", read_at(self, "../self/stat", text) > 0 && field(20) == 1);
    struct { char name[256]; } absolute = {""}, by_descriptor = {""}, by_directory = {""};
    long size = sys(readlinkat, AT_FDCWD, "/proc/self/exe", &absolute, 256);
    show_yes("exe", size > 1 && absolute.name[0] == '/');
    sys(readlinkat, self, "exe", &by_descriptor, 256);
    show_yes("by descriptor", equal(absolute.name, by_descriptor.name));
    struct statx whole = {0}, part = {0};
    sys(statx, AT_FDCWD, absolute.name, 0, STATX_INO, &whole);
    sys(statx, self, "exe", 0, STATX_INO, &part);
    show_yes("file", whole.stx_ino == part.stx_ino && whole.stx_ino != 0);
    show("executable", sys(faccessat, self, "exe", 1));
    show("chdir", sys(chdir, "/proc/self"));
    sys(readlinkat, AT_FDCWD, "exe", &by_directory, 256);
    show_yes("by directory", equal(absolute.name, by_directory.name));
    show_yes("status", slurp("status") > 0 && count(text, "Threads:\t1\n") == 1);
    show("no such thread", sys(openat, tasks, "1/stat", O_RDONLY));
    sys(chdir, "/");
    sys(close, tasks), sys(close, self);
}

/* "/proc/PID/NAME" */
static const char *path_of(long pid, const char *name) {
    static char path[64];
    char digits[24], *at = digits + sizeof digits - 1;
    *at = 0;
    do *--at = (char)('0' + pid % 10); while (pid /= 10);
    char *to = path;
    for (const char *part = "/proc/"; *part;) *to++ = *part++;
    while (*at) *to++ = *at++;
    for (*to++ = '/'; *name;) *to++ = *name++;
    *to = 0;
    return path;
}

static void show_other(long pid) {
    char exe[256] = "", own[256] = "";
    sys(readlinkat, AT_FDCWD, path_of(pid, "exe"), exe, 255);
    sys(readlinkat, AT_FDCWD, "/proc/self/exe", own, 255);
    show_yes("  exe", equal(exe, own) && exe[0] == '/');
    struct statx whole = {0}, part = {0};
    sys(statx, AT_FDCWD, own, 0, STATX_INO, &whole);
    sys(statx, AT_FDCWD, path_of(pid, "exe"), 0, STATX_INO, &part);
    show_yes("  file", whole.stx_ino == part.stx_ino && whole.stx_ino != 0);
    long got = slurp(path_of(pid, "cmdline"));
    for (long i = 0; i + 1 < got; i++)
        if (!text[i]) text[i] = '|';
    show_text("  cmdline", text);
    got = slurp(path_of(pid, "environ"));
    show_text("  environ", got > 0 ? text : "");
    slurp(path_of(pid, "comm"));
    show_text("  comm", text);
    slurp(path_of(pid, "stat"));
    show("  threads", field(20));
    show_yes("  status", slurp(path_of(pid, "status")) > 0 && count(text, "Threads:\t1\n") == 1);
    int found = 0;
    long tasks = sys(openat, AT_FDCWD, path_of(pid, "task"), O_RDONLY | O_DIRECTORY);
    show("  tasks", numbers(tasks, pid, &found)), show("  first", found);
    sys(close, tasks);
}

static void others(void) {
    static char *arguments[] = {"other", "with two", "", "arguments", 0}, *environment[] = {"ONE=1", 0};
    int ready[2], go[2];
    char byte;
    sys(pipe2, ready, 0), sys(pipe2, go, 0);
    long child = fork_child();
    if (child == 0) {
        sys(dup3, ready[1], 100, 0), sys(dup3, go[0], 101, 0);
        sys(close_range, 3, 99, 0);
        sys(execve, "/proc/self/exe", arguments, environment);
        quit(99);
    }
    sys(close, ready[1]);
    put("executed\n");
    show("ready", sys(read, ready[0], &byte, 1));
    show_other(child);
    sys(write, go[1], "x", 1);
    show_status("end", reap(child));
    sys(close_range, 3, ~0u, 0);
}

int program(int argc, char **argv, char **envp) {
    if (argc > 1) {
        char byte;
        volatile unsigned long spin = 0;
        for (int i = 0; i < 3000000; i++) spin += i;
        sys(write, 100, "x", 1);
        return (int)sys(read, 101, &byte, 1);
    }
    prepare();
    layout(argv, envp);
    signals();
    mappings();
    relative();
    others();
    names(argv);
    return 0;
}
