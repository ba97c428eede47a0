/* build: -O1 -static -nostdlib -fno-builtin */
/* Code that changes. On another architecture than riscv64, a model says what the code
 * at a place returns: what was written there last, since every change is told. */
#include "threads.h"
#include <linux/mman.h>

#define PAGE 4096
#define KEPT __attribute__((noinline, noclone))
enum { READ_WRITE = PROT_READ | PROT_WRITE, READ_EXEC = PROT_READ | PROT_EXEC, ALL = READ_WRITE | PROT_EXEC };

/* A function in the page that returns its argument and a number. */
static void write_function(char *at, long number) {
#ifdef __riscv
    uint32_t *code = (uint32_t *)at;
    code[0] = (uint32_t)number << 20 | 0x00050513; /* addi a0, a0, number */
    code[1] = 0x00008067;                          /* ret */
#else
    *(long *)at = number;
#endif
}

/* The same, and it calls the function at a place that it is given: a page further. */
static void write_caller(char *at, long number) {
#ifdef __riscv
    uint32_t *code = (uint32_t *)at;
    code[0] = (uint32_t)number << 20 | 0x00050513; /* addi a0, a0, number */
    code[1] = 0x0000106f;                          /* j .+4096 */
#else
    *(long *)at = number;
#endif
}

KEPT static long call(char *at, long argument) {
#ifdef __riscv
    return ((long (*)(long))at)(argument);
#else
    return *(long *)at + argument;
#endif
}

KEPT static long call_both(char *at, long argument) {
#ifdef __riscv
    return ((long (*)(long))(at - 4))(argument);
#else
    return *(long *)(at - 4) + *(long *)(at + PAGE) + argument;
#endif
}

static void fence(void) {
#ifdef __riscv
    __asm__ volatile("fence.i" ::: "memory");
#endif
}

static void flush(char *at, long local) {
    (void)at, (void)local;
#ifdef __riscv
    if (sys(riscv_flush_icache, at, at + 8, local) != 0) put("riscv_flush_icache failed\n");
#endif
}

static char *map(char *at, long size, int protection) {
    long flags = MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0);
    return (char *)sys(mmap, at, size, protection, flags, -1, 0);
}

static long many_calls(char *at, long count) {
    long sum = 0;
    for (long i = 0; i < count; i++) sum = sum * 3 + call(at, i);
    return sum;
}

static void told_by_fence(char *page) {
    long sum = 0;
    for (long number = 0; number < 60; number++) {
        write_function(page, number);
        fence();
        sum = sum * 5 + many_calls(page, 700);
    }
    show_number("told by fence.i", sum);
}

static void told_by_system_call(char *page) {
    long sum = 0;
    for (long number = 0; number < 60; number++) {
        write_function(page, number * 7);
        flush(page, number & 1);
        sum = sum * 5 + many_calls(page, 700);
    }
    show_number("told by riscv_flush_icache", sum);
}

static void never_writable_and_executable(char *page) {
    long sum = 0;
    for (long number = 0; number < 60; number++) {
        sys(mprotect, page, PAGE, READ_WRITE);
        write_function(page, number * 11);
        sys(mprotect, page, PAGE, READ_EXEC);
        fence();
        sum = sum * 5 + many_calls(page, 700);
    }
    show_number("never writable and executable", sum);
    sys(mprotect, page, PAGE, ALL);
}

static void mapped_anew(char *page) {
    long sum = 0;
    for (long number = 0; number < 60; number++) {
        sys(munmap, page, PAGE);
        if (map(page, PAGE, READ_WRITE) != page) put("the place is taken\n");
        write_function(page, number * 13);
        sys(mprotect, page, PAGE, READ_EXEC);
        fence();
        sum = sum * 5 + many_calls(page, 700);
    }
    show_number("mapped anew", sum);
    for (long number = 0; number < 60; number++) {
        map(page, PAGE, ALL);
        write_function(page, number * 17);
        fence();
        sum = sum * 5 + many_calls(page, 300);
    }
    show_number("mapped over", sum);
}

static void moved(char *page, char *other) {
    long sum = 0;
    for (long number = 0; number < 40; number++) {
        map(other, PAGE, ALL);
        write_function(other, number * 19);
        fence();
        sum = sum * 5 + many_calls(other, 300);
        if ((char *)sys(mremap, other, PAGE, PAGE, 3 /* MAYMOVE, FIXED */, page) != page) put("not moved\n");
        sum = sum * 5 + many_calls(page, 300);
    }
    show_number("moved", sum);
    map(other, PAGE, ALL);
}

/* Two places that change in turns, of which the first one jumps to the second. */
static void half_changed(char *pages) {
    long sum = 0;
    write_caller(pages - 4, 1);
    write_function(pages + PAGE, 1);
    for (long number = 0; number < 80; number++) {
        char *changed = number % 3 ? pages + PAGE : pages - 4;
        if (number % 3) write_function(changed, number);
        else write_caller(changed, number + 1);
        if (number & 1) fence();
        else flush(changed, 0);
        for (long i = 0; i < 500; i++) sum = sum * 3 + call_both(pages, i);
    }
    show_number("two places in turns", sum);
}

/* The function that runs writes an instruction that it comes to, and is told. */
static void own_code(char *page) {
    long sum = 0;
#ifdef __riscv
    uint32_t *code = (uint32_t *)page;
    code[0] = 0x00b52623; /* sw a1, 12(a0): over the second addi */
    code[1] = 0x0000100f; /* fence.i */
    code[2] = 0x00060513; /* addi a0, a2, 0 */
    code[3] = 0x00150513; /* addi a0, a0, 1 */
    code[4] = 0x00008067; /* ret */
    fence();
    for (long i = 0; i < 3000; i++) {
        uint32_t addi = (uint32_t)(i & 0x3f) << 20 | 0x00050513;
        sum = sum * 3 + ((long (*)(void *, long, long))page)(page, addi, i);
    }
#else
    (void)page;
    for (long i = 0; i < 3000; i++) sum = sum * 3 + i + (i & 0x3f);
#endif
    show_number("own code", sum);
}

/* A loop that counts down in its own immediate until it falls through. */
static void own_loop(char *page) {
    long left = 0;
#ifdef __riscv
    uint32_t *code = (uint32_t *)page;
    code[0] = 0x00150513; /* addi a0, a0, 1 */
    code[1] = 0x00c5a023; /* sw a2, 0(a1): the first instruction adds something else */
    code[2] = 0x0000100f; /* fence.i */
    code[3] = 0xfed54ae3; /* blt a0, a3, code */
    code[4] = 0x00008067; /* ret */
    fence();
    left = ((long (*)(long, void *, long, long))page)(0, page, 0x00350513 /* addi a0, a0, 3 */, 30000);
#else
    for (left = 1; left < 30000;) left += 3;
#endif
    show_number("own loop", left);
}

/* Code that is written and not told stays or changes: but what it returns is one of both. */
static void untold(char *page) {
    int strange = 0;
    write_function(page, 1);
    fence();
    many_calls(page, 3000);
    write_function(page, 2);
    for (int i = 0; i < 3000; i++) {
        long got = call(page, 0);
        strange |= got != 1 && got != 2;
    }
    show_number("strange values", strange);
    fence();
    show_number("once told", call(page, 0));
}

struct calls { char *at; long sum; };

static void call_often(void *argument) {
    struct calls *calls = argument;
    for (int i = 0; i < 3000; i++) calls->sum += call(calls->at, 1);
}

/* Each thread finds what was there when it began, though another one has known it otherwise. */
static void one_thread_after_the_other(char *at) {
    static thread one;
    struct calls calls = {at, 0};
    for (long number = 1; number <= 4; number++) {
        write_function(at, number);
        fence();
        start(&one, call_often, &calls);
        join(&one);
        show("threads", calls.sum);
    }
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    char *pages = map(0, 4 * PAGE, ALL);
    told_by_fence(pages);
    told_by_system_call(pages + 8);
    never_writable_and_executable(pages);
    mapped_anew(pages);
    moved(pages, pages + PAGE);
    half_changed(pages + PAGE);
    own_code(pages);
    own_loop(pages);
    untold(pages);
    one_thread_after_the_other(pages + 16);
    return 0;
}
