//! Host code of blocks that outlives the process: what is written of it, and how it is taken in.
//!
//! A *trace* is the code of blocks that was made one behind the other. It is kept with the guest's
//! code that it was made from, and taken in only where that is the same, byte for byte: so who
//! keeps traces may mistake one object for another, and nothing comes of it.
//!
//! A trace is where the object's base was when it was written, then for each block a
//! [head](Head), its [lists](Lists), the guest's code and the host's.

use super::code::{Code, Lists};
use super::templates::available_features;
use super::{ARENA, FFLAGS_OF, INSTRUCTIONS, MXCSR, OUTSIDE, POINTER, ends};
use rvrun_decoder::MAX_BLOCK_BYTES;
use rvrun_isa::length;
use rvrun_memory::access;
use std::ops::Range;
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Who keeps traces of objects, which are files by their
/// [numbers](rvrun_memory::CodeObject).
pub trait Keeper: Send + Sync {
    /// The trace whose first block is so far from the object's first byte, if there is one, in
    /// `room`, of which it may leave an end as it was.
    fn get<'a>(&self, object: u32, distance: u64, room: &'a mut Vec<u8>) -> Option<&'a [u8]>;

    /// A new one, in place of another one that there may be.
    fn put(&self, object: u32, distance: u64, trace: Vec<u8>);

    /// Whether new ones are wanted.
    fn is_writing(&self) -> bool;
}

/// What traces depend on beside what they are made from and this build of the interpreter.
pub fn version() -> Vec<u8> {
    let places =
        [ARENA, FFLAGS_OF, INSTRUCTIONS, MXCSR, OUTSIDE, POINTER, ends::FUEL, ends::INSTRET];
    let places = places.iter().flat_map(|place| place.to_le_bytes());
    places.chain([u8::from(cfg!(threaded))]).chain(available_features()).collect()
}

/// What is said first of a block.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Head {
    /// From the object's base.
    distance: U32,
    /// Bytes of the guest's code.
    length: U16,
    slots: U16,
    /// Index of the last op.
    last: U16,
    /// [`Code::often`].
    often: U16,
    /// Bytes of host code.
    size: U16,
    /// [`Code::is_fixed`], if not 0.
    is_fixed: U16,
    /// The lengths of the lists, in their order.
    counts: [U16; 8],
}

fn small(number: usize) -> Option<U16> {
    u16::try_from(number).ok().map(U16::new)
}

/// What a block was made from.
pub struct GuestCode {
    /// Where it is.
    pub range: Range<u64>,
    /// What it was then, by [`add_content`] of each instruction. A file that code is mapped from
    /// may be written to at any time.
    pub content: u32,
}

/// An odd number without a pattern: 2^64 divided by the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash of what `content` was of, and an instruction: that of nearly each pre-decoded one, so it is
/// one multiplication, in which each bit of both counts.
pub fn add_content(content: u32, bits: u32) -> u32 {
    let bits = if length(bits as u16) == 2 { bits & 0xffff } else { bits };
    let both = u64::from(content) << 32 | u64::from(bits);
    (both.wrapping_mul(FACTOR) >> 32) as u32
}

/// The same of all instructions in `bytes`.
fn content_of(mut bytes: &[u8]) -> u32 {
    let mut content = 0;
    while let [first, second, ..] = *bytes {
        let length = length(u16::from_le_bytes([first, second])).into();
        let (instruction, rest) = bytes.split_at(bytes.len().min(length));
        let mut bits = [0; 4];
        bits[..instruction.len()].copy_from_slice(instruction);
        content = add_content(content, u32::from_le_bytes(bits));
        bytes = rest;
    }
    content
}

/// A trace in the making.
pub struct Trace {
    /// The object's code, which does not change.
    range: Range<u64>,
    base: u64,
    bytes: Vec<u8>,
}

impl Trace {
    /// For code in `range` of an object at `base`.
    pub fn new(range: Range<u64>, base: u64) -> Self {
        Self { range, base, bytes: Vec::new() }
    }

    /// What there is to keep, if anything.
    pub fn finish(self) -> Option<Vec<u8>> {
        (!self.bytes.is_empty()).then_some(self.bytes)
    }

    /// Adds the code of the block of `guest`, which has so many slots and whose last op has that
    /// index, if all of it is the object's, and still there. None if it is not.
    pub fn add(&mut self, guest: GuestCode, slots: usize, last: usize, code: &Code) -> Option<()> {
        let GuestCode { range: guest, content } = guest;
        let mut room = [0; MAX_BLOCK_BYTES as usize];
        let original = room.get_mut(..guest.end.checked_sub(guest.start)? as usize)?;
        if guest.start < self.range.start || guest.end > self.range.end {
            return None;
        }
        access::copy_in(guest.start, original).ok()?;
        if content_of(original) != content {
            return None;
        }
        let Lists { jumps, leaves, slots: of_slots, handlers, addresses, accesses, exits, runs } =
            code.lists;
        let head = Head {
            distance: U32::new(guest.start.wrapping_sub(self.base).try_into().ok()?),
            length: small(original.len())?,
            slots: small(slots)?,
            last: small(last)?,
            often: small(code.often)?,
            size: small(code.bytes.len())?,
            is_fixed: U16::new(code.is_fixed.into()),
            counts: [
                small(jumps.len())?,
                small(leaves.len())?,
                small(of_slots.len())?,
                small(handlers.len())?,
                small(addresses.len())?,
                small(accesses.len())?,
                small(exits.len())?,
                small(runs.len())?,
            ],
        };
        if self.bytes.is_empty() {
            self.bytes.extend(self.base.to_le_bytes());
        }
        let parts = [
            head.as_bytes(),
            jumps.as_bytes(),
            leaves.as_bytes(),
            of_slots.as_bytes(),
            handlers.as_bytes(),
            addresses.as_bytes(),
            accesses.as_bytes(),
            exits.as_bytes(),
            runs.as_bytes(),
            original,
            code.bytes,
        ];
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        Some(())
    }
}

/// The code of a block, as it was kept.
pub struct Kept<'a> {
    /// Where the block is now.
    pub pc: u64,
    /// How far it has been moved.
    pub moved: u64,
    /// Index of the block's last op.
    pub last: usize,
    pub code: Code<'a>,
    slots: usize,
    guest: &'a [u8],
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

/// The blocks of a trace of an object that is now at `base`.
pub fn blocks(mut trace: &[u8], base: u64) -> impl Iterator<Item = Kept<'_>> {
    let then = take::<U64>(&mut trace, U16::new(1)).map_or(base, |then| then[0].get());
    let moved = base.wrapping_sub(then);
    std::iter::from_fn(move || {
        let bytes = &mut trace;
        let head = take::<Head>(bytes, U16::new(1))?[0];
        let [jumps, leaves, slots, handlers, addresses, accesses, exits, runs] = head.counts;
        let lists = Lists {
            jumps: take(bytes, jumps)?,
            leaves: take(bytes, leaves)?,
            slots: take(bytes, slots)?,
            handlers: take(bytes, handlers)?,
            addresses: take(bytes, addresses)?,
            accesses: take(bytes, accesses)?,
            exits: take(bytes, exits)?,
            runs: take(bytes, runs)?,
        };
        let guest = take(bytes, head.length)?;
        let (often, is_fixed) = (head.often.into(), head.is_fixed != 0);
        let code = Code { bytes: take(bytes, head.size)?, often, is_fixed, lists };
        let pc = base.wrapping_add(head.distance.into());
        let (slots, last) = (head.slots.into(), head.last.into());
        Some(Kept { pc, moved, last, code, slots, guest })
    })
}

impl Kept<'_> {
    /// The address behind the block.
    pub fn end(&self) -> u64 {
        self.pc.wrapping_add(self.guest.len() as u64)
    }

    /// Whether the block that is there now, with so many bytes and slots, has the code that this
    /// was made from.
    pub fn is_of(&self, length: usize, slots: usize) -> bool {
        let mut room = [0; MAX_BLOCK_BYTES as usize];
        let Some(there) = room.get_mut(..self.guest.len()) else { return false };
        self.guest.len() == length
            && self.slots == slots
            && self.code.is_sound(slots)
            && !(self.code.is_fixed && self.moved != 0)
            // What another thread unmaps just now is not there.
            && access::copy_in(self.pc, there).is_ok()
            && there == self.guest
    }
}
