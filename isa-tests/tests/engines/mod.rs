//! The engines that vectors are run on.

mod guest;
mod interpreter;
mod translator;

pub use interpreter::InterpreterEngine;
pub use translator::{Counts, Form, TranslatorEngine};
