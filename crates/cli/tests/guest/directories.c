/* build: -O1 -static -nostdlib -fno-builtin */
/* Directories, links, metadata, extended attributes. */
#include "guest.h"
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/fs.h>
#include <linux/stat.h>

static char buf[8192];

static int stat_at(const char *what, long dir, const char *path, int flags) {
    struct stat stat;
    long result = show(what, sys(newfstatat, dir, path, &stat, flags));
    if (result == 0) {
        show("  mode", stat.st_mode);
        /* Of a directory, these two are the file system's own affair. */
        if ((stat.st_mode & S_IFMT) != S_IFDIR) show("  links", stat.st_nlink), show("  size", stat.st_size);
    }
    return (int)result;
}

/* The kernel's own layout is the same everywhere; the names' order is not. */
struct entry {
    uint64_t inode;
    int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[];
};

static void list(const char *what, const char *path) {
    long fd = sys(openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    int names = 0, found = 0;
    for (;;) {
        long got = sys(getdents64, fd, buf, sizeof buf);
        if (got <= 0) break;
        for (long at = 0; at < got;) {
            struct entry *entry = (struct entry *)(buf + at);
            names++;
            if (equal(entry->name, "sub") && entry->type == 4) found |= 1;
            if (equal(entry->name, "file") && entry->type == 8) found |= 2;
            if (equal(entry->name, "link") && entry->type == 10) found |= 4;
            at += entry->size;
        }
    }
    put(what), put(": "), number(names), put(" names, found "), number(found), put("\n");
    show("getdents64 small", sys(lseek, fd, 0, 0) + sys(getdents64, fd, buf, 4));
    show("getdents64 wild", sys(lseek, fd, 0, 0) + sys(getdents64, fd, WILD, 100));
    sys(close, fd);
}

static void making(void) {
    sys(umask, 022);
    show("umask", sys(umask, 022));
    show("mkdirat", sys(mkdirat, AT_FDCWD, "dir", 0777));
    show("mkdirat again", sys(mkdirat, AT_FDCWD, "dir", 0777));
    show("mkdirat missing parent", sys(mkdirat, AT_FDCWD, "no/dir", 0777));
    show("mkdirat wild", sys(mkdirat, AT_FDCWD, WILD, 0777));
    long dir = show("open", sys(openat, AT_FDCWD, "dir", O_RDONLY | O_DIRECTORY));
    show("mkdirat below descriptor", sys(mkdirat, dir, "sub", 0700));
    sys(close, sys(openat, dir, "file", O_WRONLY | O_CREAT, 0666));
    show("symlinkat", sys(symlinkat, "file", dir, "link"));
    show("symlinkat again", sys(symlinkat, "file", dir, "link"));
    show("symlinkat empty", sys(symlinkat, "", dir, "empty"));
    show("linkat", sys(linkat, dir, "file", dir, "hard", 0));
    show("linkat directory", sys(linkat, dir, "sub", dir, "hard2", 0));
    show("linkat through link", sys(linkat, dir, "link", dir, "hard3", AT_SYMLINK_FOLLOW));
    show("linkat bad flags", sys(linkat, dir, "link", dir, "hard4", 1));
    show("mknodat fifo", sys(mknodat, dir, "fifo", S_IFIFO | 0644, 0));
    list("list", "dir");
    long got = show("readlinkat", sys(readlinkat, dir, "link", buf, sizeof buf));
    buf[got > 0 ? got : 0] = 0;
    show_text("target", buf);
    show("readlinkat short", sys(readlinkat, dir, "link", buf, 2));
    show("readlinkat of a file", sys(readlinkat, dir, "file", buf, sizeof buf));
    show("readlinkat no room", sys(readlinkat, dir, "link", buf, 0));
    show("readlinkat wild", sys(readlinkat, dir, "link", WILD, 100));
    stat_at("stat file", dir, "file", 0);
    stat_at("stat through link", dir, "link", 0);
    stat_at("stat link itself", dir, "link", AT_SYMLINK_NOFOLLOW);
    stat_at("stat directory", dir, "sub", 0);
    stat_at("stat fifo", dir, "fifo", 0);
    stat_at("stat descriptor", dir, "", AT_EMPTY_PATH);
    stat_at("stat missing", dir, "missing", 0);
    stat_at("stat empty", dir, "", 0);
    stat_at("stat wild path", dir, WILD, 0);
    stat_at("stat bad flags", dir, "file", 0x40000000);
    show("stat wild buffer", sys(newfstatat, dir, "file", WILD, 0));
    show("fstat wild buffer", sys(fstat, dir, WILD));
    show("fstat bad descriptor", sys(fstat, 9999, buf));
    sys(close, dir);
}

/* Whether a name is among those of a list; security modules add their own. */
static int lists(const char *names, long len, const char *name) {
    for (long at = 0; at < len; at += (long)length(names + at) + 1)
        if (equal(names + at, name)) return 1;
    return 0;
}

static void metadata(void) {
    struct stat stat;
    struct statx statx;
    long fd = sys(openat, AT_FDCWD, "dir/file", O_RDWR);
    show("fchmod", sys(fchmod, fd, 04711));
    show("fchmodat", sys(fchmodat, AT_FDCWD, "dir/file", 0640));
    show("fchmodat missing", sys(fchmodat, AT_FDCWD, "dir/missing", 0640));
    struct { int64_t seconds, nanoseconds; } times[2] = {{1000000001, 5}, {1234567890, 123456789}};
    show("utimensat", sys(utimensat, AT_FDCWD, "dir/file", times, 0));
    show("utimensat bad", sys(utimensat, AT_FDCWD, "dir/file", ((int64_t[4]){0, 2000000000, 0, 0}), 0));
    show("utimensat descriptor", sys(utimensat, fd, 0, times, 0));
    show("utimensat wild", sys(utimensat, AT_FDCWD, "dir/file", WILD, 0));
    sys(write, fd, "12345", 5);
    show("utimensat", sys(utimensat, fd, 0, times, 0));
    show("fstat", sys(fstat, fd, &stat));
    show("  mode", stat.st_mode), show("  size", stat.st_size), show("  links", stat.st_nlink);
    show("  atime", stat.st_atime), show("  atime ns", (long)stat.st_atime_nsec);
    show("  mtime", stat.st_mtime), show("  mtime ns", (long)stat.st_mtime_nsec);
    show_yes("  blocks fit the size", stat.st_blocks >= 0 && stat.st_blocks <= 128);
    show("statx", sys(statx, AT_FDCWD, "dir/file", 0, STATX_BASIC_STATS, &statx));
    show_yes("  inode", statx.stx_ino == stat.st_ino);
    show_yes("  device", ((statx.stx_dev_major << 8) | statx.stx_dev_minor) == (stat.st_dev & 0xfffff));
    show_yes("  owner", statx.stx_uid == stat.st_uid && statx.stx_gid == stat.st_gid);
    show_yes("  block size", statx.stx_blksize == (unsigned)stat.st_blksize);
    show_yes("  ctime", statx.stx_ctime.tv_sec == (long)stat.st_ctime && statx.stx_ctime.tv_nsec == stat.st_ctime_nsec);
    show("  mtime", statx.stx_mtime.tv_sec);
    show("statx bad mask", sys(statx, AT_FDCWD, "dir/file", 0, 0x80000000, &statx));
    show("statx wild", sys(statx, AT_FDCWD, "dir/file", 0, STATX_BASIC_STATS, WILD));
    long null = sys(openat, AT_FDCWD, "/dev/null", O_RDWR);
    show("fstat /dev/null", sys(fstat, null, &stat));
    show("  mode type", stat.st_mode & S_IFMT), show("  rdev", stat.st_rdev);
    show("faccessat", sys(faccessat, AT_FDCWD, "dir/file", 4));
    show("faccessat missing", sys(faccessat, AT_FDCWD, "dir/missing", 0));
    show("faccessat bad", sys(faccessat, AT_FDCWD, "dir/file", 99));
    show("faccessat2", sys(faccessat2, AT_FDCWD, "dir/link", 0, AT_SYMLINK_NOFOLLOW));
    show("fchownat", sys(fchownat, AT_FDCWD, "dir/file", -1, -1, 0));
    show("fchown", sys(fchown, fd, -1, -1));
    struct statfs fs;
    show("statfs", sys(statfs, ".", &fs));
    show_yes("  block size", fs.f_bsize >= 512);
    show_yes("  name length", fs.f_namelen == 255);
    show("fstatfs", sys(fstatfs, fd, &fs));
    show("statfs proc", sys(statfs, "/proc", &fs));
    show("  type", fs.f_type);
    show("statfs wild", sys(statfs, ".", WILD));
    long result = sys(fsetxattr, fd, "user.rvrun", "value", 5, 0);
    if (result == -EOPNOTSUPP) {
        /* Some file systems have none: print what the others do. */
        put("setxattr = 0\ngetxattr = 5\ngetxattr short = ERANGE\nlistxattr: yes\nremovexattr = 0\nremoved = ENODATA\n");
    } else {
        show("setxattr", result);
        show("getxattr", sys(getxattr, "dir/file", "user.rvrun", buf, sizeof buf));
        show("getxattr short", sys(getxattr, "dir/file", "user.rvrun", buf, 2));
        show_yes("listxattr", lists(buf, sys(flistxattr, fd, buf, sizeof buf), "user.rvrun"));
        show("removexattr", sys(removexattr, "dir/file", "user.rvrun"));
        show("removed", sys(lgetxattr, "dir/file", "user.rvrun", buf, sizeof buf));
    }
    sys(close, fd);
}

static void moving(void) {
    show("renameat2", sys(renameat2, AT_FDCWD, "dir/hard", AT_FDCWD, "dir/moved", 0));
    show("renameat2 missing", sys(renameat2, AT_FDCWD, "dir/hard", AT_FDCWD, "dir/moved", 0));
    show("renameat2 no replace", sys(renameat2, AT_FDCWD, "dir/moved", AT_FDCWD, "dir/file", RENAME_NOREPLACE));
    show("renameat2 exchange", sys(renameat2, AT_FDCWD, "dir/moved", AT_FDCWD, "dir/sub", RENAME_EXCHANGE));
    stat_at("stat exchanged", AT_FDCWD, "dir/moved", 0);
    show("renameat2 bad flags", sys(renameat2, AT_FDCWD, "dir/moved", AT_FDCWD, "dir/x", 0x100));
    show("renameat2 into itself", sys(renameat2, AT_FDCWD, "dir", AT_FDCWD, "dir/moved/x", 0));
    long here = show("getcwd", sys(getcwd, buf, sizeof buf) > 1);
    show("chdir", sys(chdir, "dir"));
    long below = sys(getcwd, buf, sizeof buf);
    show_yes("getcwd ends with dir", below > here && equal(buf + below - 5, "/dir"));
    show("getcwd short", sys(getcwd, buf, 2));
    show("getcwd wild", sys(getcwd, WILD, 100));
    long parent = sys(openat, AT_FDCWD, "..", O_RDONLY);
    show("fchdir", sys(fchdir, parent));
    show("fchdir to a file", sys(fchdir, sys(openat, AT_FDCWD, "dir/file", O_RDONLY)));
    show("chdir to a file", sys(chdir, "dir/file"));
    show("chdir missing", sys(chdir, "missing"));
    show("chdir wild", sys(chdir, WILD));
    show("symlinkat loop", sys(symlinkat, "loop", AT_FDCWD, "loop"));
    show("open loop", sys(openat, AT_FDCWD, "loop", O_RDONLY));
    show("open link nofollow", sys(openat, AT_FDCWD, "dir/link", O_RDONLY | O_NOFOLLOW));
    show("unlinkat directory", sys(unlinkat, AT_FDCWD, "dir", 0));
    show("rmdir full", sys(unlinkat, AT_FDCWD, "dir", AT_REMOVEDIR));
    show("rmdir a file", sys(unlinkat, AT_FDCWD, "dir/file", AT_REMOVEDIR));
    show("unlinkat bad flags", sys(unlinkat, AT_FDCWD, "dir/file", 1));
    show("unlinkat", sys(unlinkat, AT_FDCWD, "dir/file", 0));
    show("unlinkat again", sys(unlinkat, AT_FDCWD, "dir/file", 0));
    show("rmdir", sys(unlinkat, AT_FDCWD, "dir/moved", AT_REMOVEDIR));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    making();
    metadata();
    moving();
    return 0;
}
