//! What runs of a program found hot in an object and did not get to translate: it had no loop, or
//! compiling had taken enough of the time. The next run that comes by it translates it sooner,
//! since it is not the last one either.

use rustc_hash::FxHashSet;

/// Places that are remembered of an object.
const MOST: usize = 4096;

/// See the module's documentation. Places are distances from the object's first byte.
#[derive(Default)]
pub struct Profile {
    /// What earlier runs found, in ascending order.
    before: Vec<u64>,
    /// What this run has found.
    now: FxHashSet<u64>,
}

impl Profile {
    /// The profile that was [written](Self::write).
    pub fn read(bytes: &[u8]) -> Self {
        let before = bytes.as_chunks().0.iter().map(|place| u64::from_le_bytes(*place)).collect();
        Self { before, now: FxHashSet::default() }
    }

    /// Whether an earlier run found this place hot.
    pub fn was_hot(&self, place: u64) -> bool {
        self.before.binary_search(&place).is_ok()
    }

    /// Notes that this run did.
    pub fn note(&mut self, place: u64) {
        if self.now.len() < MOST {
            self.now.insert(place);
        }
    }

    /// What to write for the next run; nothing if that knows all of it. What `is_translated`
    /// need not be known.
    pub fn write(mut self, is_translated: impl Fn(u64) -> bool) -> Option<Vec<u8>> {
        let before = std::mem::take(&mut self.before);
        self.now.retain(|place| before.binary_search(place).is_err() && !is_translated(*place));
        if self.now.is_empty() {
            return None;
        }
        let old = before.into_iter().filter(|place| !is_translated(*place));
        let mut all: Vec<u64> = self.now.into_iter().chain(old).take(MOST).collect();
        all.sort_unstable();
        Some(all.into_iter().flat_map(u64::to_le_bytes).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(bytes: Option<Vec<u8>>) -> Option<Vec<u64>> {
        bytes.map(|bytes| Profile::read(&bytes).before)
    }

    fn profile(before: &[u64], now: &[u64]) -> Profile {
        Profile { before: before.to_vec(), now: now.iter().copied().collect() }
    }

    #[test]
    fn the_next_run_knows_what_all_have_found_but_what_is_translated() {
        let written = profile(&[4, 8, 12], &[6, 8, 14, 2]).write(|place| [4, 14].contains(&place));
        assert_eq!(places(written), Some(vec![2, 6, 8, 12]));
    }

    #[test]
    fn nothing_is_written_without_news() {
        assert_eq!(profile(&[4, 8], &[8, 12]).write(|place| place == 12), None);
        assert_eq!(profile(&[4], &[]).write(|_| false), None);
    }

    #[test]
    fn what_was_written_was_hot() {
        let mut profile = Profile::default();
        profile.note(8);
        assert!(!profile.was_hot(8), "not before");
        let read = Profile::read(&profile.write(|_| false).unwrap());
        assert!(read.was_hot(8) && !read.was_hot(4));
        assert!(!Profile::read(&[1, 2, 3]).was_hot(0), "what is damaged has nothing");
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let before: Vec<u64> = (0..MOST as u64).collect();
        let written = profile(&before, &[1 << 40]).write(|_| false);
        let all = places(written).unwrap();
        assert_eq!(all.len(), MOST);
        assert!(all.contains(&(1 << 40)), "what is new");
    }
}
