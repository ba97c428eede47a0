//! The two engines and who runs what.
//!
//! The interpreter runs code at first, and gives a sample of where it gets to now
//! and then. What turns up often is translated, on a thread beside the program;
//! once that is done, a *gate* in the interpreter stops it there, and translated
//! code goes on until it gets to code that is not translated.

use crate::chaos::Chaos;
use crate::engines::{Engines, LastObject};
use crate::program::Engine;
use crate::sampler::{Hot, Sampler};
use crate::stays::Stays;
use crate::verify::{self, Checked, End, Pair, Sampling};
use rvrun_hart::{Hart, Trap, float};
use rvrun_host::process;
use rvrun_host::time::{process_time, thread_time};
use rvrun_interp::{Interpreter, Stop, Warm};
use rvrun_jit::{All, Changes, Mode, Outcome, Profile, State, Stats, Translator};
use std::cell::{Cell, RefCell};
use std::ops::{AddAssign, Range};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Why the engines returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An environment call; the hart's pc is behind it.
    Syscall,
    /// An exception; the hart's pc is at the instruction that caused it.
    Trap(Trap),
    /// Attention is wanted; the hart's pc is the next instruction.
    Attention,
}

/// The exit status when the engines do not agree: the VM's own failure.
const DIFFERENT: i32 = 125;

/// Instructions that translated code executes before it is left, in a program that is checked.
const LONGEST_STAY: u64 = 1 << 20;

/// Time and instructions of an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// How long it ran, the instructions that it did for the other one not included.
    pub time: Duration,
    /// Instructions that it executed.
    pub instructions: u64,
}

/// What the engines have done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// The interpreter.
    pub interpreter: Share,
    /// Translated code.
    pub translated: Share,
    /// Instructions that translated code had interpreted.
    pub stepped: u64,
    /// System calls of the guest, and their CPU time: many wait.
    pub calls: (u64, Duration),
    /// Stretches that both engines ran, and their instructions.
    pub verified: (u64, u64),
    /// The translator, if there is one.
    pub translator: Option<Stats>,
}

impl AddAssign for Share {
    fn add_assign(&mut self, other: Self) {
        self.time += other.time;
        self.instructions += other.instructions;
    }
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.interpreter += other.interpreter;
        self.translated += other.translated;
        self.stepped += other.stepped;
        self.calls.0 += other.calls.0;
        self.calls.1 += other.calls.1;
        self.verified.0 += other.verified.0;
        self.verified.1 += other.verified.1;
        if let Some(stats) = other.translator {
            *self.translator.get_or_insert_default() += stats;
        }
    }
}

/// The two engines of a thread; see the module's documentation.
pub struct Tiers {
    engines: Arc<Engines>,
    interpreter: Rc<RefCell<Interpreter>>,
    translator: Option<Translator>,
    state: Box<State>,
    /// How an instruction ended that translated code had interpreted.
    stepped: Rc<Cell<Option<Stop>>>,
    engine: Engine,
    sampler: Sampler,
    stays: Stays,
    /// Exits to cold code until one is sampled.
    cold_fuel: u32,
    /// Of the last sample.
    sampled: LastObject,
    /// Changes with each sample.
    odd: bool,
    /// How many fence.i the translator knows of.
    fences: u64,
    chaos: Option<Chaos>,
    /// Which entries are checked, if any are.
    sampling: Option<Sampling>,
    report: Option<Report>,
}

/// What of the program is worth translating: what the interpreter has been to.
struct Interpreted<'a> {
    interpreter: &'a Interpreter,
    hart: &'a Hart,
    /// What is hot.
    hot: Option<(u64, Hot)>,
}

impl Interpreted<'_> {
    fn hot(&self, pc: u64) -> Option<Hot> {
        self.hot.filter(|(place, _)| *place == pc).map(|(_, hot)| hot)
    }
}

impl Profile for Interpreted<'_> {
    fn reached(&self, pc: u64) -> bool {
        self.interpreter.reached(pc)
    }

    fn jump_targets(&self, range: Range<u64>) -> Vec<u64> {
        self.interpreter.indirect_targets(range)
    }

    fn register(&self, pc: u64, register: u8) -> Option<u64> {
        (self.hart.pc == pc).then(|| self.hart.x[usize::from(register)])
    }

    fn weight(&self, pc: u64) -> u32 {
        self.hot(pc).map_or(1, |hot| hot.times)
    }

    fn was_hot(&self, pc: u64) -> bool {
        self.hot(pc).is_some_and(|hot| hot.was_hot)
    }
}

impl Tiers {
    /// The engines for a hart that has not run yet. To be made on the thread that runs it.
    pub fn new(engines: Arc<Engines>, hart: Hart) -> Self {
        let interpreter = engines.interpreter();
        let attention = interpreter.attention();
        let mut sampler = Sampler::new(engines.threshold, engines.options.sparing);
        let interpreter = Rc::new(RefCell::new(interpreter));
        let stepped = Rc::new(Cell::new(None));
        let step = {
            let (interpreter, stepped) = (interpreter.clone(), stepped.clone());
            move |hart: &mut Hart| verify::step(&interpreter, &stepped, hart)
        };
        let state = State::new(hart, attention, Box::new(step));
        let cold_fuel = sampler.next_cold_period();
        if engines.inhabited.swap(true, Ordering::SeqCst) {
            engines.several.store(true, Ordering::SeqCst);
        }
        let mut tiers = Self {
            interpreter,
            translator: None,
            state,
            stepped,
            engine: Engine::Interpreter,
            sampler,
            stays: Stays::default(),
            cold_fuel,
            sampled: LastObject::default(),
            odd: false,
            fences: 0,
            chaos: engines.chaos.map(Chaos::new),
            sampling: engines.verify.as_ref().map(|(one_in, _)| Sampling::new(*one_in)),
            report: engines.counting.then(Report::default),
            engines,
        };
        tiers.choose_engine();
        tiers
    }

    /// Ends with the thread: the next one goes on with what its interpreter knows.
    pub(crate) fn end(self) {
        let Self { engines, interpreter, translator, state, .. } = self;
        drop((translator, state));
        if let Some(interpreter) = Rc::into_inner(interpreter) {
            engines.leave(interpreter.into_inner());
        }
    }

    fn choose_engine(&mut self) {
        let engines = &self.engines;
        self.engine = if engines.borrowed { Engine::Interpreter } else { engines.engine };
        let mut interpreter = self.interpreter.borrow_mut();
        if self.engine == Engine::Auto {
            interpreter.set_fuel(self.sampler.next_period());
        }
        if self.engine == Engine::Auto || engines.borrowed && engines.engine != Engine::Interpreter
        {
            let chaos = engines.chaos.is_some();
            interpreter.set_warm(if chaos { Warm::AtOnce } else { Warm::Seen });
            interpreter.set_keeper(engines.block_keeper());
        }
    }

    /// The hart.
    pub fn hart(&mut self) -> &mut Hart {
        &mut self.state.hart
    }

    /// The flag that makes [`run`](Self::run) return soon, in whatever loop the guest is.
    pub fn attention(&self) -> Arc<AtomicU32> {
        self.state.attention().clone()
    }

    /// Carries out a system call, which is counted if anything is.
    pub(crate) fn call<T>(&mut self, carry_out: impl FnOnce(&mut Hart) -> T) -> T {
        let start = self.report.is_some().then(thread_time);
        let result = carry_out(&mut self.state.hart);
        if let (Some(start), Some(report)) = (start, &mut self.report) {
            report.calls.0 += 1;
            report.calls.1 += thread_time().saturating_sub(start);
        }
        result
    }

    /// What the engines have done, if that is counted.
    pub(crate) fn report(&self) -> Option<Report> {
        let mut report = self.report.clone()?;
        report.stepped = self.state.stepped;
        report.translator = self.translator.as_ref().map(|t| t.own_stats().clone());
        Some(report)
    }

    /// Translates such that the guest's registers are exact where a memory access faults.
    pub(crate) fn make_precise(&mut self) {
        self.engines.precise.store(true, Ordering::SeqCst);
        if let Some(translator) = &mut self.translator {
            translator.set_mode(Mode { precise: true, ..self.engines.options.mode });
        }
    }

    /// The translator, if the program is to be translated and the host has memory for code.
    fn translator(&mut self) -> Option<&mut Translator> {
        if self.translator.is_none() && self.engine != Engine::Interpreter {
            self.translator = self.engines.translations().map(|all| all.translator());
            if self.translator.is_none() {
                self.engine = Engine::Interpreter;
            }
        }
        self.translator.as_mut()
    }

    /// Ends the thread that compiles, until there is something to compile again.
    pub(crate) fn rest(&self) {
        if let Some(translations) = self.engines.made() {
            translations.rest();
        }
    }

    /// In the child of a fork. Gives the engines that its threads share from now on, if
    /// these are others: where another thread of the parent's was changing what is
    /// translated, the child begins anew.
    pub(crate) fn forked(&mut self) -> Option<Arc<Engines>> {
        self.sampler.forget();
        self.sampled = LastObject::default();
        let anew = self.engines.forked(&mut self.translator)?;
        std::mem::forget(std::mem::replace(&mut self.engines, anew.clone()));
        self.interpreter.borrow_mut().clear_gates();
        self.choose_engine();
        Some(anew)
    }

    /// Runs the hart from its pc until something has to be done that engines do not know of.
    pub fn run(&mut self) -> Event {
        if self.translator.is_none() && self.engines.translates() {
            self.translator();
        }
        self.follow_code_changes();
        float::host::enter(self.state.hart.frm);
        let event = loop {
            // Turns may be as short as an instruction each.
            if self.state.attention().load(Ordering::Relaxed) != 0 {
                break Event::Attention;
            }
            if let Some(event) = self.turn() {
                break event;
            }
        };
        self.state.hart.fflags |= float::host::leave();
        event
    }

    /// Lets one of the engines run.
    fn turn(&mut self) -> Option<Event> {
        // Translations round as the host does.
        let soft_float = float::needs_soft_float(self.state.hart.frm);
        if soft_float {
            return self.interpret(true);
        }
        if self.engine == Engine::Translator {
            self.translator();
        }
        if self.chaos.is_some() {
            self.stir();
        }
        let pc = self.state.hart.pc;
        if let Some(translator) = &mut self.translator {
            if translator.is_translated(pc) && !self.stays.is_short(pc) {
                return self.translated();
            }
            if self.engine == Engine::Translator {
                translator.request(pc, &All);
                if translator.is_translated(pc) {
                    return self.translated();
                }
                return self.step();
            }
        }
        self.interpret(false)
    }

    /// Runs translated code, and now and then checks what it does.
    fn translated(&mut self) -> Option<Event> {
        if let Some(sampling) = &mut self.sampling {
            if sampling.is_due()
                && !self.engines.several.load(Ordering::SeqCst)
                && let Some(event) = self.verified()
            {
                return event;
            }
            // Else what stays inside for long would never be checked.
            self.state.deadline = self.state.hart.instret.saturating_add(LONGEST_STAY);
        }
        self.run_translated()
    }

    /// Runs a stretch on both engines; nothing if it has to be run once more, unchecked.
    fn verified(&mut self) -> Option<Option<Event>> {
        let (Some(translator), Some(sampling)) = (&mut self.translator, &mut self.sampling) else {
            return None;
        };
        let mut pair = Pair {
            space: &self.engines.space,
            extensions: self.engines.extensions,
            options: self.engines.options,
            interpreter: &self.interpreter,
            translator,
            state: &mut self.state,
            stepped: &self.stepped,
        };
        let before = pair.state.hart.instret;
        let (end, outcome, compared) = match pair.check(sampling) {
            Checked::Not => return None,
            Checked::Run { end, outcome, compared } => (end, outcome, compared),
            Checked::Differs(difference) => {
                if let Some((_, sink)) = &self.engines.verify {
                    sink(&difference);
                }
                process::exit_now(DIFFERENT)
            }
        };
        if let Some(report) = &mut self.report {
            report.verified.0 += u64::from(compared);
            report.verified.1 += self.state.hart.instret - before;
        }
        self.follow_fences();
        // What was changed may have been dropped.
        self.set_gates();
        Some(match end {
            End::Syscall => Some(Event::Syscall),
            End::Trap(trap) => Some(Event::Trap(trap)),
            End::On if outcome == Outcome::Interpret => self.step(),
            End::On => None,
        })
    }

    fn run_translated(&mut self) -> Option<Event> {
        let measured = self.engine == Engine::Auto
            && self.chaos.is_none()
            && (self.passes() || self.stays.is_due());
        let start = (measured || self.report.is_some()).then(Instant::now);
        let pc = self.state.hart.pc;
        let before = (self.state.hart.instret, self.state.stepped);
        let translator = self.translator.as_mut()?;
        let outcome = translator.run(&mut self.state);
        self.sampler.skip(self.state.hart.instret - before.0);
        if let (Some(start), true, Outcome::Cold) = (start, measured, &outcome)
            && self.stays.note(pc, start.elapsed(), self.state.hart.pc)
        {
            self.interpreter.borrow_mut().remove_gate(pc);
        }
        if let (Some(start), Some(report)) = (start, &mut self.report) {
            let stepped = self.state.stepped - before.1;
            report.translated.time += start.elapsed();
            report.translated.instructions += self.state.hart.instret - before.0 - stepped;
            report.interpreter.instructions += stepped;
        }
        self.left(outcome)
    }

    /// Sees to why translated code was left.
    fn left(&mut self, outcome: Outcome) -> Option<Event> {
        match outcome {
            Outcome::Cold => {
                self.cold_fuel -= 1;
                if self.cold_fuel == 0 {
                    self.cold_fuel = self.sampler.next_cold_period();
                    self.sample(self.state.hart.pc);
                }
                None
            }
            Outcome::Syscall => Some(Event::Syscall),
            Outcome::Interpret => self.step(),
            // It may be a deadline only: the caller looks.
            Outcome::Attention => None,
            Outcome::Stepped => {
                let stop = self.stepped.take();
                stop.and_then(|stop| self.stopped(stop))
            }
            Outcome::Fault(fault) => Some(Event::Trap(Trap::Memory(fault))),
            Outcome::Replay { until } => self.replay(until),
        }
    }

    /// Whether the interpreter may enter translated code itself: what is counted, checked or
    /// stirred at each entry is not.
    fn passes(&self) -> bool {
        self.report.is_none() && self.sampling.is_none() && self.chaos.is_none()
    }

    /// Runs the interpreter.
    fn interpret(&mut self, past_gates: bool) -> Option<Event> {
        let start = self.report.is_some().then(Instant::now);
        let before = self.state.hart.instret;
        let passes = self.passes();
        let stop = {
            let mut interpreter = self.interpreter.borrow_mut();
            let stop = match &mut self.translator {
                Some(translator) if passes => translator
                    .passage(&mut self.state, |passage| interpreter.resume_through(passage)),
                _ => interpreter.resume(&mut self.state.hart),
            };
            match stop {
                Stop::Gate if past_gates => interpreter.step(&mut self.state.hart),
                stop => Some(stop),
            }
        };
        if let (Some(start), Some(report)) = (start, &mut self.report) {
            report.interpreter.time += start.elapsed();
            report.interpreter.instructions += self.state.hart.instret - before;
        }
        self.follow_fences();
        stop.and_then(|stop| self.stopped(stop))
    }

    /// Has the interpreter execute one instruction.
    fn step(&mut self) -> Option<Event> {
        let before = self.state.hart.instret;
        let stop = self.interpreter.borrow_mut().step(&mut self.state.hart);
        if let Some(report) = &mut self.report {
            report.interpreter.instructions += self.state.hart.instret - before;
        }
        self.follow_fences();
        stop.and_then(|stop| self.stopped(stop))
    }

    /// Gets to the access at `until` once more, this time interpreted: it faults
    /// again, unless somebody has made the memory accessible meanwhile.
    fn replay(&mut self, until: u64) -> Option<Event> {
        // A run is part of a block.
        for _ in 0..rvrun_decoder::MAX_BLOCK_BYTES / 2 {
            let last = self.state.hart.pc == until;
            let event = self.step();
            if event.is_some() || last {
                return event;
            }
        }
        None
    }

    fn stopped(&mut self, stop: Stop) -> Option<Event> {
        match stop {
            Stop::Syscall => Some(Event::Syscall),
            Stop::Trap(trap) => Some(Event::Trap(trap)),
            Stop::Attention => Some(Event::Attention),
            Stop::Gate => {
                // It may stand where there is nothing any more.
                let pc = self.state.hart.pc;
                let there = self.translator().is_some_and(|t| t.is_translated(pc));
                if there {
                    return None;
                }
                self.set_gates();
                self.step()
            }
            Stop::Passed => {
                let outcome = self.translator.as_mut().and_then(Translator::passed);
                outcome.and_then(|outcome| self.left(outcome))
            }
            Stop::Sample => {
                self.sample(self.state.hart.pc);
                let period = self.sampler.next_period();
                let mut interpreter = self.interpreter.borrow_mut();
                interpreter.set_fuel(period);
                let attention = interpreter.attention().load(Ordering::Relaxed) != 0;
                attention.then_some(Event::Attention)
            }
        }
    }

    /// The program was seen at `pc`. If that is translated, what was executed before is code that
    /// translations have led to, as a loop around the one that is translated is. If it is executed
    /// as cold code all the same, every other sample is for what is [behind](Stays::behind) it.
    fn sample(&mut self, mut pc: u64) {
        if let Some(translator) = &mut self.translator {
            translator.collect();
            self.odd = !self.odd;
            if translator.is_translated(pc) {
                let other = match self.stays.is_short(pc) {
                    true => self.stays.behind(pc).filter(|_| self.odd),
                    false => translator.left_to(),
                };
                pc = other.unwrap_or(pc);
            }
        }
        let passages = self.interpreter.borrow().passages();
        // An earlier run found it hot, and nobody has translated it yet.
        let was_hot = || {
            let is_translated = |translator: &mut Translator| translator.is_translated(pc);
            self.engine == Engine::Auto
                && !self.translator.as_mut().is_some_and(is_translated)
                && self.engines.was_hot(pc, &mut self.sampled)
        };
        let retired = self.state.hart.instret;
        if let Some(hot) = self.sampler.count(pc, retired, passages, was_hot) {
            self.hot(pc, hot);
        }
        self.set_gates();
    }

    /// Notes for later runs what this one has found hot.
    pub(crate) fn note_hot(&self) {
        if self.engine == Engine::Auto && self.engines.keeps() {
            let hottest = self.sampler.hottest(process_time);
            hottest.into_iter().for_each(|pc| self.engines.note_hot(pc));
        }
    }

    /// Has the translator look at what is hot at `pc`.
    fn hot(&mut self, pc: u64, hot: Hot) {
        if self.chaos.as_mut().is_some_and(|chaos| !chaos.translates()) {
            return;
        }
        if self.stays.try_again(pc) {
            self.interpreter.borrow_mut().add_gate(pc);
        } else if self.translator().is_some()
            && let Some(translator) = &mut self.translator
        {
            let (interpreter, hart) = (&*self.interpreter.borrow(), &self.state.hart);
            translator.request(pc, &Interpreted { interpreter, hart, hot: Some((pc, hot)) });
        }
    }

    /// Sets gates where there are translations now, be they this thread's doing or not.
    fn set_gates(&mut self) {
        let Some(changes) = self.translator.as_mut().and_then(Translator::changes) else { return };
        let mut interpreter = self.interpreter.borrow_mut();
        match changes {
            Changes::Some(changes) => {
                for (entry, is_there) in changes {
                    if !is_there {
                        self.stays.forget(entry);
                        interpreter.remove_gate(entry);
                    } else if !self.stays.is_short(entry) {
                        interpreter.add_gate(entry);
                    }
                }
            }
            Changes::All(entries) => {
                interpreter.clear_gates();
                self.stays.clear();
                entries.into_iter().for_each(|entry| interpreter.add_gate(entry));
            }
        }
    }

    fn follow_code_changes(&mut self) {
        let Some(translator) = &mut self.translator else { return };
        translator.follow_code_changes();
        self.set_gates();
    }

    fn follow_fences(&mut self) {
        let fences = self.interpreter.borrow().fences();
        if fences != self.fences {
            self.fences = fences;
            if let Some(translator) = &mut self.translator {
                translator.revalidate();
                self.set_gates();
            }
        }
    }

    /// Drops translations at random.
    fn stir(&mut self) {
        let (Some(chaos), Some(translator)) = (&mut self.chaos, &mut self.translator) else {
            return;
        };
        chaos.stir(translator);
        self.set_gates();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Translation;
    use rvrun_isa::Extensions;
    use rvrun_memory::AddressSpace;

    #[test]
    fn a_child_begins_anew_if_another_thread_was_changing_the_translations() {
        let space = Arc::new(AddressSpace::new());
        let translation = Translation::default();
        let engines = Engines::new(space, Extensions::ALL, Engine::Auto, &translation, None, false);
        let mut tiers = Tiers::new(engines.clone(), Hart::default());
        assert!(tiers.translator().is_some());
        assert!(tiers.forked().is_none(), "nobody was");

        let held = engines.translations.lock();
        let anew = tiers.forked().expect("that thread has not got on in the child");
        assert!(anew.translations().is_some());
        assert!(tiers.translator().is_some());
        drop(held);
    }

    #[test]
    fn what_borrows_memory_does_not_touch_the_translations() {
        let space = Arc::new(AddressSpace::new());
        let translation = Translation::default();
        let engine = Engine::Translator;
        let engines = Engines::new(space, Extensions::ALL, engine, &translation, None, false);
        let held = engines.translations.lock();
        let mut tiers = Tiers::new(engines.lent(), Hart::default());
        assert!(tiers.translator().is_none());
        assert!(tiers.forked().is_some(), "the child has memory of its own");
        assert!(tiers.translator().is_some());
        drop(held);
    }
}
