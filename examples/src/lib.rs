//! Examples: programs to run with rvrun, and programs that have rvrun inside.
//!
//! # Guest programs
//!
//! `guest/` has C programs, and beside each what a riscv64 compiler made of it, so that
//! they run with nothing installed (`cargo xtask guests` builds them anew):
//!
//! ```text
//! cargo run --release -- examples/guest/hello world
//! echo 'sqrt(2) ^ 2' | cargo run --release -- examples/guest/calc
//! cargo run --release -- --sysroot ~/rv examples/guest/greet
//! ```
//!
//! `hello` and `calc` are static. `greet` is dynamically linked: it needs the C library
//! of a riscv64 system, which `cargo xtask sysroot ~/rv libc6` unpacks.
//!
//! # Embedding
//!
//! - `embed.rs` runs a guest program and says how it ended.
//! - `count_syscalls.rs` counts a guest's system calls by listening to the trace.
//!
//! ```text
//! cargo run -p rvrun-examples --example embed -- examples/guest/hello world
//! cargo run -p rvrun-examples --example count_syscalls -- examples/guest/hello
//! ```
//!
//! The library that they use is the crate `rvrun`, in `crates/vm`.

#![forbid(unsafe_code)]
