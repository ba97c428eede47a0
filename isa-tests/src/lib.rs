//! Instruction vectors: one line of text says what one instruction does to one
//! state of a hart.
//!
//! The lines are in `isa-tests/vectors`, a file for each extension. An engine is
//! checked against them by implementing [`Engine`]; `tests/vectors.rs` does so for
//! the interpreter. What a line expects comes from QEMU (`cargo xtask vectors
//! --bless`), never from an engine of this repository.
//!
//! # How to read and write a line
//!
//! ```text
//! CODE | BEFORE => AFTER
//!
//! add a0, a1, a2 | a1=0x7fffffffffffffff a2=1 => a0=0x8000000000000000
//! fdiv.s fa0, fa1, fa2 | fa1=s(1.0) fa2=s(0.0) => fa0=s(inf) fflags=dz
//! lr.w a0, (a1); sc.w a2, a3, (a1) | a1=data a3=7 w[data]=-1 => a0=-1 a2=0 w[data]=7
//! lb a0, 0(a1) | a1=hole => trap=load-unmapped@hole
//! fence rw, rw | - => -
//! ```
//!
//! **CODE** is assembly as `rvrun_isa::assemble` reads it; several instructions are
//! separated by `;`. `.word N` and `.half N` are bits that need not be an instruction.
//!
//! **BEFORE** and **AFTER** are lists of `PLACE=VALUE`, or `-` for none. What BEFORE
//! does not name has a value that nothing else has (see [`State::unset`]); what AFTER
//! does not name must not change. Places:
//!
//! | Place | What it is |
//! |---|---|
//! | `a0`, `x10` | an integer register |
//! | `fa0`, `f10` | a floating-point register, all 64 bits |
//! | `frm` | dynamic rounding mode: `rne` (unless named), `rtz`, `rdn`, `rup`, `rmm`, 5, 6, 7 |
//! | `fflags` | accrued exceptions: `nv+dz+of+uf+nx`, those that are set, or 0 (unless named) |
//! | `b[A]`, `h[A]`, `w[A]`, `d[A]` | 1, 2, 4, 8 bytes of the data page |
//! | `pc` | AFTER only: where execution went, unless that is behind CODE, or at its last instruction if there is a trap |
//! | `trap` | AFTER only: the exception |
//!
//! Values:
//!
//! | Value | What it is |
//! |---|---|
//! | `-1`, `0xff` | a number of up to 64 bits |
//! | `code`, `data+8`, `hole-1` | an address: the first instruction, a page to read and write, an unmapped page that follows it, and `rom`, a page to read only |
//! | `h(1.5)`, `s(inf)`, `d(-0.0)` | a floating-point number, NaN-boxed; `nan` is the canonical one |
//! | `h(0x7c01)` | the same, by its bits |
//! | `*` | AFTER only: anything, for clocks and counters |
//!
//! Traps: `illegal`, `breakpoint`, `ecall`, and `KIND-CAUSE@ADDRESS` with a kind
//! out of `fetch`, `load`, `store`, and a cause out of `unmapped`, `protected`,
//! `misaligned`.
//!
//! A line that begins with `!` says what the manual says and QEMU does not, or what
//! cannot be seen under QEMU; a comment in front cites the section. `#` begins a
//! comment, `##` the section of an instruction, to which generated lines are added.
//! After writing a line without `=> AFTER`, let `cargo xtask vectors --bless` add it.

#![forbid(unsafe_code)]

mod compare;
mod embedded;
mod engine;
mod file;
mod layout;
mod parse;
mod print;
mod state;
mod value;
mod vector;

pub use compare::differences;
pub use embedded::embedded;
pub use engine::Engine;
pub use file::{FileError, Line, VectorFile, directory, read_all};
pub use layout::{Layout, Symbol};
pub use parse::ParseError;
pub use state::{AccessCause, AccessKind, State, Trap};
pub use value::Value;
pub use vector::{After, Assignment, Code, ExpectedTrap, Place, Vector};
