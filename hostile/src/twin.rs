//! Random code on two engines: what the interpreter makes of it, with host code or
//! without, the translator has to make of it as well.
//!
//! A case is run by the interpreter first, until it loses its way or loops, and every
//! stop is noted. Then it is run from the same beginning by the translator, which has
//! to stop for the same reasons with the same registers and the same memory.

use crate::arena::{Beginning, CODE_BYTES, Memory, RUNS};
use crate::bytes::Case;
use rvrun_hart::{Hart, Trap, float};
use rvrun_interp::{Interpreter, Stop, Warm};
use rvrun_isa::{Extensions, Kind, csr, decode, length};
use rvrun_jit::{All, Mode, Options, Outcome, State, Stepped, Translator};
use rvrun_memory::{AccessKind, Fault, FaultCause};
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
                Stepped::leave_if(leave)
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
        stop_clocks(&mut beginning.code);
        let mode = Mode { precise: case & 1 != 0, counting: case & 2 != 0 };
        let warm = if case & 4 == 0 { Warm::Never } else { Warm::AtOnce };
        self.compare_from(&beginning, mode, warm)
    }

    /// Runs the case that `bytes` describe ([`crate::bytes`]) on both engines.
    ///
    /// # Errors
    /// What is different.
    pub fn run_bytes(&mut self, bytes: &[u8]) -> Result<Compared, String> {
        let case = Case::of(bytes);
        let mut beginning = self.memory.beginning_of(&case);
        stop_all_clocks(&mut beginning.code);
        let mode = Mode { precise: case.precise, counting: case.counting };
        self.compare_from(&beginning, mode, if case.warm { Warm::AtOnce } else { Warm::Never })
    }

    /// Runs the case that `bytes` describe on the interpreter, with handlers and with
    /// host code: both have to stop in the same ways.
    ///
    /// # Errors
    /// What is different.
    pub fn interpret_bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut beginning = self.memory.beginning_of(&Case::of(bytes));
        stop_all_clocks(&mut beginning.code);
        self.memory.prepare(&beginning)?;
        let before = self.memory.contents()?;
        let handlers = self.interpret(&beginning, Warm::Never);
        let after = self.memory.contents()?;
        let code = ..CODE_BYTES as usize;
        if before[code] != after[code] {
            return Ok(());
        }
        self.memory.prepare(&beginning)?;
        let templates = self.interpret(&beginning, Warm::AtOnce);
        if handlers.len() != templates.len() {
            return Err(format!("{} stops, by host code {}", handlers.len(), templates.len()));
        }
        for (expected, found) in handlers.iter().zip(&templates) {
            self.state.hart = found.hart.clone();
            let precise = Mode { precise: true, counting: true };
            self.compare(expected, &found.stop, precise)
                .and_then(|()| differs("instret", expected.hart.instret, found.hart.instret))
                .map_err(|why| format!("with host code: {why}"))?;
        }
        same_bytes(&after, &self.memory.contents()?).map_err(|why| format!("with host code: {why}"))
    }

    fn compare_from(
        &mut self,
        beginning: &Beginning,
        mode: Mode,
        warm: Warm,
    ) -> Result<Compared, String> {
        self.translator.set_mode(mode);
        self.memory.prepare(beginning)?;
        let before = self.memory.contents()?;
        let notes = self.interpret(beginning, warm);
        let after = self.memory.contents()?;
        self.memory.prepare(beginning)?;
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
            // Cranelift drops a store of what a load has just found there, and its fault with it.
            let elsewhere = self.state.hart.pc != note.hart.pc;
            if !mode.precise && is_protected_store(&note.stop) && elsewhere {
                return Ok(Compared::Part);
            }
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
        same_bytes(&after, &self.memory.contents()?)
            .map_err(|why| format!("translated ({mode:?}): {why}"))?;
        Ok(Compared::Whole)
    }

    /// Runs a case on the interpreter.
    fn interpret(&mut self, beginning: &Beginning, warm: Warm) -> Vec<Note> {
        let mut interpreter = self.interpreter.borrow_mut();
        interpreter.set_warm(warm);
        let mut notes = Vec::new();
        let mut hart = beginning.hart.clone();
        interpreter.set_fuel(EVENTS_MAX);
        for _ in 0..RUNS {
            let stop = interpreter.run(&mut hart);
            notes.push(Note { stop, hart: hart.clone() });
            let goes_on = match &notes[notes.len() - 1].stop {
                Stop::Syscall => true,
                Stop::Trap(trap) => self.memory.skip(&mut hart, trap),
                Stop::Attention | Stop::Sample | Stop::Gate | Stop::Passed => false,
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
        let at_stop = |why| format!("{why}, at {stop:?}");
        for register in 0..32 {
            differs(&format!("x{register}"), expected.x[register], found.x[register])
                .and_then(|()| {
                    differs(&format!("f{register}"), expected.f[register], found.f[register])
                })
                .map_err(at_stop)?;
        }
        differs("frm", expected.frm.into(), found.frm.into()).map_err(at_stop)?;
        differs("fflags", expected.fflags.into(), found.fflags.into()).map_err(at_stop)?;
        // One of no size is none, wherever it was.
        let reserves = |hart: &Hart| hart.reservation.size != 0;
        let reserving = reserves(expected) || reserves(found);
        if reserving && expected.reservation != found.reservation {
            return Err(format!("{:?}, interpreted {:?}", found.reservation, expected.reservation));
        }
        Ok(())
    }
}

fn differs(name: &str, expected: u64, found: u64) -> Result<(), String> {
    let text = || format!("{name} is {found:#x}, interpreted {expected:#x}");
    if expected == found { Ok(()) } else { Err(text()) }
}

/// Whether code and data are the same.
fn same_bytes(expected: &[u8], found: &[u8]) -> Result<(), String> {
    match expected.iter().zip(found).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(at) => Err(format!(
            "byte {at} of code and data is {:#x}, interpreted {:#x}",
            found[at], expected[at]
        )),
    }
}

/// Whether both stops are faults of an access, the found one of an address that the
/// host does not give away.
fn is_same_access(expected: &Stop, found: &Stop) -> bool {
    let (Stop::Trap(Trap::Memory(expected)), Stop::Trap(Trap::Memory(found))) = (expected, found)
    else {
        return false;
    };
    // An access that only ends where addresses stop being such is refused in the same way.
    let canonical = expected.addr.wrapping_add(7) >> 47 == 0;
    expected.kind == found.kind && found.addr == u64::MAX && !canonical
}

fn is_store(stop: &Stop) -> bool {
    matches!(stop, Stop::Trap(Trap::Memory(Fault { kind: AccessKind::Store, .. })))
}

/// Whether the stop is a store's to what can be read, if anything.
fn is_protected_store(stop: &Stop) -> bool {
    let Stop::Trap(Trap::Memory(fault)) = stop else { return false };
    fault.kind == AccessKind::Store && fault.cause == FaultCause::Protection
}

/// Has instructions that read counters read `fflags` instead.
fn stop_clocks(code: &mut [u8]) {
    let mut at = 0;
    while let Some(bytes) = code.get_mut(at..).filter(|bytes| bytes.len() >= 4) {
        stop_clock(bytes);
        at += usize::from(length(u16::from_le_bytes([bytes[0], bytes[1]])));
    }
}

/// As [`stop_clocks`], of the first instruction.
fn stop_clock(code: &mut [u8]) {
    let Some(bytes) = code.first_chunk_mut::<4>() else { return };
    let bits = u32::from_le_bytes(*bytes);
    let is_csr = decode(bits, Extensions::ALL).is_some_and(|i| i.row().kind == Kind::Csr);
    if is_csr && bits >> 20 >= 0xc00 {
        *bytes = (bits & 0xf_ffff | u32::from(csr::FFLAGS) << 20).to_le_bytes();
    }
}

/// As [`stop_clocks`], wherever the hart may jump to: the words that overlap are looked at,
/// too, until none reads a counter.
fn stop_all_clocks(code: &mut [u8]) {
    loop {
        let before = code.to_vec();
        for start in (0..code.len()).step_by(2) {
            stop_clock(&mut code[start..]);
        }
        if before == code {
            break;
        }
    }
}
