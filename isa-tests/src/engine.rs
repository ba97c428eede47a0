//! What can execute vectors.

use crate::{Layout, State};

/// Something that executes guest code.
pub trait Engine {
    /// Where this engine has the memory of a vector.
    fn layout(&self) -> Layout;

    /// Puts `code` at the layout's `code` address, [`Layout::LANDING`] around it, and
    /// `before` into the hart and the data page; runs until an exception, and returns
    /// the state then.
    ///
    /// A breakpoint outside of `code` is how execution ends without an exception:
    /// [`State::trap`] is `None` for it. `pc` is the address of the instruction that
    /// caused the exception, for an environment call too.
    fn run(&mut self, code: &[u8], before: &State) -> State;

    /// Whether this engine can run `code` from `before` at all.
    fn takes(&self, _code: &[u8], _before: &State) -> bool {
        true
    }

    /// Whether the registers in a state that [`run`](Self::run) returned are those of
    /// the instruction that caused the exception; else only its pc and the memory are,
    /// and the address unless no page can have it (`u64::MAX` then).
    fn is_exact(&self, _after: &State) -> bool {
        true
    }

    /// What went wrong since the last call beside what a state shows.
    fn problems(&mut self) -> Vec<String> {
        Vec::new()
    }
}
