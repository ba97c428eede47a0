/* build: -O1 -static -nostdlib -fno-builtin */
/* Keys, rules and watches: what the kernel keeps for programs, forbids them and tells them
 * of what happens. */
#include "features.h"
#include <asm/ioctl.h>
#include <linux/bpf.h>
#include <linux/fanotify.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <linux/prctl.h>

#define ENOKEY 126
#define EKEYREVOKED 128
#define EDQUOT 122

static char buf[4096];

static long open(const char *path, int flags) { return sys(openat, AT_FDCWD, path, flags, 0600); }

static void in_child(const char *name, void (*run)(void)) {
    long child = fork_child();
    if (child == 0) run(), quit(0);
    show_status(name, reap(child));
}

/* What was read is text from here on. */
static long text(long size) {
    buf[size > 0 ? size : 0] = 0;
    return size;
}

static void keys(void) {
    /* A session of its own: its keys go with it. */
    long session = feature(sys(keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0));
    long key = there ? feature(sys(add_key, "user", "rvrun:one", "secret", 6, KEY_SPEC_SESSION_KEYRING)) : -ENOSYS;
    if (session == -EDQUOT || key == -EDQUOT) there = 0;
    expect_yes("add_key", key > 0);
    expect_yes("  session", sys(keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) == session);
    expect("read", 6, text(sys(keyctl, KEYCTL_READ, key, buf, 6)));
    expect_yes("  contents", equal(buf, "secret"));
    expect("read short", 6, sys(keyctl, KEYCTL_READ, key, buf, 3));
    expect_yes("describe", sys(keyctl, KEYCTL_DESCRIBE, key, buf, sizeof buf) > 0 && buf[0] == 'u' && buf[4] == ';');
    expect("update", 0, sys(keyctl, KEYCTL_UPDATE, key, "secret too", 10));
    expect("read", 10, text(sys(keyctl, KEYCTL_READ, key, buf, sizeof buf)));
    expect_yes("  contents", equal(buf, "secret too"));
    expect_yes("request_key", sys(request_key, "user", "rvrun:one", 0, 0) == key);
    expect("request_key of none", -ENOKEY, sys(request_key, "user", "rvrun:none", 0, 0));
    expect("request_key bad kind", -ENOKEY, sys(request_key, "no such kind", "rvrun:one", 0, 0));
    expect("request_key wild", -EFAULT, sys(request_key, "user", WILD, 0, 0));
    long ring = there ? sys(add_key, "keyring", "rvrun:ring", 0, 0, KEY_SPEC_SESSION_KEYRING) : -ENOSYS;
    expect_yes("add_key keyring", ring > 0);
    expect("link", 0, sys(keyctl, KEYCTL_LINK, key, ring));
    expect_yes("search", sys(keyctl, KEYCTL_SEARCH, ring, "user", "rvrun:one", 0) == key);
    expect("read keyring", 4, sys(keyctl, KEYCTL_READ, ring, buf, sizeof buf));
    expect_yes("  contents", *(int *)buf == key);
    expect("unlink", 0, sys(keyctl, KEYCTL_UNLINK, key, ring));
    expect("search", -ENOKEY, sys(keyctl, KEYCTL_SEARCH, ring, "user", "rvrun:one", 0));
    expect("clear", 0, sys(keyctl, KEYCTL_CLEAR, ring));
    expect("timeout", 0, sys(keyctl, KEYCTL_SET_TIMEOUT, key, 1000));
    expect("permissions", 0, sys(keyctl, KEYCTL_SETPERM, key, 0x3f000000));
    long child = fork_child();
    if (child == 0) quit(!there || sys(request_key, "user", "rvrun:one", 0, 0) == key ? 4 : 5);
    show_status("child has the same session", reap(child));
    expect("revoke", 0, sys(keyctl, KEYCTL_REVOKE, key));
    expect("read", 0 - EKEYREVOKED, sys(keyctl, KEYCTL_READ, key, buf, sizeof buf));
    expect("add_key bad kind", -ENODEV, sys(add_key, "no such kind", "rvrun:two", "x", 1, KEY_SPEC_SESSION_KEYRING));
    expect("add_key large", -EINVAL, sys(add_key, "user", "rvrun:two", buf, 1 << 21, KEY_SPEC_SESSION_KEYRING));
    expect("add_key wild", -EFAULT, sys(add_key, "user", "rvrun:two", WILD, 8, KEY_SPEC_SESSION_KEYRING));
    expect("add_key bad keyring", -EINVAL, sys(add_key, "user", "rvrun:two", "x", 1, -99));
    expect("keyctl bad command", -EOPNOTSUPP, sys(keyctl, 9999));
}

/* Only below "allowed" may files be written and made. */
static void confined(void) {
    enum { WRITE = LANDLOCK_ACCESS_FS_WRITE_FILE, MAKE = LANDLOCK_ACCESS_FS_MAKE_REG };
    long version = feature(sys(landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION));
    expect_yes("landlock_create_ruleset version", version >= 1);
    struct { uint64_t files; } handled = {WRITE | MAKE}, none = {0}, unknown = {1ul << 60};
    expect("landlock_create_ruleset nothing", -ENOMSG, sys(landlock_create_ruleset, &none, 8, 0));
    expect("landlock_create_ruleset unknown", -EINVAL, sys(landlock_create_ruleset, &unknown, 8, 0));
    expect("landlock_create_ruleset short", -EINVAL, sys(landlock_create_ruleset, &handled, 4, 0));
    expect("landlock_create_ruleset large", -E2BIG, sys(landlock_create_ruleset, &handled, 5000, 0));
    expect("landlock_create_ruleset flags", -EINVAL, sys(landlock_create_ruleset, &handled, 8, 1 << 20));
    expect("landlock_create_ruleset wild", -EFAULT, sys(landlock_create_ruleset, WILD, 8, 0));
    long rules = there ? sys(landlock_create_ruleset, &handled, 8, 0) : -ENOSYS, place = open("allowed", O_PATH);
    expect_yes("landlock_create_ruleset", rules > 2);
    struct landlock_path_beneath_attr rule = {WRITE | MAKE, (int)place};
    struct landlock_path_beneath_attr more = {WRITE | 1, (int)place}, nowhere = {WRITE, -1};
    expect("landlock_add_rule", 0, sys(landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
    expect("landlock_add_rule not handled", -EINVAL, sys(landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &more, 0));
    expect("landlock_add_rule nowhere", -EBADF, sys(landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &nowhere, 0));
    expect("landlock_add_rule bad kind", -EINVAL, sys(landlock_add_rule, rules, 99, &rule, 0));
    expect("landlock_add_rule flags", -EINVAL, sys(landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 1 << 20));
    expect("landlock_add_rule wild", -EFAULT, sys(landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, WILD, 0));
    expect("landlock_add_rule bad descriptor", -EBADF, sys(landlock_add_rule, -1, LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
    show("no new privileges", sys(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    expect("landlock_restrict_self flags", -EINVAL, sys(landlock_restrict_self, rules, 1 << 20));
    expect("landlock_restrict_self bad descriptor", -EBADF, sys(landlock_restrict_self, -2, 0));
    expect("landlock_restrict_self", 0, sys(landlock_restrict_self, rules, 0));
    expect("write", -EACCES, open("file", O_WRONLY));
    expect("make", -EACCES, open("new", O_CREAT | O_WRONLY));
    expect_yes("read", open("file", O_RDONLY) > 2);
    expect_yes("make below", open("allowed/new", O_CREAT | O_WRONLY) > 2);
    expect_yes("write below", open("allowed/new", O_RDWR) > 2);
    long child = fork_child();
    if (child == 0) quit(!there || open("file", O_WRONLY) == -EACCES ? 6 : 7);
    show_status("child", reap(child));
}

static void told(const char *what, long fd, uint64_t wanted) {
    long size = there ? sys(read, fd, buf, sizeof buf) : 0;
    struct fanotify_event_metadata *event = (void *)buf;
    expect_yes(what, size >= (long)sizeof *event && event->vers == FANOTIFY_METADATA_VERSION &&
                         (event->mask & wanted) == wanted);
    expect_yes("  who", event->pid == sys(getpid));
    expect_yes("  no descriptor", event->fd == FAN_NOFD);
}

static void watching(void) {
    long fd = feature(sys(fanotify_init, FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY));
    /* Not every file system has the handles that are told. */
    if (there) {
        long marked = feature(sys(fanotify_mark, fd, FAN_MARK_ADD, FAN_OPEN | FAN_MODIFY, AT_FDCWD, "watched"));
        if (marked == -ENODEV || marked == -EXDEV) there = 0;
    }
    expect_yes("fanotify_init", fd > 2);
    expect("nothing yet", -EAGAIN, sys(read, fd, buf, sizeof buf));
    long file = open("watched", O_RDWR);
    told("open", fd, FAN_OPEN);
    sys(write, file, "x", 1);
    told("write", fd, FAN_MODIFY);
    expect("fanotify_mark less", 0, sys(fanotify_mark, fd, FAN_MARK_REMOVE, FAN_MODIFY, AT_FDCWD, "watched"));
    sys(write, file, "x", 1);
    expect("write is not told", -EAGAIN, sys(read, fd, buf, sizeof buf));
    expect("fanotify_mark of a descriptor", 0, sys(fanotify_mark, fd, FAN_MARK_ADD, FAN_CLOSE_WRITE, file, 0));
    sys(close, file);
    told("close", fd, FAN_CLOSE_WRITE);
    expect("fanotify_mark of a directory only", -ENOTDIR,
           sys(fanotify_mark, fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, AT_FDCWD, "watched"));
    expect("fanotify_mark remove what is not there", -ENOENT,
           sys(fanotify_mark, fd, FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "file"));
    expect("fanotify_mark nothing", -EINVAL, sys(fanotify_mark, fd, FAN_MARK_ADD, 0, AT_FDCWD, "watched"));
    expect("fanotify_mark bad flags", -EINVAL, sys(fanotify_mark, fd, 1u << 31, FAN_OPEN, AT_FDCWD, "watched"));
    expect("fanotify_mark add and remove", -EINVAL,
           sys(fanotify_mark, fd, FAN_MARK_ADD | FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "watched"));
    expect("fanotify_mark no file", -ENOENT, sys(fanotify_mark, fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "none"));
    expect("fanotify_mark wild", -EFAULT, sys(fanotify_mark, fd, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, WILD));
    expect("fanotify_mark bad descriptor", -EBADF, sys(fanotify_mark, -1, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "watched"));
    expect("fanotify_mark of no watch", -EINVAL, sys(fanotify_mark, 1, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "watched"));
    expect("fanotify_mark flush", 0, sys(fanotify_mark, fd, FAN_MARK_FLUSH, 0, AT_FDCWD, 0));
    sys(close, open("watched", O_RDONLY));
    expect("open is not told", -EAGAIN, sys(read, fd, buf, sizeof buf));
    expect("fanotify_init bad flags", -EINVAL, sys(fanotify_init, FAN_REPORT_FID | 0x40000000, O_RDONLY));
    if (there) sys(close, fd);
}

static void maps_and_programs(void) {
    union bpf_attr make = {.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 2};
    int key = 7, other = 8, third = 9, next = 0;
    uint64_t value = 70, found = 0;
    long map = feature(sys(bpf, BPF_MAP_CREATE, &make, sizeof make));
    union bpf_attr element = {.map_fd = (unsigned)map, .key = (uint64_t)&key, .value = (uint64_t)&value};
    union bpf_attr look = element, wild = element;
    look.value = (uint64_t)&found, wild.key = (uint64_t)WILD;
    expect_yes("bpf map", map > 2);
    expect("bpf look for what is not there", -ENOENT, sys(bpf, BPF_MAP_LOOKUP_ELEM, &look, sizeof look));
    expect("bpf update", 0, sys(bpf, BPF_MAP_UPDATE_ELEM, &element, sizeof element));
    expect("bpf look", 0, sys(bpf, BPF_MAP_LOOKUP_ELEM, &look, sizeof look));
    expect("  value", 70, found);
    element.flags = BPF_NOEXIST;
    expect("bpf update only new", -EEXIST, sys(bpf, BPF_MAP_UPDATE_ELEM, &element, sizeof element));
    element.key = (uint64_t)&other;
    expect("bpf update only new", 0, sys(bpf, BPF_MAP_UPDATE_ELEM, &element, sizeof element));
    element.key = (uint64_t)&third;
    expect("bpf update beyond", -E2BIG, sys(bpf, BPF_MAP_UPDATE_ELEM, &element, sizeof element));
    look.key = 0, look.next_key = (uint64_t)&next;
    expect("bpf first key", 0, sys(bpf, BPF_MAP_GET_NEXT_KEY, &look, sizeof look));
    expect_yes("  key", next == key || next == other);
    union bpf_attr delete = {.map_fd = (unsigned)map, .key = (uint64_t)&key};
    expect("bpf delete", 0, sys(bpf, BPF_MAP_DELETE_ELEM, &delete, sizeof delete));
    expect("bpf delete again", -ENOENT, sys(bpf, BPF_MAP_DELETE_ELEM, &delete, sizeof delete));
    expect("bpf wild key", -EFAULT, sys(bpf, BPF_MAP_UPDATE_ELEM, &wild, sizeof wild));
    wild.map_fd = 1;
    expect("bpf of no map", -EINVAL, sys(bpf, BPF_MAP_UPDATE_ELEM, &wild, sizeof wild));
    make.max_entries = 0;
    expect("bpf empty map", -EINVAL, sys(bpf, BPF_MAP_CREATE, &make, sizeof make));
    expect("bpf bad command", -EINVAL, sys(bpf, 9999, &make, sizeof make));
    expect("bpf wild", -EFAULT, sys(bpf, BPF_MAP_CREATE, WILD, sizeof make));
    expect("bpf large", -E2BIG, sys(bpf, BPF_MAP_CREATE, &make, 1 << 20));
    static const struct bpf_insn all[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
                                          {.code = BPF_JMP | BPF_EXIT}};
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .insn_cnt = 2,
                           .insns = (uint64_t)all, .license = (uint64_t)"GPL"};
    long program = feature(sys(bpf, BPF_PROG_LOAD, &load, sizeof load));
    expect_yes("bpf program", program > 2);
    int pair[2] = {-1, -1};
    sys(socketpair, 1, 2, 0, pair);
    expect("  attached", 0, sys(setsockopt, pair[1], 1, 50 /* SO_ATTACH_BPF */, &program, 4));
    sys(write, pair[0], "long text", 9);
    expect("  one byte passes", 1, sys(read, pair[1], buf, sizeof buf));
    load.insn_cnt = 1;
    expect("bpf program without an end", -EINVAL, sys(bpf, BPF_PROG_LOAD, &load, sizeof load));
    sys(close, pair[0]), sys(close, pair[1]);
    if (there) sys(close, program), sys(close, map);
}

static void counting(void) {
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_TASK_CLOCK,
                                   .exclude_kernel = 1, .exclude_hv = 1, .disabled = 1};
    uint64_t first = 1, second = 0, third = 0;
    long fd = feature(sys(perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
    expect_yes("perf_event_open", fd > 2);
    expect("  read", 8, sys(read, fd, &first, 8));
    expect("  nothing yet", 0, first);
    expect("  on", 0, sys(ioctl, fd, PERF_EVENT_IOC_ENABLE, 0));
    for (volatile int i = 0; i < 100000; i++) {}
    expect("  off", 0, sys(ioctl, fd, PERF_EVENT_IOC_DISABLE, 0));
    sys(read, fd, &second, 8), sys(read, fd, &third, 8);
    expect_yes("  time", second > 0 && second == third);
    expect("  again from 0", 0, sys(ioctl, fd, PERF_EVENT_IOC_RESET, 0));
    sys(read, fd, &third, 8);
    expect("  nothing", 0, third);
    expect("  short", -ENOSPC, sys(read, fd, &third, 4));
    expect("perf_event_open bad flags", -EINVAL, sys(perf_event_open, &attr, 0, -1, -1, 1 << 20));
    expect("perf_event_open wild", -EFAULT, sys(perf_event_open, WILD, 0, -1, -1, 0));
    expect("perf_event_open bad group", -EBADF, sys(perf_event_open, &attr, 0, -1, 999, 0));
    expect("perf_event_open of nobody", -ESRCH, sys(perf_event_open, &attr, 0x3fffffff, -1, -1, 0));
    attr.size = 8;
    expect("perf_event_open short", -E2BIG, sys(perf_event_open, &attr, 0, -1, -1, 0));
    expect_yes("  size", attr.size >= 64);
    if (there) sys(close, fd);
}

static void modules(void) {
    static uint64_t ids[64];
    unsigned size = sizeof ids, small = 0;
    long count = feature(sys(lsm_list_modules, ids, &size, 0));
    expect_yes("lsm_list_modules", count >= 0 && size == 8 * count);
    expect("  flags", -EINVAL, sys(lsm_list_modules, ids, &size, 1));
    expect("  small", -E2BIG, count > 0 ? sys(lsm_list_modules, ids, &small, 0) : -E2BIG);
    expect_yes("  needed", count <= 0 || small == size);
    expect("  wild", -EFAULT, sys(lsm_list_modules, ids, WILD, 0));
    size = sizeof ids;
    long result = sys(lsm_get_self_attr, 100 /* current */, ids, &size, 0);
    expect_yes("lsm_get_self_attr", result >= 0 || result == -EOPNOTSUPP);
    size = sizeof ids;
    expect("lsm_get_self_attr of none", -EINVAL, sys(lsm_get_self_attr, 0, ids, &size, 0));
    expect("lsm_get_self_attr no size", -EINVAL, sys(lsm_get_self_attr, 100, ids, 0, 0));
    expect("lsm_get_self_attr flags", -EINVAL, sys(lsm_get_self_attr, 100, ids, &size, 1 << 20));
    expect("lsm_set_self_attr flags", -EINVAL, sys(lsm_set_self_attr, 100, ids, sizeof ids, 1));
    expect("lsm_set_self_attr short", -EINVAL, sys(lsm_set_self_attr, 100, ids, 4, 0));
    expect("lsm_set_self_attr large", -E2BIG, sys(lsm_set_self_attr, 100, ids, 1 << 20, 0));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    sys(mkdirat, AT_FDCWD, "allowed", 0700);
    sys(close, open("file", O_CREAT | O_WRONLY)), sys(close, open("watched", O_CREAT | O_WRONLY));
    in_child("keys", keys);
    in_child("confined", confined);
    watching();
    maps_and_programs();
    counting();
    modules();
    return 0;
}
