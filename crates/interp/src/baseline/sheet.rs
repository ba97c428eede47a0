//! Pre-decoded blocks and their host code that outlive the process: what is written of them, and
//! how they are taken in.
//!
//! A *sheet* is of blocks that begin in one page of an object: their slots, linked among one
//! another, and the host code of those that have any, which goes straight from one to another. It is
//! taken in as a whole, since what the blocks of a short program take one by one is mostly to find
//! things in memory. The guest's code that it was made from is part of it, and it is taken in only
//! where that is the same, byte for byte: so who keeps sheets may mistake one object for another, and
//! nothing comes of it.
//!
//! Handlers are known by their addresses, which have to be [the same in each
//! process](can_be_kept); the guest's addresses, and those of slots and host code, are filled in.

use super::code::{Code, Lists};
use super::{ARENA, FFLAGS_OF, INSTRUCTIONS, MXCSR, OUTSIDE, POINTER, ends};
use crate::ops::{HANDLERS, alu, control, csr, fused};
use crate::slot::{Handler, Link, Slot};
use rvrun_decoder::MAX_BLOCK_BYTES;
use rvrun_memory::access;
use std::ops::Range;
use zerocopy::little_endian::{U16, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a page, whose first one is so many times that from the object's base.
pub const PAGE: u64 = 4096;

/// Bytes that the blocks which begin in a page have at most.
pub const MOST_BYTES: usize = (PAGE + MAX_BLOCK_BYTES) as usize;

/// Bytes of the guest's code that are compared at once.
const COMPARED: usize = 512;

/// No index of a slot: there are fewer.
pub const NO_SLOT: u16 = u16::MAX;

/// How much a program had executed when it reached a block first, in pauses of the interpreter, once that
/// was enough for any host code. A page has a sheet for each: so a program need not take in what only
/// others execute that run for longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// What it takes to start, about.
    Early,
    /// More than that.
    Late,
}

/// Who keeps sheets of objects, which are files by their [numbers](rvrun_memory::CodeObject).
pub trait Keeper: Send + Sync {
    /// The sheet of the page that is so far from the object's base of what programs reach in that
    /// phase, if there is one, in `room`, of which it may leave an end as it was.
    fn get<'a>(
        &self,
        object: u32,
        distance: u64,
        phase: Phase,
        room: &'a mut Vec<u8>,
    ) -> Option<&'a [u8]>;

    /// Notes that the block at `pc` has been pre-decoded or, if it is `warm`, got host code in that
    /// phase, which no sheet had.
    fn reached(&self, pc: u64, warm: bool, phase: Phase);
}

/// Addresses of handlers in a program that is linked to be at a place of its own, which the usual
/// code model wants to be low.
const LINKED: usize = 1 << 32;

/// Whether handlers have the same addresses in each process, so that sheets are worth keeping: not in
/// a position-independent executable.
pub fn can_be_kept() -> bool {
    (HANDLERS[0] as usize) < LINKED
}

/// What sheets depend on beside what they are made from, the host's processor and this build of the
/// interpreter.
pub fn version() -> Vec<u8> {
    let places =
        [ARENA, FFLAGS_OF, INSTRUCTIONS, MXCSR, OUTSIDE, POINTER, ends::FUEL, ends::INSTRET];
    let others: [Handler; 5] =
        [alu::lui, control::gate, csr::read_flags, fused::copy, fused::highest_byte];
    let mut version = Vec::with_capacity((HANDLERS.len() + others.len() + 16) * size_of::<usize>());
    version.push(u8::from(cfg!(threaded)));
    version.extend(places.iter().flat_map(|place| place.to_le_bytes()));
    if can_be_kept() {
        // By words, not by bytes: each short program does this.
        for handler in HANDLERS.iter().chain(&others) {
            version.extend_from_slice(&(*handler as usize).to_le_bytes());
        }
    }
    version
}

/// What is said first of a sheet.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Head {
    /// Where the object was when it was written.
    pub base: U64,
    /// Of the guest's code, from there.
    pub distance: U64,
    /// Bytes of that.
    pub length: U16,
    pub slots: U16,
    pub blocks: U16,
    pub more_incoming: U16,
    pub links: U16,
    pub addresses: U16,
    /// Bytes of host code.
    pub size: U16,
    /// [`Code::often`].
    pub often: U16,
    /// [`Code::is_fixed`], if not 0.
    pub is_fixed: U16,
    /// The lengths of the lists, in their order.
    pub counts: [U16; 8],
}

/// What is said of a block.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct BlockRecord {
    /// From the beginning of the guest's code.
    pub distance: U16,
    /// Index of its first slot.
    pub first: U16,
    /// Indices of links that lead to it, or [`NO_SLOT`].
    pub incoming: [U16; 2],
    /// Bytes of guest code.
    pub length: U16,
    /// Slots.
    pub slots: U16,
    /// Whether it has host code, if not 0.
    pub is_warm: U16,
}

/// A link for which its target's record has no place.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Incoming {
    /// Index of the block to which it leads.
    pub block: U16,
    /// Index of the link.
    pub link: U16,
}

/// A slot as two words. A link has the index of the slot to which it leads, and 1 more, or 0.
pub type SlotRecord = [U64; 2];

/// A block of a sheet.
pub struct Block {
    /// From the object's base.
    pub distance: u64,
    /// Index of the first slot.
    pub first: u16,
    /// Indices of links that lead to it, or [`NO_SLOT`].
    pub incoming: [u16; 2],
    /// Bytes of guest code.
    pub length: u16,
    pub slot_count: u16,
    /// Whether it has host code.
    pub is_warm: bool,
}

/// See the module's documentation.
pub struct Sheet<'a> {
    base: u64,
    distance: u64,
    guest: &'a [u8],
    blocks: &'a [BlockRecord],
    more_incoming: &'a [Incoming],
    /// Indices of links.
    links: &'a [U16],
    /// Indices of slots that have one of the guest's addresses.
    addresses: &'a [U16],
    slots: &'a [SlotRecord],
    pub code: Code<'a>,
}

/// Takes so many records from the beginning of `bytes`.
fn take<'a, T: FromBytes + Immutable + Unaligned>(
    bytes: &mut &'a [u8],
    count: U16,
) -> Option<&'a [T]> {
    let (list, rest) = <[T]>::ref_from_prefix_with_elems(bytes, count.into()).ok()?;
    *bytes = rest;
    Some(list)
}

impl<'a> Sheet<'a> {
    /// The sheet that was written so; none if it was not.
    pub fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let head = take::<Head>(bytes, U16::new(1))?[0];
        let [jumps, leaves, slots, handlers, addresses, accesses, exits, runs] = head.counts;
        let sheet = Self {
            base: head.base.get(),
            distance: head.distance.get(),
            blocks: take(bytes, head.blocks)?,
            more_incoming: take(bytes, head.more_incoming)?,
            links: take(bytes, head.links)?,
            addresses: take(bytes, head.addresses)?,
            slots: take(bytes, head.slots)?,
            guest: take(bytes, head.length)?,
            code: Code {
                lists: Lists {
                    jumps: take(bytes, jumps)?,
                    leaves: take(bytes, leaves)?,
                    slots: take(bytes, slots)?,
                    handlers: take(bytes, handlers)?,
                    addresses: take(bytes, addresses)?,
                    accesses: take(bytes, accesses)?,
                    exits: take(bytes, exits)?,
                    runs: take(bytes, runs)?,
                },
                bytes: take(bytes, head.size)?,
                often: head.often.into(),
                is_fixed: head.is_fixed != 0,
            },
        };
        sheet.is_sound().then_some(sheet)
    }

    /// Whether all indices are of what is there.
    fn is_sound(&self) -> bool {
        let slots = self.slots.len();
        let is_slot = |index: U16| usize::from(index) < slots;
        let is_link = |index: U16| usize::from(index) + 1 < slots;
        let is_incoming = |index: U16| index == NO_SLOT || is_link(index);
        self.guest.len() <= MOST_BYTES
            && slots < usize::from(NO_SLOT)
            && self.code.is_sound(slots)
            && self.addresses.iter().all(|index| is_slot(*index))
            && self.links.iter().all(|index| {
                is_link(*index) && self.slots[usize::from(*index)][0].get() <= slots as u64
            })
            && self.blocks.iter().all(|block| {
                let end = usize::from(block.first) + usize::from(block.slots);
                end <= slots && block.slots != 0 && block.incoming.into_iter().all(is_incoming)
            })
            && self.more_incoming.iter().all(|incoming| {
                usize::from(incoming.block) < self.blocks.len() && is_link(incoming.link)
            })
    }

    /// Whether the guest's code in `code`, which is mapped from an object at `base`, is what this was
    /// made from, and it can be there.
    pub fn is_of(&self, base: u64, code: &Range<u64>) -> bool {
        let start = base.wrapping_add(self.distance);
        let end = start.wrapping_add(self.guest.len() as u64);
        let mut room = [0; COMPARED];
        let mut at = start;
        code.start <= start
            && start <= end
            && end <= code.end
            && !(self.code.is_fixed && base != self.base)
            && self.guest.chunks(COMPARED).all(|part| {
                let there = &mut room[..part.len()];
                // What another thread unmaps just now is not there.
                let is_right = access::copy_in(at, there).is_ok() && there == part;
                at += part.len() as u64;
                is_right
            })
    }

    /// How far the guest's code has been moved.
    pub fn moved_to(&self, base: u64) -> u64 {
        base.wrapping_sub(self.base)
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The blocks, in the order of their slots.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = Block> {
        self.blocks.iter().map(|block| Block {
            distance: self.distance.wrapping_add(block.distance.into()),
            first: block.first.into(),
            incoming: block.incoming.map(U16::get),
            length: block.length.into(),
            slot_count: block.slots.into(),
            is_warm: block.is_warm != 0,
        })
    }

    /// Links, by their indices, for which the blocks that they lead to have no place; with the
    /// indices of these.
    pub fn more_incoming(&self) -> impl Iterator<Item = (usize, u16)> {
        self.more_incoming.iter().map(|more| (more.block.into(), more.link.get()))
    }

    /// The slot of that index, if it has nothing that is to be filled in.
    pub fn slot(&self, index: usize) -> Slot {
        let [first, second] = self.slots[index];
        let next = std::ptr::without_provenance(first.get() as usize);
        // Any slot's bytes are those of a link.
        Slot { link: Link { next, pc: second.get() } }
    }

    /// Fills in the rest of `slots`, which are all of them, when the guest's code has been moved so far.
    pub fn fill(&self, moved: u64, slots: &mut [Slot]) {
        let start = slots.as_ptr();
        for index in self.links {
            let index = usize::from(*index);
            let [next, pc] = self.slots[index];
            let next = (next.get() as usize).checked_sub(1);
            let next = next.map_or(std::ptr::null(), |next| start.wrapping_add(next));
            slots[index].link = Link { next, pc: pc.get().wrapping_add(moved) };
        }
        for index in self.addresses {
            let index = usize::from(*index);
            slots[index].value = self.slots[index][0].get().wrapping_add(moved);
        }
    }
}

/// A block by its address, and whether it has or gets host code.
pub type Known = (u64, bool);

/// The blocks of a sheet, if it is of the code in `code`, which is mapped from an object at
/// `base`.
pub fn known(sheet: &[u8], base: u64, code: &Range<u64>) -> Option<Vec<Known>> {
    let sheet = Sheet::read(sheet).filter(|sheet| sheet.is_of(base, code))?;
    let known = sheet.blocks().map(|block| (base.wrapping_add(block.distance), block.is_warm));
    Some(known.collect())
}

/// How many blocks a sheet has, as it says.
pub fn count(sheet: &[u8]) -> usize {
    Head::ref_from_prefix(sheet).map_or(0, |(head, _)| head.blocks.get().into())
}

/// A number of an index, a length or an offset; none if it is too large.
pub fn small(number: usize) -> Option<U16> {
    u16::try_from(number).ok().filter(|number| *number != u16::MAX).map(U16::new)
}
