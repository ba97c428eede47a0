/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -ffp-contract=off -fno-math-errno -Wl,--build-id=none -march=rv64gc */
/* class: floating point */
/* Rays that meet spheres and mirrors, in single precision. */
#define DEFAULT_ROUNDS 750
#include "kernel.h"

enum { WIDTH = 96, HEIGHT = 64, SPHERES = 9, BOUNCES = 3 };

typedef struct {
    float x, y, z;
} Vector;

typedef struct {
    Vector centre;
    float radius;
    float brightness;
    float mirror;
} Sphere;

static Sphere spheres[SPHERES];
static const Vector light = {0.48f, 0.8f, -0.36f};
static const float FAR = 1e9f;

static inline Vector along(Vector from, Vector direction, float distance)
{
    return (Vector){from.x + direction.x * distance, from.y + direction.y * distance, from.z + direction.z * distance};
}

static inline float dot(Vector a, Vector b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline Vector unit(Vector v)
{
    float scale = 1.0f / __builtin_sqrtf(dot(v, v));
    return (Vector){v.x * scale, v.y * scale, v.z * scale};
}

/* The sphere that a ray meets first, or none, and how far away it is. */
static NOINLINE const Sphere *meet(Vector from, Vector direction, float *distance)
{
    const Sphere *nearest = 0;
    float best = FAR;
    for (u32 i = 0; i < SPHERES; i++) {
        const Sphere *s = &spheres[i];
        Vector to = along(s->centre, from, -1.0f);
        float middle = dot(to, direction);
        float below_root = middle * middle - dot(to, to) + s->radius * s->radius;
        if (below_root < 0)
            continue;
        float at = middle - __builtin_sqrtf(below_root);
        if (at > 1e-3f && at < best) {
            best = at;
            nearest = s;
        }
    }
    *distance = best;
    return nearest;
}

static NOINLINE float brightness(Vector from, Vector direction)
{
    float sum = 0, weight = 1;
    for (u32 bounce = 0; bounce < BOUNCES; bounce++) {
        float distance;
        const Sphere *s = meet(from, direction, &distance);
        if (s == 0)
            return sum + weight * (0.5f + 0.5f * direction.y);
        Vector point = along(from, direction, distance);
        Vector normal = unit(along(point, s->centre, -1.0f));
        float lit = dot(normal, light), ignored;
        if (lit < 0 || meet(point, light, &ignored) != 0)
            lit = 0;
        sum += weight * (1 - s->mirror) * s->brightness * (0.1f + 0.9f * lit);
        weight *= s->mirror;
        direction = unit(along(direction, normal, -2.0f * dot(direction, normal)));
        from = point;
    }
    return sum;
}

static float random_float(u64 *seed)
{
    return (float)(random_next(seed) >> 40) / (1 << 24);
}

static u64 kernel(u64 rounds)
{
    u64 seed = 31, sum = 0;
    for (u32 i = 0; i < SPHERES; i++) {
        Vector centre = {random_float(&seed) * 6 - 3, random_float(&seed) * 4 - 2, random_float(&seed) * 4 + 3};
        float radius = 0.4f + random_float(&seed) * 0.6f;
        spheres[i] = (Sphere){centre, radius, random_float(&seed), random_float(&seed) * 0.9f};
    }
    for (u64 round = 0; round < rounds; round++) {
        Vector eye = {0, 0, (float)(round % 8) * -0.25f};
        u32 total = 0;
        for (u32 row = 0; row < HEIGHT; row++)
            for (u32 column = 0; column < WIDTH; column++) {
                Vector through = {(float)column / (WIDTH / 2) - 1, 0.67f - (float)row / (WIDTH / 2), 1};
                float grey = brightness(eye, unit(through)) * 255;
                total = total * 31 + (u32)(i32)(grey > 255 ? 255 : grey);
            }
        sum = mix(sum, total);
        spheres[round % SPHERES].centre.x += 0.01f;
    }
    return sum;
}
