/* build: -O1 -static -nostdlib -fno-builtin */
/* Pipes, waiting for descriptors, event descriptors. */
#include "guest.h"
#include <asm/poll.h>
#include <asm/signal.h>
#include <linux/eventpoll.h>
#include <linux/inotify.h>
#include <linux/signalfd.h>

typedef struct { int64_t sec, nsec; } span;
static char buf[70000];

static void pipes(int fds[2]) {
    show("pipe2", sys(pipe2, fds, O_NONBLOCK));
    show("pipe2 wild", sys(pipe2, WILD, 0));
    show("pipe2 bad flags", sys(pipe2, fds + 0, 1));
    show("read empty", sys(read, fds[0], buf, 1));
    show("F_SETPIPE_SZ", sys(fcntl, fds[1], 1031, 4096));
    show("write full", sys(write, fds[1], buf, sizeof buf));
    show("write more", sys(write, fds[1], buf, 1));
    show("read all", sys(read, fds[0], buf, sizeof buf));
    show("lseek", sys(lseek, fds[0], 0, 0));
    int closed[2];
    sys(pipe2, closed, 0);
    sys(close, closed[1]);
    show("read closed", sys(read, closed[0], buf, 1));
    long child = fork_child();
    if (child == 0) {
        sys(close, closed[0]);
        sys(pipe2, closed, 0);
        sys(close, closed[0]);
        sys(write, closed[1], "x", 1);
        quit(0);
    }
    show_status("writer to a closed pipe", reap(child));
}

static void polling(int fds[2]) {
    struct pollfd set[3] = {{fds[0], POLLIN, 9}, {fds[1], POLLOUT, 9}, {9999, POLLIN, 9}};
    span zero = {0, 0}, little = {0, 1000000};
    show("ppoll", sys(ppoll, set, 3, &zero, 0, 8));
    show("  in", set[0].revents), show("  out", set[1].revents), show("  bad", set[2].revents);
    sys(write, fds[1], "x", 1);
    show("ppoll readable", sys(ppoll, set, 1, 0, 0, 8));
    show("  in", set[0].revents);
    show("ppoll timeout", sys(ppoll, 0, 0, &little, 0, 8));
    show("ppoll wild", sys(ppoll, WILD, 1, &zero, 0, 8));
    show("ppoll too many", sys(ppoll, set, 1u << 30, &zero, 0, 8));
    show("ppoll bad time", sys(ppoll, set, 1, (&(span){0, -1}), 0, 8));
    show("ppoll bad mask size", sys(ppoll, set, 1, &zero, buf, 4));
    uint64_t readable = 1ul << fds[0], writable = 1ul << fds[1];
    show("pselect6", sys(pselect6, fds[1] + 1, &readable, &writable, 0, &zero, 0));
    show_yes("  in", readable == 1ul << fds[0]);
    show_yes("  not out: the byte takes the only page", writable == 0);
    show("pselect6 negative", sys(pselect6, -1, 0, 0, 0, &zero, 0));
    show("pselect6 wild", sys(pselect6, 10, WILD, 0, 0, &zero, 0));
    uint64_t bad = 1ul << 63;
    show("pselect6 bad descriptor", sys(pselect6, 64, &bad, 0, 0, &zero, 0));
    sys(read, fds[0], buf, 1);
}

static void epoll(int fds[2]) {
    long ep = sys(epoll_create1, EPOLL_CLOEXEC);
    show_ok("epoll_create1", ep);
    show("epoll_create1 bad", sys(epoll_create1, 1));
    struct epoll_event event = {.events = EPOLLIN, .data = 0x1122334455667788}, events[300];
    show("add", sys(epoll_ctl, ep, EPOLL_CTL_ADD, fds[0], &event));
    show("add again", sys(epoll_ctl, ep, EPOLL_CTL_ADD, fds[0], &event));
    show("add bad", sys(epoll_ctl, ep, EPOLL_CTL_ADD, 9999, &event));
    show("add itself", sys(epoll_ctl, ep, EPOLL_CTL_ADD, ep, &event));
    show("add wild", sys(epoll_ctl, ep, EPOLL_CTL_ADD, fds[1], WILD));
    show("bad operation", sys(epoll_ctl, ep, 77, fds[1], &event));
    show("wait none", sys(epoll_pwait, ep, events, 10, 0, 0, 8));
    sys(write, fds[1], "x", 1);
    event.data = 0xaabbccdd00112233, event.events = EPOLLOUT;
    show("add second", sys(epoll_ctl, ep, EPOLL_CTL_ADD, fds[1], &event));
    memset(events, 0, sizeof events);
    show("wait both", sys(epoll_pwait, ep, events, 300, -1, 0, 8));
    uint64_t both = 0;
    for (int i = 0; i < 2; i++) {
        if (events[i].events == EPOLLIN && events[i].data == 0x1122334455667788) both |= 1;
        if (events[i].events == EPOLLOUT && events[i].data == 0xaabbccdd00112233) both |= 2;
    }
    show("  found", both);
    show_yes("  nothing behind", events[2].events == 0 && events[2].data == 0);
    show("wait one", sys(epoll_pwait, ep, events, 1, 0, 0, 8));
    show("wait with time", sys(epoll_pwait2, ep, events, 10, (&(span){0, 1000000}), 0, 8));
    show("wait zero events", sys(epoll_pwait, ep, events, 0, 0, 0, 8));
    show("wait negative events", sys(epoll_pwait, ep, events, -1, 0, 0, 8));
    show("wait too many events", sys(epoll_pwait, ep, events, 0x7fffffff, 0, 0, 8));
    show("wait wild", sys(epoll_pwait, ep, WILD, 10, 0, 0, 8));
    show("wait outside", sys(epoll_pwait, 9999, OUTSIDE, 10, 0, 0, 8));
    show("wait bad time first", sys(epoll_pwait2, ep, events, 0, WILD, 0, 8));
    show("wait bad mask first", sys(epoll_pwait, ep, events, 0, 0, WILD, 8));
    show("wait on a pipe", sys(epoll_pwait, fds[0], events, 10, 0, 0, 8));
    show("modify", sys(epoll_ctl, ep, EPOLL_CTL_MOD, fds[1], (&(struct epoll_event){.events = 0})));
    show("wait", sys(epoll_pwait, ep, events, 10, 0, 0, 8));
    show("delete, wild event", sys(epoll_ctl, ep, EPOLL_CTL_DEL, fds[0], WILD));
    show("delete again", sys(epoll_ctl, ep, EPOLL_CTL_DEL, fds[0], 0));
    /* More ready descriptors than any one answer has to hold. */
    long many[200];
    for (int i = 0; i < 200; i++) {
        many[i] = sys(eventfd2, 1, 0);
        event.events = EPOLLIN, event.data = 1000 + i;
        sys(epoll_ctl, ep, EPOLL_CTL_ADD, many[i], &event);
    }
    uint64_t sum = 0;
    int seen = 0;
    for (int round = 0; round < 10 && seen < 200; round++) {
        long got = sys(epoll_pwait, ep, events, 300, 0, 0, 8);
        for (int i = 0; i < got; i++) {
            if (events[i].data < 1000) continue;
            event.events = 0, event.data = 0;
            sys(epoll_ctl, ep, EPOLL_CTL_MOD, many[events[i].data - 1000], &event);
            sum += events[i].data - 1000, seen++;
        }
    }
    show("many seen", seen), show("sum", (long)sum);
}

static void event_descriptors(void) {
    uint64_t value = 5;
    long fd = sys(eventfd2, 3, O_NONBLOCK);
    show("write", sys(write, fd, &value, 8));
    show("read", sys(read, fd, &value, 8));
    show("value", (long)value);
    show("read again", sys(read, fd, &value, 8));
    show("read short", sys(read, fd, &value, 4));
    show("eventfd2 bad", sys(eventfd2, 0, 0x77));
    uint64_t mask = 1ul << (SIGUSR1 - 1);
    sys(rt_sigprocmask, SIG_BLOCK, &mask, 0, 8);
    long signals = sys(signalfd4, -1, &mask, 8, O_NONBLOCK);
    show_ok("signalfd4", signals);
    struct signalfd_siginfo info;
    show("read none", sys(read, signals, &info, sizeof info));
    sys(kill, sys(getpid), SIGUSR1);
    show("read", sys(read, signals, &info, sizeof info));
    show("  signal", info.ssi_signo);
    show_yes("  sender", info.ssi_pid == sys(getpid));
    show("signalfd4 bad size", sys(signalfd4, -1, &mask, 4, 0));
    show("signalfd4 wild", sys(signalfd4, -1, WILD, 8, 0));
    long notify = sys(inotify_init1, O_NONBLOCK);
    show_ok("inotify_init1", notify);
    show("inotify_add_watch", sys(inotify_add_watch, notify, ".", IN_CREATE));
    show("inotify_add_watch missing", sys(inotify_add_watch, notify, "missing", IN_CREATE));
    sys(close, sys(openat, AT_FDCWD, "created", O_CREAT | O_WRONLY, 0600));
    show("read", sys(read, notify, buf, sizeof buf));
    struct inotify_event *event = (struct inotify_event *)buf;
    show("  mask", event->mask), show_text("  name", event->name);
    show("inotify_rm_watch", sys(inotify_rm_watch, notify, 1));
    show("inotify_rm_watch again", sys(inotify_rm_watch, notify, 1));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    int fds[2];
    pipes(fds);
    polling(fds);
    epoll(fds);
    event_descriptors();
    return 0;
}
