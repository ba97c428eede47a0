/* build: -O1 -static -nostdlib -fno-builtin */
/* Executing programs: this one, under other names, by descriptor and through scripts. */
#include "guest.h"
#include <asm/mman.h>
#include <asm/signal.h>
#include <linux/auxvec.h>
#include <linux/memfd.h>
#include <linux/prctl.h>
#include <linux/sched.h>

static char buf[65536], big[200000];
static char *many[120001];

static void read_proc(const char *what, const char *path) {
    long fd = sys(openat, AT_FDCWD, path, O_RDONLY);
    long got = sys(read, fd, buf, sizeof buf - 1);
    sys(close, fd);
    for (long i = 0; i < got; i++)
        if (buf[i] == 0 || buf[i] == '\n') buf[i] = '|';
    buf[got > 0 ? got : 0] = 0;
    show_text(what, buf);
}

static unsigned long auxiliary(char **envp, unsigned long key) {
    while (*envp) envp++;
    unsigned long *auxv = (unsigned long *)(envp + 1);
    while (auxv[0] && auxv[0] != key) auxv += 2;
    return auxv[1];
}

/* What the executed program finds: "report" is its first argument, or comes behind a script's. */
static int report(int argc, char **argv, char **envp) {
    show("  argc", argc);
    for (int i = 0; i < argc && i < 12; i++) show_text("  arg", argv[i]);
    for (int i = 0; envp[i]; i++) show_text("  env", envp[i]);
    show_text("  execfn", (char *)auxiliary(envp, AT_EXECFN));
    return argc;
}

/* What else it has from its predecessor. */
static int inheritance(char **envp) {
    show("  close-on-exec", sys(fcntl, 50, F_GETFD));
    show("  kept", sys(fcntl, 51, F_GETFD));
    long action[4] = {9, 9, 9, 9};
    sys(rt_sigaction, SIGUSR1, 0, action, 8);
    show("  SIGUSR1 ignored", action[0]);
    sys(rt_sigaction, SIGPIPE, 0, action, 8);
    show("  SIGPIPE default", action[0]);
    uint64_t set = 0;
    sys(rt_sigprocmask, 0, 0, &set, 8);
    show("  blocked", (long)set);
    sys(rt_sigpending, &set, 8);
    show("  pending", (long)set);
    struct { void *base; int flags; size_t size; } stack = {0};
    sys(sigaltstack, 0, &stack);
    show("  signal stack", stack.flags);
    int value = 7;
    sys(prctl, PR_GET_PDEATHSIG, &value);
    show("  death signal", value);
    show("  umask", sys(umask, 0));
    read_proc("  comm", "/proc/self/comm");
    read_proc("  cmdline", "/proc/self/cmdline");
    read_proc("  environ", "/proc/self/environ");
    long got = sys(readlinkat, AT_FDCWD, "/proc/self/exe", buf, sizeof buf);
    show_yes("  exe", got > 5 && (buf[got] = 0, equal(buf + got - 5, "/copy")));
    show("  page size", (long)auxiliary(envp, AT_PAGESZ));
    show_yes("  same user", auxiliary(envp, AT_UID) == (unsigned long)sys(getuid));
    return 0;
}

static int begins(const char *text, const char *with) {
    while (*with && *text == *with) text++, with++;
    return !*with;
}

static int role(int argc, char **argv, char **envp) {
    for (int i = 0; i < argc; i++) {
        if (begins(argv[i], "report")) return report(argc, argv, envp);
        if (equal(argv[i], "inheritance")) return inheritance(envp);
        if (equal(argv[i], "count")) return argc / 1000;
    }
    /* Executed without arguments, its environment says so. */
    if (envp[0] && equal(envp[0], "REPORT=1")) return report(argc, argv, envp);
    return argc > 1 ? 97 : -1;
}

static void write_file(const char *name, const char *text, long len, int mode) {
    sys(unlinkat, AT_FDCWD, name, 0);
    long fd = sys(openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    sys(write, fd, text, len);
    sys(fchmod, fd, mode);
    sys(close, fd);
}

static void script(const char *name, const char *line) { write_file(name, line, (long)length(line), 0755); }

static long execute(const char *path, char **argv, char **envp) { return sys(execve, path, argv, envp); }

/* Executes in a child, and says how it ended: 99 and the error if there was one. */
static void run(const char *what, const char *path, char **argv, char **envp) {
    put(what), put(":\n");
    long child = fork_child();
    if (child == 0) {
        show("  execve", execute(path, argv, envp));
        quit(99);
    }
    show_status(" it", reap(child));
}

static void run_at(const char *what, long dir, const char *path, char **argv, int flags) {
    put(what), put(":\n");
    long child = fork_child();
    if (child == 0) {
        char *envp[] = {"A=1", 0};
        show("  execveat", sys(execveat, dir, path, argv, envp, flags));
        quit(99);
    }
    show_status(" it", reap(child));
}

static char *arguments[] = {"name", "report", "", "two words", 0};
static char *environment[] = {"A=1", "EMPTY=", "PATH=/nowhere", 0};
static char *nothing[] = {0};

static void programs(void) {
    run("/proc/self/exe", "/proc/self/exe", arguments, environment);
    run("relative", "./copy", arguments, nothing);
    run("relative without a slash", "copy", arguments, nothing);
    run("no environment", "copy", arguments, 0);
    run("through a symbolic link", "link", arguments, nothing);
    run("below a directory", "dir/../copy", arguments, nothing);
    run("a login shell's name", "copy", (char *[]){"-sh", "report", 0}, nothing);
    run("an option's name", "copy", (char *[]){"--strace=1", "report", "--", 0}, nothing);
    run("what ends options", "copy", (char *[]){"--", "--", "report", 0}, nothing);
    run("no arguments", "copy", 0, (char *[]){"REPORT=1", 0});
    run("empty arguments", "copy", nothing, (char *[]){"REPORT=1", 0});
    long child = clone_child(CLONE_VFORK | CLONE_VM | SIGCHLD);
    if (child == 0) {
        execute("copy", (char *[]){"copy", "report", 0}, nothing);
        quit(98);
    }
    show_status("vfork", reap(child));
}

static void scripts(void) {
    script("script", "#!./copy report\n");
    run("script", "./script", (char *[]){"dropped", "argument", 0}, environment);
    run("script without arguments", "script", 0, nothing);
    script("spaces", "#! \t ./copy \t report  and more  \nrest");
    run("script with spaces", "./spaces", (char *[]){"dropped", 0}, nothing);
    script("chain", "#!./script from-chain");
    run("chain", "./chain", (char *[]){"dropped", "last", 0}, nothing);
    script("missing", "#!/no/such/interpreter\n");
    run("missing interpreter", "./missing", arguments, nothing);
    script("directory", "#!./dir\n");
    run("interpreter is a directory", "./directory", arguments, nothing);
    script("forbidden", "#!./plain\n");
    run("interpreter without permission", "./forbidden", arguments, nothing);
    script("none", "#!\n");
    run("no interpreter", "./none", arguments, nothing);
    script("itself", "#!./itself\n");
    run("its own interpreter", "./itself", arguments, nothing);
    char name[] = "s0", line[] = "#!./s0 report\n";
    script("s0", "#!./copy report\n");
    for (int i = 1; i < 6; i++) {
        name[1] = (char)('0' + i), line[5] = (char)('0' + i - 1);
        script(name, line);
    }
    run("five scripts", "./s4", (char *[]){"dropped", 0}, nothing);
    run("six scripts", "./s5", (char *[]){"dropped", 0}, nothing);
    memset(big, 'x', 400);
    memcpy(big, "#!./copy report ", 16);
    write_file("long", big, 400, 0755);
    run("line that is cut", "./long", (char *[]){"dropped", 0}, nothing);
}

static void errors_of_files(void) {
    run("missing", "./nothing", arguments, nothing);
    run("empty path", "", arguments, nothing);
    run("no permission", "./plain", arguments, nothing);
    run("directory", "./dir", arguments, nothing);
    run("below a file", "./plain/x", arguments, nothing);
    run("device", "/dev/null", arguments, nothing);
    write_file("empty", "", 0, 0755);
    run("empty file", "./empty", arguments, nothing);
    write_file("text", "echo hello\n", 11, 0755);
    run("text", "./text", arguments, nothing);
    write_file("short", "\177ELF\2\1\1", 7, 0755);
    run("short ELF file", "./short", arguments, nothing);
    /* The headers of this program with another machine, and with no segments. */
    long fd = sys(openat, AT_FDCWD, "copy", O_RDONLY | O_CLOEXEC);
    sys(read, fd, big, 4096);
    sys(close, fd);
    big[18] = 0x34, big[19] = 0x12;
    write_file("machine", big, 4096, 0755);
    run("another machine", "./machine", arguments, nothing);
    write_file("headers", big, 64, 0755);
    run("header of another machine", "./headers", arguments, nothing);
    sys(symlinkat, "loop", AT_FDCWD, "loop");
    run("loop", "./loop", arguments, nothing);
    memset(big, 'n', 300), big[300] = 0;
    run("long name", big, arguments, nothing);
    memset(big, '/', 5000), big[5000] = 0;
    run("long path", big, arguments, nothing);
}

static void errors_of_arguments(void) {
    run("path wild", WILD, arguments, nothing);
    run("path outside", OUTSIDE, arguments, nothing);
    run("argv wild", "copy", WILD, nothing);
    run("argv outside", "copy", OUTSIDE, nothing);
    run("argument wild", "copy", (char *[]){"x", WILD, 0}, nothing);
    run("envp wild", "copy", arguments, WILD);
    run("variable wild", "copy", arguments, (char *[]){"x", WILD, 0});
    memset(big, 'a', sizeof big - 1);
    run("argument of 200000 bytes", "copy", (char *[]){"copy", "count", big, 0}, nothing);
    run("variable of 200000 bytes", "copy", arguments, (char *[]){big, 0});
    big[100000] = 0;
    run("argument of 100000 bytes", "copy", (char *[]){"copy", "count", big, 0}, nothing);
    big[1000] = 0;
    for (int i = 0; i < 120000; i++) many[i] = big;
    run("120000 arguments of 1000 bytes", "copy", many, nothing);
    run("120000 variables of 1000 bytes", "copy", arguments, many);
    big[50] = 0;
    many[1] = "count", many[10000] = 0;
    run("10000 arguments of 50 bytes", "copy", many, nothing);
    run("missing file comes first", "./nothing", WILD, nothing);
}

static void descriptors(void) {
    long file = sys(openat, AT_FDCWD, "copy", O_RDONLY);
    long closing = sys(openat, AT_FDCWD, "script", O_RDONLY | O_CLOEXEC);
    long open = sys(openat, AT_FDCWD, "script", O_RDONLY);
    long path = sys(openat, AT_FDCWD, "copy", O_PATH);
    long dir = sys(openat, AT_FDCWD, "dir", O_RDONLY | O_DIRECTORY);
    run_at("by descriptor", file, "", arguments, AT_EMPTY_PATH);
    run_at("by O_PATH", path, "", arguments, AT_EMPTY_PATH);
    run_at("in a directory", dir, "inner", arguments, 0);
    run_at("working directory", AT_FDCWD, "copy", arguments, 0);
    run_at("script by descriptor", open, "", (char *[]){"dropped", 0}, AT_EMPTY_PATH);
    run_at("script that closes", closing, "", arguments, AT_EMPTY_PATH);
    run_at("empty path", file, "", arguments, 0);
    run_at("bad flags", file, "", arguments, AT_EMPTY_PATH | 1);
    run_at("bad flags, empty path", file, "", arguments, 1);
    run_at("bad flags, path wild", file, WILD, arguments, 1);
    run_at("bad flags, missing file", AT_FDCWD, "missing", arguments, 1);
    run_at("bad descriptor", 9999, "", arguments, AT_EMPTY_PATH);
    run_at("bad directory", 9999, "copy", arguments, 0);
    run_at("directory", dir, "", arguments, AT_EMPTY_PATH);
    run_at("file as directory", file, "copy", arguments, 0);
    run_at("link itself", AT_FDCWD, "link", arguments, AT_SYMLINK_NOFOLLOW);
    run_at("wild", dir, WILD, arguments, 0);
    int pipe[2];
    sys(pipe2, pipe, 0);
    run_at("pipe", pipe[0], "", arguments, AT_EMPTY_PATH);
    long memory = sys(memfd_create, "program", 0);
    sys(sendfile, memory, file, 0, 1 << 20);
    run_at("without a name", memory, "", arguments, AT_EMPTY_PATH);
    sys(unlinkat, AT_FDCWD, "dir/inner", 0);
    sys(linkat, AT_FDCWD, "copy", AT_FDCWD, "gone", 0);
    long gone = sys(openat, AT_FDCWD, "gone", O_RDONLY);
    sys(unlinkat, AT_FDCWD, "gone", 0);
    run_at("removed", gone, "", arguments, AT_EMPTY_PATH);
}

static void inherited(void) {
    long child = fork_child();
    if (child == 0) {
        long fd = sys(openat, AT_FDCWD, "copy", O_RDONLY);
        sys(dup3, fd, 50, O_CLOEXEC);
        sys(dup3, fd, 51, 0);
        long ignore[4] = {1}, handler[4] = {0x1234};
        sys(rt_sigaction, SIGUSR1, ignore, 0, 8);
        sys(rt_sigaction, SIGPIPE, handler, 0, 8);
        uint64_t set = 1ul << (SIGUSR2 - 1) | 1ul << (SIGSEGV - 1);
        sys(rt_sigprocmask, SIG_BLOCK, &set, 0, 8);
        sys(kill, sys(getpid), SIGUSR2);
        struct { void *base; int flags; size_t size; } stack = {big, 0, 100000};
        sys(sigaltstack, &stack, 0);
        sys(umask, 031);
        sys(prctl, PR_SET_NAME, "other");
        sys(prctl, PR_SET_PDEATHSIG, SIGTERM);
        execute("./copy", (char *[]){"name", "inheritance", 0}, environment);
        quit(99);
    }
    show_status("inheritance", reap(child));
}

int program(int argc, char **argv, char **envp) {
    int status = role(argc, argv, envp);
    if (status >= 0) return status;
    prepare();
    sys(umask, 022);
    long self = sys(openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC);
    long copy = sys(openat, AT_FDCWD, "copy", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    show_yes("copy", sys(sendfile, copy, self, 0, 1 << 20) > 4096);
    sys(close, copy), sys(close, self);
    sys(mkdirat, AT_FDCWD, "dir", 0755);
    sys(linkat, AT_FDCWD, "copy", AT_FDCWD, "dir/inner", 0);
    sys(symlinkat, "copy", AT_FDCWD, "link");
    write_file("plain", "plain", 5, 0644);
    programs();
    scripts();
    errors_of_files();
    errors_of_arguments();
    descriptors();
    inherited();
    return 0;
}
