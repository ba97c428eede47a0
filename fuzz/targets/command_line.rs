#![no_main]

rvrun_fuzz::fuzz_target!("command_line");
