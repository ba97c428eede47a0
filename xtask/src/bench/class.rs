//! What kinds of programs are measured.

/// Rows that have a geometric mean of their own.
#[derive(Debug, PartialEq, Eq)]
pub struct Class {
    /// As sources and tables call it.
    pub name: &'static str,
    /// Whether the mean of all kernels counts it.
    pub counts: bool,
}

impl Class {
    const fn counted(name: &'static str) -> Self {
        Self { name, counts: true }
    }

    const fn apart(name: &'static str) -> Self {
        Self { name, counts: false }
    }

    /// The class of this name.
    pub fn of_name(name: &str) -> Option<&'static Self> {
        CLASSES.iter().find(|class| class.name == name)
    }

    /// Its place in the tables.
    pub fn place(&self) -> Option<usize> {
        CLASSES.iter().position(|class| class == self)
    }
}

/// Programs that people use.
pub const REAL: Class = Class::apart("real programs");

/// Programs that end soon: what is measured is how they start.
pub const SHORT: Class = Class::apart("short programs");

/// All classes, in the order of the tables.
pub static CLASSES: [Class; 7] = [
    Class::counted("integer"),
    Class::counted("floating point"),
    Class::counted("calls"),
    Class::counted("strings"),
    Class::apart("self-writing code"),
    REAL,
    SHORT,
];
