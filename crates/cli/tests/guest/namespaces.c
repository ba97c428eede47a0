/* build: -O1 -static -nostdlib -fno-builtin */
/* Names, mounts and roots of a namespace's own; and what one without privileges may not. */
#include "features.h"
#include <asm/signal.h>
#include <asm/statfs.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <linux/timex.h>
#include <linux/utsname.h>

#define MNT_DETACH 2
#define MNT_EXPIRE 4
#define UMOUNT_NOFOLLOW 8

static char buf[4096];

static long make(const char *path, const char *text) {
    long fd = sys(openat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    if (fd < 0) return fd;
    long written = sys(write, fd, text, length(text));
    sys(close, fd);
    return written;
}

static int holds(const char *path, const char *text) {
    long fd = sys(openat, AT_FDCWD, path, O_RDONLY);
    if (fd < 0) return 0;
    long got = sys(read, fd, buf, sizeof buf - 1);
    sys(close, fd);
    buf[got > 0 ? got : 0] = 0;
    return equal(buf, text);
}

static void in_child(const char *name, void (*run)(void)) {
    long child = fork_child();
    if (child == 0) run(), quit(0);
    show_status(name, reap(child));
}

/* A file of /proc that takes one line. */
static long tell(const char *path, const char *text) {
    long fd = sys(openat, AT_FDCWD, path, O_WRONLY);
    if (fd < 0) return fd;
    long result = sys(write, fd, text, length(text));
    sys(close, fd);
    return result;
}

static char *mapping(long inside, long outside) {
    static char line[64];
    char *at = line + sizeof line - 1;
    const long values[3] = {1, outside, inside};
    for (int i = 0; i < 3; i++) {
        unsigned long rest = (unsigned long)values[i];
        *--at = i ? ' ' : '\n';
        do *--at = (char)('0' + rest % 10); while (rest /= 10);
    }
    return at;
}

/* Enters namespaces of its own, if that is allowed and not in name only. */
static void enter(long user, long group) {
    long result = sys(unshare, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS);
    if (result == 0) result = sys(mount, "none", "room", "tmpfs", 0, 0);
    if (result == 0) result = sys(umount2, "room", 0);
    there = result == 0;
    expect_yes("nobody yet", sys(getuid) == 65534 && sys(geteuid) == 65534);
    expect("setgroups", -EPERM, sys(setgroups, 0, 0));
    expect("  denied", 4, tell("/proc/self/setgroups", "deny"));
    expect_yes("users", tell("/proc/self/uid_map", mapping(0, user)) > 0);
    expect_yes("groups", tell("/proc/self/gid_map", mapping(0, group)) > 0);
    expect("  again", -EPERM, tell("/proc/self/uid_map", mapping(0, user)));
    expect("getuid", 0, sys(getuid));
    expect("getgid", 0, sys(getgid));
    expect("setgroups", -EPERM, sys(setgroups, 0, 0));
    expect("setregid", 0, sys(setregid, 0, -1));
    expect("setregid both", 0, sys(setregid, -1, 0));
    expect("setregid to none", -EINVAL, sys(setregid, 5, 5));
    expect("setreuid to none", -EINVAL, sys(setreuid, 5, 5));
}

static void names(void) {
    struct new_utsname about;
    expect("sethostname", 0, sys(sethostname, "our-host.x", 8));
    expect("setdomainname", 0, sys(setdomainname, "our-domain", 10));
    expect("uname", 0, sys(uname, &about));
    expect_yes("  host", equal(about.nodename, "our-host"));
    expect_yes("  domain", equal(about.domainname, "our-domain"));
    expect("sethostname empty", 0, sys(sethostname, "", 0));
    expect("sethostname long", -EINVAL, sys(sethostname, buf, 65));
    expect("sethostname negative", -EINVAL, sys(sethostname, "x", -1));
    expect("sethostname wild", -EFAULT, sys(sethostname, WILD, 4));
    expect("setdomainname long", -EINVAL, sys(setdomainname, buf, 65));
    expect("setdomainname wild", -EFAULT, sys(setdomainname, WILD, 4));
}

static void mounts(void) {
    struct statfs about;
    expect("mount", 0, sys(mount, "none", "room", "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=750"));
    expect("statfs", 0, sys(statfs, "room", &about));
    expect_yes("  kind", about.f_type == TMPFS_MAGIC);
    expect("  size", 65536, (long)about.f_blocks * about.f_bsize);
    expect("  flags", MS_NOSUID | MS_NODEV, about.f_flags & 15);
    expect("make a file", 4, make("room/file", "text"));
    long fd = sys(openat, AT_FDCWD, "room/file", O_RDONLY);
    expect("umount2 while in use", -EBUSY, sys(umount2, "room", 0));
    expect("umount2 if unused, in use", -EBUSY, sys(umount2, "room", MNT_EXPIRE));
    expect("mkdirat", 0, sys(mkdirat, AT_FDCWD, "room/inner", 0700));
    expect("make a file", 5, make("room/inner/file", "inner"));
    expect("mount the same elsewhere", 0, sys(mount, "room/inner", "other", 0, MS_BIND, 0));
    expect_yes("  contents", holds("other/file", "inner"));
    expect("mount it read-only", 0, sys(mount, 0, "other", 0, MS_REMOUNT | MS_BIND | MS_RDONLY, 0));
    expect("  write", -EROFS, make("other/file", "x"));
    expect("  write where it is not", 1, make("room/inner/file", "y"));
    expect("mount once more", 0, sys(mount, "none", "other", "tmpfs", 0, 0));
    expect_yes("  covers", !holds("other/file", "y"));
    expect("umount2 upper", 0, sys(umount2, "other", 0));
    expect_yes("  contents", holds("other/file", "y"));
    expect("mount moved", 0, sys(mount, "other", "third", 0, MS_MOVE, 0));
    expect_yes("  contents", holds("third/file", "y") && !holds("other/file", "y"));
    expect("umount2 moved", 0, sys(umount2, "third", 0));
    expect("umount2 link", -EINVAL, sys(umount2, "link", UMOUNT_NOFOLLOW));
    expect("umount2 detached", 0, sys(umount2, "link", MNT_DETACH));
    expect_yes("  nothing", !holds("room/file", "text"));
    expect("  open file", 4, sys(read, fd, buf, sizeof buf));
    if (there) sys(close, fd);
    expect("umount2 nothing", -EINVAL, sys(umount2, "room", 0));
    expect("mount", 0, sys(mount, "none", "room", "tmpfs", 0, 0));
    expect("umount2 if unused", -EAGAIN, sys(umount2, "room", MNT_EXPIRE));
    expect("umount2 still unused", 0, sys(umount2, "room", MNT_EXPIRE));
    expect("umount2 bad flags", -EINVAL, sys(umount2, "room", 0x100));
    expect("umount2 expire and detach", -EINVAL, sys(umount2, "room", MNT_EXPIRE | MNT_DETACH));
    expect("umount2 no directory", -ENOENT, sys(umount2, "none", 0));
    expect("umount2 wild", -EFAULT, sys(umount2, WILD, 0));
    expect("mount bad kind", -ENODEV, sys(mount, "none", "room", "no such kind", 0, 0));
    expect("mount no kind", -EINVAL, sys(mount, "none", "room", 0, 0, 0));
    expect("mount bad option", -EINVAL, sys(mount, "none", "room", "tmpfs", 0, "nonsense=1"));
    expect("mount on a file", -ENOTDIR, sys(mount, "none", "file", "tmpfs", 0, 0));
    expect("mount no directory", -ENOENT, sys(mount, "none", "none", "tmpfs", 0, 0));
    expect("mount from no directory", -ENOENT, sys(mount, "none", "room", 0, MS_BIND, 0));
    expect("mount wild", -EFAULT, sys(mount, "none", WILD, "tmpfs", 0, 0));
    expect("mount wild kind", -EFAULT, sys(mount, "none", "room", WILD, 0, 0));
    expect("mount wild options", -EFAULT, sys(mount, "none", "room", "tmpfs", 0, OUTSIDE));
    expect("remount nothing", -EINVAL, sys(mount, 0, "room", 0, MS_REMOUNT | MS_RDONLY, 0));
}

static void mounts_in_steps(void) {
    struct statfs about;
    long fs = there ? feature(sys(fsopen, "tmpfs", FSOPEN_CLOEXEC)) : -ENOSYS;
    expect_yes("fsopen", fs > 2);
    expect("fsopen bad kind", -ENODEV, sys(fsopen, "no such kind", 0));
    expect("fsopen bad flags", -EINVAL, sys(fsopen, "tmpfs", 1u << 31));
    expect("fsopen wild", -EFAULT, sys(fsopen, WILD, 0));
    expect("fsmount too early", -EINVAL, sys(fsmount, fs, 0, 0));
    expect("fsconfig", 0, sys(fsconfig, fs, FSCONFIG_SET_STRING, "size", "32k", 0));
    expect("fsconfig unknown", -EINVAL, sys(fsconfig, fs, FSCONFIG_SET_STRING, "nonsense", "1", 0));
    long said = sys(read, fs, buf, sizeof buf);
    expect_yes("  says why", said > 2 && buf[0] == 'e' && buf[1] == ' ');
    expect("fsconfig flag with a value", -EINVAL, sys(fsconfig, fs, FSCONFIG_SET_FLAG, "ro", "1", 0));
    expect("fsconfig bad command", -EOPNOTSUPP, sys(fsconfig, fs, 99, 0, 0, 0));
    expect("fsconfig wild", -EFAULT, sys(fsconfig, fs, FSCONFIG_SET_FLAG, WILD, 0, 0));
    expect("fsconfig bad descriptor", -EBADF, sys(fsconfig, 999, FSCONFIG_SET_FLAG, "ro", 0, 0));
    expect("fsconfig of no file system", -EINVAL, sys(fsconfig, 1, FSCONFIG_SET_FLAG, "ro", 0, 0));
    expect("fsconfig create", 0, sys(fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0));
    expect("fsmount bad attributes", -EINVAL, sys(fsmount, fs, 0, 1u << 31));
    expect("fsmount bad flags", -EINVAL, sys(fsmount, fs, 1u << 31, 0));
    long tree = sys(fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
    expect_yes("fsmount", tree > 2);
    expect("fsmount again", -EBUSY, sys(fsmount, fs, 0, 0));
    expect("move_mount no path", -ENOENT, sys(move_mount, tree, "", AT_FDCWD, "room", 0));
    expect("move_mount", 0, sys(move_mount, tree, "", AT_FDCWD, "room", MOVE_MOUNT_F_EMPTY_PATH));
    expect("move_mount bad flags", -EINVAL, sys(move_mount, tree, "", AT_FDCWD, "other", 1u << 30));
    expect("move_mount wild", -EFAULT, sys(move_mount, AT_FDCWD, WILD, AT_FDCWD, "other", 0));
    expect("statfs", 0, sys(statfs, "room", &about));
    expect_yes("  kind", about.f_type == TMPFS_MAGIC);
    expect("  size", 32768, (long)about.f_blocks * about.f_bsize);
    expect("  flags", MS_NODEV | MS_NOATIME, about.f_flags & (15 | MS_NOATIME));
    expect("make a file", 4, make("room/file", "text"));
    if (there) sys(mkdirat, AT_FDCWD, "room/inner", 0700);

    long clone = sys(open_tree, AT_FDCWD, "room", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    expect_yes("open_tree clone", clone > 2);
    long fd = sys(openat, clone, "file", O_RDONLY);
    expect("  read from it", 4, sys(read, fd, buf, sizeof buf));
    expect("move_mount of it", 0, sys(move_mount, clone, "", AT_FDCWD, "other", MOVE_MOUNT_F_EMPTY_PATH));
    expect_yes("  contents", holds("other/file", "text"));
    expect_yes("open_tree", sys(open_tree, AT_FDCWD, "other", OPEN_TREE_CLOEXEC) > 2);
    expect("open_tree bad flags", -EINVAL, sys(open_tree, AT_FDCWD, "room", 1 << 30));
    expect("open_tree no directory", -ENOENT, sys(open_tree, AT_FDCWD, "none", OPEN_TREE_CLONE));
    expect("open_tree wild", -EFAULT, sys(open_tree, AT_FDCWD, WILD, OPEN_TREE_CLONE));
    expect("move_mount by name", 0, sys(move_mount, AT_FDCWD, "other", AT_FDCWD, "third", 0));
    expect_yes("  contents", holds("third/file", "text") && !holds("other/file", "text"));

    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY}, wrong = {.attr_set = 1ul << 40};
    expect("mount_setattr", 0, sys(mount_setattr, AT_FDCWD, "third", 0, &attr, sizeof attr));
    expect("  write", -EROFS, make("third/file", "x"));
    attr = (struct mount_attr){.attr_clr = MOUNT_ATTR_RDONLY};
    expect("mount_setattr back", 0, sys(mount_setattr, AT_FDCWD, "third", AT_RECURSIVE, &attr, sizeof attr));
    expect("  write", 4, make("third/file", "more"));
    expect("mount_setattr nothing", 0, sys(mount_setattr, AT_FDCWD, "third", 0, (&(struct mount_attr){0}), sizeof attr));
    expect("mount_setattr bad attribute", -EINVAL, sys(mount_setattr, AT_FDCWD, "third", 0, &wrong, sizeof attr));
    expect("mount_setattr short", -EINVAL, sys(mount_setattr, AT_FDCWD, "third", 0, &attr, 8));
    expect("mount_setattr of no mount", -EINVAL, sys(mount_setattr, AT_FDCWD, "third/inner", 0, &attr, sizeof attr));
    expect("mount_setattr bad flags", -EINVAL, sys(mount_setattr, AT_FDCWD, "third", 1 << 30, &attr, sizeof attr));
    expect("mount_setattr wild", -EFAULT, sys(mount_setattr, AT_FDCWD, "third", 0, WILD, sizeof attr));

    long pick = sys(fspick, AT_FDCWD, "room", FSPICK_CLOEXEC);
    expect_yes("fspick", pick > 2);
    expect("fsconfig", 0, sys(fsconfig, pick, FSCONFIG_SET_STRING, "size", "48k", 0));
    expect("fsconfig create", -EBUSY, sys(fsconfig, pick, FSCONFIG_CMD_CREATE, 0, 0, 0));
    expect("fsconfig reconfigure", 0, sys(fsconfig, pick, FSCONFIG_CMD_RECONFIGURE, 0, 0, 0));
    expect("statfs", 0, sys(statfs, "third", &about));
    expect("  size", 49152, (long)about.f_blocks * about.f_bsize);
    expect("fspick of no mount", -EINVAL, sys(fspick, AT_FDCWD, "room/inner", 0));
    expect("fspick bad flags", -EINVAL, sys(fspick, AT_FDCWD, "room", 1 << 30));
    expect("fspick wild", -EFAULT, sys(fspick, AT_FDCWD, WILD, 0));
    expect("umount2", 0, sys(umount2, "third", MNT_DETACH));
    expect("umount2", 0, sys(umount2, "room", MNT_DETACH));
}

/* Mounts have numbers that are never used again. */
#define STATX_MNT_ID_UNIQUE 0x4000
enum { KIND = 1, BASIC = 2, POINT = 0x10, TYPE = 0x20 };
typedef struct { unsigned size, spare; uint64_t id, more; } query;
typedef struct {
    unsigned size, options;
    uint64_t mask;
    unsigned major, minor;
    uint64_t magic;
    unsigned flags, type;
    uint64_t id, parent;
    unsigned old_id, old_parent;
    uint64_t attributes, propagation, group, master, from;
    unsigned root, point;
    char rest[4096];
} answer;

static void listed_mounts(void) {
    static answer about;
    static uint64_t ids[4096];
    struct statx file = {0}, above = {0};
    int before = there;
    if (there) sys(mount, "none", "room", "tmpfs", MS_NODEV, 0);
    sys(statx, AT_FDCWD, "room", 0, STATX_MNT_ID_UNIQUE, &file);
    sys(statx, AT_FDCWD, ".", 0, STATX_MNT_ID_UNIQUE, &above);
    query one = {24, 0, file.stx_mnt_id, KIND | BASIC | POINT | TYPE}, all = {24, 0, -1ul, 0};
    if (there) feature(sys(statmount, &one, &about, sizeof about, 0));
    memset(&about, 0, sizeof about);
    expect("statmount", 0, sys(statmount, &one, &about, sizeof about, 0));
    expect_yes("  all", (about.mask & one.more) == one.more);
    expect_yes("  kind", about.magic == TMPFS_MAGIC);
    expect_yes("  numbers", about.id == one.id && about.parent == above.stx_mnt_id);
    expect("  attributes", MOUNT_ATTR_NODEV, about.attributes & 15);
    expect_yes("  type", equal((char *)&about + 512 + about.type, "tmpfs"));
    const char *point = (char *)&about + 512 + about.point;
    long end = (long)length(point);
    expect_yes("  point", end > 5 && equal(point + end - 5, "/room"));
    expect("statmount small", -EOVERFLOW, sys(statmount, &one, &about, 513, 0));
    expect("statmount bad flags", -EINVAL, sys(statmount, &one, &about, sizeof about, 1u << 31));
    expect("statmount of none", -ENOENT, sys(statmount, (&(query){24, 0, 1ul << 60, KIND}), &about, sizeof about, 0));
    expect("statmount short", -EINVAL, sys(statmount, (&(query){8, 0, one.id, KIND}), &about, sizeof about, 0));
    expect("statmount wild", -EFAULT, sys(statmount, WILD, &about, sizeof about, 0));
    long count = sys(listmount, &all, ids, 4096, 0), found = 0;
    for (long i = 0; i < count; i++) found += ids[i] == one.id;
    expect("listmount", 1, found);
    all.id = above.stx_mnt_id;
    count = sys(listmount, &all, ids, 4096, 0), found = 0;
    for (long i = 0; i < count; i++) found += ids[i] == one.id;
    expect("listmount below", 1, found);
    all.id = one.id;
    expect("listmount of the last", 0, sys(listmount, &all, ids, 4096, 0));
    expect("listmount of none", -ENOENT, sys(listmount, (&(query){24, 0, 1ul << 60, 0}), ids, 4096, 0));
    expect("listmount bad flags", -EINVAL, sys(listmount, &all, ids, 4096, 1u << 31));
    expect("listmount wild", -EFAULT, sys(listmount, WILD, ids, 4096, 0));
    there = before;
    if (there) sys(umount2, "room", 0);
}

static void roots(void) {
    expect("mount", 0, sys(mount, "none", "room", "tmpfs", 0, 0));
    if (there) make("room/file", "upper"), sys(mkdirat, AT_FDCWD, "room/new", 0700);
    expect("chroot to no directory", -ENOENT, sys(chroot, "none"));
    expect("chroot to a file", -ENOTDIR, sys(chroot, "file"));
    expect("chroot wild", -EFAULT, sys(chroot, WILD));
    expect("chroot", 0, sys(chroot, "room"));
    expect_yes("  contents", holds("/file", "upper") && holds("/../file", "upper"));
    expect_yes("  directory stays", holds("room/file", "upper"));
    expect("chdir", 0, sys(chdir, "/"));
    expect("getcwd", 2, sys(getcwd, buf, sizeof buf));

    expect("mount", 0, sys(mount, "none", "/new", "tmpfs", 0, 0));
    if (there) make("/new/file", "new"), sys(mkdirat, AT_FDCWD, "/new/old", 0700), sys(mkdirat, AT_FDCWD, "/new/sub", 0700);
    expect("pivot_root to no mount", -EINVAL, sys(pivot_root, "/new/sub", "/new/old"));
    expect("pivot_root with the root for the old", -EBUSY, sys(pivot_root, "/new", "/"));
    expect("pivot_root to itself", -EBUSY, sys(pivot_root, "/", "/new"));
    expect("pivot_root to no directory", -ENOENT, sys(pivot_root, "/none", "/new/old"));
    expect("pivot_root to a file", -ENOTDIR, sys(pivot_root, "/new", "/new/file"));
    expect("pivot_root wild", -EFAULT, sys(pivot_root, WILD, "/new/old"));
    expect("pivot_root", 0, sys(pivot_root, "/new", "/new/old"));
    expect_yes("  new", holds("/file", "new"));
    expect_yes("  old", holds("/old/file", "upper"));
    expect("chdir", 0, sys(chdir, "/"));
    expect("umount2 old", 0, sys(umount2, "/old", MNT_DETACH));
    expect_yes("  gone", !holds("/old/file", "upper"));
    long child = fork_child();
    if (child == 0) quit(!there || holds("file", "new") ? 8 : 9);
    show_status("child", reap(child));
}

/* Whether the time namespace's name is this one. */
static int is_time(const char *name) {
    long got = sys(readlinkat, AT_FDCWD, "/proc/self/ns/time", buf, sizeof buf - 1);
    buf[got > 0 ? got : 0] = 0;
    return equal(buf, name);
}

static void times(void) {
    static char ours[64];
    struct clone_args args = {.flags = CLONE_NEWTIME, .exit_signal = SIGCHLD};
    if (there) sys(readlinkat, AT_FDCWD, "/proc/self/ns/time", ours, sizeof ours - 1);
    long child = there ? sys(clone3, &args, sizeof args) : 1;
    if (child == 0) quit(is_time(ours) ? 4 : 3);
    expect("clone3 with other clocks", 3 << 8, reap(child));
    expect_yes("  not its parent's", is_time(ours));
}

static void namespaces(void) {
    long user = sys(geteuid), group = sys(getegid);
    enter(user, group);
    in_child("names", names);
    in_child("mounts", mounts);
    in_child("mounts in steps", mounts_in_steps);
    in_child("listed mounts", listed_mounts);
    in_child("roots", roots);
    in_child("times", times);
}

/* Not permitted; or the kernel has no such call. */
static void refused(const char *what, long result) { show_yes(what, result == -EPERM || result == -ENOSYS); }

static void without_privileges(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {0};
    const int64_t time[2] = {1, 0};
    struct __kernel_timex clock = {0};
    show("capset", sys(capset, &header, none));
    refused("acct", sys(acct, 0));
    refused("chroot", sys(chroot, "."));
    refused("clock_settime", sys(clock_settime, 0, time));
    refused("delete_module", sys(delete_module, "none", 0));
    refused("finit_module", sys(finit_module, -1, "", 0));
    refused("fsopen", sys(fsopen, "tmpfs", 0));
    refused("init_module", sys(init_module, buf, 0, ""));
#ifdef __NR_kexec_file_load
    refused("kexec_file_load", sys(kexec_file_load, -1, -1, 0, 0, 0));
#else
    refused("kexec_file_load", -ENOSYS);
#endif
    refused("kexec_load", sys(kexec_load, 0, 0, 0, 0));
    refused("mount", sys(mount, "none", "room", "tmpfs", 0, 0));
    refused("pivot_root", sys(pivot_root, "room", "room"));
    refused("reboot", sys(reboot, 1, 2, 3, 0));
    refused("setdomainname", sys(setdomainname, "x", 1));
    refused("setgroups", sys(setgroups, 0, 0));
    refused("sethostname", sys(sethostname, "x", 1));
    refused("settimeofday", sys(settimeofday, time, 0));
    refused("swapoff", sys(swapoff, "none"));
    refused("swapon", sys(swapon, "none", 0));
    refused("syslog", sys(syslog, 5 /* clear */, 0, 0));
    refused("umount2", sys(umount2, "room", 0));
    refused("vhangup", sys(vhangup));
    long state = feature(sys(adjtimex, &clock));
    expect_yes("adjtimex", state >= 0 && state <= 5);
    expect_yes("  tick", clock.tick >= 9000 && clock.tick <= 11000);
    state = feature(sys(clock_adjtime, 0, &clock));
    expect_yes("clock_adjtime", state >= 0 && state <= 5);
    expect("clock_adjtime of a clock that goes by itself", -EOPNOTSUPP, sys(clock_adjtime, 1, &clock));
    expect("clock_adjtime bad clock", -EINVAL, sys(clock_adjtime, 99, &clock));
    expect("clock_adjtime wild", -EFAULT, sys(clock_adjtime, 0, WILD));
    clock.modes = ADJ_FREQUENCY;
    refused("adjtimex frequency", sys(adjtimex, &clock));
    refused("clock_adjtime frequency", sys(clock_adjtime, 0, &clock));
    clock.modes = ADJ_SETOFFSET;
    refused("clock_adjtime offset", sys(clock_adjtime, 0, &clock));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    struct new_utsname before, after;
    sys(uname, &before);
    sys(mkdirat, AT_FDCWD, "room", 0700), sys(mkdirat, AT_FDCWD, "other", 0700), sys(mkdirat, AT_FDCWD, "third", 0700);
    sys(symlinkat, "room", AT_FDCWD, "link");
    make("file", "outside");
    in_child("namespaces", namespaces);
    in_child("without privileges", without_privileges);
    sys(uname, &after);
    show_yes("name of the host", equal(before.nodename, after.nodename) && equal(before.domainname, after.domainname));
    show("directory is empty", sys(unlinkat, AT_FDCWD, "room", AT_REMOVEDIR));
    return 0;
}
