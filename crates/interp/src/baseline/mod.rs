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
mod emit;
#[allow(clippy::useless_conversion, reason = "dynasm converts the numbers of registers")]
mod ends;
#[allow(clippy::useless_conversion, reason = "dynasm converts the numbers of registers")]
mod float;
mod registers;
mod templates;

use crate::context::Context;
use crate::slot::{Handler, Next, Slot};
use emit::{Emitter, Exit};
use rustc_hash::FxHashMap;
use rvrun_hart::Hart;
use rvrun_host::code::{self, CodeArena};
use templates::{End, Template, template};

/// Bytes of the code of a hart, taken when they are used: that of a million instructions.
const ARENA_BYTES: usize = 16 << 20;
/// Ops of a body that are worth code of their own.
pub const WORTH_IT: usize = 2;
/// More than the code of any block.
const MOST_BYTES: usize = 1 << 16;

/// `nop` of five bytes.
const NOP: [u8; 5] = [0x0f, 0x1f, 0x44, 0, 0];
/// The first byte of a jump of five bytes, before the distance.
const JMP: u8 = 0xe9;

/// An access to guest memory in host code.
struct Site {
    /// Where the host instruction is.
    ip: usize,
    slot: *const Slot,
    handler: Handler,
}

/// The accesses of all code of a hart, in ascending order of their addresses.
#[derive(Default)]
pub struct Sites(Vec<Site>);

impl Sites {
    /// The op whose access is the instruction at `ip`, and its handler.
    fn find(&self, ip: usize) -> Option<(*const Slot, Handler)> {
        let index = self.0.binary_search_by_key(&ip, |site| site.ip).ok()?;
        self.0.get(index).map(|site| (site.slot, site.handler))
    }
}

/// The host code of a hart.
#[derive(Default)]
pub struct Baseline {
    /// None at first, and if the host does not give any.
    arena: Option<CodeArena>,
    used: usize,
    refused: bool,
    /// The ways out of blocks, by the link that each is for; offsets are those in the arena.
    exits: FxHashMap<*const Slot, Exit>,
}

impl Baseline {
    /// Whether the next block may not fit.
    pub fn is_full(&self) -> bool {
        self.used + MOST_BYTES > ARENA_BYTES
    }

    /// Forgets all code. None of it may be reachable any more.
    pub fn clear(&mut self, sites: &mut Sites) {
        self.used = 0;
        self.exits.clear();
        sites.0.clear();
    }

    /// Makes code that follows `link`, if there is any, go straight to the code of the block at
    /// `target`, where that link leads, if that has any.
    pub fn chain(&mut self, link: *const Slot, target: *const Slot) {
        let (Some(arena), Some(exit)) = (&mut self.arena, self.exits.get(&link)) else { return };
        // SAFETY: links lead to ops of live blocks.
        let code = unsafe { (*target).op.handler } as usize;
        let distance = (target as isize).wrapping_sub(exit.run as isize);
        let Ok(distance) = i32::try_from(distance) else { return };
        if code.wrapping_sub(arena.address(0)) >= self.used {
            return;
        }
        let jump = code.wrapping_sub(arena.address(exit.end)) as i32;
        arena.write(exit.moved - size_of::<i32>(), &distance.to_le_bytes());
        arena.write(exit.end - size_of::<i32>(), &jump.to_le_bytes());
        arena.write(exit.at, &NOP);
    }

    /// Makes code that follows `link` look where it leads.
    pub fn unchain(&mut self, link: *const Slot) {
        let (Some(arena), Some(exit)) = (&mut self.arena, self.exits.get(&link)) else { return };
        let behind = exit.at + NOP.len();
        let jump = exit.general.wrapping_sub(behind) as i32;
        arena.write(behind - size_of::<i32>(), &jump.to_le_bytes());
        arena.write(exit.at, &[JMP]);
    }

    /// Makes code for the block that consists of `slots`, whose handlers are those that
    /// pre-decoding chose, unless there is no room, or no memory for code. Stretches of fewer
    /// than `fewest` ops keep their handlers, except at the end. Gives where the block ends.
    pub fn compile(&mut self, slots: &mut [Slot], fewest: usize, sites: &mut Sites) -> Last {
        let ops: Vec<_> = ops(slots).collect();
        let last = Last::of(&ops);
        if self.is_full() || self.arena().is_none() {
            return last;
        }
        let (emitter, runs) = emit(slots, &ops, fewest);
        let (accesses, exits) = (emitter.accesses, emitter.exits);
        let Ok(code) = emitter.code.finalize() else { return last };
        let Some(arena) = self.arena.as_mut().filter(|_| code.len() <= MOST_BYTES) else {
            return last;
        };
        arena.write(self.used, &code);
        let offset = self.used;
        let start = arena.address(offset);
        self.used += code.len();
        self.exits.extend(exits.into_iter().map(|exit| {
            let moved = Exit {
                at: exit.at + offset,
                general: exit.general + offset,
                moved: exit.moved + offset,
                end: exit.end + offset,
                ..exit
            };
            (exit.link, moved)
        }));
        sites.0.extend(accesses.into_iter().map(|access| Site {
            ip: start + access.at,
            slot: access.slot,
            handler: access.handler,
        }));
        for (index, offset) in runs {
            // SAFETY: code for that op is there, and it has the calling convention of handlers.
            slots[index].op.handler =
                unsafe { std::mem::transmute::<usize, Handler>(start + offset) };
        }
        last
    }

    fn arena(&mut self) -> Option<&mut CodeArena> {
        if self.arena.is_none() && !self.refused {
            self.arena = CodeArena::with_landing(ARENA_BYTES, refault as *const () as usize).ok();
            self.refused = self.arena.is_none();
        }
        self.arena.as_mut()
    }
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

    /// Those of the block's slots that are links, if `slots` are its slots from the last op on.
    pub fn links(self, slots: &[Slot]) -> &[Slot] {
        let links = match self.end {
            End::Jump { .. } => 1..2,
            End::Branch { .. } => 1..3,
            End::Call => 2..3,
            End::Indirect { .. } | End::Stop => 0..0,
        };
        slots.get(links).unwrap_or_default()
    }

    /// Where control can go from the block, whose slots from the last op on are `slots`:
    /// places where it has gone before, and where its callees return to.
    pub fn successors(self, slots: &[Slot]) -> impl Iterator<Item = u64> {
        // SAFETY: these slots are links.
        let linked = self.links(slots).iter().map(|slot| unsafe { slot.link });
        let linked = linked.filter(|link| !link.next.is_null()).map(|link| link.pc);
        let value = match self.end {
            End::Call => slots.get(1),
            End::Indirect { call: true } => slots.get(2),
            _ => None,
        };
        // SAFETY: pre-decoding puts return addresses there.
        linked.chain(value.map(|slot| unsafe { slot.value }))
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

/// The code of a block and where its runs begin: indices of slots, and offsets.
fn emit(slots: &[Slot], ops: &Ops, fewest: usize) -> (Emitter, Vec<(usize, usize)>) {
    let worth = |template: &Option<Template>| {
        template.is_some_and(|template| template != Template::End(End::Stop))
    };
    // SAFETY: the indices are those of ops.
    let op = |index: usize| unsafe { slots[index].op };
    let mut emitter = Emitter::new(slots.as_ptr(), op(0).handler);
    let mut runs = Vec::new();
    for run in ops.chunk_by(|a, b| worth(&a.1) && worth(&b.1)) {
        let (Some(&(first, _)), Some(&(last, Some(end)))) = (run.first(), run.last()) else {
            continue;
        };
        let ends = matches!(end, Template::End(_));
        if end == Template::End(End::Stop) || run.len() < fewest && !ends {
            continue;
        }
        runs.push((first, emitter.len()));
        for &(index, template) in run {
            let Some(template) = template else { continue };
            let (op, distance) = (op(index), index - first);
            emitter.begin(&raw const slots[index], op.handler, distance);
            match template {
                Template::Binary(binary) => emitter.binary(op, binary),
                Template::Unary(unary) => emitter.unary(op, unary),
                Template::Constant => emitter.constant(op.rd, i64::from(op.imm) as u64),
                // SAFETY: a value is behind this op.
                Template::Address => emitter.constant(op.rd, unsafe { slots[index + 1].value }),
                Template::Load(load) => emitter.load(op, load),
                Template::Store(store) => emitter.store(op, store),
                Template::Float(float) => emitter.float(op, float),
                Template::End(end) => emitter.end(op, end, &slots[index + 1..]),
            }
        }
        if !ends {
            emitter.go_on(last + end.slots() - first);
        }
        emitter.finish();
    }
    (emitter, runs)
}

/// Where accesses of host code go that fault: to the handler of the op.
///
/// # Safety
/// As for [`Handler`], of a run whose instruction at [`code::fault_ip`] has just faulted.
unsafe extern "sysv64" fn refault(
    slot: *const Slot,
    hart: &mut Hart,
    context: &mut Context,
) -> Next {
    match context.sites.find(code::fault_ip()) {
        // SAFETY: it is that slot's handler, and its block is live: its code was executed.
        Some((slot, handler)) => unsafe { handler(slot, hart, context) },
        // No other instruction of a run faults.
        None => context.stop(crate::context::Exit::Illegal(slot)),
    }
}
