//! The left sides of vectors, from a list of boundary values: the operands of a row
//! of the instruction table say which values its vectors need.

mod float;
mod integer;
mod memory;
mod values;

use anyhow::Result;
use rvrun_isa::field::{Class, Field, Slot};
use rvrun_isa::{Extensions, Instruction, Kind, Opcode, ROWS, Row};
use rvrun_isa_tests::{Line, Vector, VectorFile};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Adds to the files the lines that they lack, each behind its instruction's section.
pub fn add_missing(directory: &Path) -> Result<()> {
    let mut wanted: BTreeMap<&str, Vec<&'static Row>> = BTreeMap::new();
    for row in &ROWS {
        wanted.entry(file_of(row)).or_default().push(row);
    }
    for (name, rows) in wanted {
        let path = directory.join(format!("{name}.txt"));
        let mut file = match path.exists() {
            true => VectorFile::read(&path)?,
            false => VectorFile { path, name: name.into(), lines: title(name) },
        };
        for row in rows {
            add_to_section(&mut file, row)?;
        }
        file.write()?;
    }
    Ok(())
}

/// The extension whose file has a row's vectors.
fn file_of(row: &'static Row) -> &'static str {
    row.extensions.names().next().unwrap_or("i")
}

fn title(name: &str) -> Vec<Line> {
    let what = Extensions::NAMED.iter().find(|e| e.1 == name).map_or("", |e| e.2);
    let manual = "# How to read a line: isa-tests/src/lib.rs.";
    vec![Line::Other(format!("# {what}")), Line::Other(manual.into())]
}

fn add_to_section(file: &mut VectorFile, row: &'static Row) -> Result<()> {
    let heading = format!("## {}", row.name.replace('_', "."));
    let is_heading = |line: &Line| matches!(line, Line::Other(text) if *text == heading);
    let start = file.lines.iter().position(is_heading).unwrap_or_else(|| {
        file.lines.extend([Line::Other(String::new()), Line::Other(heading.clone())]);
        file.lines.len() - 1
    });
    let mut known: HashSet<String> = file.vectors().map(|(_, v)| key(v)).collect();
    let mut new = Vec::new();
    for line in lines_for(row) {
        let vector: Vector = line.parse()?;
        if known.insert(key(&vector)) {
            new.push(Line::Vector(Box::new(vector)));
        }
    }
    let behind = &file.lines[start + 1..];
    let len = behind.iter().position(|l| matches!(l, Line::Other(t) if t.is_empty()));
    let end = start + 1 + len.unwrap_or(behind.len());
    file.lines.splice(end..end, new);
    Ok(())
}

/// What tells vectors apart: the left side, whoever says what it expects.
fn key(vector: &Vector) -> String {
    vector.left_side().trim_start_matches("! ").to_string()
}

/// The left sides for a row, without what only a person can think of.
fn lines_for(row: &'static Row) -> Vec<String> {
    let mut lines = Lines { row, list: Vec::new() };
    match row.kind {
        Kind::Alu => integer::alu(&mut lines),
        Kind::Branch => integer::branch(&mut lines),
        Kind::Load => memory::load(&mut lines),
        Kind::Store => memory::store(&mut lines),
        Kind::Atomic => memory::atomic(&mut lines),
        Kind::Float => float::float(&mut lines),
        Kind::Fence => lines.add(lines.plain(), &[]),
        Kind::Jump | Kind::Csr | Kind::System => {}
    }
    lines.list
}

/// Left sides of one row.
struct Lines {
    row: &'static Row,
    list: Vec<String>,
}

impl Lines {
    /// The row's instruction with `a0` for the destination, `a1`, `a2`, `a3` (or the
    /// floating-point ones) for sources, and the smallest immediate that is not negative.
    fn plain(&self) -> Instruction {
        let mut instruction = Instruction::new(self.row.opcode);
        for field in self.row.fields {
            let value = match (field.slot, field.class) {
                _ if field.segments.is_empty() => field.bias,
                (Slot::Rm, Class::Rounding) => 7,
                (Slot::Rm, _) => 0,
                (Slot::Imm, _) => immediates(field).into_iter().find(|i| *i >= 0).unwrap_or(0),
                (Slot::Rs1, Class::Number) => 0,
                (Slot::Rd | Slot::RdRs1, _) => 10,
                (Slot::Rs1, _) => 11,
                (Slot::Rs2, _) => 12,
                (Slot::Rs3, _) => 13,
            };
            field.put(&mut instruction, value);
        }
        instruction
    }

    /// The row's field for a slot, if it has bits.
    fn field(&self, slot: Slot) -> Option<&'static Field> {
        self.row.fields.iter().find(|f| f.slot == slot && !f.segments.is_empty())
    }

    /// Whether an operand can be that register.
    fn admits(&self, slot: Slot, register: u8) -> bool {
        self.field(slot).is_some_and(|f| f.bits(register.into()).is_some())
    }

    /// Adds a line: `before` has the places and values that are set, without repetition.
    fn add(&mut self, instruction: Instruction, before: &[(String, String)]) {
        let mut seen = HashSet::new();
        let mut line = format!("{instruction} |");
        for (place, value) in before {
            if place != "zero" && seen.insert(place) {
                line += &format!(" {place}={value}");
            }
        }
        if seen.is_empty() {
            line += " -";
        }
        self.list.push(line);
    }

    /// The opcode that gives the row its meaning.
    fn meaning(&self) -> Opcode {
        self.row.stands_for
    }
}

/// `n` evenly chosen entries of a list, the first included.
fn some<T: Clone>(list: &[T], n: usize) -> Vec<T> {
    let step = list.len().div_ceil(n).max(1);
    list.iter().step_by(step).cloned().collect()
}

/// The boundary values that an immediate field can hold.
fn immediates(field: &Field) -> Vec<i32> {
    let powers = (0..31).map(|bit| 1 << bit);
    let mut candidates: Vec<i32> = powers.flat_map(|p: i32| [p, p - 1, -p, -p - 1]).collect();
    candidates.extend([i32::MIN, 62, 30, 33, 496, 1008, 504, 252, 124, 248, 508, 1020, 0xff, 2046]);
    candidates.extend([0x1000, -0x1000, 0x7fff_f000, 0x1_f000]);
    candidates.retain(|value| field.bits(*value).is_some());
    candidates.sort_unstable();
    candidates.dedup();
    let (min, max) = (candidates[0], candidates[candidates.len() - 1]);
    let near = |value: i32| value == min || value == max || matches!(value, -1..=1);
    let chosen =
        |value: &i32| near(*value) || matches!(*value, 31 | 32 | 63 | 5) || value.abs() <= 4;
    let mut list: Vec<i32> = candidates.iter().copied().filter(chosen).collect();
    list.extend(some(&candidates, 5));
    list.sort_unstable();
    list.dedup();
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_lines_are_vectors_of_their_row() {
        for row in &ROWS {
            for line in lines_for(row) {
                let vector: Vector = line.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
                assert_eq!(vector.code[0].opcode, Some(row.opcode), "{line}");
            }
        }
    }

    #[test]
    fn the_files_have_all_generated_lines() {
        let files = rvrun_isa_tests::read_all().unwrap();
        let known: HashSet<String> =
            files.iter().flat_map(VectorFile::vectors).map(|(_, v)| key(v)).collect();
        for line in ROWS.iter().flat_map(lines_for) {
            let key = key(&line.parse().unwrap());
            assert!(known.contains(&key), "{line}: cargo xtask vectors --generate --bless");
        }
    }
}
