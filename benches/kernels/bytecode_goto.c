/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: calls */
/* An interpreter that jumps from each operation to the next by a table of labels. */
#define DEFAULT_ROUNDS 700
#include "bytecode.h"

#define LABEL(NAME, ACTION) &&op_##NAME,
#define NEXT()                          \
    do {                                \
        a = at->a, b = at->b, c = at->c; \
        goto *labels[(at++)->operation]; \
    } while (0)
#define BODY(NAME, ACTION) \
    op_##NAME:             \
    ACTION;                \
    NEXT();

static NOINLINE void interpret(const Operation *code, u64 *r)
{
    static const void *const labels[] = {OPERATIONS(LABEL) &&end};
    const Operation *at = code;
    u32 a, b, c;
    NEXT();
    OPERATIONS(BODY)
end:
    return;
}
