//! Translations, host code of blocks and profiles in the cache on disk.

use crate::profile::Profile;
use crate::program::CacheConfig;
use rustc_hash::FxHashMap;
use rvrun_cache::Cache;
use rvrun_host::lock::Mutex;
use rvrun_host::time::process_time;
use rvrun_isa::Extensions;
use rvrun_jit::{Keeper, Variant};
use rvrun_memory::AddressSpace;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// The number of an object's profile: no translation has it.
const PROFILE: u64 = u64::MAX;

/// What is set in the number of a trace, which is its first block's distance beside. No
/// translation has such a number.
const TRACE: u64 = 1 << 63;

/// A process that has used less CPU time writes no profile: what is short and runs often, as
/// what a shell forks does, would write more than it is worth.
const SHORT: Duration = Duration::from_millis(100);

/// Bytes of traces that a process writes at least, for the same reason, unless it was asked to: to
/// make them anew takes a fifth of a millisecond.
const FEW_TRACES: usize = 64 << 10;

/// Bytes of traces that it writes at most, unless it was asked to: what is left is for the next one.
const MANY_TRACES: usize = 16 << 20;

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
    /// With the number of the object, and their own.
    traces: Vec<(u32, u64, Vec<u8>)>,
}

/// The engines' way to the cache.
pub struct Kept {
    cache: Cache,
    news: Mutex<News>,
    /// Whether there can be any: not in the child of a fork whose parent was noting some just then.
    is_noting: AtomicBool,
    /// Bytes of traces, and how many there may be.
    trace_bytes: AtomicUsize,
    most_trace_bytes: usize,
}

impl Kept {
    /// The cache for programs in `space` on harts with these extensions. `waits` says that this
    /// process was asked to [keep](Self::save) what it finds.
    pub fn new(
        config: CacheConfig,
        extensions: Extensions,
        space: &AddressSpace,
        waits: bool,
    ) -> Arc<Self> {
        let CacheConfig { directory, writes } = config;
        let cache = Cache::new(directory, Box::new(move || version(extensions)), writes);
        // What it cannot keep is not worth finding.
        let is_noting = AtomicBool::new(writes);
        let kept = Arc::new(Self {
            cache,
            news: Mutex::default(),
            is_noting,
            trace_bytes: AtomicUsize::new(0),
            most_trace_bytes: if waits { usize::MAX } else { MANY_TRACES },
        });
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

    /// Writes what is new; if it `waits`, even if others are just doing so.
    pub fn save(&self, waits: bool) {
        if self.is_noting() {
            if process_time() >= SHORT {
                self.save_profiles();
            }
            if waits || self.trace_bytes.load(Ordering::Relaxed) >= FEW_TRACES {
                for (object, number, trace) in std::mem::take(&mut self.news.lock().traces) {
                    self.cache.put(object, number, trace);
                }
            }
        }
        self.cache.save(waits);
    }

    /// In the child of a fork, which has found nothing yet.
    pub fn forked(&self) {
        match self.news.try_lock() {
            Some(mut news) => *news = News::default(),
            None => self.is_noting.store(false, Ordering::Relaxed),
        }
        self.trace_bytes.store(0, Ordering::Relaxed);
        self.cache.forked();
    }
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
    fn get<'a>(&self, object: u32, distance: u64, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        self.cache.get(object, distance | TRACE, room)
    }

    fn put(&self, object: u32, distance: u64, trace: Vec<u8>) {
        if self.is_writing() {
            self.trace_bytes.fetch_add(trace.len(), Ordering::Relaxed);
            self.news.lock().traces.push((object, distance | TRACE, trace));
        }
    }

    fn is_writing(&self) -> bool {
        self.is_noting() && self.trace_bytes.load(Ordering::Relaxed) < self.most_trace_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rvrun_cache::directory::Directory;
    use std::os::fd::AsFd;

    #[test]
    fn the_next_run_knows_what_was_hot_and_is_not_translated() {
        let directory = tempfile::TempDir::new().unwrap();
        let kept = |writes| {
            let directory = Directory::new(directory.path().join("cache"), 1 << 20);
            Kept::new(
                CacheConfig { directory, writes },
                Extensions::ALL,
                &AddressSpace::new(),
                false,
            )
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
        first.cache.save(true);

        let second = kept(true);
        let object = number(&second);
        assert!(second.was_hot(object, 0x40));
        assert!(!second.was_hot(object, 0x80), "it is translated");
        second.note_hot(object, 0xc0);
        second.forked();
        second.save_profiles();
        second.cache.save(true);
        let third = kept(false);
        assert!(!third.was_hot(number(&third), 0x40), "it could not keep what it translates");
        let third = kept(true);
        assert!(!third.was_hot(number(&third), 0xc0), "what a parent finds is not its child's");
    }

    #[test]
    fn traces_are_written_if_there_are_enough_and_not_too_many() {
        use rvrun_interp::Keeper;
        let directory = tempfile::TempDir::new().unwrap();
        let kept = || {
            let directory = Directory::new(directory.path().join("cache"), 512 << 20);
            let config = CacheConfig { directory, writes: true };
            Kept::new(config, Extensions::ALL, &AddressSpace::new(), false)
        };
        let object = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let number = |kept: &Kept| kept.cache.number(object.as_fd()).unwrap();
        let written = |distance: u64| {
            let kept = kept();
            let mut room = Vec::new();
            Keeper::get(&*kept, number(&kept), distance, &mut room).map(<[u8]>::len)
        };
        let write = |traces: &[(u64, usize)], forks: bool| {
            let kept = kept();
            for (distance, len) in traces {
                Keeper::put(&*kept, number(&kept), *distance, vec![0; *len]);
            }
            if forks {
                kept.forked();
            }
            kept.save(false);
        };
        write(&[(0x40, 100), (0x80, FEW_TRACES - 101)], false);
        assert_eq!(written(0x40), None, "it is made anew at once");
        write(&[(0x40, 100), (0x80, FEW_TRACES)], true);
        assert_eq!(written(0x40), None, "its parent writes it");
        write(&[(0x40, 100), (0x80, FEW_TRACES - 100)], false);
        assert_eq!(written(0x40), Some(100));
        write(&[(0xc0, MANY_TRACES), (0x100, 100)], false);
        assert_eq!((written(0xc0), written(0x100)), (Some(MANY_TRACES), None));
    }

    #[test]
    fn a_child_does_without_profiles_that_another_thread_was_using() {
        let directory = Directory::new("/nonexistent".into(), 1 << 20);
        let config = CacheConfig { directory, writes: true };
        let kept = Kept::new(config, Extensions::ALL, &AddressSpace::new(), false);
        let held = kept.news.lock();
        kept.forked();
        // None of these waits.
        kept.note_hot(0, 0x40);
        assert!(!kept.was_hot(0, 0x40));
        kept.save(true);
        drop(held);
    }
}
