//! The translator, with the interpreter for what is not translated.

use super::guest::{self, Guest};
use rvrun_hart::{Hart, float};
use rvrun_interp::{Interpreter, Stop};
use rvrun_isa::effect::{Registers, float as float_register, integer};
use rvrun_isa::{Extensions, Instruction, Kind, Opcode, decode, encode, length};
use rvrun_isa_tests::{AccessCause, AccessKind, Engine, Layout, State, Symbol, Trap};
use rvrun_jit::{All, Mode, Options, Outcome, State as JitState, Stepped, Translator, Way, way};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// What stands around a vector's code.
#[derive(Clone, Copy, Debug, Default)]
pub struct Form {
    /// In front of it all registers are written, so that values hold all of them.
    pub live: bool,
    /// It is the body of a loop.
    pub repeated: bool,
    /// Translations keep registers exact for faults.
    pub precise: bool,
    /// Only vectors that access memory are run.
    pub memory_only: bool,
}

/// How many vectors of a form were run, by what executed them.
#[derive(Debug, Default)]
pub struct Counts {
    /// Translated code alone.
    pub translated: AtomicU64,
    /// Translated code, which had the interpreter execute instructions that are not lowered.
    pub stepped: AtomicU64,
    /// The interpreter, at least in part: translated code had to be left.
    pub left: AtomicU64,
    /// The interpreter, for a rounding mode that the host lacks.
    pub soft: AtomicU64,
}

impl Counts {
    /// None yet.
    pub const fn new() -> Self {
        let [translated, stepped, left, soft] = [const { AtomicU64::new(0) }; 4];
        Self { translated, stepped, left, soft }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        write!(
            f,
            "{} vectors by translated code alone, {} with steps, {} left to the interpreter, {} in a rounding mode that the host lacks",
            get(&self.translated),
            get(&self.stepped),
            get(&self.left),
            get(&self.soft)
        )
    }
}

/// Passes through the body of a loop, where it may be done again.
const PASSES: u64 = 3;

/// See the module's documentation.
pub struct TranslatorEngine {
    guest: Guest,
    interpreter: Rc<RefCell<Interpreter>>,
    /// Why the interpreter stopped, when it executed an instruction for translated code.
    stopped: Rc<RefCell<Option<Stop>>>,
    translator: Translator,
    state: Box<JitState>,
    fences: u64,
    form: Form,
    counts: &'static Counts,
    problems: Vec<String>,
}

/// A vector's code with what stands around it.
struct Program {
    bytes: Vec<u8>,
    /// Where the program begins.
    start: u64,
    /// Where the vector's code ends, and where the program does.
    code_end: u64,
    end: u64,
    /// The register that counts passes, and how many there are.
    counter: Option<(u8, u64)>,
}

impl TranslatorEngine {
    /// A translator whose memory is its own: many can run at the same time.
    pub fn new(form: Form, counts: &'static Counts) -> Self {
        let guest = Guest::new();
        let extensions = Extensions::ALL;
        let interpreter = Interpreter::new(guest.space.clone(), extensions);
        let interpreter = Rc::new(RefCell::new(interpreter));
        let mode = Mode { precise: form.precise, ..Mode::default() };
        let options =
            Options { synchronous: true, code_bytes: 8 << 20, mode, ..Options::default() };
        let translator = Translator::new(guest.space.clone(), extensions, options)
            .expect("the host has memory for code");
        let stopped = Rc::new(RefCell::new(None));
        let step = {
            let (interpreter, stopped) = (interpreter.clone(), stopped.clone());
            move |hart: &mut Hart| {
                let stop = interpreter.borrow_mut().step(hart);
                let leave = stop.is_some() || float::needs_soft_float(hart.frm);
                *stopped.borrow_mut() = stop;
                Stepped::leave_if(leave)
            }
        };
        let attention = Arc::new(AtomicU32::new(0));
        let state = JitState::new(Hart::new(), attention, Box::new(step));
        let problems = Vec::new();
        let fences = 0;
        Self { guest, interpreter, stopped, translator, state, fences, form, counts, problems }
    }

    /// The program of a vector's code; none if it cannot be had in this form.
    fn program(&self, code: &[u8], before: &State) -> Option<Program> {
        let at = self.guest.layout.address(Symbol::Code);
        let code_end = at + code.len() as u64;
        let plain = !self.form.live && !self.form.repeated;
        let Some(instructions) = instructions(code) else {
            let bytes = code.to_vec();
            let program = Program { bytes, start: at, code_end, end: code_end, counter: None };
            return (plain && !self.form.memory_only).then_some(program);
        };
        let kinds: Vec<Kind> = instructions.iter().map(|i| i.row().kind).collect();
        let has = |wanted: &[Kind]| kinds.iter().any(|kind| wanted.contains(kind));
        if self.form.memory_only && !has(&[Kind::Load, Kind::Store, Kind::Atomic]) {
            return None;
        }
        if !plain && has(&[Kind::Branch, Kind::Jump, Kind::System]) {
            return None;
        }
        let mut bytes = Vec::new();
        if self.form.live {
            for register in 1..32 {
                let (rd, rs1) = (register, register);
                emit(&mut bytes, Instruction { rd, rs1, ..Instruction::new(Opcode::Addi) });
            }
            let singles = singles(&instructions, false);
            for register in 0..32 {
                let boxed = before.f[usize::from(register)] >> 32 == 0xffff_ffff;
                let single = boxed && singles & float_register(register) != 0;
                let opcode = if single { Opcode::FsgnjS } else { Opcode::FsgnjD };
                let (rd, rs1, rs2) = (register, register, register);
                emit(&mut bytes, Instruction { rd, rs1, rs2, ..Instruction::new(opcode) });
            }
        }
        let start = at - bytes.len() as u64;
        bytes.extend_from_slice(code);
        let mut counter = None;
        if self.form.repeated {
            let reads = instructions.iter().fold(0, |set, i| set | i.reads());
            let writes = instructions.iter().fold(0, |set, i| set | i.writes());
            let rd = (1..32).find(|n| (reads | writes) & integer(*n) == 0)?;
            let once = reads & writes != 0 || has(&[Kind::Store, Kind::Atomic, Kind::Csr]);
            counter = Some((rd, if once { 1 } else { PASSES }));
            let back = -(code.len() as i32 + 4);
            emit(
                &mut bytes,
                Instruction { rd, rs1: rd, imm: -1, ..Instruction::new(Opcode::Addi) },
            );
            emit(&mut bytes, Instruction { rs1: rd, imm: back, ..Instruction::new(Opcode::Bne) });
        }
        let end = start + bytes.len() as u64;
        Some(Program { bytes, start, code_end, end, counter })
    }

    /// Runs until an exception.
    fn run_to_trap(&mut self) -> (Option<Trap>, u64) {
        let mut left = 0;
        loop {
            if float::needs_soft_float(self.state.hart.frm) {
                let stop = self.step();
                if let Some(stop) = stop {
                    return (guest::trap(stop), left);
                }
                continue;
            }
            let pc = self.state.hart.pc;
            self.translator.request(pc, &All);
            if !self.translator.is_translated(pc) {
                left += u64::from(pc < self.guest.layout.address(Symbol::Rom));
                match self.step() {
                    Some(stop) => return (guest::trap(stop), left),
                    None => continue,
                }
            }
            let stop = match self.translator.run(&mut self.state) {
                Outcome::Cold => None,
                Outcome::Syscall => Some(Stop::Syscall),
                Outcome::Interpret => {
                    left += 1;
                    self.step()
                }
                Outcome::Attention => unreachable!("nobody asks for attention"),
                Outcome::Stepped => self.stopped.take(),
                Outcome::Fault(fault) => Some(Stop::Trap(fault.into())),
                Outcome::Replay { until } => loop {
                    let last = self.state.hart.pc == until;
                    let stop = self.step();
                    if stop.is_some() || last {
                        break stop;
                    }
                },
            };
            if let Some(stop) = stop {
                return (guest::trap(stop), left);
            }
        }
    }

    /// Has the interpreter execute one instruction.
    fn step(&mut self) -> Option<Stop> {
        let mut interpreter = self.interpreter.borrow_mut();
        let stop = interpreter.step(&mut self.state.hart);
        if self.fences != interpreter.fences() {
            self.fences = interpreter.fences();
            self.translator.revalidate();
        }
        stop
    }

    /// Counts what executed the vector, and notes if that was not what should have.
    fn count(&mut self, code: &[u8], before: &State, passes: u64, trap: Option<Trap>, left: u64) {
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        let counts = self.counts;
        // The landing is left to the interpreter, and so is what traps without a fault.
        let ends_in_interpreter = !matches!(trap, Some(Trap::Ecall)) && !is_fault(trap);
        let left = left - u64::from(ends_in_interpreter && left > 0);
        let stepped = self.state.stepped;
        if float::needs_soft_float(before.frm) {
            count(&counts.soft);
            return;
        }
        match (left, stepped) {
            (0, 0) => count(&counts.translated),
            (0, _) => count(&counts.stepped),
            _ => count(&counts.left),
        };
        let Some(instructions) = instructions(code) else { return };
        let jumps =
            |i: &Instruction| matches!(i.row().kind, Kind::Branch | Kind::Jump | Kind::System);
        if trap.is_some() || instructions.iter().any(jumps) {
            return;
        }
        let is_stepped = |i: &&Instruction| way(i) == Way::Stepped;
        let expected = instructions.iter().filter(is_stepped).count() as u64 * passes;
        // A loop holds in single precision what each of its rounds writes so.
        let singles = singles(&instructions, self.form.repeated);
        let unboxed = (0..32).any(|n| {
            singles & float_register(n) != 0 && before.f[usize::from(n)] >> 32 != 0xffff_ffff
        });
        // Another rounding mode or other code may make the rest the interpreter's.
        let turns = |i: &Instruction| i.opcode == Opcode::FenceI || i.row().kind == Kind::Csr;
        let last_is_fence = instructions.last().is_some_and(|i| i.opcode == Opcode::FenceI);
        let turns = last_is_fence || instructions.iter().rev().skip(1).any(turns);
        if !unboxed && !turns && (left != 0 || stepped != expected) {
            self.problems.push(format!(
                "translated code was left {left} times and stepped {stepped} times, not 0 and {expected}"
            ));
        }
    }
}

impl Engine for TranslatorEngine {
    fn layout(&self) -> Layout {
        self.guest.layout
    }

    fn takes(&self, code: &[u8], before: &State) -> bool {
        let plain = !self.form.live && !self.form.repeated;
        (plain || !float::needs_soft_float(before.frm)) && self.program(code, before).is_some()
    }

    fn run(&mut self, code: &[u8], before: &State) -> State {
        let at = self.guest.layout.address(Symbol::Code);
        let program = self.program(code, before).expect("the vector can be had in this form");
        self.guest.set(program.start, &program.bytes, &before.data);
        self.translator.follow_code_changes();
        let mut hart = guest::hart(before);
        hart.pc = program.start;
        if let Some((register, passes)) = program.counter {
            hart.x[usize::from(register)] = passes;
        }
        self.state.hart = hart;
        self.state.stepped = 0;
        float::host::enter(before.frm);
        let (mut trap, left) = self.run_to_trap();
        self.state.hart.fflags |= float::host::leave();
        let passes = program.counter.map_or(1, |(_, passes)| passes);
        let hart = &mut self.state.hart;
        match trap {
            Some(Trap::Ecall) => hart.pc -= 4,
            Some(Trap::Breakpoint) if !(at..program.code_end).contains(&hart.pc) => {
                trap = None;
                if hart.pc == program.end {
                    hart.pc = program.code_end;
                }
            }
            _ => {}
        }
        let after = trap.map_or(0, |_| passes);
        if let Some((register, _)) = program.counter {
            let x = &mut hart.x[usize::from(register)];
            if *x == after {
                *x = before.x[usize::from(register)];
            }
        }
        let state = self.guest.state(&self.state.hart, trap);
        self.count(code, before, passes, trap, left);
        state
    }

    fn is_exact(&self, after: &State) -> bool {
        self.form.precise || !is_fault(after.trap)
    }

    fn problems(&mut self) -> Vec<String> {
        std::mem::take(&mut self.problems)
    }
}

/// Whether this is a fault of a load or store.
fn is_fault(trap: Option<Trap>) -> bool {
    match trap {
        Some(Trap::Access { kind, cause, .. }) => {
            kind != AccessKind::Fetch && cause != AccessCause::Misaligned
        }
        _ => false,
    }
}

/// The instructions of `code`, if all of it is instructions.
fn instructions(code: &[u8]) -> Option<Vec<Instruction>> {
    let mut instructions = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let half = |at: usize| Some(u16::from_le_bytes([*code.get(at)?, *code.get(at + 1)?]));
        let low = half(at)?;
        let bits = match length(low) {
            2 => u32::from(low),
            _ => u32::from(low) | u32::from(half(at + 2)?) << 16,
        };
        let instruction = decode(bits, Extensions::ALL)?.expanded();
        at += usize::from(instruction.len);
        instructions.push(instruction);
    }
    Some(instructions)
}

/// Floating-point registers that are read in single precision, and those that are written
/// so if that is wanted.
fn singles(instructions: &[Instruction], written: bool) -> Registers {
    let touched = |i: &Instruction| {
        let name = i.row().name;
        let computes = name.ends_with("_s") || name.contains("_s_");
        let reads = if computes { i.reads() } else { 0 };
        let writes = computes || matches!(i.opcode, Opcode::Flw | Opcode::FmvWX);
        reads | if written && writes { i.writes() } else { 0 }
    };
    instructions.iter().fold(0, |set, i| set | touched(i)) & !0 << 32
}

fn emit(bytes: &mut Vec<u8>, instruction: Instruction) {
    let bits = encode(&instruction).expect("the operands fit");
    bytes.extend_from_slice(&bits.to_le_bytes()[..instruction.len.into()]);
}
