//! Random code on two engines: what the interpreter makes of it, with host code or
//! without, the translator has to make of it as well.
//!
//! A case is run by the interpreter first, until it loses its way or loops, and every
//! stop is noted. Then it is run from the same beginning by the translator, which has
//! to stop for the same reasons with the same registers and the same memory.

use crate::arena::{Beginning, CODE_BYTES, Memory, RUNS};
use rvrun_hart::{Hart, Trap, float};
use rvrun_interp::{Interpreter, Stop, Warm};
use rvrun_isa::{Extensions, Kind, csr, decode, length};
use rvrun_jit::{All, Mode, Options, Outcome, State, Translator};
use rvrun_memory::{AccessKind, Fault};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// Jumps after which a case is taken to loop for ever.
const EVENTS_MAX: u32 = 200;

/// Memory of the guest, and both engines.
pub struct Twin {
    memory: Memory,
    interpreter: Rc<RefCell<Interpreter>>,
    translator: Translator,
    state: Box<State>,
    /// How the instruction ended that translated code had interpreted.
    stepped: Rc<RefCell<Option<Stop>>>,
    /// How many fence.i the translator knows of.
    fences: u64,
}

/// How a case was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// To its end.
    Whole,
    /// Up to where it loops.
    Part,
    /// Not at all, since it writes the code that it runs: it was translated, but not run.
    Not,
}

/// A stop of the interpreter and the hart as it was then.
struct Note {
    stop: Stop,
    hart: Hart,
}

impl Twin {
    /// A place apart from all others of this process.
    ///
    /// # Errors
    /// The host refuses the memory or the handler of faults.
    pub fn new() -> std::io::Result<Self> {
        let memory = Memory::new()?;
        let interpreter = Interpreter::new(memory.space.clone(), Extensions::ALL);
        let interpreter = Rc::new(RefCell::new(interpreter));
        let options = Options {
            synchronous: true,
            code_bytes: 4 << 20,
            stack_bytes: 64 << 10,
            ..Options::default()
        };
        let translator = Translator::new(memory.space.clone(), Extensions::ALL, options)?;
        let stepped = Rc::new(RefCell::new(None));
        let step = {
            let (interpreter, stepped) = (interpreter.clone(), stepped.clone());
            move |hart: &mut Hart| {
                let stop = interpreter.borrow_mut().step(hart);
                let leave = stop.is_some() || float::needs_soft_float(hart.frm);
                *stepped.borrow_mut() = stop;
                leave
            }
        };
        let attention = Arc::new(AtomicU32::new(0));
        let state = State::new(Hart::new(), attention, Box::new(step));
        Ok(Self { memory, interpreter, translator, state, stepped, fences: 0 })
    }

    /// Runs a case on both engines.
    ///
    /// # Errors
    /// What is different.
    pub fn run(&mut self, seed: u64, case: u64) -> Result<Compared, String> {
        let mut beginning = self.memory.beginning(seed, case);
        stop_clocks(beginning.code_mut());
        let mode = Mode { precise: case & 1 != 0, counting: case & 2 != 0 };
        self.translator.set_mode(mode);
        self.memory.prepare(&beginning)?;
        let before = self.memory.contents()?;
        let warm = if case & 4 == 0 { Warm::Never } else { Warm::AtOnce };
        self.interpreter.borrow_mut().set_warm(warm);
        let notes = self.interpret(&beginning);
        let after = self.memory.contents()?;
        self.memory.prepare(&beginning)?;
        self.translator.follow_code_changes();
        let code = ..CODE_BYTES as usize;
        if before[code] != after[code] {
            self.translator.request(beginning.hart.pc, &All);
            return Ok(Compared::Not);
        }
        let loops = notes.last().is_some_and(|note| note.stop == Stop::Sample);
        self.state.hart = beginning.hart.clone();
        for note in notes.iter().filter(|note| note.stop != Stop::Sample) {
            let start = self.state.hart.pc;
            let stop = self.translate();
            self.compare(note, &stop, mode)
                .map_err(|why| format!("translated from {start:#x} ({mode:?}): {why}"))?;
            self.state.hart = note.hart.clone();
            if let Stop::Trap(trap) = stop {
                self.memory.skip(&mut self.state.hart, &trap);
            }
        }
        if loops {
            return Ok(Compared::Part);
        }
        let translated = self.memory.contents()?;
        match after.iter().zip(&translated).position(|(a, b)| a != b) {
            None => Ok(Compared::Whole),
            Some(at) => Err(format!(
                "byte {at} of code and data is {:#x}, translated {:#x} ({mode:?})",
                after[at], translated[at]
            )),
        }
    }

    /// Runs a case on the interpreter.
    fn interpret(&mut self, beginning: &Beginning) -> Vec<Note> {
        let mut interpreter = self.interpreter.borrow_mut();
        let mut notes = Vec::new();
        let mut hart = beginning.hart.clone();
        interpreter.set_fuel(EVENTS_MAX);
        for _ in 0..RUNS {
            let stop = interpreter.run(&mut hart);
            notes.push(Note { stop, hart: hart.clone() });
            let goes_on = match &notes[notes.len() - 1].stop {
                Stop::Syscall => true,
                Stop::Trap(trap) => self.memory.skip(&mut hart, trap),
                Stop::Attention | Stop::Sample | Stop::Gate => false,
            };
            if !goes_on {
                break;
            }
        }
        interpreter.set_fuel(u32::MAX);
        notes
    }

    /// Runs the state's hart on translations until it stops.
    fn translate(&mut self) -> Stop {
        self.translator.follow_code_changes();
        float::host::enter(self.state.hart.frm);
        let stop = loop {
            if let Some(stop) = self.turn() {
                break stop;
            }
        };
        self.state.hart.fflags |= float::host::leave();
        stop
    }

    fn turn(&mut self) -> Option<Stop> {
        let pc = self.state.hart.pc;
        if float::needs_soft_float(self.state.hart.frm) {
            return self.step();
        }
        self.translator.request(pc, &All);
        if !self.translator.is_translated(pc) {
            return self.step();
        }
        match self.translator.run(&mut self.state) {
            Outcome::Cold => None,
            Outcome::Syscall => Some(Stop::Syscall),
            Outcome::Interpret => self.step(),
            Outcome::Attention => Some(Stop::Attention),
            Outcome::Stepped => self.stepped.borrow_mut().take(),
            Outcome::Fault(fault) => Some(Stop::Trap(Trap::Memory(fault))),
            Outcome::Replay { until } => loop {
                let last = self.state.hart.pc == until;
                let stop = self.step();
                if stop.is_some() || last {
                    break stop;
                }
            },
        }
    }

    fn step(&mut self) -> Option<Stop> {
        let stop = self.interpreter.borrow_mut().step(&mut self.state.hart);
        let fences = self.interpreter.borrow().fences();
        if fences != self.fences {
            self.fences = fences;
            self.translator.revalidate();
        }
        stop
    }

    /// Compares how the translator stopped with how the interpreter did.
    fn compare(&self, note: &Note, stop: &Stop, mode: Mode) -> Result<(), String> {
        let (expected, found) = (&note.hart, &self.state.hart);
        let same = note.stop == *stop || !mode.precise && is_same_access(&note.stop, stop);
        // Cranelift drops a store that the next one overwrites.
        let dropped = !mode.precise && is_store(stop) && expected.pc < found.pc;
        if !same || expected.pc != found.pc && !dropped {
            return Err(format!(
                "{stop:?} at {:#x}, interpreted {:?} at {:#x}",
                found.pc, note.stop, expected.pc
            ));
        }
        let of_access = matches!(
            stop,
            Stop::Trap(Trap::Memory(Fault { kind: AccessKind::Load | AccessKind::Store, .. }))
        );
        if of_access && !mode.precise {
            // Registers may be older.
            return Ok(());
        }
        let differs = |name: String, expected: u64, found: u64| {
            let text = format!("{name} is {found:#x}, interpreted {expected:#x}, at {stop:?}");
            if expected == found { Ok(()) } else { Err(text) }
        };
        for register in 0..32 {
            differs(format!("x{register}"), expected.x[register], found.x[register])?;
            differs(format!("f{register}"), expected.f[register], found.f[register])?;
        }
        differs("frm".into(), expected.frm.into(), found.frm.into())?;
        differs("fflags".into(), expected.fflags.into(), found.fflags.into())?;
        // One of no size is none, wherever it was.
        let reserves = |hart: &Hart| hart.reservation.size != 0;
        let reserving = reserves(expected) || reserves(found);
        if reserving && expected.reservation != found.reservation {
            return Err(format!("{:?}, interpreted {:?}", found.reservation, expected.reservation));
        }
        Ok(())
    }
}

/// Whether both stops are faults of an access, the found one of an address that the
/// host does not give away.
fn is_same_access(expected: &Stop, found: &Stop) -> bool {
    let (Stop::Trap(Trap::Memory(expected)), Stop::Trap(Trap::Memory(found))) = (expected, found)
    else {
        return false;
    };
    let canonical = expected.addr >> 47 == 0;
    expected.kind == found.kind && found.addr == u64::MAX && !canonical
}

fn is_store(stop: &Stop) -> bool {
    matches!(stop, Stop::Trap(Trap::Memory(Fault { kind: AccessKind::Store, .. })))
}

/// Has instructions that read counters read `fflags` instead.
fn stop_clocks(code: &mut [u8]) {
    let mut at = 0;
    while let Some(bytes) = code.get_mut(at..at + 4) {
        let bits = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let is_csr = decode(bits, Extensions::ALL).is_some_and(|i| i.row().kind == Kind::Csr);
        if is_csr && bits >> 20 >= 0xc00 {
            let quiet = bits & 0xf_ffff | u32::from(csr::FFLAGS) << 20;
            bytes.copy_from_slice(&quiet.to_le_bytes());
        }
        at += usize::from(length(bits as u16));
    }
}
