/* build: -O1 -static -nostdlib -fno-builtin */
/* Programs below a root of their own, which has no /proc: this one again, in all the ways in
 * which a shell there would execute programs. They say by their exit status how it went. */
#include "features.h"
#include <asm/signal.h>
#include <linux/auxvec.h>
#include <linux/close_range.h>
#include <linux/sched.h>

/* What a program ends with if all was as it should be. */
#define WELL 10

static char buf[4096], copy[1 << 20];
static char **environment;

static void make(const char *path, const char *bytes, long count) {
    long fd = sys(openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0755);
    sys(write, fd, bytes, count);
    sys(close, fd);
}

static void script(const char *path, const char *line) { make(path, line, (long)length(line)); }

static long exists(const char *path) { return sys(faccessat, AT_FDCWD, path, 0); }

static const char *name_of_file(void) {
    char **end = environment;
    while (*end) end++;
    unsigned long *auxv = (unsigned long *)(end + 1);
    while (auxv[0] && auxv[0] != AT_EXECFN) auxv += 2;
    return (const char *)auxv[1];
}

static int ended(long child) {
    int status = reap(child);
    return status & 0xff ? 90 : status >> 8 & 0xff;
}

/* Executes a program in a child. */
static int execute(const char *path, char *role, char *name, char *count) {
    long child = fork_child();
    if (child == 0) {
        char *arguments[] = {"program", role, name, count, 0};
        quit(100 - (int)sys(execve, path, arguments, environment));
    }
    return ended(child);
}

/* What is wrong in a program that was executed by this name. */
static int wrong(const char *name) {
    if (exists("/mark")) return 50;
    if (exists("/../outside") != -ENOENT) return 51;
    if (sys(openat, AT_FDCWD, "/proc/self/exe", O_RDONLY) != -ENOENT) return 52;
    if (sys(readlinkat, AT_FDCWD, "/proc/self/exe", buf, sizeof buf) != -ENOENT) return 53;
    if (sys(getcwd, buf, sizeof buf) != 2 || !equal(buf, "/")) return 54;
    if (!equal(name_of_file(), name)) return 55;
    return 0;
}

/* Says that all is well, if `count` more programs say so, and as many that each of them executes. */
static int again(char *count) {
    char less[] = {(char)(*count - 1), 0};
    for (char left = *count; left > '0'; left--) {
        int status = execute("/program", "again", "/program", less);
        if (status != WELL) return status;
    }
    return WELL;
}

static int enter(const char *path) {
    long result = sys(chroot, path);
    if (result == 0) result = sys(chdir, "/");
    return result ? 80 : 0;
}

/* Shows a file below another root, before and after a program is executed there. */
static int look(const char *root, char *file) {
    if (root && show("chroot", sys(chroot, root))) return 1;
    long fd = sys(openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC);
    long got = sys(read, fd, buf, sizeof buf - 1);
    buf[got > 0 ? got : 0] = 0;
    show_text("file", buf);
    char *arguments[] = {"program", "see", file, 0};
    return root ? (int)sys(execve, "/program", arguments, environment) : 0;
}

static int in_role(char **argv) {
    if (equal(argv[1], "look")) return look(argv[2], argv[3]);
    if (equal(argv[1], "see")) return look(0, argv[2]);
    int error = wrong(argv[2]);
    if (error) return error;
    if (equal(argv[1], "again")) return again(argv[3]);
    if (equal(argv[1], "script")) return execute("/script", "2", 0, 0);
    if (equal(argv[1], "relative")) {
        int status = execute("program", "again", "program", "1");
        return status != WELL ? status : execute("./inner/../link", "again", "./inner/../link", "1");
    }
    if (equal(argv[1], "vfork")) {
        long child = clone_child(CLONE_VFORK | CLONE_VM | SIGCHLD);
        if (child == 0) {
            static char *arguments[] = {"program", "again", "/program", "1", 0};
            quit(100 - (int)sys(execve, "/program", arguments, environment));
        }
        return ended(child);
    }
    if (equal(argv[1], "closed")) {
        for (int fd = 3; fd < 1024; fd++) sys(close, fd);
        int status = execute("/program", "again", "/program", "1");
        sys(close_range, 3, ~0u, 0);
        if (status == WELL) status = execute("/program", "again", "/program", "1");
        sys(close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
        return status != WELL ? status : execute("/program", "again", "/program", "1");
    }
    if (equal(argv[1], "nested")) {
        int status = enter("inner");
        return status ? status : execute("/program", "again", "/program", "2");
    }
    if (equal(argv[1], "missing")) return execute("/none", "again", "", "0");
    return 81;
}

/* The status of a program in this role below the new root. */
static int below(char *role, char *count) {
    long child = fork_child();
    if (child == 0) {
        int status = enter("room");
        quit(status ? status : execute("/program", role, "/program", count));
    }
    return ended(child);
}

/* A child's root is not its parent's, but for one that shares it. */
static int in_child_with(long flags) {
    long child = clone_child(flags | CLONE_VFORK | CLONE_VM | SIGCHLD);
    if (child == 0) quit(enter("room"));
    int status = ended(child);
    return status ? status : exists("/mark") == 0;
}

static int unshared(void) {
    long child = fork_child();
    if (child == 0) {
        long result = sys(unshare, CLONE_FS);
        quit(result ? 82 : in_child_with(0) != 0);
    }
    return ended(child);
}

static int shared(void) {
    long child = fork_child();
    if (child == 0) quit(in_child_with(CLONE_FS));
    return ended(child);
}

static int same(void) {
    long child = fork_child();
    if (child == 0) quit(enter("/") ? 80 : exists("/proc/self/exe") == 0 ? WELL : 83);
    return ended(child);
}

int program(int argc, char **argv, char **envp) {
    environment = envp;
    if (argc > 2) return in_role(argv);
    prepare();
    long fd = sys(openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC);
    long size = sys(read, fd, copy, sizeof copy);
    sys(close, fd);
    sys(mkdirat, AT_FDCWD, "room", 0755), sys(mkdirat, AT_FDCWD, "room/inner", 0755);
    make("room/program", copy, size), make("room/inner/program", copy, size);
    make("room/mark", "", 0), make("room/inner/mark", "", 0), make("outside", "", 0);
    script("room/script", "#!/program again");
    sys(symlinkat, "program", AT_FDCWD, "room/link");
    /* Others may have a namespace, if that is permitted; what they execute is nobody there. */
    int privileged = sys(geteuid) == 0;
    if (!privileged) sys(unshare, CLONE_NEWUSER);
    long child = fork_child();
    if (child == 0) quit(sys(chroot, "room") != 0);
    feature(ended(child) ? -EPERM : 0);
    if (!there) {
        static const char told[] = "chroot is not permitted here: skipped\n";
        sys(write, 2, told, sizeof told - 1);
    }
    expect("a program", WELL, below("again", "0"));
    expect("programs of programs", WELL, below("again", "3"));
    expect("relative paths", WELL, below("relative", 0));
    expect("a script", WELL, below("script", 0));
    expect("vfork", WELL, below("vfork", 0));
    expect("closed descriptors", WELL, below("closed", 0));
    expect("a program that is not there", 100 + ENOENT, below("missing", 0));
    expect("a child's root", 0, in_child_with(0));
    expect("an unshared root", 0, unshared());
    expect("a shared root", 1, shared());
    expect("the same root", WELL, same());
    there = there && privileged;
    expect("a root below the root", WELL, below("nested", 0));
    return 0;
}
