//! Comparing states.

use crate::{Assignment, Layout, Place, State, Symbol, Value};

/// What differs, a line each: the place, what was expected, and what an engine did.
pub fn differences(layout: Layout, expected: &State, got: &State) -> Vec<String> {
    let mut lines = Vec::new();
    let mut compare = |place, expected: u64, got: u64| {
        if expected != got {
            let show = |bits: u64| Assignment { place, value: Some(bits.into()) }.to_string();
            lines.push(format!("expected {}, got {}", show(expected), show(got)));
        }
    };
    for n in 0..32 {
        compare(Place::X(n as u8), expected.x[n], got.x[n]);
    }
    for n in 0..32 {
        compare(Place::F(n as u8), expected.f[n], got.f[n]);
    }
    compare(Place::Frm, expected.frm.into(), got.frm.into());
    compare(Place::Fflags, expected.fflags.into(), got.fflags.into());
    let offset = |pc: u64| pc.wrapping_sub(layout.address(Symbol::Code));
    compare(Place::Pc, offset(expected.pc), offset(got.pc));
    let bytes = expected.data.iter().zip(&got.data).enumerate();
    for (offset, (&expected, &got)) in bytes {
        let addr = Value::at(Symbol::Data, offset as i64);
        compare(Place::Memory(1, addr), expected.into(), got.into());
    }
    if expected.trap != got.trap {
        lines.push(format!("expected trap {:x?}, got {:x?}", expected.trap, got.trap));
    }
    lines
}
