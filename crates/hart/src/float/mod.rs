//! Floating-point semantics.
