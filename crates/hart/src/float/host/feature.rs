//! What not every x86-64 host has.

use std::sync::atomic::{AtomicBool, Ordering};

/// An extension of the host's instruction set.
pub(super) struct Feature {
    present: AtomicBool,
    detect: fn() -> bool,
}

pub(super) static FMA: Feature = Feature::new(|| is_x86_feature_detected!("fma"));
pub(super) static SSE41: Feature = Feature::new(|| is_x86_feature_detected!("sse4.1"));
pub(super) static F16C: Feature = Feature::new(|| is_x86_feature_detected!("f16c"));

impl Feature {
    const fn new(detect: fn() -> bool) -> Self {
        Self { present: AtomicBool::new(false), detect }
    }

    /// Whether the host is known to have the feature: one load, which stays
    /// false until somebody calls [`Self::look`].
    #[inline(always)]
    pub fn is_known(&self) -> bool {
        self.present.load(Ordering::Relaxed)
    }

    /// Finds out whether the host has the feature. For cold paths, which then
    /// do their work without it once more.
    pub fn look(&self) {
        if (self.detect)() {
            self.present.store(true, Ordering::Relaxed);
        }
    }
}
