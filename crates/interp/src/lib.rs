//! The interpreter: runs guest code, pre-decoded and threaded, but for what control comes to for
//! the first time.
//!
//! [`Interpreter::run`] executes a hart's program until something needs
//! attention from above ([`Stop`]). Blocks are pre-decoded
//! into slots ([`slot`]), linked as they are executed, and dropped when the
//! guest's code changes. Each hart has an interpreter of its own, so that
//! nothing on the hot path is shared.
//!
//! Another engine can take turns with it on the same hart: the interpreter counts
//! what it does often ([`Interpreter::set_fuel`]), stops where the other engine
//! goes on ([`Interpreter::add_gate`]), and executes single instructions for it
//! ([`Interpreter::step`]).
//!
//! What is executed often it executes as host code ([`baseline`]) if it may
//! ([`Interpreter::set_warm`]). Without, it is the independent oracle of that and of
//! the JIT. It knows neither the JIT nor Linux.
//!
//! `unsafe` is confined to the handlers ([`ops`]), host code in their place, slots in the
//! making ([`predecode`]) and the store of blocks ([`blocks`]), which share one invariant: a slot
//! pointer that handlers see points into live memory, at an op that pre-decoding laid out.

mod baseline;
mod block_table;
mod blocks;
mod context;
mod fuel;
mod gates;
mod interpreter;
mod ops;
mod predecode;
mod returns;
mod slot;
mod sources;
mod targets;

pub use baseline::maker::SheetMaker;
pub use baseline::sheet::{Keeper, Known, PAGE, Phase, can_be_kept, count, known, version};
pub use interpreter::{Interpreter, Stop, Warm};
