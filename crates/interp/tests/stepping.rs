//! Single steps over each kind of instruction.

mod support;

use rvrun_hart::{Trap, float};
use rvrun_interp::Stop;
use rvrun_memory::AccessKind;
use support::Guest;

impl Guest {
    /// Steps once, with the host's floating-point unit as the guest's.
    fn step(&mut self) -> Option<Stop> {
        float::host::enter(self.hart.frm);
        let stop = self.interpreter.step(&mut self.hart);
        self.hart.fflags |= float::host::leave();
        stop
    }

    /// Steps once, which must just go on; gives the offset where.
    fn steps_to(&mut self) -> u64 {
        let retired = self.hart.instret;
        assert_eq!(self.step(), None);
        assert_eq!(self.hart.instret, retired + 1);
        self.offset()
    }

    /// Steps once, which must stop for the reason given, at this offset.
    fn stops_at(&mut self, offset: u64) -> Stop {
        let stop = self.step().expect("it stops");
        assert_eq!(self.offset(), offset);
        stop
    }
}

#[test]
fn instructions_without_jumps_go_on_behind_themselves() {
    let mut guest = Guest::new(&[
        "c.li a0, 3",
        "lui a1, 0x12345",
        "addi a1, a1, 1",
        "auipc a2, 0x0",
        "addi zero, a0, 1",
        "sd a0, 1024(s0)",
        "ld a3, 1024(s0)",
        "amoadd.d a4, a0, (s2)",
        "fadd.d fa0, fa1, fa1",
    ]);
    guest.hart.x[8] = guest.code;
    guest.hart.x[18] = guest.code + 1024;
    guest.hart.f[11] = 1.5f64.to_bits();
    for offset in [2, 6, 10, 14, 18, 22, 26, 30, 34] {
        assert_eq!(guest.steps_to(), offset);
    }
    let x = guest.hart.x;
    assert_eq!((x[0], x[10], x[11], x[12] - guest.code), (0, 3, 0x1234_5001, 10));
    assert_eq!((x[13], x[14], guest.hart.f[10]), (3, 3, 3f64.to_bits()));
    // The cached ones do the same again.
    guest.hart.pc = guest.code;
    guest.hart.x[10] = 0;
    assert_eq!(guest.steps_to(), 2);
    assert_eq!(guest.hart.x[10], 3);
}

#[test]
fn jumps_stop_at_their_targets_even_those_that_were_linked_and_cached() {
    let mut guest = Guest::new(&[
        "beq a0, zero, .+8",
        "ebreak",
        "bne a0, zero, .-8",
        "jal ra, .+8",
        "ebreak",
        "jalr t1, 28(s0)",
        "ebreak",
        "jalr zero, 36(s0)",
        "ebreak",
        "jalr zero, 0(ra)",
    ]);
    guest.write(16, &["jal zero, .+24"]);
    guest.write(40, &["bgeu a0, zero, .+8", "ebreak", "c.j .-4", "ecall"]);
    guest.write(44, &["ecall"]);
    guest.hart.x[8] = guest.code;
    assert_eq!(guest.run(), Stop::Syscall);
    assert_eq!(guest.offset(), 48);
    for _ in 0..2 {
        guest.hart.pc = guest.code;
        for offset in [8, 12, 20, 28, 36, 16, 40, 48, 44] {
            assert_eq!(guest.steps_to(), offset);
        }
        assert_eq!((guest.hart.x[1], guest.hart.x[6]), (guest.code + 16, guest.code + 24));
    }
    // The other way.
    guest.hart.x[10] = 1;
    guest.hart.pc = guest.code;
    assert_eq!(guest.steps_to(), 4);
    guest.hart.pc = guest.code + 8;
    assert_eq!(guest.steps_to(), 0);
}

#[test]
fn events_and_attention_do_not_count() {
    let mut guest = Guest::new(&["c.addi a0, 1", "c.j .-2"]);
    guest.interpreter.set_fuel(2);
    guest.interpreter.attention().store(1, std::sync::atomic::Ordering::Relaxed);
    for _ in 0..10 {
        assert_eq!((guest.steps_to(), guest.steps_to()), (2, 0));
    }
    guest.interpreter.attention().store(0, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(guest.run(), Stop::Sample);
    assert_eq!(guest.hart.x[10], 12);
}

#[test]
fn a_step_passes_the_gate_at_its_place_and_stops_before_others() {
    let mut guest = Guest::new(&["c.addi a0, 1", "c.addi a0, 1", "ecall"]);
    guest.interpreter.add_gate(guest.code);
    guest.interpreter.add_gate(guest.code + 2);
    assert_eq!((guest.steps_to(), guest.hart.x[10]), (2, 1));
    assert_eq!((guest.steps_to(), guest.hart.x[10]), (4, 2));
}

#[test]
fn traps_change_nothing_and_are_not_counted() {
    let mut guest = Guest::new(&["c.nop", "ld a0, 8(zero)", "c.ebreak", "ecall"]);
    guest.hart.x[10] = 7;
    guest.steps_to();
    let Stop::Trap(Trap::Memory(fault)) = guest.stops_at(2) else { panic!("no memory trap") };
    assert_eq!((fault.addr, fault.kind), (8, AccessKind::Load));
    assert_eq!((guest.hart.x[10], guest.hart.instret), (7, 1));
    guest.hart.pc += 4;
    assert_eq!(guest.stops_at(6), Stop::Trap(Trap::Breakpoint));
    assert_eq!(guest.hart.instret, 1);
    guest.hart.pc += 2;
    assert_eq!(guest.stops_at(12), Stop::Syscall);
    assert_eq!(guest.hart.instret, 2);
    assert_eq!(guest.stops_at(12), Stop::Trap(Trap::IllegalInstruction { bits: 0 }));
    guest.hart.pc = 0x1000;
    let Some(Stop::Trap(Trap::Memory(fault))) = guest.step() else { panic!("no memory trap") };
    assert_eq!((fault.addr, fault.kind, guest.hart.pc), (0x1000, AccessKind::Fetch, 0x1000));
    assert_eq!(guest.hart.instret, 2);
}

#[test]
fn rewritten_code_is_stepped_over_after_a_fence_or_invalidation() {
    let mut guest = Guest::new(&["c.addi a0, 1", "fence.i"]);
    assert_eq!(guest.steps_to(), 2);
    guest.write(0, &["c.addi a0, 10"]);
    guest.hart.pc = guest.code;
    assert_eq!((guest.steps_to(), guest.hart.x[10]), (2, 2), "not before");
    assert_eq!((guest.steps_to(), guest.interpreter.fences()), (6, 1));
    guest.hart.pc = guest.code;
    assert_eq!((guest.steps_to(), guest.hart.x[10]), (2, 12));
    guest.write(0, &["c.addi a0, 20"]);
    guest.space.invalidate_code(guest.code, guest.code + 2);
    guest.hart.pc = guest.code;
    assert_eq!((guest.steps_to(), guest.hart.x[10]), (2, 32));
}

#[test]
fn a_fence_that_is_stepped_over_drops_blocks() {
    let mut guest = Guest::new(&["c.addi a0, 1", "ecall"]);
    guest.write(64, &["fence.i"]);
    assert_eq!(guest.run(), Stop::Syscall);
    guest.write(0, &["c.addi a0, 10"]);
    guest.hart.pc = guest.code + 64;
    assert_eq!(guest.steps_to(), 68);
    guest.hart.pc = guest.code;
    assert_eq!(guest.run(), Stop::Syscall);
    assert_eq!(guest.hart.x[10], 11);
}

#[test]
fn clocks_that_there_are_can_be_read() {
    let clocks = ["csrrs a0, 0xcc1, zero", "csrrs a1, time, zero", "csrrs a2, 0xcc1, zero"];
    let mut guest = Guest::new(&[clocks[0], clocks[1], clocks[2], "csrrs a3, 0xcc2, zero"]);
    assert_eq!([(); 3].map(|()| guest.steps_to()), [4, 8, 12]);
    let [first, second, third] = [10, 11, 12].map(|register: usize| guest.hart.x[register]);
    assert!(0 < first && first <= second && second <= third);
    assert!(matches!(guest.stops_at(12), Stop::Trap(Trap::IllegalInstruction { .. })));
}

#[test]
fn csr_instructions_change_the_rounding_mode_and_over_to_software() {
    let mut guest = Guest::new(&[
        "csrrwi a1, frm, 4",
        "fcvt.w.d a0, fa0",
        "csrrwi a2, frm, 1",
        "fcvt.w.d a0, fa0",
        "csrrs a3, fflags, zero",
        "csrrw zero, 0x7c0, zero",
    ]);
    guest.hart.f[10] = 2.5f64.to_bits();
    assert_eq!((guest.steps_to(), guest.hart.frm, guest.hart.x[11]), (4, 4, 0));
    assert_eq!((guest.steps_to(), guest.hart.x[10]), (8, 3), "ties away from zero");
    assert_eq!((guest.steps_to(), guest.hart.frm, guest.hart.x[12]), (12, 1, 4));
    guest.hart.f[10] = 2.75f64.to_bits();
    assert_eq!((guest.steps_to(), guest.hart.x[10]), (16, 2), "towards zero");
    assert_eq!((guest.steps_to(), guest.hart.x[13]), (20, 1), "inexact");
    assert!(matches!(guest.stops_at(20), Stop::Trap(Trap::IllegalInstruction { .. })));
}

#[test]
fn the_same_instruction_follows_the_rounding_mode_that_somebody_else_set() {
    let mut guest = Guest::new(&["fcvt.w.d a0, fa0"]);
    guest.hart.f[10] = 2.5f64.to_bits();
    for (frm, rounded) in [(0, 2), (4, 3), (3, 3), (4, 3), (0, 2)] {
        (guest.hart.frm, guest.hart.pc) = (frm, guest.code);
        assert_eq!((guest.steps_to(), guest.hart.x[10]), (4, rounded), "frm {frm}");
    }
}
