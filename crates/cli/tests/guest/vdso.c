/* build: -O1 -static -nostdlib -fno-builtin */
/* The vDSO: what is in it, and that its clocks are those of the system calls. */
#include "guest.h"
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/time.h>

typedef struct { int64_t sec, nsec; } span;

static unsigned long auxiliary(char **envp, unsigned long key) {
    while (*envp) envp++;
    unsigned long *auxv = (unsigned long *)(envp + 1);
    while (auxv[0] && auxv[0] != key) auxv += 2;
    return auxv[0] ? auxv[1] : 0;
}

static char *base;
static Elf64_Sym *symbols;
static const char *strings;
static unsigned *hash;

static void headers(void) {
    Elf64_Ehdr *header = (Elf64_Ehdr *)base;
    show_yes("ELF", header->e_ident[0] == 0x7f && header->e_ident[1] == 'E' && header->e_type == ET_DYN);
    Elf64_Phdr *segments = (Elf64_Phdr *)(base + header->e_phoff);
    Elf64_Dyn *dynamic = 0;
    int loads = 0, unwinding = 0;
    for (int i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_DYNAMIC) dynamic = (Elf64_Dyn *)(base + segments[i].p_vaddr);
        if (segments[i].p_type == PT_LOAD) loads++;
        if (segments[i].p_type == 0x6474e550) unwinding++;
    }
    show("segments", loads), show("for unwinders", unwinding);
    unsigned long name = 0;
    for (; dynamic->d_tag; dynamic++) {
        if (dynamic->d_tag == DT_SYMTAB) symbols = (Elf64_Sym *)(base + dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_STRTAB) strings = base + dynamic->d_un.d_ptr;
        if (dynamic->d_tag == DT_HASH) hash = (unsigned *)(base + dynamic->d_un.d_ptr);
        if (dynamic->d_tag == DT_SONAME) name = dynamic->d_un.d_val;
    }
    show_text("name", strings + name);
    show_yes("hashed", hash && hash[0] > 0 && hash[1] > 4);
}

static void *symbol(const char *name) {
    for (unsigned i = 1; i < hash[1]; i++)
        if (symbols[i].st_value && equal(strings + symbols[i].st_name, name)) return base + symbols[i].st_value;
    return 0;
}

static int64_t number_of(span at) { return at.sec * 1000000000 + at.nsec; }

static int (*get)(int, span *);

static int64_t from_vdso(int clock) {
    span at = {0};
    get(clock, &at);
    return number_of(at);
}

static int64_t from_kernel(int clock) {
    span at = {0};
    sys(clock_gettime, clock, &at);
    return number_of(at);
}

static void clocks(void) {
    get = symbol("__vdso_clock_gettime");
    show_yes("clock_gettime", get != 0);
    for (int clock = 0; clock < 12; clock++) {
        if (clock >= CLOCK_REALTIME_ALARM && clock < CLOCK_TAI) continue; /* not on every machine */
        span at = {-1, -1};
        number(clock), show(" gives", get(clock, &at));
        int in_order = 1, in_range = 1;
        for (int i = 0; i < 300; i++) {
            int64_t first = from_kernel(clock), second = from_vdso(clock), third = from_kernel(clock), last = from_vdso(clock);
            in_order &= first <= second && second <= third && third <= last;
            get(clock, &at);
            in_range &= at.nsec >= 0 && at.nsec < 1000000000;
        }
        show_yes("  in order", in_order), show_yes("  in range", in_range);
    }
    show("unknown clock", get(99, &(span){0}));
    show("negative clock", get(-1, &(span){0}));
    int64_t before = 0;
    int forwards = 1;
    for (int i = 0; i < 300000; i++) {
        int64_t now = from_vdso(CLOCK_MONOTONIC);
        forwards &= now >= before;
        before = now;
    }
    show_yes("forwards", forwards);
    int (*resolution)(int, span *) = symbol("__vdso_clock_getres");
    span mine = {9, 9}, kernels = {8, 8};
    for (int clock = 0; clock < 8; clock++) {
        sys(clock_getres, clock, &kernels);
        number(clock), show(" resolution", resolution(clock, &mine));
        show_yes("  the same", number_of(mine) == number_of(kernels));
    }
    show("unknown resolution", resolution(99, &mine));
}

static void time_of_day(void) {
    int (*get)(span *, int *) = symbol("__vdso_gettimeofday");
    span at = {0, 0};
    int zone[2] = {77, 77}, kernels[2] = {66, 66};
    show("gettimeofday", get(&at, 0));
    int64_t first = from_kernel(CLOCK_REALTIME) / 1000;
    get(&at, 0);
    int64_t second = at.sec * 1000000 + at.nsec, third = from_kernel(CLOCK_REALTIME) / 1000;
    show_yes("in order", first <= second && second <= third && at.nsec >= 0 && at.nsec < 1000000);
    show("with a zone", get(&at, zone));
    sys(gettimeofday, 0, kernels);
    show_yes("zone", zone[0] == kernels[0] && zone[1] == kernels[1]);
    show("nothing", get(0, 0));
}

static void processors(void) {
    int (*get)(unsigned *, unsigned *, void *) = symbol("__vdso_getcpu");
    unsigned cpu = 1 << 30, node = 1 << 30;
    show("getcpu", get(&cpu, &node, 0));
    show_yes("some", cpu < 4096 && node < 4096);
}

/* What is there on riscv only. */
static void riscv(void) {
#ifdef __riscv
    int (*flush)(void *, void *, unsigned long) = symbol("__vdso_flush_icache");
    struct { long key; unsigned long value; } pair = {3, 0};
    int (*probe)(void *, size_t, size_t, void *, unsigned) = symbol("__vdso_riscv_hwprobe");
    unsigned *back = symbol("__vdso_rt_sigreturn");
    show("flush_icache", flush(0, 0, 0));
    show("bad flags", flush(0, 0, 8));
    show("riscv_hwprobe", probe(&pair, 1, 0, 0, 0));
    show_yes("value", pair.key == 3 && pair.value == 1);
    show_yes("rt_sigreturn", back && back[0] == 0x08b00893 && back[1] == 0x73);
#else
    show("flush_icache", 0), show("bad flags", -EINVAL), show("riscv_hwprobe", 0);
    show_yes("value", 1), show_yes("rt_sigreturn", 1);
#endif
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv;
    prepare();
    base = (char *)auxiliary(envp, AT_SYSINFO_EHDR);
    show_yes("AT_SYSINFO_EHDR", base != 0 && (unsigned long)base % 4096 == 0);
    show_yes("AT_MINSIGSTKSZ", auxiliary(envp, 51) >= 1000);
    headers();
    clocks();
    time_of_day();
    processors();
    riscv();
    return 0;
}
