/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: self-writing code */
/* A just-in-time compiler: compiles formulas, each new, and calls the code a hundred times. */
#define DEFAULT_ROUNDS 150
#include "kernel.h"

enum { VERSIONS = 50, CALLS = 100, REPEATS = 64, STEPS = 10, BUFFER = 64 << 10, LONGEST = 512 };

/* A formula is some steps in a row, of a value and a constant each. */
typedef enum { ADD, XOR, MULTIPLY, XOR_SHIFTED, ADD_SHIFTED, SKIP_UNLESS, KINDS } Kind;

typedef struct {
    Kind kind;
    i32 constant;
} Step;

/* Applies a formula to the first number as often as the second says. */
typedef u64 (*Function)(u64, u64);

#include "code_writer.h"

static void make_formula(Step *steps, u64 *seed)
{
    for (u32 i = 0; i < STEPS; i++) {
        u64 r = random_next(seed);
        Kind kind = (Kind)(r % (i + 1 < STEPS ? KINDS : SKIP_UNLESS));
        i32 number = (i32)(r >> 32);
        switch (kind) {
        case MULTIPLY:
            number |= 1;
            break;
        case XOR_SHIFTED:
        case ADD_SHIFTED:
            number = 7 + (number & 31);
            break;
        case SKIP_UNLESS:
            number = 1 << (number & 7);
            break;
        default:
            break;
        }
        steps[i] = (Step){kind, number};
    }
}

/* What compiled code has to compute. */
static NOINLINE u64 evaluate(const Step *steps, u64 x, u64 repeats)
{
    for (; repeats != 0; repeats--)
        for (u32 i = 0; i < STEPS; i++) {
            i32 c = steps[i].constant;
            switch (steps[i].kind) {
            case ADD:
                x += (u64)(i64)c;
                break;
            case XOR:
                x ^= (u64)(i64)c;
                break;
            case MULTIPLY:
                x *= (u64)(i64)c;
                break;
            case XOR_SHIFTED:
                x ^= x >> c;
                break;
            case ADD_SHIFTED:
                x += x << c;
                break;
            default:
                i += (x & (u64)c) == 0;
            }
        }
    return x;
}

static NOINLINE u8 *compile(u8 *at, const Step *steps)
{
    at = put_entry(at);
    u8 *loop = at, *skip = 0;
    for (u32 i = 0; i < STEPS; i++) {
        u8 *to_patch = skip;
        skip = 0;
        if (steps[i].kind == SKIP_UNLESS)
            at = put_skip(at, steps[i].constant, &skip);
        else
            at = put_step(at, steps[i].kind, steps[i].constant);
        if (to_patch != 0)
            skip_to(to_patch, at);
    }
    return put_end(at, loop);
}

static u64 kernel(u64 rounds)
{
    u8 *buffer = map_code(BUFFER), *at = buffer;
    if (buffer == 0)
        return 0;
    u64 seed = 4711, sum = 0;
    Step steps[STEPS];
    for (u64 version = 0; version < rounds * VERSIONS; version++) {
        /* New code takes the place of old code, as in a buffer that is full. */
        if (at + LONGEST > buffer + BUFFER)
            at = buffer;
        make_formula(steps, &seed);
        u8 *end = compile(at, steps);
        __builtin___clear_cache((char *)at, (char *)end);
        Function function = (Function)at;
        if (function(sum, 3) != evaluate(steps, sum, 3))
            return 0;
        for (u32 call = 0; call < CALLS; call++)
            sum = function(sum + call, REPEATS);
        sum = mix(sum, version);
        at = (u8 *)(((u64)end + 15) & ~15ul);
    }
    return sum;
}
