//! Left sides of floating-point instructions.

use super::values::{CONVERTED, Format, INTEGERS, format};
use super::{Lines, immediates, some};
use rvrun_isa::field::{Class, Slot};
use rvrun_isa::{F_NAMES, Instruction, RM_DYNAMIC, ROUNDING_NAMES, X_NAMES};

type Before = Vec<(String, String)>;

fn f(register: u8, value: &str) -> (String, String) {
    (F_NAMES[usize::from(register)].into(), value.into())
}

/// Instructions of F, D, Zfh and Zfa that access no memory.
pub fn float(lines: &mut Lines) {
    let plain = lines.plain();
    let source = source_format(lines);
    let operands = [Slot::Rs1, Slot::Rs2, Slot::Rs3]
        .into_iter()
        .filter(|s| lines.field(*s).is_some_and(|f| f.class == Class::F))
        .count();
    let inputs: Vec<Before> = match (operands, source) {
        (0, _) if lines.field(Slot::Imm).is_some() => return constants(lines, plain),
        (0, _) => {
            let name = X_NAMES[usize::from(plain.rs1)];
            INTEGERS.iter().chain(WIDE).map(|v| vec![(name.into(), (*v).into())]).collect()
        }
        (1, Some(format)) => unary(lines, format).iter().map(|v| vec![f(11, v)]).collect(),
        (2, Some(format)) => format.pairs.iter().map(|(a, b)| vec![f(11, a), f(12, b)]).collect(),
        (_, Some(format)) => {
            let list = |(a, b, c): &(&str, &str, &str)| vec![f(11, a), f(12, b), f(13, c)];
            format.triples.iter().map(list).collect()
        }
        _ => return,
    };
    for before in &inputs {
        lines.add(plain, before);
    }
    if lines.field(Slot::Rm).is_some() {
        roundings(lines, plain, &inputs);
    }
    dynamic_modes(lines, plain, &inputs);
    shapes(lines, plain, &inputs);
}

/// More integers, at which a conversion is inexact or a tie.
const WIDE: &[&str] = &[
    "0x1000001",
    "0x1000003",
    "0x20000000000001",
    "0x20000000000003",
    "2049",
    "65519",
    "65520",
    "-65520",
];

/// The format of the sources: the last letter of the mnemonic that is one; `fmv.x.w` moves a single.
fn source_format(lines: &Lines) -> Option<&'static Format> {
    match lines.meaning().row().name {
        "fmv_x_w" => format("s"),
        name => name.rsplit('_').find_map(format),
    }
}

/// All values of one source: for conversions to integers, those around their limits too.
fn unary(lines: &Lines, format: &Format) -> Vec<String> {
    let mut values: Vec<String> = format.singles.iter().map(|s| (*s).into()).collect();
    let rounds = lines.row.name.starts_with("fround");
    let to_integer = lines.field(Slot::Rd).is_some_and(|f| f.class == Class::X);
    let converts = to_integer && lines.row.name.starts_with("fcvt");
    if converts || rounds {
        for value in CONVERTED {
            match format.letter {
                'd' => values.push(format!("d({value:?})")),
                's' => values.push(format!("s({:?})", value as f32)),
                _ if value.abs() < 3.0 => values.push(format!("h({value:?})")),
                _ => {}
            }
        }
    }
    if lines.row.name == "fcvtmod_w_d" {
        for value in [4_294_967_297.5, -4_294_967_297.0, 1e18, 1.5e300, 6_442_450_944.0] {
            values.push(format!("d({value:?})"));
        }
    }
    values
}

/// Each rounding mode, in the instruction and in `frm`, on values where it matters.
fn roundings(lines: &mut Lines, plain: Instruction, inputs: &[Before]) {
    let chosen = some(inputs, 12);
    for rm in 0..5 {
        for before in &chosen {
            lines.add(Instruction { rm, ..plain }, before);
        }
        let mut before = inputs[inputs.len() / 3].clone();
        before.push(("frm".into(), ROUNDING_NAMES[usize::from(rm)].into()));
        lines.add(Instruction { rm: RM_DYNAMIC, ..plain }, &before);
    }
    for invalid in ["5", "6", "7"] {
        let mut before = inputs[0].clone();
        before.push(("frm".into(), invalid.into()));
        lines.add(plain, &before);
    }
}

/// Modes in `frm` that hosts lack, for which engines may have code of their own: with
/// all instructions, whether they round or not, and with a mode in the instruction.
fn dynamic_modes(lines: &mut Lines, plain: Instruction, inputs: &[Before]) {
    let with_frm = |before: &Before, frm: &str| {
        let mut before = before.clone();
        before.push(("frm".into(), frm.into()));
        before
    };
    for before in some(inputs, 15) {
        lines.add(plain, &with_frm(&before, "rmm"));
    }
    if lines.field(Slot::Rm).is_some() {
        for (rm, frm) in [(0, "rmm"), (3, "rmm"), (2, "5"), (1, "7"), (4, "rup")] {
            let before = &inputs[inputs.len() / 3];
            lines.add(Instruction { rm, ..plain }, &with_frm(before, frm));
        }
    } else {
        lines.add(plain, &with_frm(&inputs[0], "5"));
    }
}

/// `fli`.
fn constants(lines: &mut Lines, plain: Instruction) {
    let field = lines.field(Slot::Imm);
    let count = if field.map(immediates).is_some() { 32 } else { 0 };
    for imm in 0..count {
        lines.add(Instruction { imm, ..plain }, &[]);
    }
}

/// The same register in all places, `x0`, and flags that stay set.
fn shapes(lines: &mut Lines, plain: Instruction, inputs: &[Before]) {
    let mut sticky = inputs[0].clone();
    sticky.push(("fflags".into(), "nv+nx".into()));
    lines.add(plain, &sticky);
    if lines.field(Slot::Rd).is_some_and(|f| f.class == Class::X) {
        lines.add(Instruction { rd: 0, ..plain }, &inputs[inputs.len() - 1]);
        return;
    }
    if lines.field(Slot::Rs1).is_some_and(|f| f.class == Class::F) {
        let registers = |n| Instruction {
            rd: n,
            rs1: n,
            rs2: if lines.field(Slot::Rs2).is_some() { n } else { plain.rs2 },
            rs3: if lines.field(Slot::Rs3).is_some() { n } else { plain.rs3 },
            ..plain
        };
        let (all_zero, all_last) = (registers(0), registers(31));
        let value = inputs[0][0].1.clone();
        lines.add(all_zero, &[f(0, &value)]);
        lines.add(all_last, &[f(31, &value)]);
    } else {
        lines.add(Instruction { rs1: 0, ..plain }, &[]);
    }
}
