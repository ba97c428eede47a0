//! The loop around the handlers: finds, lifts and links blocks, and turns exits
//! into stops.

mod once;
mod step;
mod switching;
mod warm;

pub use warm::Warm;

use crate::Keeper;
use crate::baseline::sheet::PAGE;
use crate::blocks::{Blocks, content_hash};
use crate::context::{Context, Exit};
use crate::ops::direct;
use crate::predecode::{Slots, predecode};
use crate::slot::{Link, Slot};
use crate::sources::Sources;
use crate::targets::Targets;
use once::FirstTimes;
use rustc_hash::FxHashSet;
use rvrun_decoder::MAX_BLOCK_BYTES;
use rvrun_hart::{Hart, Passage, Trap, float};
use rvrun_host::code;
use rvrun_isa::Extensions;
use rvrun_memory::{AccessKind, AddressSpace, CodeRegion, Fault, FaultCause, access};
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// Why the interpreter returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// An environment call; the hart's pc is behind it.
    Syscall,
    /// An exception; the hart's pc is at the instruction that caused it, none
    /// of whose effects are visible.
    Trap(Trap),
    /// The attention flag was raised; the hart's pc is the next instruction.
    Attention,
    /// As many events have passed as [`Interpreter::set_fuel`] allowed, or about so; the
    /// hart's pc is where the last one went.
    Sample,
    /// There is a gate at the hart's pc; see [`Interpreter::add_gate`].
    Gate,
    /// The engine that was entered at a gate, by [`Interpreter::resume_through`], wants something.
    Passed,
}

/// One hart's interpreter.
pub struct Interpreter {
    space: Arc<AddressSpace>,
    blocks: Blocks,
    context: Context,
    /// The address space's code epoch that the blocks correspond to.
    epoch: u64,
    /// The executable mapping that was last lifted from.
    code: CodeRegion,
    /// All of which something was lifted from.
    sources: Sources,
    /// Memory for the next block's slots.
    scratch: Slots,
    /// Where the block begins whose slots are there, if it is executed there.
    once: u64,
    first_times: FirstTimes,
    /// Blocks of one instruction, for [`step`](Self::step).
    singles: step::Singles,
    /// Targets of indirect jumps that are neither calls nor returns.
    targets: Targets,
    /// Executed fence.i instructions.
    fences: u64,
    warm: Warm,
    /// Pauses, which say how much was executed.
    pauses: u32,
    /// Whether the last block that was to get host code was let wait.
    waits: bool,
    /// Who keeps host code for other processes.
    keeper: Option<Arc<dyn Keeper>>,
    /// Memory for what was kept.
    room: Vec<u8>,
    /// Pages and the phases for which their sheets were looked for, and the last of those where there
    /// was nothing more to look for.
    pages: FxHashSet<u64>,
    page: u64,
}

// SAFETY: its pointers lead to what it owns itself, and nothing of that belongs to a thread. Host
// code and handlers know where it is only while they run, which they do while it is borrowed.
unsafe impl Send for Interpreter {}

/// No page's address.
const NO_PAGE: u64 = u64::MAX;

impl Interpreter {
    /// An interpreter for a hart with these extensions, without any blocks yet.
    pub fn new(space: Arc<AddressSpace>, extensions: Extensions) -> Self {
        let epoch = space.code_epoch();
        direct::prefetch();
        Self {
            space,
            blocks: Blocks::new(),
            context: Context::new(extensions),
            epoch,
            code: CodeRegion::default(),
            sources: Sources::default(),
            scratch: Slots::new(),
            once: 0,
            first_times: FirstTimes::new(),
            singles: step::Singles::default(),
            targets: Targets::default(),
            fences: 0,
            warm: Warm::Never,
            pauses: 0,
            waits: false,
            keeper: None,
            room: Vec::new(),
            pages: FxHashSet::default(),
            page: NO_PAGE,
        }
    }

    /// Makes it one for another hart of the same program, on whatever thread: it keeps what it
    /// has pre-decoded and the host code of that, but for what the guest may have written
    /// since.
    pub fn renew(&mut self) {
        self.clear_gates();
        self.context.renew();
        self.revalidate();
        self.fences = 0;
        self.waits = false;
        (self.warm, self.keeper) = (Warm::Never, None);
    }

    /// A flag that makes [`run`](Self::run) stop soon, in a loop included, while
    /// it is not zero. May be raised by other threads and signal handlers.
    pub fn attention(&self) -> Arc<AtomicU32> {
        self.context.attention().clone()
    }

    /// Runs the hart from its pc until it stops.
    ///
    /// While it runs, the host's floating-point control register holds the
    /// guest's rounding mode and flags; it is the host's own again on return.
    pub fn run(&mut self, hart: &mut Hart) -> Stop {
        float::host::enter(hart.frm);
        let stop = self.resume(hart);
        hart.fflags |= float::host::leave();
        stop
    }

    /// [`run`](Self::run) for a caller that is between [`float::host::enter`] and
    /// [`float::host::leave`] itself, because other engines compute there too.
    pub fn resume(&mut self, hart: &mut Hart) -> Stop {
        self.follow_code_changes();
        self.follow_rounding_mode(hart);
        if self.context.wants_attention() {
            self.context.fuel.pause_at_next_event();
        }
        self.dispatch(hart)
    }

    /// [`resume`](Self::resume), but that gates do not stop it as a rule: they have the engine
    /// of `passage` go on there, until the program leaves that again. Now and then, after a
    /// `fence.i`, and where that engine executes nothing, they do stop.
    pub fn resume_through(&mut self, passage: &mut Passage) -> Stop {
        self.context.passage = Some(passage.way());
        // SAFETY: nobody else uses the hart while the passage is borrowed.
        let stop = self.resume(unsafe { &mut *passage.hart() });
        self.context.passage = None;
        stop
    }

    fn dispatch(&mut self, hart: &mut Hart) -> Stop {
        // Somebody else may have returned from a function that was called here.
        self.context.returns.returned(hart.pc);
        let mut slot = self.cached_entrance(hart.pc, hart);
        loop {
            self.execute(slot, hart);
            slot = match self.context.exit {
                Exit::Unlinked(link) if self.is_once(link.cast()) => {
                    self.entrance(target(link), hart)
                }
                Exit::Unlinked(link) => match self.blocks.link(link) {
                    Some(slot) => slot,
                    None => self.arrive_and_link(link, hart),
                },
                Exit::Indirect => self.indirect_entrance(hart.pc, hart),
                Exit::IndirectJump => {
                    self.targets.record(hart.pc);
                    self.indirect_entrance(hart.pc, hart)
                }
                Exit::Pause => {
                    self.pause(hart.pc);
                    if self.context.fuel.refill() {
                        return Stop::Sample;
                    }
                    if self.context.wants_attention() {
                        return Stop::Attention;
                    }
                    self.cached_entrance(hart.pc, hart)
                }
                Exit::Gate => return Stop::Gate,
                Exit::Passed => return Stop::Passed,
                Exit::Warm(slot, pc) => {
                    self.warm_up(pc);
                    slot
                }
                Exit::FenceI => {
                    self.fence_i();
                    // The other engine does not know of it yet.
                    self.context.passage = None;
                    self.entrance(hart.pc, hart)
                }
                Exit::RoundingMode(slot) => {
                    self.set_position(hart, slot);
                    self.finish_rounding_mode(hart);
                    self.entrance(hart.pc, hart)
                }
                Exit::Syscall => return Stop::Syscall,
                Exit::Trap(slot, trap) => {
                    self.set_position(hart, slot);
                    return Stop::Trap(trap);
                }
                Exit::Illegal(slot) => {
                    self.set_position(hart, slot);
                    return Stop::Trap(self.illegal_instruction(hart.pc));
                }
                Exit::FetchFault(slot) => {
                    self.set_position(hart, slot);
                    return Stop::Trap(Trap::Memory(self.fetch_fault(hart.pc)));
                }
            };
        }
    }

    /// Runs handlers from `slot` until one stops.
    fn execute(&mut self, slot: *const Slot, hart: &mut Hart) {
        let mut next = slot;
        // Threaded handlers return once, with null; the others after each op.
        while !next.is_null() {
            // SAFETY: `block_at` and the handlers give ops of live blocks. Handlers keep the
            // registers that a function has to keep, but host code does not.
            next = unsafe {
                let handler = (*next).op.handler as usize;
                let (hart, context) = (&raw mut *hart, &raw mut self.context);
                code::call_sheltered(handler, next as usize, hart as usize, context as usize)
                    as *const Slot
            };
        }
    }

    /// Goes on at the block to which `link` is to lead, which is not there yet.
    fn arrive_and_link(&mut self, link: *mut Link, hart: &mut Hart) -> *const Slot {
        // Who clears the store frees the link's own block, too.
        let freed = self.blocks.is_full();
        let pc = target(link);
        let Some(slot) = self.arrive(pc) else {
            return self.execute_directly(pc, hart);
        };
        if !freed {
            self.blocks.link(link);
        }
        slot
    }

    /// What to go on with at `pc`, or null for what the context says: the gate or the block there,
    /// or what comes after the code there, if control comes to that for the first time.
    fn entrance(&mut self, pc: u64, hart: &mut Hart) -> *const Slot {
        match self.come_to(pc) {
            Some(slot) => slot,
            None => self.execute_directly(pc, hart),
        }
    }

    /// The gate or the block at `pc`, which is made if it is not there; or nothing if control comes to
    /// it for the first time and it is not to be kept.
    fn come_to(&mut self, pc: u64) -> Option<*const Slot> {
        self.blocks.entrance(pc).or_else(|| self.arrive(pc))
    }

    /// Makes the block at `pc`, which is not there, nor is a gate; or gives nothing if control comes to
    /// it for the first time and it is not to be kept.
    fn arrive(&mut self, pc: u64) -> Option<*const Slot> {
        if self.blocks.is_full() {
            self.clear();
        }
        if let Some(slot) = self.kept(pc) {
            return Some(slot);
        }
        // What may change in place is told from what it was by what is kept.
        let may_go = self.warm != Warm::AtOnce && !self.code_region(pc).writable;
        if may_go && self.first_times.is_first(pc) {
            return None;
        }
        let (guest, writable) = self.predecode_next(pc);
        let slot = self.keep(guest, writable);
        match self.warm {
            Warm::Never | Warm::Seen => {}
            Warm::AtOnce => drop(self.compile(pc)),
        }
        Some(slot)
    }

    /// Whether `slot` is of the block that is executed without being kept.
    fn is_once(&self, slot: *const Slot) -> bool {
        self.scratch.as_ptr_range().contains(&slot)
    }

    /// The block at `pc`, which is not there, if another process kept it.
    fn kept(&mut self, pc: u64) -> Option<*const Slot> {
        self.keeper.as_ref()?;
        let phase = self.phase()?;
        if self.recall(pc, false)
            && let Some(slot) = self.blocks.get(pc)
        {
            return Some(slot);
        }
        if let Some(keeper) = &self.keeper {
            keeper.reached(pc, false, phase);
        }
        None
    }

    /// [Pre-decodes](Self::predecode) the block at `pc`, which is to be executed now.
    fn predecode_next(&mut self, pc: u64) -> (Range<u64>, bool) {
        let made = self.predecode(pc, MAX_BLOCK_BYTES);
        self.blocks.prefetch(self.scratch.ways);
        made
    }

    /// Keeps the block that was just pre-decoded, from `guest`, which may change in place if it is
    /// `writable`.
    fn keep(&mut self, guest: Range<u64>, writable: bool) -> *const Slot {
        let changing = if writable { hash_of(&self.space, guest.start, guest.end) } else { None };
        let slot = self.blocks.insert(guest, &self.scratch, changing);
        if let Some(skipped) = self.scratch.skipped {
            self.insert_skipped(skipped);
        }
        slot
    }

    /// The same of blocks that another one stands for: they count as [reached](Self::reached).
    #[cold]
    fn insert_skipped(&mut self, blocks: [u64; 2]) {
        for pc in blocks {
            let is_there = self.blocks.get(pc).is_some() || self.blocks.is_full();
            if !is_there && self.kept(pc).is_none() {
                let (guest, writable) = self.predecode_next(pc);
                self.keep(guest, writable);
            }
        }
    }

    /// Pre-decodes the block at `pc` into the memory for that; gives the addresses of what it was
    /// made from and whether that may change in place.
    fn predecode(&mut self, pc: u64, most_bytes: u64) -> (Range<u64>, bool) {
        let CodeRegion { range: Range { start, end }, writable, .. } = *self.code_region(pc);
        let Context { extensions, soft_float, .. } = self.context;
        // Where no four bytes lie in one mapping, the slow way finds out what there is.
        let whole = (end - start).saturating_sub(3);
        let Self { space, scratch, .. } = self;
        scratch.clear();
        let guest = predecode(pc, most_bytes, extensions, soft_float, scratch, move |at| {
            let near = at.wrapping_sub(start) < whole;
            match if near { access::fetch(at) } else { 0 } {
                0 => instruction_bits(space, at),
                bits => Some(bits),
            }
        });
        (guest, writable)
    }

    /// [`entrance`](Self::entrance), if indirect jumps are likely to go there.
    fn cached_entrance(&mut self, pc: u64, hart: &mut Hart) -> *const Slot {
        match self.context.cached(pc) {
            Some(slot) => slot,
            None => self.indirect_entrance(pc, hart),
        }
    }

    /// The same for an indirect jump, which remembers it.
    fn indirect_entrance(&mut self, pc: u64, hart: &mut Hart) -> *const Slot {
        match self.come_to(pc) {
            Some(slot) => self.cache(pc, slot),
            None => self.execute_directly(pc, hart),
        }
    }

    /// Has indirect jumps to `pc` go on at `slot`, and gives that.
    fn cache(&mut self, pc: u64, slot: *const Slot) -> *const Slot {
        self.context.cache(pc, slot, self.blocks.code(slot));
        slot
    }

    /// The executable mapping around `pc`; an empty one if there is none.
    #[inline(always)]
    fn code_region(&mut self, pc: u64) -> &CodeRegion {
        if !self.code.range.contains(&pc) {
            self.find_code_region(pc);
        }
        &self.code
    }

    #[cold]
    fn find_code_region(&mut self, pc: u64) {
        let none = CodeRegion { range: pc..pc, ..CodeRegion::default() };
        self.code = self.space.code_region(pc).unwrap_or(none);
        self.sources.add(&self.code.range);
    }

    fn clear(&mut self) {
        self.blocks.clear(&mut self.context);
        self.singles.clear();
        self.context.clear_cache();
        self.forget_pages();
    }

    /// Looks for sheets again.
    fn forget_pages(&mut self) {
        self.pages.clear();
        self.page = NO_PAGE;
    }

    /// Brings the blocks up to date with what the guest did to its mappings of code.
    fn follow_code_changes(&mut self) {
        let epoch = self.space.code_epoch();
        if epoch == self.epoch {
            return;
        }
        let changes = self.space.code_changes_since(self.epoch);
        self.epoch = epoch;
        self.code.range = 0..0;
        self.singles.clear();
        match changes {
            None => {
                self.blocks.clear(&mut self.context);
                self.context.clear_cache();
                self.forget_pages();
                self.targets.clear();
                self.first_times.forget(&(0..u64::MAX));
            }
            Some(ranges) => {
                for range in ranges {
                    if !self.sources.touch(&range) {
                        continue;
                    }
                    self.pages.retain(|page| {
                        page - page % PAGE >= range.end || page + PAGE <= range.start
                    });
                    self.page = NO_PAGE;
                    self.targets.forget(range.clone());
                    self.first_times.forget(&range);
                    let space = &self.space;
                    self.blocks.invalidate(range, &mut self.context, |pc, end, hash| {
                        let writable = space.code_region(pc).is_some_and(|code| code.writable);
                        writable && hash_of(space, pc, end) == Some(hash)
                    });
                }
            }
        }
    }

    fn fence_i(&mut self) {
        self.fences += 1;
        self.revalidate();
    }

    /// Drops what was pre-decoded from bytes that have changed, as after a fence.i.
    pub fn revalidate(&mut self) {
        self.singles.clear();
        let space = &self.space;
        let unchanged = |pc, end, hash| hash_of(space, pc, end) == Some(hash);
        // Code that nobody can write in place has not changed.
        let forget = |range| self.targets.forget(range);
        self.blocks.invalidate_writable(&mut self.context, unchanged, forget);
    }

    /// Blocks are pre-decoded for the host's floating-point unit or for the
    /// software one: changes over if the hart's rounding mode asks for it.
    fn follow_rounding_mode(&mut self, hart: &Hart) {
        let soft_float = float::needs_soft_float(hart.frm);
        if soft_float != self.context.soft_float {
            self.context.soft_float = soft_float;
            self.clear();
        }
    }

    /// Moves behind the instruction at the hart's pc, which changed the rounding
    /// mode to or from one that the host lacks.
    fn finish_rounding_mode(&mut self, hart: &mut Hart) {
        hart.pc += self.instruction_bits(hart.pc).map_or(4, length);
        hart.instret += 1;
        self.follow_rounding_mode(hart);
    }

    /// Sets the hart's pc to the op at `slot`, and counts the instructions that
    /// its block has retired before it.
    fn set_position(&mut self, hart: &mut Hart, slot: *const Slot) {
        let Some((pc, start)) = self.position(slot) else { return };
        hart.pc = pc;
        let mut at = start;
        while at < pc {
            at += self.instruction_bits(at).map_or(2, length);
            hart.instret += 1;
        }
    }

    /// The pc of the op at `slot`, and that of its block.
    fn position(&self, slot: *const Slot) -> Option<(u64, u64)> {
        if self.is_once(slot) {
            // SAFETY: handlers stop with the slot of an op, and nothing was pre-decoded since.
            let at = unsafe { (*slot).op.at };
            return Some((self.once.wrapping_add(2 * u64::from(at)), self.once));
        }
        self.blocks.position(slot)
    }

    fn illegal_instruction(&self, pc: u64) -> Trap {
        Trap::IllegalInstruction { bits: self.instruction_bits(pc).unwrap_or(0) }
    }

    fn instruction_bits(&self, pc: u64) -> Option<u32> {
        instruction_bits(&self.space, pc)
    }

    /// Why the instruction at `pc` cannot be fetched: for one that crosses into
    /// another page, the fault is that page's.
    fn fetch_fault(&self, pc: u64) -> Fault {
        let mut parcel = [0; 2];
        for at in [pc, pc.wrapping_add(2)] {
            match self.space.fetch(at, &mut parcel) {
                Ok(2..) => {}
                Ok(_) => break,
                Err(fault) => return fault,
            }
        }
        Fault { addr: pc, kind: AccessKind::Fetch, cause: FaultCause::NotMapped }
    }
}

/// The instruction at `pc`, a compressed one in the low half, if it can be fetched as a whole.
fn instruction_bits(space: &AddressSpace, pc: u64) -> Option<u32> {
    let mut bytes = [0; 4];
    let n = space.fetch(pc, &mut bytes).unwrap_or(0);
    let bits = u32::from_le_bytes(bytes);
    match n {
        4 if length(bits) == 4 => Some(bits),
        2..=4 if length(bits) == 2 => Some(bits & 0xffff),
        _ => None,
    }
}

/// Where a link that handlers stopped with leads.
fn target(link: *const Link) -> u64 {
    // SAFETY: handlers stop with a link of a live block.
    unsafe { (*link).pc }
}

/// Bytes of the instruction with these bits.
fn length(bits: u32) -> u64 {
    rvrun_isa::length(bits as u16).into()
}

fn hash_of(space: &AddressSpace, pc: u64, end: u64) -> Option<NonZeroU64> {
    let mut buffer = [0; MAX_BLOCK_BYTES as usize];
    let bytes = buffer.get_mut(..end.checked_sub(pc)? as usize)?;
    let n = space.fetch(pc, bytes).ok()?;
    (n == bytes.len()).then(|| content_hash(bytes))
}
