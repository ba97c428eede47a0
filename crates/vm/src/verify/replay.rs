//! A difference once more, without the program that it was found in.

use super::Difference;
use super::stretch::{Checked, Pair};
use rvrun_hart::{Hart, Reservation};
use rvrun_host::fault;
use rvrun_interp::{Interpreter, Stop};
use rvrun_isa::{F_NAMES, X_NAMES};
use rvrun_jit::{Options, Profile, Source, State, Stepped, Translator};
use rvrun_memory::{AddressSpace, Errno, access};
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;
const PRIVATE_ANONYMOUS_FIXED: i32 =
    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;

/// What was known of the program when a translation was made.
struct Known<'a> {
    source: &'a Source,
    jump_targets: &'a [u64],
}

impl Profile for Known<'_> {
    fn reached(&self, pc: u64) -> bool {
        self.source.blocks.contains(&pc)
    }

    fn jump_targets(&self, range: Range<u64>) -> Vec<u64> {
        self.jump_targets.iter().copied().filter(|pc| range.contains(pc)).collect()
    }

    fn register(&self, pc: u64, register: u8) -> Option<u64> {
        let mut divisors = self.source.divisors.iter();
        let known = divisors.find(|(known, _)| *known == register)?;
        (pc == self.source.entry).then_some(known.1)
    }
}

/// Runs the stretch again on both engines, in an address space of its own: what they
/// differ in this time, if they do.
///
/// # Errors
/// Why it cannot be run, in words.
pub fn replay(bundle: &Difference) -> Result<Option<Difference>, String> {
    let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    fault::install().map_err(|error| failed("cannot handle memory faults", &error))?;
    let space = Arc::new(AddressSpace::new());
    map(bundle, &space)?;
    let options = Options {
        synchronous: true,
        limits: bundle.limits,
        mode: bundle.mode,
        ..Options::default()
    };
    let mut translator = Translator::new(space.clone(), bundle.extensions, options)
        .map_err(|error| failed("there is no memory for translations", &error))?;
    for source in &bundle.translations {
        let known = Known { source, jump_targets: &bundle.jump_targets };
        translator.request(source.entry, &known);
    }
    if !translator.is_translated(bundle.pc) {
        return Err(format!("the code at {:#x} is not translated", bundle.pc));
    }
    let interpreter = Rc::new(RefCell::new(Interpreter::new(space.clone(), bundle.extensions)));
    let stepped = Rc::new(Cell::new(None));
    let step = {
        let (interpreter, stepped) = (interpreter.clone(), stepped.clone());
        move |hart: &mut Hart| step(&interpreter, &stepped, hart)
    };
    let attention = Arc::new(AtomicU32::new(0));
    let mut state = State::new(hart(bundle), attention, Box::new(step));
    let mut pair = Pair {
        space: &space,
        extensions: bundle.extensions,
        options,
        interpreter: &interpreter,
        translator: &mut translator,
        state: &mut state,
        stepped: &stepped,
    };
    match pair.stretch(bundle.length) {
        Checked::Differs(difference) => Ok(Some(*difference)),
        Checked::Run { compared: true, .. } => Ok(None),
        _ => Err("the host does not let memory be watched, or the code reads a clock".into()),
    }
}

/// Interprets an instruction for translated code.
pub(crate) fn step(
    interpreter: &RefCell<Interpreter>,
    stepped: &Cell<Option<Stop>>,
    hart: &mut Hart,
) -> Stepped {
    let Ok(mut interpreter) = interpreter.try_borrow_mut() else { return Stepped::Not };
    let stop = interpreter.step(hart);
    let leave = stop.is_some() || rvrun_hart::float::needs_soft_float(hart.frm);
    stepped.set(stop);
    Stepped::leave_if(leave)
}

fn map(bundle: &Difference, space: &AddressSpace) -> Result<(), String> {
    for page in &bundle.pages {
        let (address, len) = (page.address, page.bytes.len() as u64);
        let taken = |Errno(number): Errno| {
            let error = std::io::Error::from_raw_os_error(number);
            format!("cannot have the page at {address:#x}: {error}; another try may find it free")
        };
        space
            .mmap(address, len, READ_WRITE, PRIVATE_ANONYMOUS_FIXED, -1, 0, None)
            .map_err(taken)?;
        access::copy_out(address, page.bytes.as_slice())
            .map_err(|_| format!("cannot write the page at {address:#x}"))?;
        space.mprotect(address, len, page.prot).map_err(taken)?;
    }
    Ok(())
}

/// The hart at the beginning of the stretch.
fn hart(bundle: &Difference) -> Hart {
    let value = |name: &str| {
        bundle.before.iter().find(|(known, _)| known == name).map_or(0, |(_, value)| *value)
    };
    let mut hart = Hart::new();
    for (register, name) in X_NAMES.iter().enumerate().skip(1) {
        hart.x[register] = value(name);
    }
    for (register, name) in F_NAMES.iter().enumerate() {
        hart.f[register] = value(name);
    }
    hart.pc = bundle.pc;
    hart.frm = value("frm") as u8 & 7;
    hart.instret = value("instret");
    hart.reservation = Reservation {
        addr: value("reserved address"),
        value: value("reserved value"),
        size: value("reserved size"),
    };
    hart
}
