/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: calls */
/* An interpreter whose next operation is found by one switch in a loop. */
#define DEFAULT_ROUNDS 400
#include "bytecode.h"

#define CASE(NAME, ACTION) \
    case OP_##NAME:        \
        ACTION;            \
        break;

static NOINLINE void interpret(const Operation *code, u64 *r)
{
    for (const Operation *at = code;;) {
        u32 a = at->a, b = at->b, c = at->c;
        switch ((at++)->operation) {
            OPERATIONS(CASE)
        default:
            return;
        }
    }
}
