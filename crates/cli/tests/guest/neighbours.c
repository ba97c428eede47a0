/* build: -O1 -static -nostdlib -fno-builtin */
/* What a process learns of others and does to them; where its memory is. */
#include "features.h"
#include <asm/mman.h>
#include <asm/signal.h>
#include <linux/kcmp.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/uio.h>

enum { PAGE = 4096 };
#define NOBODY 0x3fffffff
#define WHO_IS_STOPPED 2 /* WUNTRACED */

static char letters[] = "abcdefghij", buf[64], page[PAGE] __attribute__((aligned(PAGE)));

static char *map(unsigned long len, int prot) {
    return (char *)sys(mmap, 0, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* A child that stops until it is killed or told to go on. */
static long stopped_child(long flags) {
    long child = clone_child(flags | SIGCHLD);
    if (child == 0) {
        letters[0] = 'A', letters[9] = 'J';
        sys(dup3, 1, 20, 0);
        sys(kill, sys(getpid), SIGSTOP);
        quit(letters[1]);
    }
    sys(wait4, child, 0, WHO_IS_STOPPED, 0);
    return child;
}

static void reading(long child) {
    struct iovec to[3] = {{buf, 4}, {buf + 10, 1}, {buf + 20, 30}}, from[2] = {{letters, 3}, {letters + 7, 3}};
    struct iovec half[2] = {{letters, 3}, {WILD, 3}}, nowhere = {WILD, 3}, large = {buf, ~0ul};
    feature(sys(process_vm_readv, child, to, 1, from, 1, 0));
    memset(buf, 0, sizeof buf);
    expect("process_vm_readv", 6, sys(process_vm_readv, child, to, 3, from, 2, 0));
    expect_yes("  contents", equal(buf, "Abch") && buf[10] == 'i' && buf[20] == 'J' && buf[21] == 0);
    expect("process_vm_readv as far as it goes", 3, sys(process_vm_readv, child, to, 3, half, 2, 0));
    expect("process_vm_readv wild there", -EFAULT, sys(process_vm_readv, child, to, 1, &nowhere, 1, 0));
    expect("process_vm_readv wild here", -EFAULT, sys(process_vm_readv, child, &nowhere, 1, from, 1, 0));
    expect("process_vm_readv wild list", -EFAULT, sys(process_vm_readv, child, to, 1, WILD, 1, 0));
    expect("process_vm_readv nothing", 0, sys(process_vm_readv, child, to, 0, from, 0, 0));
    expect("process_vm_readv many", -EINVAL, sys(process_vm_readv, child, to, 1, from, 1025, 0));
    expect("process_vm_readv large", -EINVAL, sys(process_vm_readv, child, &large, 1, from, 1, 0));
    expect("process_vm_readv flags", -EINVAL, sys(process_vm_readv, child, to, 1, from, 1, 1));
    expect("process_vm_readv of nobody", -ESRCH, sys(process_vm_readv, NOBODY, to, 1, from, 1, 0));
    char *closed = map(PAGE, PROT_READ);
    expect("process_vm_readv into read-only", -EFAULT,
           sys(process_vm_readv, child, (&(struct iovec){closed, 3}), 1, from, 1, 0));
}

static void writing(long child) {
    struct iovec from = {"XYZ", 3}, to[2] = {{letters + 1, 1}, {letters + 4, 2}};
    expect("process_vm_writev", 3, sys(process_vm_writev, child, &from, 1, to, 2, 0));
    expect_yes("  not here", letters[1] == 'b' && letters[4] == 'e');
    struct iovec back = {buf, 6}, all = {letters, 6};
    expect("process_vm_readv", 6, sys(process_vm_readv, child, &back, 1, &all, 1, 0));
    expect_yes("  contents", buf[0] == 'A' && buf[1] == 'X' && buf[2] == 'c' && buf[4] == 'Y' && buf[5] == 'Z');
    expect("process_vm_writev wild", -EFAULT, sys(process_vm_writev, child, &from, 1, (&(struct iovec){WILD, 3}), 1, 0));
    expect("process_vm_writev flags", -EINVAL, sys(process_vm_writev, child, &from, 1, to, 2, 1));
    expect("process_vm_writev to nobody", -ESRCH, sys(process_vm_writev, NOBODY, &from, 1, to, 2, 0));
    expect("process_vm_writev to itself", 3, sys(process_vm_writev, sys(getpid), &from, 1, (&(struct iovec){buf, 3}), 1, 0));
    expect_yes("  contents", buf[0] == 'X' && buf[2] == 'Z');
}

static void descriptors(long child) {
    int pidfd = (int)sys(pidfd_open, child, 0);
    long fd = feature(sys(pidfd_getfd, pidfd, 20, 0));
    expect_yes("pidfd_getfd", fd > 2);
    expect("  closed at execution", 1, sys(fcntl, fd, F_GETFD, 0));
    expect("pidfd_getfd none", -EBADF, sys(pidfd_getfd, pidfd, 21, 0));
    expect("pidfd_getfd flags", -EINVAL, sys(pidfd_getfd, pidfd, 20, 1));
    expect("pidfd_getfd bad descriptor", -EBADF, sys(pidfd_getfd, -1, 20, 0));
    expect("pidfd_getfd of no process", -EBADF, sys(pidfd_getfd, 1, 20, 0));
    feature(sys(kcmp, child, child, KCMP_VM, 0, 0));
    expect("kcmp of the two's file", 0, fd < 0 ? 0 : sys(kcmp, child, sys(getpid), KCMP_FILE, 20, fd));
    expect("kcmp of the same file", 0, sys(kcmp, child, child, KCMP_FILE, 1, 20));
    expect_yes("kcmp of files", sys(kcmp, child, child, KCMP_FILE, pidfd, 1) != 0);
    expect("kcmp of itself", 0, sys(kcmp, child, child, KCMP_VM, 0, 0));
    expect_yes("kcmp of memory", sys(kcmp, child, sys(getpid), KCMP_VM, 0, 0) > 0);
    expect_yes("kcmp of descriptors", sys(kcmp, child, sys(getpid), KCMP_FILES, 0, 0) > 0);
    expect_yes("kcmp of handlers", sys(kcmp, child, sys(getpid), KCMP_SIGHAND, 0, 0) > 0);
    expect_yes("kcmp is an order",
               sys(kcmp, child, sys(getpid), KCMP_FS, 0, 0) + sys(kcmp, sys(getpid), child, KCMP_FS, 0, 0) == 3);
    expect("kcmp no file", -EBADF, sys(kcmp, child, child, KCMP_FILE, 1, 999));
    expect("kcmp bad kind", -EINVAL, sys(kcmp, child, child, 99, 0, 0));
    expect("kcmp of nobody", -ESRCH, sys(kcmp, child, NOBODY, KCMP_VM, 0, 0));
    long sharing = stopped_child(CLONE_FILES | CLONE_FS);
    expect("kcmp of shared descriptors", 0, sys(kcmp, sharing, sys(getpid), KCMP_FILES, 0, 0));
    expect("kcmp of shared directories", 0, sys(kcmp, sharing, sys(getpid), KCMP_FS, 0, 0));
    sys(kill, sharing, SIGKILL), reap(sharing);
    sys(close, 20), sys(close, fd), sys(close, pidfd);
}

static void advice(long child) {
    int pidfd = (int)sys(pidfd_open, child, 0);
    struct iovec all = {page, PAGE}, odd = {page + 1, PAGE}, nowhere = {WILD, PAGE};
    feature(sys(process_madvise, pidfd, &all, 1, MADV_COLD, 0));
    expect("process_madvise", PAGE, sys(process_madvise, pidfd, &all, 1, MADV_COLD, 0));
    expect("process_madvise nothing", 0, sys(process_madvise, pidfd, &all, 0, MADV_WILLNEED, 0));
    expect("process_madvise unaligned", -EINVAL, sys(process_madvise, pidfd, &odd, 1, MADV_COLD, 0));
    expect("process_madvise nothing mapped", -ENOMEM, sys(process_madvise, pidfd, &nowhere, 1, MADV_COLD, 0));
    expect("process_madvise bad advice", -EINVAL, sys(process_madvise, pidfd, &all, 1, 12345, 0));
    expect("process_madvise flags", -EINVAL, sys(process_madvise, pidfd, &all, 1, MADV_COLD, 1));
    expect("process_madvise wild", -EFAULT, sys(process_madvise, pidfd, WILD, 1, MADV_COLD, 0));
    expect("process_madvise bad descriptor", -EBADF, sys(process_madvise, -1, &all, 1, MADV_COLD, 0));
    feature(sys(process_mrelease, -1, 0));
    expect("process_mrelease alive", -EINVAL, sys(process_mrelease, pidfd, 0));
    expect("process_mrelease flags", -EINVAL, sys(process_mrelease, pidfd, 1));
    expect("process_mrelease bad descriptor", -EBADF, sys(process_mrelease, -1, 0));
    sys(kill, child, SIGKILL);
    long result = sys(process_mrelease, pidfd, 0);
    /* It may have gone already. */
    expect_yes("process_mrelease", result == 0 || result == -ESRCH);
    sys(close, pidfd);
}

static void robust_lists(long child) {
    struct { void *next; long offset; void *pending; } list = {&list, 0, 0};
    void *head = WILD;
    long size = 0;
    show("get_robust_list", sys(get_robust_list, 0, &head, &size));
    show_yes("  none", head == 0);
    show("  size", size);
    show("set_robust_list", sys(set_robust_list, &list, sizeof list));
    show("get_robust_list", sys(get_robust_list, 0, &head, &size));
    show_yes("  set", head == &list);
    show("set_robust_list bad size", sys(set_robust_list, &list, 23));
    long result = sys(get_robust_list, child, &head, &size);
    show_yes("get_robust_list of a child", result == -EPERM || (result == 0 && head == 0));
    show("get_robust_list of nobody", sys(get_robust_list, NOBODY, &head, &size));
    show("get_robust_list wild", sys(get_robust_list, 0, WILD, &size));
    show("get_robust_list wild size", sys(get_robust_list, 0, &head, WILD));
    show("set_robust_list none", sys(set_robust_list, 0, sizeof list));
}

typedef struct { unsigned size, policy; uint64_t flags; int nice; unsigned priority; uint64_t rest[3]; } attributes;

static void scheduling(void) {
    long child = fork_child();
    if (child == 0) {
        attributes attr = {.size = 48, .policy = 3 /* batch */, .nice = 7}, seen = {0}, wrong = {.size = 48, .policy = 99};
        int priority = 0, wrong_priority = 5;
        show("sched_setattr", sys(sched_setattr, 0, &attr, 0));
        show("sched_getattr", sys(sched_getattr, 0, &seen, sizeof seen, 0));
        show("  policy", seen.policy), show("  nice", seen.nice);
        show("getpriority", sys(getpriority, 0, 0));
        attr.flags = 1 /* not for children */;
        show("sched_setattr for itself only", sys(sched_setattr, 0, &attr, 0));
        show_yes("sched_getscheduler", sys(sched_getscheduler, 0) == (3 | 0x40000000));
        long grandchild = fork_child();
        if (grandchild == 0) quit((int)sys(sched_getscheduler, 0));
        show_status("child", reap(grandchild));
        show("sched_setattr bad policy", sys(sched_setattr, 0, &wrong, 0));
        wrong = (attributes){.size = 48, .priority = 5};
        show("sched_setattr bad priority", sys(sched_setattr, 0, &wrong, 0));
        wrong = (attributes){.size = 48, .flags = 1 << 20};
        show("sched_setattr bad flags in it", sys(sched_setattr, 0, &wrong, 0));
        show("sched_setattr flags", sys(sched_setattr, 0, &attr, 1));
        attr.size = 8;
        show("sched_setattr small", sys(sched_setattr, 0, &attr, 0));
        show("  size", attr.size >= 48 ? 48 : attr.size);
        show("sched_setattr nothing", sys(sched_setattr, 0, 0, 0));
        show("sched_setattr wild", sys(sched_setattr, 0, WILD, 0));
        attr.size = 48;
        show("sched_setattr of nobody", sys(sched_setattr, NOBODY, &attr, 0));
        attr.policy = 5 /* idle */;
        show("sched_setattr idle", sys(sched_setattr, 0, &attr, 0));
        show_yes("sched_getscheduler", sys(sched_getscheduler, 0) == (5 | 0x40000000));
        show("sched_setparam", sys(sched_setparam, 0, &priority));
        show("sched_setparam bad priority", sys(sched_setparam, 0, &wrong_priority));
        show("sched_setparam nothing", sys(sched_setparam, 0, 0));
        show("sched_setparam wild", sys(sched_setparam, 0, WILD));
        show("sched_setparam negative", sys(sched_setparam, -1, &priority));
        show("sched_setparam of nobody", sys(sched_setparam, NOBODY, &priority));
        quit(0);
    }
    show_status("scheduling", reap(child));
}

/* A mask for the first node of memory that may be used. */
enum { NODES = 1024 };
static uint64_t mask[NODES / 64];

static void policies(void) {
    uint64_t seen[NODES / 64];
    int mode = -1, node = -1;
    feature(sys(get_mempolicy, 0, mask, NODES, 0, MPOL_F_MEMS_ALLOWED));
    int first = 0;
    while (there && first < NODES - 1 && !(mask[first / 64] >> (first % 64) & 1)) first++;
    memset(mask, 0, sizeof mask);
    mask[first / 64] = 1ul << (first % 64);
    expect("set_mempolicy", 0, sys(set_mempolicy, MPOL_BIND, mask, NODES));
    expect("get_mempolicy", 0, sys(get_mempolicy, &mode, seen, NODES, 0, 0));
    expect("  mode", MPOL_BIND, mode);
    expect_yes("  node", seen[first / 64] == mask[first / 64]);
    expect("set_mempolicy default", 0, sys(set_mempolicy, MPOL_DEFAULT, 0, 0));
    expect("get_mempolicy", 0, sys(get_mempolicy, &mode, 0, 0, 0, 0));
    expect("  mode", MPOL_DEFAULT, mode);
    expect("set_mempolicy bad mode", -EINVAL, sys(set_mempolicy, 99, mask, NODES));
    expect("set_mempolicy default of a node", -EINVAL, sys(set_mempolicy, MPOL_DEFAULT, mask, NODES));
    expect("set_mempolicy wild", -EFAULT, sys(set_mempolicy, MPOL_BIND, WILD, NODES));
    char *at = map(2 * PAGE, PROT_READ | PROT_WRITE);
    sys(madvise, at, 2 * PAGE, MADV_NOHUGEPAGE);
    expect("mbind", 0, sys(mbind, at, PAGE, MPOL_BIND, mask, NODES, 0));
    expect("get_mempolicy there", 0, sys(get_mempolicy, &mode, 0, 0, at, MPOL_F_ADDR));
    expect("  mode", MPOL_BIND, mode);
    expect("get_mempolicy behind it", 0, sys(get_mempolicy, &mode, 0, 0, at + PAGE, MPOL_F_ADDR));
    expect("  mode", MPOL_DEFAULT, mode);
    at[0] = 1;
    expect("get_mempolicy node", 0, sys(get_mempolicy, &node, 0, 0, at, MPOL_F_ADDR | MPOL_F_NODE));
    expect_yes("  node", node == first);
    expect("get_mempolicy bad flags", -EINVAL, sys(get_mempolicy, &mode, 0, 0, 0, 0x100));
    expect("get_mempolicy nothing mapped", -EFAULT, sys(get_mempolicy, &mode, 0, 0, WILD, MPOL_F_ADDR));
    expect("get_mempolicy wild", -EFAULT, sys(get_mempolicy, WILD, 0, 0, 0, 0));
    expect("mbind unaligned", -EINVAL, sys(mbind, at + 1, PAGE, MPOL_BIND, mask, NODES, 0));
    expect("mbind nothing mapped", -EFAULT, sys(mbind, WILD, PAGE, MPOL_BIND, mask, NODES, 0));
    expect("mbind bad flags", -EINVAL, sys(mbind, at, PAGE, MPOL_BIND, mask, NODES, 0x100));
    int before = there;
    if (there) feature(sys(set_mempolicy_home_node, at, PAGE, first, 0));
    expect("set_mempolicy_home_node", 0, sys(set_mempolicy_home_node, at, PAGE, first, 0));
    expect("set_mempolicy_home_node flags", -EINVAL, sys(set_mempolicy_home_node, at, PAGE, first, 1));
    expect("set_mempolicy_home_node unaligned", -EINVAL, sys(set_mempolicy_home_node, at + 1, PAGE, first, 0));
    expect("set_mempolicy_home_node no node", -EINVAL, sys(set_mempolicy_home_node, at, PAGE, 100000, 0));
    there = before;
    expect("mbind default", 0, sys(mbind, at, PAGE, MPOL_DEFAULT, 0, 0, 0));

    const void *pages[3] = {at, WILD, at + PAGE};
    int status[3] = {-1, -1, -1}, to[3] = {first, first, first};
    feature(sys(move_pages, 0, 1, pages, 0, status, 0));
    expect("move_pages where", 0, sys(move_pages, 0, 3, pages, 0, status, 0));
    expect_yes("  node", status[0] >= 0);
    expect("  nothing mapped", -EFAULT, status[1]);
    expect("  nothing there", -ENOENT, status[2]);
    expect("move_pages", 0, sys(move_pages, 0, 1, pages, to, status, MPOL_MF_MOVE));
    expect_yes("  node", status[0] == first);
    expect("move_pages bad flags", -EINVAL, sys(move_pages, 0, 1, pages, 0, status, 0x100));
    expect("move_pages of nobody", -ESRCH, sys(move_pages, NOBODY, 1, pages, 0, status, 0));
    expect("move_pages wild", -EFAULT, sys(move_pages, 0, 1, WILD, 0, status, 0));
    feature(sys(migrate_pages, 0, NODES, mask, mask));
    expect("migrate_pages", 0, sys(migrate_pages, 0, NODES, mask, mask));
    expect("migrate_pages of nobody", -ESRCH, sys(migrate_pages, NOBODY, NODES, mask, mask));
    expect("migrate_pages wild", -EFAULT, sys(migrate_pages, 0, NODES, WILD, mask));
    sys(munmap, at, 2 * PAGE);
}

/* Calls that a kernel may have or not, or no longer: none of these does anything. */
static void missing(void) {
    show_yes("lookup_dcookie", sys(lookup_dcookie, 0, WILD, 1) < 0);
    show_yes("map_shadow_stack", sys(map_shadow_stack, 0, PAGE, 1 << 8) < 0);
    show_yes("nfsservctl", sys(nfsservctl) < 0);
    long result = sys(ptrace, 16 /* attach */, NOBODY, 0, 0);
    show_yes("ptrace", result == -ESRCH || result == -ENOSYS || result == -EPERM);
    show_yes("rseq", sys(rseq, page + 1, 32, 0, 0) < 0);
    show("restart_syscall of nothing", sys(restart_syscall));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    page[0] = 1;
    missing();
    long child = stopped_child(0);
    robust_lists(child);
    reading(child);
    writing(child);
    long changed = there ? 'X' : 'b';
    descriptors(child);
    sys(kill, child, SIGCONT);
    show_yes("child has what was written", reap(child) == changed << 8);
    child = stopped_child(0);
    advice(child);
    show_status("child", reap(child));
    scheduling();
    policies();
    return 0;
}
