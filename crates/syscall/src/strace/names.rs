//! Names of flags and values, for the strace lines.

use libc::*;

/// The names of an argument's values: of one field that is read as a number
/// (an access mode, a command), and of single bits beside it.
#[derive(Debug, PartialEq, Eq)]
pub struct Names {
    /// The bits that are read as a number.
    pub field: u64,
    /// Names of that number.
    pub values: &'static [(u64, &'static str)],
    /// Names of the other bits, or of groups of them.
    pub bits: &'static [(u64, &'static str)],
}

/// Declares the names of an argument from the constants' own names.
macro_rules! names {
    ($($(#[$meta:meta])* $name:ident: $field:expr, [$($value:ident),*], [$($bit:ident),*];)*) => {$(
        $(#[$meta])*
        pub static $name: Names = Names {
            field: $field,
            values: &[$(($value as u32 as u64, stringify!($value))),*],
            bits: &[$(($bit as u32 as u64, stringify!($bit))),*],
        };
    )*};
}

/// Every bit: the argument is a number, no set of flags.
const ALL: u64 = u32::MAX as u64;
/// No bit: the argument is a set of flags.
const NONE: u64 = 0;

const FUTEX_CMD: u64 = 0x7f;
const EFD_SEMAPHORE: i32 = 1;
const EFD_CLOEXEC: i32 = O_CLOEXEC;
const EFD_NONBLOCK: i32 = O_NONBLOCK;
const F_SETSIG: i32 = 10;
const F_GETSIG: i32 = 11;
const F_SETOWN_EX: i32 = 15;
const F_GETOWN_EX: i32 = 16;
const CLONE_NEWTIME: i32 = 0x80;
const PR_RISCV_V_SET_CONTROL: i32 = 69;
const PR_RISCV_V_GET_CONTROL: i32 = 70;
const PR_RISCV_SET_ICACHE_FLUSH_CTX: i32 = 71;

names! {
    /// `openat`, `pipe2` and others.
    O: O_ACCMODE as u64, [O_RDONLY, O_WRONLY, O_RDWR],
        [O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC, O_APPEND, O_NONBLOCK, O_TMPFILE, O_SYNC, O_DSYNC, O_ASYNC, O_DIRECT,
         O_DIRECTORY, O_NOFOLLOW, O_NOATIME, O_CLOEXEC, O_PATH];
    /// Flags of the `at` calls.
    AT: NONE, [],
        [AT_SYMLINK_NOFOLLOW, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_NO_AUTOMOUNT, AT_EMPTY_PATH,
         AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC, AT_RECURSIVE, O_CLOEXEC];
    /// `access`.
    ACCESS: 7, [F_OK], [R_OK, W_OK, X_OK];
    /// `mmap`'s protection.
    PROT: 7, [PROT_NONE], [PROT_READ, PROT_WRITE, PROT_EXEC, PROT_GROWSDOWN, PROT_GROWSUP];
    /// `mmap`'s flags.
    MAP: 3, [MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE],
        [MAP_FIXED, MAP_ANONYMOUS, MAP_GROWSDOWN, MAP_DENYWRITE, MAP_EXECUTABLE, MAP_LOCKED, MAP_NORESERVE,
         MAP_POPULATE, MAP_NONBLOCK, MAP_STACK, MAP_HUGETLB, MAP_SYNC, MAP_FIXED_NOREPLACE];
    /// `mremap`.
    MREMAP: NONE, [], [MREMAP_MAYMOVE, MREMAP_FIXED, MREMAP_DONTUNMAP];
    /// `msync`.
    MSYNC: NONE, [], [MS_ASYNC, MS_INVALIDATE, MS_SYNC];
    /// `madvise`.
    MADVICE: ALL,
        [MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTFORK,
         MADV_DOFORK, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP,
         MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE,
         MADV_DONTNEED_LOCKED, MADV_COLLAPSE], [];
    /// `clone` and `unshare`; the lowest byte is the exit signal.
    CLONE: 0xff, [SIGCHLD, CLONE_NEWTIME],
        [CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_PIDFD, CLONE_PTRACE, CLONE_VFORK, CLONE_PARENT,
         CLONE_THREAD, CLONE_NEWNS, CLONE_SYSVSEM, CLONE_SETTLS, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID,
         CLONE_DETACHED, CLONE_UNTRACED, CLONE_CHILD_SETTID, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
         CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_IO];
    /// `lseek`.
    WHENCE: ALL, [SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE], [];
    /// Clocks.
    CLOCK: ALL,
        [CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
         CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM,
         CLOCK_TAI], [];
    /// `timer_settime`, `clock_nanosleep`.
    TIMER: NONE, [], [TIMER_ABSTIME];
    /// `setitimer`.
    ITIMER: ALL, [ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF], [];
    /// `wait4`, `waitid`.
    WAIT: NONE, [], [WNOHANG, WUNTRACED, WEXITED, WCONTINUED, WNOWAIT, __WNOTHREAD, __WALL, __WCLONE];
    /// `waitid`.
    WAITID: ALL, [P_ALL, P_PID, P_PGID, P_PIDFD], [];
    /// `fcntl`.
    FCNTL: ALL,
        [F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_SETOWN, F_GETOWN, F_SETSIG, F_GETSIG,
         F_SETOWN_EX, F_GETOWN_EX, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_SETLEASE, F_GETLEASE, F_NOTIFY,
         F_DUPFD_CLOEXEC, F_SETPIPE_SZ, F_GETPIPE_SZ, F_ADD_SEALS, F_GET_SEALS], [];
    /// `futex`.
    FUTEX: FUTEX_CMD,
        [FUTEX_WAIT, FUTEX_WAKE, FUTEX_FD, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP, FUTEX_LOCK_PI,
         FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET, FUTEX_WAIT_REQUEUE_PI,
         FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI2],
        [FUTEX_PRIVATE_FLAG, FUTEX_CLOCK_REALTIME];
    /// `flock`.
    LOCK: NONE, [], [LOCK_SH, LOCK_EX, LOCK_NB, LOCK_UN];
    /// `fallocate`.
    FALLOCATE: NONE, [],
        [FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_ZERO_RANGE,
         FALLOC_FL_INSERT_RANGE, FALLOC_FL_UNSHARE_RANGE];
    /// `splice`.
    SPLICE: NONE, [], [SPLICE_F_MOVE, SPLICE_F_NONBLOCK, SPLICE_F_MORE, SPLICE_F_GIFT];
    /// `renameat2`.
    RENAME: NONE, [], [RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT];
    /// `getrandom`.
    GRND: NONE, [], [GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE];
    /// `memfd_create`.
    MEMFD: NONE, [], [MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_HUGETLB, MFD_NOEXEC_SEAL, MFD_EXEC];
    /// `eventfd2`.
    EVENTFD: NONE, [], [EFD_SEMAPHORE, EFD_CLOEXEC, EFD_NONBLOCK];
    /// `epoll_create1`.
    EPOLL_CREATE: NONE, [], [EPOLL_CLOEXEC];
    /// `epoll_ctl`.
    EPOLL_OP: ALL, [EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD], [];
    /// `rt_sigprocmask`.
    SIGHOW: ALL, [SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK], [];
    /// Resource limits.
    RESOURCE: ALL,
        [RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_RSS, RLIMIT_NPROC, RLIMIT_NOFILE,
         RLIMIT_MEMLOCK, RLIMIT_AS, RLIMIT_LOCKS, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_RTPRIO,
         RLIMIT_RTTIME], [];
    /// `getrusage`.
    RUSAGE: ALL, [RUSAGE_SELF, RUSAGE_CHILDREN, RUSAGE_THREAD], [];
    /// Address families.
    FAMILY: ALL,
        [AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK], [];
    /// Types of sockets.
    SOCKET: 0xf, [SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_RDM, SOCK_SEQPACKET], [SOCK_CLOEXEC, SOCK_NONBLOCK];
    /// `sendto` and others.
    MSG: NONE, [],
        [MSG_OOB, MSG_PEEK, MSG_DONTROUTE, MSG_CTRUNC, MSG_TRUNC, MSG_DONTWAIT, MSG_EOR, MSG_WAITALL, MSG_CONFIRM,
         MSG_ERRQUEUE, MSG_NOSIGNAL, MSG_MORE, MSG_WAITFORONE, MSG_FASTOPEN, MSG_CMSG_CLOEXEC];
    /// `shutdown`.
    SHUTDOWN: ALL, [SHUT_RD, SHUT_WR, SHUT_RDWR], [];
    /// `statx`.
    STATX: NONE, [],
        [STATX_ALL, STATX_BASIC_STATS, STATX_TYPE, STATX_MODE, STATX_NLINK, STATX_UID, STATX_GID, STATX_ATIME,
         STATX_MTIME, STATX_CTIME, STATX_INO, STATX_SIZE, STATX_BLOCKS, STATX_BTIME, STATX_MNT_ID];
    /// `close_range`.
    CLOSE_RANGE: NONE, [], [CLOSE_RANGE_UNSHARE, CLOSE_RANGE_CLOEXEC];
    /// `prctl`.
    PRCTL: ALL,
        [PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_GET_KEEPCAPS, PR_SET_KEEPCAPS,
         PR_GET_TIMING, PR_SET_TIMING, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_SET_SECCOMP, PR_CAPBSET_READ,
         PR_CAPBSET_DROP, PR_GET_SECUREBITS, PR_SET_SECUREBITS, PR_SET_TIMERSLACK, PR_GET_TIMERSLACK,
         PR_MCE_KILL, PR_MCE_KILL_GET, PR_SET_MM, PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER,
         PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_GET_TID_ADDRESS, PR_SET_THP_DISABLE, PR_GET_THP_DISABLE,
         PR_CAP_AMBIENT, PR_RISCV_V_SET_CONTROL, PR_RISCV_V_GET_CONTROL, PR_RISCV_SET_ICACHE_FLUSH_CTX,
         PR_SET_VMA, PR_SET_PTRACER], [];
}

/// Names of the signals 1 to 31.
pub static SIGNALS: &[&str] = &[
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// Names of the error numbers from 1 on; `-` where there is none.
pub static ERRORS: &str = "EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM \
    EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY \
    EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP \
    - ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL ENOANO \
    EBADRQC EBADSLT - EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM \
    EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX \
    ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT \
    EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN \
    ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT \
    ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO \
    EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD \
    ENOTRECOVERABLE ERFKILL EHWPOISON";

/// The name of an error number, such as `ENOENT`.
pub fn error(number: i32) -> Option<&'static str> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    ERRORS.split_ascii_whitespace().nth(index).filter(|name| *name != "-")
}

/// The name of a signal, such as `SIGINT` or `SIGRT_2`.
pub fn signal(number: u64) -> String {
    match number {
        1..=31 => SIGNALS[number as usize - 1].to_string(),
        32..=64 => format!("SIGRT_{}", number - 32),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_names_match_the_c_library() {
        assert_eq!(error(EPERM), Some("EPERM"));
        assert_eq!(error(ENOSYS), Some("ENOSYS"));
        assert_eq!(error(41), None);
        assert_eq!(error(ENOMSG), Some("ENOMSG"));
        assert_eq!(error(EOVERFLOW), Some("EOVERFLOW"));
        assert_eq!(error(ETIMEDOUT), Some("ETIMEDOUT"));
        assert_eq!(error(EHWPOISON), Some("EHWPOISON"));
        assert_eq!((error(0), error(134), error(-1)), (None, None, None));
    }

    #[test]
    fn signal_names_match_the_c_library() {
        assert_eq!(signal(SIGSYS as u64), "SIGSYS");
        assert_eq!(signal(SIGCHLD as u64), "SIGCHLD");
        assert_eq!(signal(34), "SIGRT_2");
        assert_eq!(signal(0), "0");
    }
}
