/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,--build-id=none -march=rv64gc */
/* class: calls */
/* Objects of six kinds in random order, each with a table of functions. */
#define DEFAULT_ROUNDS 55000
#include "kernel.h"

typedef struct Shape Shape;

typedef struct {
    u64 (*area)(const Shape *);
    void (*grow)(Shape *, u64);
    u64 (*corners)(const Shape *);
} Methods;

struct Shape {
    const Methods *methods;
    u64 width;
    u64 height;
};

static u64 rectangle_area(const Shape *s) { return s->width * s->height; }
static u64 square_area(const Shape *s) { return s->width * s->width; }
static u64 triangle_area(const Shape *s) { return s->width * s->height / 2; }
static u64 ellipse_area(const Shape *s) { return s->width * s->height * 201 >> 8; }
static u64 frame_area(const Shape *s) { return 2 * (s->width + s->height) - 4; }
static u64 point_area(const Shape *s) { return s->width & 1; }

static void grow_both(Shape *s, u64 by)
{
    s->width = (s->width + by) & 1023;
    s->height = (s->height + by) & 1023;
}

static void grow_width(Shape *s, u64 by) { s->width = (s->width + 2 * by) & 2047; }
static void grow_height(Shape *s, u64 by) { s->height = (s->height ^ by) & 2047; }
static void grow_not(Shape *s, u64 by) { s->width ^= by & 1; }

static u64 four(const Shape *s) { return 4 + (s->width == s->height); }
static u64 three(const Shape *s) { return 3 + (s->height == 0); }
static u64 none(const Shape *s) { return s->width == 0; }

static const Methods kinds[] = {
    {rectangle_area, grow_both, four}, {square_area, grow_width, four},
    {triangle_area, grow_height, three}, {ellipse_area, grow_both, none},
    {frame_area, grow_width, four},      {point_area, grow_not, none},
};

static Shape shapes[509];

static NOINLINE u64 visit(u64 by)
{
    u64 sum = 0;
    for (u32 i = 0; i < LENGTH(shapes); i++) {
        Shape *shape = &shapes[i];
        shape->methods->grow(shape, by + i);
        sum += shape->methods->area(shape) * shape->methods->corners(shape);
    }
    return sum;
}

static u64 kernel(u64 rounds)
{
    u64 seed = 3, sum = 0;
    for (u32 i = 0; i < LENGTH(shapes); i++) {
        u64 r = random_next(&seed) >> 16;
        shapes[i] = (Shape){&kinds[r % LENGTH(kinds)], r >> 8 & 255, r >> 16 & 255};
    }
    for (u64 round = 0; round < rounds; round++)
        sum = mix(sum, visit(round));
    return sum;
}
