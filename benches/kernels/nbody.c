/* build: -O2 -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -ffp-contract=off -fno-math-errno -Wl,--build-id=none -march=rv64gc */
/* class: floating point */
/* Bodies that attract one another, a step of time a round. */
#define DEFAULT_ROUNDS 3000000
#include "kernel.h"

enum { BODIES = 6 };

typedef struct {
    double place[3];
    double speed[3];
    double mass;
} Body;

static Body bodies[BODIES];

static NOINLINE void advance(double time)
{
    for (u32 i = 0; i < BODIES; i++) {
        Body *one = &bodies[i];
        for (u32 j = i + 1; j < BODIES; j++) {
            Body *other = &bodies[j];
            double x = one->place[0] - other->place[0];
            double y = one->place[1] - other->place[1];
            double z = one->place[2] - other->place[2];
            double square = x * x + y * y + z * z + 0.01;
            double force = time / (square * __builtin_sqrt(square));
            double on_one = other->mass * force, on_other = one->mass * force;
            one->speed[0] -= x * on_one;
            one->speed[1] -= y * on_one;
            one->speed[2] -= z * on_one;
            other->speed[0] += x * on_other;
            other->speed[1] += y * on_other;
            other->speed[2] += z * on_other;
        }
    }
    for (u32 i = 0; i < BODIES; i++)
        for (u32 axis = 0; axis < 3; axis++)
            bodies[i].place[axis] += time * bodies[i].speed[axis];
}

static double energy(void)
{
    double sum = 0;
    for (u32 i = 0; i < BODIES; i++) {
        Body *one = &bodies[i];
        double square = 0;
        for (u32 axis = 0; axis < 3; axis++)
            square += one->speed[axis] * one->speed[axis];
        sum += 0.5 * one->mass * square;
        for (u32 j = i + 1; j < BODIES; j++) {
            double distance = 0.01;
            for (u32 axis = 0; axis < 3; axis++) {
                double d = one->place[axis] - bodies[j].place[axis];
                distance += d * d;
            }
            sum -= one->mass * bodies[j].mass / __builtin_sqrt(distance);
        }
    }
    return sum;
}

static u64 kernel(u64 rounds)
{
    u64 seed = 23;
    for (u32 i = 0; i < BODIES; i++) {
        for (u32 axis = 0; axis < 3; axis++) {
            bodies[i].place[axis] = (double)(random_next(&seed) >> 44) / (1 << 18) - 2;
            bodies[i].speed[axis] = (double)(random_next(&seed) >> 44) / (1 << 20) - 0.5;
        }
        bodies[i].mass = i == 0 ? 10 : 0.1 * i;
    }
    u64 sum = bits_of(energy());
    for (u64 round = 0; round < rounds; round++)
        advance(0.001);
    return mix(sum, bits_of(energy()));
}
