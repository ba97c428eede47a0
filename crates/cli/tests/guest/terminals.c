/* build: -O1 -static -nostdlib -fno-builtin */
/* Pseudo-terminals. */
#include "guest.h"
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <asm/termbits.h>
#include <asm/termios.h>

static char buf[256];

static long open_master(void) { return sys(openat, AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY); }

/* What is written to one end arrives at the other a little later. */
static void settle(void) { sys(nanosleep, (&(struct { long sec, nsec; }){0, 50000000}), 0); }

static void read_text(const char *what, long fd) {
    settle();
    memset(buf, 0, sizeof buf);
    long got = sys(read, fd, buf, sizeof buf - 1);
    show(what, got);
    for (long i = 0; i < got; i++)
        if (buf[i] < ' ') buf[i] = '~';
    if (got > 0) show_text("  text", buf);
}

/* Opens the other end by the number that the master tells. */
static long open_slave(long master) {
    int index = -1;
    show("TIOCGPTN", sys(ioctl, master, TIOCGPTN, &index));
    char path[40] = "/dev/pts/", *at = path + 9;
    if (index >= 1000) *at++ = (char)('0' + index / 1000 % 10);
    if (index >= 100) *at++ = (char)('0' + index / 100 % 10);
    if (index >= 10) *at++ = (char)('0' + index / 10 % 10);
    *at++ = (char)('0' + index % 10);
    *at = 0;
    show("open locked", sys(openat, AT_FDCWD, path, O_RDWR | O_NOCTTY));
    int lock = 1;
    show("TIOCGPTLCK", sys(ioctl, master, TIOCGPTLCK, &lock));
    show("  locked", lock);
    lock = 0;
    show("TIOCSPTLCK", sys(ioctl, master, TIOCSPTLCK, &lock));
    long slave = sys(openat, AT_FDCWD, path, O_RDWR | O_NOCTTY);
    show_ok("open", slave);
    char link[40];
    memset(link, 0, sizeof link);
    char name[40] = "/proc/self/fd/";
    name[14] = (char)('0' + slave), name[15] = 0;
    show_yes("readlinkat", sys(readlinkat, AT_FDCWD, name, link, sizeof link) > 0 && equal(link, path));
    return slave;
}

static void settings(long master, long slave) {
    struct termios termios;
    show("TCGETS", sys(ioctl, slave, TCGETS, &termios));
    show("  input", termios.c_iflag), show("  output", termios.c_oflag);
    show("  control", termios.c_cflag), show("  local", termios.c_lflag);
    show("  end of file", termios.c_cc[VEOF]), show("  interrupt", termios.c_cc[VINTR]);
    show("TCGETS wild", sys(ioctl, slave, TCGETS, WILD));
    show("TCGETS bad descriptor", sys(ioctl, 9999, TCGETS, &termios));
    show("write", sys(write, master, "echo\n", 5));
    read_text("read echo", master);
    read_text("read line", slave);
    termios.c_lflag &= ~(ECHO | ICANON);
    termios.c_oflag &= ~OPOST;
    show("TCSETS", sys(ioctl, slave, TCSETS, &termios));
    show("TCSETSW", sys(ioctl, slave, TCSETSW, &termios));
    show("TCSETSF", sys(ioctl, slave, TCSETSF, &termios));
    struct termios again = {0};
    show("TCGETS of the master", sys(ioctl, master, TCGETS, &again));
    show_yes("  the same", again.c_lflag == termios.c_lflag && again.c_oflag == termios.c_oflag);
    show("write", sys(write, master, "raw", 3));
    read_text("read raw", slave);
    show("write", sys(write, slave, "out\n", 4));
    read_text("read", master);
    struct termios2 more;
    show("TCGETS2", sys(ioctl, slave, TCGETS2, &more));
    more.c_cflag = (more.c_cflag & ~CBAUD) | BOTHER;
    more.c_ospeed = more.c_ispeed = 12345;
    show("TCSETS2", sys(ioctl, slave, TCSETS2, &more));
    show("TCGETS2", sys(ioctl, slave, TCGETS2, &more));
    show("  speed", more.c_ospeed);
    show("TCSETS wild", sys(ioctl, slave, TCSETS, WILD));
    int waiting = -1;
    sys(write, master, "1234", 4);
    settle();
    show("FIONREAD", sys(ioctl, slave, FIONREAD, &waiting));
    show("  waiting", waiting);
    show("TCFLSH", sys(ioctl, slave, TCFLSH, 0));
    show("FIONREAD", sys(ioctl, slave, FIONREAD, &waiting));
    show("  waiting", waiting);
    show("TCFLSH bad", sys(ioctl, slave, TCFLSH, 9));
    show("TCSBRK", sys(ioctl, slave, TCSBRK, 1));
}

static void sizes(long master, long slave) {
    struct winsize size = {24, 80, 1, 2};
    show("TIOCSWINSZ", sys(ioctl, master, TIOCSWINSZ, &size));
    memset(&size, 0, sizeof size);
    show("TIOCGWINSZ", sys(ioctl, slave, TIOCGWINSZ, &size));
    show("  rows", size.ws_row), show("  columns", size.ws_col);
    show("  width", size.ws_xpixel), show("  height", size.ws_ypixel);
    show("TIOCGWINSZ wild", sys(ioctl, slave, TIOCGWINSZ, WILD));
    show("TIOCSWINSZ wild", sys(ioctl, slave, TIOCSWINSZ, WILD));
}

/* A session's leader with the terminal as its own. */
static void controlling(long master, long slave) {
    struct termios termios;
    sys(ioctl, slave, TCGETS, &termios);
    termios.c_lflag |= ISIG | ICANON;
    sys(ioctl, slave, TCSETS, &termios);
    int group = 0, pipe[2];
    sys(pipe2, pipe, 0);
    show("TIOCSCTTY of no leader", sys(ioctl, slave, TIOCSCTTY, 0));
    show("TIOCGPGRP of another's", sys(ioctl, slave, TIOCGPGRP, &group));
    long child = fork_child();
    if (child == 0) {
        long me = sys(setsid);
        show("open /dev/tty without one", sys(openat, AT_FDCWD, "/dev/tty", O_RDWR));
        show("TIOCSCTTY", sys(ioctl, slave, TIOCSCTTY, 0));
        show_ok("open /dev/tty", sys(openat, AT_FDCWD, "/dev/tty", O_RDWR));
        show("TIOCGPGRP", sys(ioctl, slave, TIOCGPGRP, &group));
        show_yes("  its own", group == me);
        show("TIOCGSID", sys(ioctl, slave, TIOCGSID, &group));
        show_yes("  its own", group == me);
        group = 0x3fffffff;
        show("TIOCSPGRP of nobody", sys(ioctl, slave, TIOCSPGRP, &group));
        /* A job in the background that reads is stopped. */
        long job = fork_child();
        if (job == 0) {
            sys(setpgid, 0, 0);
            sys(read, slave, buf, 1);
            quit(1);
        }
        int status = 0;
        sys(wait4, job, &status, WUNTRACED, 0);
        show_status("job in the background", status);
        /* One in the foreground gets the signals of the keys. */
        uint64_t output = 1ul << (SIGTTOU - 1);
        sys(rt_sigprocmask, SIG_BLOCK, &output, 0, 8);
        group = (int)job;
        show("TIOCSPGRP", sys(ioctl, slave, TIOCSPGRP, &group));
        sys(kill, job, SIGCONT);
        sys(write, pipe[1], "x", 1);
        show_status("job in the foreground", reap(job));
        show("TIOCNOTTY", sys(ioctl, slave, TIOCNOTTY, 0));
        quit(0);
    }
    sys(read, pipe[0], buf, 1);
    long written = sys(write, master, "\3", 1);
    show_status("leader", reap(child));
    show("write interrupt", written);
}

static void closing(long master, long slave) {
    show("close slave", sys(close, slave));
    show("read", sys(read, master, buf, sizeof buf));
    show("close master", sys(close, master));
}

static void not_terminals(void) {
    long file = sys(openat, AT_FDCWD, "file", O_RDWR | O_CREAT, 0600);
    struct termios termios;
    struct winsize size;
    show("TCGETS of a file", sys(ioctl, file, TCGETS, &termios));
    show("TCSETS of a file", sys(ioctl, file, TCSETS, &termios));
    show("TIOCGWINSZ of a file", sys(ioctl, file, TIOCGWINSZ, &size));
    show("TIOCGPTN of a file", sys(ioctl, file, TIOCGPTN, &size));
    show("TCGETS of /dev/null", sys(ioctl, sys(openat, AT_FDCWD, "/dev/null", O_RDWR), TCGETS, &termios));
    int pipe[2];
    sys(pipe2, pipe, 0);
    show("TCGETS of a pipe", sys(ioctl, pipe[0], TCGETS, &termios));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    long master = open_master();
    show_ok("open /dev/ptmx", master);
    show("isatty of the master", sys(ioctl, master, TCGETS, buf));
    long slave = open_slave(master);
    settings(master, slave);
    sizes(master, slave);
    controlling(master, slave);
    closing(master, slave);
    not_terminals();
    return 0;
}
