/* build: -O1 -static -nostdlib -fno-builtin */
/* What processes share by name or key: queues, segments, semaphores. */
#include "features.h"
#include "handlers.h"
#include <asm/mman.h>
#include <asm/poll.h>
#include <linux/ipc.h>
#include <linux/mman.h>
#include <linux/mqueue.h>
#include <linux/msg.h>
#include <linux/sem.h>
#include <linux/shm.h>

enum { PAGE = 4096 };
#define SIGEV_SIGNAL 0
#define SIGEV_NONE 1

static const span no_time = {0, 0};
static char buf[256];

/* Sleeps for a millisecond. */
static void nap(void) { sys(nanosleep, (&(span){0, 1000000}), 0); }

/* Names and keys of this run's own: others may be running. */
static char *own_name(void) {
    static char name[] = "rvrun-test-00000000";
    long rest = sys(getpid);
    for (char *at = name + sizeof name - 2; *at != '-'; at--, rest /= 10) *at = (char)('0' + rest % 10);
    return name;
}

static long own_key(void) { return 0x52000000 | sys(getpid); }

/* A message queue of POSIX. */
static long receive(const char *what, long queue, long size, unsigned priority) {
    unsigned seen = ~0u;
    long got = there ? sys(mq_timedreceive, queue, buf, sizeof buf, &seen, &no_time) : size;
    show(what, got);
    expect_yes("  priority", seen == priority);
    buf[got > 0 ? got : 0] = 0;
    return got;
}

static void queueing(long queue) {
    expect("mq_timedsend", 0, sys(mq_timedsend, queue, "low", 3, 1, 0));
    expect("mq_timedsend", 0, sys(mq_timedsend, queue, "high", 4, 30, 0));
    expect("mq_timedsend", 0, sys(mq_timedsend, queue, "low, too", 8, 1, 0));
    expect("mq_timedsend to a full queue", -EAGAIN, sys(mq_timedsend, queue, "x", 1, 1, 0));
    struct mq_attr attr = {0}, new = {0};
    expect("mq_getsetattr", 0, sys(mq_getsetattr, queue, 0, &attr));
    expect_yes("  sizes", attr.mq_maxmsg == 3 && attr.mq_msgsize == 16 && attr.mq_curmsgs == 3);
    expect("  flags", O_NONBLOCK, attr.mq_flags);
    expect("mq_getsetattr blocking", 0, sys(mq_getsetattr, queue, &new, &attr));
    expect("  flags before", O_NONBLOCK, attr.mq_flags);
    expect("mq_timedsend without time", -ETIMEDOUT, sys(mq_timedsend, queue, "x", 1, 1, &no_time));
    expect("mq_timedsend bad time", -EINVAL, sys(mq_timedsend, queue, "x", 1, 1, (&(span){0, -1})));
    expect("mq_timedreceive small", -EMSGSIZE, sys(mq_timedreceive, queue, buf, 15, 0, 0));
    receive("mq_timedreceive", queue, 4, 30);
    expect_yes("  message", equal(buf, "high"));
    receive("mq_timedreceive", queue, 3, 1);
    expect_yes("  message", equal(buf, "low"));
    expect("mq_timedsend nothing", 0, sys(mq_timedsend, queue, "", 0, 0, 0));
    receive("mq_timedreceive", queue, 8, 1);
    expect_yes("  message", equal(buf, "low, too"));
    receive("mq_timedreceive", queue, 0, 0);
    expect("mq_timedreceive without time", -ETIMEDOUT, sys(mq_timedreceive, queue, buf, sizeof buf, 0, &no_time));
    new.mq_flags = O_NONBLOCK;
    expect("mq_getsetattr not blocking", 0, sys(mq_getsetattr, queue, &new, 0));
    expect("mq_timedreceive from an empty queue", -EAGAIN, sys(mq_timedreceive, queue, buf, sizeof buf, 0, 0));
    new.mq_flags = O_NONBLOCK | O_APPEND;
    expect("mq_getsetattr bad flags", -EINVAL, sys(mq_getsetattr, queue, &new, 0));
    expect("mq_getsetattr wild", -EFAULT, sys(mq_getsetattr, queue, WILD, 0));
    expect("mq_timedsend large", -EMSGSIZE, sys(mq_timedsend, queue, buf, 17, 0, 0));
    expect("mq_timedsend bad priority", -EINVAL, sys(mq_timedsend, queue, "x", 1, 32768, 0));
    expect("mq_timedsend wild", -EFAULT, sys(mq_timedsend, queue, WILD, 1, 0, 0));
    expect("mq_timedsend bad descriptor", -EBADF, sys(mq_timedsend, -1, "x", 1, 0, 0));
    expect("mq_timedsend to no queue", -EBADF, sys(mq_timedsend, 1, "x", 1, 0, 0));
}

static void notifying(long queue) {
    struct { union { int number; void *pointer; } value; int signal, kind, rest[13]; } event;
    event.value.number = 7, event.signal = SIGUSR1, event.kind = SIGEV_SIGNAL;
    block(bit(SIGUSR1));
    expect("mq_notify", 0, sys(mq_notify, queue, &event));
    expect("mq_notify again", -EBUSY, sys(mq_notify, queue, &event));
    struct { int fd; short events, seen; } poll = {(int)queue, POLLIN | POLLOUT, 0};
    expect("ppoll", 1, sys(ppoll, &poll, 1, &no_time, 0, 8));
    expect_yes("  to be written", poll.seen == POLLOUT);
    long child = fork_child();
    if (child == 0) {
        sys(mq_timedsend, queue, "told", 4, 2, 0);
        quit(0);
    }
    reap(child);
    siginfo_t info = {0};
    uint64_t set = bit(SIGUSR1);
    expect("rt_sigtimedwait", SIGUSR1, sys(rt_sigtimedwait, &set, &info, &no_time, 8));
    expect("  code", SI_MESGQ, info.si_code);
    expect("  value", 7, info.si_value.sival_int);
    expect_yes("  sender", info.si_pid == child && info.si_uid == sys(getuid));
    expect("ppoll", 1, sys(ppoll, &poll, 1, &no_time, 0, 8));
    expect_yes("  to be read and written", poll.seen == (POLLIN | POLLOUT));
    receive("mq_timedreceive", queue, 4, 2);
    expect("mq_notify is over", 0, sys(mq_notify, queue, &event));
    expect("mq_notify no more", 0, sys(mq_notify, queue, 0));
    event.kind = SIGEV_NONE;
    expect("mq_notify nothing", 0, sys(mq_notify, queue, &event));
    event.kind = 77;
    expect("mq_notify bad kind", -EINVAL, sys(mq_notify, queue, &event));
    event.kind = SIGEV_SIGNAL, event.signal = 99;
    expect("mq_notify bad signal", -EINVAL, sys(mq_notify, queue, &event));
    expect("mq_notify wild", -EFAULT, sys(mq_notify, queue, WILD));
    expect("mq_notify bad descriptor", -EBADF, sys(mq_notify, -1, 0));
    block(0);
}

static void named_queues(void) {
    const char *name = own_name();
    struct mq_attr attr = {.mq_maxmsg = 3, .mq_msgsize = 16}, wrong = {.mq_maxmsg = -1, .mq_msgsize = 16};
    long queue = feature(sys(mq_open, name, O_CREAT | O_EXCL | O_RDWR | O_NONBLOCK, 0600, &attr));
    expect_yes("mq_open", queue > 0);
    expect("mq_open once more", -EEXIST, sys(mq_open, name, O_CREAT | O_EXCL | O_RDWR, 0600, &attr));
    queueing(queue);
    notifying(queue);
    long reader = sys(mq_open, name, O_RDONLY, 0, 0);
    expect_yes("mq_open to read", reader > 0);
    expect("mq_timedsend by a reader", -EBADF, sys(mq_timedsend, reader, "x", 1, 0, 0));
    expect_yes("closed at execution", sys(fcntl, reader, F_GETFD, 0) == 1);
    long size = sys(read, queue, buf, sizeof buf - 1);
    expect_yes("a queue's text", size > 6 && buf[0] == 'Q' && buf[5] == ':');
    expect("mq_unlink", 0, sys(mq_unlink, name));
    expect("mq_unlink again", -ENOENT, sys(mq_unlink, name));
    expect("mq_open of what is not there", -ENOENT, sys(mq_open, name, O_RDWR, 0, 0));
    expect("mq_timedsend to what has no name", 0, sys(mq_timedsend, queue, "still", 5, 0, 0));
    receive("mq_timedreceive", reader, 5, 0);
    expect("mq_open bad sizes", -EINVAL, sys(mq_open, name, O_CREAT | O_RDWR, 0600, &wrong));
    expect("mq_open with a slash", -EACCES, sys(mq_open, "/x", O_CREAT | O_RDWR, 0600, &attr));
    expect("mq_open no name", -ENOENT, sys(mq_open, "", O_CREAT | O_RDWR, 0600, &attr));
    expect("mq_open wild", -EFAULT, sys(mq_open, WILD, O_RDWR, 0, 0));
    expect("mq_open wild sizes", -EFAULT, sys(mq_open, name, O_CREAT | O_RDWR, 0600, WILD));
    expect("mq_unlink wild", -EFAULT, sys(mq_unlink, WILD));
    if (there) sys(close, queue), sys(close, reader);
}

/* An address that nothing else is given. */
#define PLACE ((char *)0x600000000ul)

/* What a load or a store there does. */
static void touch(const char *what, volatile char *at, int write) {
    long child = fork_child();
    if (child == 0) {
        if (write) *at = 1;
        quit(*at);
    }
    show_status(what, reap(child));
}

static void segments(void) {
    struct shmid64_ds about;
    long id = sys(shmget, IPC_PRIVATE, PAGE + 1, 0600);
    show_ok("shmget", id);
    volatile char *at = (char *)sys(shmat, id, 0, 0);
    show_ok("shmat", (long)at);
    show_yes("  aligned", ((long)at & (PAGE - 1)) == 0);
    show_yes("  empty", at[0] == 0 && at[2 * PAGE - 1] == 0);
    long child = fork_child();
    if (child == 0) {
        at[5] = 42;
        quit(sys(shmdt, at) == 0 ? 0 : 1);
    }
    show_status("child", reap(child));
    show("  has written", at[5]);
    show("shmctl stat", sys(shmctl, id, IPC_STAT, &about));
    show("  size", (long)about.shm_segsz), show("  attached", (long)about.shm_nattch);
    show("  mode", about.shm_perm.mode);
    show_yes("  owner", about.shm_perm.uid == sys(geteuid) && about.shm_perm.gid == sys(getegid));
    show_yes("  creator", about.shm_cpid == sys(getpid) && about.shm_lpid == child);
    volatile char *reader = PLACE;
    show("shmat to read", sys(shmat, id, reader, SHM_RDONLY) - (long)reader);
    show("  same", reader[5]);
    touch("  load", reader + 5, 0);
    touch("  store", reader + 5, 1);
    show("shmat where something is", sys(shmat, id, reader, 0));
    show("shmat anew", sys(shmat, id, reader, SHM_REMAP) - (long)reader);
    touch("  store", reader + 6, 1);
    show("shmat replacing at no address", sys(shmat, id, 0, SHM_REMAP));
    show("shmdt", sys(shmdt, reader));
    show("shmdt again", sys(shmdt, reader));
    touch("  load", reader, 0);
    show("shmat there", sys(shmat, id, reader, 0) - (long)reader);
    show("shmdt", sys(shmdt, reader));
    show("shmat unaligned", sys(shmat, id, reader + 1, 0));
    show("shmat rounded", sys(shmat, id, reader + 1, SHM_RND) - (long)reader);
    show("shmdt inside", sys(shmdt, reader + 8));
    show("shmdt", sys(shmdt, reader));
    show("shmat outside", sys(shmat, id, OUTSIDE, 0));
    about.shm_perm.mode = 0640;
    show("shmctl set", sys(shmctl, id, IPC_SET, &about));
    memset(&about, 0xff, sizeof about);
    show("shmctl stat", sys(shmctl, id, IPC_STAT, &about));
    show("  mode", about.shm_perm.mode), show("  attached", (long)about.shm_nattch);
    show("shmctl remove", sys(shmctl, id, IPC_RMID, 0));
    show("  still there", at[5]);
    show("shmctl stat", sys(shmctl, id, IPC_STAT, &about));
    show_yes("  to be removed", (about.shm_perm.mode & 01000) != 0);
    show("shmdt last", sys(shmdt, at));
    show("shmctl of what is gone", sys(shmctl, id, IPC_STAT, &about));
    show("shmat of what is gone", sys(shmat, id, 0, 0));

    long key = own_key();
    show("shmget of what is not there", sys(shmget, key, PAGE, 0600));
    id = sys(shmget, key, PAGE, IPC_CREAT | IPC_EXCL | 0600);
    show_ok("shmget with a key", id);
    show_yes("shmget the same", sys(shmget, key, 0, 0) == id);
    show("shmget once more", sys(shmget, key, PAGE, IPC_CREAT | IPC_EXCL | 0600));
    show("shmget larger", sys(shmget, key, PAGE + 1, 0));
    show("shmctl wild", sys(shmctl, id, IPC_STAT, WILD));
    show("shmctl bad command", sys(shmctl, id, 99, &about));
    show("shmctl remove", sys(shmctl, id, IPC_RMID, 0));
    show("shmget nothing", sys(shmget, IPC_PRIVATE, 0, 0600));
    show("shmctl of nothing", sys(shmctl, -1, IPC_STAT, &about));
    show("shmat of nothing", sys(shmat, -1, 0, 0));
    show("shmdt wild", sys(shmdt, WILD));
    struct shminfo64 limits;
    show_yes("shmctl limits", sys(shmctl, 0, IPC_INFO, &limits) >= 0 && limits.shmmin == 1 && limits.shmmax >= PAGE);
}

/* A program that is executed has none of the segments; a mapping of one may be cut. */
static void parts(void) {
    struct shmid64_ds about;
    long id = sys(shmget, IPC_PRIVATE, 3 * PAGE, 0600);
    volatile char *at = (char *)sys(shmat, id, PLACE, 0);
    at[0] = 3, at[2 * PAGE] = 5;
    show("munmap of the middle", sys(munmap, at + PAGE, PAGE));
    touch("load before", at, 0), touch("load between", at + PAGE, 0), touch("load behind", at + 2 * PAGE, 0);
    sys(shmctl, id, IPC_STAT, &about);
    show("attached", (long)about.shm_nattch);
    show("shmdt", sys(shmdt, at));
    touch("load before", at, 0), touch("load behind", at + 2 * PAGE, 0);
    sys(shmctl, id, IPC_STAT, &about);
    show("attached", (long)about.shm_nattch);
    at = (char *)sys(shmat, id, PLACE, 0);
    show("mprotect", sys(mprotect, at, 3 * PAGE, PROT_READ));
    touch("load", at + 2 * PAGE, 0), touch("store", at, 1);
    show("munmap of all", sys(munmap, at, 3 * PAGE));
    show("shmdt", sys(shmdt, at));
    at = (char *)sys(shmat, id, PLACE, 0);
    enum { MOVE = MREMAP_MAYMOVE | MREMAP_FIXED };
    volatile char *new = PLACE + 16 * PAGE, *last = PLACE + 32 * PAGE;
    show("mremap", sys(mremap, at, 3 * PAGE, 3 * PAGE, MOVE, new) - (long)new);
    show("shmdt where it was", sys(shmdt, at));
    show("mremap of its end", sys(mremap, new + 2 * PAGE, PAGE, PAGE, MOVE, last + 2 * PAGE) - (long)last);
    show("mmap into the hole",
         sys(mmap, new + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) - (long)new);
    show("shmdt where it is", sys(shmdt, new));
    touch("load before", new, 0), touch("load from the hole", new + 2 * PAGE, 0);
    touch("load from its end", last + 2 * PAGE, 0);
    show("shmdt of its end", sys(shmdt, last));
    touch("load from its end", last + 2 * PAGE, 0);
    sys(munmap, new + 2 * PAGE, PAGE);
    sys(shmctl, id, IPC_STAT, &about);
    show("attached", (long)about.shm_nattch);
    sys(shmctl, id, IPC_RMID, 0);
}

static long operate(long id, unsigned short number, short by, short flags) {
    return sys(semop, id, (&(struct sembuf){number, by, flags}), 1);
}

static void semaphores(void) {
    struct semid64_ds about;
    unsigned short values[3] = {4, 0, 9};
    long id = sys(semget, IPC_PRIVATE, 3, 0600);
    show_ok("semget", id);
    show("semctl all", sys(semctl, id, 0, SETALL, values));
    show("semop up", operate(id, 1, 2, 0));
    show("semop down", operate(id, 0, -3, 0));
    show("semop too far down", operate(id, 0, -2, IPC_NOWAIT));
    show("semop until zero", operate(id, 0, 0, IPC_NOWAIT));
    struct sembuf both[2] = {{2, -9, IPC_NOWAIT}, {0, -2, IPC_NOWAIT}};
    show("semop both or none", sys(semop, id, both, 2));
    show("semctl value", sys(semctl, id, 2, GETVAL, 0));
    both[1].sem_op = -1;
    show("semop both", sys(semop, id, both, 2));
    memset(values, 0xff, sizeof values);
    show("semctl all", sys(semctl, id, 0, GETALL, values));
    show("  first", values[0]), show("  second", values[1]), show("  third", values[2]);
    show_yes("semctl last to operate", sys(semctl, id, 0, GETPID, 0) == sys(getpid));
    show("semtimedop without time", sys(semtimedop, id, both, 1, &no_time));
    both[0].sem_flg = 0;
    show("semtimedop too long", sys(semtimedop, id, both, 1, (&(span){0, 1000000})));
    show("semtimedop bad time", sys(semtimedop, id, both, 1, (&(span){0, -1})));
    show("semctl value", sys(semctl, id, 2, SETVAL, 5));
    show("semctl value", sys(semctl, id, 2, GETVAL, 0));
    long child = fork_child();
    if (child == 0) {
        operate(id, 2, -4, SEM_UNDO);
        quit((int)sys(semctl, id, 2, GETVAL, 0));
    }
    show_status("child", reap(child));
    show("semctl undone", sys(semctl, id, 2, GETVAL, 0));
    child = fork_child();
    if (child == 0) quit((int)-operate(id, 0, -1, 0));
    while (sys(semctl, id, 0, GETNCNT, 0) == 0) nap();
    show("semctl waiting", sys(semctl, id, 0, GETNCNT, 0));
    show("semctl waiting for zero", sys(semctl, id, 0, GETZCNT, 0));
    show("semop up", operate(id, 0, 1, 0));
    show_status("child", reap(child));
    show("semctl stat", sys(semctl, id, 0, IPC_STAT, &about));
    show("  semaphores", (long)about.sem_nsems), show("  mode", about.sem_perm.mode);
    show_yes("  times", about.sem_otime > 0 && about.sem_ctime > 0);
    about.sem_perm.mode = 0666;
    show("semctl set", sys(semctl, id, 0, IPC_SET, &about));
    show("semctl stat", sys(semctl, id, 0, IPC_STAT, &about));
    show("  mode", about.sem_perm.mode);
    show("semop no such", operate(id, 3, 1, 0));
    show("semop beyond", operate(id, 1, 32767, 0));
    show("semop nothing", sys(semop, id, both, 0));
    show("semop many", sys(semop, id, both, 100000));
    show("semop wild", sys(semop, id, WILD, 1));
    show("semctl value beyond", sys(semctl, id, 0, SETVAL, 32768));
    show("semctl no such", sys(semctl, id, 3, GETVAL, 0));
    show("semctl bad command", sys(semctl, id, 0, 99, 0));
    show("semctl wild", sys(semctl, id, 0, IPC_STAT, WILD));
    child = fork_child();
    if (child == 0) quit((int)-operate(id, 0, -1, 0));
    while (sys(semctl, id, 0, GETNCNT, 0) == 0) nap();
    show("semctl remove", sys(semctl, id, 0, IPC_RMID, 0));
    show_yes("who waits hears of it", reap(child) == EIDRM << 8);
    show("semop of what is gone", operate(id, 0, 1, 0));
    show("semget nothing", sys(semget, IPC_PRIVATE, 0, 0600));
    show("semget negative", sys(semget, IPC_PRIVATE, -1, 0600));
    id = sys(semget, own_key(), 2, IPC_CREAT | IPC_EXCL | 0600);
    show_ok("semget with a key", id);
    show_yes("semget the same", sys(semget, own_key(), 0, 0) == id);
    show("semget more", sys(semget, own_key(), 3, 0));
    show("semget once more", sys(semget, own_key(), 2, IPC_CREAT | IPC_EXCL | 0600));
    show("semctl remove", sys(semctl, id, 0, IPC_RMID, 0));
    show("semget of what is not there", sys(semget, own_key(), 2, 0));
}

typedef struct { long kind; char text[64]; } message;

static long post(long id, long kind, const char *text, int flags) {
    message one = {.kind = kind};
    memcpy(one.text, text, length(text));
    return sys(msgsnd, id, &one, length(text), flags);
}

static void take(const char *what, long id, long kind, int flags) {
    message one = {.kind = -1};
    long got = show(what, sys(msgrcv, id, &one, sizeof one.text - 1, kind, flags | IPC_NOWAIT));
    if (got < 0) return;
    one.text[got] = 0;
    show("  kind", one.kind), show_text("  text", one.text);
}

static void messages(void) {
    struct msqid64_ds about;
    message one;
    long id = sys(msgget, IPC_PRIVATE, 0600);
    show_ok("msgget", id);
    show("msgsnd", post(id, 5, "five", 0));
    show("msgsnd", post(id, 3, "three", 0));
    show("msgsnd", post(id, 5, "another five", IPC_NOWAIT));
    show("msgsnd", post(id, 9, "", 0));
    show("msgsnd", post(id, 7, "seven", 0));
    show("msgctl stat", sys(msgctl, id, IPC_STAT, &about));
    show("  messages", (long)about.msg_qnum), show("  bytes", (long)about.msg_cbytes);
    show("  mode", about.msg_perm.mode);
    show_yes("  times", about.msg_stime > 0 && about.msg_rtime == 0 && about.msg_lspid == sys(getpid));
    feature(sys(msgrcv, id, &one, 60, 0, MSG_COPY | IPC_NOWAIT));
    expect("msgrcv copy", 5, sys(msgrcv, id, &one, 60, 1, MSG_COPY | IPC_NOWAIT));
    expect("  kind", 3, one.kind);
    expect("msgrcv copy waiting", -EINVAL, sys(msgrcv, id, &one, 60, 1, MSG_COPY));
    expect("msgrcv copy behind the end", -ENOMSG, sys(msgrcv, id, &one, 60, 5, MSG_COPY | IPC_NOWAIT));
    take("msgrcv second of a kind", id, 3, 0);
    take("msgrcv not of a kind", id, 5, MSG_EXCEPT);
    take("msgrcv up to a kind", id, -6, 0);
    take("msgrcv of no kind", id, 4, 0);
    show("msgrcv small", sys(msgrcv, id, &one, 7, 0, IPC_NOWAIT));
    show("msgrcv cut", sys(msgrcv, id, &one, 7, 0, MSG_NOERROR));
    take("msgrcv any", id, 0, 0);
    take("msgrcv of an empty queue", id, 0, 0);
    long child = fork_child();
    if (child == 0) quit((int)sys(msgrcv, id, &one, 60, 0, 0));
    show("msgsnd", post(id, 1, "to a child", 0));
    show_status("child", reap(child));
    show("msgsnd no kind", post(id, 0, "x", 0));
    show("msgsnd negative", post(id, -1, "x", 0));
    show("msgsnd large", sys(msgsnd, id, &one, 1 << 30, 0));
    show("msgsnd wild", sys(msgsnd, id, WILD, 1, 0));
    show("msgrcv negative size", sys(msgrcv, id, &one, -1, 0, 0));
    show("msgctl stat", sys(msgctl, id, IPC_STAT, &about));
    about.msg_qbytes = 8, about.msg_perm.mode = 0622;
    show("msgctl set", sys(msgctl, id, IPC_SET, &about));
    show("msgsnd", post(id, 1, "12345", 0));
    show("msgsnd to a full queue", post(id, 1, "6789", IPC_NOWAIT));
    show("msgctl stat", sys(msgctl, id, IPC_STAT, &about));
    show("  limit", (long)about.msg_qbytes), show("  mode", about.msg_perm.mode);
    child = fork_child();
    if (child == 0) quit((int)-post(id, 1, "6789", 0));
    nap();
    show("msgctl remove", sys(msgctl, id, IPC_RMID, 0));
    int status = reap(child);
    show_yes("who waits hears of it", status == EIDRM << 8 || status == EINVAL << 8);
    show("msgsnd to what is gone", post(id, 1, "x", 0));
    show("msgctl wild", sys(msgctl, -1, IPC_STAT, WILD));
    id = sys(msgget, own_key(), IPC_CREAT | IPC_EXCL | 0600);
    show_ok("msgget with a key", id);
    show_yes("msgget the same", sys(msgget, own_key(), 0) == id);
    show("msgget once more", sys(msgget, own_key(), IPC_CREAT | IPC_EXCL | 0600));
    show("msgctl remove", sys(msgctl, id, IPC_RMID, 0));
    show("msgget of what is not there", sys(msgget, own_key(), 0));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    named_queues();
    segments();
    parts();
    semaphores();
    messages();
    return 0;
}
