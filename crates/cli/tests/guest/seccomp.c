/* build: -O1 -static -nostdlib -fno-builtin */
/* What a process lets itself do: filters of system calls, strict mode. */
#include "guest.h"
#include "handlers.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#ifdef __riscv
#define ARCH AUDIT_ARCH_RISCV64
#else
#define ARCH AUDIT_ARCH_X86_64
#endif

#define WORD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, __builtin_offsetof(struct seccomp_data, field))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
#define FILTER(...)                                                                                \
    &(struct sock_fprog){sizeof((struct sock_filter[]){__VA_ARGS__}) / sizeof(struct sock_filter), \
                         (struct sock_filter[]){__VA_ARGS__}}
/* Does `value` about one call, and lets others pass. */
#define ABOUT(call, value) FILTER(WORD(nr), UNLESS(__NR_##call, 1), RETURN(value), RETURN(SECCOMP_RET_ALLOW))

static long install(struct sock_fprog *filter) { return sys(seccomp, SECCOMP_SET_MODE_FILTER, 0, filter); }

static void actions(void) {
    static const struct { const char *name; unsigned value; } all[] = {
        {"kill process", SECCOMP_RET_KILL_PROCESS}, {"kill thread", SECCOMP_RET_KILL_THREAD},
        {"trap", SECCOMP_RET_TRAP}, {"errno", SECCOMP_RET_ERRNO}, {"trace", SECCOMP_RET_TRACE},
        {"log", SECCOMP_RET_LOG}, {"allow", SECCOMP_RET_ALLOW}, {"unknown", 0x12340000}};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        show(all[i].name, sys(seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &all[i].value));
    show("action, bad flags", sys(seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &all[0].value));
    show("action, wild", sys(seccomp, SECCOMP_GET_ACTION_AVAIL, 0, WILD));
    show("bad operation", sys(seccomp, 99, 0, 0));
}

static void refused(void) {
    show("no filter", install(0));
    show("wild", install(WILD));
    show("wild instructions", install(&(struct sock_fprog){1, WILD}));
    show("no instructions", install(&(struct sock_fprog){0, WILD}));
    show("too many", install(&(struct sock_fprog){5000, WILD}));
    show("bad flags", sys(seccomp, SECCOMP_SET_MODE_FILTER, 1ul << 20, (ABOUT(getpid, 0))));
    show("no end", install(FILTER(WORD(nr))));
    show("beyond the data", install(FILTER(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(0))));
    show("half a word", install(FILTER(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(0))));
    show("jump behind the end", install(FILTER(UNLESS(1, 1), RETURN(0))));
    show("division by zero", install(FILTER(BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0))));
    show("modulo", install(FILTER(BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(0))));
    show("memory not stored", install(FILTER(BPF_STMT(BPF_LD | BPF_MEM, 3), RETURN(0))));
    show("prctl bad mode", sys(prctl, PR_SET_SECCOMP, 3, 0));
    show("strict with flags", sys(seccomp, SECCOMP_SET_MODE_STRICT, 1, 0));
    show("mode", sys(prctl, PR_GET_SECCOMP));
}

static void failing(void) {
    show("errno", install(ABOUT(getppid, SECCOMP_RET_ERRNO | 17)));
    show("getppid", sys(getppid));
    show("errno that is none", install(ABOUT(getuid, SECCOMP_RET_ERRNO | 5000)));
    show_number("getuid", sys(getuid));
    show("trace", install(ABOUT(getpgid, SECCOMP_RET_TRACE | 1)));
    show("getpgid", sys(getpgid, 0));
    show("by argument", install(FILTER(WORD(nr), UNLESS(__NR_dup, 4), WORD(args[0]), UNLESS(77, 2),
                                       WORD(args[5]), UNLESS(78, 0), RETURN(SECCOMP_RET_ALLOW))));
    show("by both", install(FILTER(WORD(nr), UNLESS(__NR_dup, 3), WORD(args[0]), UNLESS(77, 1),
                                   RETURN(SECCOMP_RET_ERRNO | 2), RETURN(SECCOMP_RET_ALLOW))));
    show("dup 77", sys(dup, 77));
    show("dup 79", sys(dup, 79));
    show("architecture", install(FILTER(WORD(arch), UNLESS(ARCH, 3), WORD(nr), UNLESS(__NR_getgid, 1),
                                        RETURN(SECCOMP_RET_ERRNO | 3), RETURN(SECCOMP_RET_ALLOW))));
    show("getgid", sys(getgid));
    /* The youngest of equals, the strictest of others. */
    show("younger", install(ABOUT(getppid, SECCOMP_RET_ERRNO | 18)));
    show("getppid", sys(getppid));
    show("weaker", install(ABOUT(getppid, SECCOMP_RET_LOG)));
    show("getppid", sys(getppid));
    show("mode", sys(prctl, PR_GET_SECCOMP));
    show("strict", sys(seccomp, SECCOMP_SET_MODE_STRICT, 0, 0));
    long child = fork_child();
    if (child == 0) quit(sys(getppid) == -18 ? 21 : 22);
    show_status("child with the same", reap(child));
}

static void trapped(int signal, siginfo_t *info, struct ucontext *context) {
    show("SIGSYS", signal);
    show("  code", info->si_code), show("  errno", info->si_errno);
    show_yes("  call", info->si_syscall == __NR_getsid);
    show_yes("  architecture", info->si_arch == ARCH);
    show_yes("  address", (unsigned long)info->si_call_addr == *pc_of(context));
}

static void traps(void) {
    on(SIGSYS, trapped, 0, 0);
    show("trap", install(ABOUT(getsid, SECCOMP_RET_TRAP | 1234)));
    sys(getsid, 5);
    put("and on\n");
    block(bit(SIGSYS));
    sys(getsid, 5);
    put("not reached\n");
}

static void strict(void) {
    show("strict", sys(prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
    put("write\n");
    show("read", sys(read, 99, WILD, 1));
    sys(exit, 6);
}

static void too_strict(void) {
    sys(prctl, PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    sys(getpid);
    put("not reached\n");
}

static void killed(void) {
    sys(prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (ABOUT(getsid, SECCOMP_RET_KILL_PROCESS)));
    on(SIGSYS, trapped, 0, 0);
    sys(getsid, 0);
    put("not reached\n");
}

static void killed_thread(void) {
    sys(prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (ABOUT(getsid, SECCOMP_RET_KILL_THREAD)));
    sys(getsid, 0);
    put("not reached\n");
}

static void unhandled(void) {
    install(ABOUT(getsid, SECCOMP_RET_TRAP));
    sys(getsid, 0);
    put("not reached\n");
}

static void executing(void) {
    show("filter", install(ABOUT(getppid, SECCOMP_RET_ERRNO | 17)));
    show("another", install(ABOUT(getsid, SECCOMP_RET_ERRNO | 16)));
    show("execve", sys(execve, "/proc/self/exe", ((const char *[]){"seccomp", "again", 0}), 0));
}

static void in_child(const char *name, void (*run)(void)) {
    long child = fork_child();
    if (child == 0) run(), quit(0);
    show_status(name, reap(child));
}

int program(int argc, char **argv, char **envp) {
    (void)envp;
    if (argc > 1 && equal(argv[1], "again")) {
        show("executed, getppid", sys(getppid));
        show("getsid", sys(getsid, 0));
        show("mode", sys(prctl, PR_GET_SECCOMP));
        return 5;
    }
    prepare();
    actions();
    show("no new privileges", sys(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    refused();
    in_child("errors", failing);
    in_child("traps", traps);
    in_child("strict", strict);
    in_child("too strict", too_strict);
    in_child("kill process", killed);
    in_child("kill thread", killed_thread);
    in_child("trap without handler", unhandled);
    in_child("executed", executing);
    show("mode", sys(prctl, PR_GET_SECCOMP));
    return 0;
}
