//! Makes [sheets](super::sheet).

use super::code::{Access, Code, Exit, Jump, Lists, Run};
use super::emit::Emitter;
use super::sheet::{
    BlockRecord, Head, Incoming, Known, MOST_BYTES, NO_SLOT, PAGE, SlotRecord, small,
};
use super::templates::{End, Template};
use super::thunks::Thunks;
use super::{NOP, WORTH_IT, distance, emit, ops};
use crate::predecode::{Slots, predecode};
use crate::slot::Slot;
use rvrun_decoder::MAX_BLOCK_BYTES;
use rvrun_isa::{Extensions, length};
use rvrun_memory::access;
use std::cell::Cell;
use std::ops::Range;
use std::ptr;
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U64};

/// Makes one sheet after another.
pub struct SheetMaker {
    extensions: Extensions,
    emitter: Emitter,
    scratch: Slots,
}

impl SheetMaker {
    /// For programs on harts with these extensions; none if the host has no memory.
    pub fn new(extensions: Extensions) -> Option<Self> {
        let (_, thunks) = Thunks::code()?;
        Some(Self { extensions, emitter: Emitter::new(thunks), scratch: Slots::new() })
    }

    /// The sheet of these blocks, which are in ascending order and in one page of the code in
    /// `code`, which is mapped from an object at `base`. None if there is none of these blocks, or
    /// the sheet would be too large.
    pub fn make(&mut self, blocks: &[Known], code: &Range<u64>, base: u64) -> Option<Vec<u8>> {
        let (start, _) = *blocks.first()?;
        let end = (start - start % PAGE).saturating_add(PAGE + MAX_BLOCK_BYTES).min(code.end);
        let mut room = [0; MOST_BYTES];
        let guest = room.get_mut(..usize::try_from(end.checked_sub(start)?).ok()?)?;
        access::copy_in(start, guest).ok()?;
        let mut draft = Draft::default();
        for block in blocks {
            self.add_block(&mut draft, *block, start, guest);
        }
        draft.link();
        self.add_code(&mut draft)?;
        draft.finish(start, guest, base)
    }

    /// Pre-decodes a block, unless some of it is not in `guest`, which begins at `start`.
    fn add_block(&mut self, draft: &mut Draft, block: Known, start: u64, guest: &[u8]) {
        let (pc, is_warm) = block;
        let is_missing = Cell::new(false);
        let fetch = |at: u64| {
            let bytes = usize::try_from(at.wrapping_sub(start)).ok().and_then(|at| guest.get(at..));
            let found = bytes.and_then(|bytes| {
                let low = u16::from_le_bytes(*bytes.first_chunk()?);
                let whole = bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
                whole.or((length(low) == 2).then_some(low.into()))
            });
            is_missing.set(is_missing.get() || found.is_none());
            found
        };
        self.scratch.clear();
        let slots = &mut self.scratch;
        let range = predecode(pc, MAX_BLOCK_BYTES, self.extensions, false, slots, fetch);
        let first = draft.slots.len();
        if !is_missing.get() && first + slots.len() < usize::from(NO_SLOT) {
            draft.slots.extend_from_slice(slots);
            let count = slots.len();
            draft.blocks.push(Block { range, first, count, is_warm, ..Block::default() });
        }
    }

    /// Makes the host code of blocks that are to have some, each behind one that goes on with it, if
    /// there is one.
    fn add_code(&mut self, draft: &mut Draft) -> Option<()> {
        let mut open = None;
        for first in 0..draft.blocks.len() {
            let mut next = Some(first).filter(|n| draft.blocks[*n].wants_code());
            while let Some(n) = next {
                let Block { first, count, .. } = draft.blocks[n];
                let slots = &draft.slots[first..first + count];
                self.emitter.clear();
                emit(&mut self.emitter, slots, &ops(slots).collect::<Vec<_>>(), WORTH_IT);
                let code = self.emitter.finish()?;
                let glued = open == Some(n) && code.goes_on_from_before();
                let last = code.last_way().map(|link| first + link);
                draft.append(n, &code, glued);
                open = last.and_then(|link| draft.target(link));
                next = open.filter(|n| draft.blocks[*n].wants_code());
            }
        }
        Some(())
    }
}

/// A block of a sheet in the making.
#[derive(Default)]
struct Block {
    range: Range<u64>,
    /// Index of its first slot.
    first: usize,
    /// Slots.
    count: usize,
    /// Indices of links that lead to it.
    incoming: Vec<usize>,
    /// Whether it is to have host code.
    is_warm: bool,
    /// Where that is, once it is there.
    code: Option<usize>,
}

impl Block {
    fn wants_code(&self) -> bool {
        self.is_warm && self.code.is_none()
    }
}

/// A place in host code.
#[derive(Clone, Copy)]
enum At {
    /// In what is executed often.
    Often(usize),
    /// In what is not.
    Rarely(usize),
}

/// A sheet in the making.
#[derive(Default)]
struct Draft {
    /// In ascending order of their addresses, and of their slots.
    blocks: Vec<Block>,
    /// A link that leads to one of the blocks has the block's number, and 1 more, as an address.
    slots: Vec<Slot>,
    /// Indices of links, and of slots that have one of the guest's addresses or another number.
    links: Vec<usize>,
    addresses: Vec<usize>,
    numbers: Vec<usize>,
    often: Vec<u8>,
    rarely: Vec<u8>,
    /// [`Code::is_fixed`].
    is_fixed: bool,
    /// [`Lists`] in the making.
    jumps: Vec<(At, At)>,
    leaves: Vec<(At, U16)>,
    code_slots: Vec<At>,
    handlers: Vec<At>,
    code_addresses: Vec<At>,
    accesses: Vec<(At, usize, U16)>,
    exits: Vec<WayOut>,
    runs: Vec<Entry>,
}

/// [`Exit`] in the making: its ends are in what is executed often.
struct WayOut {
    link: usize,
    end: usize,
    general: At,
    settled: bool,
    last: bool,
}

/// [`Run`] in the making.
struct Entry {
    index: usize,
    code: usize,
    entrance: At,
    before: Option<At>,
}

impl Draft {
    /// The number of the block to which the link of that index leads.
    fn target(&self, link: usize) -> Option<usize> {
        // SAFETY: it is a link.
        unsafe { self.slots[link].link.next }.addr().checked_sub(1)
    }

    /// Finds out what the slots of all blocks are, and links them; but host code to no block
    /// without any, since it makes some where it is led to one.
    fn link(&mut self) {
        for n in 0..self.blocks.len() {
            let Block { first, count, is_warm, .. } = self.blocks[n];
            let links = self.links.len();
            let all: Vec<_> = ops(&self.slots[first..first + count]).collect();
            for (index, template) in all {
                let at = first + index;
                match template {
                    Some(Template::Address) => self.addresses.push(at + 1),
                    Some(Template::End(end)) => {
                        self.links.extend(end.links().iter().map(|n| at + n));
                        let addresses = end.addresses().iter().map(|n| at + n);
                        self.addresses.extend(addresses.filter(|at| *at < first + count));
                        if matches!(end, End::Indirect { .. } | End::Return) {
                            self.numbers.push(at + 1);
                        }
                    }
                    _ => {}
                }
            }
            for &link in &self.links[links..] {
                // SAFETY: it is a link.
                let pc = unsafe { self.slots[link].link.pc };
                if let Ok(n) = self.blocks.binary_search_by_key(&pc, |block| block.range.start)
                    && (self.blocks[n].is_warm || !is_warm)
                {
                    self.blocks[n].incoming.push(link);
                    self.slots[link].link.next = ptr::without_provenance(n + 1);
                }
            }
        }
    }

    /// Appends the code of block `n`, which takes the place of the jump before it if it is `glued`
    /// to that.
    fn append(&mut self, n: usize, code: &Code, glued: bool) {
        let mut before = None;
        if glued && let Some(exit) = self.exits.last_mut() {
            exit.settled = true;
            before = Some(exit.general);
            self.often.truncate(self.often.len() - NOP.len());
        }
        let first = self.blocks[n].first;
        let (often, rarely) = (self.often.len(), self.rarely.len());
        self.blocks[n].code = Some(often);
        self.is_fixed |= code.is_fixed;
        let split = code.often;
        self.often.extend_from_slice(&code.bytes[..split]);
        self.rarely.extend_from_slice(&code.bytes[split..]);
        let at = |offset: U16| match usize::from(offset) {
            offset if offset < split => At::Often(often + offset),
            offset => At::Rarely(rarely + (offset - split)),
        };
        let slot = |index: U16| first + usize::from(index);
        let Lists { jumps, leaves, slots, handlers, addresses, accesses, exits, runs } = code.lists;
        for Jump { at: from, to } in jumps {
            self.jump(at(*from), at(*to));
        }
        self.leaves.extend(leaves.iter().map(|jump| (at(jump.at), jump.to)));
        for place in slots.iter().chain(handlers) {
            self.add_to_word(at(*place), first as u64);
        }
        self.code_slots.extend(slots.iter().map(|place| at(*place)));
        self.handlers.extend(handlers.iter().map(|place| at(*place)));
        self.code_addresses.extend(addresses.iter().map(|place| at(*place)));
        let accesses = accesses.iter();
        self.accesses.extend(accesses.map(|a| (at(a.at), slot(a.slot), a.counted)));
        self.exits.extend(exits.iter().map(|exit| WayOut {
            link: slot(exit.link),
            end: often + usize::from(exit.end),
            general: at(exit.general),
            settled: false,
            last: exit.last != 0,
        }));
        self.runs.extend(runs.iter().enumerate().map(|(n, run)| Entry {
            index: slot(run.index),
            code: often + usize::from(run.code),
            entrance: at(run.entrance),
            before: before.filter(|_| n == 0),
        }));
    }

    /// Makes the jump whose distance is at `from` lead to `to`.
    fn jump(&mut self, from: At, to: At) {
        let (bytes, from, to) = match (from, to) {
            (At::Often(from), At::Often(to)) => (&mut self.often, from, to),
            (At::Rarely(from), At::Rarely(to)) => (&mut self.rarely, from, to),
            _ => return self.jumps.push((from, to)),
        };
        bytes[from..from + size_of::<i32>()]
            .copy_from_slice(&distance(from + size_of::<i32>(), to));
    }

    /// Adds to the eight bytes there.
    fn add_to_word(&mut self, at: At, number: u64) {
        let (bytes, at) = match at {
            At::Often(at) => (&mut self.often, at),
            At::Rarely(at) => (&mut self.rarely, at),
        };
        let word = &mut bytes[at..at + size_of::<u64>()];
        let sum = word.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)) + number;
        word.copy_from_slice(&sum.to_le_bytes());
    }

    /// Makes exits lead to the code of the blocks that are there.
    fn settle(&mut self) {
        for n in 0..self.exits.len() {
            let WayOut { link, end, settled, last, .. } = self.exits[n];
            let Some(to) = self.target(link).and_then(|n| self.blocks[n].code) else { continue };
            if settled {
                continue;
            }
            self.exits[n].settled = true;
            if last && to == end {
                self.often[end - NOP.len()..end].copy_from_slice(&NOP);
            } else {
                self.jump(At::Often(end - size_of::<i32>()), At::Often(to));
            }
        }
    }

    /// The slots as they are written.
    fn records(&self) -> Option<Vec<SlotRecord>> {
        let mut records: Vec<Option<SlotRecord>> = vec![None; self.slots.len()];
        for &link in &self.links {
            let next = self.target(link).map_or(0, |n| self.blocks[n].first as u64 + 1);
            // SAFETY: it is a link.
            let pc = unsafe { self.slots[link].link.pc };
            records[link] = Some([U64::new(next), U64::new(pc)]);
            // The way along it.
            *records.get_mut(link + 1)? = Some([U64::new(0); 2]);
        }
        for &at in self.addresses.iter().chain(&self.numbers) {
            // SAFETY: it has a value.
            records[at] = Some([U64::new(unsafe { self.slots[at].value }), U64::new(0)]);
        }
        let op = |slot: &Slot| {
            // SAFETY: what is nothing else is an op, all of whose bytes are set.
            let link = unsafe { slot.link };
            [U64::new(link.next.addr() as u64), U64::new(link.pc)]
        };
        let all = records.iter().zip(&self.slots);
        Some(all.map(|(record, slot)| record.unwrap_or_else(|| op(slot))).collect())
    }

    /// The sheet; `guest` is the guest's code from `start` on.
    fn finish(mut self, start: u64, guest: &[u8], base: u64) -> Option<Vec<u8>> {
        self.settle();
        let often = self.often.len();
        let offset = |at: &At| match *at {
            At::Often(at) => small(at),
            At::Rarely(at) => small(often + at),
        };
        let offsets = |list: &[At]| list.iter().map(offset).collect::<Option<Vec<_>>>();
        let indices = |list: &[usize]| list.iter().map(|n| small(*n)).collect::<Option<Vec<_>>>();
        let jumps = self.jumps.iter();
        let jumps = jumps.map(|(from, to)| Some(Jump { at: offset(from)?, to: offset(to)? }));
        let jumps = jumps.collect::<Option<Vec<_>>>()?;
        let leaves = self.leaves.iter().map(|(at, to)| Some(Jump { at: offset(at)?, to: *to }));
        let leaves = leaves.collect::<Option<Vec<_>>>()?;
        let accesses = self.accesses.iter().map(|(at, slot, counted)| {
            Some(Access { at: offset(at)?, slot: small(*slot)?, counted: *counted })
        });
        let accesses = accesses.collect::<Option<Vec<_>>>()?;
        let exits = self.exits.iter().map(|exit| {
            Some(Exit {
                link: small(exit.link)?,
                end: small(exit.end)?,
                general: offset(&exit.general)?,
                settled: U16::new(exit.settled.into()),
                last: U16::new(exit.last.into()),
            })
        });
        let exits = exits.collect::<Option<Vec<_>>>()?;
        let runs = self.runs.iter().map(|run| {
            Some(Run {
                index: small(run.index)?,
                code: small(run.code)?,
                entrance: offset(&run.entrance)?,
                before: run.before.as_ref().map_or(Some(U16::new(0)), offset)?,
            })
        });
        let runs = runs.collect::<Option<Vec<_>>>()?;
        let slots = offsets(&self.code_slots)?;
        let handlers = offsets(&self.handlers)?;
        let code_addresses = offsets(&self.code_addresses)?;

        let mut more = Vec::new();
        let blocks = self.blocks.iter().enumerate().map(|(n, block)| {
            let mut incoming = [U16::new(NO_SLOT); 2];
            for (place, link) in incoming.iter_mut().zip(&block.incoming) {
                *place = small(*link)?;
            }
            for link in block.incoming.iter().skip(incoming.len()) {
                more.push(Incoming { block: small(n)?, link: small(*link)? });
            }
            Some(BlockRecord {
                distance: small((block.range.start - start) as usize)?,
                first: small(block.first)?,
                incoming,
                length: small((block.range.end - block.range.start) as usize)?,
                slots: small(block.count)?,
                is_warm: U16::new(block.code.is_some().into()),
            })
        });
        let blocks = blocks.collect::<Option<Vec<_>>>()?;
        let end = self.blocks.iter().map(|block| block.range.end).max()?;
        let guest = guest.get(..(end - start) as usize)?;
        let (links, addresses) = (indices(&self.links)?, indices(&self.addresses)?);
        let records = self.records()?;
        let head = Head {
            base: U64::new(base),
            distance: U64::new(start.wrapping_sub(base)),
            length: small(guest.len())?,
            slots: small(records.len())?,
            blocks: small(blocks.len())?,
            more_incoming: small(more.len())?,
            links: small(links.len())?,
            addresses: small(addresses.len())?,
            size: small(often + self.rarely.len())?,
            often: small(often)?,
            is_fixed: U16::new(self.is_fixed.into()),
            counts: [
                small(jumps.len())?,
                small(leaves.len())?,
                small(slots.len())?,
                small(handlers.len())?,
                small(code_addresses.len())?,
                small(accesses.len())?,
                small(exits.len())?,
                small(runs.len())?,
            ],
        };
        let parts = [
            head.as_bytes(),
            blocks.as_bytes(),
            more.as_bytes(),
            links.as_bytes(),
            addresses.as_bytes(),
            records.as_bytes(),
            guest,
            jumps.as_bytes(),
            leaves.as_bytes(),
            slots.as_bytes(),
            handlers.as_bytes(),
            code_addresses.as_bytes(),
            accesses.as_bytes(),
            exits.as_bytes(),
            runs.as_bytes(),
            &self.often,
            &self.rarely,
        ];
        Some(parts.concat())
    }
}
