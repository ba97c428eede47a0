/*
 * A small machine with registers and the program that it runs: it counts the
 * steps of Collatz sequences, and fills a table on the way. What differs between
 * the kernels that include this is how the interpreter finds the next operation.
 */
#ifndef BYTECODE_H
#define BYTECODE_H

#include "kernel.h"

/* An operation: its name, and what it does to `r` with its operands a, b, c. */
#define OPERATIONS(EACH)                                  \
    EACH(SET, r[a] = c)                                   \
    EACH(MOVE, r[a] = r[b])                               \
    EACH(ADD, r[a] = r[b] + r[c])                         \
    EACH(ADD_CONSTANT, r[a] = r[b] + c)                   \
    EACH(MULTIPLY_CONSTANT, r[a] = r[b] * c)              \
    EACH(HALVE, r[a] = r[b] >> 1)                         \
    EACH(EXCLUSIVE_OR, r[a] = r[b] ^ r[c])                \
    EACH(AND_CONSTANT, r[a] = r[b] & c)                   \
    EACH(LOAD, r[a] = memory[r[b] & 1023])                \
    EACH(STORE, memory[r[b] & 1023] = r[a])               \
    EACH(JUMP, at = code + c)                             \
    EACH(JUMP_IF_ZERO, if (r[a] == 0) at = code + c)      \
    EACH(JUMP_IF_EVEN, if ((r[a] & 1) == 0) at = code + c)\
    EACH(JUMP_IF_LESS, if (r[a] < r[b]) at = code + c)    \
    EACH(JUMP_IF_ONE, if (r[a] == 1) at = code + c)

#define NUMBER(NAME, ACTION) OP_##NAME,
enum { OPERATIONS(NUMBER) OP_END };
#undef NUMBER

typedef struct {
    u8 operation;
    u8 a;
    u8 b;
    u8 c;
} Operation;

static u64 memory[1024];

/* Registers: 0 the start, 1 the end, 2 the number, 3 the steps, 4 the sum, 5 scratch. */
static const Operation program[] = {
    /* 0: next start */
    {OP_MOVE, 2, 0, 0},
    {OP_SET, 3, 0, 0},
    /* 2: the sequence */
    {OP_JUMP_IF_ONE, 2, 0, 10},
    {OP_ADD_CONSTANT, 3, 3, 1},
    {OP_JUMP_IF_EVEN, 2, 0, 8},
    {OP_MULTIPLY_CONSTANT, 2, 2, 3},
    {OP_ADD_CONSTANT, 2, 2, 1},
    {OP_JUMP, 0, 0, 2},
    {OP_HALVE, 2, 2, 0},
    {OP_JUMP, 0, 0, 2},
    /* 10: its end */
    {OP_AND_CONSTANT, 5, 3, 127},
    {OP_LOAD, 6, 5, 0},
    {OP_JUMP_IF_ZERO, 6, 0, 15},
    {OP_EXCLUSIVE_OR, 4, 4, 6},
    {OP_ADD, 4, 4, 3},
    {OP_ADD_CONSTANT, 6, 6, 1},
    {OP_STORE, 6, 5, 0},
    {OP_ADD_CONSTANT, 0, 0, 1},
    {OP_JUMP_IF_LESS, 0, 1, 0},
    {OP_END, 0, 0, 0},
};

/* Runs `code` to its end; each kernel has its own. */
static void interpret(const Operation *code, u64 *r);

static u64 kernel(u64 rounds)
{
    u64 sum = 0;
    for (u64 round = 0; round < rounds; round++) {
        u64 r[8] = {1 + round % 1000, 1000 + round % 1000};
        interpret(program, r);
        sum = mix(sum, r[4]);
    }
    return sum;
}

#endif
