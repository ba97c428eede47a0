//! The engines that are compared.

use rvrun_hart::Hart;
use rvrun_interp::{Interpreter, Stop};
use rvrun_isa::Extensions;
use rvrun_memory::AddressSpace;
use std::sync::Arc;

/// All engines, the interpreter first. To compare another, add an entry.
pub const ENGINES: &[Engine] = &[Engine {
    name: "interp",
    start: |space| {
        let mut engine = Interpreter::new(space, Extensions::ALL);
        Box::new(move |hart| engine.run(hart))
    },
}];

/// A way to execute guest code.
pub struct Engine {
    /// As `rvrun --engine` has it.
    pub name: &'static str,
    /// Makes a hart's engine, which has translated nothing yet.
    pub(crate) start: fn(Arc<AddressSpace>) -> Started,
}

/// Runs a hart until it stops.
pub(crate) type Started = Box<dyn FnMut(&mut Hart) -> Stop>;
