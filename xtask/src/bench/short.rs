//! A static program that ends at once.

use crate::bench::class::SHORT;
use crate::bench::kernels::host_flags;
use crate::bench::measure::Job;
use crate::build::{self, Places};
use anyhow::Result;

/// The row's name.
pub const HELLO: &str = "startup";
const RUNS: u64 = 200;

/// The job.
pub fn job(places: &Places, percent: u64) -> Result<Job> {
    let guest = places.root.join("examples/guest/hello");
    let source = guest.with_extension("c");
    let native = build::native(places, "hello", &source, &host_flags("-O2 -static"))?;
    Ok(Job {
        name: HELLO.into(),
        class: &SHORT,
        native: vec![native.into()],
        guest: vec![guest.into()],
        repeat: (RUNS * percent / 100).max(1),
    })
}
