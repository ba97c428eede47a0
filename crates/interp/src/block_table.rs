//! Where a block is found by its address.
//!
//! Each block that is made was looked for before, and to look for one takes mostly the time to get
//! something from memory. So this is not the usual kind of hash table (one array says where to look in
//! another): all that is to be seen is in one line of the host's caches, and what is near
//! in the guest's code is near here, since control mostly goes to what is near.

use rvrun_host::prefetch;
use std::alloc::{Layout, handle_alloc_error};
use std::arch::x86_64::{
    _mm_castsi128_ps, _mm_cmpeq_epi32, _mm_loadu_si128, _mm_movemask_ps, _mm_set1_epi32,
};
use zerocopy::FromZeros;

/// Index of a block: there are far fewer than there are numbers.
pub type Id = u32;

/// Places of a bucket: so many as a line has room for.
const PLACES: usize = 8;

/// Places that are taken of each bucket, on average, before there have to be more buckets: some
/// are full long before all are.
const FULL: usize = 5;

/// The logarithm of how many bytes of the guest's code have their blocks in one bucket. Most
/// blocks have 10 to 30.
const NEAR: u32 = 6;

/// By how much a table gets larger: who has more than a few blocks has many.
const GROWTH: usize = 4;

/// In place of an [`Id`] and one more where there was a block.
const REMOVED: u32 = u32::MAX;

#[derive(Clone, Copy, FromZeros)]
#[repr(C, align(64))]
struct Bucket {
    /// The low halves of the blocks' addresses.
    lows: [u32; PLACES],
    /// The blocks by their indices and one more, or 0 where there was none: places are taken in
    /// order.
    ids: [u32; PLACES],
}

const _: () = assert!(size_of::<Bucket>() == 64);

/// See the module's documentation.
pub struct BlockTable {
    /// A power of two. A block that has no room where it belongs is in one of the next ones.
    buckets: Vec<Bucket>,
    blocks: usize,
    /// Places where there is a block, or was one.
    taken: usize,
}

impl BlockTable {
    /// An empty one that has room for so many blocks.
    pub fn new(blocks: usize) -> Self {
        Self { buckets: empty((blocks / FULL).next_power_of_two()), blocks: 0, taken: 0 }
    }

    /// The bucket where the block at an address of this low half belongs.
    fn home(&self, low: u32) -> usize {
        /// Of 2 to the power of 32, the golden section: Knuth, The Art of Computer Programming,
        /// volume 3, 6.4.
        const MULTIPLIER: u32 = 0x9e37_79b1;
        let hash = (low >> NEAR).wrapping_mul(MULTIPLIER);
        // The upper bits are the better ones.
        self.wrapped(hash.rotate_left(16) as usize)
    }

    fn wrapped(&self, bucket: usize) -> usize {
        bucket & (self.buckets.len() - 1)
    }

    /// Has the host's processor bring near what says where the block at an address of this low
    /// half is.
    pub fn prefetch(&self, low: u32) {
        let bucket = self.buckets.as_ptr().wrapping_add(self.home(low));
        prefetch::line(bucket);
    }

    /// The block that is the right one of those at addresses of this low half.
    #[inline(always)]
    pub fn find(&self, low: u32, is_right: impl Fn(Id) -> bool) -> Option<Id> {
        let mut at = self.home(low);
        loop {
            let Bucket { lows, ids } = &self.buckets[at];
            for place in places(lows, low) {
                let id = ids[place];
                if is_block(id) && is_right(id - 1) {
                    return Some(id - 1);
                }
            }
            if ids[PLACES - 1] == 0 {
                return None;
            }
            at = self.wrapped(at + 1);
        }
    }

    /// Adds a block, which is not there, at an address of this low half.
    #[inline(always)]
    pub fn insert(&mut self, low: u32, id: Id) {
        if self.taken >= self.buckets.len() * FULL {
            self.grow();
        }
        self.put(low, id);
        self.blocks += 1;
    }

    #[inline(always)]
    fn put(&mut self, low: u32, id: Id) {
        let mut at = self.home(low);
        loop {
            let Bucket { lows, ids } = &mut self.buckets[at];
            if let Some(place) = places(ids, 0).next() {
                (lows[place], ids[place]) = (low, id + 1);
                self.taken += 1;
                return;
            }
            at = self.wrapped(at + 1);
        }
    }

    /// Makes room, by leaving out what was removed if that is much.
    #[cold]
    fn grow(&mut self) {
        let growth = if self.blocks > self.taken / 2 { GROWTH } else { 1 };
        let old = std::mem::take(&mut self.buckets);
        self.buckets = empty(old.len() * growth);
        self.taken = 0;
        for Bucket { lows, ids } in old {
            for (low, id) in lows.into_iter().zip(ids).filter(|(_, id)| is_block(*id)) {
                self.put(low, id - 1);
            }
        }
    }

    /// Removes that block, if it is there at an address of this low half.
    pub fn remove(&mut self, low: u32, id: Id) {
        let mut at = self.home(low);
        loop {
            let ids = &mut self.buckets[at].ids;
            if let Some(place) = places(ids, id + 1).next() {
                ids[place] = REMOVED;
                self.blocks -= 1;
                return;
            }
            if ids[PLACES - 1] == 0 {
                return;
            }
            at = self.wrapped(at + 1);
        }
    }

    /// All blocks, in no order.
    pub fn ids(&self) -> impl Iterator<Item = Id> {
        let ids = self.buckets.iter().flat_map(|bucket| bucket.ids);
        ids.filter(|id| is_block(*id)).map(|id| id - 1)
    }
}

/// The places of a bucket that have `word`, in order.
#[inline(always)]
fn places(words: &[u32; PLACES], word: u32) -> impl Iterator<Item = usize> + use<> {
    let half = |at: usize| {
        // SAFETY: four words are there; any host has these instructions.
        let equal = unsafe {
            let words = _mm_loadu_si128(words[at..at + 4].as_ptr().cast());
            _mm_castsi128_ps(_mm_cmpeq_epi32(words, _mm_set1_epi32(word as i32)))
        };
        // SAFETY: as before.
        unsafe { _mm_movemask_ps(equal) as u32 }
    };
    let mut equal = half(0) | half(4) << 4;
    std::iter::from_fn(move || {
        let place = equal.trailing_zeros() as usize;
        equal &= equal.wrapping_sub(1);
        (place < PLACES).then_some(place)
    })
}

/// Whether a place has a block.
fn is_block(id: u32) -> bool {
    id != 0 && id != REMOVED
}

/// So many buckets, whose memory is taken when they are used.
fn empty(buckets: usize) -> Vec<Bucket> {
    Bucket::new_vec_zeroed(buckets).unwrap_or_else(|_| {
        handle_alloc_error(Layout::array::<Bucket>(buckets).unwrap_or(Layout::new::<Bucket>()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn is_same(table: &BlockTable, lows: &BTreeMap<Id, u32>) -> bool {
        let mut ids: Vec<Id> = table.ids().collect();
        ids.sort_unstable();
        let is_there = |(id, low): (&Id, &u32)| table.find(*low, |found| found == *id) == Some(*id);
        ids == lows.keys().copied().collect::<Vec<_>>() && lows.iter().all(is_there)
    }

    #[test]
    fn blocks_are_found_until_they_are_removed() {
        // Far apart, near, and of the same low half.
        for distance in [0x9_8765, 2, 0] {
            let mut table = BlockTable::new(10);
            let low = |id: Id| id.wrapping_mul(distance);
            let mut there = BTreeMap::new();
            for id in 0..300 {
                table.insert(low(id), id);
                there.insert(id, low(id));
                if id % 3 == 2 {
                    table.remove(low(id - 1), id - 1);
                    there.remove(&(id - 1));
                }
                assert!(is_same(&table, &there), "{distance} {id}");
            }
            assert_eq!(table.find(low(1), |id| id == 1), None);
            assert_eq!(table.find(1, |_| true), None, "nobody is there");
        }
    }

    #[test]
    fn what_is_removed_takes_no_room_for_long() {
        let mut table = BlockTable::new(100);
        let buckets = table.buckets.len();
        for id in 0..100_000 {
            table.insert(2 * id, id);
            table.remove(2 * id, id);
        }
        assert_eq!(table.buckets.len(), buckets);
        assert_eq!(table.ids().next(), None);
    }
}
