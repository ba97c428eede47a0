/* build: -O1 -static -nostdlib -fno-builtin */
/* What files have beside their contents: attributes, handles, pages in memory; and the
 * calls that write and read at several places. */
#include "features.h"
#include <linux/fs.h>
#include <linux/memfd.h>
#include <linux/quota.h>
#include <linux/stat.h>
#include <linux/uio.h>
#include <linux/xattr.h>

enum { PAGE = 4096 };
static char buf[4096], page[3 * PAGE];

static long open(const char *path, int flags) { return sys(openat, AT_FDCWD, path, flags, 0644); }

/* Whether a list of names that end in 0 has one. */
static int listed(const char *list, long size, const char *name) {
    for (long at = 0; at < size; at += (long)length(list + at) + 1)
        if (equal(list + at, name)) return 1;
    return 0;
}

/* What was read is text from here on. */
static long text(long size) {
    buf[size > 0 ? size : 0] = 0;
    return size;
}

static void setting(long fd) {
    expect("setxattr", 0, sys(setxattr, "file", "user.one", "first", 5, XATTR_CREATE));
    expect("setxattr once more", -EEXIST, sys(setxattr, "file", "user.one", "again", 5, XATTR_CREATE));
    expect("setxattr of what is not there", -ENODATA, sys(setxattr, "file", "user.two", "x", 1, XATTR_REPLACE));
    expect("setxattr through a link", 0, sys(setxattr, "link", "user.two", "second", 6, 0));
    expect("setxattr replacing", 0, sys(setxattr, "file", "user.two", "2nd", 3, XATTR_REPLACE));
    expect("lsetxattr", 0, sys(lsetxattr, "file", "user.three", "", 0, 0));
    expect("lsetxattr of a link", -EPERM, sys(lsetxattr, "link", "user.three", "x", 1, 0));
    expect("fsetxattr", 0, sys(fsetxattr, fd, "user.four", "fourth", 6, XATTR_CREATE));
    expect("fsetxattr once more", -EEXIST, sys(fsetxattr, fd, "user.four", "x", 1, XATTR_CREATE));
    expect("setxattr flags", -EINVAL, sys(setxattr, "file", "user.one", "x", 1, 4));
    expect("setxattr no name", -ERANGE, sys(setxattr, "file", "", "x", 1, 0));
    expect("setxattr no namespace", -EOPNOTSUPP, sys(setxattr, "file", "one", "x", 1, 0));
    expect("setxattr only a namespace", -EINVAL, sys(setxattr, "file", "user.", "x", 1, 0));
    memset(buf, 'a', 300), buf[300] = 0, memcpy(buf, "user.", 5);
    expect("setxattr long name", -ERANGE, sys(setxattr, "file", buf, "x", 1, 0));
    expect("setxattr large", -E2BIG, sys(setxattr, "file", "user.one", buf, 65537, 0));
    expect("setxattr wild value", -EFAULT, sys(setxattr, "file", "user.one", WILD, 8, 0));
    expect("setxattr wild name", -EFAULT, sys(setxattr, "file", WILD, "x", 1, 0));
    expect("setxattr wild path", -EFAULT, sys(setxattr, WILD, "user.one", "x", 1, 0));
    expect("setxattr no file", -ENOENT, sys(setxattr, "none", "user.one", "x", 1, 0));
    expect("lsetxattr below a file", -ENOTDIR, sys(lsetxattr, "file/none", "user.one", "x", 1, 0));
    expect("fsetxattr bad descriptor", -EBADF, sys(fsetxattr, -1, "user.one", "x", 1, 0));
}

static void getting(long fd) {
    expect("getxattr", 5, text(sys(getxattr, "file", "user.one", buf, sizeof buf)));
    expect_yes("  value", equal(buf, "first"));
    expect("getxattr size", 5, sys(getxattr, "file", "user.one", 0, 0));
    expect("getxattr short", -ERANGE, sys(getxattr, "file", "user.one", buf, 4));
    expect("getxattr through a link", 3, text(sys(getxattr, "link", "user.two", buf, sizeof buf)));
    expect_yes("  value", equal(buf, "2nd"));
    expect("lgetxattr", 0, sys(lgetxattr, "file", "user.three", buf, sizeof buf));
    expect("lgetxattr of a link", -ENODATA, sys(lgetxattr, "link", "user.three", buf, sizeof buf));
    expect("fgetxattr", 6, text(sys(fgetxattr, fd, "user.four", buf, sizeof buf)));
    expect_yes("  value", equal(buf, "fourth"));
    expect("getxattr of what is not there", -ENODATA, sys(getxattr, "file", "user.five", buf, sizeof buf));
    expect("getxattr wild", -EFAULT, sys(getxattr, "file", "user.one", WILD, 8));
    expect("fgetxattr bad descriptor", -EBADF, sys(fgetxattr, -1, "user.one", buf, sizeof buf));
    long place = open("file", O_PATH);
    expect("fgetxattr of a place only", -EBADF, sys(fgetxattr, place, "user.one", buf, sizeof buf));
    sys(close, place);
}

static void listing(long fd) {
    long size = sys(listxattr, "file", buf, sizeof buf);
    expect_yes("listxattr", listed(buf, size, "user.one") && listed(buf, size, "user.four"));
    expect_yes("  size", sys(listxattr, "file", 0, 0) == size && size >= 9 + 9 + 11 + 10);
    expect("  short", -ERANGE, sys(listxattr, "file", buf, 8));
    expect("  wild", -EFAULT, sys(listxattr, "file", WILD, sizeof buf));
    expect_yes("listxattr through a link", sys(listxattr, "link", buf, sizeof buf) == size);
    expect_yes("llistxattr", sys(llistxattr, "file", buf, sizeof buf) == size && listed(buf, size, "user.two"));
    size = sys(llistxattr, "link", buf, sizeof buf);
    expect_yes("llistxattr of a link", size >= 0 && !listed(buf, size, "user.two"));
    size = sys(flistxattr, fd, buf, sizeof buf);
    expect_yes("flistxattr", listed(buf, size, "user.three"));
    expect("flistxattr bad descriptor", -EBADF, sys(flistxattr, -1, buf, sizeof buf));
}

static void removing(long fd) {
    expect("removexattr", 0, sys(removexattr, "file", "user.one"));
    expect("removexattr again", -ENODATA, sys(removexattr, "file", "user.one"));
    expect("removexattr through a link", 0, sys(removexattr, "link", "user.two"));
    expect("lremovexattr", 0, sys(lremovexattr, "file", "user.three"));
    expect("lremovexattr of a link", -EPERM, sys(lremovexattr, "link", "user.three"));
    expect("fremovexattr", 0, sys(fremovexattr, fd, "user.four"));
    expect("fremovexattr again", -ENODATA, sys(fremovexattr, fd, "user.four"));
    expect("fremovexattr bad descriptor", -EBADF, sys(fremovexattr, -1, "user.four"));
    expect("removexattr wild", -EFAULT, sys(removexattr, "file", WILD));
    long size = sys(listxattr, "file", buf, sizeof buf);
    expect_yes("none is left", !listed(buf, size, "user.one") && !listed(buf, size, "user.four"));
}

static long mode_of(const char *path) {
    struct statx about;
    sys(statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_MODE, &about);
    return about.stx_mode & 07777;
}

static void modes(long fd) {
    feature(sys(fchmodat2, AT_FDCWD, "file", 0600, 0));
    expect("fchmodat2", 0, sys(fchmodat2, AT_FDCWD, "file", 0640, 0));
    expect("  mode", 0640, mode_of("file"));
    expect("fchmodat2 through a link", 0, sys(fchmodat2, AT_FDCWD, "link", 0604, 0));
    expect("  mode", 0604, mode_of("file"));
    expect("fchmodat2 of a link", -EOPNOTSUPP, sys(fchmodat2, AT_FDCWD, "link", 0600, AT_SYMLINK_NOFOLLOW));
    expect("fchmodat2 not through a file", 0, sys(fchmodat2, AT_FDCWD, "file", 0600, AT_SYMLINK_NOFOLLOW));
    expect("  mode", 0600, mode_of("file"));
    expect("fchmodat2 of a descriptor", 0, sys(fchmodat2, fd, "", 0644, AT_EMPTY_PATH));
    expect("  mode", 0644, mode_of("file"));
    expect("fchmodat2 no path", -ENOENT, sys(fchmodat2, fd, "", 0644, 0));
    expect("fchmodat2 bad flags", -EINVAL, sys(fchmodat2, AT_FDCWD, "file", 0644, 1));
    expect("fchmodat2 wild", -EFAULT, sys(fchmodat2, AT_FDCWD, WILD, 0644, 0));
}

typedef struct { unsigned bytes; int type; char value[128]; } handle;

static int same(const handle *a, const handle *b) {
    int yes = a->bytes == b->bytes && a->type == b->type;
    for (unsigned i = 0; yes && i < a->bytes; i++) yes = a->value[i] == b->value[i];
    return yes;
}

static long name(const char *path, handle *to, int flags) {
    int mount;
    to->bytes = sizeof to->value;
    return sys(name_to_handle_at, AT_FDCWD, path, to, &mount, flags);
}

static void handles(long fd) {
    static handle first, second;
    int mount = -1;
    sys(linkat, AT_FDCWD, "file", AT_FDCWD, "other", 0);
    feature(name("file", &first, 0));
    expect("name_to_handle_at", 0, name("file", &first, 0));
    expect_yes("  size", first.bytes > 0 && first.bytes <= sizeof first.value);
    second.bytes = 0;
    expect("name_to_handle_at short", -EOVERFLOW, sys(name_to_handle_at, AT_FDCWD, "file", &second, &mount, 0));
    expect_yes("  needed", second.bytes == first.bytes);
    expect_yes("  mount", mount >= 0);
    expect("name_to_handle_at other name", 0, name("other", &second, 0));
    expect_yes("  same file", same(&first, &second));
    expect("name_to_handle_at of a link", 0, name("link", &second, 0));
    expect_yes("  other file", !same(&first, &second));
    expect("name_to_handle_at through a link", 0, name("link", &second, AT_SYMLINK_FOLLOW));
    expect_yes("  same file", same(&first, &second));
    second.bytes = sizeof second.value;
    expect("name_to_handle_at of a descriptor", 0, sys(name_to_handle_at, fd, "", &second, &mount, AT_EMPTY_PATH));
    expect_yes("  same file", same(&first, &second));
    second.bytes = 129;
    expect("name_to_handle_at large", -EINVAL, sys(name_to_handle_at, AT_FDCWD, "file", &second, &mount, 0));
    expect("name_to_handle_at bad flags", -EINVAL, name("file", &second, 0x8000));
    expect("name_to_handle_at no file", -ENOENT, name("none", &second, 0));
    expect("name_to_handle_at wild", -EFAULT, sys(name_to_handle_at, AT_FDCWD, "file", WILD, &mount, 0));
    long opened = there ? feature(sys(open_by_handle_at, AT_FDCWD, &first, O_RDONLY)) : -ENOSYS;
    expect("  read", 8, text(sys(read, opened, buf, sizeof buf)));
    expect_yes("  contents", equal(buf, "contents"));
    sys(close, opened);
    second = first, second.bytes = 0;
    expect("open_by_handle_at empty", -EINVAL, sys(open_by_handle_at, AT_FDCWD, &second, O_RDONLY));
    second.bytes = 129;
    expect("open_by_handle_at large", -EINVAL, sys(open_by_handle_at, AT_FDCWD, &second, O_RDONLY));
    expect("open_by_handle_at bad mount", -EBADF, sys(open_by_handle_at, -1, &first, O_RDONLY));
    expect("open_by_handle_at wild", -EFAULT, sys(open_by_handle_at, AT_FDCWD, WILD, O_RDONLY));
}

static void pages(void) {
    struct { uint64_t from, size; } range = {0, 3 * PAGE};
    struct { uint64_t cached, dirty, writing, evicted, recently; } seen;
    long memory = sys(memfd_create, "pages", 0);
    sys(write, memory, page, sizeof page);
    feature(sys(cachestat, memory, &range, &seen, 0));
    memset(&seen, 0xff, sizeof seen);
    expect("cachestat", 0, sys(cachestat, memory, &range, &seen, 0));
    expect_yes("  pages", seen.cached + seen.evicted == 3 && seen.writing == 0);
    range.from = PAGE, range.size = 1;
    expect("cachestat of one", 0, sys(cachestat, memory, &range, &seen, 0));
    expect_yes("  pages", seen.cached + seen.evicted == 1);
    range.from = 8 * PAGE, range.size = PAGE;
    expect("cachestat behind the end", 0, sys(cachestat, memory, &range, &seen, 0));
    expect_yes("  pages", seen.cached + seen.evicted == 0);
    expect("cachestat bad flags", -EINVAL, sys(cachestat, memory, &range, &seen, 1));
    expect("cachestat bad descriptor", -EBADF, sys(cachestat, -1, &range, &seen, 0));
    expect("cachestat wild range", -EFAULT, sys(cachestat, memory, WILD, &seen, 0));
    expect("cachestat wild", -EFAULT, sys(cachestat, memory, &range, WILD, 0));
    sys(close, memory);
}

static void syncing(long fd) {
    int pipe[2];
    sys(pipe2, pipe, 0);
    show("sync", sys(sync));
    show("syncfs", sys(syncfs, fd));
    show("syncfs bad descriptor", sys(syncfs, -1));
    show("sync_file_range", sys(sync_file_range, fd, 0, PAGE, 7));
    show("sync_file_range to the end", sys(sync_file_range, fd, 4, 0, 2));
    show("sync_file_range nothing", sys(sync_file_range, fd, 0, 0, 0));
    show("sync_file_range bad flags", sys(sync_file_range, fd, 0, PAGE, 8));
    show("sync_file_range negative", sys(sync_file_range, fd, -1, PAGE, 2));
    show("sync_file_range overflow", sys(sync_file_range, fd, 1, INT64_MAX, 2));
    show("sync_file_range of a pipe", sys(sync_file_range, pipe[0], 0, PAGE, 2));
    show("sync_file_range bad descriptor", sys(sync_file_range, -1, 0, PAGE, 2));
    show("readahead", sys(readahead, fd, 0, PAGE));
    show("readahead of a pipe", sys(readahead, pipe[0], 0, PAGE));
    show("readahead bad descriptor", sys(readahead, -1, 0, PAGE));
    long writer = open("file", O_WRONLY);
    show("readahead of what cannot be read", sys(readahead, writer, 0, PAGE));
    sys(close, writer), sys(close, pipe[0]), sys(close, pipe[1]);
}

static void writing(void) {
    long fd = open("vectors", O_CREAT | O_RDWR);
    struct iovec out[2] = {{"first ", 6}, {"second", 6}};
    show("pwritev", sys(pwritev, fd, out, 2, 4, 0));
    /* All of an offset fits into one register: what is in the next does not count. */
    show("pwritev upper half", sys(pwritev, fd, out, 1, 20, 7));
    show("  position", sys(lseek, fd, 0, SEEK_CUR));
    show("  size", sys(lseek, fd, 0, SEEK_END));
    show("pread64", text(sys(pread64, fd, buf, 16, 4)));
    show_text("contents", buf);
    show("pwritev2", sys(pwritev2, fd, out + 1, 1, 0, 0, 0));
    show("pwritev2 at the position", sys(pwritev2, fd, out, 2, -1, 0, RWF_DSYNC));
    show("  position", sys(lseek, fd, 0, SEEK_CUR));
    show("pwritev2 at the end", sys(pwritev2, fd, out, 1, 2, 0, RWF_APPEND));
    show("  size", sys(lseek, fd, 0, SEEK_END));
    show("pread64", text(sys(pread64, fd, buf, sizeof buf, 26)));
    show_text("contents", buf);
    show("pwritev nothing", sys(pwritev, fd, out, 0, 4, 0));
    show("pwritev negative", sys(pwritev, fd, out, 1, -1, 0));
    show("pwritev2 negative", sys(pwritev2, fd, out, 1, -2, 0, 0));
    show("pwritev2 bad flags", sys(pwritev2, fd, out, 1, 0, 0, 1 << 20));
    show("pwritev many", sys(pwritev, fd, out, 1025, 0, 0));
    show("pwritev wild", sys(pwritev, fd, WILD, 1, 0, 0));
    show("pwritev wild contents", sys(pwritev, fd, (&(struct iovec){WILD, 4}), 1, 0, 0));
    show("pwritev large", sys(pwritev, fd, (&(struct iovec){buf, ~0ul}), 1, 0, 0));
    show("pwritev bad descriptor", sys(pwritev, -1, out, 2, 0, 0));
    char a[6] = "", b[10] = "";
    struct iovec in[2] = {{a, 5}, {b, 7}};
    show("preadv2", sys(preadv2, fd, in, 2, 26, 0, 0));
    show_text("first", a), show_text("second", b);
    sys(lseek, fd, 30, SEEK_SET);
    show("preadv2 at the position", sys(preadv2, fd, in, 1, -1, 0, 0));
    show("  position", sys(lseek, fd, 0, SEEK_CUR));
    show("preadv2 behind the end", sys(preadv2, fd, in, 2, 1000, 0, 0));
    show("preadv2 negative", sys(preadv2, fd, in, 2, -2, 0, 0));
    show("preadv2 bad flags", sys(preadv2, fd, in, 2, 0, 0, 1 << 20));
    int pipe[2];
    sys(pipe2, pipe, O_NONBLOCK);
    show("pwritev of a pipe", sys(pwritev, pipe[1], out, 2, 0, 0));
    show("pwritev2 of a pipe", sys(pwritev2, pipe[1], out, 2, -1, 0, 0));
    show("preadv2 of a pipe", sys(preadv2, pipe[0], in, 2, 0, 0, 0));
    show("preadv2 of a pipe, no offset", sys(preadv2, pipe[0], in, 2, -1, 0, 0));
    show_text("first", a);
    show("preadv2 would wait", sys(preadv2, pipe[0], in, 2, -1, 0, 0));
    sys(close, pipe[0]), sys(close, pipe[1]), sys(close, fd);
}

/* No file system here is known to have quotas, so only what is looked at before them. */
static void quotas(long fd) {
    unsigned format;
    feature(sys(quotactl, QCMD(Q_GETFMT, 99), 0, 0, &format));
    expect("quotactl bad kind", -EINVAL, sys(quotactl, QCMD(Q_GETFMT, 99), 0, 0, &format));
    expect("quotactl no device", -ENODEV, sys(quotactl, QCMD(Q_GETFMT, USRQUOTA), 0, 0, &format));
    expect("quotactl no file", -ENOENT, sys(quotactl, QCMD(Q_GETFMT, USRQUOTA), "none", 0, &format));
    expect("quotactl of a file", -15 /* ENOTBLK */, sys(quotactl, QCMD(Q_GETFMT, USRQUOTA), "file", 0, &format));
    expect("quotactl wild", -EFAULT, sys(quotactl, QCMD(Q_GETFMT, USRQUOTA), WILD, 0, &format));
    feature(sys(quotactl_fd, fd, QCMD(Q_GETFMT, 99), 0, &format));
    expect("quotactl_fd bad kind", -EINVAL, sys(quotactl_fd, fd, QCMD(Q_GETFMT, 99), 0, &format));
    expect("quotactl_fd bad descriptor", -EBADF, sys(quotactl_fd, -1, QCMD(Q_GETFMT, USRQUOTA), 0, &format));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    sys(umask, 022);
    long fd = open("file", O_CREAT | O_RDWR);
    sys(write, fd, "contents", 8);
    sys(symlinkat, "file", AT_FDCWD, "link");
    feature(sys(setxattr, "file", "user.probe", "x", 1, 0));
    sys(removexattr, "file", "user.probe");
    setting(fd), getting(fd), listing(fd), removing(fd);
    modes(fd);
    handles(fd);
    pages();
    syncing(fd);
    writing();
    quotas(fd);
    return 0;
}
