//! A stretch on both engines.

use super::{Difference, EngineResult, MemoryPage, Sampling};
use rvrun_hart::{Hart, Reservation, Trap, float};
use rvrun_host::watch::{PAGE, Page, Watch};
use rvrun_interp::{Interpreter, Stop};
use rvrun_isa::{Extensions, F_NAMES, Instruction, Kind, X_NAMES, csr, decode, field::Class};
use rvrun_jit::{Options, Outcome, State, Translator};
use rvrun_memory::{AccessKind, AddressSpace, Fault, access};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;

/// Pages that a stretch may write.
const MOST_PAGES: usize = 256;
/// Instructions that the interpreter gets beyond those of the stretch, where it has to
/// come to a fault before which they are not counted exactly.
const SLACK: u64 = 100_000;

/// Both engines of a hart.
pub(crate) struct Pair<'a> {
    pub space: &'a AddressSpace,
    pub extensions: Extensions,
    pub options: Options,
    pub interpreter: &'a RefCell<Interpreter>,
    pub translator: &'a mut Translator,
    pub state: &'a mut State,
    /// How an instruction ended that translated code had interpreted.
    pub stepped: &'a Cell<Option<Stop>>,
}

/// What has become of a stretch.
pub(crate) enum Checked {
    /// It has not run, or is as if it had not.
    Not,
    /// It has run; whether it was compared, and was the same.
    Run { end: End, outcome: Outcome, compared: bool },
    /// It has run, and the engines do not agree.
    Differs(Box<Difference>),
}

/// How a stretch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It goes on at the pc.
    On,
    /// At an environment call.
    Syscall,
    /// At an exception.
    Trap(Trap),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::On => write!(f, "it goes on"),
            End::Syscall => write!(f, "environment call"),
            End::Trap(trap) => write!(f, "{trap}"),
        }
    }
}

/// How exact the state is that translated code left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exact {
    /// Everything is.
    All,
    /// Instructions before a fault were not counted exactly.
    ButCount,
    /// At a fault, registers may be older.
    EndOnly,
    /// Unknown: what faulted for translated code does not fault any more.
    Nothing,
}

/// What was seen of the instructions of a stretch.
#[derive(Default)]
struct Seen {
    /// Whether one reads a clock or a counter.
    clock: bool,
    /// Whether one reads or writes `fcsr`.
    flags: bool,
    /// Pages that they are in or access, if these are wanted.
    pages: Option<BTreeSet<u64>>,
}

impl Pair<'_> {
    /// Runs a stretch of `sampling`'s choice. The caller is between
    /// [`float::host::enter`] and `leave`, as for [`Translator::run`].
    pub fn check(&mut self, sampling: &mut Sampling) -> Checked {
        self.state.hart.fflags |= float::host::leave();
        let checked = self.stretch(sampling.length());
        float::host::enter(self.state.hart.frm);
        checked
    }

    /// Runs a stretch of `length` instructions.
    ///
    /// Code that the guest has changed may be executed as it was until it says so, on
    /// either engine. So what differs is tried once more, with what both then know.
    pub fn stretch(&mut self, length: u64) -> Checked {
        match self.once(length) {
            Checked::Differs(_) => {}
            checked => return checked,
        }
        self.interpreter.borrow_mut().revalidate();
        self.translator.revalidate();
        self.once(length)
    }

    fn once(&mut self, length: u64) -> Checked {
        let before = self.state.hart.clone();
        let Some(watch) = self.space.watch(MOST_PAGES) else { return Checked::Not };
        self.state.hart.fflags = 0;
        self.state.deadline = before.instret.saturating_add(length);
        let (end, outcome, exact) = self.translated();
        self.state.deadline = u64::MAX;
        let translated = self.state.hart.clone();
        let written: Vec<_> = watch.pages().map(|page| contents(page.address)).collect();
        if watch.has_failed() || exact == Exact::Nothing {
            self.state.hart.fflags |= before.fflags;
            return Checked::Run { end, outcome, compared: false };
        }
        put_back(watch.pages());
        self.begin_again(&before);
        let mut seen = Seen::default();
        let interpreted_end = self.interpreted(&translated, end, exact, &mut seen);
        let interpreted = self.state.hart.clone();
        if watch.has_failed() {
            self.state.hart.fflags |= before.fflags;
            return Checked::Run { end: interpreted_end, outcome, compared: false };
        }
        if seen.clock || seen.flags && before.fflags != 0 {
            put_back(watch.pages());
            self.state.hart = before;
            return Checked::Not;
        }
        let mut found = differences((&translated, end), (&interpreted, interpreted_end), exact);
        if exact != Exact::EndOnly {
            let written = written.iter().map(|page| page.as_slice());
            found.extend(memory_differences(&watch, written));
        }
        if found.is_empty() {
            self.state.hart.fflags |= before.fflags;
            return Checked::Run { end: interpreted_end, outcome, compared: true };
        }
        seen.pages = Some(BTreeSet::new());
        put_back(watch.pages());
        self.begin_again(&before);
        self.interpreted(&translated, end, exact, &mut seen);
        put_back(watch.pages());
        let mut pages = seen.pages.unwrap_or_default();
        pages.extend(watch.pages().map(|page| page.address as u64));
        self.state.hart = before.clone();
        drop(watch);
        let result = |hart: &Hart, end: End| EngineResult {
            registers: registers(hart),
            end: end.to_string(),
        };
        let difference = Difference {
            pc: before.pc,
            length,
            before: registers(&Hart { fflags: 0, ..before.clone() }),
            translated: result(&translated, end),
            interpreted: result(&interpreted, interpreted_end),
            found,
            ..self.surroundings(pages)
        };
        Checked::Differs(Box::new(difference))
    }

    fn begin_again(&mut self, before: &Hart) {
        self.state.hart = before.clone();
        self.state.hart.fflags = 0;
    }

    /// Runs translated code from the hart's pc.
    fn translated(&mut self) -> (End, Outcome, Exact) {
        float::host::enter(self.state.hart.frm);
        let outcome = self.translator.run(self.state);
        let (end, exact) = match outcome {
            Outcome::Cold | Outcome::Interpret | Outcome::Attention => (End::On, Exact::All),
            Outcome::Syscall => (End::Syscall, Exact::All),
            Outcome::Stepped => (end_of(self.stepped.take()), Exact::All),
            Outcome::Fault(fault) => (End::Trap(Trap::Memory(fault)), Exact::EndOnly),
            Outcome::Replay { until } => match self.replay(until) {
                Some(trap) => (End::Trap(trap), Exact::ButCount),
                None => (End::On, Exact::Nothing),
            },
        };
        self.state.hart.fflags |= float::host::leave();
        (end, outcome, exact)
    }

    /// Gets to the access at `until` once more, which faulted for translated code.
    fn replay(&mut self, until: u64) -> Option<Trap> {
        for _ in 0..rvrun_decoder::MAX_BLOCK_BYTES / 2 {
            let last = self.state.hart.pc == until;
            match self.interpreter.borrow_mut().step(&mut self.state.hart) {
                Some(Stop::Trap(trap)) => return Some(trap),
                _ if last => return None,
                _ => {}
            }
        }
        None
    }

    /// Interprets what translated code has executed, from the hart's pc.
    fn interpreted(&mut self, to: &Hart, end: End, exact: Exact, seen: &mut Seen) -> End {
        let traps = matches!(end, End::Trap(_));
        let last = match exact {
            Exact::All => to.instret,
            _ => to.instret.saturating_add(SLACK),
        };
        float::host::enter(self.state.hart.frm);
        let mut interpreter = self.interpreter.borrow_mut();
        let hart = &mut self.state.hart;
        let mut end = End::On;
        // What traps is not counted.
        while hart.instret < last || traps && hart.instret == last {
            seen.look(self.space, self.extensions, hart);
            match end_of(interpreter.step(hart)) {
                End::On => {}
                other => {
                    end = other;
                    break;
                }
            }
        }
        hart.fflags |= float::host::leave();
        end
    }

    /// What of the program and its translations a bundle must have.
    fn surroundings(&self, mut pages: BTreeSet<u64>) -> Difference {
        let within = |ranges: &[std::ops::Range<u64>]| {
            ranges.iter().any(|range| pages_of(range).any(|page| pages.contains(&page)))
        };
        let mut translations = self.translator.sources();
        translations.retain(|source| within(&source.code));
        let mut jump_targets = Vec::new();
        let interpreter = self.interpreter.borrow();
        for range in translations.iter().flat_map(|source| &source.code) {
            jump_targets.extend(interpreter.indirect_targets(range.clone()));
        }
        jump_targets.sort_unstable();
        jump_targets.dedup();
        for source in &translations {
            pages.extend(source.code.iter().flat_map(pages_of));
        }
        let page = |address: u64| {
            let bytes = readable(address)?;
            Some(MemoryPage { address, bytes, prot: self.space.protection(address)? })
        };
        let nothing = || EngineResult { registers: Vec::new(), end: String::new() };
        Difference {
            pc: 0,
            length: 0,
            before: Vec::new(),
            translated: nothing(),
            interpreted: nothing(),
            found: Vec::new(),
            pages: pages.iter().filter_map(|address| page(*address)).collect(),
            translations,
            jump_targets,
            extensions: self.extensions,
            limits: self.options.limits,
            mode: self.translator.mode(),
        }
    }
}

impl Seen {
    /// Takes note of the instruction that `hart` is at.
    fn look(&mut self, space: &AddressSpace, extensions: Extensions, hart: &Hart) {
        let mut bytes = [0; 4];
        let fetched = space.fetch(hart.pc, &mut bytes).unwrap_or(0);
        let instruction = match fetched {
            2.. => decode(u32::from_le_bytes(bytes), extensions),
            _ => None,
        };
        if let Some(pages) = &mut self.pages {
            pages.extend(pages_of(&(hart.pc..hart.pc + 4)));
        }
        let Some(instruction) = instruction.map(Instruction::expanded) else { return };
        let row = instruction.row();
        if row.kind == Kind::Csr {
            let number = instruction.imm as u16 & 0xfff;
            self.flags |= matches!(number, csr::FFLAGS | csr::FRM | csr::FCSR);
            self.clock |= number >= csr::CYCLE;
        }
        if let Some(pages) = &mut self.pages
            && row.fields.iter().any(|field| field.class == Class::Base)
        {
            let base = hart.x[usize::from(instruction.rs1)];
            let offset = if row.kind == Kind::Atomic { 0 } else { instruction.imm };
            let start = base.wrapping_add_signed(offset.into());
            pages.extend(pages_of(&(start..start.saturating_add(16))));
        }
    }
}

fn end_of(stop: Option<Stop>) -> End {
    match stop {
        Some(Stop::Syscall) => End::Syscall,
        Some(Stop::Trap(trap)) => End::Trap(trap),
        Some(Stop::Attention | Stop::Sample | Stop::Gate | Stop::Passed) | None => End::On,
    }
}

/// The pages that `range` is in.
fn pages_of(range: &std::ops::Range<u64>) -> impl Iterator<Item = u64> + use<> {
    let page = PAGE as u64;
    (range.start / page..range.end.div_ceil(page)).map(move |number| number * page)
}

/// What is in a page that was just written.
fn contents(address: usize) -> Box<[u8; PAGE]> {
    readable(address as u64).unwrap_or_else(|| Box::new([0; PAGE]))
}

fn readable(address: u64) -> Option<Box<[u8; PAGE]>> {
    let mut bytes = Box::new([0; PAGE]);
    access::copy_in(address, bytes.as_mut_slice()).is_ok().then_some(bytes)
}

/// Makes pages what they were before they were written.
fn put_back<'a>(pages: impl Iterator<Item = &'a Page>) {
    for page in pages {
        // It was written, so it can be.
        let _ = access::copy_out(page.address as u64, &page.before);
    }
}

/// All that a program can see of a hart but time and counters.
pub(super) fn registers(hart: &Hart) -> Vec<(String, u64)> {
    let named = |names: &[&str; 32], values: &[u64]| -> Vec<(String, u64)> {
        names.iter().zip(values).map(|(name, value)| ((*name).to_string(), *value)).collect()
    };
    let mut all = named(&X_NAMES, &hart.x[..32]);
    all.extend(named(&F_NAMES, &hart.f));
    // Nothing is reserved whatever the address and the value then are.
    let reservation = match hart.reservation {
        Reservation { size: 0, .. } => Reservation::NONE,
        reservation => reservation,
    };
    let others = [
        ("pc", hart.pc),
        ("fflags", hart.fflags.into()),
        ("frm", hart.frm.into()),
        ("reserved address", reservation.addr),
        ("reserved value", reservation.value),
        ("reserved size", reservation.size),
        ("instret", hart.instret),
    ];
    all.extend(others.map(|(name, value)| (name.to_string(), value)));
    all
}

fn differences(translated: (&Hart, End), interpreted: (&Hart, End), exact: Exact) -> Vec<String> {
    let mut found = Vec::new();
    if !is_same_end(translated.1, interpreted.1, exact) {
        found.push(format!("end: {}, interpreted {}", translated.1, interpreted.1));
    }
    let compared = |name: &str| match exact {
        Exact::All | Exact::Nothing => true,
        Exact::ButCount => name != "instret",
        Exact::EndOnly => false,
    };
    let pairs = registers(translated.0).into_iter().zip(registers(interpreted.0));
    for ((name, ours), (_, theirs)) in pairs {
        if compared(&name) && ours != theirs {
            found.push(format!("{name}: {ours:#x}, interpreted {theirs:#x}"));
        }
    }
    found
}

/// Where only the end is exact, translated code may have left out a store that the next
/// one overwrites, and the host gives no address that no memory can have.
fn is_same_end(ours: End, theirs: End, exact: Exact) -> bool {
    let access = |end| match end {
        End::Trap(Trap::Memory(Fault { kind, .. })) if kind != AccessKind::Fetch => Some(kind),
        _ => None,
    };
    ours == theirs
        || exact == Exact::EndOnly && access(ours).is_some() && access(ours) == access(theirs)
}

/// The bytes that differ between what translated code `wrote` into the first of the
/// pages and what is there now.
fn memory_differences<'a>(watch: &Watch, mut wrote: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut found = Vec::new();
    for page in watch.pages() {
        let ours = wrote.next().unwrap_or(&page.before);
        let theirs = contents(page.address);
        for (at, (ours, theirs)) in ours.iter().zip(theirs.iter()).enumerate() {
            if ours != theirs {
                let address = page.address + at;
                found.push(format!(
                    "memory at {address:#x}: {ours:#04x}, interpreted {theirs:#04x}"
                ));
            }
        }
    }
    found
}
