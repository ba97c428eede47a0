//! Programs in assembly, interpreted and translated on the same memory.

use rvrun_hart::{Hart, Trap, float};
use rvrun_host::fault;
use rvrun_interp::{Interpreter, Stop};
use rvrun_isa::{Extensions, Instruction, assemble, encode};
use rvrun_jit::{All, Mode, Options, Outcome, State, Stats, Stepped, Translator};
use rvrun_memory::{AddressSpace, access};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

const READ_WRITE_EXEC: i32 = 7;
const PAGE: u64 = 4096;
/// Bytes of code and of data; behind the data nothing is mapped.
const CODE_BYTES: u64 = 16 * PAGE;
const DATA_BYTES: u64 = PAGE;

/// How a program ended.
#[derive(Clone, Debug)]
pub struct End {
    pub hart: Hart,
    /// Why; nothing if attention was wanted.
    pub trap: Option<Trap>,
    pub data: Vec<u8>,
}

/// A program with its memory.
pub struct Guest {
    pub space: Arc<AddressSpace>,
    /// Where the code is.
    pub code: u64,
    /// Where the data is.
    pub data: u64,
    /// The data before the program runs.
    pub before: Vec<u8>,
}

#[allow(dead_code, reason = "not every test is written in assembly")]
/// The instructions that lines of assembly are.
pub fn assembled(lines: &[&str]) -> Vec<Instruction> {
    lines.iter().map(|line| assemble(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

impl Guest {
    /// A program of these instructions, behind which there is an `ebreak`.
    pub fn new(program: &[Instruction]) -> Self {
        fault::install().unwrap();
        let space = Arc::new(AddressSpace::new());
        let bytes = CODE_BYTES + DATA_BYTES + PAGE;
        let code = space.mmap(0, bytes, READ_WRITE_EXEC, 0x22, -1, 0, None).unwrap();
        let data = code + CODE_BYTES;
        space.munmap(data + DATA_BYTES, PAGE).unwrap();
        let guest = Self { space, code, data, before: vec![0; DATA_BYTES as usize] };
        guest.put(code, program);
        guest
    }

    /// Writes these instructions and an `ebreak` to an address.
    pub fn put(&self, mut at: u64, program: &[Instruction]) {
        let end = assemble("ebreak").unwrap();
        for instruction in program.iter().chain([&end]) {
            let bits = encode(instruction).unwrap().to_le_bytes();
            access::copy_out(at, &bits[..instruction.len.into()]).unwrap();
            at += u64::from(instruction.len);
        }
    }

    /// A hart at the first instruction, `s0` the address of the data.
    pub fn hart(&self) -> Hart {
        let mut hart = Hart::new();
        hart.pc = self.code;
        hart.x[8] = self.data;
        hart
    }

    fn end(&self, hart: Hart, trap: Option<Trap>) -> End {
        let mut data = vec![0; DATA_BYTES as usize];
        access::copy_in(self.data, &mut data).unwrap();
        End { hart, trap, data }
    }

    /// Interprets the program.
    pub fn interpret(&self, hart: &Hart) -> End {
        access::copy_out(self.data, &self.before).unwrap();
        let mut hart = hart.clone();
        let stop = Interpreter::new(self.space.clone(), Extensions::ALL).run(&mut hart);
        let Stop::Trap(trap) = stop else { panic!("{stop:?}") };
        self.end(hart, Some(trap))
    }

    /// Runs the program translated, as far as it can be.
    pub fn translate(&self, hart: &Hart, mode: Mode) -> (End, Stats, u64) {
        let attention = Arc::new(AtomicU32::new(0));
        self.translate_until(hart, mode, attention)
    }

    /// As [`translate`](Self::translate), until attention is wanted.
    pub fn translate_until(
        &self,
        hart: &Hart,
        mode: Mode,
        attention: Arc<AtomicU32>,
    ) -> (End, Stats, u64) {
        access::copy_out(self.data, &self.before).unwrap();
        let extensions = Extensions::ALL;
        let interpreter = Rc::new(RefCell::new(Interpreter::new(self.space.clone(), extensions)));
        let stopped = Rc::new(RefCell::new(None));
        let options =
            Options { synchronous: true, code_bytes: 4 << 20, mode, ..Options::default() };
        let mut translator = Translator::new(self.space.clone(), extensions, options).unwrap();
        let step = {
            let (interpreter, stopped) = (interpreter.clone(), stopped.clone());
            move |hart: &mut Hart| {
                let stop = interpreter.borrow_mut().step(hart);
                let leave = stop.is_some() || float::needs_soft_float(hart.frm);
                *stopped.borrow_mut() = stop;
                Stepped::leave_if(leave)
            }
        };
        let mut state = State::new(hart.clone(), attention, Box::new(step));
        float::host::enter(hart.frm);
        let step = |state: &mut State| interpreter.borrow_mut().step(&mut state.hart);
        let trap = loop {
            let pc = state.hart.pc;
            let soft = float::needs_soft_float(state.hart.frm);
            if !soft {
                translator.request(pc, &All);
            }
            let stop = if soft || !translator.is_translated(pc) {
                step(&mut state)
            } else {
                match translator.run(&mut state) {
                    Outcome::Cold => None,
                    Outcome::Interpret => step(&mut state),
                    Outcome::Stepped => stopped.take(),
                    Outcome::Fault(fault) => Some(Stop::Trap(fault.into())),
                    Outcome::Attention => break None,
                    Outcome::Syscall => panic!("no program here makes system calls"),
                    Outcome::Replay { until } => loop {
                        let last = state.hart.pc == until;
                        let stop = step(&mut state);
                        if stop.is_some() || last {
                            break stop;
                        }
                    },
                }
            };
            match stop {
                None => {}
                Some(Stop::Trap(trap)) => break Some(trap),
                Some(stop) => panic!("{stop:?}"),
            }
        };
        state.hart.fflags |= float::host::leave();
        let end = self.end(state.hart.clone(), trap);
        (end, translator.stats().clone(), state.stepped)
    }

    /// Runs the program both ways, and compares what counts after a fault too.
    pub fn compare(&self, hart: &Hart, mode: Mode) -> Result<(End, Stats, u64), String> {
        let expected = self.interpret(hart);
        let (got, stats, stepped) = self.translate(hart, mode);
        let mut wrong = Vec::new();
        if expected.trap != got.trap || expected.hart.pc != got.hart.pc {
            let offset = |end: &End| end.hart.pc.wrapping_sub(self.code);
            wrong.push(format!(
                "expected {:x?} at {:#x}, got {:x?} at {:#x}",
                expected.trap,
                offset(&expected),
                got.trap,
                offset(&got)
            ));
        }
        if expected.data != got.data {
            wrong.push("memory differs".into());
        }
        if mode.precise || !matches!(expected.trap, Some(Trap::Memory(_))) {
            let (a, b) = (&expected.hart, &got.hart);
            let mut differ = |name: String, a: u64, b: u64| {
                if a != b {
                    wrong.push(format!("{name}: expected {a:#x}, got {b:#x}"));
                }
            };
            for n in 0..32 {
                differ(format!("x{n}"), a.x[n], b.x[n]);
                differ(format!("f{n}"), a.f[n], b.f[n]);
            }
            differ("fflags".into(), a.fflags.into(), b.fflags.into());
            differ("frm".into(), a.frm.into(), b.frm.into());
            if mode.counting && !matches!(expected.trap, Some(Trap::Memory(_))) {
                differ("instret".into(), a.instret, b.instret);
            }
            let nothing = a.reservation.size == 0 && b.reservation.size == 0;
            if !nothing && a.reservation != b.reservation {
                wrong.push(format!("{:?}, got {:?}", a.reservation, b.reservation));
            }
        }
        if wrong.is_empty() { Ok((got, stats, stepped)) } else { Err(wrong.join("\n")) }
    }
}
