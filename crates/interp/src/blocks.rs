//! The pre-decoded blocks of one hart: where they are, how they are linked,
//! and how they are dropped.
//!
//! Slots stay where they are, so links are plain pointers. A dropped
//! block is unlinked from its predecessors and forgotten, but its slots stay
//! until the store is cleared as a whole; that happens when it outgrows
//! [`MAX_SLOTS`]. Nothing here may be called while handlers run, except through
//! the interpreter's own loop after they have stopped.

use crate::baseline::Baseline;
use crate::baseline::sheet::{NO_SLOT, Sheet};
use crate::block_table::{BlockTable, Id};
use crate::context::Context;
use crate::gates::Gates;
use crate::predecode::MOST_SLOTS;
use crate::slot::{Link, Slot};
use crate::sources::BEHIND;
use rustc_hash::{FxHashMap, FxHasher};
use rvrun_host::large::Lasting;
use std::alloc::{Layout, handle_alloc_error};
use std::hash::Hasher;
use std::num::NonZeroU64;
use std::ops::Range;
use std::ptr;

/// Blocks that can be found before what finds them has to grow: a small program has no more.
const FEW_BLOCKS: usize = 320;
/// All slots: 128 MiB. The text of large programs (compilers, browsers) takes
/// about four bytes of slots a byte of code that was executed.
const MAX_SLOTS: usize = 1 << 23;
/// All blocks: 32 MiB. Their slots are more of what is touched.
const MAX_BLOCKS: usize = 1 << 20;
/// What part of all that there is at least, or nothing can be executed.
const LEAST_PART: usize = 128;

const PAGE: u64 = 4096;

/// No block's index, and no slot's.
const NONE: Id = Id::MAX;

/// Index of a slot, or [`NONE`].
type Place = u32;

/// A block. To find one takes mostly the time to get this from memory, so half a cache line has it.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Entry {
    pc: u64,
    /// Of the first op.
    first: Place,
    /// Links of other blocks that lead here: few blocks have more than two.
    /// [`Blocks::more_incoming`] has the rest.
    incoming: [Place; 2],
    /// Bytes of guest code.
    length: u16,
    /// Slots.
    slot_count: u16,
    /// Whether host code was made for it, or it can have none.
    compiled: bool,
}

const _: () = assert!(size_of::<Entry>() == 32);

impl Entry {
    /// Address behind the block.
    fn end(&self) -> u64 {
        self.pc.wrapping_add(self.length.into())
    }
}

/// What became of a block that was to get host code.
#[derive(Default)]
pub struct Compiled {
    /// Its address, behind the entrance, if the block begins with what was made just now.
    pub code: Option<usize>,
    /// The block to which the code that was made goes by its last instruction, which is
    /// not needed if the code of that block is the next to be made.
    pub goes_on: Option<u64>,
}

/// See the module's documentation.
pub struct Blocks {
    slots: Lasting<Slot>,
    /// In ascending order of their slots.
    entries: Lasting<Entry>,
    by_pc: BlockTable,
    /// A block of each page in which some begin, to find what a change of code
    /// touches; the others of that page follow it in a list.
    by_page: FxHashMap<u64, Id>,
    /// For each block that `by_page` knows, the next one of those that begin in the same page, or
    /// [`NONE`]. It learns of the others when it is needed, since the code of most programs
    /// never changes.
    next_in_page: Vec<Id>,
    /// Links that the entries of their targets have no place for.
    more_incoming: FxHashMap<Id, Vec<Place>>,
    /// Hashes of the guest bytes of the blocks whose code the guest may write in place.
    contents: FxHashMap<Id, NonZeroU64>,
    baseline: Baseline,
    /// They outlive the blocks.
    gates: Gates,
}

impl Blocks {
    pub fn new() -> Self {
        Self {
            slots: memory_for(MAX_SLOTS),
            entries: memory_for(MAX_BLOCKS),
            by_pc: BlockTable::new(FEW_BLOCKS),
            by_page: FxHashMap::default(),
            next_in_page: Vec::new(),
            more_incoming: FxHashMap::default(),
            contents: FxHashMap::default(),
            baseline: Baseline::default(),
            gates: Gates::default(),
        }
    }

    /// The block at `pc`, if there is one.
    pub fn get(&self, pc: u64) -> Option<*const Slot> {
        self.find(pc).map(|id| self.slot(self.entries[id as usize].first))
    }

    /// Whether there is a block at `pc`, which has host code, or can have none, if that is `wanted`.
    pub fn has(&self, pc: u64, wanted: bool) -> bool {
        self.find(pc).is_some_and(|id| !wanted || self.entries[id as usize].compiled)
    }

    /// The slot at that place.
    fn slot(&self, place: Place) -> *const Slot {
        self.slots.address(place as usize)
    }

    /// The link there.
    fn link_at(&self, place: Place) -> *mut Link {
        self.slot(place).cast_mut().cast()
    }

    /// Where a slot is.
    fn place(&self, slot: *const Slot) -> Place {
        ((slot as usize - self.slots.address(0) as usize) / size_of::<Slot>()) as Place
    }

    /// Makes host code for the block at `pc`, if it is there and this was not done before, with
    /// runs of at least `fewest` ops.
    pub fn compile(&mut self, pc: u64, fewest: usize, context: &mut Context) -> Compiled {
        let Some(id) = self.find(pc) else { return Compiled::default() };
        let entry = self.entries[id as usize];
        if entry.compiled {
            return Compiled::default();
        }
        let (first, count) = (self.slot(entry.first).cast_mut(), entry.slot_count.into());
        // SAFETY: these are the block's slots, which nobody else refers to while
        // no handlers run.
        let slots = || unsafe { std::slice::from_raw_parts_mut(first, count) };
        let last = self.baseline.compile(pc, slots(), fewest, context);
        self.entries[id as usize].compiled = true;
        let more = self.more_incoming.get(&id).into_iter().flatten();
        for link in entry.incoming.iter().chain(more).filter(|link| **link != NONE) {
            self.baseline.chain(self.slots.address(*link as usize), first);
        }
        if self.gates.get(pc).is_some() {
            self.baseline.set_off(first, true);
        }
        let place = |index: usize| first.wrapping_add(index).cast::<Link>();
        if let Some(back) = last.back().map(place)
            // SAFETY: these slots are links.
            && unsafe { (*back).next.is_null() }
        {
            self.link(back);
        }
        for link in last.links().map(place) {
            // SAFETY: these slots are links.
            let next = unsafe { (*link).next };
            if !next.is_null() {
                self.baseline.chain(link.cast(), next);
            }
        }
        // SAFETY: these slots are links.
        let goes_on = last.goes_on(slots()).map(|index| unsafe { *place(index) });
        let goes_on = goes_on
            .filter(|link| !link.next.is_null() && self.gates.get(link.pc).is_none())
            .map(|link| link.pc);
        Compiled { code: self.code(first), goes_on }
    }

    /// Whether the guest may write the code of the block at `pc` in place.
    pub fn may_change(&self, pc: u64) -> bool {
        !self.contents.is_empty() && self.find(pc).is_some_and(|id| self.contents.contains_key(&id))
    }

    /// The address of the host code of the block at `first`, if it begins with any, behind
    /// the entrance.
    pub fn code(&self, first: *const Slot) -> Option<usize> {
        self.baseline.code(first)
    }

    /// Whether there may be no room for the host code of another block.
    pub fn is_full_of_code(&self, context: &Context) -> bool {
        self.baseline.is_full(context)
    }

    /// What control goes to that goes to `pc`: the gate there, or else the block.
    pub fn entrance(&self, pc: u64) -> Option<*const Slot> {
        self.gates.get(pc).or_else(|| self.get(pc))
    }

    /// Puts a gate at `pc`. Nothing leads past it any more.
    pub fn add_gate(&mut self, pc: u64) {
        if self.gates.add(pc)
            && let Some(id) = self.find(pc)
        {
            self.unlink(id);
        }
    }

    /// Takes the gate at `pc` away, if there is one.
    pub fn remove_gate(&mut self, pc: u64) {
        let links = self.gates.remove(pc);
        self.cut(links);
        if let Some(first) = self.get(pc) {
            self.baseline.set_off(first, false);
        }
    }

    /// Whether there are no gates.
    pub fn has_no_gates(&self) -> bool {
        self.gates.is_empty()
    }

    /// Where gates are, in no order.
    pub fn gates(&self) -> impl Iterator<Item = u64> {
        self.gates.addresses()
    }

    fn find(&self, pc: u64) -> Option<Id> {
        self.by_pc.find(pc as u32, |id| self.entries[id as usize].pc == pc)
    }

    /// Takes in the blocks of `sheet`, whose object is at `base` now and has the code that it was made
    /// from, in place of those of them that are there; nothing if there is no room.
    pub fn take_in(&mut self, sheet: &Sheet, base: u64, context: &mut Context) -> Option<()> {
        let few = self.slots.room() < sheet.slots() + MOST_SLOTS;
        if few || self.entries.room() <= sheet.blocks().len() {
            return None;
        }
        let (first, id) = (self.slots.len(), self.entries.len());
        let moved = sheet.moved_to(base);
        if !self.slots.extend_with(sheet.slots(), |n| sheet.slot(n)) {
            return None;
        }
        let slots = &mut self.slots[first..];
        sheet.fill(moved, slots);
        if !sheet.code.bytes.is_empty() {
            self.baseline.take_in(&sheet.code, slots, moved, context)?;
        }
        let pcs = sheet.blocks().map(|block| base.wrapping_add(block.distance));
        let old: Vec<Id> = pcs.filter_map(|pc| self.find(pc)).collect();
        if !old.is_empty() {
            self.learn_pages();
        }
        for id in old {
            self.drop_block(id, context);
        }
        let place = |index: u16| {
            if index == NO_SLOT { NONE } else { (first + usize::from(index)) as Place }
        };
        for block in sheet.blocks() {
            let entry = Entry {
                pc: base.wrapping_add(block.distance),
                first: place(block.first),
                incoming: block.incoming.map(place),
                length: block.length,
                slot_count: block.slot_count,
                compiled: block.is_warm,
            };
            self.add_entry(entry);
        }
        for (block, link) in sheet.more_incoming() {
            self.more_incoming.entry((id + block) as Id).or_default().push(place(link));
        }
        if !self.gates.is_empty() {
            for id in id..self.entries.len() {
                if self.gates.get(self.entries[id].pc).is_some() {
                    self.unlink(id as Id);
                }
            }
        }
        Some(())
    }

    /// Has the host's processor bring near what says where these blocks are.
    pub fn prefetch(&self, blocks: [u64; 2]) {
        blocks.into_iter().for_each(|pc| self.by_pc.prefetch(pc as u32));
    }

    /// Adds the block that `guest` has been pre-decoded to.
    /// `changing` is the hash of its bytes where they may change in place.
    ///
    /// # Panics
    /// If the store [is full](Self::is_full).
    pub fn insert(
        &mut self,
        guest: Range<u64>,
        block: &[Slot],
        changing: Option<NonZeroU64>,
    ) -> *const Slot {
        let Range { start: pc, end } = guest;
        let id = self.entries.len() as Id;
        let no_room = "who inserts has asked whether there is room";
        let first = self.slots.len() as Place;
        let slots = self.slots.extend(block).expect(no_room);
        let entry = Entry {
            pc,
            first,
            incoming: [NONE; 2],
            length: end.wrapping_sub(pc) as u16,
            slot_count: block.len() as u16,
            compiled: false,
        };
        self.add_entry(entry);
        if let Some(hash) = changing {
            self.contents.insert(id, hash);
        }
        slots
    }

    /// Adds a block whose slots are there. Inlined, as there is no block that this is not done for.
    #[inline(always)]
    fn add_entry(&mut self, entry: Entry) {
        let id = self.entries.len() as Id;
        self.entries.extend(&[entry]).expect("who adds has asked whether there is room");
        self.by_pc.insert(entry.pc as u32, id);
    }

    /// Makes `link` lead to the gate or the block at its pc, if there is one, and gives that.
    pub fn link(&mut self, link: *mut Link) -> Option<*const Slot> {
        // SAFETY: handlers stop only with links of live slots, which stay in place.
        let pc = unsafe { (*link).pc };
        let next = if let Some(gate) = self.gates.enter(pc, link) {
            gate
        } else {
            let id = self.find(pc)?;
            let from = self.place(link.cast());
            let entry = &mut self.entries[id as usize];
            match entry.incoming.iter_mut().find(|place| **place == NONE) {
                Some(place) => *place = from,
                None => self.more_incoming.entry(id).or_default().push(from),
            }
            let first = self.slot(self.entries[id as usize].first);
            self.baseline.chain(link.cast(), first);
            first
        };
        // SAFETY: as before.
        unsafe { (*link).next = next };
        Some(next)
    }

    /// The pc of the op at `slot`, and that of its block.
    pub fn position(&self, slot: *const Slot) -> Option<(u64, u64)> {
        let all = self.slots.address(0).cast_const()..self.slots.address(self.slots.len());
        if !all.contains(&slot) {
            return None;
        }
        let place = self.place(slot);
        let after = self.entries.partition_point(|entry| entry.first <= place);
        let entry = self.entries.get(after.checked_sub(1)?)?;
        // SAFETY: handlers stop only with the slot of an op, which stays in place.
        let at = unsafe { (*slot).op.at };
        Some((entry.pc + 2 * u64::from(at), entry.pc))
    }

    /// Drops the blocks that overlap `range` unless `keep` says that the code
    /// from the first to the second address still has that hash.
    pub fn invalidate(
        &mut self,
        range: Range<u64>,
        context: &mut Context,
        keep: impl Fn(u64, u64, NonZeroU64) -> bool,
    ) {
        self.learn_pages();
        // A block that ends in a fetch fault depends on the bytes behind it too.
        let overlaps = |entry: &Entry| entry.pc < range.end && entry.end() + 4 > range.start;
        let first = range.start.saturating_sub(BEHIND) / PAGE;
        let pages = first..range.end.div_ceil(PAGE);
        let few = pages.end.saturating_sub(pages.start) < self.by_page.len() as u64;
        let candidates: Vec<Id> = if few {
            pages.flat_map(|page| self.in_page(page)).collect()
        } else {
            self.by_pc.ids().collect()
        };
        for id in candidates {
            let entry = &self.entries[id as usize];
            let content = self.contents.get(&id);
            let kept = content.is_some_and(|hash| keep(entry.pc, entry.end(), *hash));
            if overlaps(entry) && !kept {
                self.drop_block(id, context);
            }
        }
    }

    /// Drops the blocks whose bytes the guest may have written in place, unless
    /// `keep` says that they are the same. Tells `dropped` where each of them was.
    pub fn invalidate_writable(
        &mut self,
        context: &mut Context,
        keep: impl Fn(u64, u64, NonZeroU64) -> bool,
        mut dropped: impl FnMut(Range<u64>),
    ) {
        self.learn_pages();
        let writable: Vec<(Id, NonZeroU64)> =
            self.contents.iter().map(|(id, hash)| (*id, *hash)).collect();
        for (id, hash) in writable {
            let entry = &self.entries[id as usize];
            if !keep(entry.pc, entry.end(), hash) {
                dropped(entry.pc..entry.end());
                self.drop_block(id, context);
            }
        }
    }

    /// Cuts the links that lead to a block.
    fn unlink(&mut self, id: Id) {
        let entry = &mut self.entries[id as usize];
        let few = std::mem::replace(&mut entry.incoming, [NONE; 2]);
        let first = self.slot(self.entries[id as usize].first);
        self.baseline.set_off(first, true);
        let more = self.more_incoming.remove(&id).into_iter().flatten();
        let links = few.into_iter().filter(|link| *link != NONE).chain(more);
        let links = links.map(|link| self.link_at(link)).collect();
        self.cut(links);
    }

    /// Makes links of blocks in the store lead nowhere.
    fn cut(&mut self, links: Vec<*mut Link>) {
        for link in links {
            // SAFETY: the slots of all blocks, dropped ones included, stay in place.
            unsafe { (*link).next = ptr::null() };
            self.baseline.unchain(link.cast());
        }
    }

    /// Tells `by_page` of the entries that it does not know yet.
    fn learn_pages(&mut self) {
        for (id, entry) in self.entries.iter().enumerate().skip(self.next_in_page.len()) {
            let next = self.by_page.insert(entry.pc / PAGE, id as Id);
            self.next_in_page.push(next.unwrap_or(NONE));
        }
    }

    /// Drops a block that `by_page` knows, from the jump cache, too.
    fn drop_block(&mut self, id: Id, context: &mut Context) {
        self.unlink(id);
        self.contents.remove(&id);
        let entry = &self.entries[id as usize];
        context.evict(entry.pc);
        let (page, next) = (entry.pc / PAGE, self.next_in_page[id as usize]);
        self.by_pc.remove(entry.pc as u32, id);
        let before = self.in_page(page).find(|other| self.next_in_page[*other as usize] == id);
        match before {
            Some(before) => self.next_in_page[before as usize] = next,
            None if next != NONE => drop(self.by_page.insert(page, next)),
            None => drop(self.by_page.remove(&page)),
        }
    }

    /// The blocks that begin in the page with this number.
    fn in_page(&self, page: u64) -> impl Iterator<Item = Id> {
        let first = self.by_page.get(&page).copied();
        std::iter::successors(first, |id| {
            Some(self.next_in_page[*id as usize]).filter(|id| *id != NONE)
        })
    }

    /// Whether the store has outgrown its bound and must be cleared before the next insertion.
    pub fn is_full(&self) -> bool {
        self.slots.room() < MOST_SLOTS || self.entries.room() == 0
    }

    /// Drops everything but the gates.
    pub fn clear(&mut self, context: &mut Context) {
        let mut gates = std::mem::take(&mut self.gates);
        gates.forget_links();
        let mut baseline = std::mem::take(&mut self.baseline);
        baseline.clear(context);
        *self = Self { gates, baseline, ..Self::new() };
    }
}

/// Memory for so many items, or as many as the host has memory for.
fn memory_for<T: Copy>(most: usize) -> Lasting<T> {
    let mut capacity = most;
    loop {
        match Lasting::new(capacity) {
            Ok(items) => return items,
            Err(_) if capacity > most / LEAST_PART => capacity /= 2,
            Err(_) => {
                handle_alloc_error(Layout::array::<T>(capacity).unwrap_or(Layout::new::<T>()))
            }
        }
    }
}

/// A hash of guest bytes, to find out whether they changed.
pub fn content_hash(bytes: &[u8]) -> NonZeroU64 {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MAX)
}
