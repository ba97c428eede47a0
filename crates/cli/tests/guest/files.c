/* build: -O1 -static -nostdlib -fno-builtin */
/* Files and descriptors. */
#include "guest.h"
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/uio.h>

static char buf[8192];

static void reading_and_writing(void) {
    long fd = show("open new", sys(openat, AT_FDCWD, "file", O_RDWR | O_CREAT | O_EXCL, 0644));
    show("open again O_EXCL", sys(openat, AT_FDCWD, "file", O_RDWR | O_CREAT | O_EXCL, 0644));
    show("write", sys(write, fd, "hello, world\n", 13));
    show("lseek", sys(lseek, fd, 7, SEEK_SET));
    show("read", sys(read, fd, buf, sizeof buf));
    show_text("text", buf);
    show("read at end", sys(read, fd, buf, sizeof buf));
    show("pwrite", sys(pwrite64, fd, "HELLO", 5, 0));
    memset(buf, 0, sizeof buf);
    show("pread", sys(pread64, fd, buf, 5, 0));
    show_text("text", buf);
    struct iovec parts[2] = {{buf, 3}, {buf + 100, 100}};
    show("preadv", sys(preadv, fd, parts, 2, 0, 0));
    show_text("second part", buf + 100);
    show("writev", sys(writev, fd, parts, 1));
    show("preadv2", sys(preadv2, fd, parts, 1, 0, 0, 0));
    show("lseek end", sys(lseek, fd, 0, SEEK_END));
    show("lseek before start", sys(lseek, fd, -1, SEEK_SET));
    show("lseek bad whence", sys(lseek, fd, 0, 77));
    show("ftruncate", sys(ftruncate, fd, 5));
    show("ftruncate negative", sys(ftruncate, fd, -5));
    show("fallocate", sys(fallocate, fd, 0, 0, 4096));
    show("fallocate bad mode", sys(fallocate, fd, 0x8000, 0, 4096));
    show("truncate", sys(truncate, "file", 10));
    show("truncate missing", sys(truncate, "missing", 10));
    show("fsync", sys(fsync, fd));
    show("fdatasync", sys(fdatasync, fd));
    show("fadvise64", sys(fadvise64, fd, 0, 0, 0));
    show("fadvise64 bad", sys(fadvise64, fd, 0, 0, 99));
    show("close", sys(close, fd));
    show("close again", sys(close, fd));
}

static void hostile(void) {
    long fd = show("open", sys(openat, AT_FDCWD, "file", O_RDWR));
    show("read wild", sys(read, fd, WILD, 5));
    show("read outside", sys(read, fd, OUTSIDE, 5));
    show("read null", sys(read, fd, 0, 5));
    show("read nothing, wild", sys(read, fd, WILD, 0));
    show("write wild", sys(write, fd, WILD, 5));
    show("pread negative offset", sys(pread64, fd, buf, 5, -1));
    show("readv wild", sys(readv, fd, WILD, 1));
    show("readv too many", sys(readv, fd, WILD, 100000));
    struct iovec huge = {buf, ~0ul};
    show("readv huge", sys(readv, fd, &huge, 1));
    show("read only descriptor", sys(read, sys(openat, AT_FDCWD, "file", O_WRONLY), buf, 5));
    show("write read-only", sys(write, sys(openat, AT_FDCWD, "file", O_RDONLY), buf, 5));
    show("read bad descriptor", sys(read, 9999, buf, 5));
    show("read descriptor -1", sys(read, -1, buf, 5));
    show("open wild", sys(openat, AT_FDCWD, WILD, O_RDONLY));
    show("open outside", sys(openat, AT_FDCWD, OUTSIDE, O_RDONLY));
    show("open empty", sys(openat, AT_FDCWD, "", O_RDONLY));
    show("open missing", sys(openat, AT_FDCWD, "missing", O_RDONLY));
    show("open below a file", sys(openat, AT_FDCWD, "file/x", O_RDONLY));
    show("open as directory", sys(openat, AT_FDCWD, "file", O_RDONLY | O_DIRECTORY));
    show("open directory for writing", sys(openat, AT_FDCWD, ".", O_RDWR));
    show("open bad directory", sys(openat, 9999, "file", O_RDONLY));
    memset(buf, 'x', 5000);
    show("open long name", sys(openat, AT_FDCWD, buf, O_RDONLY));
    buf[300] = 0;
    show("open long component", sys(openat, AT_FDCWD, buf, O_RDONLY));
    buf[0] = 0;
}

static void descriptors(void) {
    long fd = sys(openat, AT_FDCWD, "file", O_RDWR | O_CLOEXEC | O_APPEND, 0);
    show("F_GETFD", sys(fcntl, fd, F_GETFD));
    show("F_GETFL", sys(fcntl, fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
    show("F_SETFL", sys(fcntl, fd, F_SETFL, O_NONBLOCK));
    show("F_GETFL", sys(fcntl, fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
    show("F_DUPFD", sys(fcntl, fd, F_DUPFD, 50));
    show("F_DUPFD_CLOEXEC", sys(fcntl, fd, F_DUPFD_CLOEXEC, 50));
    show("F_GETFD", sys(fcntl, 51, F_GETFD));
    show("F_DUPFD too large", sys(fcntl, fd, F_DUPFD, 0x7fffffff));
    show("fcntl bad command", sys(fcntl, fd, 12345));
    show("fcntl bad descriptor", sys(fcntl, 9999, F_GETFD));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = 0, .l_start = 2, .l_len = 3};
    show("F_SETLK", sys(fcntl, fd, F_SETLK, &lock));
    long child = fork_child();
    if (child == 0) {
        struct flock other = {.l_type = F_WRLCK};
        show("F_GETLK", sys(fcntl, fd, F_GETLK, &other));
        show("  type", other.l_type), show("  start", other.l_start), show("  length", other.l_len);
        show_yes("  owner is the parent", other.l_pid == sys(getppid));
        quit(0);
    }
    show_status("locker", reap(child));
    show("F_SETLK wild", sys(fcntl, fd, F_SETLK, WILD));
    show("flock", sys(flock, fd, 2));
    show("flock bad", sys(flock, fd, 0));
    show("dup3", sys(dup3, fd, 60, O_CLOEXEC));
    show("dup3 same", sys(dup3, fd, fd, 0));
    show("dup3 bad flags", sys(dup3, fd, 61, 1));
    show("dup bad", sys(dup, 9999));
    show("close_range", sys(close_range, 50, 60, 0));
    show("closed", sys(fcntl, 55, F_GETFD));
    show("close_range reversed", sys(close_range, 60, 50, 0));
    show("close_range bad flags", sys(close_range, 50, 60, 0x80));
    show("ioctl FIONREAD", sys(ioctl, fd, 0x541b, buf));
    show("ioctl TCGETS of a file", sys(ioctl, fd, 0x5401, buf));
    show("ioctl unknown", sys(ioctl, fd, 0xdeadbeef, buf));
    show("ioctl FIONREAD wild", sys(ioctl, fd, 0x541b, WILD));
}

static void between_files(void) {
    long in = sys(openat, AT_FDCWD, "file", O_RDWR | O_TRUNC, 0);
    sys(write, in, "0123456789", 10);
    long out = sys(openat, AT_FDCWD, "copy", O_RDWR | O_CREAT, 0600);
    int64_t at = 2;
    show("copy_file_range", sys(copy_file_range, in, &at, out, 0, 3, 0));
    show("offset", at);
    show("copy_file_range flags", sys(copy_file_range, in, &at, out, 0, 3, 7));
    show("sendfile", sys(sendfile, out, in, &at, 2));
    show("offset", at);
    show("sendfile wild", sys(sendfile, out, in, WILD, 2));
    int pipe[2];
    sys(pipe2, pipe, 0);
    at = 7;
    show("splice in", sys(splice, in, &at, pipe[1], 0, 3, 0));
    show("splice out", sys(splice, pipe[0], 0, out, 0, 3, 0));
    show("splice files", sys(splice, in, 0, out, 0, 3, 0));
    struct iovec part = {"vm", 2};
    show("vmsplice", sys(vmsplice, pipe[1], &part, 1, 0));
    int other[2];
    sys(pipe2, other, 0);
    show("tee", sys(tee, pipe[0], other[1], 10, 0));
    memset(buf, 0, 100);
    show("read tee", sys(read, other[0], buf, 10));
    show_text("text", buf);
    memset(buf, 0, 100);
    show("pread copy", sys(pread64, out, buf, 100, 0));
    show_text("text", buf);
}

static void openat2_calls(void) {
    struct open_how how = {.flags = O_RDONLY};
    show_ok("openat2", sys(openat2, AT_FDCWD, "file", &how, sizeof how));
    how.resolve = RESOLVE_BENEATH;
    show("openat2 beneath", sys(openat2, AT_FDCWD, "/etc", &how, sizeof how));
    how.resolve = 0x8000;
    show("openat2 bad resolve", sys(openat2, AT_FDCWD, "file", &how, sizeof how));
    how.resolve = 0, how.flags = 1ul << 60;
    show("openat2 bad flags", sys(openat2, AT_FDCWD, "file", &how, sizeof how));
    show("openat2 small", sys(openat2, AT_FDCWD, "file", &how, 8));
    show("openat2 wild", sys(openat2, AT_FDCWD, "file", WILD, sizeof how));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    reading_and_writing();
    hostile();
    descriptors();
    between_files();
    openat2_calls();
    return 0;
}
