/* Prints digests of what Berkeley SoftFloat computes, the golden values of
 * tests/float_berkeley.rs; run only to extend them. With SoftFloat 3e in $S:
 *
 *   (cd $S/build/Linux-x86_64-GCC && make SPECIALIZE_TYPE=RISCV)
 *   cc -O2 -I $S/source/include generate.c $S/build/Linux-x86_64-GCC/softfloat.a -lm -o generate
 *   ./generate operands.txt > digests.txt
 *
 * With a mnemonic and a mode behind the file it prints the operations one by
 * one. The Rust test walks the same operands: both must be changed together.
 */
#include "softfloat.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t u64;

struct format { int width, fraction; };
static const struct format H = {16, 10}, S = {32, 23}, D = {64, 52};

static u64 below(int bits) { return bits == 64 ? ~0ull : (1ull << bits) - 1; }
static u64 sign(struct format f) { return 1ull << (f.width - 1); }
static u64 infinity_of(struct format f) { return sign(f) - (1ull << f.fraction); }
static u64 canonical(struct format f) { return infinity_of(f) | 1ull << (f.fraction - 1); }
static u64 unbox(struct format f, u64 r) { return (r | below(f.width)) == ~0ull ? r & below(f.width) : canonical(f); }
static u64 box(struct format f, u64 v) { return v | ~below(f.width); }
static int nan_of(struct format f, u64 v) { return (v & ~sign(f)) > infinity_of(f); }

/* Operands at boundaries. */
static u64 lists[4][128];
static int lengths[4];
static int list_of(char kind) { return kind == 'h' ? 0 : kind == 's' ? 1 : kind == 'd' ? 2 : 3; }

static void read_lists(const char *path) {
    char line[256];
    int list = 0;
    FILE *file = fopen(path, "r");
    if (!file) exit(1);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#') continue;
        if (line[0] == '[') { list = list_of(line[1]); continue; }
        for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n"))
            lists[list][lengths[list]++] = strtoull(word, NULL, 16);
    }
    fclose(file);
}

/* Random operands. */
static u64 state;

static u64 next(void) {
    u64 z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static u64 random_float(char kind, struct format f) {
    u64 s = next(), v = next() & below(f.width), n = s >> 8;
    u64 fraction = below(f.fraction), bias = below(f.width - f.fraction - 2);
    u64 no_exponent = v & (sign(f) | fraction);
    switch (s & 7) {
    case 0: return lists[list_of(kind)][n % lengths[list_of(kind)]];
    case 1: v = no_exponent | (bias - 8 + n % 16) << f.fraction; break;
    case 2: v = no_exponent | (n % 4) << f.fraction; break;
    case 3: v = v & ~(fraction >> (n % 8 + 1)); break;
    case 4: v = v | fraction >> (n % 8 + 2); break;
    case 5: v = no_exponent | (bias + n % (bias < 66 ? bias : 66)) << f.fraction; break;
    }
    return box(f, v);
}

static u64 random_integer(void) {
    u64 s = next(), v = next(), n = s >> 8;
    switch (s & 3) {
    case 0: return v >> n % 64;
    case 1: return (1ull << n % 64) + v % 5 - 2;
    case 2: return (u64)(int64_t)(int32_t)v;
    }
    return v;
}

/* An addend of a size at which it and the product matter to one another. */
static u64 near_product(struct format f, u64 a, u64 b) {
    u64 s = next(), v = next() & below(f.width);
    int64_t bias = below(f.width - f.fraction - 2), most = 2 * bias;
    int64_t e = (int64_t)((a & infinity_of(f)) >> f.fraction) + (int64_t)((b & infinity_of(f)) >> f.fraction) - bias;
    e += (int64_t)(s % 9) - 4 + (s >> 8 & 1) * f.fraction - (s >> 9 & 1) * f.fraction;
    e = e < 0 ? 0 : e > most ? most : e;
    return box(f, (v & ~infinity_of(f)) | (u64)e << f.fraction);
}

/* The operations, on registers. */
#define F16(x) ((float16_t){(uint16_t)unbox(H, x)})
#define F32(x) ((float32_t){(uint32_t)unbox(S, x)})
#define F64(x) ((float64_t){x})
#define BOX16(x) box(H, (x).v)
#define BOX32(x) box(S, (x).v)
#define BOX64(x) (x).v

static uint_fast8_t mode;

static u64 extreme(struct format f, u64 a, u64 b, int max, int nan_wins, int less, int equal) {
    if (nan_of(f, a) && nan_of(f, b)) return canonical(f);
    if (nan_of(f, a) || nan_of(f, b)) return nan_wins ? canonical(f) : nan_of(f, a) ? b : a;
    if (equal) less = (a & sign(f)) != 0;
    return less != max ? a : b;
}

static u64 classify(struct format f, u64 a, int signaling) {
    u64 magnitude = a & ~sign(f), negative = a & sign(f);
    if (nan_of(f, a)) return signaling ? 1 << 8 : 1 << 9;
    if (magnitude == infinity_of(f)) return negative ? 1 << 0 : 1 << 7;
    if (magnitude == 0) return negative ? 1 << 3 : 1 << 4;
    if (magnitude >> f.fraction == 0) return negative ? 1 << 2 : 1 << 5;
    return negative ? 1 << 1 : 1 << 6;
}

#define ARITHMETIC(w, W, l) \
    static u64 fadd_##l(u64 a, u64 b, u64 c) { return BOX##w(f##w##_add(F##w(a), F##w(b))); } \
    static u64 fsub_##l(u64 a, u64 b, u64 c) { return BOX##w(f##w##_sub(F##w(a), F##w(b))); } \
    static u64 fmul_##l(u64 a, u64 b, u64 c) { return BOX##w(f##w##_mul(F##w(a), F##w(b))); } \
    static u64 fdiv_##l(u64 a, u64 b, u64 c) { return BOX##w(f##w##_div(F##w(a), F##w(b))); } \
    static u64 fsqrt_##l(u64 a, u64 b, u64 c) { return BOX##w(f##w##_sqrt(F##w(a))); } \
    static u64 fused_##l(u64 a, u64 b, u64 c, int product, int addend) { \
        float##w##_t x = F##w(a), y = F##w(b), z = F##w(c); \
        if (product) x.v ^= sign(W); \
        if (addend) z.v ^= sign(W); \
        return BOX##w(f##w##_mulAdd(x, y, z)); \
    } \
    static u64 fmadd_##l(u64 a, u64 b, u64 c) { return fused_##l(a, b, c, 0, 0); } \
    static u64 fmsub_##l(u64 a, u64 b, u64 c) { return fused_##l(a, b, c, 0, 1); } \
    static u64 fnmsub_##l(u64 a, u64 b, u64 c) { return fused_##l(a, b, c, 1, 0); } \
    static u64 fnmadd_##l(u64 a, u64 b, u64 c) { return fused_##l(a, b, c, 1, 1); } \
    static u64 fround_##l(u64 a, u64 b, u64 c) { return BOX##w(f##w##_roundToInt(F##w(a), mode, 0)); } \
    static u64 froundnx_##l(u64 a, u64 b, u64 c) { return BOX##w(f##w##_roundToInt(F##w(a), mode, 1)); } \
    static u64 fcvt_w_##l(u64 a, u64 b, u64 c) { return (u64)(int64_t)(int32_t)f##w##_to_i32(F##w(a), mode, 1); } \
    static u64 fcvt_wu_##l(u64 a, u64 b, u64 c) { return (u64)(int64_t)(int32_t)f##w##_to_ui32(F##w(a), mode, 1); } \
    static u64 fcvt_l_##l(u64 a, u64 b, u64 c) { return (u64)f##w##_to_i64(F##w(a), mode, 1); } \
    static u64 fcvt_lu_##l(u64 a, u64 b, u64 c) { return f##w##_to_ui64(F##w(a), mode, 1); } \
    static u64 fcvt_##l##_w(u64 a, u64 b, u64 c) { return BOX##w(i32_to_f##w((int32_t)a)); } \
    static u64 fcvt_##l##_wu(u64 a, u64 b, u64 c) { return BOX##w(ui32_to_f##w((uint32_t)a)); } \
    static u64 fcvt_##l##_l(u64 a, u64 b, u64 c) { return BOX##w(i64_to_f##w((int64_t)a)); } \
    static u64 fcvt_##l##_lu(u64 a, u64 b, u64 c) { return BOX##w(ui64_to_f##w(a)); } \
    static u64 feq_##l(u64 a, u64 b, u64 c) { return f##w##_eq(F##w(a), F##w(b)); } \
    static u64 flt_##l(u64 a, u64 b, u64 c) { return f##w##_lt(F##w(a), F##w(b)); } \
    static u64 fle_##l(u64 a, u64 b, u64 c) { return f##w##_le(F##w(a), F##w(b)); } \
    static u64 fltq_##l(u64 a, u64 b, u64 c) { return f##w##_lt_quiet(F##w(a), F##w(b)); } \
    static u64 fleq_##l(u64 a, u64 b, u64 c) { return f##w##_le_quiet(F##w(a), F##w(b)); } \
    static u64 extreme_##l(u64 a, u64 b, int max, int nan_wins) { \
        float##w##_t x = F##w(a), y = F##w(b); \
        return box(W, extreme(W, x.v, y.v, max, nan_wins, f##w##_lt_quiet(x, y), f##w##_eq(x, y))); \
    } \
    static u64 fmin_##l(u64 a, u64 b, u64 c) { return extreme_##l(a, b, 0, 0); } \
    static u64 fmax_##l(u64 a, u64 b, u64 c) { return extreme_##l(a, b, 1, 0); } \
    static u64 fminm_##l(u64 a, u64 b, u64 c) { return extreme_##l(a, b, 0, 1); } \
    static u64 fmaxm_##l(u64 a, u64 b, u64 c) { return extreme_##l(a, b, 1, 1); } \
    static u64 fclass_##l(u64 a, u64 b, u64 c) { \
        float##w##_t x = F##w(a); \
        return classify(W, x.v, f##w##_isSignalingNaN(x)); \
    }

ARITHMETIC(16, H, h)
ARITHMETIC(32, S, s)
ARITHMETIC(64, D, d)

static u64 fcvt_s_d(u64 a, u64 b, u64 c) { return BOX32(f64_to_f32(F64(a))); }
static u64 fcvt_d_s(u64 a, u64 b, u64 c) { return BOX64(f32_to_f64(F32(a))); }
static u64 fcvt_s_h(u64 a, u64 b, u64 c) { return BOX32(f16_to_f32(F16(a))); }
static u64 fcvt_h_s(u64 a, u64 b, u64 c) { return BOX16(f32_to_f16(F32(a))); }
static u64 fcvt_d_h(u64 a, u64 b, u64 c) { return BOX64(f16_to_f64(F16(a))); }
static u64 fcvt_h_d(u64 a, u64 b, u64 c) { return BOX16(f64_to_f16(F64(a))); }

static u64 fcvtmod_w_d(u64 a, u64 b, u64 c) {
    double x;
    memcpy(&x, &a, sizeof x);
    f64_to_i32(F64(a), softfloat_round_minMag, 1);
    if (!isfinite(x)) return 0;
    return (u64)(int64_t)(int32_t)(int64_t)fmod(trunc(x), 4294967296.0);
}

struct operation {
    const char *name, *kinds;
    u64 (*run)(u64, u64, u64);
};

#define OPERATIONS(l) \
    {"fadd." #l, #l #l, fadd_##l}, {"fsub." #l, #l #l, fsub_##l}, {"fmul." #l, #l #l, fmul_##l}, \
    {"fdiv." #l, #l #l, fdiv_##l}, {"fsqrt." #l, #l, fsqrt_##l}, \
    {"fmadd." #l, #l #l #l, fmadd_##l}, {"fmsub." #l, #l #l #l, fmsub_##l}, \
    {"fnmsub." #l, #l #l #l, fnmsub_##l}, {"fnmadd." #l, #l #l #l, fnmadd_##l}, \
    {"fround." #l, #l, fround_##l}, {"froundnx." #l, #l, froundnx_##l}, \
    {"fcvt.w." #l, #l, fcvt_w_##l}, {"fcvt.wu." #l, #l, fcvt_wu_##l}, \
    {"fcvt.l." #l, #l, fcvt_l_##l}, {"fcvt.lu." #l, #l, fcvt_lu_##l}, \
    {"fcvt." #l ".w", "x", fcvt_##l##_w}, {"fcvt." #l ".wu", "x", fcvt_##l##_wu}, \
    {"fcvt." #l ".l", "x", fcvt_##l##_l}, {"fcvt." #l ".lu", "x", fcvt_##l##_lu}, \
    {"feq." #l, #l #l, feq_##l}, {"flt." #l, #l #l, flt_##l}, {"fle." #l, #l #l, fle_##l}, \
    {"fltq." #l, #l #l, fltq_##l}, {"fleq." #l, #l #l, fleq_##l}, \
    {"fmin." #l, #l #l, fmin_##l}, {"fmax." #l, #l #l, fmax_##l}, \
    {"fminm." #l, #l #l, fminm_##l}, {"fmaxm." #l, #l #l, fmaxm_##l}, {"fclass." #l, #l, fclass_##l}

static const struct operation operations[] = {
    OPERATIONS(h), OPERATIONS(s), OPERATIONS(d),
    {"fcvt.s.d", "d", fcvt_s_d}, {"fcvt.d.s", "s", fcvt_d_s}, {"fcvt.s.h", "h", fcvt_s_h},
    {"fcvt.h.s", "s", fcvt_h_s}, {"fcvt.d.h", "h", fcvt_d_h}, {"fcvt.h.d", "d", fcvt_h_d},
    {"fcvtmod.w.d", "d", fcvtmod_w_d},
};

/* RNE, RTZ, RDN, RUP, RMM in RISC-V's order; SoftFloat numbers them alike. */
static const char *const modes[] = {"rne", "rtz", "rdn", "rup", "rmm"};

static u64 digest, count;
static int verbose;

static void run(const struct operation *o, u64 a, u64 b, u64 c) {
    softfloat_exceptionFlags = 0;
    u64 result = o->run(a, b, c), flags = softfloat_exceptionFlags;
    if (verbose) printf("%016lx %016lx %016lx -> %016lx %02lx\n", a, b, c, result, flags);
    digest = (digest ^ result) * 0x100000001b3;
    digest = (digest ^ digest >> 32 ^ flags) * 0x100000001b3;
    count++;
}

static u64 random_operand(char kind) {
    return kind == 'x' ? random_integer() : random_float(kind, kind == 'h' ? H : kind == 's' ? S : D);
}

static void run_all(const struct operation *o) {
    int n = strlen(o->kinds), list = list_of(o->kinds[0]);
    struct format f = o->kinds[0] == 'h' ? H : o->kinds[0] == 's' ? S : D;
    digest = 0xcbf29ce484222325;
    count = 0;
    state = 1;
    if (n == 1 && o->kinds[0] == 'h')
        for (u64 a = 0; a < 65536; a++) run(o, box(H, a), 0, 0);
    for (int i = 0; i < lengths[list]; i++)
        for (int j = 0; j < (n > 1 ? lengths[list] : 1); j++)
            for (int k = 0; k < (n > 2 ? lengths[list] : 1); k++)
                run(o, lists[list][i], n > 1 ? lists[list][j] : 0, n > 2 ? lists[list][k] : 0);
    for (int i = 0; i < 100000; i++) {
        u64 a = random_operand(o->kinds[0]), b = 0, c = 0;
        if (n > 1) b = random_operand(o->kinds[0]);
        if (n > 2) c = i % 2 ? near_product(f, a, b) : random_operand(o->kinds[0]);
        run(o, a, b, c);
    }
}

int main(int argc, char **argv) {
    read_lists(argv[1]);
    softfloat_detectTininess = softfloat_tininess_afterRounding;
    verbose = argc > 2;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        for (int m = 0; m < 5; m++) {
            if (verbose && (strcmp(argv[2], operations[i].name) || strcmp(argv[3], modes[m]))) continue;
            softfloat_roundingMode = mode = m;
            run_all(&operations[i]);
            if (!verbose) printf("%s %s %lu %016lx\n", operations[i].name, modes[m], count, digest);
        }
}
