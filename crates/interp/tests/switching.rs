//! What lets another engine take turns: samples, gates, and what is known about code.

mod support;

use rvrun_interp::Stop;
use std::sync::atomic::Ordering;
use support::{CODE_BYTES, EXEC, Guest, READ, WRITE, has_host_code};

/// 2000 rounds of a loop at offset 4, whose block begins there.
const LOOP: [&str; 4] = ["addi a1, zero, 2000", "addi a0, a0, 1", "bne a0, a1, .-4", "ecall"];

/// A call of a function at 256 that adds one to a0, in a loop of 3, each way of arriving once.
fn caller(arrive: &[&str]) -> Guest {
    let guest = Guest::new(&["addi s1, zero, 3"]);
    let mut at = guest.write(4, arrive);
    at = guest.write(at, &["addi s1, s1, -1"]);
    at = guest.write(at, &[&format!("bne s1, zero, .-{}", at - 4)]);
    guest.write(at, &["ecall"]);
    guest.write(256, &["addi a0, a0, 1", "jalr zero, 0(ra)"]);
    guest
}

#[test]
fn samples_come_after_exactly_as_many_events_as_asked_for() {
    for period in [1u32, 7, 100, 600, 1024, 1025, 1500] {
        let mut guest = Guest::new(&LOOP);
        let mut samples = 0;
        guest.interpreter.set_fuel(period);
        loop {
            match guest.run() {
                Stop::Sample => {
                    samples += 1;
                    assert_eq!(guest.offset(), 4);
                    if !has_host_code() || period == 1 {
                        assert_eq!(guest.hart.x[10], samples * u64::from(period));
                    }
                    assert_eq!(guest.hart.instret, 1 + 2 * guest.hart.x[10]);
                    guest.interpreter.set_fuel(period);
                }
                stop => break assert_eq!(stop, Stop::Syscall),
            }
        }
        // The last branch is not taken. Host code counts instructions, a round has few of them.
        if !has_host_code() || period == 1 {
            assert_eq!(samples, 1999 / u64::from(period));
        } else {
            assert_eq!(samples > 0, period == 7, "{samples} samples each {period} events");
        }
        assert_eq!((guest.hart.x[10], guest.hart.instret), (2000, 4002));
    }
}

#[test]
fn without_fuel_set_there_is_no_sample_and_after_one_no_other() {
    let mut guest = Guest::new(&LOOP);
    assert_eq!(guest.run(), Stop::Syscall);
    guest.hart.pc = guest.code;
    guest.hart.x[10] = 0;
    guest.interpreter.set_fuel(2);
    assert_eq!(guest.run(), Stop::Sample);
    assert_eq!(guest.run(), Stop::Syscall);
    assert_eq!(guest.hart.x[10], 2000);
}

/// Where each event goes up to an environment call, by its offset, and a0 there.
fn events(guest: &mut Guest) -> Vec<(u64, u64)> {
    let mut places = Vec::new();
    loop {
        guest.interpreter.set_fuel(1);
        match guest.run() {
            Stop::Sample => places.push((guest.offset(), guest.hart.x[10])),
            stop => break assert_eq!(stop, Stop::Syscall),
        }
    }
    places
}

#[test]
fn calls_returns_and_indirect_jumps_are_events() {
    let mut guest = Guest::new(&[
        "jal ra, .+64",
        "jalr ra, 64(s0)",
        "jalr zero, 16(s0)",
        "ebreak",
        "jal zero, .+4", // forwards: none
        "ecall",
    ]);
    guest.write(64, &["c.addi a0, 1", "jalr zero, 0(ra)"]);
    guest.hart.x[8] = guest.code;
    let places = events(&mut guest);
    let all = [(64, 0), (4, 1), (64, 1), (8, 2), (16, 2)];
    // Where host code returns from a call that it knows of, the call was enough.
    places.iter().for_each(|place| assert!(all.contains(place), "{place:?}"));
    let returns = if has_host_code() { 0 } else { 2 };
    assert_eq!(places.len(), 3 + returns);
}

/// Code that nobody can write is executed where it stands when control comes to it for the first time.
#[test]
fn events_and_instructions_are_counted_from_the_first_time_on() {
    let counts = |prot: i32| {
        let mut guest = Guest::new(&[
            "jal zero, .+12", // forwards: none
            "beq zero, zero, .+12",
            "ebreak",
            "beq zero, zero, .-8",
            "jal ra, .+48",
            "jalr ra, 64(s0)",
            "jalr zero, 32(s0)",
            "ebreak",
            "addi a1, a0, 1",
            "ecall",
        ]);
        guest.write(64, &["c.addi a0, 1", "jalr zero, 0(ra)"]);
        guest.space.mprotect(guest.code, CODE_BYTES, prot).unwrap();
        guest.hart.x[8] = guest.code;
        let places = events(&mut guest);
        assert_eq!((guest.offset(), guest.hart.x[11]), (40, 3));
        (places, guest.hart.instret)
    };
    let fixed = counts(READ | EXEC);
    assert_eq!(fixed.1, 12);
    if !has_host_code() {
        assert_eq!(fixed.0, [(4, 0), (64, 0), (20, 1), (64, 1), (24, 2), (32, 2)]);
        assert_eq!(fixed, counts(READ | WRITE | EXEC));
    }
}

#[test]
fn a_loop_of_returns_stops() {
    let mut guest = Guest::new(&["c.addi a0, 1", "jalr zero, 0(ra)"]);
    guest.hart.x[1] = guest.code;
    for _ in 0..3 {
        guest.interpreter.set_fuel(8);
        assert_eq!(guest.run(), Stop::Sample);
    }
    assert!(guest.hart.x[10] > 3);
}

#[test]
fn attention_does_not_shift_samples() {
    let mut guest = Guest::new(&LOOP);
    guest.interpreter.set_fuel(300);
    guest.interpreter.attention().store(1, Ordering::Relaxed);
    for round in 1..=5 {
        assert_eq!(guest.run(), Stop::Attention);
        assert_eq!(guest.hart.x[10], round, "at the next event");
    }
    guest.interpreter.attention().store(0, Ordering::Relaxed);
    if has_host_code() {
        return assert_eq!(guest.run(), Stop::Syscall);
    }
    assert_eq!(guest.run(), Stop::Sample);
    assert_eq!(guest.hart.x[10], 300);
}

/// Stops at the gate at 256 in each of three rounds, going on by single steps.
fn passes_gate_three_times(mut guest: Guest, how: &str) {
    let gate = guest.code + 256;
    for round in 0..3 {
        assert_eq!(guest.run(), Stop::Gate, "{how}");
        assert_eq!((guest.offset(), guest.hart.x[10]), (256, round), "{how}");
        assert_eq!(guest.run(), Stop::Gate, "{how}: where it starts");
        assert_eq!(guest.interpreter.step(&mut guest.hart), None, "{how}");
        assert_eq!(guest.hart.x[10], round + 1);
    }
    assert_eq!(guest.run(), Stop::Syscall, "{how}");

    guest.interpreter.remove_gate(gate);
    guest.hart.pc = guest.code;
    assert_eq!(guest.run(), Stop::Syscall, "{how}: removed");
    assert_eq!(guest.hart.x[10], 6);

    // Now what leads there is linked to the block itself, and in the jump cache.
    guest.interpreter.add_gate(gate);
    guest.hart.pc = guest.code;
    assert_eq!(guest.run(), Stop::Gate, "{how}: added again");
    assert!(guest.interpreter.reached(gate), "the block is still there");
    guest.interpreter.clear_gates();
    assert_eq!(guest.interpreter.gates(), []);
    assert_eq!(guest.run(), Stop::Syscall, "{how}: cleared");
    assert_eq!(guest.hart.x[10], 9);
}

/// The code of a block may be right behind that of one that goes on with it.
#[test]
fn gates_stop_who_goes_straight_on() {
    let mut guest = Guest::new(&["bne a1, zero, .+128", "addi a0, a0, 1", "ecall"]);
    guest.write(64, &["jal zero, .-60"]);
    guest.write(128, &["addi a0, a0, 100", "ecall"]);
    let gate = guest.code + 4;
    let run = |guest: &mut Guest, offset: u64, a1: u64| {
        guest.hart.pc = guest.code + offset;
        (guest.hart.x[10], guest.hart.x[11]) = (0, a1);
        (guest.run(), guest.hart.x[10])
    };
    assert_eq!(run(&mut guest, 0, 0), (Stop::Syscall, 1));
    guest.interpreter.add_gate(gate);
    assert_eq!(run(&mut guest, 0, 0), (Stop::Gate, 0));
    guest.interpreter.remove_gate(gate);
    // Another way there is the first, on which the branch would be taken.
    assert_eq!(run(&mut guest, 64, 1), (Stop::Syscall, 1));
    // The branch has not been linked to the block again.
    guest.interpreter.add_gate(gate);
    assert_eq!(run(&mut guest, 0, 0), (Stop::Gate, 0));
    assert_eq!(run(&mut guest, 0, 1), (Stop::Syscall, 100));
    guest.interpreter.remove_gate(gate);
    assert_eq!(run(&mut guest, 0, 0), (Stop::Syscall, 1));
}

#[test]
fn gates_stop_every_way_of_arrival() {
    let ways: [(&str, &[&str]); 4] = [
        ("call", &["jal ra, .+252"]),
        ("indirect call", &["jalr ra, 256(s0)"]),
        ("jump", &["auipc ra, 0x0", "addi ra, ra, 12", "jal zero, .+244"]),
        ("indirect jump", &["auipc ra, 0x0", "addi ra, ra, 12", "jalr zero, 256(s0)"]),
    ];
    for (how, arrive) in ways {
        for executed_before in [false, true] {
            let mut guest = caller(arrive);
            guest.hart.x[8] = guest.code;
            if executed_before {
                assert_eq!(guest.run(), Stop::Syscall);
                assert_eq!(guest.hart.x[10], 3);
                (guest.hart.x[10], guest.hart.pc) = (0, guest.code);
            }
            guest.interpreter.add_gate(guest.code + 256);
            assert_eq!(guest.interpreter.gates(), [guest.code + 256]);
            passes_gate_three_times(guest, how);
        }
    }
}

#[test]
fn gates_stop_branches_taken_and_not_taken_and_loops_of_one_block() {
    for executed_before in [false, true] {
        let mut guest = Guest::new(&LOOP);
        if executed_before {
            assert_eq!(guest.run(), Stop::Syscall);
            (guest.hart.x[10], guest.hart.pc) = (0, guest.code);
        }
        // The beginning of the block that loops.
        guest.interpreter.add_gate(guest.code + 4);
        for round in 1..4 {
            assert_eq!(guest.run(), Stop::Gate);
            assert_eq!(
                (guest.offset(), guest.hart.x[10]),
                (4, round),
                "not before the first round"
            );
            guest.interpreter.step(&mut guest.hart);
        }
        guest.interpreter.remove_gate(guest.code + 4);
        // Behind the branch.
        guest.interpreter.add_gate(guest.code + 12);
        assert_eq!(guest.run(), Stop::Gate);
        assert_eq!((guest.offset(), guest.hart.x[10]), (12, 2000));
    }
}

#[test]
fn gates_stop_blocks_that_were_cut_for_their_length() {
    let mut guest = Guest::new(&["addi a0, a0, 1"; 200]);
    guest.write(800, &["ecall"]);
    guest.interpreter.add_gate(guest.code + 512);
    guest.interpreter.add_gate(guest.code + 256);
    assert_eq!(guest.run(), Stop::Gate);
    assert_eq!((guest.offset(), guest.hart.x[10]), (512, 128));
}

#[test]
fn gates_survive_what_happens_to_the_code() {
    let mut guest = caller(&["jal ra, .+252", "fence.i"]);
    let gate = guest.code + 256;
    guest.interpreter.add_gate(gate);
    assert_eq!(guest.run(), Stop::Gate);
    guest.write(256, &["addi a0, a0, 5"]);
    guest.space.invalidate_code(guest.code, guest.code + 4096);
    assert_eq!(guest.run(), Stop::Gate, "after invalidation");
    guest.interpreter.step(&mut guest.hart);
    assert_eq!(guest.hart.x[10], 5, "the new code");
    assert_eq!(guest.run(), Stop::Gate, "after a fence.i");
    // Changing over to software clears the store.
    guest.hart.frm = 4;
    guest.interpreter.step(&mut guest.hart);
    assert_eq!(guest.run(), Stop::Gate, "after clearing");
    guest.interpreter.remove_gate(gate);
    assert_eq!(guest.run(), Stop::Syscall);
    assert_eq!(guest.hart.x[10], 15);
    assert_eq!(guest.interpreter.fences(), 3);
}

#[test]
fn a_sample_comes_before_the_gate_at_its_place() {
    let mut guest = Guest::new(&LOOP);
    guest.interpreter.add_gate(guest.code + 4);
    guest.interpreter.set_fuel(1);
    assert_eq!(guest.run(), Stop::Sample);
    assert_eq!(guest.run(), Stop::Gate);
    assert_eq!((guest.offset(), guest.hart.x[10]), (4, 1));
}

#[test]
fn blocks_count_as_reached_once_they_were_executed_and_until_they_change() {
    let mut guest = Guest::new(&LOOP);
    let places = [0, 4, 8, 12].map(|offset| guest.code + offset);
    let reached = |guest: &Guest| places.map(|pc| guest.interpreter.reached(pc));
    assert_eq!(reached(&guest), [false; 4]);
    guest.interpreter.step(&mut guest.hart);
    assert_eq!(reached(&guest), [false; 4], "a step is no block");
    guest.hart.pc = guest.code;
    assert_eq!(guest.run(), Stop::Syscall);
    assert_eq!(reached(&guest), [true, true, false, true]);
    guest.write(12, &["ebreak"]);
    guest.space.invalidate_code(guest.code + 12, guest.code + 16);
    guest.hart.pc = guest.code + 64;
    guest.run();
    assert!(!guest.interpreter.reached(guest.code + 12));
}

#[test]
fn blocks_that_were_executed_once_count_as_reached() {
    let mut guest = Guest::new(&["jal zero, .+4", "addi a0, a0, 1", "ecall"]);
    guest.space.mprotect(guest.code, CODE_BYTES, READ | EXEC).unwrap();
    assert_eq!(guest.run(), Stop::Syscall);
    assert_eq!([0, 4, 8].map(|n| guest.interpreter.reached(guest.code + n)), [true, true, false]);
    guest.space.mprotect(guest.code, CODE_BYTES, READ).unwrap();
    guest.run();
    assert!(!guest.interpreter.reached(guest.code + 4));
}

#[test]
fn indirect_targets_are_those_of_jumps_alone() {
    let code = &["jalr ra, 64(s0)", "jal ra, .+60", "jalr zero, 128(s0)"];
    let mut guest = Guest::new(code);
    guest.write(64, &["jalr zero, 0(ra)"]);
    guest.write(128, &["jalr zero, 192(s0)"]);
    guest.write(192, &["ecall"]);
    guest.hart.x[8] = guest.code;
    assert_eq!(guest.run(), Stop::Syscall);
    let base = guest.code;
    let targets = |guest: &Guest, from, to| -> Vec<u64> {
        let targets = guest.interpreter.indirect_targets(base + from..base + to);
        targets.iter().map(|pc| pc - base).collect()
    };
    assert_eq!(targets(&guest, 0, 4096), [128, 192]);
    assert_eq!(targets(&guest, 129, 193), [192]);
    assert_eq!(targets(&guest, 128, 192), [128]);
    assert_eq!(targets(&guest, 192, 128), [0; 0]);

    guest.space.invalidate_code(base + 192, base + 196);
    guest.hart.pc = base + 64;
    guest.hart.x[1] = base + 200;
    guest.run();
    assert_eq!(targets(&guest, 0, 4096), [128], "the range's are forgotten");
    guest.space.mprotect(base, 4096, READ).unwrap();
    guest.run();
    assert_eq!(targets(&guest, 0, 4096), [0; 0]);
}

#[test]
fn indirect_targets_in_code_that_changed_are_forgotten_at_the_fence() {
    let mut guest = Guest::new(&["jalr zero, 128(s0)"]);
    guest.write(128, &["c.beqz a0, .+6", "sw a1, 0(a2)", "fence.i", "ecall"]);
    guest.hart.x[8] = guest.code;
    assert_eq!(guest.run(), Stop::Syscall);
    let range = guest.code..guest.code + 4096;
    assert_eq!(guest.interpreter.indirect_targets(range.clone()), [guest.code + 128]);
    guest.hart.pc = guest.code + 130;
    (guest.hart.x[11], guest.hart.x[12]) = (0, guest.code + 128);
    assert_eq!(guest.run(), Stop::Syscall);
    assert_eq!(guest.interpreter.indirect_targets(range), [0; 0]);
}
