//! Time of each engine for each guest instruction, as the interpreter counts them.
//!
//! A measurement includes loading the kernel and translating its blocks, which
//! the number of rounds makes small, but for `code_writer`. It also includes the time
//! until what is hot is translated, which is beside the kernel where the host has a
//! processor to spare.

#![forbid(unsafe_code)]

mod measurement;

use criterion::measurement::WallTime;
use criterion::{BenchmarkId, Criterion, Throughput};
use measurement::PerInstruction;
use rvrun_benches::{ENGINES, Kernel};
use std::time::Duration;

/// Kernels, and rounds that take some millions of instructions.
const KERNELS: [(&str, u64); 16] = [
    ("sort", 8),
    ("compress", 3),
    ("bigint", 10),
    ("state_machine", 3),
    ("sieve", 3),
    ("sha256", 1000),
    ("matmul", 1),
    ("nbody", 6000),
    ("mandelbrot", 1),
    ("math", 40),
    ("spheres", 2),
    ("recursion", 10),
    ("virtual_calls", 600),
    ("bytecode_switch", 2),
    ("strings", 4),
    ("code_writer", 1),
];

fn compare(criterion: &mut Criterion<PerInstruction>) {
    for (name, rounds) in KERNELS {
        let kernel = Kernel::open(name).unwrap_or_else(|e| panic!("kernel {name}: {e}"));
        let expected = kernel.run(&ENGINES[0], rounds);
        assert_eq!(expected.status, 0, "{name} failed");
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20).warm_up_time(Duration::from_secs(1));
        group.measurement_time(Duration::from_secs(4));
        group.throughput(Throughput::Elements(expected.instructions));
        for engine in ENGINES {
            group.bench_function(BenchmarkId::from_parameter(engine.name), |bencher| {
                bencher.iter(|| assert_eq!(kernel.run(engine, rounds).output, expected.output));
            });
        }
        group.finish();
    }
}

fn main() {
    let mut criterion =
        Criterion::default().with_measurement(PerInstruction(WallTime)).configure_from_args();
    compare(&mut criterion);
    criterion.final_summary();
}
