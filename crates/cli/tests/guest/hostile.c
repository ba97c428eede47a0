/* build: -O1 -static -nostdlib -fno-builtin */
/* Every system call, with arguments that no program means: none may end the VM, and
 * the errors are the kernel's.
 *
 * Not called, because with these arguments they would
 *   exit, exit_group       end the child before it can tell;
 *   kill                   reach every process of the user (-1);
 *   clone                  make processes and threads that nobody waits for;
 *   reboot, vhangup        stop the machine, hang up the user's terminal;
 *   sync, syncfs           write all of the machine's data;
 *   msgget                 leave a message queue behind (IPC_CREAT is among the bits of -1);
 *   acct                   turn on accounting. */
#include "guest.h"
#include <asm/mman.h>
#include <linux/mman.h>
#include <linux/time.h>

#ifdef __riscv
#include "young.h"
/* Younger than some headers, too. */
#ifndef __NR_riscv_hwprobe
#define __NR_riscv_hwprobe 258
#endif
#ifndef __NR_mseal
#define __NR_mseal 462
#endif
#endif

/* Calls whose errors are the same for any user and on any Linux since 5.11. */
#define SAME(CALL) \
    CALL(getcwd) CALL(eventfd2) CALL(epoll_create1) CALL(epoll_ctl) CALL(epoll_pwait) CALL(dup) CALL(dup3) \
    CALL(fcntl) CALL(inotify_init1) CALL(inotify_add_watch) CALL(inotify_rm_watch) CALL(ioctl) \
    CALL(ioprio_set) CALL(ioprio_get) CALL(flock) CALL(mknodat) CALL(mkdirat) CALL(unlinkat) CALL(symlinkat) \
    CALL(linkat) CALL(statfs) CALL(fstatfs) CALL(truncate) CALL(ftruncate) CALL(fallocate) CALL(faccessat) \
    CALL(chdir) CALL(fchdir) CALL(fchmod) CALL(fchmodat) CALL(openat) CALL(close) CALL(pipe2) \
    CALL(getdents64) CALL(lseek) CALL(read) CALL(write) CALL(readv) CALL(writev) CALL(pread64) CALL(pwrite64) \
    CALL(preadv) CALL(pwritev) CALL(sendfile) CALL(pselect6) CALL(ppoll) CALL(signalfd4) CALL(vmsplice) \
    CALL(splice) CALL(tee) CALL(readlinkat) CALL(newfstatat) CALL(fstat) CALL(fsync) CALL(fdatasync) \
    CALL(sync_file_range) CALL(timerfd_create) CALL(timerfd_settime) CALL(timerfd_gettime) CALL(utimensat) \
    CALL(capget) CALL(capset) CALL(waitid) CALL(set_tid_address) CALL(futex) CALL(set_robust_list) \
    CALL(nanosleep) CALL(getitimer) CALL(setitimer) CALL(timer_create) CALL(timer_gettime) \
    CALL(timer_getoverrun) CALL(timer_settime) CALL(timer_delete) CALL(clock_gettime) CALL(clock_getres) \
    CALL(clock_nanosleep) CALL(sched_setparam) CALL(sched_setscheduler) CALL(sched_setaffinity) \
    CALL(sched_yield) CALL(sched_get_priority_max) CALL(sched_get_priority_min) CALL(tgkill) \
    CALL(sigaltstack) CALL(rt_sigsuspend) CALL(rt_sigaction) CALL(rt_sigprocmask) CALL(rt_sigpending) \
    CALL(rt_sigtimedwait) CALL(rt_sigqueueinfo) CALL(setpriority) CALL(getpriority) CALL(getresuid) \
    CALL(getresgid) CALL(setfsuid) CALL(setfsgid) CALL(times) CALL(setpgid) CALL(setsid) CALL(getgroups) \
    CALL(uname) CALL(getrlimit) CALL(setrlimit) CALL(getrusage) CALL(umask) CALL(prctl) CALL(getcpu) \
    CALL(gettimeofday) CALL(getpid) CALL(getppid) CALL(getuid) CALL(geteuid) CALL(getgid) CALL(getegid) \
    CALL(gettid) CALL(sysinfo) CALL(msgctl) CALL(msgrcv) CALL(msgsnd) CALL(semget) CALL(semctl) \
    CALL(semtimedop) CALL(semop) CALL(shmctl) CALL(shmat) CALL(shmdt) CALL(socket) CALL(socketpair) \
    CALL(bind) CALL(listen) CALL(accept) CALL(connect) CALL(getsockname) CALL(getpeername) CALL(sendto) \
    CALL(recvfrom) CALL(setsockopt) CALL(getsockopt) CALL(shutdown) CALL(sendmsg) CALL(recvmsg) \
    CALL(readahead) CALL(brk) CALL(munmap) CALL(mremap) CALL(execve) CALL(mmap) CALL(fadvise64) \
    CALL(mprotect) CALL(msync) CALL(munlock) CALL(munlockall) CALL(mincore) CALL(madvise) \
    CALL(rt_tgsigqueueinfo) CALL(accept4) CALL(recvmmsg) CALL(wait4) CALL(prlimit64) CALL(name_to_handle_at) \
    CALL(sendmmsg) CALL(process_vm_readv) CALL(process_vm_writev) CALL(sched_setattr) CALL(sched_getattr) \
    CALL(renameat2) CALL(getrandom) CALL(memfd_create) CALL(execveat) CALL(membarrier) CALL(copy_file_range) \
    CALL(preadv2) CALL(pwritev2) CALL(statx) CALL(pidfd_send_signal) CALL(pidfd_open) CALL(clone3) \
    CALL(close_range) CALL(openat2) CALL(pidfd_getfd) CALL(faccessat2) CALL(epoll_pwait2)

/* Calls whose errors depend on the user, on the processes that there are, on the
 * kernel's version or on how it was built, and calls that one of the architectures does not have. */
#define DIFFERENT(CALL) \
    CALL(lookup_dcookie) CALL(nfsservctl) CALL(umount2) CALL(mount) CALL(pivot_root) CALL(chroot) \
    CALL(fchown) CALL(fchownat) CALL(quotactl) CALL(kexec_load) CALL(init_module) CALL(delete_module) \
    CALL(ptrace) CALL(restart_syscall) CALL(sethostname) CALL(setdomainname) \
    CALL(setgroups) CALL(setuid) CALL(setgid) CALL(setreuid) CALL(setregid) CALL(setresuid) CALL(setresgid) \
    CALL(swapon) CALL(swapoff) CALL(remap_file_pages) CALL(mbind) CALL(get_mempolicy) CALL(set_mempolicy) \
    CALL(migrate_pages) CALL(move_pages) CALL(perf_event_open) CALL(riscv_hwprobe) CALL(riscv_flush_icache) \
    CALL(fanotify_init) CALL(fanotify_mark) CALL(open_by_handle_at) CALL(kcmp) CALL(finit_module) \
    CALL(seccomp) CALL(bpf) CALL(userfaultfd) CALL(rseq) CALL(kexec_file_load) CALL(pkey_mprotect) \
    CALL(pkey_alloc) CALL(pkey_free) CALL(io_uring_setup) CALL(io_uring_enter) CALL(io_uring_register) \
    CALL(open_tree) CALL(move_mount) CALL(fsopen) CALL(fsconfig) CALL(fsmount) CALL(fspick) \
    CALL(mount_setattr) CALL(quotactl_fd) CALL(landlock_create_ruleset) CALL(landlock_add_rule) \
    CALL(landlock_restrict_self) CALL(memfd_secret) CALL(process_mrelease) CALL(futex_waitv) \
    CALL(set_mempolicy_home_node) CALL(cachestat) CALL(fchmodat2) CALL(map_shadow_stack) CALL(futex_wake) \
    CALL(futex_wait) CALL(futex_requeue) CALL(statmount) CALL(listmount) CALL(lsm_get_self_attr) \
    CALL(lsm_set_self_attr) CALL(lsm_list_modules) CALL(mseal) CALL(add_key) CALL(request_key) CALL(keyctl) \
    CALL(syslog) CALL(settimeofday) CALL(adjtimex) CALL(clock_settime) CALL(clock_adjtime) CALL(mlock) \
    CALL(mlock2) CALL(mlockall) CALL(mq_open) CALL(mq_unlink) CALL(mq_timedsend) CALL(mq_timedreceive) \
    CALL(mq_notify) CALL(mq_getsetattr) CALL(shmget) CALL(personality) CALL(process_madvise) CALL(io_setup) \
    CALL(io_destroy) CALL(io_submit) CALL(io_cancel) CALL(io_getevents) CALL(io_pgetevents) CALL(setns) \
    CALL(unshare) CALL(setxattr) CALL(lsetxattr) CALL(fsetxattr) CALL(getxattr) CALL(lgetxattr) \
    CALL(fgetxattr) CALL(listxattr) CALL(llistxattr) CALL(flistxattr) CALL(removexattr) CALL(lremovexattr) \
    CALL(fremovexattr) CALL(get_robust_list) CALL(sched_getscheduler) CALL(sched_getparam) \
    CALL(sched_rr_get_interval) CALL(getpgid) CALL(getsid) CALL(sched_getaffinity) CALL(tkill)

enum { PATTERNS = 5, PATIENCE = 20 };

/* A file's name and zeros, at an address that is the same on both architectures: some
 * calls take the pointer for a number. */
#define NAME ((char *)0x50000000ul)

/* In a child of its own, and not for ever. */
static void attempt(const char *name, long nr, int tell) {
    long child = fork_child();
    if (child == 0) {
        struct { long isec, iusec, sec, usec; } limit = {0, 0, PATIENCE, 0};
        sys(setitimer, 0, &limit, 0);
        long wild = (long)WILD, outside = (long)OUTSIDE, huge = 1l << 62, file = (long)NAME;
        const long args[PATTERNS][6] = {
            {wild, wild, wild, wild, wild, wild},
            {-1, -1, -1, -1, -1, -1},
            {outside, outside, outside, outside, outside, outside},
            {3, wild, huge, -1, wild, -1},
            {AT_FDCWD, file, wild, -1, wild, -1},
        };
        long results[PATTERNS];
        for (int i = 0; i < PATTERNS; i++) {
            const long *a = args[i];
            results[i] = syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        }
        put(name), put(":");
        for (int i = 0; i < PATTERNS && tell; i++) {
            put(" ");
            if (results[i] < 0 && results[i] > -4096) error(results[i]);
            else put("value");
        }
        put(tell ? "\n" : " survived\n");
        quit(0);
    }
    int status = reap(child);
    if (status != 0) show_status(name, status);
}

/* Numbers that no call of the architecture has. */
static void unassigned(void) {
    int wrong = 0;
#ifdef __riscv
    static const long ranges[][2] = {{38, 38}, {244, 257}, {295, 423}, {99990, 100010}, {-5, -1}};
#else
    static const long ranges[][2] = {{337, 423}, {99990, 100010}, {-5, -1}};
#endif
    for (unsigned i = 0; i < sizeof ranges / sizeof *ranges; i++)
        for (long nr = ranges[i][0]; nr <= ranges[i][1]; nr++)
            wrong += syscall6(nr, (long)WILD, -1, (long)OUTSIDE, -1, (long)WILD, -1) != -ENOSYS;
    show("numbers without a call that are not ENOSYS", wrong);
}

/* All that is behind the name goes away, stack included: the program dies of it. */
static void unmapping(void) {
    long child = fork_child();
    if (child == 0) {
        sys(munmap, NAME + 4096, (1ul << 47) - 8192 - (unsigned long)NAME);
        quit(reap(fork_child()));
    }
    show_status("everything unmapped", reap(child));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    sys(mmap, NAME, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    memcpy(NAME, "file", 5);
    sys(close, sys(openat, AT_FDCWD, NAME, O_WRONLY | O_CREAT, 0600));
    sys(openat, AT_FDCWD, NAME, O_RDONLY);
#define TELL(name) attempt(#name, __NR_##name, 1);
    SAME(TELL)
#ifdef __riscv
#define SURVIVE(name) attempt(#name, __NR_##name, 0);
#else
    /* The native kernel's survival is not in question. */
#define SURVIVE(name) put(#name ": survived\n");
#endif
    DIFFERENT(SURVIVE)
    unassigned();
    unmapping();
    return 0;
}
