//! What guest code becomes, as files: `golden/NAME.s` is translated, `golden/NAME.clif`
//! is what its region and its CLIF have to be, `golden/counts.txt` how much host code
//! there is for each of these files and for each instruction that is lowered. With
//! `RVRUN_BLESS` in the environment the files are written anew.

mod program;

use iced_x86::{Decoder, DecoderOptions};
use program::Program;
use rvrun_isa::field::{Class, Slot};
use rvrun_isa::{Instruction, Opcode, ROWS, Row, encode};
use rvrun_jit::{Code, Compiler, is_lowered, listing};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The sources, in order.
fn sources() -> Vec<PathBuf> {
    let entries = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let mut sources: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "s")).collect();
    sources.sort();
    assert!(sources.len() > 10, "where are the sources?");
    sources
}

/// Compares `text` with the file at `path`, or writes it there.
fn check(path: &Path, text: &str, failures: &mut Vec<String>) {
    if std::env::var_os("RVRUN_BLESS").is_some() {
        fs::write(path, text).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected != text {
        let lines = expected.lines().map(Some).chain(std::iter::repeat(None));
        let differs = |(new, old): &(&str, Option<&str>)| Some(*new) != *old;
        let (new, old) = text.lines().zip(lines).find(differs).unwrap_or(("", Some("more")));
        failures.push(format!("{}:\n  was {}\n  is  {new}", path.display(), old.unwrap_or("")));
    }
}

fn assert_none(failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{}\nIf that is what it should be: RVRUN_BLESS=1 cargo test -p rvrun-jit --test golden",
        failures.join("\n")
    );
}

#[test]
fn regions_and_clif_are_as_they_were() {
    let mut compiler = Compiler::for_common_host().unwrap();
    let mut failures = Vec::new();
    for path in sources() {
        let program = Program::parse(&fs::read_to_string(&path).unwrap());
        let job = program.job();
        let text = format!("{}{}", listing(&job, &program), compiler.clif(&job));
        check(&path.with_extension("clif"), &text, &mut failures);
    }
    assert_none(&failures);
}

#[test]
fn host_code_is_as_long_as_it_was() {
    let mut compiler = Compiler::for_common_host().unwrap();
    let mut text = String::from(
        "# Host instructions and their bytes on a host of the level x86-64-v3: of whole\n\
         # regions, then of an instruction alone, loads and stores of its registers\n\
         # included, the way into the region and out of it and what helpers do not.\n\n",
    );
    for path in sources() {
        let program = Program::parse(&fs::read_to_string(&path).unwrap());
        let code = compiler.compile(&program.job()).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let _ = writeln!(text, "{name:<32} {}", Size::of(&code));
    }
    text.push('\n');
    let mut size_of =
        |text: &str| Size::of(&compiler.compile(&Program::parse(text).job()).unwrap());
    let empty = size_of("ecall");
    for instruction in ROWS.iter().flat_map(examples) {
        let size = size_of(&format!("{instruction}\necall\necall")).without(&empty);
        let _ = writeln!(text, "{:<32} {size}", instruction.to_string());
    }
    let mut failures = Vec::new();
    check(&directory().join("counts.txt"), &text, &mut failures);
    assert_none(&failures);
}

/// Instructions of `row` that are lowered, one for the dynamic rounding mode and one
/// for that which C truncates with. None if the row only stands for another one.
fn examples(row: &'static Row) -> Vec<Instruction> {
    const DYNAMIC: i32 = 7;
    const TOWARD_ZERO: i32 = 1;
    if row.stands_for != row.opcode || row.opcode == Opcode::Ecall {
        return Vec::new();
    }
    let rounds = row.fields.iter().any(|field| field.class == Class::Rounding);
    let modes = if rounds { &[DYNAMIC, TOWARD_ZERO][..] } else { &[DYNAMIC] };
    modes.iter().filter_map(|mode| example(row, *mode)).collect()
}

fn example(row: &'static Row, rounding: i32) -> Option<Instruction> {
    let mut instruction = Instruction::new(row.opcode);
    for field in row.fields {
        let value = match (field.class, field.slot) {
            (Class::Rounding, _) => rounding,
            (Class::Upper, _) => 5 << 12,
            (Class::FenceSets, _) => 0x33,
            (Class::Ordering | Class::Suffix | Class::Implied, _) => continue,
            (_, Slot::Rd | Slot::RdRs1) => 10,
            (_, Slot::Rs1) => 11,
            (_, Slot::Rs2) => 12,
            (_, Slot::Rs3) => 13,
            (_, Slot::Rm | Slot::Imm) => 8,
        };
        field.put(&mut instruction, value);
    }
    let known = encode(&instruction).is_some() && is_lowered(&instruction);
    known.then_some(instruction)
}

/// How much host code there is.
struct Size {
    instructions: usize,
    bytes: usize,
}

impl Size {
    /// All of it, without what fills gaps and behind the last instruction, constants.
    fn of(code: &Code) -> Self {
        let end = code.origins.last().map_or(0, |(end, _)| *end as usize);
        let bytes = &code.bytes[..end];
        let instructions = Decoder::new(64, bytes, DecoderOptions::NONE).into_iter().count();
        Self { instructions, bytes: bytes.len() }
    }

    fn without(self, other: &Self) -> Self {
        Self {
            instructions: self.instructions - other.instructions,
            bytes: self.bytes - other.bytes,
        }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:5} {:6}", self.instructions, self.bytes)
    }
}
