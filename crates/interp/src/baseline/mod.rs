//! Host code in place of handlers, for blocks that are executed often.
//!
//! A *run* is a stretch of a block's ops for which there are [`templates`]. Its code
//! takes the place of its first op's handler; the slots of the others stay as they are,
//! and so do links, gates, pauses and positions. Within a run, guest registers are in
//! host registers and control stays where it is; that is most of what interpreting
//! costs. Making it costs about as much as pre-decoding, so it pays long before
//! compiling does.
//!
//! Where an access faults, [`refault`] takes over: the hart in memory is exact, so the
//! op's handler does the same access once more, and reports the fault.

#[allow(clippy::useless_conversion, reason = "dynasm converts the numbers of registers")]
mod atomic;
mod buffer;
mod code;
#[allow(clippy::useless_conversion, reason = "dynasm converts the numbers of registers")]
mod emit;
#[allow(clippy::useless_conversion, reason = "dynasm converts the numbers of registers")]
mod ends;
#[allow(clippy::useless_conversion, reason = "dynasm converts the numbers of registers")]
mod float;
mod gather;
#[allow(clippy::useless_conversion, reason = "dynasm converts the numbers of registers")]
mod integer;
pub mod maker;
mod registers;
pub mod sheet;
mod templates;
#[allow(clippy::useless_conversion, reason = "dynasm converts the numbers of registers")]
mod thunks;

use crate::context::{Context, Exit};
use crate::fuel::Fuel;
use crate::predecode::MOST_SLOTS;
use crate::returns::Returns;
use crate::slot::{Handler, Next, Slot, Way};
use code::{Access, Code, Exit as WayOut, Lists, Place, Run};
use emit::Emitter;
use registers::PINNED;
use rvrun_hart::Hart;
use rvrun_host::code::{self as host_code, CodeArena};
use rvrun_host::large::{Lasting, SMALL};
use std::mem::offset_of;
use std::num::NonZeroU32;
use templates::{End, Load, Sets, Template, template};
use thunks::Thunks;

/// Bytes of the code of a hart, taken when they are used: that of some millions of instructions.
/// Both ends have small pages.
const ARENA_BYTES: usize = (64 << 20) + 2 * SMALL;
/// Ops of a body that are worth code of their own.
pub const WORTH_IT: usize = 2;

/// All accesses and runs: more than the arena has room for, as a rule.
const MAX_SITES: usize = 1 << 20;
const MAX_ENTRIES: usize = 1 << 19;

/// Offset in the context of the arena's address.
const ARENA: i32 = (offset_of!(Context, sites) + offset_of!(Sites, arena)) as i32;
/// Offsets in the context of the stack pointer of host code while it does not run, and of that
/// of others while it does.
const POINTER: i32 = (offset_of!(Context, returns) + Returns::POINTER) as i32;
const OUTSIDE: i32 = (offset_of!(Context, returns) + Returns::OUTSIDE) as i32;
/// Offset in the context of the instructions of host code until the next pause.
const INSTRUCTIONS: i32 = (offset_of!(Context, fuel) + Fuel::INSTRUCTIONS) as i32;
/// Offsets in the context of a place for MXCSR, and of what its bits are in `fflags`.
const MXCSR: i32 = offset_of!(Context, mxcsr) as i32;
const FFLAGS_OF: i32 = offset_of!(Context, fflags_of) as i32;
/// The first byte of a jump of five bytes, before the distance.
const JMP: u8 = 0xe9;
/// An instruction as long that does nothing.
const NOP: [u8; 5] = [0x0f, 0x1f, 0x44, 0, 0];

/// An access to guest memory in host code.
#[derive(Clone, Copy)]
struct Site {
    /// Offset in the arena of the host instruction.
    at: u32,
    /// Instructions that were counted and have not been executed.
    counted: i32,
    slot: *const Slot,
    handler: Handler,
}

/// The accesses of all code of a hart, in ascending order of their addresses.
#[derive(Default)]
pub struct Sites {
    /// Where the arena is, once there is one.
    arena: usize,
    sites: Lasting<Site>,
}

impl Sites {
    /// The access that the instruction at `ip` is.
    fn find(&self, ip: usize) -> Option<&Site> {
        let at = u32::try_from(ip.checked_sub(self.arena)?).ok()?;
        let index = self.sites.binary_search_by_key(&at, |site| site.at).ok()?;
        self.sites.get(index)
    }
}

/// The host code of a hart.
#[derive(Default)]
pub struct Baseline {
    /// None at first, and if the host does not give any.
    arena: Option<CodeArena>,
    /// At the beginning of the arena.
    thunks: Thunks,
    thunk_bytes: usize,
    /// Where what is executed often ends, after the thunks.
    used: usize,
    /// Where what is not begins: it grows down from the end.
    apart: usize,
    refused: bool,
    emitter: Option<Box<Emitter>>,
    /// Memory for the next block's code.
    filled: Vec<u8>,
    /// Memory for the ops of the next block.
    ops: Vec<(usize, Option<Template>)>,
    /// What is executed often. The index of each is before its entrance, so that who has that needs
    /// not look far.
    entries: Lasting<Entry>,
    /// The link that the last instruction in the arena follows, if it does that.
    open: Option<*const Slot>,
}

/// Where a run begins.
#[derive(Clone, Copy)]
struct Entry {
    /// Offset of its code.
    code: u32,
    /// The first bytes of that if what is before it in the arena goes on with it. A jump stands
    /// there instead while the block is not to be executed.
    head: Option<Head>,
}

#[derive(Clone, Copy)]
struct Head {
    /// Offset of what goes where the code before wants to go.
    general: NonZeroU32,
    bytes: [u8; NOP.len()],
}

// They are looked up in no order, each time that a link is made.
const _: () = assert!(size_of::<Entry>() == 16);

impl Baseline {
    /// Whether the next block may not fit.
    pub fn is_full(&self, context: &Context) -> bool {
        self.arena.is_some()
            && (self.used + buffer::CAPACITY > self.apart
                || self.entries.room().min(context.sites.sites.room()) < MOST_SLOTS)
    }

    /// Forgets all code. None of it may be reachable any more.
    pub fn clear(&mut self, context: &mut Context) {
        (self.used, self.apart) = (self.thunk_bytes, ARENA_BYTES);
        self.entries.clear();
        self.open = None;
        context.sites.sites.clear();
        context.returns.clear();
    }

    fn entry(&self, first: *const Slot) -> Option<Entry> {
        // SAFETY: it is an op of a block in the store, or a gate.
        let handler = unsafe { (*first).op.handler } as usize;
        let index = self.arena.as_ref()?.word_before(handler)?;
        self.entries.get(index as usize).copied()
    }

    /// The address of the code of the block at `first`, if it begins with any, behind the
    /// entrance.
    pub fn code(&self, first: *const Slot) -> Option<usize> {
        let entry = self.entry(first)?;
        Some(self.arena.as_ref()?.address(entry.code as usize))
    }

    /// Makes code that follows `link`, which is a block's in the store, if there is any, go straight
    /// to the code of the block at `target`, where that link leads, if that has any.
    pub fn chain(&mut self, link: *const Slot, target: *const Slot) {
        let Some(entry) = self.entry(target) else { return };
        self.lead(link, Some(entry));
    }

    /// Makes code that follows `link`, which is a block's in the store, look where it leads.
    pub fn unchain(&mut self, link: *const Slot) {
        self.lead(link, None);
    }

    fn lead(&mut self, link: *const Slot, entry: Option<Entry>) {
        let way = way_along(link);
        let Some(arena) = self.arena.as_mut().filter(|_| way.end != 0) else { return };
        let (end, general) = (way.end as usize, way.general as usize);
        let to = entry.map_or(general, |entry| entry.code as usize);
        if let Some(Entry { head: Some(head), .. }) = entry
            && to + NOP.len() == end
        {
            arena.write(to, &head.bytes);
        } else if way.last {
            let code = if to == end { NOP } else { jump(end, to) };
            arena.write(end - code.len(), &code);
        } else {
            arena.write(end - size_of::<i32>(), &distance(end, to));
        }
    }

    /// Makes the code before that of the block at `first`, if it goes on with that, look where it
    /// leads, or no longer. Nothing else may lead to the block's code meanwhile.
    pub fn set_off(&mut self, first: *const Slot, off: bool) {
        let entry = self.entry(first);
        let (Some(arena), Some(Entry { code, head: Some(head) })) = (&mut self.arena, entry) else {
            return;
        };
        let code = code as usize;
        let jump = jump(code + NOP.len(), head.general.get() as usize);
        arena.write(code, if off { &jump } else { &head.bytes });
    }

    /// Makes code for the block at `pc` that consists of `slots`, whose handlers are those that
    /// pre-decoding chose, unless there is no room, or no memory for code. Stretches of fewer
    /// than `fewest` ops keep their handlers, except at the end. Gives where the block ends.
    pub fn compile(
        &mut self,
        pc: u64,
        slots: &mut [Slot],
        fewest: usize,
        context: &mut Context,
    ) -> Last {
        let mut all = std::mem::take(&mut self.ops);
        all.clear();
        all.extend(ops(slots));
        let last = Last::of(&all);
        if let Some(mut emitter) = self.emitter(context) {
            emit(&mut emitter, slots, &all, fewest);
            if let Some(code) = emitter.finish() {
                let before = self.general_before(&code, pc);
                if self.place(&code, before, slots, 0, &mut context.sites).is_some() {
                    self.open = code.last_way().map(|link| &raw const slots[link]);
                }
            }
            self.emitter = Some(emitter);
        }
        self.ops = all;
        last
    }

    /// Takes in the code of a sheet whose blocks consist of `slots`, which has been moved so far,
    /// unless there is no room, or no memory for code; gives whether it has.
    pub fn take_in(
        &mut self,
        code: &Code,
        slots: &mut [Slot],
        moved: u64,
        context: &mut Context,
    ) -> Option<()> {
        if self.is_full(context) || !self.has_arena(context) {
            return None;
        }
        self.place(code, None, slots, moved, &mut context.sites)
    }

    /// What to make the code of the next block with, if there is room for that.
    fn emitter(&mut self, context: &mut Context) -> Option<Box<Emitter>> {
        if self.is_full(context) || !self.has_arena(context) {
            return None;
        }
        let emitter = self.emitter.take();
        let mut emitter = emitter.unwrap_or_else(|| Emitter::new(self.thunks).into());
        emitter.clear();
        Some(emitter)
    }

    /// Gives code for `slots` its place, if it is what an emitter has made. `before` is where the
    /// code before goes if this goes on with it, and is not to. `moved` says how far the guest's code
    /// has been moved since.
    fn place(
        &mut self,
        code: &Code,
        before: Option<NonZeroU32>,
        slots: &mut [Slot],
        moved: u64,
        sites: &mut Sites,
    ) -> Option<()> {
        let Lists { accesses, exits, runs, .. } = code.lists;
        if sites.sites.room() < accesses.len() || self.entries.room() < runs.len() {
            return None;
        }
        let (often, rarely) = code.sizes();
        let arena = self.arena.as_mut()?;
        let start = self.used - if before.is_some() { NOP.len() } else { 0 };
        let apart = self.apart - rarely;
        self.filled.clear();
        let place = Place {
            arena: arena.address(0),
            thunks: self.thunks,
            often: arena.address(start),
            rarely: arena.address(apart),
            slots,
            moved,
            number: self.entries.len() as u32,
        };
        code.fill(&place, &mut self.filled)?;
        let (first, second) = self.filled.split_at(often);
        arena.write(start, first);
        arena.write(apart, second);
        (self.used, self.apart) = (start + often, apart);
        // Both parts count from the beginning of the first one.
        let rare = |offset: usize| apart + (offset - often);
        self.open = None;
        for WayOut { link, end, general, last, .. } in exits {
            let end = u32::from(*end) + start as u32;
            let general = rare((*general).into()) as u32;
            slots[usize::from(*link) + 1].way = Way { end, general, last: *last != 0 };
        }
        for Access { at, slot, counted } in accesses {
            let slot = &slots[usize::from(*slot)];
            // SAFETY: an access is an op's.
            let handler = unsafe { slot.op.handler };
            let at = start as u32 + u32::from(*at);
            sites.sites.extend(&[Site { at, counted: counted.get().into(), slot, handler }]);
        }
        for (n, Run { index, code, entrance, before: own }) in runs.iter().enumerate() {
            let (code, entrance) = (usize::from(*code), arena.address(rare((*entrance).into())));
            let own = NonZeroU32::new((*own).into()).map(|own| rare(own.get() as usize) as u32);
            let general = before.filter(|_| n == 0).or(own.and_then(NonZeroU32::new));
            let head = general.and_then(|general| {
                let bytes = *first.get(code..)?.first_chunk()?;
                Some(Head { general, bytes })
            });
            self.entries.extend(&[Entry { code: (start + code) as u32, head }]);
            // SAFETY: code for that op is there, and it has the calling convention of handlers.
            slots[usize::from(*index)].op.handler =
                unsafe { std::mem::transmute::<usize, Handler>(entrance) };
        }
        Some(())
    }

    /// What the last jump in the arena leads to at first, if the code of the block at `pc` may have
    /// the place of that jump since it goes there.
    fn general_before(&self, code: &Code, pc: u64) -> Option<NonZeroU32> {
        let link = self.open?;
        // SAFETY: it is a link of a block in the store.
        if unsafe { (*link).link.pc } != pc {
            return None;
        }
        NonZeroU32::new(way_along(link).general).filter(|_| code.goes_on_from_before())
    }

    /// Whether there is memory for code, which is asked for once.
    fn has_arena(&mut self, context: &mut Context) -> bool {
        if self.arena.is_none() && !self.refused {
            self.refused = self.begin(context).is_none();
        }
        self.arena.is_some()
    }

    /// Takes memory for code, and for where it calls.
    fn begin(&mut self, context: &mut Context) -> Option<()> {
        self.entries = Lasting::new(MAX_ENTRIES).ok()?;
        context.sites.sites = Lasting::new(MAX_SITES).ok()?;
        let landing = faulted as *const () as usize;
        let mut arena = CodeArena::with_landing(ARENA_BYTES, landing).ok()?;
        let (code, thunks) = Thunks::code()?;
        arena.write(0, &code);
        let [returned, bottom, found] =
            [thunks.returned, thunks.bottom, thunks.found].map(|offset| arena.address(offset));
        context.returns.begin(returned, bottom).ok()?;
        context.sites.arena = arena.address(0);
        context.begin_code(found);
        self.thunks = thunks;
        self.thunk_bytes = code.len();
        (self.used, self.apart) = (code.len(), ARENA_BYTES);
        self.arena = Some(arena);
        Some(())
    }
}

/// The way of host code along a link of a block in the store.
fn way_along(link: *const Slot) -> Way {
    // SAFETY: pre-decoding puts the way behind a link, and blocks stay where they are.
    unsafe { (*link.add(1)).way }
}

/// A jump between two offsets, the first one behind it.
fn jump(from: usize, to: usize) -> [u8; NOP.len()] {
    let mut code = [JMP; NOP.len()];
    code[1..].copy_from_slice(&distance(from, to));
    code
}

fn distance(from: usize, to: usize) -> [u8; size_of::<i32>()] {
    (to.wrapping_sub(from) as i32).to_le_bytes()
}

/// Where and how a block ends.
#[derive(Clone, Copy, Debug)]
pub struct Last {
    /// Of its last op.
    pub index: usize,
    end: End,
}

impl Last {
    fn of(ops: &Ops) -> Self {
        match ops.last() {
            Some(&(index, Some(Template::End(end)))) => Self { index, end },
            _ => Self { index: 0, end: End::Stop },
        }
    }

    /// The indices of the block's slots that are links.
    pub fn links(self) -> impl Iterator<Item = usize> {
        self.end.links().iter().map(move |n| self.index + n)
    }

    /// Of the link that the block's code follows by its last instruction; `slots` are its slots.
    pub fn goes_on(self, slots: &[Slot]) -> Option<usize> {
        Some(self.index + self.end.last_way(slots.get(self.index + 1..)?)?)
    }

    /// The same, of the link to where the block's callee returns to, if it ends in a call.
    pub fn back(self) -> Option<usize> {
        let calls = matches!(self.end, End::Call | End::Indirect { sets: Sets::Call });
        self.links().last().filter(|_| calls)
    }
}

/// Ops of a block by index, with their templates.
type Ops = [(usize, Option<Template>)];

/// The ops of a block, by index, with their templates. The last one is the end.
fn ops(slots: &[Slot]) -> impl Iterator<Item = (usize, Option<Template>)> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let index = next?;
        // SAFETY: an op is there: the one before took the slots up to it.
        let template = template(unsafe { slots.get(index)?.op.handler });
        next = match template {
            Some(Template::End(_)) => None,
            other => Some(index + other.map_or(1, Template::slots)),
        };
        Some((index, template))
    })
}

/// Emits the code of a block.
fn emit(emitter: &mut Emitter, slots: &[Slot], ops: &Ops, fewest: usize) {
    let worth = |template: &Option<Template>| {
        template.is_some_and(|template| template != Template::End(End::Stop))
    };
    // SAFETY: the indices are those of ops.
    let op = |index: usize| unsafe { slots[index].op };
    let bounds = |run: &[(usize, Option<Template>)]| {
        let (&(first, _), &(last, end)) = run.first().zip(run.last())?;
        let end = end.filter(|end| *end != Template::End(End::Stop))?;
        let ends = matches!(end, Template::End(_));
        (ends || run.len() >= fewest).then_some((first, last, end, ends))
    };
    let chunks = ops.chunk_by(|a, b| worth(&a.1) && worth(&b.1));
    let mut runs = chunks.filter_map(|run| Some((run, bounds(run)?))).peekable();
    // What leads to the block is to find host code, whatever its first op.
    if runs.peek().is_none_or(|(_, (first, ..))| *first != 0) {
        emitter.begin_run(0, 0);
        emitter.leave_to(0, true);
    }
    for (run, (first, last, end, ends)) in runs {
        let counted = if ends { op(last).imm } else { 0 };
        emitter.begin_run(first, counted);
        // The ops that a window stands for, those to come first, and which one stores what it has
        // read.
        let (mut done, mut moved) = (0u64, None);
        for (n, &(index, template)) in run.iter().enumerate() {
            let is_done = done & 1 != 0;
            done >>= 1;
            let Some(template) = template.filter(|_| !is_done) else { continue };
            let op = op(index);
            emitter.begin(index, index == first);
            let window = match template {
                Template::Load(Load::UnsignedByte) if done == 0 => gather::window(&run[n..], slots),
                _ => None,
            };
            if let Some(window) = window {
                emitter.gather(&window);
                done = window.ops >> 1;
                moved = window.moved.map(|to| (n + to.at, to));
                continue;
            }
            match template {
                Template::Binary(binary) => emitter.binary(op, binary),
                Template::Unary(unary) => emitter.unary(op, unary),
                Template::Constant => emitter.constant(op.rd, i64::from(op.imm) as u64),
                // SAFETY: a value is behind this op.
                Template::Address => emitter.address(op.rd, unsafe { slots[index + 1].value }),
                Template::Load(load) => emitter.load(op, load),
                Template::Store(store) => match moved {
                    Some((at, to)) if at == n => emitter.scatter(&to),
                    _ => emitter.store(op, store),
                },
                Template::Float(float) => emitter.float(op, float),
                Template::Atomic(atomic, long) => emitter.atomic(op, atomic, long),
                Template::Fence => emitter.fence(op),
                Template::HighestByte => emitter.highest_byte(op),
                Template::End(end) => emitter.end(op, end, &slots[index + 1..]),
            }
        }
        if !ends {
            emitter.go_on(last + end.slots());
        }
    }
}

unsafe extern "C" {
    /// Where host code goes on whose access has faulted: writes back what is pinned.
    #[link_name = "rvrun_baseline_faulted"]
    fn faulted();
}

/// Emits [`faulted`], with the registers of [`PINNED`] by their names.
macro_rules! faulted {
    ($($guest:literal $host:literal $name:literal)*) => {
        const _: () = {
            let pins = [$(($guest, $host)),*];
            let mut i = 0;
            while i < PINNED.len() {
                assert!(pins[i].0 == PINNED[i].0 && pins[i].1 == PINNED[i].1);
                i += 1;
            }
        };
        std::arch::global_asm!(
            ".pushsection .text.rvrun_baseline_faulted, \"ax\", @progbits",
            ".globl rvrun_baseline_faulted",
            "rvrun_baseline_faulted:",
            "add rsi, -{bias}",
            $(concat!("mov [rsi + {x} + 8 * ", $guest, "], ", $name),)*
            "mov r8, rdi",
            "sub r8, [rdx + {instructions}]",
            "mov [rdx + {instructions}], rdi",
            "add [rsi + {instret}], r8",
            "mov [rdx + {pointer}], rsp",
            "mov rsp, [rdx + {outside}]",
            "jmp {refault}",
            ".popsection",
            bias = const emit::BIAS,
            x = const offset_of!(Hart, x),
            instret = const offset_of!(Hart, instret),
            instructions = const INSTRUCTIONS,
            pointer = const POINTER,
            outside = const OUTSIDE,
            refault = sym refault,
        );
    };
}

faulted! {
    2 15 "r15" 8 10 "r10" 10 3 "rbx" 11 5 "rbp" 12 11 "r11" 13 12 "r12" 14 13 "r13" 15 14 "r14"
}

/// Where host code has led so often to blocks that have none: stops before this one, which is at the
/// hart's pc.
///
/// # Safety
/// As for [`Handler`].
unsafe extern "sysv64" fn wanted(
    slot: *const Slot,
    hart: &mut Hart,
    context: &mut Context,
) -> Next {
    context.wanted(slot, hart.pc)
}

/// Leaves an op whose access has faulted to its handler: that of a call if the stack is full,
/// which makes room.
///
/// # Safety
/// As for [`Handler`], of a run whose instruction at [`code::fault_ip`] has just faulted.
unsafe extern "sysv64" fn refault(
    slot: *const Slot,
    hart: &mut Hart,
    context: &mut Context,
) -> Next {
    match context.sites.find(host_code::fault_ip()) {
        // SAFETY: it is that slot's handler, and its block is live: its code was executed.
        Some(&Site { slot, handler, counted, .. }) => unsafe {
            hart.instret = hart.instret.wrapping_sub(counted as u64);
            handler(slot, hart, context)
        },
        // No other instruction of a run faults.
        None => context.stop(Exit::Illegal(slot)),
    }
}
