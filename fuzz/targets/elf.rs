#![no_main]

rvrun_fuzz::fuzz_target!("elf");
