/* build: -O1 -static -nostdlib -fno-builtin */
/* Clocks, sleeping, timers that need no signal handler. */
#include "guest.h"
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/timerfd.h>
#include <linux/times.h>

typedef struct { int64_t sec, nsec; } span;
typedef struct { span interval, value; } timer_spec;

static int64_t now(int clock) {
    span at = {0};
    sys(clock_gettime, clock, &at);
    return at.sec * 1000000000 + at.nsec;
}

static void clocks(void) {
    span at;
    for (int clock = 0; clock <= 7; clock++) {
        number(clock);
        show(": clock_gettime", sys(clock_gettime, clock, &at));
    }
    show("clock_gettime bad", sys(clock_gettime, 99, &at));
    show("clock_gettime wild", sys(clock_gettime, CLOCK_MONOTONIC, WILD));
    show("clock_getres", sys(clock_getres, CLOCK_MONOTONIC, &at));
    show_yes("fine", at.sec == 0 && at.nsec >= 1);
    show("clock_getres null", sys(clock_getres, CLOCK_MONOTONIC, 0));
    int64_t first = now(CLOCK_MONOTONIC), second = now(CLOCK_MONOTONIC);
    show_yes("monotonic", second >= first);
    struct { long sec, usec; } day;
    show("gettimeofday", sys(gettimeofday, &day, 0));
    show_yes("same time", day.sec - now(CLOCK_REALTIME) / 1000000000 <= 1);
    show("gettimeofday wild", sys(gettimeofday, WILD, 0));
    struct tms tms;
    show_yes("times", sys(times, &tms) > 0 && tms.tms_utime >= 0 && tms.tms_cutime >= 0);
    show("times wild", sys(times, WILD));
}

static void sleeping(void) {
    int64_t start = now(CLOCK_MONOTONIC);
    show("nanosleep", sys(nanosleep, (&(span){0, 20000000}), 0));
    show_yes("slept 20 ms", now(CLOCK_MONOTONIC) - start >= 20000000);
    show("nanosleep bad", sys(nanosleep, (&(span){0, 2000000000}), 0));
    show("nanosleep negative", sys(nanosleep, (&(span){-1, 0}), 0));
    show("nanosleep wild", sys(nanosleep, WILD, 0));
    start = now(CLOCK_MONOTONIC);
    span until = {start / 1000000000, start % 1000000000 + 10000000};
    if (until.nsec >= 1000000000) until.sec++, until.nsec -= 1000000000;
    show("clock_nanosleep until", sys(clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0));
    show_yes("slept 10 ms", now(CLOCK_MONOTONIC) - start >= 10000000);
    show("clock_nanosleep own cpu time", sys(clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &until, 0));
    show("clock_nanosleep bad clock", sys(clock_nanosleep, 99, 0, &until, 0));
}

static void descriptors(void) {
    uint64_t count = 0;
    long fd = sys(timerfd_create, CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    show_ok("timerfd_create", fd);
    show("read early", sys(read, fd, &count, 8));
    show("timerfd_settime", sys(timerfd_settime, fd, 0, (&(timer_spec){{0, 5000000}, {0, 5000000}}), 0));
    sys(nanosleep, (&(span){0, 22000000}), 0);
    show("read", sys(read, fd, &count, 8));
    show_yes("expired some times", count >= 4 && count < 1000);
    timer_spec spec;
    show("timerfd_gettime", sys(timerfd_gettime, fd, &spec));
    show("interval", spec.interval.nsec);
    show("timerfd_settime bad", sys(timerfd_settime, fd, 0, (&(timer_spec){{0, 0}, {0, -5}}), 0));
    show("timerfd_settime flags", sys(timerfd_settime, fd, 99, &spec, 0));
    show("timerfd_settime wild", sys(timerfd_settime, fd, 0, WILD, 0));
    show("timerfd_settime not a timer", sys(timerfd_settime, 1, 0, &spec, 0));
    show("timerfd_create bad clock", sys(timerfd_create, 99, 0));
    show("timerfd_create bad flags", sys(timerfd_create, CLOCK_MONOTONIC, 1));
}

static void timers(void) {
    timer_spec spec;
    int id = -1;
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    show("timer_create", sys(timer_create, CLOCK_MONOTONIC, &event, &id));
    show_yes("identity", id >= 0);
    show("timer_settime", sys(timer_settime, id, 0, (&(timer_spec){{0, 0}, {100, 0}}), 0));
    show("timer_gettime", sys(timer_gettime, id, &spec));
    show_yes("remaining", spec.value.sec == 99 || spec.value.sec == 100);
    show("timer_getoverrun", sys(timer_getoverrun, id));
    show("timer_delete", sys(timer_delete, id));
    show("timer_delete again", sys(timer_delete, id));
    show("timer_create wild", sys(timer_create, CLOCK_MONOTONIC, WILD, &id));
    event.sigev_notify = 77;
    show("timer_create bad", sys(timer_create, CLOCK_MONOTONIC, &event, &id));
    struct { long isec, iusec, sec, usec; } interval = {0, 0, 50, 0}, old = {9, 9, 9, 9};
    show("setitimer", sys(setitimer, 0, &interval, &old));
    show("old", old.sec);
    show("getitimer", sys(getitimer, 0, &old));
    show_yes("remaining", old.sec == 49 || old.sec == 50);
    interval.sec = 0;
    show("setitimer off", sys(setitimer, 0, &interval, &old));
    show("setitimer bad", sys(setitimer, 9, &interval, &old));
    interval.usec = -1;
    show("setitimer negative", sys(setitimer, 0, &interval, &old));
    show("getitimer wild", sys(getitimer, 0, WILD));
    /* The signal of a timer, taken without a handler. */
    uint64_t alarm = 1ul << (SIGALRM - 1);
    sys(rt_sigprocmask, SIG_BLOCK, &alarm, 0, 8);
    event = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM, .sigev_value.sival_int = 77};
    show("timer_create", sys(timer_create, CLOCK_MONOTONIC, &event, &id));
    show("timer_settime", sys(timer_settime, id, 0, (&(timer_spec){{0, 0}, {0, 3000000}}), 0));
    siginfo_t info;
    show("rt_sigtimedwait", sys(rt_sigtimedwait, &alarm, &info, 0, 8));
    show("si_code", info.si_code), show("si_value", info.si_value.sival_int);
    interval.sec = 0, interval.usec = 2000;
    show("setitimer", sys(setitimer, 0, &interval, 0));
    show("rt_sigtimedwait", sys(rt_sigtimedwait, &alarm, &info, (&(span){5, 0}), 8));
    show("si_code", info.si_code);
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    clocks();
    sleeping();
    descriptors();
    timers();
    return 0;
}
