/* build: -O1 -static -nostdlib -fno-builtin */
/* Requests that the kernel does while the program goes on: aio and io_uring. */
#include "features.h"
#include "handlers.h"
#include <asm/mman.h>
#include <asm/poll.h>
#include <linux/aio_abi.h>
#include <linux/eventpoll.h>
#include <linux/io_uring.h>
#include <linux/mman.h>
#include <linux/stat.h>
#include <linux/time_types.h>
#include <linux/uio.h>

enum { PAGE = 4096, ANY = 0 };
#define ETIME 62
#define ECANCELED 125
#define EINPROGRESS 115

static const span no_time = {0, 0}, a_second = {1, 0};
static char buf[PAGE], fixed[PAGE] __attribute__((aligned(PAGE)));
static int pipe[2];
static volatile int signals;

static void count(int signal, siginfo_t *info, struct ucontext *context) {
    (void)signal, (void)info, (void)context;
    signals++;
}

/* What was read is text from here on. */
static long text(long size) {
    buf[size > 0 ? size : 0] = 0;
    return size;
}

/* aio. */
static aio_context_t aio;
static struct io_event events[8];

static struct iocb block_of(int operation, int fd, void *at, unsigned long size, long offset) {
    return (struct iocb){.aio_lio_opcode = (uint16_t)operation, .aio_fildes = (unsigned)fd, .aio_buf = (uint64_t)at,
                         .aio_nbytes = size, .aio_offset = offset, .aio_data = 77};
}

static long submit(struct iocb *block) { return sys(io_submit, aio, 1, &block); }

/* The result of a block that is submitted alone. */
static long finish(struct iocb block) {
    long submitted = submit(&block);
    if (submitted != 1) return submitted;
    if (sys(io_getevents, aio, 1, 8, events, &a_second) != 1) return -ETIME;
    return events[0].obj == (uint64_t)&block && events[0].data == 77 ? events[0].res : -EINVAL;
}

static void files_by_aio(int fd) {
    struct iovec parts[2] = {{"vector ", 7}, {"parts", 5}}, to = {buf, 12};
    expect("pwrite", 8, finish(block_of(IOCB_CMD_PWRITE, fd, "contents", 8, 4)));
    expect("pread", 6, text(finish(block_of(IOCB_CMD_PREAD, fd, buf, 6, 6))));
    expect_yes("  contents", equal(buf, "ntents"));
    expect("pwritev", 12, finish(block_of(IOCB_CMD_PWRITEV, fd, parts, 2, 100)));
    expect("preadv", 12, text(finish(block_of(IOCB_CMD_PREADV, fd, &to, 1, 100))));
    expect_yes("  contents", equal(buf, "vector parts"));
    expect("pread behind the end", 0, finish(block_of(IOCB_CMD_PREAD, fd, buf, 6, 1000)));
    expect("fsync", 0, finish(block_of(IOCB_CMD_FSYNC, fd, 0, 0, 0)));
    expect("pread wild", -EFAULT, finish(block_of(IOCB_CMD_PREAD, fd, WILD, 6, 0)));
    expect("pread negative", -EINVAL, finish(block_of(IOCB_CMD_PREAD, fd, buf, 6, -1)));
    expect("bad operation", -EINVAL, finish(block_of(99, fd, buf, 6, 0)));
    expect("bad descriptor", -EBADF, finish(block_of(IOCB_CMD_PREAD, -1, buf, 6, 0)));
    struct iocb reserved = block_of(IOCB_CMD_PREAD, fd, buf, 6, 0);
    reserved.aio_reserved2 = 1;
    expect("reserved", -EINVAL, finish(reserved));
    struct iocb first = block_of(IOCB_CMD_PREAD, fd, buf, 2, 0), second = block_of(99, fd, buf, 1, 0);
    struct iocb *both[3] = {&first, &first, &second};
    expect("io_submit good and bad", 2, sys(io_submit, aio, 3, both));
    expect("io_getevents one", 1, sys(io_getevents, aio, 1, 1, events, 0));
    expect("io_getevents rest", 1, sys(io_getevents, aio, 0, 8, events, 0));
    expect("io_getevents none", 0, sys(io_getevents, aio, 1, 8, events, &no_time));
    long event = sys(eventfd2, 0, 0);
    struct iocb told = block_of(IOCB_CMD_PREAD, fd, buf, 2, 0);
    told.aio_flags = IOCB_FLAG_RESFD, told.aio_resfd = (unsigned)event;
    uint64_t times = 0;
    expect("pread with an eventfd", 2, finish(told));
    expect("  told", 8, there ? sys(read, event, &times, 8) : 8);
    expect("  times", 1, times);
    sys(close, event);
}

static void waiting_by_aio(void) {
    struct iocb poll = block_of(IOCB_CMD_POLL, pipe[0], (void *)POLLIN, 0, 0);
    expect("poll", 1, submit(&poll));
    expect("io_getevents without time", 0, sys(io_getevents, aio, 1, 8, events, &no_time));
    expect("io_getevents short", 0, sys(io_getevents, aio, 1, 8, events, (&(span){0, 1000000})));
    sys(write, pipe[1], "x", 1);
    expect("io_getevents", 1, sys(io_getevents, aio, 1, 8, events, &a_second));
    expect_yes("  to be read", (events[0].res & POLLIN) != 0);
    sys(read, pipe[0], buf, 1);
    expect("poll", 1, submit(&poll));
    expect("io_cancel", -EINPROGRESS, sys(io_cancel, aio, &poll, events));
    expect("io_getevents", 1, sys(io_getevents, aio, 1, 8, events, &a_second));
    expect("io_cancel of nothing", -EINVAL, sys(io_cancel, aio, &poll, events));
    expect("io_cancel wild", -EFAULT, sys(io_cancel, aio, WILD, events));

    /* A signal that only the wait lets through. */
    uint64_t none = 0;
    struct { const uint64_t *mask; unsigned long size; } wait = {&none, 8}, wrong = {&none, 7};
    on(SIGUSR1, count, 0, 0);
    block(bit(SIGUSR1));
    expect("io_pgetevents without time", 0, sys(io_pgetevents, aio, 1, 8, events, &no_time, &wait));
    signals = 0, send(SIGUSR1);
    expect("io_pgetevents", -EINTR, sys(io_pgetevents, aio, 1, 8, events, &a_second, &wait));
    expect("  signals", 1, signals);
    expect_yes("  blocked again", blocked() == bit(SIGUSR1));
    sys(write, pipe[1], "x", 1);
    expect("poll", 1, submit(&poll));
    signals = 0, send(SIGUSR1);
    expect("io_pgetevents no mask", 1, sys(io_pgetevents, aio, 1, 8, events, &a_second, 0));
    expect("  signals", 0, signals);
    expect("poll", 1, submit(&poll));
    expect("io_pgetevents", 1, sys(io_pgetevents, aio, 1, 8, events, &a_second, &wait));
    expect("  signals", 1, signals);
    expect("io_pgetevents bad mask", -EINVAL, sys(io_pgetevents, aio, 0, 8, events, 0, &wrong));
    expect("io_pgetevents wild", -EFAULT, sys(io_pgetevents, aio, 0, 8, events, 0, WILD));
    block(0);
    sys(read, pipe[0], buf, 1);
}

static void by_aio(int fd) {
    feature(sys(io_setup, 8, &aio));
    expect_yes("io_setup", aio != 0);
    expect("io_setup again", -EINVAL, sys(io_setup, 8, &aio));
    expect("io_setup none", -EINVAL, sys(io_setup, 0, (&(aio_context_t){0})));
    expect("io_setup wild", -EFAULT, sys(io_setup, 8, WILD));
    files_by_aio(fd);
    waiting_by_aio();
    expect("io_submit nothing", 0, sys(io_submit, aio, 0, 0));
    expect("io_submit negative", -EINVAL, sys(io_submit, aio, -1, 0));
    expect("io_submit wild", -EFAULT, sys(io_submit, aio, 1, WILD));
    expect("io_submit wild block", -EFAULT, submit(WILD));
    expect("io_submit bad context", -EINVAL, sys(io_submit, WILD, 0, 0));
    expect("io_getevents negative", -EINVAL, sys(io_getevents, aio, -1, 8, events, 0));
    expect("io_getevents more than there is room", -EINVAL, sys(io_getevents, aio, 9, 8, events, 0));
    expect("io_getevents wild time", -EFAULT, sys(io_getevents, aio, 0, 8, events, WILD));
    long child = fork_child();
    if (child == 0) quit((int)-(there ? sys(io_getevents, aio, 0, 8, events, &no_time) : -EINVAL));
    show_yes("none in a child", reap(child) == EINVAL << 8);
    expect("io_destroy", 0, sys(io_destroy, aio));
    expect("io_destroy again", -EINVAL, sys(io_destroy, aio));
    expect("io_getevents of what is gone", -EINVAL, sys(io_getevents, aio, 0, 8, events, 0));
}

/* io_uring. */
typedef struct {
    int fd;
    unsigned *tail, mask, *array;
    struct io_uring_sqe *requests;
    unsigned *done_head, *done_tail, done_mask;
    struct io_uring_cqe *done;
} ring;

static char *map(int fd, unsigned long size, unsigned long offset) {
    return (char *)sys(mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
}

static long set_up(ring *to, unsigned flags) {
    struct io_uring_params p = {.flags = flags, .sq_thread_idle = 10};
    to->fd = (int)sys(io_uring_setup, 8, &p);
    if (to->fd < 0) return to->fd;
    char *submitted = map(to->fd, p.sq_off.array + p.sq_entries * 4, IORING_OFF_SQ_RING);
    char *done = map(to->fd, p.cq_off.cqes + p.cq_entries * sizeof *to->done, IORING_OFF_CQ_RING);
    to->tail = (unsigned *)(submitted + p.sq_off.tail), to->array = (unsigned *)(submitted + p.sq_off.array);
    to->mask = *(unsigned *)(submitted + p.sq_off.ring_mask);
    to->done_head = (unsigned *)(done + p.cq_off.head), to->done_tail = (unsigned *)(done + p.cq_off.tail);
    to->done_mask = *(unsigned *)(done + p.cq_off.ring_mask);
    to->done = (struct io_uring_cqe *)(done + p.cq_off.cqes);
    to->requests = (struct io_uring_sqe *)map(to->fd, p.sq_entries * sizeof *to->requests, IORING_OFF_SQES);
    return p.sq_entries;
}

static void push(ring *to, struct io_uring_sqe request) {
    if (!there) return;
    unsigned tail = *to->tail, index = tail & to->mask;
    to->requests[index] = request;
    to->array[index] = index;
    __atomic_store_n(to->tail, tail + 1, __ATOMIC_RELEASE);
}

static long enter(ring *on, unsigned submitted, unsigned wanted) {
    return sys(io_uring_enter, on->fd, submitted, wanted, wanted ? IORING_ENTER_GETEVENTS : 0, 0, 0);
}

/* What has come of the oldest request that is done, if that is the one with `data`, or any. */
static long outcome(ring *of, uint64_t data) {
    unsigned head = *of->done_head;
    if (head == __atomic_load_n(of->done_tail, __ATOMIC_ACQUIRE)) return -EAGAIN;
    struct io_uring_cqe done = of->done[head & of->done_mask];
    __atomic_store_n(of->done_head, head + 1, __ATOMIC_RELEASE);
    return data == ANY || data == done.user_data ? done.res : -ENOMSG;
}

static struct io_uring_sqe request(int operation, int fd, const void *at, unsigned size, uint64_t offset) {
    return (struct io_uring_sqe){.opcode = (uint8_t)operation, .fd = fd, .addr = (uint64_t)at, .len = size, .off = offset,
                                 .user_data = 99};
}

/* The result of a request that is made alone. */
static long perform(ring *on, struct io_uring_sqe request) {
    push(on, request);
    long submitted = enter(on, 1, 1);
    return submitted == 1 ? outcome(on, request.user_data) : submitted;
}

static void files_by_ring(ring *r, int fd) {
    struct iovec parts[2] = {{"vector ", 7}, {"parts", 5}}, to = {buf, 12};
    struct statx about;
    expect("nop", 0, perform(r, request(IORING_OP_NOP, -1, 0, 0, 0)));
    expect("write", 7, perform(r, request(IORING_OP_WRITE, fd, "by ring", 7, 200)));
    expect("read", 7, text(perform(r, request(IORING_OP_READ, fd, buf, 100, 200))));
    expect_yes("  contents", equal(buf, "by ring"));
    expect("writev", 12, perform(r, request(IORING_OP_WRITEV, fd, parts, 2, 300)));
    expect("readv", 12, text(perform(r, request(IORING_OP_READV, fd, &to, 1, 300))));
    expect_yes("  contents", equal(buf, "vector parts"));
    expect("fsync", 0, perform(r, request(IORING_OP_FSYNC, fd, 0, 0, 0)));
    expect("statx", 0, perform(r, request(IORING_OP_STATX, AT_FDCWD, "file", STATX_SIZE, (uint64_t)&about)));
    expect("  size", 312, about.stx_size);
    struct io_uring_sqe opening = request(IORING_OP_OPENAT, AT_FDCWD, "file", 0600, 0);
    opening.open_flags = O_RDONLY;
    long opened = there ? perform(r, opening) : -ENOSYS;
    expect_yes("openat", opened > fd);
    expect("close", 0, perform(r, request(IORING_OP_CLOSE, (int)opened, 0, 0, 0)));
    expect("close again", -EBADF, perform(r, request(IORING_OP_CLOSE, (int)opened, 0, 0, 0)));
    expect("openat of what is not there", -ENOENT, perform(r, request(IORING_OP_OPENAT, AT_FDCWD, "none", 0, 0)));
    expect("read wild", -EFAULT, perform(r, request(IORING_OP_READ, fd, WILD, 7, 0)));
    expect("read bad descriptor", -EBADF, perform(r, request(IORING_OP_READ, -1, buf, 7, 0)));
    expect("bad operation", -EINVAL, perform(r, request(250, fd, 0, 0, 0)));
}

static void several(ring *r, int fd) {
    struct io_uring_sqe first = request(IORING_OP_WRITE, fd, "linked", 6, 400);
    struct io_uring_sqe second = request(IORING_OP_READ, fd, buf, 6, 400);
    first.flags = IOSQE_IO_LINK, first.user_data = 1, second.user_data = 2;
    push(r, first), push(r, second);
    expect("two, linked", 2, enter(r, 2, 2));
    expect("  write", 6, outcome(r, 1));
    expect("  read", 6, text(outcome(r, 2)));
    expect_yes("  contents", equal(buf, "linked"));
    first.addr = (uint64_t)WILD;
    push(r, first), push(r, second);
    expect("two, of which the first fails", 2, enter(r, 2, 2));
    expect("  write", -EFAULT, outcome(r, 1));
    expect("  read", -ECANCELED, outcome(r, 2));
    for (int i = 0; i < 8; i++) push(r, request(IORING_OP_NOP, -1, 0, 0, 0));
    expect("a full ring", 8, enter(r, 8, 8));
    for (int i = 0; i < 8; i++) if (there && outcome(r, 99) != 0) show("nop", i);
    expect("nothing more", -EAGAIN, outcome(r, 99));
    expect("submit what is not there", 0, enter(r, 3, 0));
}

static void waiting_by_ring(ring *r) {
    struct io_uring_sqe poll = request(IORING_OP_POLL_ADD, pipe[0], 0, 0, 0);
    poll.poll32_events = POLLIN, poll.user_data = 5;
    push(r, poll);
    expect("poll", 1, enter(r, 1, 0));
    expect("  not yet", -EAGAIN, outcome(r, 5));
    sys(write, pipe[1], "x", 1);
    expect("wait", 0, enter(r, 0, 1));
    expect("  to be read", POLLIN, outcome(r, 5));
    sys(read, pipe[0], buf, 1);
    push(r, poll);
    expect("poll", 1, enter(r, 1, 0));
    push(r, (struct io_uring_sqe){.opcode = IORING_OP_POLL_REMOVE, .fd = -1, .addr = 5, .user_data = 6});
    expect("poll remove", 1, enter(r, 1, 2));
    /* In either order. */
    expect("  both", 0 - ECANCELED, outcome(r, ANY) + outcome(r, ANY));
    push(r, request(IORING_OP_READ, pipe[0], buf, 10, -1ul));
    expect("read from a pipe", 1, enter(r, 1, 0));
    sys(write, pipe[1], "later", 5);
    expect("wait", 0, enter(r, 0, 1));
    expect("  read", 5, text(outcome(r, 99)));
    expect_yes("  contents", equal(buf, "later"));

    struct __kernel_timespec soon = {0, 1000000};
    expect("timeout", -ETIME, perform(r, request(IORING_OP_TIMEOUT, -1, &soon, 1, 0)));
    struct io_uring_getevents_arg limit = {.ts = (uint64_t)&soon};
    unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
    expect("wait for a time", -ETIME, sys(io_uring_enter, r->fd, 0, 1, flags, &limit, sizeof limit));
    expect("wait for a time, bad size", -EINVAL, sys(io_uring_enter, r->fd, 0, 1, flags, &limit, 8));

    uint64_t none = 0;
    block(bit(SIGUSR1));
    signals = 0, send(SIGUSR1);
    expect("wait with signals", -EINTR, sys(io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS, &none, 8));
    expect("  signals", 1, signals);
    expect_yes("  blocked again", blocked() == bit(SIGUSR1));
    signals = 0, send(SIGUSR1);
    limit.sigmask = (uint64_t)&none, limit.sigmask_sz = 8;
    expect("wait for a time with signals", -EINTR, sys(io_uring_enter, r->fd, 0, 1, flags, &limit, sizeof limit));
    expect("  signals", 1, signals);
    expect_yes("  blocked again", blocked() == bit(SIGUSR1));
    block(0);
}

static void events_by_ring(ring *r) {
    long epoll = sys(epoll_create1, 0);
    struct epoll_event event = {EPOLLIN, 0x1234567890abcdef}, seen = {0, 0};
    expect("epoll_ctl", 0, perform(r, request(IORING_OP_EPOLL_CTL, (int)epoll, &event, EPOLL_CTL_ADD, (uint64_t)pipe[0])));
    expect("epoll_ctl again", -EEXIST,
           perform(r, request(IORING_OP_EPOLL_CTL, (int)epoll, &event, EPOLL_CTL_ADD, (uint64_t)pipe[0])));
    sys(write, pipe[1], "x", 1);
    expect("epoll_pwait", 1, sys(epoll_pwait, epoll, &seen, 1, 1000, 0, 8));
    expect_yes("  event", seen.events == EPOLLIN && seen.data == event.data);
    expect("epoll_ctl delete", 0, perform(r, request(IORING_OP_EPOLL_CTL, (int)epoll, 0, EPOLL_CTL_DEL, (uint64_t)pipe[0])));
    sys(read, pipe[0], buf, 1);
    sys(close, epoll);
}

static void registering(ring *r, int fd) {
    struct iovec buffer = {fixed, sizeof fixed};
    memcpy(fixed, "registered", 10);
    expect("register buffers", 0, sys(io_uring_register, r->fd, IORING_REGISTER_BUFFERS, &buffer, 1));
    expect("register buffers again", -EBUSY, sys(io_uring_register, r->fd, IORING_REGISTER_BUFFERS, &buffer, 1));
    expect("write from it", 10, perform(r, request(IORING_OP_WRITE_FIXED, fd, fixed, 10, 500)));
    expect("read into it", 10, perform(r, request(IORING_OP_READ_FIXED, fd, fixed + 100, 10, 500)));
    expect_yes("  contents", fixed[100] == 'r' && fixed[109] == 'd');
    expect("read beside it", -EFAULT, perform(r, request(IORING_OP_READ_FIXED, fd, buf, 10, 500)));
    expect("unregister buffers", 0, sys(io_uring_register, r->fd, IORING_UNREGISTER_BUFFERS, 0, 0));
    expect("unregister buffers again", -ENXIO, sys(io_uring_register, r->fd, IORING_UNREGISTER_BUFFERS, 0, 0));
    int files[2] = {-1, fd};
    expect("register files", 0, sys(io_uring_register, r->fd, IORING_REGISTER_FILES, files, 2));
    struct io_uring_sqe read = request(IORING_OP_READ, 1, buf, 10, 500);
    read.flags = IOSQE_FIXED_FILE;
    expect("read from it", 10, text(perform(r, read)));
    expect_yes("  contents", equal(buf, "registered"));
    read.fd = 0;
    expect("read from none", -EBADF, perform(r, read));
    expect("unregister files", 0, sys(io_uring_register, r->fd, IORING_UNREGISTER_FILES, 0, 0));
    int event = (int)sys(eventfd2, 0, O_NONBLOCK);
    uint64_t times = 0;
    expect("register an eventfd", 0, sys(io_uring_register, r->fd, IORING_REGISTER_EVENTFD, &event, 1));
    expect("nop", 0, perform(r, request(IORING_OP_NOP, -1, 0, 0, 0)));
    expect("  told", 8, sys(read, event, &times, 8));
    expect("unregister an eventfd", 0, sys(io_uring_register, r->fd, IORING_UNREGISTER_EVENTFD, 0, 0));
    sys(close, event);
    static struct { struct io_uring_probe head; struct io_uring_probe_op operations[256]; } known;
    expect("probe", 0, sys(io_uring_register, r->fd, IORING_REGISTER_PROBE, &known, 256));
    expect_yes("  operations", known.head.last_op >= IORING_OP_READ &&
                                   (known.operations[IORING_OP_READ].flags & IO_URING_OP_SUPPORTED));
    expect("register bad operation", -EINVAL, sys(io_uring_register, r->fd, 9999, 0, 0));
    expect("register bad descriptor", -EBADF, sys(io_uring_register, -2, IORING_REGISTER_FILES, files, 2));
    expect("register of no ring", -EOPNOTSUPP, sys(io_uring_register, fd, IORING_REGISTER_FILES, files, 2));
}

/* A thread of the kernel looks for requests. */
static void polled(int fd) {
    ring r;
    long entries = there ? set_up(&r, IORING_SETUP_SQPOLL) : 8;
    if (entries == -EPERM) there = 0;
    expect("set up polled", 8, entries);
    for (int i = 0; i < 2 && there; i++) {
        push(&r, request(IORING_OP_READ, fd, buf, 10, 500));
        sys(io_uring_enter, r.fd, 1, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, 0, 0);
        if (i == 0) sys(nanosleep, (&(span){0, 20000000}), 0);
        if (i == 0) outcome(&r, 99);
    }
    expect("read", 10, text(outcome(&r, 99)));
    expect_yes("  contents", equal(buf, "registered"));
    if (there) sys(close, r.fd);
}

static void by_ring(int fd) {
    ring r;
    struct io_uring_params params = {.flags = 1u << 31}, more = {.flags = IORING_SETUP_CQSIZE, .cq_entries = 100};
    long entries = feature(set_up(&r, 0));
    expect("io_uring_setup", 8, entries);
    expect("io_uring_setup no entries", -EINVAL, sys(io_uring_setup, 0, (&(struct io_uring_params){0})));
    expect("io_uring_setup many", -EINVAL, sys(io_uring_setup, 1 << 20, (&(struct io_uring_params){0})));
    expect("io_uring_setup bad flags", -EINVAL, sys(io_uring_setup, 8, &params));
    expect("io_uring_setup reserved", -EINVAL, sys(io_uring_setup, 8, (&(struct io_uring_params){.resv = {1}})));
    expect("io_uring_setup wild", -EFAULT, sys(io_uring_setup, 8, WILD));
    long another = there ? sys(io_uring_setup, 5, &more) : -ENOSYS;
    expect_yes("io_uring_setup more", another > r.fd);
    expect("  requests", 8, more.sq_entries);
    expect("  answers", 128, more.cq_entries);
    if (there) sys(close, another);
    files_by_ring(&r, fd);
    several(&r, fd);
    waiting_by_ring(&r);
    events_by_ring(&r);
    registering(&r, fd);
    expect("io_uring_enter bad flags", -EINVAL, sys(io_uring_enter, r.fd, 0, 0, 1 << 30, 0, 0));
    expect("io_uring_enter bad descriptor", -EBADF, sys(io_uring_enter, -1, 0, 0, 0, 0, 0));
    expect("io_uring_enter of no ring", -EOPNOTSUPP, sys(io_uring_enter, fd, 0, 0, 0, 0, 0));
    polled(fd);
    if (there) sys(close, r.fd);
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    sys(pipe2, pipe, 0);
    int fd = (int)sys(openat, AT_FDCWD, "file", O_CREAT | O_RDWR | O_TRUNC, 0600);
    by_aio(fd);
    by_ring(fd);
    return 0;
}
