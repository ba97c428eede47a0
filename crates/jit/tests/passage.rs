//! The interpreter enters translated code at gates, and goes on behind it.

use rvrun_hart::{Hart, float};
use rvrun_host::fault;
use rvrun_interp::{Interpreter, Stop};
use rvrun_isa::{Extensions, assemble, encode};
use rvrun_jit::{All, Limits, Options, Outcome, State, Stepped, Translator};
use rvrun_memory::{AddressSpace, access};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

const READ_WRITE_EXECUTE: i32 = 7;
const PRIVATE_ANONYMOUS: i32 = 0x22;

/// A program of which what begins at some line is translated, the rest interpreted.
struct Guest {
    code: u64,
    interpreter: Rc<RefCell<Interpreter>>,
    translator: Translator,
    state: Box<State>,
}

impl Guest {
    fn new(lines: &[&str], translated: usize) -> Self {
        fault::install().unwrap();
        let space = Arc::new(AddressSpace::new());
        let code = space.mmap(0, 4096, READ_WRITE_EXECUTE, PRIVATE_ANONYMOUS, -1, 0, None).unwrap();
        for (at, line) in (code..).step_by(4).zip(lines) {
            let bits = encode(&assemble(line).unwrap()).unwrap().to_le_bytes();
            access::copy_out(at, &bits).unwrap();
        }
        let interpreter = Interpreter::new(space.clone(), Extensions::ALL);
        let attention = interpreter.attention();
        let interpreter = Rc::new(RefCell::new(interpreter));
        let options = Options {
            synchronous: true,
            code_bytes: 1 << 20,
            limits: Limits { inlined: 0, ..Limits::default() },
            ..Options::default()
        };
        let mut translator = Translator::new(space, Extensions::ALL, options).unwrap();
        let entry = code + 4 * translated as u64;
        translator.request(entry, &All);
        assert!(translator.is_translated(entry));
        interpreter.borrow_mut().add_gate(entry);
        let step = {
            let interpreter = interpreter.clone();
            move |hart: &mut Hart| match interpreter.try_borrow_mut() {
                Ok(mut interpreter) => Stepped::leave_if(interpreter.step(hart).is_some()),
                Err(_) => Stepped::Not,
            }
        };
        let mut state = State::new(Hart::new(), attention, Box::new(step));
        state.hart.pc = code;
        Self { code, interpreter, translator, state }
    }

    fn run(&mut self) -> Stop {
        float::host::enter(self.state.hart.frm);
        let mut interpreter = self.interpreter.borrow_mut();
        let stop =
            self.translator.passage(&mut self.state, |passage| interpreter.resume_through(passage));
        drop(interpreter);
        self.state.hart.fflags |= float::host::leave();
        stop
    }

    fn x(&self, register: usize) -> u64 {
        self.state.hart.x[register]
    }
}

const A0: usize = 10;
const A1: usize = 11;

/// Calls a function of its own, `rounds` times.
fn calls(rounds: &str, function: &[&'static str]) -> Vec<&'static str> {
    let mut lines = vec![rounds.to_owned().leak() as &str];
    lines.extend(["jal ra, .+16", "addi a0, a0, -1", "bne a0, zero, .-8", "ecall"]);
    lines.extend(function);
    lines
}

#[test]
fn what_is_called_is_translated_and_returns() {
    let lines = calls("addi a0, zero, 10", &["addi a1, a1, 3", "jalr zero, 0(ra)"]);
    let mut guest = Guest::new(&lines, 5);
    assert_eq!(guest.run(), Stop::Syscall);
    assert_eq!((guest.x(A0), guest.x(A1)), (0, 30));
    assert_eq!(guest.interpreter.borrow().passages(), 10);
    assert_eq!(guest.translator.own_stats().entries, 10);
}

#[test]
fn a_gate_stops_now_and_then() {
    let lines = calls("addi a0, zero, 1000", &["addi a1, a1, 3", "jalr zero, 0(ra)"]);
    let mut guest = Guest::new(&lines, 5);
    let mut stops = 0;
    loop {
        match guest.run() {
            Stop::Gate => {
                assert_eq!(guest.state.hart.pc, guest.code + 20);
                float::host::enter(guest.state.hart.frm);
                assert_eq!(guest.translator.run(&mut guest.state), Outcome::Cold);
                float::host::leave();
                stops += 1;
            }
            stop => {
                assert_eq!(stop, Stop::Syscall);
                break;
            }
        }
    }
    assert_eq!(guest.x(A1), 3000);
    assert_eq!(stops, 1000 / 64);
}

#[test]
fn what_translated_code_wants_stops_the_interpreter() {
    let mut guest = Guest::new(&["addi a0, zero, 1", "jal zero, .+4", "ecall"], 2);
    assert_eq!(guest.run(), Stop::Passed);
    assert_eq!(guest.translator.passed(), Some(Outcome::Syscall));
    assert_eq!(guest.state.hart.pc, guest.code + 12);

    let mut guest = Guest::new(&["addi a0, zero, 1", "jal zero, .+4", "ld a1, 0(zero)"], 2);
    assert_eq!(guest.run(), Stop::Passed);
    assert!(matches!(guest.translator.passed(), Some(Outcome::Fault(_))));
    assert_eq!(guest.state.hart.pc, guest.code + 8);
}

/// The interpreter has entered the code that wants it.
#[test]
fn an_instruction_that_is_to_be_interpreted_stops_the_interpreter() {
    let lines = ["jal zero, .+4", "addi a1, a1, 3", "csrrwi a2, frm, 1", "ecall"];
    let mut guest = Guest::new(&lines, 1);
    assert_eq!(guest.run(), Stop::Passed);
    assert_eq!(guest.translator.passed(), Some(Outcome::Interpret));
    assert_eq!((guest.state.hart.pc, guest.x(A1), guest.state.hart.frm), (guest.code + 8, 3, 0));
}

/// It does not know that code has changed.
#[test]
fn behind_a_fence_gates_stop() {
    let mut guest = Guest::new(&["fence.i", "addi a1, a1, 3", "ecall"], 1);
    assert_eq!(guest.run(), Stop::Gate);
    assert_eq!((guest.state.hart.pc, guest.x(A1)), (guest.code + 4, 0));
}
