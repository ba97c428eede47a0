//! The engines that vectors are run on.

mod interpreter;

pub use interpreter::InterpreterEngine;
