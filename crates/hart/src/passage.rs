//! A way for one engine's code into another engine and back, on the same hart.

use crate::Hart;
use std::marker::PhantomData;

/// Has an engine execute the hart's program from its pc on. Returns the hart's pc when the
/// program has got to what that engine does not execute, or an odd number if something else
/// has to happen first, of which the engine knows what.
pub type Enter = unsafe extern "sysv64" fn(engine: *mut (), hart: *mut Hart) -> u64;

/// See the module's documentation. While it exists, nobody else uses the engine, nor the hart.
#[derive(Debug)]
pub struct Passage<'a> {
    enter: Enter,
    engine: *mut (),
    hart: *mut Hart,
    lent: PhantomData<&'a mut Hart>,
}

impl Passage<'_> {
    /// The way into `engine`.
    ///
    /// # Safety
    /// For as long as the passage exists, `enter` may be called with `engine` and `hart`, which
    /// nobody else uses.
    pub unsafe fn new(enter: Enter, engine: *mut (), hart: *mut Hart) -> Self {
        Self { enter, engine, hart, lent: PhantomData }
    }

    /// The hart, by the address that the engine wants.
    pub fn hart(&self) -> *mut Hart {
        self.hart
    }

    /// What to call, and with what in front of the hart.
    pub fn way(&self) -> (Enter, *mut ()) {
        (self.enter, self.engine)
    }
}
