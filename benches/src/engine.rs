//! The engines that are compared.

use rvrun::{Engine as Which, Engines, Extensions, Tiers, Translation};
use rvrun_hart::Hart;
use rvrun_memory::AddressSpace;
use std::sync::Arc;

/// All engines, the interpreter first. To compare another, add an entry.
pub const ENGINES: &[Engine] = &[
    Engine { which: Which::Interpreter, name: "interp" },
    Engine { which: Which::Auto, name: "auto" },
];

/// A way to execute guest code.
pub struct Engine {
    which: Which,
    /// As `rvrun --engine` has it.
    pub name: &'static str,
}

impl Engine {
    /// Makes a hart's engine, which has translated nothing yet.
    pub(crate) fn start(&self, space: Arc<AddressSpace>, hart: Hart) -> Tiers {
        // Measurements are short: what they are about is code that is hot.
        let translation = Translation { threshold: 500, ..Translation::default() };
        let engines = Engines::new(space, Extensions::ALL, self.which, &translation, None, false);
        Tiers::new(engines, hart)
    }
}
