//! The engines that vectors are run on.

mod guest;
mod interpreter;
mod translator;

pub use interpreter::InterpreterEngine;
pub use translator::{Counts, Form, TranslatorEngine};

use rvrun_interp::Warm;
use rvrun_isa_tests::Engine;
use std::cell::RefCell;

/// An engine, or a form that code takes on it.
#[derive(Clone, Copy)]
pub struct Named {
    /// What it is called.
    pub name: &'static str,
    /// What it is, in a few words.
    pub what: &'static str,
    /// Calls a function with the one that belongs to this thread.
    pub with: With,
}

/// Calls a function with an engine.
pub type With = fn(&mut dyn FnMut(&mut dyn Engine));

/// An entry of [`ENGINES`] for a form of the interpreter. Boxed, as each thread of the process that this
/// is part of has memory for the variable.
macro_rules! interpreter {
    ($name:literal, $what:literal, $engine:expr) => {
        Named {
            name: $name,
            what: $what,
            with: |run| {
                thread_local! {
                    static ENGINE: RefCell<Box<InterpreterEngine>> = RefCell::new(Box::new($engine));
                }
                ENGINE.with_borrow_mut(|engine| run(&mut **engine));
            },
        }
    };
}

/// An entry of [`ENGINES`] for a form of the translator.
macro_rules! translator {
    ($name:literal, $what:literal, $counts:ident, $form:expr) => {
        Named {
            name: $name,
            what: $what,
            with: |run| {
                thread_local! {
                    static ENGINE: RefCell<Box<TranslatorEngine>> =
                        RefCell::new(Box::new(TranslatorEngine::new($form, &$counts)));
                }
                ENGINE.with_borrow_mut(|engine| run(&mut **engine));
            },
        }
    };
}

static ALONE: Counts = Counts::new();
static LOOP: Counts = Counts::new();
static LIVE: Counts = Counts::new();
static PRECISE: Counts = Counts::new();

/// What the forms of the translator have run, by their names.
pub const COUNTS: [(&str, &Counts); 4] =
    [("jit", &ALONE), ("jit_loop", &LOOP), ("jit_live", &LIVE), ("jit_precise", &PRECISE)];

/// All of them. Another one is another entry.
pub const ENGINES: [Named; 7] = [
    interpreter!("first", "interpreted where it stands", InterpreterEngine::first()),
    interpreter!("interp", "interpreted", InterpreterEngine::new(Warm::Never)),
    interpreter!("baseline", "interpreted, from templates", InterpreterEngine::new(Warm::AtOnce)),
    translator!("jit", "translated", ALONE, Form::default()),
    translator!(
        "jit_loop",
        "translated, as the body of a loop",
        LOOP,
        Form { repeated: true, ..Form::default() }
    ),
    translator!(
        "jit_live",
        "translated, with a value for each register",
        LIVE,
        Form { live: true, ..Form::default() }
    ),
    translator!(
        "jit_precise",
        "memory accesses, translated as for a program that handles faults",
        PRECISE,
        Form { live: true, repeated: true, precise: true, memory_only: true }
    ),
];
