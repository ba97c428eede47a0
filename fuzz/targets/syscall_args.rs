#![no_main]

rvrun_fuzz::fuzz_target!("syscall_args");
