//! What is translated: the code's memory, the slots by which translations reach
//! one another, and which guest code each was made from.
//!
//! The arena is filled segment by segment, around and around; what a segment holds
//! is dropped before it is filled again. Dropping a translation only unlinks it:
//! its slot leads to a stub that returns to the dispatcher. So dropping is safe
//! while the translation runs, and reusing its memory is not: a segment may be
//! reused only while no translation is on any stack.

use crate::compile::Code;
use crate::lower::Origin;
use crate::state::{EMPTY_ENTRY, JUMP_CACHE_ENTRIES, JumpCacheEntry};
use rustc_hash::{FxHashMap, FxHashSet};
use rvrun_decoder::region::near;
use rvrun_host::code::CodeArena;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

/// Segments of the arena.
const SEGMENTS: usize = 8;
/// Slots that there are at most: 2 MiB, as far as they are touched.
const MAX_SLOTS: usize = 1 << 18;
/// `mov rax, rsi; ret`: the guest address that a translation was to be entered
/// for, returned to whoever wanted it.
const STUB: [u8; 4] = [0x48, 0x89, 0xf0, 0xc3];
/// Where code begins, behind the stub.
const FIRST: usize = 64;

const PAGE: u64 = 4096;

/// A translated region.
pub struct Translation {
    /// Where the code is in the arena.
    place: Range<usize>,
    segment: usize,
    origins: Vec<(u32, Origin)>,
    made: Made,
}

/// What a translation was made from.
pub struct Made {
    /// The guest code.
    pub guest: Vec<Range<u64>>,
    /// A hash of that code.
    pub hash: u64,
    /// Jumps through registers that it makes, and how many targets of each are known.
    pub jumps: Vec<(u64, usize)>,
    /// Instructions.
    pub instructions: usize,
}

/// See the module's documentation.
pub struct Store {
    arena: CodeArena,
    /// The segment that is being filled, and how far.
    segment: usize,
    used: usize,
    slots: Box<[usize]>,
    slot_of: FxHashMap<u64, u32>,
    by_entry: FxHashMap<u64, Translation>,
    /// Entries by where their code begins in the arena, to find what faulted.
    by_place: BTreeMap<usize, u64>,
    /// Entries by the pages of guest code that they were made from.
    by_page: FxHashMap<u64, FxHashSet<u64>>,
    jump_cache: Box<[JumpCacheEntry]>,
}

impl Store {
    /// An empty store with room for so many bytes of code.
    ///
    /// # Errors
    /// The host's, when it has no memory for code.
    pub fn new(bytes: usize) -> io::Result<Self> {
        let mut arena = CodeArena::new(bytes)?;
        arena.write(0, &STUB);
        Ok(Self {
            arena,
            segment: 0,
            used: FIRST,
            slots: vec![0; MAX_SLOTS].into(),
            slot_of: FxHashMap::default(),
            by_entry: FxHashMap::default(),
            by_place: BTreeMap::new(),
            by_page: FxHashMap::default(),
            jump_cache: vec![EMPTY_ENTRY; JUMP_CACHE_ENTRIES].into(),
        })
    }

    /// The slot of guest address `pc`; none if there is no room for more.
    pub fn slot(&mut self, pc: u64) -> Option<u32> {
        if let Some(slot) = self.slot_of.get(&pc) {
            return Some(*slot);
        }
        let slot = self.slot_of.len();
        *self.slots.get_mut(slot)? = match self.by_entry.get(&pc) {
            Some(translation) => self.arena.address(translation.place.start),
            None => self.stub(),
        };
        self.slot_of.insert(pc, slot as u32);
        Some(slot as u32)
    }

    /// Forgets all slots. Only while there are no translations.
    pub fn clear_slots(&mut self) {
        debug_assert!(self.by_entry.is_empty());
        self.slot_of.clear();
    }

    /// The address of the slots.
    pub fn slots(&self) -> *const usize {
        self.slots.as_ptr()
    }

    /// The address of the jump cache.
    pub fn jump_cache(&mut self) -> *mut JumpCacheEntry {
        self.jump_cache.as_mut_ptr()
    }

    /// The code that returns to the dispatcher.
    pub fn stub(&self) -> usize {
        self.arena.address(0)
    }

    /// The translation entered at `pc`, if there is one.
    #[inline]
    pub fn code_at(&mut self, pc: u64) -> Option<usize> {
        let index = (pc >> 1) as usize & (JUMP_CACHE_ENTRIES - 1);
        if self.jump_cache[index].pc == pc {
            return Some(self.jump_cache[index].code);
        }
        let code = self.address(pc)?;
        self.jump_cache[index] = JumpCacheEntry { pc, code };
        Some(code)
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

    /// Puts a translation of the region at `entry` there. Gives the entries of the
    /// translations that had to go; gives nothing if the code fits no segment.
    ///
    /// No translation may be on any stack.
    pub fn insert(&mut self, entry: u64, code: &Code, made: Made) -> Option<Vec<u64>> {
        let segment_bytes = self.arena.len() / SEGMENTS;
        let len = code.bytes.len();
        if len > segment_bytes - FIRST {
            return None;
        }
        let mut gone = Vec::new();
        let mut start = self.used.next_multiple_of(32);
        if start + len > (self.segment + 1) * segment_bytes {
            self.segment = (self.segment + 1) % SEGMENTS;
            gone = self.in_segment(self.segment);
            for entry in &gone {
                self.remove(*entry);
            }
            start = self.segment * segment_bytes + if self.segment == 0 { FIRST } else { 0 };
        }
        self.remove(entry);
        self.arena.write(start, &code.bytes);
        self.used = start + len;
        self.by_place.insert(start, entry);
        for page in pages(&made.guest) {
            self.by_page.entry(page).or_default().insert(entry);
        }
        let translation = Translation {
            place: start..start + len,
            segment: self.segment,
            origins: code.origins.clone(),
            made,
        };
        self.by_entry.insert(entry, translation);
        if let Some(slot) = self.slot_of.get(&entry) {
            self.slots[*slot as usize] = self.arena.address(start);
        }
        Some(gone)
    }

    fn in_segment(&self, segment: usize) -> Vec<u64> {
        let inside = |t: &Translation| t.segment == segment;
        self.by_entry.iter().filter(|(_, t)| inside(t)).map(|(entry, _)| *entry).collect()
    }

    /// Unlinks and forgets the translation at `entry`; says whether there was one.
    pub fn remove(&mut self, entry: u64) -> bool {
        let Some(translation) = self.by_entry.remove(&entry) else { return false };
        self.by_place.remove(&translation.place.start);
        for page in pages(&translation.made.guest) {
            if let Some(entries) = self.by_page.get_mut(&page) {
                entries.remove(&entry);
                if entries.is_empty() {
                    self.by_page.remove(&page);
                }
            }
        }
        if let Some(slot) = self.slot_of.get(&entry) {
            self.slots[*slot as usize] = self.stub();
        }
        let index = (entry >> 1) as usize & (JUMP_CACHE_ENTRIES - 1);
        if self.jump_cache[index].pc == entry {
            self.jump_cache[index] = EMPTY_ENTRY;
        }
        true
    }

    /// Removes everything.
    pub fn clear(&mut self) -> Vec<u64> {
        let entries = self.entries();
        for entry in &entries {
            self.remove(*entry);
        }
        self.clear_slots();
        entries
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

    /// Where the host instruction at `ip` came from.
    pub fn origin(&self, ip: usize) -> Option<Origin> {
        let offset = ip.checked_sub(self.arena.address(0))?;
        let (start, entry) = self.by_place.range(..=offset).next_back()?;
        let origins = &self.by_entry.get(entry)?.origins;
        let offset = (offset - start) as u32;
        let index = origins.partition_point(|(end, _)| *end <= offset);
        origins.get(index).map(|(_, origin)| *origin)
    }
}

fn pages(code: &[Range<u64>]) -> impl Iterator<Item = u64> {
    code.iter().flat_map(|part| part.start / PAGE..=(part.end - 1) / PAGE)
}
