//! Where a hart's translations look up where to go on: a direct-mapped cache of what the store
//! has, read by translated code.

/// Entries at first, as many as fit a page: a short program touches all pages of any cache.
const FEWEST: usize = 1 << 8;
const MOST: usize = 1 << 14;
/// How many times as many there are when as many have come to replace others.
const GROWTH: usize = 4;

/// What is known of a guest address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Entry {
    /// The address; 1, which is none, if the entry is empty.
    pub pc: u64,
    /// Address of the translation, or of what leaves translated code.
    pub code: usize,
}

const EMPTY: Entry = Entry { pc: 1, code: 0 };

// Translated code gets from an address, which is even, to the entry by a shift.
const _: () = assert!(size_of::<Entry>() == 2 << SHIFT);

/// By how much an address is shifted for the distance of its entry in bytes.
pub(crate) const SHIFT: i64 = 3;

/// See the module's documentation.
pub(crate) struct JumpCache {
    /// As many as a power of two.
    entries: Box<[Entry]>,
    /// Entries that took another one's place since there are so many.
    replaced: usize,
}

impl JumpCache {
    /// One that knows nothing.
    pub fn new() -> Self {
        Self::with_entries(FEWEST)
    }

    fn with_entries(count: usize) -> Self {
        Self { entries: vec![EMPTY; count].into(), replaced: 0 }
    }

    /// The first entry.
    pub fn start(&self) -> *const Entry {
        self.entries.as_ptr()
    }

    /// What of a [shifted](SHIFT) address is the distance of its entry from the first.
    pub fn mask(&self) -> u64 {
        ((self.entries.len() - 1) * size_of::<Entry>()) as u64
    }

    fn index(&self, pc: u64) -> usize {
        (pc << SHIFT & self.mask()) as usize / size_of::<Entry>()
    }

    fn place(&mut self, pc: u64) -> &mut Entry {
        let index = self.index(pc);
        &mut self.entries[index]
    }

    /// The code for `pc`, if it is known.
    pub fn get(&self, pc: u64) -> Option<usize> {
        let entry = self.entries[self.index(pc)];
        (entry.pc == pc).then_some(entry.code)
    }

    /// Remembers the code for `pc`. The entries may be elsewhere then.
    pub fn put(&mut self, pc: u64, code: usize) {
        let place = self.place(pc);
        let replaces = ![EMPTY.pc, pc].contains(&place.pc);
        *place = Entry { pc, code };
        self.replaced += usize::from(replaces);
        let count = self.entries.len();
        if self.replaced > count && count < MOST {
            *self = Self::with_entries(count * GROWTH);
        }
    }

    /// Forgets `pc`.
    pub fn forget(&mut self, pc: u64) {
        let place = self.place(pc);
        if place.pc == pc {
            *place = EMPTY;
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.fill(EMPTY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(cache: &JumpCache, pcs: impl IntoIterator<Item = u64>) -> Vec<u64> {
        pcs.into_iter().filter(|pc| cache.get(*pc) == Some(*pc as usize + 1)).collect()
    }

    #[test]
    fn what_was_put_there_is_known_until_it_is_forgotten() {
        let mut cache = JumpCache::new();
        let pcs = [0, 2, 0x1000, u64::MAX - 1];
        assert_eq!(pcs.map(|pc| cache.get(pc)), [None; 4]);
        pcs.iter().for_each(|pc| cache.put(*pc, *pc as usize + 1));
        assert_eq!(known(&cache, pcs), [2, 0x1000, u64::MAX - 1], "0 and 0x1000 share a place");
        cache.forget(0);
        cache.forget(2);
        assert_eq!(known(&cache, pcs), [0x1000, u64::MAX - 1]);
        cache.clear();
        assert_eq!(pcs.map(|pc| cache.get(pc)), [None; 4]);
    }

    #[test]
    fn it_grows_when_entries_replace_one_another() {
        let mut cache = JumpCache::new();
        let pcs = || (0..4 * FEWEST as u64).map(|n| 2 * n);
        let put_all = |cache: &mut JumpCache| pcs().for_each(|pc| cache.put(pc, pc as usize + 1));
        put_all(&mut cache);
        assert!(known(&cache, pcs()).len() < 4 * FEWEST);
        put_all(&mut cache);
        put_all(&mut cache);
        assert_eq!(known(&cache, pcs()).len(), 4 * FEWEST, "there is room for all");
        assert_eq!(cache.get(8 * FEWEST as u64), None);
        (0..100 * MOST as u64).for_each(|n| cache.put(2 * n, 1));
        assert_eq!(cache.entries.len(), MOST);
    }

    #[test]
    fn the_mask_finds_what_translated_code_looks_for() {
        let mut cache = JumpCache::new();
        let pc = 0x12_3456;
        cache.put(pc, 7);
        let distance = pc << SHIFT & cache.mask();
        let entry = cache.entries[distance as usize / size_of::<Entry>()];
        assert_eq!(entry, Entry { pc, code: 7 });
    }
}
