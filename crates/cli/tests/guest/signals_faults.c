/* build: -O1 -static -nostdlib -fno-builtin */
/* Handlers of what instructions cause: what they are told, and what they can mend. */
#include "handlers.h"
#include <linux/mman.h>

#define PAGES 64
#define PAGE 4096ul
#define SS_AUTODISARM (1u << 31)
static volatile struct { int signal, code; unsigned long address, pc, stack; int count; } seen;
static char other_stack[65536] __attribute__((aligned(16)));

/* What the two architectures call the same. */
#ifdef __riscv
enum { ILLEGAL_CODE = 1, TRAP_CODE = 1, TRAP_PC = 0 };
#else
enum { ILLEGAL_CODE = 2, TRAP_CODE = 0x80, TRAP_PC = 1 };
#endif

/* Functions of one instruction that faults, then a return; each with the address of that instruction. */
long load(const void *from, long otherwise);
void store(void *to, long value);
void illegal(void), trap(void);
extern const char load_at[], store_at[], illegal_at[], trap_at[], load_end[], store_end[], illegal_end[], trap_end[];
#ifdef __riscv
__asm__("load: load_at: ld a1, 0(a0)\n load_end: mv a0, a1\n ret\n"
        "store: store_at: sd a1, 0(a0)\n store_end: ret\n"
        ".option push\n .option norvc\n illegal: illegal_at: unimp\n illegal_end: ret\n"
        "trap: trap_at: ebreak\n trap_end: ret\n .option pop\n");
static unsigned long *argument(struct ucontext *context) { return (unsigned long *)&context->uc_mcontext.sc_regs.a0; }
static unsigned long *second(struct ucontext *context) { return (unsigned long *)&context->uc_mcontext.sc_regs.a1; }
#else
__asm__("load: load_at: mov (%rdi), %rsi\n load_end: mov %rsi, %rax\n ret\n"
        "store: store_at: mov %rsi, (%rdi)\n store_end: ret\n"
        "illegal: illegal_at: ud2\n illegal_end: ret\n"
        "trap: trap_at: int3\n trap_end: ret\n");
static unsigned long *argument(struct ucontext *context) { return (unsigned long *)&context->uc_mcontext.rdi; }
static unsigned long *second(struct ucontext *context) { return (unsigned long *)&context->uc_mcontext.rsi; }
#endif

static void *map(unsigned long size, int protection) {
    return (void *)sys(mmap, 0, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void note(int signal, siginfo_t *info, struct ucontext *context) {
    seen.signal = signal, seen.code = info->si_code, seen.address = (unsigned long)info->si_addr;
    seen.pc = *pc_of(context), seen.stack = stack_of(context), seen.count++;
}

/* Goes on behind the instruction, with another value. */
static void skip(int signal, siginfo_t *info, struct ucontext *context) {
    note(signal, info, context);
    unsigned long *pc = pc_of(context);
    if (*pc == (unsigned long)load_at) *pc = (unsigned long)load_end, *second(context) += 1000;
    else if (*pc == (unsigned long)store_at) *pc = (unsigned long)store_end;
    else if (*pc == (unsigned long)illegal_at) *pc = (unsigned long)illegal_end;
    else if (*pc == (unsigned long)trap_at + TRAP_PC) *pc = (unsigned long)trap_end;
    else quit(99);
}

static void told(const char *what, unsigned long address, const char *pc) {
    put(what), put(": signal "), number(seen.signal), put(" code "), number(seen.code);
    put(seen.address == address ? ", address" : ", ADDRESS"), put(seen.pc == (unsigned long)pc ? ", pc\n" : ", PC\n");
}

static void accesses(void) {
    char *none = map(PAGE, PROT_NONE), *constant = map(PAGE, PROT_READ);
    on(SIGSEGV, skip, 0, 0), on(SIGBUS, skip, 0, 0);
    show("load", load(WILD, 7)), told("  wild", (unsigned long)WILD, load_at);
    store(WILD + 8, 7), told("  store", (unsigned long)WILD + 8, store_at);
    show("load", load(none + 16, 8)), told("  protected", (unsigned long)none + 16, load_at);
    store(constant + 24, 7), told("  constant", (unsigned long)constant + 24, store_at);
    show("load", load(0, 9)), told("  null", 0, load_at);
    int file = (int)sys(openat, AT_FDCWD, "short", O_RDWR | O_CREAT, 0600);
    char *mapped = (char *)sys(mmap, 0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    sys(ftruncate, file, 10);
    show("load", load(mapped + PAGE + 40, 10)), told("  beyond the file", (unsigned long)mapped + PAGE + 40, load_at);
    store(mapped + PAGE + 48, 10), told("  store", (unsigned long)mapped + PAGE + 48, store_at);
    /* An access that begins in one page and fails in the next. */
    char *half = map(2 * PAGE, PROT_READ | PROT_WRITE);
    sys(mprotect, half + PAGE, PAGE, PROT_NONE);
    show("load", load(half + PAGE - 4, 11)), told("  half", (unsigned long)half + PAGE, load_at);
    sys(close, file), sys(munmap, mapped, 2 * PAGE);
    show("handled", seen.count);
}

static void instructions(void) {
    on(SIGILL, skip, 0, 0), on(SIGTRAP, skip, 0, 0);
    seen.address = 0;
    illegal();
    show("illegal", seen.signal);
    show_yes("  code", seen.code == ILLEGAL_CODE);
    show_yes("  address", seen.address == (unsigned long)illegal_at && seen.pc == seen.address);
    trap();
    show("trap", seen.signal);
    show_yes("  code", seen.code == TRAP_CODE);
    show_yes("  pc", seen.pc == (unsigned long)trap_at + TRAP_PC);
#ifdef __riscv
    show_yes("  address", seen.address == (unsigned long)trap_at);
#else
    show_yes("  address", 1);
#endif
}

/* The caller of what cannot be executed. */
static void go_back(int signal, siginfo_t *info, struct ucontext *context) {
    note(signal, info, context);
#ifdef __riscv
    *pc_of(context) = context->uc_mcontext.sc_regs.ra;
#else
    *pc_of(context) = *(unsigned long *)context->uc_mcontext.rsp;
    context->uc_mcontext.rsp += 8;
#endif
}

static void jumps(void) {
    char *data = map(PAGE, PROT_READ | PROT_WRITE);
    on(SIGSEGV, go_back, 0, 0);
    ((void (*)(void))WILD)(), told("call wild", (unsigned long)WILD, WILD);
    ((void (*)(void))(data + 64))(), told("call data", (unsigned long)data + 64, data + 64);
    ((void (*)(void))0)(), told("call null", 0, 0);
}

/* Makes a page accessible when it is needed, and hides it again. */
static char *lazy;
static void provide(int signal, siginfo_t *info, struct ucontext *context) {
    note(signal, info, context);
    sys(mprotect, (unsigned long)info->si_addr & -PAGE, PAGE, PROT_READ | PROT_WRITE);
}

/* A hot loop with many values in registers. */
static __attribute__((noinline)) uint64_t fill(volatile uint64_t *words, long n, uint64_t a) {
    uint64_t b = a ^ 0x9e3779b97f4a7c15ul, c = 1, d = 2, e = 3;
    double x = 1;
    for (long i = 0; i < n; i++) {
        a = a * 6364136223846793005ul + b, b ^= a >> 29, c += a ^ d, d += b, e = e * 31 + c;
        x = x * 1.0000001 + 0.5;
        words[i] += a;
        e ^= words[i] + (uint64_t)(long)x;
    }
    return a ^ b ^ c ^ d ^ e;
}

static void lazily(void) {
    on(SIGSEGV, provide, 0, 0);
    uint64_t expected = 0;
    int wrong = 0, before = seen.count;
    lazy = map(PAGES * PAGE, PROT_READ | PROT_WRITE);
    for (int round = 0; round < 6; round++) {
        memset(lazy, 0, PAGES * PAGE);
        if (round > 0) sys(mprotect, lazy, PAGES * PAGE, PROT_NONE);
        /* The handler gets zeros again, at pages in the midst of the loop. */
        uint64_t sum = fill((volatile uint64_t *)lazy, PAGES * PAGE / 8, 42);
        if (round == 0) expected = sum;
        wrong += sum != expected;
    }
    show("wrong sums", wrong), show("faults", seen.count - before);
}

/* What a handler does to floating-point registers is its own affair. */
static __attribute__((noinline)) double halves(double a, double b) { return a / b; }
static void rounding(int signal, siginfo_t *info, struct ucontext *context) {
#ifdef __riscv
    __asm__ volatile("fsrmi 3\n fsflagsi 0\n fmv.d.x fs0, zero\n fmv.d.x fa0, zero\n fmv.d.x ft0, zero" : : : "fs0", "fa0", "ft0");
#else
    unsigned mode = 0x5f80;
    __asm__ volatile("ldmxcsr %0\n xorpd %%xmm0, %%xmm0\n xorpd %%xmm1, %%xmm1\n xorpd %%xmm8, %%xmm8" : : "m"(mode) : "xmm0", "xmm1", "xmm8");
#endif
    skip(signal, info, context);
}

static void floats(void) {
    double a = 1, b = 3, third = halves(a, b), sum = 0;
    on(SIGSEGV, rounding, 0, 0);
    for (int i = 0; i < 100; i++) {
        double part = halves(a + i, b);
        load(WILD, 1);
        sum += part - (a + i) / b;
    }
    show_yes("floating point", sum == 0 && halves(a, b) == third);
}

static void endings(void) {
    static const char *const names[] = {"fault in the handler", "with SA_NODEFER", "blocked", "ignored",
                                        "SA_RESETHAND", "stack overflow", "on another stack", "sent by kill"};
    for (int kind = 0; kind < 8; kind++) {
        put(names[kind]), put("\n");
        long child = fork_child();
        if (child == 0) {
            extern void fault_again(int, siginfo_t *, struct ucontext *), overflowed(int, siginfo_t *, struct ucontext *);
            extern long deep(long);
            struct { char *base; unsigned flags; uint64_t size; } stack = {other_stack, kind & 1 ? 0 : SS_AUTODISARM, sizeof other_stack};
            seen.count = 0;
            on(SIGSEGV, fault_again, kind == 1 ? SA_NODEFER : kind == 4 ? SA_RESETHAND : 0, 0);
            if (kind == 2) block(bit(SIGSEGV));
            if (kind == 3) act(SIGSEGV, (void *)1, 0, 0);
            if (kind == 5) on(SIGSEGV, overflowed, 0, 0);
            if (kind == 6) sys(sigaltstack, &stack, 0), on(SIGSEGV, overflowed, SA_ONSTACK, 0);
            if (kind == 7) on(SIGSEGV, skip, 0, 0), act(SIGSEGV, 0, 0, 0), send(SIGSEGV);
            if (kind == 5 || kind == 6) {
                static const uint64_t small[2] = {1 << 20, 1 << 20};
                sys(prlimit64, 0, 3, small, 0);
                quit((int)deep(1));
            }
            load(WILD, 1);
            quit(0);
        }
        show_status(" ", reap(child) & 0xff7f);
    }
}

void fault_again(int signal, siginfo_t *info, struct ucontext *context) {
    (void)signal, (void)info, (void)context;
    put("  handler\n");
    if (seen.count++ < 3) load(WILD + 8, 1);
    quit(4);
}

void overflowed(int signal, siginfo_t *info, struct ucontext *context) {
    unsigned long distance = (unsigned long)info->si_addr - stack_of(context);
    char here;
    note(signal, info, context);
    show_yes("  at the stack's end", distance + 65536 < 131072);
    show_yes("  on the other stack", (unsigned long)(&here - other_stack) < sizeof other_stack);
    quit(5);
}

long deep(long n) {
    volatile char frame[4000];
    for (size_t i = 0; i < sizeof frame; i += 500) frame[i] = (char)n;
    if (n < 0) return 0;
    return deep(n + 1) + frame[n & 3];
}

static void looks_like(int signal, siginfo_t *info, struct ucontext *context) {
    (void)context;
    show("came", signal), show("  code", info->si_code), show_yes("  address", info->si_addr == (void *)0x1234);
}

/* What a process sends itself may look as if the CPU had raised it. */
static void sent(void) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
        siginfo_t info = {.si_signo = signals[i], .si_code = 1, .si_addr = (void *)0x1234};
        on(signals[i], looks_like, 0, 0);
        show("rt_tgsigqueueinfo", sys(rt_tgsigqueueinfo, sys(getpid), sys(gettid), signals[i], &info));
        show("rt_sigqueueinfo", sys(rt_sigqueueinfo, sys(getpid), signals[i], &info));
    }
    long child = fork_child();
    if (child == 0) {
        siginfo_t info = {.si_signo = SIGSEGV, .si_code = 1};
        act(SIGSEGV, 0, 0, 0);
        sys(rt_tgsigqueueinfo, sys(getpid), sys(gettid), SIGSEGV, &info);
    }
    show_status("without a handler", reap(child));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    accesses();
    instructions();
    jumps();
    lazily();
    floats();
    endings();
    sent();
    return 0;
}
