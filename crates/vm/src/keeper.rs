//! Translations, sheets of blocks and profiles in the cache on disk.

use crate::profile::Profile;
use crate::program::CacheConfig;
use rustc_hash::FxHashMap;
use rvrun_cache::Cache;
use rvrun_host::lock::Mutex;
use rvrun_host::time::{process_time, thread_time};
use rvrun_interp::{Known, PAGE, Phase, SheetMaker};
use rvrun_isa::Extensions;
use rvrun_jit::{Keeper, Variant};
use rvrun_memory::AddressSpace;
use std::cmp::Reverse;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The number of an object's profile: no translation has it.
const PROFILE: u64 = u64::MAX;

/// What is set in the number of a sheet, which is its page's distance and its phase beside. No
/// translation has such a number.
const SHEET: u64 = 1 << 63;

/// A process that has used less CPU time writes no profile: what is short and runs often, as
/// what a shell forks does, would write more than it is worth.
const SHORT: Duration = Duration::from_millis(100);

/// Bytes of sheets that a process writes at least, for the same reason, unless it was asked to.
const FEW_BYTES: usize = 64 << 10;

/// What part of its CPU time a process makes sheets for, and how long at most, unless it was asked to:
/// what is left is for the next one.
const PART: u32 = 16;
const MOST: Duration = Duration::from_millis(250);

/// Time that is worth to begin with that.
const LEAST: Duration = Duration::from_millis(1);

/// Of the blocks of a sheet, what part has to be new for it to be made anew.
const NEW_PART: usize = 8;

/// Blocks that are remembered.
const MOST_BLOCKS: usize = 1 << 20;

/// What entries of a program on harts with these extensions depend on.
fn version(extensions: Extensions) -> Vec<u8> {
    let mut version = rvrun_jit::version();
    version.extend(rvrun_interp::version());
    version.extend(extensions.names().flat_map(str::bytes));
    version
}

/// What this run has found.
#[derive(Default)]
struct News {
    /// By the number of the object.
    profiles: FxHashMap<u32, Profile>,
    /// Blocks that no sheet had, or not with host code, by the phase in which they were reached.
    reached: [Vec<Known>; 2],
    /// How many blocks the sheets have that were looked at, by the object's number and their own.
    found: FxHashMap<(u32, u64), usize>,
}

impl News {
    /// Short programs bring none.
    fn are_none(&self) -> bool {
        self.profiles.is_empty() && self.reached.iter().all(Vec::is_empty)
    }
}

/// The engines' way to the cache.
pub struct Kept {
    cache: Cache,
    news: Mutex<News>,
    /// Whether there can be any: not in the child of a fork whose parent was noting some just then.
    is_noting: AtomicBool,
}

impl Kept {
    /// The cache for programs in `space` on harts with these extensions.
    pub fn new(config: CacheConfig, extensions: Extensions, space: &AddressSpace) -> Arc<Self> {
        let CacheConfig { directory, writes } = config;
        let cache = Cache::new(directory, Box::new(move || version(extensions)), writes);
        // What it cannot keep is not worth finding.
        let is_noting = AtomicBool::new(writes);
        let kept = Arc::new(Self { cache, news: Mutex::default(), is_noting });
        let namer = kept.clone();
        space.number_code_files(Box::new(move |file| namer.cache.number(file)));
        kept
    }

    fn is_noting(&self) -> bool {
        self.is_noting.load(Ordering::Relaxed)
    }

    /// Does something with the profile of an object, if there are any.
    fn with_profile<T>(&self, object: u32, look: impl FnOnce(&mut Profile) -> T) -> Option<T> {
        self.is_noting().then(|| {
            let mut news = self.news.lock();
            look(news.profiles.entry(object).or_insert_with(|| {
                let mut room = Vec::new();
                Profile::read(self.cache.get(object, PROFILE, &mut room).unwrap_or_default())
            }))
        })
    }

    /// Whether an earlier run found the code hot that is so far from the beginning of an object.
    pub fn was_hot(&self, object: u32, distance: u64) -> bool {
        self.with_profile(object, |profile| profile.was_hot(distance)).unwrap_or(false)
    }

    /// Notes that this run did.
    pub fn note_hot(&self, object: u32, distance: u64) {
        self.with_profile(object, |profile| profile.note(distance));
    }

    fn save_profiles(&self) {
        let profiles = std::mem::take(&mut self.news.lock().profiles);
        for (object, profile) in profiles {
            let is_translated = |distance: u64| {
                let variants = [false, true].map(|precise| Variant { distance, precise });
                variants.iter().any(|which| self.cache.has(object, number(*which)))
            };
            if let Some(bytes) = profile.write(is_translated) {
                self.cache.put(object, PROFILE, bytes);
            }
        }
    }

    /// Writes what is new of a program in `space` on harts with these extensions; if it `waits`, since
    /// it was asked to, all of it, and even if others are just doing so.
    pub fn save(&self, space: &AddressSpace, extensions: Extensions, waits: bool) {
        if self.is_noting() && !self.news.lock().are_none() {
            let time = process_time();
            if time >= SHORT {
                self.save_profiles();
            }
            self.save_sheets(space, extensions, (!waits).then_some(MOST.min(time / PART)));
        }
        let label = |path: PathBuf| path.into_os_string().into_vec();
        self.cache.save(waits, || space.code_files().map(|(n, path)| (n, label(path))).collect());
    }

    /// Makes sheets of the pages with blocks that none had, those with most of them first, for so long
    /// at most.
    fn save_sheets(&self, space: &AddressSpace, extensions: Extensions, most: Option<Duration>) {
        if most.is_some_and(|most| most < LEAST) {
            return;
        }
        let reached = std::mem::take(&mut self.news.lock().reached);
        let [early, late] = reached.map(sorted);
        let page = |block: &Known| block.0 / PAGE;
        let pages = |blocks: &[Known], phase| {
            let pages = blocks.chunk_by(|a, b| page(a) == page(b));
            pages.map(|page| (phase, page.to_vec())).collect::<Vec<_>>()
        };
        let mut all = [pages(&early, Phase::Early), pages(&late, Phase::Late)].concat();
        all.sort_by_key(|(_, blocks)| Reverse(blocks.len()));
        let start = thread_time();
        let mut made = Vec::new();
        let mut maker = None;
        for (phase, blocks) in all {
            if most.is_some_and(|most| thread_time().saturating_sub(start) > most) {
                break;
            }
            made.extend(self.sheet(&blocks, phase, space, extensions, &mut maker));
        }
        let bytes: usize = made.iter().map(|(.., sheet)| sheet.len()).sum();
        if most.is_none() || bytes >= FEW_BYTES {
            for (object, number, sheet) in made {
                self.cache.put(object, number, sheet);
            }
        }
    }

    /// A sheet of these blocks, which are in one page and no sheet had so, and those that the one of
    /// that page and this phase has, if these are enough; with the numbers of the object and of itself.
    fn sheet(
        &self,
        blocks: &[Known],
        phase: Phase,
        space: &AddressSpace,
        extensions: Extensions,
        maker: &mut Option<SheetMaker>,
    ) -> Option<(u32, u64, Vec<u8>)> {
        let (first, _) = *blocks.first()?;
        let region = space.code_region(first).filter(|region| !region.writable)?;
        let (object, base) = region.object?;
        let number = sheet((first - first % PAGE).wrapping_sub(base), phase);
        // Without reading it, where even if all of these are new they are too few.
        let found = self.news.lock().found.get(&(object, number)).copied();
        if found.is_some_and(|found| blocks.len() * NEW_PART < found) {
            return None;
        }
        let mut room = Vec::new();
        let old = self.cache.get(object, number, &mut room);
        let known = old.and_then(|old| rvrun_interp::known(old, base, &region.range));
        let mut all = known.unwrap_or_default();
        let is_new = |(pc, warm): &&Known| {
            let there = all.binary_search_by_key(pc, |block| block.0).map(|n| all[n].1);
            there.is_err() || *warm && there == Ok(false)
        };
        let new = blocks.iter().filter(is_new).count();
        if new == 0 || new * NEW_PART < all.len() {
            return None;
        }
        all.extend_from_slice(blocks);
        let all = sorted(all);
        if maker.is_none() {
            *maker = SheetMaker::new(extensions);
        }
        Some((object, number, maker.as_mut()?.make(&all, &region.range, base)?))
    }

    /// In the child of a fork, which has found nothing yet.
    pub fn forked(&self) {
        match self.news.try_lock() {
            Some(mut news) => *news = News::default(),
            None => self.is_noting.store(false, Ordering::Relaxed),
        }
        self.cache.forked();
    }
}

/// The number of the sheet of the page that is so far from an object's base.
fn sheet(distance: u64, phase: Phase) -> u64 {
    distance | SHEET | phase as u64
}

/// The same blocks once each, in ascending order.
fn sorted(mut blocks: Vec<Known>) -> Vec<Known> {
    // What is warm comes first, and stays.
    blocks.sort_unstable_by_key(|(pc, warm)| (*pc, !warm));
    blocks.dedup_by_key(|(pc, _)| *pc);
    blocks
}

fn number(which: Variant) -> u64 {
    which.distance << 1 | u64::from(which.precise)
}

impl Keeper for Kept {
    fn get<'a>(&self, object: u32, which: Variant, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        self.cache.get(object, number(which), room)
    }

    fn put(&self, object: u32, which: Variant, translation: Vec<u8>) {
        self.cache.put(object, number(which), translation);
    }
}

impl rvrun_interp::Keeper for Kept {
    fn get<'a>(
        &self,
        object: u32,
        distance: u64,
        phase: Phase,
        room: &'a mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        let number = sheet(distance, phase);
        let found = self.cache.get(object, number, room)?;
        if self.is_noting() {
            self.news.lock().found.insert((object, number), rvrun_interp::count(found));
        }
        Some(found)
    }

    fn reached(&self, pc: u64, warm: bool, phase: Phase) {
        if self.is_noting() {
            let reached = &mut self.news.lock().reached[phase as usize];
            if reached.len() < MOST_BLOCKS {
                reached.push((pc, warm));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rvrun_cache::directory::Directory;
    use std::os::fd::{AsFd, AsRawFd};

    #[test]
    fn the_next_run_knows_what_was_hot_and_is_not_translated() {
        let directory = tempfile::TempDir::new().unwrap();
        let kept = |writes| {
            let directory = Directory::new(directory.path().join("cache"), 1 << 20);
            Kept::new(CacheConfig { directory, writes }, Extensions::ALL, &AddressSpace::new())
        };
        let object = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let number = |kept: &Kept| kept.cache.number(object.as_fd()).unwrap();
        let which = Variant { distance: 0x80, precise: false };

        let first = kept(true);
        let object = number(&first);
        assert!(!first.was_hot(object, 0x40));
        [0x40, 0x80].into_iter().for_each(|distance| first.note_hot(object, distance));
        first.put(object, which, vec![1]);
        first.save_profiles();
        first.cache.save(true, FxHashMap::default);

        let second = kept(true);
        let object = number(&second);
        assert!(second.was_hot(object, 0x40));
        assert!(!second.was_hot(object, 0x80), "it is translated");
        second.note_hot(object, 0xc0);
        second.forked();
        second.save_profiles();
        second.cache.save(true, FxHashMap::default);
        let third = kept(false);
        assert!(!third.was_hot(number(&third), 0x40), "it could not keep what it translates");
        let third = kept(true);
        assert!(!third.was_hot(number(&third), 0xc0), "what a parent finds is not its child's");
    }

    /// What a test needs of a program: a page of its code, and who keeps what.
    struct Program {
        space: AddressSpace,
        kept: Arc<Kept>,
        code: u64,
        object: u32,
    }

    impl Program {
        fn new(directory: &std::path::Path) -> Self {
            let directory = Directory::new(directory.join("cache"), 1 << 20);
            let space = AddressSpace::new();
            let config = CacheConfig { directory, writes: true };
            let kept = Kept::new(config, Extensions::ALL, &space);
            let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
            let (prot, flags) = (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE);
            let code = space.mmap(0, PAGE, prot, flags, file.as_raw_fd(), PAGE, None).unwrap();
            let object = kept.cache.number(file.as_fd()).unwrap();
            Self { space, kept, code, object }
        }

        fn reached(&self, distances: &[u64], warm: bool, phase: Phase) {
            let keeper: &dyn rvrun_interp::Keeper = &*self.kept;
            distances.iter().for_each(|distance| keeper.reached(self.code + distance, warm, phase));
        }

        /// The blocks of the sheet, and which of them have host code.
        fn sheet(&self, phase: Phase) -> Option<Vec<Known>> {
            let mut room = Vec::new();
            let sheet =
                rvrun_interp::Keeper::get(&*self.kept, self.object, PAGE, phase, &mut room)?;
            let base = self.code - PAGE;
            let blocks = rvrun_interp::known(sheet, base, &(self.code..self.code + PAGE))?;
            Some(blocks.into_iter().map(|(pc, warm)| (pc - self.code, warm)).collect())
        }

        fn save(&self) {
            self.kept.save(&self.space, Extensions::ALL, true);
        }
    }

    #[test]
    fn what_a_program_reached_is_on_the_sheet_of_the_next_one() {
        use Phase::{Early, Late};
        let directory = tempfile::TempDir::new().unwrap();
        let short = Program::new(directory.path());
        short.reached(&[64, 16, 8], false, Early);
        short.save();
        let long = Program::new(directory.path());
        let shorts = [(8, false), (16, false), (64, false)];
        assert_eq!(long.sheet(Early), Some(shorts.to_vec()));
        long.reached(&[0, 32], false, Early);
        long.reached(&[0], true, Early);
        long.reached(&[48], false, Late);
        long.reached(&[32], true, Late);
        long.save();
        let next = Program::new(directory.path());
        let expected = vec![(0, true), (8, false), (16, false), (32, false), (64, false)];
        assert_eq!(next.sheet(Early), Some(expected.clone()), "what was there, too");
        assert_eq!(next.sheet(Late), Some(vec![(32, true), (48, false)]), "and no more there");
        next.reached(&[0, 16], false, Early);
        next.kept.forked();
        next.save();
        next.reached(&[0], true, Early);
        next.save();
        assert_eq!(next.sheet(Early), Some(expected), "nothing is new");
        next.reached(&[16], true, Early);
        next.save();
        let expected = vec![(0, true), (8, false), (16, true), (32, false), (64, false)];
        assert_eq!(Program::new(directory.path()).sheet(Early), Some(expected));
    }

    #[test]
    fn who_was_not_asked_makes_no_sheets_for_little() {
        let directory = tempfile::TempDir::new().unwrap();
        let program = Program::new(directory.path());
        program.reached(&[0, 8, 64], false, Phase::Early);
        program.kept.save(&program.space, Extensions::ALL, false);
        assert_eq!(Program::new(directory.path()).sheet(Phase::Early), None);
    }

    #[test]
    fn a_child_does_without_profiles_that_another_thread_was_using() {
        let directory = Directory::new("/nonexistent".into(), 1 << 20);
        let config = CacheConfig { directory, writes: true };
        let space = AddressSpace::new();
        let kept = Kept::new(config, Extensions::ALL, &space);
        let held = kept.news.lock();
        kept.forked();
        // None of these waits.
        kept.note_hot(0, 0x40);
        assert!(!kept.was_hot(0, 0x40));
        kept.save(&space, Extensions::ALL, true);
        drop(held);
    }
}
