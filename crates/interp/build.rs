//! Chooses how handlers go on to the next operation.
//!
//! Handlers call one another in tail position, which LLVM turns into jumps only
//! in optimised builds. Without optimisation the same handlers return to a loop
//! instead: slow, but the host's stack does not grow.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(threaded)");
    if std::env::var("OPT_LEVEL").is_ok_and(|level| level != "0") {
        println!("cargo::rustc-cfg=threaded");
    }
}
