//! What is translated: the code's memory, the slots by which translations reach
//! one another, and which guest code each was made from.
//!
//! The arena is filled segment by segment, around and around; what a segment holds
//! is dropped before it is filled again. Dropping a translation only unlinks it:
//! its slot returns to the dispatcher from then on. So dropping is safe
//! while the translation runs, and reusing its memory is not: a segment is reused only
//! when everybody has left translated code since what it held was dropped.

use crate::compile::{Reloc, Target};
use crate::kept;
use crate::lower::Origin;
use crate::state::offset;
use rustc_hash::FxHashMap;
use rvrun_decoder::region::near;
use rvrun_host::code::CodeArena;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Segments of the arena.
const SEGMENTS: usize = 8;
/// Slots that there are at most: 6 MiB, as far as they are touched.
const MAX_SLOTS: usize = 1 << 18;
/// `mov rax, [r15 + TARGET]; ret`: the guest address that an indirect jump goes to, returned to
/// whoever wanted it.
const STUB: [u8; 8] = {
    let [a, b, c, d] = offset::TARGET.to_le_bytes();
    [0x49, 0x8b, 0x87, a, b, c, d, 0xc3]
};
/// Where code begins, behind the stub.
const FIRST: usize = 64;

/// Bytes of origins that a segment has room for before it copies them, as far as they are
/// touched.
const MUCH_KEPT: usize = 1 << 20;

const PAGE: u64 = 4096;

/// A translated region.
pub struct Translation {
    /// Where the code is in the arena.
    place: Range<usize>,
    segment: usize,
    made: Made,
}

/// Where host code came from: as [`Code`](crate::Code) has it, or as it was kept.
pub enum Origins<'a> {
    /// The former.
    Known(Vec<(u32, Origin)>),
    /// The latter.
    Kept(&'a [u8]),
}

/// What of host code is to be filled in: as [`Code`](crate::Code) has it, or as it was kept.
pub enum Relocs<'a> {
    /// The former.
    Known(&'a [Reloc]),
    /// The latter.
    Kept(&'a [u8]),
}

/// Host code that is to be put into the arena.
pub struct Host<'a> {
    /// The code.
    pub bytes: &'a [u8],
    /// What of it is to be filled in.
    pub relocs: Relocs<'a>,
    /// Where the guest's object begins.
    pub base: u64,
    /// Where it came from.
    pub origins: Origins<'a>,
}

/// Host code that may be running, be it dropped or not.
struct Placed {
    /// Where it begins in the arena.
    start: usize,
    precise: bool,
    /// Where the guest's object begins.
    base: u64,
    origins: PlacedOrigins,
}

/// The same, where origins that were kept are some of [`Segment::kept`].
enum PlacedOrigins {
    Known(Vec<(u32, Origin)>),
    Kept(Range<usize>),
}

/// What a segment of the arena holds, dropped or not.
#[derive(Default)]
struct Segment {
    /// In ascending order.
    placed: Vec<Placed>,
    /// Origins that were kept, one translation's after the other's.
    kept: Vec<u8>,
}

/// Whether a translation was put into the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It was.
    Yes,
    /// Its place may be in use.
    NotYet,
    /// There is no place for so much.
    Never,
    /// It leaves to more addresses than there are slots.
    NoSlots,
}

/// What a translation was made from.
pub struct Made {
    /// The guest code.
    pub guest: Vec<Range<u64>>,
    /// Where the blocks begin that it was made of.
    pub blocks: Vec<u64>,
    /// A hash of that code.
    pub hash: u64,
    /// What it divides by.
    pub divisors: Vec<(u8, u64)>,
    /// Jumps through registers that it makes, and how many targets of each are known.
    pub jumps: Vec<(u64, usize)>,
    /// Instructions.
    pub instructions: usize,
    /// Whether registers are exact for faults.
    pub precise: bool,
}

/// See the module's documentation.
pub struct Store {
    arena: CodeArena,
    /// The segment that is being filled, and how far.
    segment: usize,
    used: usize,
    /// How many translations had been dropped when the next segment had become empty.
    emptied: Option<u64>,
    removals: Arc<AtomicU64>,
    slot_of: FxHashMap<u64, u32>,
    by_entry: FxHashMap<u64, Box<Translation>>,
    /// To find what faulted.
    segments: [Segment; SEGMENTS],
    /// Entries by the pages of guest code that they were made from.
    by_page: FxHashMap<u64, Vec<u64>>,
}

impl Store {
    /// An empty store with room for so many bytes of code.
    ///
    /// # Errors
    /// The host's, when it has no memory for code.
    pub fn new(bytes: usize) -> io::Result<Self> {
        let mut arena = CodeArena::new(bytes, MAX_SLOTS)?;
        arena.write(0, &STUB);
        Ok(Self {
            arena,
            segment: 0,
            used: FIRST,
            emptied: None,
            removals: Arc::default(),
            slot_of: FxHashMap::default(),
            by_entry: FxHashMap::default(),
            segments: Default::default(),
            by_page: FxHashMap::default(),
        })
    }

    /// The address of the slot of guest address `pc`; none if there is no room for more.
    pub fn slot(&mut self, pc: u64) -> Option<usize> {
        if let Some(slot) = self.slot_of.get(&pc) {
            return self.arena.slot(*slot as usize);
        }
        let slot = self.slot_of.len();
        let address = self.arena.slot(slot)?;
        self.arena.make_slot(slot, pc);
        self.slot_of.insert(pc, slot as u32);
        if let Some(translation) = self.by_entry.get(&pc) {
            self.lead(pc, Some(translation.place.start));
        }
        Some(address)
    }

    /// Puts `code` at offset `start`, with everything filled in. None if there are not enough
    /// slots.
    fn place(&mut self, start: usize, code: &Host) -> Option<()> {
        self.arena.write(start, code.bytes);
        let base = code.base;
        match code.relocs {
            Relocs::Known(relocs) => self.fill_in(start, base, relocs.iter().copied()),
            Relocs::Kept(bytes) => self.fill_in(start, base, kept::relocs(bytes)),
        }
    }

    fn fill_in(
        &mut self,
        start: usize,
        base: u64,
        mut relocs: impl Iterator<Item = Reloc>,
    ) -> Option<()> {
        relocs.try_for_each(|Reloc { at, target, distance }| {
            let pc = base.wrapping_add(distance);
            let at = start + at as usize;
            match target {
                Target::Address => self.arena.write(at, &pc.to_le_bytes()),
                Target::Slot => {
                    let behind = self.arena.address(at + 4);
                    let way = self.slot(pc)?.wrapping_sub(behind) as u32;
                    self.arena.write(at, &way.to_le_bytes());
                }
            }
            Some(())
        })
    }

    /// Forgets all slots. Only while there are no translations.
    pub fn clear_slots(&mut self) {
        debug_assert!(self.by_entry.is_empty());
        self.slot_of.clear();
    }

    /// How many translations were dropped.
    pub fn removals(&self) -> u64 {
        self.removals.load(Ordering::SeqCst)
    }

    /// The same, for others to look at.
    pub fn removal_counter(&self) -> Arc<AtomicU64> {
        self.removals.clone()
    }

    /// Code that returns the state's target to the dispatcher.
    pub fn stub(&self) -> usize {
        self.arena.address(0)
    }

    /// Where the translation entered at `pc` is, if there is one.
    pub fn address(&self, pc: u64) -> Option<usize> {
        Some(self.arena.address(self.by_entry.get(&pc)?.place.start))
    }

    /// Whether there is a translation entered at `pc`.
    pub fn contains(&self, pc: u64) -> bool {
        self.by_entry.contains_key(&pc)
    }

    /// The entries of all translations.
    pub fn entries(&self) -> Vec<u64> {
        self.by_entry.keys().copied().collect()
    }

    /// Puts a translation of the region at `entry` there. Also gives the entries of the
    /// translations that had to go.
    ///
    /// `is_quiet` says whether everybody who is in translated code has entered it after
    /// so many translations had been dropped.
    pub fn insert(
        &mut self,
        entry: u64,
        code: Host,
        made: Made,
        is_quiet: impl Fn(u64) -> bool,
    ) -> (Inserted, Vec<u64>) {
        let segment_bytes = self.arena.len() / SEGMENTS;
        let len = code.bytes.len();
        if len > segment_bytes - FIRST {
            return (Inserted::Never, Vec::new());
        }
        let mut gone = Vec::new();
        let mut start = self.used.next_multiple_of(32);
        if start + len > (self.segment + 1) * segment_bytes {
            let next = (self.segment + 1) % SEGMENTS;
            if self.emptied.is_none() {
                gone = self.in_segment(next);
                for entry in &gone {
                    self.remove(*entry);
                }
                self.emptied = Some(self.removals());
            }
            if !self.emptied.is_some_and(is_quiet) {
                return (Inserted::NotYet, gone);
            }
            self.emptied = None;
            self.segment = next;
            start = next * segment_bytes + if next == 0 { FIRST } else { 0 };
            self.segments[next] = Segment::default();
        }
        if self.place(start, &code).is_none() {
            return (Inserted::NoSlots, gone);
        }
        self.remove(entry);
        self.used = start + len;
        let segment = &mut self.segments[self.segment];
        let origins = match code.origins {
            Origins::Known(origins) => PlacedOrigins::Known(origins),
            Origins::Kept(bytes) => {
                if segment.kept.capacity() == 0 {
                    segment.kept.reserve(MUCH_KEPT);
                }
                let first = segment.kept.len();
                segment.kept.extend_from_slice(bytes);
                PlacedOrigins::Kept(first..segment.kept.len())
            }
        };
        let (base, precise) = (code.base, made.precise);
        segment.placed.push(Placed { start, precise, base, origins });
        for page in pages(&made.guest) {
            let entries = self.by_page.entry(page).or_default();
            if entries.last() != Some(&entry) {
                entries.push(entry);
            }
        }
        let place = start..start + len;
        let translation = Translation { place, segment: self.segment, made };
        self.by_entry.insert(entry, Box::new(translation));
        self.lead(entry, Some(start));
        (Inserted::Yes, gone)
    }

    fn in_segment(&self, segment: usize) -> Vec<u64> {
        let inside = |t: &Translation| t.segment == segment;
        self.by_entry.iter().filter(|(_, t)| inside(t)).map(|(entry, _)| *entry).collect()
    }

    /// Unlinks and forgets the translation at `entry`; says whether there was one.
    pub fn remove(&mut self, entry: u64) -> bool {
        let Some(translation) = self.by_entry.remove(&entry) else { return false };
        for page in pages(&translation.made.guest) {
            if let Some(entries) = self.by_page.get_mut(&page) {
                entries.retain(|other| *other != entry);
                if entries.is_empty() {
                    self.by_page.remove(&page);
                }
            }
        }
        self.lead(entry, None);
        self.removals.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// Has the slot of `pc`, if there is one, lead to the code at offset `to` or return.
    fn lead(&mut self, pc: u64, to: Option<usize>) {
        if let Some(slot) = self.slot_of.get(&pc) {
            self.arena.lead_slot(*slot as usize, to);
        }
    }

    /// The entries of the translations that were made from code within `range`.
    pub fn made_from(&self, range: &Range<u64>) -> Vec<u64> {
        let touches = |entry: &u64| {
            let code = &self.by_entry[entry].made.guest;
            code.iter().any(|part| part.start < range.end && range.start < part.end)
        };
        let wanted = range.start / PAGE..range.end.div_ceil(PAGE);
        let mut entries: Vec<u64> = if wanted.end - wanted.start < self.by_page.len() as u64 {
            wanted.filter_map(|page| self.by_page.get(&page)).flatten().copied().collect()
        } else {
            self.entries()
        };
        entries.sort_unstable();
        entries.dedup();
        entries.retain(touches);
        entries
    }

    /// The entry of a translation with a jump through a register from near `pc`, and
    /// how many targets it knows: the one that knows most.
    pub fn jumper(&self, pc: u64) -> Option<(u64, usize)> {
        let near = near(pc);
        let sites = self.by_entry.iter().flat_map(|(entry, translation)| {
            let sites = translation.made.jumps.iter().filter(|(site, _)| near.contains(site));
            sites.map(|(_, known)| (*entry, *known))
        });
        sites.max_by_key(|(_, known)| *known)
    }

    /// What the translation entered at `entry` was made from.
    pub fn translation(&self, entry: u64) -> Option<&Made> {
        self.by_entry.get(&entry).map(|translation| &translation.made)
    }

    /// Where the host instruction at `ip` came from, and whether registers are exact
    /// for its faults.
    pub fn origin(&self, ip: usize) -> Option<(Origin, bool)> {
        let offset = ip.checked_sub(self.arena.address(0))?;
        let segment = self.segments.get(offset / (self.arena.len() / SEGMENTS))?;
        let behind = segment.placed.partition_point(|placed| placed.start <= offset);
        let placed = segment.placed.get(behind.checked_sub(1)?)?;
        let offset = (offset - placed.start) as u32;
        let find = |origins: &[(u32, Origin)]| {
            let index = origins.partition_point(|(end, _)| *end <= offset);
            origins.get(index).map(|(_, origin)| (*origin, placed.precise))
        };
        match &placed.origins {
            PlacedOrigins::Known(origins) => find(origins),
            PlacedOrigins::Kept(range) => {
                find(&kept::origins(segment.kept.get(range.clone())?, placed.base))
            }
        }
    }
}

fn pages(code: &[Range<u64>]) -> impl Iterator<Item = u64> {
    code.iter().flat_map(|part| part.start / PAGE..=(part.end - 1) / PAGE)
}
