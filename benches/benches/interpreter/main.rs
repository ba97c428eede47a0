//! Time of the interpreter for each guest instruction.
//!
//! A measurement includes loading the kernel and pre-decoding its blocks, which
//! the number of rounds makes small.

#![forbid(unsafe_code)]

mod measurement;

use criterion::measurement::WallTime;
use criterion::{BenchmarkId, Criterion, Throughput};
use measurement::PerInstruction;
use rvrun_benches::Kernel;
use std::time::Duration;

/// Kernels, and rounds that take some millions of instructions.
const KERNELS: [(&str, u64); 14] = [
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
    ("recursion", 10),
    ("virtual_calls", 600),
    ("bytecode_switch", 2),
    ("strings", 4),
];

fn interpreter(criterion: &mut Criterion<PerInstruction>) {
    let mut group = criterion.benchmark_group("interpreter");
    group.sample_size(20).warm_up_time(Duration::from_secs(1));
    group.measurement_time(Duration::from_secs(4));
    for (name, rounds) in KERNELS {
        let kernel = Kernel::open(name).unwrap_or_else(|e| panic!("kernel {name}: {e}"));
        let expected = kernel.run(rounds);
        assert_eq!(expected.status, 0, "{name} failed");
        group.throughput(Throughput::Elements(expected.instructions));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| assert_eq!(kernel.run(rounds), expected));
        });
    }
    group.finish();
}

fn main() {
    let mut criterion =
        Criterion::default().with_measurement(PerInstruction(WallTime)).configure_from_args();
    interpreter(&mut criterion);
    criterion.final_summary();
}
