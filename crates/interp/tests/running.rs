//! Small programs in assembly: how blocks are found, linked, dropped, and how
//! the interpreter stops.

mod support;

use rvrun_hart::Trap;
use rvrun_host::fault;
use rvrun_interp::Stop;
use rvrun_isa::{assemble, encode};
use rvrun_memory::{AccessKind, FaultCause, access};
use std::sync::Barrier;
use std::sync::atomic::Ordering;
use std::thread;
use support::{CODE_BYTES, EXEC, Guest, READ, interpreter};

#[test]
fn a_loop_runs_to_its_end_and_counts_its_instructions() {
    let mut guest = Guest::new(&[
        "lui a1, 0x100",
        "add a0, a0, a1",
        "addi a1, a1, -1",
        "bne a1, zero, .-8",
        "ecall",
    ]);
    assert_eq!(guest.run(), Stop::Syscall);
    let n = 1u64 << 20;
    assert_eq!(guest.hart.x[10], n * (n + 1) / 2);
    assert_eq!(guest.hart.instret, 1 + 3 * n + 1);
    assert_eq!(guest.offset(), 20);
    assert_eq!(guest.hart.x[0], 0);
}

/// Ten million blocks: threaded handlers that were not tail calls would need gigabytes of stack.
#[test]
fn the_hosts_stack_does_not_grow_with_the_guests_instructions() {
    let run = || {
        let mut guest = Guest::new(&[
            "lui a1, 0x400",
            "jal ra, .+16",
            "addi a1, a1, -1",
            "bne a1, zero, .-8",
            "ecall",
            "fadd.d fa0, fa0, fa1",
            "lw a2, 0(sp)",
            "sw a2, 0(sp)",
            "amoadd.w a3, a2, (sp)",
            "csrrs a4, fflags, zero",
            "jalr zero, 0(ra)",
        ]);
        guest.hart.x[2] = guest.code + CODE_BYTES - 64;
        assert_eq!(guest.run(), Stop::Syscall);
        assert_eq!(guest.hart.x[11], 0);
    };
    let small_stack = thread::Builder::new().stack_size(128 << 10);
    small_stack.spawn(run).unwrap().join().unwrap();
}

#[test]
fn traps_leave_the_hart_at_the_faulting_instruction() {
    let mut guest = Guest::new(&["c.li a0, 1", "addi a1, zero, 2", "ld a0, 8(zero)", "c.li a1, 3"]);
    let Stop::Trap(Trap::Memory(fault)) = guest.run() else { panic!("no memory trap") };
    assert_eq!((fault.addr, fault.kind, fault.cause), (8, AccessKind::Load, FaultCause::NotMapped));
    assert_eq!((guest.offset(), guest.hart.x[10], guest.hart.x[11]), (6, 1, 2));
    assert_eq!(guest.hart.instret, 2);

    let mut guest = Guest::new(&["c.nop", "c.ebreak"]);
    assert_eq!(guest.run(), Stop::Trap(Trap::Breakpoint));
    assert_eq!(guest.offset(), 2);
    assert_eq!(guest.run(), Stop::Trap(Trap::Breakpoint), "a second time");

    let mut guest = Guest::new(&["c.nop", "c.nop"]);
    assert_eq!(guest.run(), Stop::Trap(Trap::IllegalInstruction { bits: 0 }));
    assert_eq!(guest.offset(), 4);

    let mut guest = Guest::new(&["amoadd.w a0, a1, (sp)"]);
    guest.hart.x[2] = guest.code + 0x102;
    let addr = guest.hart.x[2];
    let kind = AccessKind::Store;
    assert_eq!(guest.run(), Stop::Trap(Trap::AmoMisaligned { addr, kind }));
}

/// Blocks of code that nobody can write in place are kept when control comes to them again.
#[test]
fn a_block_traps_in_the_same_way_each_time() {
    let mut guest = Guest::new(&["c.li a0, 1", "addi a1, a1, 2", "ld a2, 8(zero)", "ecall"]);
    guest.space.mprotect(guest.code, CODE_BYTES, READ | EXEC).unwrap();
    for times in 1..=3 {
        guest.hart.pc = guest.code;
        let Stop::Trap(Trap::Memory(fault)) = guest.run() else { panic!("no memory trap") };
        assert_eq!((fault.addr, guest.offset()), (8, 6));
        assert_eq!((guest.hart.instret, guest.hart.x[11]), (2 * times, 2 * times));
    }
}

/// The jump cache must not take an empty entry for the target's.
#[test]
fn jumps_to_the_end_of_the_address_space_find_nothing() {
    for jump in ["jalr zero, 0(a0)", "jalr ra, 0(a0)", "jalr zero, 0(ra)", "jalr t1, 0(a0)"] {
        for target in [u64::MAX, u64::MAX - 1, 0, 1] {
            let mut guest = Guest::new(&[]);
            // The beginning of a page has the same place in the cache as these targets.
            guest.write(64, &[jump]);
            guest.hart.pc += 64;
            (guest.hart.x[10], guest.hart.x[1]) = (target, target);
            let stop = guest.run();
            let Stop::Trap(Trap::Memory(fault)) = stop else {
                panic!("{jump} {target:x}: {stop:?}")
            };
            assert_eq!((fault.addr, guest.hart.pc), (target & !1, target & !1), "{jump}");
        }
    }
}

#[test]
fn fetching_what_cannot_be_executed_is_an_access_fault_there() {
    let mut guest = Guest::new(&["jalr zero, 0(a0)"]);
    guest.hart.x[10] = 0x1000;
    let Stop::Trap(Trap::Memory(fault)) = guest.run() else { panic!("no memory trap") };
    assert_eq!((fault.addr, fault.kind), (0x1000, AccessKind::Fetch));
    assert_eq!(guest.hart.pc, 0x1000);

    // An instruction that crosses into a page without permission.
    let mut guest = Guest::new(&[]);
    guest.write(4094, &["addi a0, a0, 1"]);
    guest.space.mprotect(guest.code + 4096, 4096, READ).unwrap();
    guest.hart.pc = guest.code + 4094;
    let Stop::Trap(Trap::Memory(fault)) = guest.run() else { panic!("no memory trap") };
    assert_eq!(fault.addr, guest.code + 4096);
    assert_eq!((fault.kind, fault.cause), (AccessKind::Fetch, FaultCause::Protection));
    assert_eq!(guest.offset(), 4094);
}

#[test]
fn rewritten_code_is_seen_after_fence_i() {
    let mut guest =
        Guest::new(&["jal ra, .+256", "sw a1, 0(a2)", "fence.i", "jal ra, .+244", "ecall"]);
    guest.write(256, &["addi a0, a0, 1", "jalr zero, 0(ra)"]);
    guest.hart.x[11] = encode(&assemble("addi a0, a0, 100").unwrap()).unwrap().into();
    guest.hart.x[12] = guest.code + 256;
    assert_eq!(guest.run(), Stop::Syscall);
    assert_eq!(guest.hart.x[10], 101);
}

#[test]
fn rewritten_code_is_seen_after_invalidation_from_outside() {
    let mut guest = Guest::new(&["addi a0, a0, 1", "ecall", "jal zero, .-8"]);
    assert_eq!(guest.run(), Stop::Syscall);
    guest.write(0, &["addi a0, a0, 10"]);
    guest.space.invalidate_code(guest.code, guest.code + 4);
    assert_eq!(guest.run(), Stop::Syscall);
    assert_eq!(guest.hart.x[10], 11);
    // Taking the permission away is noticed too, though the block was linked.
    guest.space.mprotect(guest.code, 4096, READ).unwrap();
    assert!(matches!(guest.run(), Stop::Trap(Trap::Memory(f)) if f.kind == AccessKind::Fetch));
}

#[test]
fn attention_stops_an_endless_loop() {
    let mut guest = Guest::new(&["jal zero, .+0"]);
    let attention = guest.interpreter.attention();
    let raiser = thread::spawn(move || {
        thread::sleep(std::time::Duration::from_millis(20));
        attention.store(1, Ordering::Relaxed);
    });
    assert_eq!(guest.run(), Stop::Attention);
    assert_eq!(guest.offset(), 0);
    raiser.join().unwrap();
    assert!(guest.hart.instret > 1000);
}

/// Each hart flips a bit of its own in one word, which another hart's write would undo, and adds to
/// another one.
#[test]
fn what_harts_do_to_one_place_at_once_is_not_lost() {
    const ROUNDS: u64 = 200_000;
    let guest = Guest::new(&[
        "amoxor.d a4, a3, (a2)",
        "and a4, a4, a3",
        "bne a4, a5, .+36",
        "xor a5, a5, a3",
        "lr.d a6, (a1)",
        "addi a6, a6, 1",
        "sc.d a7, a6, (a1)",
        "bne a7, zero, .-12",
        "addi a0, a0, -1",
        "bne a0, zero, .-36",
        "ecall",
        "ebreak",
    ]);
    let [flags, sum] = [1, 2].map(|n| guest.code + CODE_BYTES - 64 * n);
    let start = Barrier::new(2);
    thread::scope(|scope| {
        for bit in [1, 2] {
            let (space, mut hart) = (guest.space.clone(), guest.hart.clone());
            hart.x[10..14].copy_from_slice(&[ROUNDS, sum, flags, bit]);
            let start = &start;
            scope.spawn(move || {
                fault::install().unwrap();
                start.wait();
                assert_eq!(interpreter(space).run(&mut hart), Stop::Syscall);
            });
        }
    });
    let mut total = 0;
    access::load_u64(sum, &mut total).unwrap();
    assert_eq!(total, 2 * ROUNDS);
}

#[test]
fn a_rounding_mode_that_the_host_lacks_rounds_ties_away_from_zero() {
    let mut guest = Guest::new(&[
        "csrrwi zero, frm, 4",
        "fcvt.w.d a0, fa0",
        "csrrwi zero, frm, 0",
        "fcvt.w.d a1, fa0",
        "fcvt.w.d a2, fa0, rmm",
        "csrrs a3, fflags, zero",
        "ecall",
    ]);
    guest.hart.f[10] = 2.5f64.to_bits();
    assert_eq!(guest.run(), Stop::Syscall);
    assert_eq!((guest.hart.x[10], guest.hart.x[11], guest.hart.x[12]), (3, 2, 3));
    assert_eq!(guest.hart.x[13], 1, "inexact");
    assert_eq!(guest.hart.instret, 7);

    let mut guest = Guest::new(&["csrrwi zero, frm, 5", "fadd.d fa0, fa0, fa0"]);
    assert!(matches!(guest.run(), Stop::Trap(Trap::IllegalInstruction { bits: 0x02a5_7553 })));
    assert_eq!(guest.offset(), 4);
}

#[test]
fn many_blocks_and_jumps_that_share_an_entry_of_the_jump_cache_work() {
    // A chain of 3,000 blocks, each of which jumps through a register to the next but one page.
    let mut guest = Guest::new(&[]);
    let blocks = 3000;
    for i in 0..blocks {
        guest.write(i * 16, &["addi a0, a0, 16", "c.addi a1, 1", "jalr zero, 0(a0)"]);
    }
    guest.write(blocks * 16, &["ecall"]);
    for _ in 0..3 {
        guest.hart.pc = guest.code;
        guest.hart.x[10] = guest.code;
        guest.hart.x[11] = 0;
        assert_eq!(guest.run(), Stop::Syscall);
        assert_eq!(guest.hart.x[11], blocks);
    }
}

#[test]
fn pairs_of_instructions_that_become_one_op_keep_their_meaning() {
    let mut guest = Guest::new(&[
        "lui a0, 0x12345",
        "addi a0, a0, -1",
        "auipc a1, 0x1",
        "addi a1, a1, 8",
        "slli a2, s0, 32",
        "srli a2, a2, 32",
        "slli a3, s0, 32",
        "srli a3, a3, 30",
        "slli a4, s0, 48",
        "srli a4, a4, 48",
        "slli a5, s0, 3",
        "add a5, a5, s1",
        "lui a6, 0x80000",
        "addiw a6, a6, -1",
        "lui zero, 0x1",
        "addi zero, zero, 1",
        "ecall",
    ]);
    let (s0, s1) = (0x8765_4321_fedc_ba98u64, 0x1111);
    (guest.hart.x[8], guest.hart.x[9]) = (s0, s1);
    assert_eq!(guest.run(), Stop::Syscall);
    let x = guest.hart.x;
    assert_eq!(x[10], 0x1234_4fff);
    assert_eq!(x[11], guest.code + 8 + 0x1000 + 8);
    assert_eq!(x[12], 0xfedc_ba98);
    assert_eq!(x[13], 0xfedc_ba98 << 2);
    assert_eq!(x[14], 0xba98);
    assert_eq!(x[15], (s0 << 3).wrapping_add(s1));
    assert_eq!(x[16], 0x7fff_ffff);
    assert_eq!((x[0], guest.hart.instret), (0, 17));
}

#[test]
fn calls_deeper_than_any_stack_come_back() {
    // Each call but the first returns to the same place, so no register has to be saved.
    let lines = [
        "lui a0, 5",
        "lui a2, 5",
        "addi a2, a2, -1",
        "jal ra, .+8",
        "ecall",
        "addi a0, a0, -1",
        "beq a0, x0, .+16",
        "jal ra, .-8",
        "addi a1, a1, 1",
        "beq a1, a2, .-20",
        "jalr x0, 0(ra)",
    ];
    let mut guest = Guest::new(&lines);
    assert_eq!(guest.run(), Stop::Syscall);
    assert_eq!(guest.offset(), 20);
    let depth = 0x5000;
    assert_eq!(guest.hart.x[11], depth - 1);
    let (down, up) = (3 * depth - 1, 3 * depth - 4);
    assert_eq!(guest.hart.instret, 4 + down + 1 + up + 1);
}

#[test]
fn a_return_without_a_call_goes_where_it_wants() {
    let mut guest = Guest::new(&["addi ra, x0, 1", "jalr x0, 0(ra)"]);
    for _ in 0..3 {
        guest.hart.pc = guest.code;
        let Stop::Trap(Trap::Memory(fault)) = guest.run() else { panic!("there is no code at 0") };
        assert_eq!((fault.addr, guest.hart.pc), (0, 0));
    }
}

#[test]
fn jumps_that_set_a_register_of_no_call_are_none() {
    // As by a linkage table: t1 is set on the way to a function that returns by ra.
    let lines = [
        "auipc t3, 0",
        "jal ra, .+12",
        "addi a0, a0, 1",
        "ecall",
        "jalr t1, 24(t3)",
        "ecall",
        "addi a0, a0, 2",
        "jal t1, .+8",
        "ecall",
        "jalr x0, 0(ra)",
    ];
    let mut guest = Guest::new(&lines);
    for round in 1..=3 {
        guest.hart.pc = guest.code;
        assert_eq!(guest.run(), Stop::Syscall);
        assert_eq!((guest.offset(), guest.hart.x[10]), (16, 3 * round));
        assert_eq!(guest.hart.x[6] - guest.code, 32);
        assert_eq!(guest.hart.instret, 8 * round);
    }
}
