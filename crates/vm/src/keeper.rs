//! Translations in the cache on disk.

use crate::program::CacheConfig;
use rvrun_cache::Cache;
use rvrun_isa::Extensions;
use rvrun_jit::{Keeper, Variant};
use rvrun_memory::AddressSpace;
use std::sync::Arc;

/// What entries of a program on harts with these extensions depend on.
fn version(extensions: Extensions) -> Vec<u8> {
    let mut version = rvrun_jit::version();
    version.extend(extensions.names().flat_map(str::bytes));
    version
}

/// The translator's way to the cache.
pub struct Kept(Cache);

impl Kept {
    /// The cache for programs in `space` on harts with these extensions.
    pub fn new(config: CacheConfig, extensions: Extensions, space: &AddressSpace) -> Arc<Self> {
        let CacheConfig { directory, writes } = config;
        let kept = Arc::new(Self(Cache::new(directory, version(extensions), writes)));
        let namer = kept.clone();
        space.number_code_files(Box::new(move |file| namer.0.number(file)));
        kept
    }

    /// Whether there were translations of this object before this process.
    pub fn has_any(&self, object: u32) -> bool {
        self.0.has_any(object)
    }

    /// Writes what is new, even if it has to wait for others who do.
    pub fn save(&self, waits: bool) {
        self.0.save(waits);
    }

    /// In the child of a fork.
    pub fn forked(&self) {
        self.0.forked();
    }
}

fn number(which: Variant) -> u64 {
    which.distance << 1 | u64::from(which.precise)
}

impl Keeper for Kept {
    fn has(&self, object: u32, which: Variant) -> bool {
        self.0.has(object, number(which))
    }

    fn get<'a>(&self, object: u32, which: Variant, room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        self.0.get(object, number(which), room)
    }

    fn put(&self, object: u32, which: Variant, translation: Vec<u8>) {
        self.0.put(object, number(which), translation);
    }
}
