/*
 * The part of code_writer.c that knows the architecture: how to get memory for
 * code, and what the code of each step is.
 */

enum { READ_WRITE_EXECUTE = 7, PRIVATE_ANONYMOUS = 0x22 };

#if defined(__riscv)

enum { SYS_MMAP = 222, SYS_RISCV_FLUSH_ICACHE = 259 };
enum { ZERO = 0, RA = 1, T0 = 5, A0 = 10, A1 = 11 };

static u8 *map_code(u64 size)
{
    register i64 a0 __asm__("a0") = 0;
    register i64 a1 __asm__("a1") = (i64)size;
    register i64 a2 __asm__("a2") = READ_WRITE_EXECUTE;
    register i64 a3 __asm__("a3") = PRIVATE_ANONYMOUS;
    register i64 a4 __asm__("a4") = -1;
    register i64 a5 __asm__("a5") = 0;
    register i64 a7 __asm__("a7") = SYS_MMAP;
    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
                     : "memory");
    return a0 < 0 ? 0 : (u8 *)a0;
}

/* Called for __builtin___clear_cache, as the C library's is in other programs. */
__attribute__((used)) int __riscv_flush_icache(void *start, void *end, unsigned long flags)
{
    return (int)system_call(SYS_RISCV_FLUSH_ICACHE, (i64)start, (i64)end, (i64)flags);
}

static u8 *put(u8 *at, u32 bits)
{
    *(u32 __attribute__((may_alias)) *)at = bits;
    return at + 4;
}

/* An operation of two registers or, where `b` is more than a register, an immediate. */
static u8 *put_op(u8 *at, u32 base, u32 to, u32 a, u32 b)
{
    return put(at, base | to << 7 | a << 15 | b << 20);
}

enum {
    OP_ADD = 0x33,
    OP_XOR = 0x4033,
    OP_MUL = 0x2000033,
    OP_ADDI = 0x13,
    OP_ANDI = 0x7013,
    OP_ADDIW = 0x1b,
    OP_SLLI = 0x1013,
    OP_SRLI = 0x5013,
    OP_LUI = 0x37,
    OP_JALR = 0x67,
    OP_BEQ = 0x63,
    OP_BNE = 0x1063
};

static u32 branch(u32 base, u32 a, u32 b, i64 distance)
{
    u32 d = (u32)distance;
    return base | a << 15 | b << 20 | (d >> 11 & 1) << 7 | (d >> 1 & 15) << 8 | (d >> 5 & 63) << 25
        | (d >> 12 & 1) << 31;
}

static u8 *put_entry(u8 *at)
{
    return at;
}

static u8 *put_step(u8 *at, Kind kind, i32 constant)
{
    u32 c = (u32)constant;
    switch (kind) {
    case XOR_SHIFTED:
        at = put_op(at, OP_SRLI, T0, A0, c);
        return put_op(at, OP_XOR, A0, A0, T0);
    case ADD_SHIFTED:
        at = put_op(at, OP_SLLI, T0, A0, c);
        return put_op(at, OP_ADD, A0, A0, T0);
    default:
        at = put(at, OP_LUI | T0 << 7 | ((c + 0x800) & 0xfffff000));
        at = put_op(at, OP_ADDIW, T0, T0, c & 0xfff);
        return put_op(at, kind == ADD ? OP_ADD : kind == XOR ? OP_XOR : OP_MUL, A0, A0, T0);
    }
}

static u8 *put_skip(u8 *at, i32 mask, u8 **skip)
{
    at = put_op(at, OP_ANDI, T0, A0, (u32)mask);
    *skip = at;
    return at + 4;
}

static void skip_to(u8 *skip, const u8 *target)
{
    put(skip, branch(OP_BEQ, T0, ZERO, target - skip));
}

static u8 *put_end(u8 *at, const u8 *loop)
{
    at = put_op(at, OP_ADDI, A1, A1, 0xfff);
    at = put(at, branch(OP_BNE, A1, ZERO, loop - at));
    return put_op(at, OP_JALR, ZERO, RA, 0);
}

#else

enum { SYS_MMAP = 9 };

static u8 *map_code(u64 size)
{
    i64 result;
    register i64 flags __asm__("r10") = PRIVATE_ANONYMOUS;
    register i64 file __asm__("r8") = -1;
    register i64 offset __asm__("r9") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_MMAP), "D"(0), "S"(size), "d"(READ_WRITE_EXECUTE), "r"(flags), "r"(file), "r"(offset)
                     : "rcx", "r11", "memory");
    return result < 0 ? 0 : (u8 *)result;
}

/* Some bytes, the first in the lowest bits. */
static u8 *put(u8 *at, u64 bytes, u32 count)
{
    for (; count != 0; count--, bytes >>= 8)
        *at++ = (u8)bytes;
    return at;
}

static u8 *put_entry(u8 *at)
{
    return put(at, 0xf88948, 3); /* mov %rdi, %rax */
}

static u8 *put_step(u8 *at, Kind kind, i32 constant)
{
    u32 c = (u32)constant;
    switch (kind) {
    case ADD:
        return put(put(at, 0x0548, 2), c, 4); /* add $c, %rax */
    case XOR:
        return put(put(at, 0x3548, 2), c, 4); /* xor $c, %rax */
    case MULTIPLY:
        return put(put(at, 0xc06948, 3), c, 4); /* imul $c, %rax, %rax */
    case XOR_SHIFTED:
        at = put(at, 0xc28948, 3);                 /* mov %rax, %rdx */
        at = put(put(at, 0xeac148, 3), c, 1);      /* shr $c, %rdx */
        return put(at, 0xd03148, 3);               /* xor %rdx, %rax */
    default:
        at = put(at, 0xc28948, 3);                 /* mov %rax, %rdx */
        at = put(put(at, 0xe2c148, 3), c, 1);      /* shl $c, %rdx */
        return put(at, 0xd00148, 3);               /* add %rdx, %rax */
    }
}

static u8 *put_skip(u8 *at, i32 mask, u8 **skip)
{
    at = put(put(at, 0xa9, 1), (u32)mask, 4); /* test $mask, %eax */
    *skip = at;
    return at + 2;
}

static void skip_to(u8 *skip, const u8 *target)
{
    put(put(skip, 0x74, 1), (u64)(target - skip - 2), 1); /* je target */
}

static u8 *put_end(u8 *at, const u8 *loop)
{
    at = put(at, 0xceff48, 3);                          /* dec %rsi */
    at = put(put(at, 0x850f, 2), (u64)(loop - at - 6), 4); /* jne loop */
    return put(at, 0xc3, 1);                            /* ret */
}

#endif
