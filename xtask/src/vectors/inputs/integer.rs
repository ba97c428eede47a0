//! Left sides of integer instructions and branches.

use super::values::{INTEGERS, PAIRS};
use super::{Lines, immediates, some};
use rvrun_isa::field::{Class, Field, Slot};
use rvrun_isa::{Instruction, X_NAMES};

fn x(register: u8, value: &str) -> (String, String) {
    (X_NAMES[usize::from(register)].into(), value.into())
}

/// Values for the sources of an instruction, in the order of rs1, rs2.
fn sources(lines: &Lines, i: Instruction, a: &str, b: &str) -> Vec<(String, String)> {
    let mut before = Vec::new();
    for field in lines.row.fields.iter().filter(|f| matches!(f.class, Class::X | Class::Implied)) {
        match field.slot {
            Slot::Rs1 | Slot::RdRs1 => before.push(x(i.rs1, a)),
            Slot::Rs2 => before.push(x(i.rs2, b)),
            _ => {}
        }
    }
    before
}

/// Computations.
pub fn alu(lines: &mut Lines) {
    let plain = lines.plain();
    // Of the operands without bits, x0 needs no value.
    let reads = |slot| {
        let needs = |f: &Field| f.class == Class::X || f.class == Class::Implied && f.bias != 0;
        lines.row.fields.iter().any(|f| f.slot == slot && needs(f))
    };
    let one = reads(Slot::Rs1) || reads(Slot::RdRs1);
    let two = lines.row.fields.iter().any(|f| f.slot == Slot::Rs2 && f.class == Class::X);
    if let Some(field) = lines.field(Slot::Imm) {
        let list = immediates(field);
        let values =
            if one { some(&INTEGERS, if list.len() > 10 { 4 } else { 6 }) } else { vec!["0"] };
        for imm in list {
            for a in &values {
                let i = Instruction { imm, ..plain };
                lines.add(i, &sources(lines, i, a, "0x123456789abcdef0"));
            }
        }
    }
    if two {
        for (a, b) in PAIRS {
            lines.add(plain, &sources(lines, plain, a, b));
        }
    } else if one {
        for a in INTEGERS {
            lines.add(plain, &sources(lines, plain, a, "0"));
        }
    } else {
        lines.add(plain, &[]);
    }
    shapes(lines, plain);
}

/// The same register in two places, and `x0`.
fn shapes(lines: &mut Lines, plain: Instruction) {
    const VALUE: &str = "0xfedcba9876543210";
    let mut shapes = Vec::new();
    if lines.admits(Slot::Rd, 0) {
        shapes.push(Instruction { rd: 0, ..plain });
    }
    if lines.admits(Slot::RdRs1, 0) {
        shapes.push(Instruction { rd: 0, rs1: 0, ..plain });
    }
    if lines.admits(Slot::RdRs1, 12) {
        shapes.push(Instruction { rd: 12, rs1: 12, rs2: 12, ..plain });
    }
    if lines.admits(Slot::Rs1, 0) {
        shapes.push(Instruction { rs1: 0, ..plain });
    }
    if lines.admits(Slot::Rs1, 10) && lines.field(Slot::Rd).is_some() {
        shapes.push(Instruction { rs1: 10, ..plain });
    }
    if lines.admits(Slot::Rs2, 0) {
        shapes.push(Instruction { rs2: 0, ..plain });
    }
    if lines.admits(Slot::Rs2, 10) {
        shapes.push(Instruction { rs2: 10, ..plain });
        shapes.push(Instruction { rd: 31, rs2: 31, ..plain });
    }
    if lines.admits(Slot::Rs1, 12) && lines.field(Slot::Rs2).is_some() {
        shapes.push(Instruction { rs1: 12, ..plain });
    }
    for shape in shapes {
        let encodable = rvrun_isa::encode(&shape).is_some_and(|word| {
            rvrun_isa::decode(word, rvrun_isa::Extensions::ALL).is_some_and(|d| d == shape)
        });
        if encodable {
            lines.add(shape, &sources(lines, shape, VALUE, "0x123456789abcdef0"));
        }
    }
}

/// Conditional branches: taken and not taken, forwards and backwards.
pub fn branch(lines: &mut Lines) {
    let plain = lines.plain();
    for (a, b) in some(&PAIRS, 13) {
        let i = Instruction { imm: 16, ..plain };
        lines.add(i, &sources(lines, i, a, b));
    }
    let field = lines.field(Slot::Imm);
    let reaches = field.map(immediates).unwrap_or_default();
    for imm in reaches.into_iter().filter(|imm| *imm != 0) {
        for (a, b) in [("0", "0"), ("0", "1"), ("-1", "0")] {
            let i = Instruction { imm, ..plain };
            lines.add(i, &sources(lines, i, a, b));
        }
    }
    if lines.admits(Slot::Rs2, 11) {
        let i = Instruction { rs2: 11, imm: 8, ..plain };
        lines.add(i, &sources(lines, i, "5", "5"));
    }
}
