/* build: -O1 -static -nostdlib -fno-builtin */
/* Pages that are locked, hidden, keyed or filled by the program itself, and words that
 * threads wait for with the younger calls. */
#include "features.h"
#include "threads.h"
#include <asm/ioctl.h>
#include <asm/mman.h>
#include <linux/membarrier.h>
#include <linux/mman.h>
#include <linux/userfaultfd.h>

enum { PAGE = 4096 };
typedef struct { int64_t sec, nsec; } span;

static char *map(unsigned long len, int prot) {
    return (char *)sys(mmap, 0, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* What a load or a store there does. */
static void touch(const char *what, volatile char *at, int write) {
    long child = fork_child();
    if (child == 0) {
        if (write) *at = 1;
        quit(write ? 1 : *at);
    }
    show_status(what, reap(child));
}

/* Not more may be locked than the limit allows: this takes a page, or nothing. */
static void locking(void) {
    char *at = map(3 * PAGE, PROT_READ | PROT_WRITE);
    sys(munmap, at + 2 * PAGE, PAGE);
    sys(madvise, at, 2 * PAGE, MADV_NOHUGEPAGE);
    long result = feature(sys(mlock2, at, PAGE, MLOCK_ONFAULT));
    if (result == -ENOMEM) there = 0;
    unsigned char in[2] = {9, 9};
    sys(mincore, at, 2 * PAGE, in);
    expect("mlock2 takes no page", 0, in[0] & 1);
    expect("mlock2", 0, sys(mlock2, at, PAGE, 0));
    sys(mincore, at, 2 * PAGE, in);
    expect("  page", 1, in[0] & 1);
    expect("  page behind it", 0, in[1] & 1);
    expect("mlock2 unaligned", 0, sys(mlock2, at + 100, 1, 0));
    expect("mlock2 nothing", 0, sys(mlock2, at, 0, 0));
    expect("mlock2 bad flags", -EINVAL, sys(mlock2, at, PAGE, 2));
    expect("mlock2 nothing mapped", -ENOMEM, sys(mlock2, at + 2 * PAGE, 1, 0));
    expect("munlock", 0, sys(munlock, at, PAGE));
    show("mlockall nothing", sys(mlockall, 0));
    show("mlockall bad flags", sys(mlockall, 8));
    show("mlockall on fault only", sys(mlockall, MCL_ONFAULT));
    long child = fork_child();
    if (child == 0) {
        /* All of the memory may be more than the limit. */
        result = sys(mlockall, MCL_CURRENT | MCL_ONFAULT);
        show_yes("mlockall", result == 0 || result == -ENOMEM || result == -EPERM);
        show("munlockall", sys(munlockall));
        quit(0);
    }
    show_status("locking", reap(child));
    show("munlockall", sys(munlockall));
    sys(munmap, at, 2 * PAGE);
}

static void hidden(void) {
    long fd = feature(sys(memfd_secret, O_CLOEXEC));
    if (there) sys(ftruncate, fd, PAGE);
    char *at = there ? (char *)sys(mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : (char *)-ENOSYS;
    /* Its pages count as locked. */
    if ((long)at == -EAGAIN) there = 0;
    expect_yes("memfd_secret", fd > 2 && (long)at > 0);
    if (there) at[5] = 7;
    expect("  contents", 7, at[5]);
    struct { void *at; unsigned long size; } from = {at, 8}, to = {(char[8]){0}, 8};
    long result = there ? sys(process_vm_readv, sys(getpid), &to, 1, &from, 1, 0) : -EFAULT;
    show_yes("  not for the kernel", result == -EFAULT || result == -EPERM || result == -ENOSYS);
    expect("  closed at execution", 1, sys(fcntl, fd, F_GETFD, 0));
    expect("  cannot be read", -EINVAL, sys(read, fd, &from, 1));
    expect("memfd_secret bad flags", -EINVAL, sys(memfd_secret, 1));
    if (there) sys(munmap, at, PAGE), sys(close, fd);
}

/* A machine may have no keys to give, which is said in two ways; one that it has is of no
 * use here. */
static void keyed(void) {
    char *at = map(PAGE, PROT_READ | PROT_WRITE);
    at[0] = 3;
    feature(sys(pkey_mprotect, at, PAGE, PROT_READ | PROT_WRITE, -1));
    expect("pkey_mprotect without a key", 0, sys(pkey_mprotect, at, PAGE, PROT_READ, -1));
    if (!there) sys(mprotect, at, PAGE, PROT_READ);
    touch("  load", at, 0), touch("  store", at, 1);
    expect("pkey_mprotect bad key", -EINVAL, sys(pkey_mprotect, at, PAGE, PROT_READ, 14));
    expect("pkey_mprotect unaligned", -EINVAL, sys(pkey_mprotect, at + 1, PAGE, PROT_READ, -1));
    expect("pkey_mprotect nothing mapped", -ENOMEM, sys(pkey_mprotect, WILD, PAGE, PROT_READ, -1));
    long key = sys(pkey_alloc, 0, 0);
    expect_yes("pkey_alloc", key > 0 || key == -ENOSPC || key == -EINVAL);
    expect("pkey_alloc flags", -EINVAL, sys(pkey_alloc, 1, 0));
    expect("pkey_alloc bad rights", -EINVAL, sys(pkey_alloc, 0, 1 << 20));
    expect("pkey_free", 0, key > 0 ? sys(pkey_free, key) : 0);
    expect("pkey_free again", -EINVAL, sys(pkey_free, key > 0 ? key : 1));
    expect("pkey_free bad key", -EINVAL, sys(pkey_free, 1000));
    sys(munmap, at, PAGE);
}

static thread one;
static volatile char seen;

static void load(void *at) { seen = *(volatile char *)at; }

static void filled(void) {
    static char source[PAGE];
    memset(source, 42, sizeof source);
    char *at = map(3 * PAGE, PROT_READ | PROT_WRITE);
    long fd = feature(sys(userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
    expect_yes("userfaultfd", fd > 2);
    struct uffdio_register area = {.range = {(uint64_t)at, 2 * PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    expect("register too early", -EINVAL, sys(ioctl, fd, UFFDIO_REGISTER, &area));
    struct uffdio_api api = {.api = UFFD_API};
    expect("interface", 0, sys(ioctl, fd, UFFDIO_API, &api));
    expect_yes("  calls", (api.ioctls & 1ul << _UFFDIO_REGISTER) != 0);
    expect("register", 0, sys(ioctl, fd, UFFDIO_REGISTER, &area));
    expect_yes("  calls", (area.ioctls & 1ul << _UFFDIO_COPY) && (area.ioctls & 1ul << _UFFDIO_ZEROPAGE));
    if (there) start(&one, load, at + 100);
    struct uffd_msg message = {0};
    expect("fault", sizeof message, sys(read, fd, &message, sizeof message));
    expect("  event", UFFD_EVENT_PAGEFAULT, message.event);
    expect_yes("  address", (message.arg.pagefault.address & ~0xffful) == (uint64_t)at);
    expect("  flags", 0, message.arg.pagefault.flags);
    struct uffdio_copy copy = {.dst = (uint64_t)at, .src = (uint64_t)source, .len = PAGE};
    expect("copy", 0, sys(ioctl, fd, UFFDIO_COPY, &copy));
    expect("  bytes", PAGE, copy.copy);
    if (there) join(&one);
    expect("  seen", 42, seen);
    expect("copy again", -EEXIST, sys(ioctl, fd, UFFDIO_COPY, &copy));
    struct uffdio_zeropage zero = {.range = {(uint64_t)at + PAGE, PAGE}};
    expect("zero page", 0, sys(ioctl, fd, UFFDIO_ZEROPAGE, &zero));
    expect("  contents", 0, at[PAGE + 5]);
    copy.dst = (uint64_t)at + 2 * PAGE;
    expect("copy where nothing is registered", -ENOENT, sys(ioctl, fd, UFFDIO_COPY, &copy));
    expect("unregister", 0, sys(ioctl, fd, UFFDIO_UNREGISTER, &area.range));
    expect("userfaultfd bad flags", -EINVAL, sys(userfaultfd, UFFD_USER_MODE_ONLY | 2));
    if (there) sys(close, fd);
    sys(munmap, at, 3 * PAGE);
}

static void barriers(void) {
    long known = feature(sys(membarrier, MEMBARRIER_CMD_QUERY, 0, 0));
    if (known >= 0 && !(known & MEMBARRIER_CMD_PRIVATE_EXPEDITED)) there = 0;
    expect("membarrier without registration", -EPERM, sys(membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    expect("membarrier registration", 0, sys(membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
    expect("membarrier", 0, sys(membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    long child = fork_child();
    if (child == 0) quit((int)-(there ? sys(membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) : 0));
    show_status("child has it registered", reap(child));
    expect("membarrier bad command", -EINVAL, sys(membarrier, 1 << 30, 0, 0));
    expect("membarrier flags", -EINVAL, sys(membarrier, MEMBARRIER_CMD_QUERY, 2, 0));
}

/* Words that threads wait for. */
enum { WIDTH32 = 2, PRIVATE = 128 };
#define ALL_BITS 0xfffffffful
static int words[2], own_word;
static volatile long waited;
static thread sleepers[2];

static const span *deadline(long milliseconds) {
    static span at;
    sys(clock_gettime, 1, &at);
    at.nsec += milliseconds * 1000000;
    at.sec += at.nsec / 1000000000, at.nsec %= 1000000000;
    return &at;
}

static void wait_for_word(void *word) { waited = sys(futex_wait, word, 0, ALL_BITS, WIDTH32 | PRIVATE, 0, 0); }

/* Wakes one that waits there as soon as it does. */
static long wake_one(int *word) {
    long woken;
    while ((woken = sys(futex_wake, word, ALL_BITS, 1, WIDTH32 | PRIVATE)) == 0) sys(sched_yield);
    return woken;
}

static void waiting(void) {
    feature(sys(futex_wake, words, ALL_BITS, 1, WIDTH32));
    expect("futex_wake nobody", 0, sys(futex_wake, words, ALL_BITS, 1, WIDTH32 | PRIVATE));
    if (there) start(&sleepers[0], wait_for_word, words);
    waited = -1;
    expect("futex_wake", 1, wake_one(words));
    if (there) join(&sleepers[0]);
    expect("  waited", 0, waited);
    expect("futex_wait other value", -EAGAIN, sys(futex_wait, words, 1, ALL_BITS, WIDTH32, 0, 0));
    expect("futex_wait for a time", -ETIMEDOUT, sys(futex_wait, words, 0, ALL_BITS, WIDTH32, deadline(1), 1));
    expect("futex_wait bad clock", -EINVAL, sys(futex_wait, words, 0, ALL_BITS, WIDTH32, deadline(1), 99));
    expect("futex_wait no bits", -EINVAL, sys(futex_wait, words, 0, 0, WIDTH32, 0, 0));
    expect("futex_wait bad flags", -EINVAL, sys(futex_wait, words, 0, ALL_BITS, 1 << 20, 0, 0));
    expect("futex_wait unaligned", -EINVAL, sys(futex_wait, (char *)words + 1, 0, ALL_BITS, WIDTH32, 0, 0));
    expect("futex_wait wild", -EFAULT, sys(futex_wait, WILD, 0, ALL_BITS, WIDTH32 | PRIVATE, 0, 0));
    expect("futex_wake no bits", -EINVAL, sys(futex_wake, words, 0, 1, WIDTH32));
    expect("futex_wake bad flags", -EINVAL, sys(futex_wake, words, ALL_BITS, 1, 1 << 20));
}

typedef struct { uint64_t value, word; unsigned flags, reserved; } waiter;

static void moving(void) {
    waiter both[2] = {{0, (uint64_t)&words[0], WIDTH32 | PRIVATE, 0}, {0, (uint64_t)&words[1], WIDTH32 | PRIVATE, 0}};
    feature(sys(futex_requeue, both, 0, 0, 0));
    if (there) start(&sleepers[0], wait_for_word, &words[0]), start(&sleepers[1], wait_for_word, &words[0]);
    /* Until both wait at the second word. */
    long moved = 0;
    while (there && moved < 2) {
        long result = sys(futex_requeue, both, 0, 0, 2);
        if (result < 0) show("futex_requeue", result), quit(1);
        moved += result;
        sys(sched_yield);
    }
    expect("futex_requeue", 2, moved);
    expect("futex_wake nobody", 0, sys(futex_wake, &words[0], ALL_BITS, 2, WIDTH32 | PRIVATE));
    expect("futex_wake both", 2, sys(futex_wake, &words[1], ALL_BITS, 2, WIDTH32 | PRIVATE));
    if (there) join(&sleepers[0]), join(&sleepers[1]);
    both[0].value = 1;
    expect("futex_requeue other value", -EAGAIN, sys(futex_requeue, both, 0, 1, 1));
    expect("futex_requeue flags", -EINVAL, sys(futex_requeue, both, 1, 1, 1));
    expect("futex_requeue nothing", -EINVAL, sys(futex_requeue, 0, 0, 1, 1));
    expect("futex_requeue wild", -EFAULT, sys(futex_requeue, WILD, 0, 1, 1));
}

static void wait_for_any(void *two) { waited = sys(futex_waitv, two, 2, 0, 0, 0); }

static void waiting_for_several(void) {
    waiter both[2] = {{0, (uint64_t)&words[0], WIDTH32 | PRIVATE, 0}, {0, (uint64_t)&words[1], WIDTH32 | PRIVATE, 0}};
    feature(sys(futex_waitv, both, 0, 0, 0, 0));
    waited = -1;
    if (there) start(&sleepers[0], wait_for_any, both);
    while (there && sys(futex, &words[1], FUTEX_WAKE_PRIVATE, 1) == 0) sys(sched_yield);
    if (there) join(&sleepers[0]);
    expect("futex_waitv second", 1, waited);
    expect("futex_waitv for a time", -ETIMEDOUT, sys(futex_waitv, both, 2, 0, deadline(1), 1));
    both[1].value = 5;
    expect("futex_waitv other value", -EAGAIN, sys(futex_waitv, both, 2, 0, 0, 0));
    expect("futex_waitv bad clock", -EINVAL, sys(futex_waitv, both, 1, 0, deadline(1), 99));
    both[1].reserved = 1;
    expect("futex_waitv reserved", -EINVAL, sys(futex_waitv, both, 2, 0, 0, 0));
    expect("futex_waitv none", -EINVAL, sys(futex_waitv, both, 0, 0, 0, 0));
    expect("futex_waitv many", -EINVAL, sys(futex_waitv, both, 129, 0, 0, 0));
    expect("futex_waitv flags", -EINVAL, sys(futex_waitv, both, 1, 1, 0, 0));
    expect("futex_waitv wild", -EFAULT, sys(futex_waitv, WILD, 1, 0, 0, 0));
}

/* A word that is cleared at the thread's end, other than its start has said. */
static void choose_word(void *right) { *(int *)right = sys(set_tid_address, &own_word) == sys(gettid); }

static void ends(void) {
    int right = 0;
    own_word = 77;
    start(&one, choose_word, &right);
    while (__atomic_load_n(&own_word, __ATOMIC_ACQUIRE) != 0) sys(futex, &own_word, FUTEX_WAIT, 77, (&(span){0, 10000000}));
    show_yes("set_tid_address", right);
    show("  first word stays", one.alive);
    show_yes("set_tid_address of the first thread", sys(set_tid_address, WILD) == sys(getpid));
    sys(set_tid_address, 0);
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    barriers();
    locking();
    hidden();
    keyed();
    filled();
    waiting();
    moving();
    waiting_for_several();
    ends();
    return 0;
}
