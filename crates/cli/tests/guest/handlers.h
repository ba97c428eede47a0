/* Handlers of signals: what the kernel's structures look like on both architectures. */
#pragma once
#include "guest.h"
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>

struct action {
    void *handler;
    unsigned long flags;
#ifndef __riscv
    void *restorer;
#endif
    uint64_t mask;
};

#ifndef __riscv
__asm__("give_back: mov $15, %eax\n syscall\n");
extern const char give_back[];
#define RESTORER 0x04000000ul
#else
#define RESTORER 0ul
#endif

typedef void handler(int signal, siginfo_t *info, struct ucontext *context);
typedef struct { int64_t sec, nsec; } span;
typedef struct { span interval, value; } timer; /* in microseconds for setitimer */

static uint64_t bit(int signal) { return 1ul << (signal - 1); }

static long act(int signal, void *function, unsigned long flags, uint64_t mask) {
    struct action action = {.handler = function, .flags = flags | RESTORER, .mask = mask};
#ifndef __riscv
    action.restorer = (void *)give_back;
#endif
    return sys(rt_sigaction, signal, &action, 0, 8);
}

static long on(int signal, handler *function, unsigned long flags, uint64_t mask) {
    return act(signal, (void *)function, flags | SA_SIGINFO, mask);
}

static void block(uint64_t set) { sys(rt_sigprocmask, SIG_SETMASK, &set, 0, 8); }

static uint64_t blocked(void) {
    uint64_t set = 0;
    sys(rt_sigprocmask, SIG_BLOCK, 0, &set, 8);
    return set;
}

static uint64_t pending(void) {
    uint64_t set = 0;
    sys(rt_sigpending, &set, 8);
    return set;
}

static uint64_t *mask_of(struct ucontext *context) { return (uint64_t *)&context->uc_sigmask; }

static unsigned long *pc_of(struct ucontext *context) {
#ifdef __riscv
    return (unsigned long *)&context->uc_mcontext.sc_regs.pc;
#else
    return (unsigned long *)&context->uc_mcontext.rip;
#endif
}

static unsigned long stack_of(struct ucontext *context) {
#ifdef __riscv
    return context->uc_mcontext.sc_regs.sp;
#else
    return context->uc_mcontext.rsp;
#endif
}

static void send(int signal) { sys(tgkill, sys(getpid), sys(gettid), signal); }

static long queue(int pid, int signal, long value) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = signal, info.si_code = SI_QUEUE, info.si_pid = (int)sys(getpid);
    info.si_uid = (unsigned)sys(getuid), info.si_value.sival_ptr = (void *)value;
    return sys(rt_sigqueueinfo, pid, signal, &info);
}

/* SIGALRM after some microseconds, and then with that period if it is not 0. */
static void alarm_after(long microseconds, long period) {
    timer value = {{0, period}, {0, microseconds}};
    sys(setitimer, 0, &value, 0);
}
