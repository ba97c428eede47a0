/* build: -O1 -static -nostdlib -fno-builtin */
/* Random numbers. */
#include "guest.h"
#include <linux/random.h>

static unsigned char first[4096], second[4096];

/* Random bytes of which most differ and no bit is always the same. */
static int looks_random(const unsigned char *bytes, int n) {
    int ones = 0, same = 0;
    for (int i = 0; i < n; i++) {
        for (int bit = 0; bit < 8; bit++) ones += bytes[i] >> bit & 1;
        same += i > 0 && bytes[i] == bytes[i - 1];
    }
    return ones > 3 * n && ones < 5 * n && same < n / 8;
}

static int differ(int n) {
    int different = 0;
    for (int i = 0; i < n; i++) different += first[i] != second[i];
    return different > n * 7 / 8;
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv;
    prepare();
    show("getrandom", sys(getrandom, first, sizeof first, 0));
    show("getrandom GRND_NONBLOCK", sys(getrandom, second, sizeof second, GRND_NONBLOCK));
    show_yes("random", looks_random(first, sizeof first) && looks_random(second, sizeof second));
    show_yes("different", differ(sizeof first));
    show("getrandom GRND_RANDOM", sys(getrandom, first, 16, GRND_RANDOM));
    show("getrandom GRND_INSECURE", sys(getrandom, first, 16, GRND_INSECURE));
    show("getrandom nothing", sys(getrandom, first, 0, 0));
    show("getrandom both kinds", sys(getrandom, first, 16, GRND_RANDOM | GRND_INSECURE));
    show("getrandom bad flags", sys(getrandom, first, 16, 0x80));
    show("getrandom wild", sys(getrandom, WILD, 16, 0));
    show("getrandom outside", sys(getrandom, OUTSIDE, 16, 0));
    show("getrandom nothing, wild", sys(getrandom, WILD, 0, 0));
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "/dev/random" : "/dev/urandom";
        long fd = sys(openat, AT_FDCWD, name, O_RDONLY);
        show_ok(name, fd);
        show("read", sys(read, fd, first, sizeof first));
        show("read", sys(read, fd, second, sizeof second));
        show_yes("random", looks_random(first, sizeof first) && differ(sizeof first));
        show("read wild", sys(read, fd, WILD, 16));
        show("lseek", sys(lseek, fd, 10, 0));
        show("pread64", sys(pread64, fd, first, 16, 5));
        int bits = -1;
        show("RNDGETENTCNT", sys(ioctl, fd, RNDGETENTCNT, &bits));
        show_yes("entropy", bits >= 0 && bits <= 4096);
        show("ioctl unknown", sys(ioctl, fd, 0x5299, &bits));
        sys(close, fd);
    }
    /* Two children draw different numbers. */
    int pipe[2];
    sys(pipe2, pipe, 0);
    for (int i = 0; i < 2; i++) {
        long child = fork_child();
        if (child == 0) {
            sys(getrandom, first, 512, 0);
            sys(write, pipe[1], first, 512);
            quit(0);
        }
        reap(child);
    }
    sys(read, pipe[0], first, 512);
    sys(read, pipe[0], second, 512);
    show_yes("children differ", differ(512));
    /* The sixteen bytes that the auxiliary vector points to. */
    while (*envp) envp++;
    unsigned long *auxv = (unsigned long *)(envp + 1);
    while (auxv[0] && auxv[0] != 25) auxv += 2;
    memcpy(first, (void *)auxv[1], 16);
    int zeros = 0;
    for (int i = 0; i < 16; i++) zeros += first[i] == 0;
    show_yes("AT_RANDOM", auxv[0] == 25 && zeros < 8);
    return 0;
}
