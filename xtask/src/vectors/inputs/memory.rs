//! Left sides of loads, stores and atomic accesses.

use super::{Lines, immediates};
use rvrun_isa::field::Slot;
use rvrun_isa::{F_NAMES, Instruction, Opcode, X_NAMES, encode};

/// What is in memory, and stored: sign bits of each width set and clear.
const CONTENTS: [&str; 6] = [
    "0",
    "-1",
    "0x7f7f7f7f7f7f7f7f",
    "0x8080808080808080",
    "0x0123456789abcdef",
    "0xfedcba9876543210",
];

fn pair(place: impl Into<String>, value: impl Into<String>) -> (String, String) {
    (place.into(), value.into())
}

fn base(i: Instruction, value: String) -> (String, String) {
    pair(X_NAMES[usize::from(i.rs1)], value)
}

/// `data+8` and the like, so that displacement and base meet there.
fn relative(symbol: &str, target: i64, imm: i32) -> String {
    match target - i64::from(imm) {
        0 => symbol.into(),
        offset => format!("{symbol}{offset:+}"),
    }
}

/// Bytes that an access touches.
fn width(lines: &Lines) -> i64 {
    let name = lines.meaning().row().name;
    match name.rsplit('_').next().unwrap_or(name) {
        "lb" | "lbu" | "sb" | "b" => 1,
        "lh" | "lhu" | "sh" | "flh" | "fsh" | "h" => 2,
        "lw" | "lwu" | "sw" | "flw" | "fsw" | "w" => 4,
        "q" => 16,
        _ => 8,
    }
}

/// Loads, and instructions that only check an address.
pub fn load(lines: &mut Lines) {
    let plain = lines.plain();
    let width = width(lines);
    for contents in CONTENTS {
        let before = [base(plain, relative("data", 16, plain.imm)), pair("d[data+16]", contents)];
        lines.add(plain, &before);
    }
    addresses(lines, plain, width, &pair("d[data+256]", CONTENTS[5]));
    let i = plain;
    let from_rom = [base(i, relative("rom", 0, i.imm))];
    lines.add(i, &from_rom);
    for (rd, rs1) in [(0, 11), (11, 11), (10, 10)] {
        let i = Instruction { rd, rs1, ..plain };
        let float = lines.field(Slot::Rd).is_none_or(|f| f.class == rvrun_isa::field::Class::F);
        let own_base = lines.field(Slot::Rs1).is_some();
        if lines.admits(Slot::Rd, rd) && own_base && !float {
            let before = [base(i, relative("data", 16, i.imm)), pair("d[data+16]", CONTENTS[5])];
            lines.add(i, &before);
        }
    }
}

/// Displacements, misaligned addresses, and such as cannot be accessed.
fn addresses(lines: &mut Lines, plain: Instruction, width: i64, memory: &(String, String)) {
    let displacements = lines.field(Slot::Imm).map(immediates).unwrap_or_else(|| vec![plain.imm]);
    for imm in displacements {
        let i = Instruction { imm, ..plain };
        lines.add(i, &[base(i, relative("data", 256, imm)), memory.clone(), source(lines, i)]);
    }
    let i = plain;
    for target in (1..width).filter(|t| t.count_ones() == 1 || *t == width - 1) {
        lines.add(
            i,
            &[base(i, relative("data", 256 + target, i.imm)), memory.clone(), source(lines, i)],
        );
    }
    // The manual does not say which byte of a block is reported.
    let middle = if lines.row.name.starts_with("cbo_") { 0 } else { 16 };
    for offset in [0, middle, -width + 1, -width] {
        lines.add(i, &[base(i, relative("hole", offset, i.imm)), source(lines, i)]);
    }
    let null = i64::from(i.imm).wrapping_neg();
    lines.add(i, &[base(i, null.to_string()), source(lines, i)]);
    let top = -4096 - i64::from(i.imm);
    lines.add(i, &[base(i, top.to_string()), source(lines, i)]);
}

/// The register that a store takes its value from; harmless where there is none.
fn source(lines: &Lines, i: Instruction) -> (String, String) {
    let contents = CONTENTS[4];
    match lines.row.fields.iter().find(|f| f.slot == Slot::Rs2) {
        Some(f) if f.class == rvrun_isa::field::Class::F => {
            pair(F_NAMES[usize::from(i.rs2)], contents)
        }
        Some(_) => pair(X_NAMES[usize::from(i.rs2)], contents),
        None => pair("zero", "0"),
    }
}

/// Stores, and operations on cache blocks.
pub fn store(lines: &mut Lines) {
    let plain = lines.plain();
    let width = width(lines);
    let memory = pair("d[data+256]", CONTENTS[5]);
    let (register, _) = source(lines, plain);
    for contents in CONTENTS {
        let before = [base(plain, relative("data", 16, plain.imm)), pair(&register, contents)];
        lines.add(plain, &before);
    }
    addresses(lines, plain, width, &memory);
    lines.add(plain, &[base(plain, relative("rom", 8, plain.imm)), source(lines, plain)]);
    if lines.admits(Slot::Rs2, 0) {
        let i = Instruction { rs2: 0, ..plain };
        let float = register.starts_with('f');
        if !float {
            lines.add(i, &[base(i, relative("data", 256, i.imm)), memory]);
        }
    }
    let i = Instruction { rs2: 11, ..plain };
    if lines.admits(Slot::Rs2, 11) && lines.field(Slot::Rs1).is_some() && !register.starts_with('f')
    {
        // The stored value is an address, which differs from engine to engine.
        lines.add(i, &[base(i, relative("hole", 0, i.imm))]);
    }
}

/// Atomic accesses.
pub fn atomic(lines: &mut Lines) {
    let plain = lines.plain();
    let width = width(lines);
    let opcode = lines.meaning();
    let compare = lines.row.name.starts_with("amocas");
    let memory = |value: &str| pair("d[data+256]", value);
    let address = base(plain, "data+256".into());
    if compare {
        return compare_and_swap(lines, plain, width);
    }
    let values = [
        ("0", "0"),
        ("1", "-1"),
        ("-1", "1"),
        ("0x8080808080808080", "0x7f7f7f7f7f7f7f7f"),
        ("0x7f7f7f7f7f7f7f7f", "0x8080808080808080"),
        ("0x7fffffffffffffff", "1"),
        ("0x8000000000000000", "-1"),
        ("0xffffffff80000000", "0x7fffffff"),
        ("0x7fffffff", "0xffffffff80000000"),
        ("0x0123456789abcdef", "0xfedcba9876543210"),
        ("0xfedcba987654ff80", "0x0123456789ab007f"),
    ];
    for (old, operand) in values {
        let before = [address.clone(), pair("a2", operand), memory(old)];
        lines.add(plain, &before[..]);
    }
    for rm in 1..4 {
        lines.add(Instruction { rm, ..plain }, &[address.clone(), pair("a2", "5"), memory("3")]);
    }
    for (rd, rs1, rs2) in [(0, 11, 12), (12, 11, 12), (11, 11, 12), (10, 11, 0)] {
        let i = Instruction { rd, rs1, rs2, ..plain };
        if encode(&i).is_some() {
            let list = [address.clone(), pair(X_NAMES[usize::from(rs2)], "9"), memory("-3")];
            lines.add(i, &list);
        }
    }
    faults(lines, plain, width);
    if matches!(opcode, Opcode::LrW | Opcode::LrD) {
        lines.add(plain, &[base(plain, "rom".into())]);
    }
}

/// `amocas`: equal and unequal, where only the compared width matters.
fn compare_and_swap(lines: &mut Lines, plain: Instruction, width: i64) {
    let address = base(plain, "data+256".into());
    let pairs = width == 16;
    let values = [
        ("0", "0"),
        ("-1", "-1"),
        ("0x0123456789abcdef", "0x0123456789abcdef"),
        ("0x0123456789abcdef", "0xffffffffffffffef"),
        ("0x0123456789abcdef", "0x0123456789abcdee"),
        ("0x8080808080808080", "0x8080808080808080"),
        ("0x8080808080808080", "0xffffffff80808080"),
        ("0x7fffffff80008080", "0"),
    ];
    for (old, expected) in values {
        let mut list =
            vec![address.clone(), pair("a0", expected), pair("a2", "0xfedcba9876543210")];
        list.push(pair("d[data+256]", old));
        if pairs {
            list.extend([pair("a1", "7"), pair("a3", "8"), pair("d[data+264]", "7")]);
            list[0] = pair("a4", "data+256");
        }
        let i = if pairs { Instruction { rs1: 14, ..plain } } else { plain };
        lines.add(i, &list);
        if pairs {
            list[4] = pair("a1", "6");
            lines.add(i, &list);
        }
    }
    let rs1 = if pairs { 14 } else { 11 };
    let address = pair(X_NAMES[usize::from(rs1)], "data+256");
    for rm in 1..4 {
        let list = [address.clone(), pair("a0", "3"), pair("a2", "5"), pair("d[data+256]", "3")];
        lines.add(Instruction { rm, rs1, ..plain }, &list);
    }
    for (rd, rs2) in [(0, 12), (12, 12), (10, 0)] {
        for old in ["0", "4"] {
            let i = Instruction { rd, rs1, rs2, ..plain };
            let mut list = vec![address.clone(), pair(X_NAMES[usize::from(rd)], "4")];
            list.extend([pair("a2", "9"), pair("d[data+256]", old)]);
            if pairs {
                list.extend([pair(X_NAMES[usize::from(rd) + 1], "0"), pair("d[data+264]", "0")]);
            }
            list.retain(|(place, _)| rd != 0 || place != "ra");
            lines.add(i, &list);
        }
    }
    faults(lines, Instruction { rs1, ..plain }, width);
}

/// Addresses that cannot be accessed. Without a reservation QEMU's `sc` checks nothing.
fn faults(lines: &mut Lines, i: Instruction, width: i64) {
    if matches!(lines.meaning(), Opcode::ScW | Opcode::ScD) {
        return;
    }
    for offset in (1..width).filter(|o| o.count_ones() == 1) {
        lines.add(i, &[base(i, format!("data+{}", 256 + offset)), source(lines, i)]);
    }
    for target in ["hole", "rom", "0", "-4096"] {
        lines.add(i, &[base(i, target.into()), source(lines, i)]);
    }
}
