//! The figures of a run as text.

use crate::tiers::{Report, Share};
use std::fmt::Write;
use std::time::Duration;

/// A line for each figure, what it counts first.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<34} {value}");
    };
    let share =
        |share: &Share| format!("{} instructions in {}", share.instructions, time(share.time));
    line("interpreted", share(&report.interpreter));
    line("translated code", share(&report.translated));
    line("  interpreted for it, one by one", report.stepped.to_string());
    let (calls, taken) = report.calls;
    line("system calls", format!("{calls} in {}", time(taken)));
    if report.verified != (0, 0) {
        let (stretches, instructions) = report.verified;
        line("verified", format!("{instructions} instructions in {stretches} stretches"));
    }
    if let Some(stats) = &report.translator {
        line("regions asked for", stats.requested.to_string());
        line("  translated", stats.translated.to_string());
        line("  refused", stats.refused.to_string());
        line("  outdated when done", stats.outdated.to_string());
        line("  dropped since code changed", stats.invalidated.to_string());
        line("  dropped to make room", stats.evicted.to_string());
        line("instructions translated", stats.instructions.to_string());
        line("bytes of host code", stats.code_bytes.to_string());
        line("compile time", time(stats.compile_time));
        line("guest waited to find regions", time(stats.find_time));
        line("guest waited to take them in", time(stats.install_time));
        line("  longest", time(stats.longest_install));
        line("translated code entered", stats.entries.to_string());
        line("  left to cold code", stats.cold.to_string());
        line("  left for a system call", stats.syscalls.to_string());
        line("  left for an instruction", stats.interpreted.to_string());
        line("  left for attention", stats.attention.to_string());
        line("  left by a fault", stats.faults.to_string());
        line("jump cache misses", stats.jump_misses.to_string());
    }
    text
}

fn time(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1e3)
}
